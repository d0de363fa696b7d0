package import Cryptography
package import FleetModel

/// A certificate with its chain and its key, as nodes serve it.
package struct CertificateMaterial: Sendable {
    /// DER, the leaf first, each issued by the next; without the root.
    package let chain: [[UInt8]]
    /// The leaf's key.
    package let key: PrivateKey
    /// What anybody may know of the leaf.
    package let facts: CertificateFacts

    /// Reads and checks the files of a certificate.
    ///
    /// Blocks of other kinds are skipped in both files, so that one file may hold both. The leaf stands
    /// first; its intermediates follow in any order; a root may follow and is dropped. Whether an
    /// intermediate is missing cannot be known for sure without all roots: it is taken as missing if the
    /// leaf stands alone and says where its issuer's certificate is, or if the last certificate or its
    /// issuer's name tells that the issuer is no root.
    ///
    /// - Parameters:
    ///   - certificateText: PEM of the leaf and its intermediates.
    ///   - keyText: PEM of the key: PKCS#8, PKCS#1 or SEC 1, not encrypted.
    ///   - seconds: The moment at which it is to be valid, in seconds since 1970-01-01 UTC.
    /// - Throws: The first thing that is wrong.
    package init(
        certificateText: [UInt8],
        keyText: [UInt8],
        atSeconds seconds: Int64
    ) throws(MaterialError) {
        let certificates = try PlacedCertificate.read(
            PlacedCertificate.blocks(certificateText, of: .certificate),
            of: .certificate,
            countMax: CertificateLimits.chainCertificatesMax
        )
        let key = try Self.readKey(keyText)
        try Self.check(key, of: certificates)
        let path = try PlacedCertificate.path(certificates)
        try certificates[0].checkLeaf()
        for certificate in path { try certificate.check(atSeconds: seconds) }
        let isAlone = path.count == 1 && certificates.count == 1
        try Self.checkEnd(path, isAlone: isAlone, of: certificates)
        if let failure = verifyPath(path.map(\.details), atSeconds: seconds) {
            throw .chainRefused(path[failure.position].place, reason: failure.reason)
        }
        chain = path.map(\.details.certificate.der)
        self.key = key
        facts = CertificateFacts(certificates[0].details)
    }

    /// Joins what was checked before: a chain, leaf first, and its key.
    ///
    /// - Throws: `storedMalformed` if they do not belong together.
    package init(chain: [[UInt8]], key: SecretBytes) throws(MaterialError) {
        guard let leaf = chain.first else { throw .storedMalformed }
        do {
            let details = try CertificateDetails(der: leaf)
            self.key = try key.withOctets { octets throws(CryptographyError) in
                try PrivateKey(der: octets)
            }
            guard self.key.matches(details) else { throw CryptographyError.keyInvalid }
            facts = CertificateFacts(details)
        } catch {
            throw .storedMalformed
        }
        self.chain = chain
    }

    /// The chain in octets, to be stored in the clear beside the sealed key.
    package var publicContent: [UInt8] { ChainCoding.encode(chain) }

    /// SHA-256 of the chain: names the material wherever its files are not.
    ///
    /// The leaf holds the public key, so the digest stands for the key too and tells nothing of it.
    package var digest: Digest { Digest(hashing: publicContent) }

    // MARK: Checks

    private static func readKey(_ text: [UInt8]) throws(MaterialError) -> PrivateKey {
        var blocks = try PlacedCertificate.blocks(text, of: .key)
        defer {
            for index in blocks.indices { erase(&blocks[index].der) }
        }
        let labels: Set = [
            "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY",
        ]
        let keys = blocks.indices.filter { labels.contains(blocks[$0].label) }
        guard let index = keys.first else { throw .keyMissing(labels: blocks.map(\.label)) }
        guard keys.count == 1 else { throw .keysSeveral(lines: keys.map { blocks[$0].line }) }
        let line = blocks[index].line
        if blocks[index].isEncrypted { throw .keyEncrypted(line: line) }
        do {
            return try PrivateKey(der: blocks[index].der)
        } catch {
            throw .keyMalformed(line: line)
        }
    }

    private static func check(
        _ key: PrivateKey,
        of certificates: [PlacedCertificate]
    ) throws(MaterialError) {
        if key.matches(certificates[0].details) { return }
        if let owner = certificates.first(where: { key.matches($0.details) }) {
            throw .leafNotFirst(owner.place)
        }
        throw .keyMismatch(key.kind, certificates[0].place)
    }

    /// Whether the last certificate of the path may be a root's child.
    private static func checkEnd(
        _ path: [PlacedCertificate],
        isAlone: Bool,
        of certificates: [PlacedCertificate]
    ) throws(MaterialError) {
        guard let last = path.last, !last.details.isSelfSigned else { return }
        // A root that was in the file proves that nothing is missing.
        if certificates.contains(where: { last.details.isIssued(by: $0.details) }) { return }
        let details = last.details
        let saysSo = details.issuer.lowercased().contains("intermediate")
        if details.saysIssuerIsIssued || saysSo || isAlone && details.namesIssuerLocation {
            throw .intermediateMissing(last.place, issuer: details.issuer)
        }
    }
}

extension CertificateMaterial: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The digest and the end of validity.
    package var description: String { "certificate \(digest)" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
