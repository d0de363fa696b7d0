import AdminMessages
import Certificates
import ControlStore
import Credentials
import FleetServer
import Cryptography
import FleetModel
import HTTPTypes

/// Certificates that the control plane keeps, under the digest of what is public of them.
extension AdminService {
    func certificates(_ request: AdminRequest) async throws -> AdminAnswer {
        let state = try await certificateState()
        let answers = try await store.vaultEntries().filter(\.kind.isListed)
            .map { state.completed(try CertificateAnswer($0), $0.digest) }
        return try .json(answers.sorted { ($0.notAfter, $0.digest) < ($1.notAfter, $1.digest) })
    }

    func certificate(_ request: AdminRequest) async throws -> AdminAnswer {
        let text = try request.name("digest")
        guard let digest = Digest(hex: text), let entry = try await store.vaultEntry(digest),
            entry.kind.isListed
        else { throw AdminError.notFound("there is no certificate \(shown(text))") }
        let state = try await certificateState()
        return try .json(state.completed(try CertificateAnswer(entry), digest))
    }

    private func certificateState() async throws -> CertificateState {
        CertificateState(
            certificates: try await credentials.headCertificates(),
            nodes: try await fleet.nodes()
        )
    }

    func storeCertificate(_ request: AdminRequest) async throws -> AdminAnswer {
        let (octets, seconds) = (request.body, clock() / 1_000)
        let body = try await work.run { try CertificateBody(octets, atSeconds: seconds) }
        let new = try await store.putSecrets(
            [body.secret],
            note: ChangeNote(
                author: Self.defaultAuthor,
                message: body.name.isEmpty ? "" : "certificate \(body.name)",
                requestID: request.requestID
            )
        )
        let digest = body.secret.digest
        guard let entry = try await store.vaultEntry(digest) else {
            throw AdminError.failure("certificate \(digest) was forgotten as it was stored")
        }
        return try .json(
            try CertificateAnswer(entry),
            status: new.contains(digest) ? .created : .ok,
            location: "/v1/certificates/\(digest.hex)"
        )
    }
}

/// Where material is used, and which nodes have it.
private struct CertificateState {
    let certificates: [HeadCertificate]
    let nodes: [NodeStatus]

    /// The answer with all that is known of its material's use.
    func completed(_ answer: CertificateAnswer, _ digest: Digest) -> CertificateAnswer {
        var answer = answer
        let uses = certificates.compactMap { certificate -> CertificateAnswer.Use? in
            let isServed = certificate.serve == digest
            guard isServed || certificate.next == digest else { return nil }
            let served = certificate.isTemporary ? "temporary" : "serve"
            let state = certificate.isNeeded ? isServed ? served : "next" : "unused"
            return .init(
                name: certificate.name,
                source: certificate.source,
                state: state,
                problem: certificate.order?.problem
            )
        }
        if !uses.isEmpty { answer.uses = uses }
        let connected = nodes.filter(\.isConnected)
        let holding = connected.filter { $0.material.held.contains(digest) }.map(\.name)
        let serving = connected.filter { $0.material.served.values.contains(digest) }.map(\.name)
        if !holding.isEmpty { answer.holding = holding }
        if !serving.isEmpty { answer.serving = serving }
        return answer
    }
}

/// What `storeCertificate` is given, checked.
private struct CertificateBody: Sendable {
    let name: String
    let secret: VaultSecret

    init(_ octets: [UInt8], atSeconds seconds: Int64) throws {
        var body = try BodyReader(octets)
        name = try body.string("name", bytesMax: ModelLimits.nameBytesMax) ?? ""
        let certificate = try body.string("certificate", bytesMax: PEM.textBytesMax)
        let key = try body.string("key", bytesMax: PEM.textBytesMax)
        let authority = try body.string("authority", bytesMax: PEM.textBytesMax)
        try body.finish()
        do {
            switch (certificate, key, authority) {
            case (let certificate?, let key?, nil):
                let material = try CertificateMaterial(
                    certificateText: Array(certificate.utf8),
                    keyText: Array(key.utf8),
                    atSeconds: seconds
                )
                secret = VaultSecret(
                    kind: .certificate,
                    publicContent: material.publicContent,
                    content: material.key.der
                )
            case (nil, nil, let authority?):
                let bundle = try AuthorityBundle(text: Array(authority.utf8), atSeconds: seconds)
                secret = VaultSecret(
                    kind: .authority,
                    publicContent: bundle.content,
                    content: SecretBytes([])
                )
            default:
                throw AdminError.badRequest(
                    "the body must have the fields certificate and key, or the field authority alone"
                )
            }
        } catch let error as MaterialError {
            throw AdminError(error, name: name)
        }
    }
}

extension AdminError {
    /// 422 with the one problem, at the field of the configuration that names the file.
    fileprivate init(_ error: MaterialError, name: String) {
        let field =
            switch error.file {
            case .certificate: "files.certificate"
            case .key: "files.key"
            case .authority: "authority.file"
            }
        let problem = ConfigurationProblem(
            kind: ResourceKind.certificate.rawValue,
            name: name,
            field: field,
            message: error.description,
            line: nil,
            column: nil
        )
        self.init(
            .unprocessableContent,
            .invalidCertificate,
            error.description,
            details: ErrorDetails(problems: [problem])
        )
    }
}

extension CertificateAnswer {
    fileprivate init(_ entry: VaultEntry) throws {
        switch entry.kind {
        case .certificate:
            let facts = try CertificateFacts(publicContent: entry.publicContent)
            self.init(
                digest: entry.digest.hex,
                kind: entry.kind.rawValue,
                names: facts.names.texts,
                notAfter: timestamp(facts.notAfterSeconds * 1_000),
                storedAt: timestamp(entry.storedMilliseconds),
                notBefore: timestamp(facts.notBeforeSeconds * 1_000),
                issuer: facts.issuer,
                serial: facts.serial,
                key: facts.key.description,
                fingerprint: facts.fingerprint.hex
            )
        case .authority:
            let bundle = try AuthorityBundle(content: entry.publicContent)
            self.init(
                digest: entry.digest.hex,
                kind: entry.kind.rawValue,
                names: bundle.subjects,
                notAfter: timestamp(bundle.notAfterSeconds * 1_000),
                storedAt: timestamp(entry.storedMilliseconds)
            )
        case .ticketKey, .acmeAccount, .acmeRequest, .named, .affinityKey:
            throw AdminError.notFound("there is no certificate \(entry.digest.hex)")
        }
    }
}
