/// What can be wrong with octets that a `BinaryReader` reads.
package enum BinaryError: Error, Equatable, Sendable {
    /// A value of `wanted` octets at `offset` reaches past the end.
    case truncated(offset: Int, wanted: Int)
    /// A length is above what the caller allows.
    case lengthAboveLimit(length: Int, limit: Int)
    /// Octets are left where the end was expected.
    case octetsLeft(count: Int)
}

/// A cursor that reads big-endian integers and counted octets, each length checked before its use.
///
/// It holds no octets: every call is given the same span, which the caller has borrowed.
package struct BinaryReader: Sendable {
    /// Index of the next octet.
    package private(set) var offset: Int

    /// Makes a cursor.
    ///
    /// - Parameter offset: Index of the first octet to read.
    package init(at offset: Int = 0) {
        self.offset = offset
    }

    /// Reads one octet.
    ///
    /// - Parameter octets: The octets that the cursor runs over.
    /// - Returns: The octet.
    /// - Throws: `BinaryError.truncated` at the end.
    package mutating func readUInt8(_ octets: Span<UInt8>) throws(BinaryError) -> UInt8 {
        let start = try take(1, of: octets)
        return octets[start]
    }

    /// Reads a 16-bit integer.
    ///
    /// - Parameter octets: The octets that the cursor runs over.
    /// - Returns: The integer.
    /// - Throws: `BinaryError.truncated` at the end.
    package mutating func readUInt16(_ octets: Span<UInt8>) throws(BinaryError) -> UInt16 {
        UInt16(truncatingIfNeeded: try readInteger(octets, octetCount: 2))
    }

    /// Reads a 32-bit integer.
    ///
    /// - Parameter octets: The octets that the cursor runs over.
    /// - Returns: The integer.
    /// - Throws: `BinaryError.truncated` at the end.
    package mutating func readUInt32(_ octets: Span<UInt8>) throws(BinaryError) -> UInt32 {
        UInt32(truncatingIfNeeded: try readInteger(octets, octetCount: 4))
    }

    /// Reads a 64-bit integer.
    ///
    /// - Parameter octets: The octets that the cursor runs over.
    /// - Returns: The integer.
    /// - Throws: `BinaryError.truncated` at the end.
    package mutating func readUInt64(_ octets: Span<UInt8>) throws(BinaryError) -> UInt64 {
        try readInteger(octets, octetCount: 8)
    }

    /// Reads a 32-bit length that counts something not larger than `limit`.
    ///
    /// - Parameters:
    ///   - octets: The octets that the cursor runs over.
    ///   - limit: The largest length accepted.
    /// - Returns: The length.
    /// - Throws: `BinaryError.truncated` or `BinaryError.lengthAboveLimit`.
    package mutating func readLength(
        _ octets: Span<UInt8>,
        limit: Int
    ) throws(BinaryError) -> Int {
        let length = Int(try readUInt32(octets))
        guard length <= limit else { throw .lengthAboveLimit(length: length, limit: limit) }
        return length
    }

    /// Passes over `octetCount` octets.
    ///
    /// - Parameters:
    ///   - octetCount: How many; not negative.
    ///   - octets: The octets that the cursor runs over.
    /// - Returns: Their indices.
    /// - Throws: `BinaryError.truncated` when fewer are left.
    package mutating func readOctets(
        _ octetCount: Int,
        of octets: Span<UInt8>
    ) throws(BinaryError) -> Range<Int> {
        let start = try take(octetCount, of: octets)
        return start..<offset
    }

    /// Copies `octetCount` octets.
    ///
    /// - Parameters:
    ///   - octetCount: How many; not negative.
    ///   - octets: The octets that the cursor runs over.
    /// - Returns: A copy of them.
    /// - Throws: `BinaryError.truncated` when fewer are left.
    package mutating func readArray(
        _ octetCount: Int,
        of octets: Span<UInt8>
    ) throws(BinaryError) -> [UInt8] {
        let range = try readOctets(octetCount, of: octets)
        return octets.extracting(range).copied()
    }

    /// Checks that everything was read.
    ///
    /// - Parameter octets: The octets that the cursor runs over.
    /// - Throws: `BinaryError.octetsLeft` when some are left.
    package func expectEnd(_ octets: Span<UInt8>) throws(BinaryError) {
        guard offset == octets.count else { throw .octetsLeft(count: octets.count - offset) }
    }

    private mutating func readInteger(
        _ octets: Span<UInt8>,
        octetCount: Int
    ) throws(BinaryError) -> UInt64 {
        let start = try take(octetCount, of: octets)
        var value: UInt64 = 0
        for index in start..<offset {
            value = value << 8 | UInt64(octets[index])
        }
        return value
    }

    private mutating func take(
        _ octetCount: Int,
        of octets: Span<UInt8>
    ) throws(BinaryError) -> Int {
        guard octetCount >= 0, octetCount <= octets.count - offset else {
            throw .truncated(offset: offset, wanted: octetCount)
        }
        let start = offset
        offset += octetCount
        return start
    }
}

extension Span where Element == UInt8 {
    /// Copies the octets into an array.
    ///
    /// - Returns: The array.
    package func copied() -> [UInt8] {
        // SAFETY: `target` has room for `count` octets and is ours alone; the source is borrowed for
        // the call, and exactly `count` octets are initialised.
        unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initializedCount in
            unsafe self.withUnsafeBufferPointer { source in
                _ = unsafe target.initialize(from: source)
            }
            initializedCount = count
        }
    }
}
