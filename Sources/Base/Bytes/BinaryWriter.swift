/// Collects big-endian integers and octets in an array.
package struct BinaryWriter: Sendable {
    /// What was written.
    package private(set) var octets: [UInt8]

    /// Makes an empty writer.
    ///
    /// - Parameter capacity: How many octets to make room for at once.
    package init(capacity: Int = 0) {
        octets = []
        octets.reserveCapacity(capacity)
    }

    /// Appends one octet.
    ///
    /// - Parameter value: The octet.
    package mutating func write(_ value: UInt8) {
        octets.append(value)
    }

    /// Appends a 16-bit integer.
    ///
    /// - Parameter value: The integer.
    package mutating func write(_ value: UInt16) {
        writeInteger(UInt64(value), octetCount: 2)
    }

    /// Appends a 32-bit integer.
    ///
    /// - Parameter value: The integer.
    package mutating func write(_ value: UInt32) {
        writeInteger(UInt64(value), octetCount: 4)
    }

    /// Appends a 64-bit integer.
    ///
    /// - Parameter value: The integer.
    package mutating func write(_ value: UInt64) {
        writeInteger(value, octetCount: 8)
    }

    /// Appends octets without their count.
    ///
    /// - Parameter octets: The octets.
    package mutating func write(_ octets: [UInt8]) {
        self.octets.append(contentsOf: octets)
    }

    /// Appends octets without their count.
    ///
    /// - Parameter octets: The octets.
    package mutating func write(_ octets: Span<UInt8>) {
        self.octets.reserveCapacity(self.octets.count + octets.count)
        for index in octets.indices {
            self.octets.append(octets[index])
        }
    }

    private mutating func writeInteger(_ value: UInt64, octetCount: Int) {
        var shift = 8 * octetCount
        while shift > 0 {
            shift -= 8
            octets.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }
}
