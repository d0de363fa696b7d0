import Cryptography

/// A certificate and where it stands in its file.
struct PlacedCertificate {
    let place: CertificatePlace
    let details: CertificateDetails

    /// All certificates of a file, in order.
    ///
    /// - Throws: A case about the text.
    static func read(
        _ blocks: [PEMBlock],
        of file: MaterialFile,
        countMax: Int
    ) throws(MaterialError) -> [PlacedCertificate] {
        let found = blocks.filter { $0.label == "CERTIFICATE" || $0.label == "X509 CERTIFICATE" }
        guard !found.isEmpty else {
            throw .certificateMissing(file, labels: blocks.map(\.label))
        }
        guard found.count <= countMax else {
            throw .certificatesTooMany(file, countMax: countMax)
        }
        var certificates: [PlacedCertificate] = []
        for (index, block) in found.enumerated() {
            let details: CertificateDetails
            do {
                details = try CertificateDetails(der: block.der)
            } catch {
                throw .certificateMalformed(file, line: block.line)
            }
            let place = CertificatePlace(
                position: index + 1,
                line: block.line,
                subject: details.subject
            )
            certificates.append(PlacedCertificate(place: place, details: details))
        }
        return certificates
    }

    /// The blocks of a file.
    static func blocks(_ text: [UInt8], of file: MaterialFile) throws(MaterialError) -> [PEMBlock] {
        do {
            return try PEM.blocks(text)
        } catch {
            throw .pemInvalid(file, error)
        }
    }

    /// The path from the first certificate towards a root, and without the root itself.
    ///
    /// What follows the first may stand in any order. A root is left out, because who trusts it has it,
    /// and who does not gains nothing; so is what stands there twice.
    ///
    /// - Throws: `certificateUnrelated` for what is not on the path.
    static func path(
        _ certificates: [PlacedCertificate]
    ) throws(MaterialError) -> [PlacedCertificate] {
        guard let leaf = certificates.first else { return [] }
        var path = [leaf]
        var rest = Array(certificates.dropFirst()).filter { $0.details != leaf.details }
        while let last = path.last, !last.details.isSelfSigned,
            let next = rest.firstIndex(where: { last.details.isIssued(by: $0.details) })
        {
            let issuer = rest.remove(at: next)
            rest.removeAll { $0.details == issuer.details }
            path.append(issuer)
        }
        // Roots beside the path are other ways to trust it, as with cross-signed authorities.
        if let stray = rest.first(where: { !$0.details.isSelfSigned || !$0.details.isAuthority }) {
            throw .certificateUnrelated(stray.place)
        }
        if path.count > 1, let last = path.last, last.details.isSelfSigned { path.removeLast() }
        return path
    }

    /// Validity, key and signature.
    func check(atSeconds seconds: Int64) throws(MaterialError) {
        try checkKey()
        let certificate = details.certificate
        if seconds > certificate.notAfterSeconds {
            throw .expired(place, atSeconds: certificate.notAfterSeconds)
        }
        if seconds < certificate.notBeforeSeconds {
            throw .notYetValid(place, fromSeconds: certificate.notBeforeSeconds)
        }
        if let digest = details.weakDigest { throw .signatureWeak(place, digest: digest) }
    }

    /// Algorithm and size of the key.
    func checkKey() throws(MaterialError) {
        switch details.key {
        case .p256, .p384, .p521, .ed25519: return
        case .rsa(let bits):
            guard bits >= CertificateLimits.rsaBitsMin, bits <= CertificateLimits.rsaBitsMax else {
                throw .keyUnacceptable(place, details.key)
            }
        case .other: throw .keyUnacceptable(place, details.key)
        }
    }

    /// What makes a certificate one to serve.
    func checkLeaf() throws(MaterialError) {
        // `openssl req -x509` makes every self-signed certificate a CA; it vouches for itself alone.
        if details.isAuthority, !details.isSelfSigned { throw .leafIsAuthority(place) }
        guard details.allowsServers else { throw .leafNotForServers(place) }
        guard details.allowsSignatures else { throw .leafCannotSign(place) }
        if ServerNames(details.certificate).isEmpty { throw .namesMissing(place) }
    }
}
