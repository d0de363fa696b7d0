import AdminMessages
import Authority
import ControlStore
import Cryptography
import FleetModel
import FleetServer
import HTTPTypes

/// The change from one CA to another.
extension AdminService {
    func authorities(_ request: AdminRequest) async throws -> AdminAnswer {
        try .json(try await authoritiesAnswer())
    }

    func rotateAuthority(_ request: AdminRequest) async throws -> AdminAnswer {
        try await authority.rotate(note: note(request))
        await authorityChanged()
        return try .json(try await authoritiesAnswer())
    }

    func retireAuthority(_ request: AdminRequest) async throws -> AdminAnswer {
        var body = try BodyReader(request.body)
        let isForced = try body.bool("force") ?? false
        try body.finish()
        let unconfirmed = try await authoritiesAnswer().nodes.filter { !$0.confirmed }.map(\.name)
        guard unconfirmed.isEmpty || isForced else {
            let shown = unconfirmed.prefix(AdminLimits.namesShownMax).joined(separator: ", ")
            let more = unconfirmed.count - AdminLimits.namesShownMax
            throw AdminError(
                .conflict,
                .authorityNeeded,
                "\(unconfirmed.count) nodes could not come back without the CA that goes: \(shown)"
                    + (more > 0 ? " and \(more) more" : "")
            )
        }
        var note = self.note(request)
        if isForced, !unconfirmed.isEmpty {
            note.message = "forced, without \(unconfirmed.joined(separator: " "))"
        }
        let revoked = try await authority.retire(note: note)
        await authorityChanged()
        var answer = try await authoritiesAnswer()
        answer.tokensRevoked = revoked
        return try .json(answer)
    }

    private func authoritiesAnswer() async throws -> AuthoritiesAnswer {
        let trusted = authority.trusted
        let next = trusted.first(where: \.isNext).map { Digest(hashing: $0.certificate) }
        var nodes: [AuthoritiesAnswer.Node] = []
        if let next {
            nodes = try await fleet.nodes().filter { $0.state != .revoked }.map { node in
                .init(
                    name: node.name,
                    state: node.state.rawValue,
                    confirmed: node.trust.isSettled(on: next)
                )
            }
        }
        return AuthoritiesAnswer(
            rotating: next != nil,
            authorities: try trusted.map { authority in
                .init(
                    fingerprint: encodeHex(authority.fingerprint),
                    role: authority.isNext ? "next" : "current",
                    notAfter: timestamp(
                        try Certificate(der: authority.certificate).notAfterSeconds * 1_000
                    ),
                    certificate: PEM.encode(authority.certificate, label: "CERTIFICATE")
                )
            },
            nodes: nodes
        )
    }
}
