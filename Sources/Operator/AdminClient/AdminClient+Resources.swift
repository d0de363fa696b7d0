package import AdminMessages
package import ConfigurationFile
internal import NIOHTTP1

// The calls of the admin API, one method each; all throw `AdminClientError`.
extension AdminClient {
    /// Versions, newest first.
    package func versions(limit: Int, before: UInt64? = nil) async throws -> [VersionAnswer] {
        let pairs = [("limit", String(limit)), ("before", before.map(String.init))]
        return try await call(.GET, "versions" + query(pairs))
    }

    /// The number of the newest version; 0 if there is none.
    package func headVersion() async throws -> UInt64 {
        try await versions(limit: 1).first?.version ?? 0
    }

    /// One version.
    package func version(_ version: UInt64) async throws -> VersionAnswer {
        try await call(.GET, "versions/\(version)")
    }

    /// What a version changed against another, by default its parent.
    package func changes(of version: UInt64, since base: UInt64?) async throws -> DiffAnswer {
        let pairs = [("base", base.map(String.init))]
        return try await call(.GET, "versions/\(version)/diff" + query(pairs))
    }

    /// Makes a version with the content of an old one.
    package func rollback(_ request: RollbackRequest, base: UInt64?) async throws -> ApplyAnswer {
        try await call(.POST, "rollback", body: request, ifMatch: base)
    }

    /// How far the nodes are with a version.
    package func rollout(_ version: UInt64) async throws -> RolloutAnswer {
        try await call(.GET, "rollouts/\(version)")
    }

    /// All nodes, by name.
    package func nodes() async throws -> [NodeAnswer] {
        try await call(.GET, "nodes")
    }

    /// One node.
    package func node(_ name: String) async throws -> NodeAnswer {
        try await call(.GET, "nodes/\(segment(name))")
    }

    /// What can be asked of a node.
    package enum NodeAction: String, Sendable {
        case drain, undrain, retry, revoke
    }

    /// Asks something of a node.
    package func perform(_ action: NodeAction, on name: String) async throws {
        _ = try await call(.POST, "nodes/\(segment(name))/\(action.rawValue)", as: Nothing.self)
    }

    /// Forgets a node.
    package func removeNode(_ name: String) async throws {
        _ = try await call(.DELETE, "nodes/\(segment(name))", as: Nothing.self)
    }

    /// Join tokens, without their secret.
    package func tokens() async throws -> [TokenAnswer] {
        try await call(.GET, "tokens")
    }

    /// Makes a join token; this answer alone holds its text.
    package func createToken(_ request: TokenRequest) async throws -> NewTokenAnswer {
        try await call(.POST, "tokens", body: request)
    }

    /// Makes a join token useless.
    package func revokeToken(_ identifier: String) async throws {
        _ = try await call(.DELETE, "tokens/\(segment(identifier))", as: Nothing.self)
    }

    /// Certificates and authorities that the control plane keeps, the first to end first.
    package func certificates() async throws -> [CertificateAnswer] {
        try await call(.GET, "certificates")
    }

    /// Brings a certificate with its key, or a bundle of authorities.
    package func storeCertificate(
        _ certificate: ReadCertificate
    ) async throws -> CertificateAnswer {
        var request = CertificateRequest(name: certificate.name)
        switch certificate.texts {
        case .files(let chain, let key): (request.certificate, request.key) = (chain, key)
        case .authority(let bundle): request.authority = bundle
        }
        return try await call(.POST, "certificates", body: request)
    }

    /// Named secrets, without their values.
    package func secrets() async throws -> [SecretAnswer] {
        try await call(.GET, "secrets")
    }

    /// Keeps a secret under a name.
    package func setSecret(_ name: String, value: String) async throws -> SecretAnswer {
        try await call(.PUT, "secrets/\(segment(name))", body: SecretRequest(value: value))
    }

    /// Forgets a named secret.
    package func removeSecret(_ name: String) async throws {
        _ = try await call(.DELETE, "secrets/\(segment(name))", as: Nothing.self)
    }

    /// The CAs that are trusted.
    package func authorities() async throws -> AuthoritiesAnswer {
        try await call(.GET, "ca")
    }

    /// Makes the next CA.
    package func rotateAuthority() async throws -> AuthoritiesAnswer {
        try await call(.POST, "ca/rotate")
    }

    /// Trusts the next CA alone.
    package func retireAuthority(force: Bool) async throws -> AuthoritiesAnswer {
        try await call(.POST, "ca/retire", body: RetireRequest(force: force))
    }

    /// The head's upstreams as the fleet sees them.
    package func upstreams() async throws -> [UpstreamAnswer] {
        try await call(.GET, "upstreams")
    }

    /// One upstream.
    package func upstream(_ name: String) async throws -> UpstreamAnswer {
        try await call(.GET, "upstreams/\(segment(name))")
    }

    /// What can be asked of an endpoint.
    package enum EndpointAction: String, Sendable {
        case drain, undrain, weight, disable, reset
    }

    /// Asks something of an endpoint.
    package func perform(
        _ action: EndpointAction,
        on upstream: String,
        _ request: AdjustmentRequest
    ) async throws -> AdjustmentsAnswer {
        try await call(
            .POST,
            "upstreams/\(segment(upstream))/\(action.rawValue)",
            body: request
        )
    }

    /// What operators want of endpoints, and which nodes keep to it.
    package func adjustments() async throws -> AdjustmentsAnswer {
        try await call(.GET, "adjustments")
    }

    /// How the fleet is.
    package func status() async throws -> StatusAnswer {
        try await call(.GET, "status")
    }

    /// Who did what, newest first.
    package func audit(limit: Int, before: UInt64? = nil) async throws -> [AuditAnswer] {
        let pairs = [("limit", String(limit)), ("before", before.map(String.init))]
        return try await call(.GET, "audit" + query(pairs))
    }

    /// What the control plane is.
    package func server() async throws -> ServerAnswer {
        try await call(.GET, "version")
    }
}

/// An answer whose content says nothing.
private struct Nothing: Decodable, Sendable {}

/// `?a=1&b=2` of the pairs that have a value; values are numbers.
private func query(_ pairs: [(String, String?)]) -> String {
    let present = pairs.compactMap { name, value in value.map { "\(name)=\($0)" } }
    return present.isEmpty ? "" : "?" + present.joined(separator: "&")
}

/// A name as one segment of a path: everything but RFC 3986 §2.3's unreserved characters is encoded.
private func segment(_ name: String) -> String {
    var result = ""
    for octet in name.utf8 {
        switch octet {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            result.unicodeScalars.append(Unicode.Scalar(octet))
        default:
            let digits = String(octet, radix: 16, uppercase: true)
            result += "%" + (digits.count == 1 ? "0" : "") + digits
        }
    }
    return result
}
