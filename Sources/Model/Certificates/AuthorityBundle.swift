import Cryptography
package import FleetModel

/// Authorities that are trusted to issue, and what they have revoked.
package struct AuthorityBundle: Hashable, Sendable {
    /// CA certificates in DER, each once, in the file's order.
    package let certificates: [[UInt8]]
    /// Revocation lists in DER, in the file's order.
    package let revocationLists: [[UInt8]]
    /// The authorities, for people.
    package let subjects: [String]
    /// When the first of the authorities ends, in seconds since 1970-01-01 UTC.
    package let notAfterSeconds: Int64

    /// Reads and checks a bundle: certificates of CAs, and revocation lists that they have signed.
    ///
    /// A certificate that has ended is kept, because bundles of operating systems have some and nobody can
    /// use it; one must be valid. A list whose successor is due is refused: with it every certificate of
    /// its authority would be.
    ///
    /// - Parameters:
    ///   - text: PEM.
    ///   - seconds: The moment, in seconds since 1970-01-01 UTC.
    /// - Throws: The first thing that is wrong.
    package init(text: [UInt8], atSeconds seconds: Int64) throws(MaterialError) {
        let blocks = try PlacedCertificate.blocks(text, of: .authority)
        if let key = blocks.first(where: { $0.label.hasSuffix("PRIVATE KEY") }) {
            throw .authorityHasKey(line: key.line)
        }
        let placed = try PlacedCertificate.read(
            blocks,
            of: .authority,
            countMax: CertificateLimits.bundleCertificatesMax
        )
        for certificate in placed {
            guard certificate.details.isAuthority else {
                throw .authorityNotAuthority(certificate.place)
            }
            try certificate.checkKey()
        }
        let isAnyValid = placed.map(\.details.certificate).contains {
            $0.notBeforeSeconds <= seconds && seconds <= $0.notAfterSeconds
        }
        guard isAnyValid else { throw .authoritiesNotValid }
        revocationLists = try Self.readLists(blocks, of: placed, atSeconds: seconds)
        var seen: Set<[UInt8]> = []
        let unique = placed.filter { seen.insert($0.details.certificate.der).inserted }
        certificates = unique.map(\.details.certificate.der)
        subjects = unique.map(\.details.subject)
        notAfterSeconds = unique.map(\.details.certificate.notAfterSeconds).min() ?? 0
    }

    /// Reads what was stored.
    ///
    /// - Throws: `storedMalformed`.
    package init(content: [UInt8]) throws(MaterialError) {
        let parts = try ChainCoding.decode(content)
        guard parts.count == 2 else { throw .storedMalformed }
        certificates = try ChainCoding.decode(parts[0])
        revocationLists = try ChainCoding.decode(parts[1])
        do {
            let details = try certificates.map { try CertificateDetails(der: $0) }
            subjects = details.map(\.subject)
            notAfterSeconds = details.map(\.certificate.notAfterSeconds).min() ?? 0
        } catch {
            throw .storedMalformed
        }
    }

    /// Certificates and lists in octets: nothing of it is secret.
    package var content: [UInt8] {
        ChainCoding.encode([ChainCoding.encode(certificates), ChainCoding.encode(revocationLists)])
    }

    /// The same as a file: certificates first.
    package var pem: String {
        let parts =
            certificates.map { PEM.encode($0, label: "CERTIFICATE") }
            + revocationLists.map { PEM.encode($0, label: "X509 CRL") }
        return parts.joined()
    }

    /// SHA-256 of `content`: names the bundle wherever its file is not.
    package var digest: Digest { Digest(hashing: content) }

    private static func readLists(
        _ blocks: [PEMBlock],
        of authorities: [PlacedCertificate],
        atSeconds seconds: Int64
    ) throws(MaterialError) -> [[UInt8]] {
        let found = blocks.filter { $0.label == "X509 CRL" }
        guard found.count <= CertificateLimits.bundleListsMax else {
            throw .revocationListsTooMany(countMax: CertificateLimits.bundleListsMax)
        }
        for block in found {
            let list: RevocationList
            do {
                list = try RevocationList(der: block.der)
            } catch {
                throw .revocationListMalformed(line: block.line)
            }
            guard authorities.contains(where: { list.isIssued(by: $0.details) }) else {
                throw .revocationListUnrelated(line: block.line, issuer: list.issuer)
            }
            guard list.isComplete else {
                throw .revocationListPartial(line: block.line, issuer: list.issuer)
            }
            if let next = list.nextUpdateSeconds, seconds > next {
                throw .revocationListExpired(
                    line: block.line,
                    issuer: list.issuer,
                    atSeconds: next
                )
            }
        }
        return found.map(\.der)
    }
}
