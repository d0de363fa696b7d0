import Bytes
package import HTTPSemantics

/// Where one field line lies in the octets of its head: 16 octets, no reference.
package struct FieldLine: Sendable {
    /// Index of the name's first octet.
    package var nameOffset: UInt32
    /// Index of the value's first octet, white space around the value left out.
    package var valueOffset: UInt32
    /// Number of octets of the value.
    package var valueCount: UInt32
    /// Number of octets of the name.
    package var nameCount: UInt16
    /// The name, when it is a known one.
    package var name: FieldName
    /// Whether the line ends at this connection: a field of RFC 9110 §7.6.1 or one that Connection
    /// nominates.
    ///
    /// It must not be forwarded as it is.
    package var isHopByHop: Bool

    @inline(__always)
    init(name: FieldName, nameAt: Int, nameEnd: Int, valueAt: Int, valueEnd: Int) {
        nameOffset = UInt32(nameAt)
        nameCount = UInt16(nameEnd - nameAt)
        valueOffset = UInt32(valueAt)
        valueCount = UInt32(valueEnd - valueAt)
        self.name = name
        isHopByHop = false
    }

    /// Whether nobody behind this proxy gets to see the line, although its name is no field of a connection: Connection
    /// nominates it, or whoever sent it is not believed.
    package var isWithdrawn: Bool { isHopByHop && !name.isHopByHop }

    /// The octets of the name.
    package var nameRange: Range<Int> { Int(nameOffset)..<Int(nameOffset) + Int(nameCount) }

    /// The octets of the value.
    package var valueRange: Range<Int> { Int(valueOffset)..<Int(valueOffset) + Int(valueCount) }
}
