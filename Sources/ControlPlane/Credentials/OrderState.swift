import ControlStore
package import FleetModel
import Foundation

/// What is ordered of an authority: hosts, and the certificates of the head that they are for.
struct OrderSubject: Sendable {
    /// Of its directory and hosts.
    let id: FleetModel.Digest
    let source: ACMESource
    var keys: [IssuedKey] = []

    init(id: FleetModel.Digest, source: ACMESource) {
        (self.id, self.source) = (id, source)
    }

    /// What an order is known by: whoever wants the same names of the same directory has the same order.
    static func id(of source: ACMESource) -> FleetModel.Digest {
        FleetModel.Digest(
            hashing: Array(
                (["order", source.directory] + source.hosts).joined(separator: "\0").utf8
            )
        )
    }

    /// What an account is known by.
    static func accountID(of source: ACMESource) -> FleetModel.Digest {
        let binding = source.binding.map { ["binding", $0.keyID] } ?? []
        let parts = ["account", source.directory, source.email ?? ""] + binding
        return FleetModel.Digest(hashing: Array(parts.joined(separator: "\0").utf8))
    }
}

/// How far an order has come, as the store has it.
struct OrderState: Codable, Sendable, Equatable {
    /// The order's URL, while there is one.
    var order: String?
    /// What came of the last that succeeded: hexadecimal.
    var digest: String?
    /// Failures in a row.
    var failures = 0
    /// Not before then, in seconds since 1970-01-01 UTC.
    var notBeforeSeconds: Int64 = 0
    /// Why it failed.
    var problem: String?
    /// When the authority suggests to renew.
    var windowStartSeconds: Int64?
    var windowEndSeconds: Int64?
    /// When it is asked for that again.
    var windowLookSeconds: Int64 = 0

    init() {}

    /// Reads what the store has; what cannot be read is nothing, and is ordered again.
    init(_ record: ACMERecord) {
        let decoder = JSONDecoder()
        self = (try? decoder.decode(OrderState.self, from: Data(record.state.utf8))) ?? OrderState()
    }

    var obtained: FleetModel.Digest? { digest.flatMap { FleetModel.Digest(hex: $0) } }

    /// As the store keeps it.
    var text: String { jsonText(self) }
}

/// An account, as the store has it.
struct AccountState: Codable, Sendable, Equatable {
    /// The account's URL, once it is registered.
    var url: String?

    init() {}

    init(_ record: ACMERecord) {
        let decoder = JSONDecoder()
        // What cannot be read is registered again, with the same key.
        self =
            (try? decoder.decode(AccountState.self, from: Data(record.state.utf8)))
            ?? AccountState()
    }

    var text: String { jsonText(self) }
}

private func jsonText(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    // Texts and integers can always be written.
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
}

/// How an order at an authority stands, for operators.
package struct OrderStatus: Hashable, Sendable {
    /// What came of the last that succeeded.
    package let obtained: FleetModel.Digest?
    /// Failures in a row.
    package let failures: Int
    /// Why the last one failed, and when it is tried again; nil if it did not.
    package let problem: String?
}

/// Orders that ended since the process began.
package struct OrderCounts: Hashable, Sendable {
    /// Those that a certificate came of.
    package var issued: UInt64 = 0
    /// The others.
    package var failed: UInt64 = 0

    /// None.
    package init() {}
}

/// Why an order cannot go on, on our side.
enum OrderFailure: Error, Equatable, Sendable {
    /// No node could answer a challenge.
    case nodeMissing
    /// The authorities for the directory are not kept.
    case authorityMissing(String)
    /// The certificate is not what was ordered.
    case certificateUnfit(String)
    /// The secret of the account's binding is not kept.
    case secretMissing(String)
    /// The secret of the account's binding is no key.
    case secretUnfit(String)
}

extension OrderFailure: CustomStringConvertible {
    /// For people.
    var description: String {
        switch self {
        case .nodeMissing: "no node that is connected could answer the challenges"
        case .authorityMissing(let name):
            "the authorities of \(name), which the directory is to be trusted by, are not kept"
        case .secretMissing(let name):
            "there is no secret \(name), which acme.eab names: bring it with 'proxyctl secrets set \(name)'"
        case .secretUnfit(let name):
            "the secret \(name) is not the key of acme.eab: it is base64url, as the authority shows it"
        case .certificateUnfit(let reason): "the certificate that came is unfit: \(reason)"
        }
    }
}
