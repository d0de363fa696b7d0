import Cryptography
import FleetModel
import Foundation
import Testing

@testable import Certificates

@Suite("Certificates with their keys")
struct MaterialTests {
    let ladder: Ladder
    var workshop: Workshop { ladder.workshop }
    var chain: String { ladder.leaf.certificate + ladder.middle.certificate }

    init() throws { ladder = try Ladder() }

    @Test("a chain and its key are read with their public facts")
    func facts() throws {
        let material = try read(chain, ladder.leaf.key)
        #expect(material.chain.count == 2)
        let leaf = try Certificate(der: material.chain[0])
        #expect(material.facts.names.texts == ["shop.example.com"])
        #expect(material.facts.subject == "CN=shop")
        #expect(material.facts.issuer == "CN=Test CA 1")
        #expect(material.facts.serial == encodeHex(leaf.serial))
        #expect(material.facts.notAfterSeconds - material.facts.notBeforeSeconds == 30 * 86_400)
        #expect(material.facts.key == .p256 && material.facts.key.bits == 256)
        #expect(material.facts.fingerprint.octets == leaf.fingerprint)
        #expect(material.facts.publicKeyDigest.octets == sha256(material.key.publicKeyDER))
    }

    @Test("the root is dropped, the intermediates may stand in any order, and copies are dropped")
    func order() throws {
        let second = try workshop.make("Test CA 2", authority, issuer: ladder.middle)
        let leaf = try workshop.make("deep", server(), issuer: second)
        let wanted = try read(
            leaf.certificate + second.certificate + ladder.middle.certificate,
            leaf.key
        )
        #expect(wanted.chain.count == 3)
        let mixed =
            [leaf, ladder.root, ladder.middle, leaf, second, ladder.middle]
            .map(\.certificate).joined()
        let material = try read(mixed, leaf.key)
        #expect(material.chain == wanted.chain)
        #expect(material.digest == wanted.digest)
        let direct = try workshop.make("direct", server(), issuer: ladder.root)
        let withRoot = try read(direct.certificate + ladder.root.certificate, direct.key)
        #expect(withRoot.chain.count == 1)
        #expect(withRoot.digest == (try read(direct.certificate, direct.key)).digest)
    }

    @Test(
        "keys of each kind are taken, in each encoding, and are the same key in each",
        arguments: [
            ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
            ["-algorithm", "ED25519"],
        ]
    )
    func kinds(_ arguments: [String]) throws {
        let made = try workshop.make("kind", server(), key: arguments)
        let material = try read(made.certificate, made.key)
        #expect(!arguments.contains("RSA") || material.facts.key == .rsa(bits: 2048))
        #expect(!arguments.contains("ED25519") || material.facts.key == .ed25519)
        var texts = [
            made.certificate + made.key, "\u{FEFF}" + made.key.replacing("\n", with: "\r\n"),
        ]
        if !arguments.contains("ED25519") {
            texts.append(try workshop.openssl("pkey", "-in", "kind.key", "-traditional"))
        }
        if arguments.contains("EC") {
            let parameters = try workshop.openssl("ec", "-in", "kind.key", "-param_out")
            texts.append(parameters + (texts.last ?? ""))
        }
        for text in texts {
            #expect(try read(made.certificate, text).key == material.key)
        }
    }

