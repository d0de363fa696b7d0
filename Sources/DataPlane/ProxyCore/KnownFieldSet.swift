internal import HTTPSemantics

/// A set of the field names that the proxy knows: two words, so that a look costs no memory access.
struct KnownFieldSet {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(_ names: [FieldName]) {
        for name in names { insert(name) }
    }

    mutating func insert(_ name: FieldName) {
        let bit: UInt64 = 1 << UInt64(name.rawValue & 63)
        if name.rawValue < 64 { low |= bit } else { high |= bit }
    }

    @inline(__always)
    func contains(_ name: FieldName) -> Bool {
        let word = name.rawValue & 64 == 0 ? low : high
        return (word >> UInt64(name.rawValue & 63)) & 1 != 0
    }

    /// Fields without room for a host: what is written anew, and what settings are for.
    static let withoutHosts = KnownFieldSet([
        .contentLength, .transferEncoding, .connection, .keepAlive, .upgrade, .server,
    ])
}
