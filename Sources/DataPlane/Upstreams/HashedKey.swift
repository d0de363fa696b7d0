/// What a request or an endpoint is known by where endpoints are chosen by hash.
///
/// The same octets give the same number on every node and in every version of the programs, so that all nodes send a
/// client to the same endpoint. It is no secret: a client that can choose its key can choose its endpoint, which the
/// bound on loads makes harmless.
package struct HashedKey: Hashable, Sendable {
    /// The number, well mixed.
    package let value: UInt64

    /// Takes a number that is well mixed already.
    package init(value: UInt64) {
        self.value = value
    }

    /// Hashes octets: FNV-1a, 64 bits, mixed further.
    ///
    /// - Parameter octets: Any number of them.
    /// - Complexity: O(n), about a nanosecond for each octet.
    package init(_ octets: Span<UInt8>) {
        var word: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in octets.indices {
            // FNV is defined modulo 2^64.
            word = (word ^ UInt64(octets[index])) &* 0x100_0000_01B3
        }
        value = mixed(word)
    }

    /// Hashes an address of sixteen octets.
    package init(high: UInt64, low: UInt64) {
        // The sum is defined modulo 2^64.
        value = mixed(mixed(high &+ 0x9E37_79B9_7F4A_7C15) ^ low)
    }

    /// Hashes a text, such as an endpoint's address.
    package init(_ text: String) {
        let octets = Array(text.utf8)
        self.init(octets.span)
    }
}