    @Test("rubbish is refused with its line")
    func rubbish() throws {
        let (good, key) = (ladder.leaf.certificate, ladder.leaf.key)
        let lines = good.split(separator: "\n").map(String.init)
        func pem(_ text: String) -> PEMError? {
            guard case .pemInvalid(.certificate, let error) = refusal(text, key) else { return nil }
            return error
        }
        let renamed = good.replacing("-----END CERTIFICATE-----", with: "-----END KEY-----")
        let short = good.replacing("-----BEGIN CERTIFICATE-----", with: "-----BEGIN CERTIFICATE--")
        let cases: [(String, PEMError.Reason, Int)] = [
            (lines.dropLast().joined(separator: "\n"), .unfinished, 1),
            ("note\n" + lines.dropFirst().joined(separator: "\n"), .beginMissing, lines.count),
            (lines[0] + "\n" + good, .endMissing, 2),
            (renamed, .labelsDiffer, lines.count),
            (short, .boundaryMalformed, 1),
            ("\n\n" + lines[0] + "\n" + lines[lines.count - 1], .empty, 3),
            (good + good.replacing("\nM", with: "\n*"), .base64Malformed, lines.count + 1),
            (lines.joined(separator: "\na: b\n"), .base64Malformed, 1),
            ("\0" + good, .binary, 0),
            (String(repeating: "a", count: PEM.textBytesMax + 1), .tooLong, 0),
        ]
        for (text, reason, line) in cases {
            #expect(pem(text) == PEMError(line: line, reason: reason), "\(reason)")
        }
        #expect(
            refusal(lines[0] + "\nAAAA\n" + lines[lines.count - 1], key)
                == .certificateMalformed(.certificate, line: 1)
        )
        #expect(refusal("", key) == .certificateMissing(.certificate, labels: []))
        #expect(
            refusal(key, key) == .certificateMissing(.certificate, labels: ["PRIVATE KEY"])
        )
        #expect(refusal(good, good) == .keyMissing(labels: ["CERTIFICATE"]))
        #expect(
            refusal(String(repeating: good, count: 11), key)
                == .certificatesTooMany(.certificate, countMax: 10)
        )
        #expect(
            refusal(good, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
                == .keyMalformed(line: 1)
        )
    }

    @Test("encrypted keys of both styles, and several keys, are refused")
    func keys() throws {
        let leaf = ladder.leaf
        let eight = try workshop.openssl(
            "pkcs8",
            "-topk8",
            "-in",
            "shop.key",
            "-passout",
            "pass:secret"
        )
        #expect(refusal(chain, eight) == .keyEncrypted(line: 1))
        let old = try workshop.openssl(
            "ec",
            "-in",
            "shop.key",
            "-aes128",
            "-passout",
            "pass:secret"
        )
        #expect(refusal(chain, "\n" + old) == .keyEncrypted(line: 2))
        let count = leaf.key.split(separator: "\n").count
        #expect(refusal(chain, leaf.key + leaf.key) == .keysSeveral(lines: [1, count + 1]))
    }

    @Test("a key that is another's is refused, and one that is a later certificate's says so")
    func mismatch() throws {
        let error = refusal(chain, ladder.root.key)
        #expect(
            error == .keyMismatch(.p256, CertificatePlace(position: 1, line: 1, subject: "CN=shop"))
        )
        let turned = ladder.middle.certificate + ladder.leaf.certificate
        guard case .leafNotFirst(let place) = refusal(turned, ladder.leaf.key) else {
            Issue.record("out of order")
            return
        }
        #expect(place.position == 2)
    }

    @Test("validity is that of every certificate of the chain, at the moment given")
    func validity() throws {
        let material = try read(chain, ladder.leaf.key)
        let place = CertificatePlace(position: 1, line: 1, subject: "CN=shop")
        let (from, to) = (material.facts.notBeforeSeconds, material.facts.notAfterSeconds)
        #expect(
            refusal(chain, ladder.leaf.key, at: to + 1) == .expired(place, atSeconds: to)
        )
        #expect(
            refusal(chain, ladder.leaf.key, at: from - 86_400)
                == .notYetValid(place, fromSeconds: from)
        )
        let error = MaterialError.expired(place, atSeconds: 0)
        #expect(
            "\(error)"
                == "certificate 1 (line 1, CN=shop) has expired, at 1970-01-01T00:00:00Z; renew it"
        )
        let short = try workshop.make("Short CA", authority, issuer: ladder.root, days: 1)
        let below = try workshop.make("below", server(), issuer: short)
        let text = below.certificate + short.certificate
        #expect(refusal(text, below.key) == nil)
        guard case .expired(let second, _) = refusal(text, below.key, at: now + 2 * 86_400)
        else {
            Issue.record("an intermediate that has ended")
            return
        }
        #expect(second.position == 2)
    }

    @Test("what is not on the path is refused, and roots beside it are dropped")
    func unrelated() throws {
        let other = try workshop.make("Other CA", authority, issuer: ladder.root)
        guard
            case .certificateUnrelated(let place) = refusal(
                chain + other.certificate,
                ladder.leaf.key
            )
        else {
            Issue.record("an unrelated intermediate")
            return
        }
        #expect(place.position == 3 && place.subject == "CN=Other CA")
        let stranger = try workshop.make("Other Root", authority)
        #expect(refusal(chain + stranger.certificate, ladder.leaf.key) == nil)
        // A gap: the certificate between is missing.
        let second = try workshop.make("Test CA 2", authority, issuer: ladder.middle)
        let leaf = try workshop.make("deep", server(), issuer: second)
        guard
            case .certificateUnrelated =
                refusal(leaf.certificate + ladder.middle.certificate, leaf.key)
        else {
            Issue.record("a gap")
            return
        }
    }

    @Test("an intermediate is missing where the certificates themselves tell so")
    func missing() throws {
        let location = "authorityInfoAccess=caIssuers;URI:http://ca.example.com/ca.der"
        let alone = try workshop.make("aia", server() + [location], issuer: ladder.middle)
        let place = CertificatePlace(position: 1, line: 1, subject: "CN=aia")
        let error = MaterialError.intermediateMissing(place, issuer: "CN=Test CA 1")
        #expect(refusal(alone.certificate, alone.key) == error)
        #expect("\(error)".contains("CN=Test CA 1"))
        #expect(refusal(alone.certificate + ladder.middle.certificate, alone.key) == nil)

        let keyed = try workshop.make(
            "keyed",
            server() + ["authorityKeyIdentifier=issuer:always"],
            issuer: ladder.middle
        )
        guard case .intermediateMissing = refusal(keyed.certificate, keyed.key) else {
            Issue.record("the issuer's issuer is another")
            return
        }
        let rooted = try workshop.make(
            "rooted",
            server() + [location, "authorityKeyIdentifier=issuer:always"],
            issuer: ladder.root
        )
        #expect(refusal(rooted.certificate + ladder.root.certificate, rooted.key) == nil)

        let named = try workshop.make("Test Intermediate", authority, issuer: ladder.root)
        let leaf = try workshop.make("named", server(), issuer: named)
        guard case .intermediateMissing = refusal(leaf.certificate, leaf.key) else {
            Issue.record("the issuer's name says it")
            return
        }
        // Nothing tells that this one's issuer is no root.
        #expect(refusal(ladder.leaf.certificate, ladder.leaf.key) == nil)
    }

    @Test("weak keys and signatures are refused, in intermediates too")
    func weak() throws {
        let rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]
        let small = try workshop.make("small", server(), key: rsa)
        let place = CertificatePlace(position: 1, line: 1, subject: "CN=small")
        #expect(
            refusal(small.certificate, small.key) == .keyUnacceptable(place, .rsa(bits: 1024))
        )
        for curve in ["secp256k1", "brainpoolP256r1", "secp224r1"] {
            let made = try workshop.make(
                "curve",
                server(),
                key: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:\(curve)"]
            )
            guard case .keyUnacceptable(_, .other(let name)) = refusal(made.certificate, made.key)
            else {
                Issue.record("\(curve)")
                continue
            }
            #expect(name == "EC \(curve)")
        }
        let forged = try workshop.make("weak", server(), issuer: ladder.middle, digest: "sha1")
        #expect(
            refusal(forged.certificate + ladder.middle.certificate, forged.key)
                == .signatureWeak(
                    CertificatePlace(position: 1, line: 1, subject: "CN=weak"),
                    digest: "SHA-1"
                )
        )
        let middle = try workshop.make("Weak CA", authority, issuer: ladder.root, key: rsa)
        let leaf = try workshop.make("below", server(), issuer: middle)
        guard
            case .keyUnacceptable(let second, _) =
                refusal(leaf.certificate + middle.certificate, leaf.key)
        else {
            Issue.record("a weak intermediate")
            return
        }
        #expect(second.position == 2)
    }

    @Test("what is no server's certificate is refused")
    func purposes() throws {
        let names = "subjectAltName=DNS:a.example.com"
        func one(_ extensions: [String], issuer: Made?) throws -> MaterialError? {
            let made = try workshop.make("one", extensions, issuer: issuer)
            return refusal(made.certificate + ladder.middle.certificate, made.key)
        }
        let place = CertificatePlace(position: 1, line: 1, subject: "CN=one")
        let middle = ladder.middle
        #expect(
            try one(["basicConstraints=CA:TRUE", names], issuer: middle) == .leafIsAuthority(place)
        )
        #expect(
            try one(["extendedKeyUsage=clientAuth", names], issuer: middle)
                == .leafNotForServers(place)
        )
        #expect(
            try one(["keyUsage=keyEncipherment", names], issuer: middle) == .leafCannotSign(place)
        )
        #expect(
            try one(["extendedKeyUsage=serverAuth"], issuer: middle) == .namesMissing(place)
        )
        #expect(
            try one(["subjectAltName=email:a@example.com"], issuer: middle) == .namesMissing(place)
        )
        #expect(try one([names], issuer: middle) == nil)
        // As `openssl req -x509` makes them.
        let own = try workshop.make("own", ["basicConstraints=critical,CA:TRUE", names])
        #expect(refusal(own.certificate, own.key) == nil)
        let signing = try workshop.make("signing", authority + [names])
        guard case .leafCannotSign = refusal(signing.certificate, signing.key) else {
            Issue.record("a root's key usage")
            return
        }
    }

    @Test("what a client would refuse of a chain is refused: path lengths, name constraints")
    func constraints() throws {
        let narrow = try workshop.make(
            "Narrow CA",
            authority + ["nameConstraints=critical,permitted;DNS:example.org"],
            issuer: ladder.root
        )
        let leaf = try workshop.make("narrow", server(), issuer: narrow)
        guard
            case .chainRefused(_, let reason) =
                refusal(leaf.certificate + narrow.certificate, leaf.key)
        else {
            Issue.record("name constraints")
            return
        }
        #expect(reason == "permitted subtree violation")
        let last = try workshop.make(
            "Last CA",
            ["basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=keyCertSign"],
            issuer: ladder.root
        )
        let over = try workshop.make("Over CA", authority, issuer: last)
        let deep = try workshop.make("over", server(), issuer: over)
        let chain = deep.certificate + over.certificate + last.certificate
        guard case .chainRefused = refusal(chain, deep.key) else {
            Issue.record("path length")
            return
        }
    }

    @Test("what is stored is joined again, and nothing else is")
    func stored() throws {
        let material = try read(chain, ladder.leaf.key)
        let chain = try ChainCoding.decode(material.publicContent)
        let again = try CertificateMaterial(chain: chain, key: material.key.der)
        #expect(again.chain == material.chain && again.key == material.key)
        #expect(again.facts == material.facts && again.digest == material.digest)
        #expect(try CertificateFacts(publicContent: material.publicContent) == material.facts)
        for bad: [UInt8] in [[], [1], ChainCoding.encode([[]]), ChainCoding.encode([[0x30]])] {
            #expect(throws: MaterialError.storedMalformed) {
                try CertificateFacts(publicContent: bad)
            }
        }
        let other = try PrivateKey(der: try P256PrivateKey().der)
        for (chain, key) in [(chain, other.der), ([], material.key.der), ([[1]], other.der)] {
            #expect(throws: MaterialError.storedMalformed) {
                try CertificateMaterial(chain: chain, key: key)
            }
        }
        for bad: [UInt8] in [[], [2], [1, 0], [1, 0, 0, 0, 2, 0], [1, 255, 255, 255, 255]] {
            #expect(throws: MaterialError.storedMalformed) { try ChainCoding.decode(bad) }
        }
    }

    @Test("no description, dump or mirror has anything of the key")
    func secrecy() throws {
        let material = try read(chain, ladder.leaf.key)
        var text = "\(material) \(String(reflecting: material)) \(material.key) "
        text += "\(material.key.der) \(String(reflecting: material.key.der)) "
        dump([material], to: &text)
        dump(material.key, to: &text)
        dump(material.key.der, to: &text)
        text += "\(Mirror(reflecting: material.key).children.count)"
        material.key.der.withOctets { octets in
            let secret = Array(octets.suffix(40))
            for form in [
                encodeHex(secret), encodeBase64(octets),
                octets.map(String.init).joined(separator: ", "),
                octets.prefix(4).map(String.init).joined(separator: ", "),
            ] {
                #expect(!text.contains(form))
            }
        }
        #expect(text.contains(material.digest.description))
    }

    @Test("changed octets are refused or read, and never trap")
    func mutations() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        let chain = Array(chain.utf8)
        let key = Array(ladder.leaf.key.utf8)
        var refused = 0
        for round in 0..<300 {
            var (one, other) = (chain, key)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let at = Int.random(in: 0..<chain.count, using: &generator)
                one[at] = UInt8.random(in: 0...255, using: &generator)
                let place = Int.random(in: 0..<key.count, using: &generator)
                if round % 3 == 0 { other[place] = UInt8.random(in: 0...255, using: &generator) }
            }
            if round % 5 == 0 {
                one.removeLast(Int.random(in: 0...one.count, using: &generator))
            }
            do {
                _ = try CertificateMaterial(certificateText: one, keyText: other, atSeconds: now)
            } catch {
                refused += 1
                #expect(!"\(error)".isEmpty)
            }
            _ = refusal(ofBundle: String(decoding: one, as: UTF8.self))
        }
        #expect(refused > 100, "seed \(seed)")
    }

    @Test("changed octets within the DER are refused or read, and never trap")
    func derMutations() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        let whole = try #require(
            try Certificate.chain(pem: ladder.leaf.certificate).first?.der
        )
        for _ in 0..<600 {
            var der = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                der[Int.random(in: 0..<der.count, using: &generator)] =
                    UInt8.random(in: 0...255, using: &generator)
            }
            let text = PEM.encode(der, label: "CERTIFICATE")
            let error = refusal(text + ladder.middle.certificate, ladder.leaf.key)
            #expect(error != nil || der == whole, "seed \(seed)")
            #expect(throws: CryptographyError.revocationListInvalid) {
                try RevocationList(der: der)
            }
            #expect(throws: CryptographyError.keyInvalid) { try PrivateKey(der: der) }
        }
    }
}

/// A small generator whose seed can be printed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
