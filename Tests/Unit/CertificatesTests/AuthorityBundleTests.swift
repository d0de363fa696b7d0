import FleetModel
import Foundation
import Testing

@testable import Certificates

@Suite("Bundles of authorities")
struct AuthorityBundleTests {
    let ladder: Ladder
    var workshop: Workshop { ladder.workshop }

    init() throws { ladder = try Ladder() }

    /// An empty revocation list of an authority, due in so many days.
    private func list(
        of issuer: Made,
        days: Int = 7,
        extensions: String = ""
    ) throws -> String {
        let file = issuer.name.replacing(" ", with: "-")
        try workshop.write("", to: "index.txt")
        try workshop.write("01\n", to: "number")
        try workshop.write(
            """
            [ca]
            default_ca = here
            [here]
            database = index.txt
            crlnumber = number
            default_md = sha256
            crl_extensions = more
            [more]
            \(extensions)

            """,
            to: "ca.conf"
        )
        return try workshop.openssl(
            "ca",
            "-config",
            "ca.conf",
            "-gencrl",
            "-cert",
            "\(file).crt",
            "-keyfile",
            "\(file).key",
            "-crldays",
            "\(days)"
        )
    }

    @Test("certificates of CAs and their revocation lists are read, in any order and once each")
    func bundles() throws {
        let one = try bundle(ladder.root.certificate)
        #expect(one.certificates.count == 1 && one.revocationLists.isEmpty)
        #expect(one.subjects == ["CN=Test Root"])
        let text =
            try list(of: ladder.middle) + ladder.root.certificate + ladder.middle.certificate
            + ladder.root.certificate + list(of: ladder.root)
        let both = try bundle(text)
        #expect(both.certificates.count == 2 && both.revocationLists.count == 2)
        #expect(both.digest != one.digest)
        let parts = try ChainCoding.decode(both.content)
        #expect(try ChainCoding.decode(parts[0]) == both.certificates)
        #expect(try ChainCoding.decode(parts[1]) == both.revocationLists)
        #expect(try AuthorityBundle(content: both.content) == both)
        for bad in [[], ChainCoding.encode([]), ChainCoding.encode([[1], [1, 0]]), [1, 0]] {
            #expect(throws: MaterialError.storedMalformed) { try AuthorityBundle(content: bad) }
        }
    }

    @Test("what is no authority's is refused with its place")
    func refused() throws {
        let leaf = ladder.leaf.certificate
        let root = ladder.root.certificate
        let count = root.split(separator: "\n").count
        #expect(
            refusal(ofBundle: root + leaf)
                == .authorityNotAuthority(
                    CertificatePlace(position: 2, line: count + 1, subject: "CN=shop")
                )
        )
        #expect(
            refusal(ofBundle: root + ladder.root.key) == .authorityHasKey(line: count + 1)
        )
        #expect(refusal(ofBundle: "") == .certificateMissing(.authority, labels: []))
        #expect(refusal(ofBundle: root, at: now + 40 * 86_400) == .authoritiesNotValid)
        #expect(refusal(ofBundle: root, at: now - 86_400) == .authoritiesNotValid)
        let broken = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
        #expect(refusal(ofBundle: broken + root) == .revocationListMalformed(line: 1))
        let stranger = try workshop.make("Other Root", authority)
        #expect(
            refusal(ofBundle: try list(of: stranger) + root)
                == .revocationListUnrelated(line: 1, issuer: "CN=Other Root")
        )
        for extensions in [
            "2.5.29.27 = critical,DER:020101",
            "issuingDistributionPoint = critical,@point\n[point]\nindirectCRL = TRUE",
            "issuingDistributionPoint = critical,@point\n[point]\nonlysomereasons = keyCompromise",
        ] {
            let partial = try list(of: ladder.root, extensions: extensions)
            #expect(
                refusal(ofBundle: partial + root)
                    == .revocationListPartial(line: 1, issuer: "CN=Test Root")
            )
        }
        let short = try list(of: ladder.root, days: 1)
        #expect(refusal(ofBundle: short + root) == nil)
        guard
            case .revocationListExpired(1, "CN=Test Root", _) =
                refusal(ofBundle: short + root, at: now + 2 * 86_400)
        else {
            Issue.record("a list whose successor is due")
            return
        }
        let many = String(repeating: root, count: CertificateLimits.bundleCertificatesMax + 1)
        #expect(
            refusal(ofBundle: many)
                == .certificatesTooMany(
                    .authority,
                    countMax: CertificateLimits.bundleCertificatesMax
                )
        )
    }

    @Test("the bundle of the operating system is taken")
    func system() throws {
        let path = "/etc/ssl/certs/ca-certificates.crt"
        guard let text = FileManager.default.contents(atPath: path) else { return }
        let whole = try AuthorityBundle(text: Array(text), atSeconds: now)
        #expect(whole.certificates.count > 50)
    }
}
