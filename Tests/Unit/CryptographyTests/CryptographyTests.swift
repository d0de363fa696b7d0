import Cryptography
import Testing

@Suite("Digests, texts and randomness")
struct DigestTests {
    @Test("FIPS 180-4: the digest of abc is the published one")
    func knownDigest() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(encodeHex(sha256(Array("abc".utf8))) == hex)
        #expect(decodeHex(hex) == sha256(Array("abc".utf8)))
        #expect(decodeHex(hex.uppercased()) == sha256(Array("abc".utf8)))
    }

    @Test("feeding in pieces gives the digest of the whole, at every split")
    func incremental() {
        let octets = randomBytes(200)
        for split in 0...octets.count {
            var hasher = SHA256Hasher()
            hasher.update(Array(octets[..<split]))
            hasher.update(Array(octets[split...]))
            let digest = hasher.finish()
            #expect(digest.indices.map { digest[$0] } == sha256(octets))
        }
    }

    @Test("text that is not pairs of hexadecimal digits is refused")
    func malformedHex() {
        for bad in ["abc", "gg", "é", "0x", " 0"] {
            #expect(decodeHex(bad) == nil, "\(bad)")
        }
        #expect(decodeHex("") == [])
    }

    @Test("RFC 4648 §10: the test vectors, and the strictness of §3.5")
    func base64() {
        let vectors = [
            "": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg", "fooba": "Zm9vYmE",
            "foobar": "Zm9vYmFy",
        ]
        for (plain, text) in vectors {
            #expect(encodeBase64URL(Array(plain.utf8)) == text)
            #expect(decodeBase64URL(text) == Array(plain.utf8))
        }
        for bad in ["Z", "Zg==", "Zh", "Zm9", "Zm8\n", "Zm+8", "Zm/8", " Zg", "Zé"] {
            #expect(decodeBase64URL(bad) == nil, "\(bad)")
        }
        #expect(encodeBase64URL([251, 255]) == "-_8")
        #expect(encodeBase64([251, 255]) == "+/8=")
        #expect(decodeBase64("+/8=") == [251, 255])
        for bad in ["+/8", "+/9=", "====", "Zg=a", "=Zg="] {
            #expect(decodeBase64(bad) == nil, "\(bad)")
        }
    }

    @Test("random octets have their length and are not repeated")
    func randomness() {
        #expect(randomBytes(0).isEmpty)
        #expect(randomBytes(32).count == 32)
        #expect(randomBytes(32) != randomBytes(32))
    }

    @Test("comparing secrets sees length and every octet")
    func constantTime() {
        let secret = randomBytes(32)
        #expect(equalInConstantTime(secret, secret))
        #expect(equalInConstantTime([UInt8](), []))
        #expect(!equalInConstantTime(secret, Array(secret.dropLast())))
        for index in secret.indices {
            var other = secret
            other[index] ^= 1
            #expect(!equalInConstantTime(secret, other))
        }
    }
}

@Suite("Signatures, requests and sealed octets")
struct KeyTests {
    @Test("RFC 8032 §7.1 test 2: key, message and signature are the published ones")
    func ed25519Vector() throws {
        let seed = try #require(
            decodeHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        )
        let key = try Ed25519PrivateKey(rawOctets: seed)
        #expect(
            encodeHex(key.publicKey.rawOctets)
                == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        )
        let signature = try key.sign([0x72])
        #expect(
            encodeHex(signature)
                == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
        #expect(key.publicKey.verify(signature, of: [0x72]))
    }

    @Test("a signature is refused for another message, another key, or when an octet differs")
    func ed25519Refusals() throws {
        let key = try Ed25519PrivateKey()
        let message = Array("manifest".utf8)
        let signature = try key.sign(message)
        #expect(!key.publicKey.verify(signature, of: message + [0]))
        #expect(!(try Ed25519PrivateKey()).publicKey.verify(signature, of: message))
        #expect(!key.publicKey.verify(Array(signature.dropLast()), of: message))
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 0x10
            #expect(!key.publicKey.verify(changed, of: message))
        }
        #expect(throws: CryptographyError.keyInvalid) { try Ed25519PrivateKey(rawOctets: [1]) }
        #expect(throws: CryptographyError.keyInvalid) { try Ed25519PublicKey(rawOctets: []) }
    }

    @Test("a P-256 key survives PEM and DER, and other input is refused")
    func p256() throws {
        let key = try P256PrivateKey()
        #expect(try P256PrivateKey(pem: key.pem).der == key.der)
        #expect(try P256PrivateKey(der: key.der).publicKeyDER() == key.publicKeyDER())
        #expect(throws: CryptographyError.keyInvalid) { try P256PrivateKey(der: key.der + [0]) }
        #expect(throws: CryptographyError.keyInvalid) {
            try P256PrivateKey(der: Array(key.der.dropLast()))
        }
        #expect(throws: CryptographyError.keyInvalid) { try P256PrivateKey(der: []) }
        #expect(throws: CryptographyError.pemInvalid) { try P256PrivateKey(pem: "") }
        // An Ed25519 key in PKCS#8 (RFC 8410 §10.3) is well formed and not ours.
        let other = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
        let der = try #require(decodeBase64(other))
        #expect(throws: CryptographyError.keyTypeUnsupported) { try P256PrivateKey(der: der) }
    }

    @Test("a signing request carries its name and is refused without one")
    func request() throws {
        let key = try P256PrivateKey()
        let der = try key.certificateSigningRequest(commonName: "edge-1")
        #expect(der.count > 100)
        #expect(String(decoding: der, as: UTF8.self).contains("edge-1"))
        for name in ["", String(repeating: "a", count: 65), "a\0b"] {
            #expect(throws: CryptographyError.nameInvalid) {
                try key.certificateSigningRequest(commonName: name)
            }
        }
    }

    @Test("sealed octets open with key and context, and with nothing else")
    func sealing() throws {
        let key = randomBytes(32)
        let context = Array("authority key".utf8)
        for count in [0, 1, 16, 1000] {
            let plain = randomBytes(count)
            let sealed = try AESGCM.seal(plain, key: key, context: context)
            #expect(sealed.count == count + AESGCM.overheadByteCount)
            #expect(try AESGCM.open(sealed, key: key, context: context) == plain)
            #expect(try AESGCM.seal(plain, key: key, context: context) != sealed)
            #expect(throws: CryptographyError.openFailed) {
                try AESGCM.open(sealed, key: randomBytes(32), context: context)
            }
            #expect(throws: CryptographyError.openFailed) {
                try AESGCM.open(sealed, key: key, context: [])
            }
            for index in sealed.indices {
                var changed = sealed
                changed[index] ^= 1
                #expect(throws: CryptographyError.openFailed) {
                    try AESGCM.open(changed, key: key, context: context)
                }
            }
            for length in 0..<AESGCM.overheadByteCount {
                #expect(throws: CryptographyError.openFailed) {
                    try AESGCM.open(Array(sealed.prefix(length)), key: key, context: context)
                }
            }
        }
        #expect(throws: CryptographyError.keyLengthInvalid) {
            try AESGCM.seal([], key: [], context: [])
        }
    }
}

