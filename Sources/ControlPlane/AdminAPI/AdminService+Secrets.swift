import AdminMessages
import ControlStore
import Credentials
import Cryptography
import FleetModel
import HTTPTypes

/// Secrets that configurations name; they come in and never go out.
extension AdminService {
    func secrets(_ request: AdminRequest) async throws -> AdminAnswer {
        let uses = await secretUses()
        return try .json(
            try await store.namedSecrets().map { SecretAnswer($0, uses: uses[$0.name] ?? []) }
        )
    }

    func setSecret(_ request: AdminRequest) async throws -> AdminAnswer {
        let name = try secretName(request)
        var body = try BodyReader(request.body)
        let value = try body.string("value", bytesMax: AdminLimits.secretBytesMax)
        try body.finish()
        guard let value, !value.isEmpty else {
            throw AdminError.badRequest("the field value is missing or empty")
        }
        var octets = Array(value.utf8)
        let (secret, isChanged) = try await store.setNamedSecret(
            name,
            SecretBytes(taking: &octets),
            note: note(request)
        )
        if isChanged { await secretChanged(name) }
        let isNew = isChanged && secret.createdMilliseconds == secret.changedMilliseconds
        return try .json(
            SecretAnswer(secret, uses: await secretUses()[name] ?? []),
            status: isNew ? .created : .ok
        )
    }

    func removeSecret(_ request: AdminRequest) async throws -> AdminAnswer {
        let name = try secretName(request)
        if let uses = await secretUses()[name] {
            let shown = uses.prefix(AdminLimits.namesShownMax).joined(separator: ", ")
            throw AdminError(
                .conflict,
                .secretInUse,
                "the secret \(name) is named by \(shown): apply a configuration without that first"
            )
        }
        try await store.removeNamedSecret(name, note: note(request))
        return .noContent
    }

    private func secretName(_ request: AdminRequest) throws -> String {
        let name = try request.name("name")
        if let fault = ResourceName.fault(in: name) {
            throw AdminError.badRequest("the secret's name: \(fault)")
        }
        return name
    }

    /// Where the head names secrets, by the secret's name.
    private func secretUses() async -> [String: [String]] {
        var uses: [String: [String]] = [:]
        for use in await credentials.headConfiguration()?.secretUses ?? [] {
            uses[use.secret, default: []].append(
                "\(use.kind.section)[\(use.user)].\(use.field)"
            )
        }
        return uses
    }
}

extension SecretAnswer {
    fileprivate init(_ secret: NamedSecret, uses: [String]) {
        self.init(
            name: secret.name,
            digest: secret.digest.hex,
            createdAt: timestamp(secret.createdMilliseconds),
            changedAt: timestamp(secret.changedMilliseconds),
            uses: uses
        )
    }
}
