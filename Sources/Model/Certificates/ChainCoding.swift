/// Lists of DER in one array of octets.
///
///     version (1) = 1 ‖ for each: length (4, big-endian) ‖ octets
package enum ChainCoding {
    private static let version: UInt8 = 1

    /// The octets of a list.
    package static func encode(_ list: [[UInt8]]) -> [UInt8] {
        var octets = [version]
        for element in list {
            let length = UInt32(truncatingIfNeeded: element.count)
            for shift in [24, 16, 8, 0] as [UInt32] {
                octets.append(UInt8(truncatingIfNeeded: length >> shift))
            }
            octets.append(contentsOf: element)
        }
        return octets
    }

    /// The list in octets.
    ///
    /// - Throws: `storedMalformed`.
    package static func decode(_ octets: [UInt8]) throws(MaterialError) -> [[UInt8]] {
        guard octets.first == version else { throw .storedMalformed }
        var rest = octets.dropFirst()
        var list: [[UInt8]] = []
        while !rest.isEmpty {
            guard rest.count >= 4 else { throw .storedMalformed }
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard length <= rest.count else { throw .storedMalformed }
            list.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return list
    }
}
