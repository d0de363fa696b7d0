import Testing

@testable import Cryptography

@Suite("Keys out of secrets")
struct HKDFTests {
    @Test("RFC 4231 §4.3 and §4.7: HMAC with a short key, and with one longer than a block")
    func authenticates() {
        #expect(
            encodeHex(
                hmacSHA256(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
            ) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
        #expect(
            encodeHex(
                hmacSHA256(
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                    key: [UInt8](repeating: 0xAA, count: 131)
                )
            ) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        )
    }

    @Test("RFC 5869 §A.1 and §A.3: the first 32 octets of the output")
    func derives() {
        let secret = [UInt8](repeating: 0x0B, count: 22)
        #expect(
            encodeHex(
                hkdfSHA256(secret: secret, salt: Array(0...12), info: Array(0xF0...0xF9))
            ) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        )
        #expect(
            encodeHex(hkdfSHA256(secret: secret, salt: [], info: []))
                == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        )
    }
}