@Suite("PEM and certificates")
struct CertificateTests {
    @Test("RFC 7468: blocks are found among other text and labels, broken ones are errors")
    func pem() throws {
        let one = randomBytes(100)
        let two = randomBytes(1)
        let text =
            "subject: x\n" + PEM.encode(one, label: "CERTIFICATE")
            + PEM.encode([1], label: "X509 CRL") + PEM.encode(two, label: "CERTIFICATE")
        #expect(try PEM.decode(text, label: "CERTIFICATE") == [one, two])
        let crlf = text.split(separator: "\n").joined(separator: "\r\n")
        #expect(try PEM.decode(crlf, label: "CERTIFICATE") == [one, two])
        for bad in [
            "", "-----BEGIN X-----\nAA==\n", "-----END X-----\n",
            "-----BEGIN X-----\n-----END X-----",
        ] {
            #expect(throws: CryptographyError.pemInvalid, "\(bad)") {
                try PEM.decode(bad, label: "X")
            }
        }
    }

    @Test("the fields of a certificate are read")
    func fields() throws {
        let certificate = try #require(try Certificate.chain(pem: nodeCertificate).first)
        #expect(certificate.commonName == "edge-1")
        #expect(certificate.uris == ["weir://00112233/node/edge-1"])
        #expect(certificate.dnsNames == ["edge-1.example"])
        #expect(certificate.addresses == [[127, 0, 0, 1]])
        #expect(certificate.notAfterSeconds - certificate.notBeforeSeconds == 86_400)
        #expect(certificate.fingerprint == sha256(certificate.der))
        #expect(encodeHex(certificate.serial) == "1234abcd")
        #expect(try Certificate.chain(pem: certificate.pem) == [certificate])
    }

    @Test("every truncation of a certificate, and any octet after it, is refused")
    func truncated() throws {
        let der = try #require(try Certificate.chain(pem: nodeCertificate).first).der
        for length in der.indices {
            #expect(throws: CryptographyError.certificateInvalid) {
                try Certificate(der: Array(der.prefix(length)))
            }
        }
        #expect(throws: CryptographyError.certificateInvalid) { try Certificate(der: der + [0]) }
    }
}

@Suite("Secrets in memory")
struct SecretBytesTests {
    @Test("a secret compares by its octets, lends copies, and empties what it takes over")
    func octets() {
        var octets = randomBytes(40)
        let copy = octets
        let secret = SecretBytes(taking: &octets)
        #expect(octets.isEmpty && secret.count == 40)
        #expect(secret.withOctets { $0 == copy })
        #expect(secret == SecretBytes(copy) && secret != SecretBytes(copy.reversed()))
        #expect(SecretBytes([]) == SecretBytes([]) && SecretBytes([]) != secret)
    }

    @Test("no form of a secret shows an octet of it")
    func forms() throws {
        let key = try P256PrivateKey()
        let seed = try Ed25519PrivateKey()
        let secret = SecretBytes(seed.rawOctets)
        var text = "\(secret) \(key) \(seed) \(String(reflecting: [secret])) "
        text += "\(String(reflecting: key)) \(String(reflecting: seed)) "
        dump((secret, key, seed), to: &text)
        dump(["a": secret], to: &text)
        for octets in [seed.rawOctets, Array(key.der.suffix(32)), Array(key.der.prefix(32))] {
            #expect(!text.contains(octets.prefix(3).map(String.init).joined(separator: ", ")))
            #expect(!text.contains(encodeHex(Array(octets.prefix(4)))))
        }
        #expect(text.contains("secret of 32 octets"))
    }
}
