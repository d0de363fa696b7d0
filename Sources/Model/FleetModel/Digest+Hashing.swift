import Cryptography

extension Digest {
    /// The SHA-256 digest of `octets` (FIPS 180-4).
    package init(hashing octets: [UInt8]) {
        self.init(hashing: octets.span)
    }

    /// The SHA-256 digest of `octets` (FIPS 180-4).
    package init(hashing octets: Span<UInt8>) {
        self.init(sha256(octets))
    }

    private init(_ octets: InlineArray<32, UInt8>) {
        var words: InlineArray<4, UInt64> = .init(repeating: 0)
        for index in octets.indices {
            words[index / 8] = words[index / 8] << 8 | UInt64(octets[index])
        }
        self.init(words: words)
    }
}
