package import FleetModel
import FleetMessages
import FleetProtocol
import Logging

/// Whom nodes are to believe.
package struct FleetTrust: Hashable, Sendable {
    /// SHA-256 of each CA certificate, the one that the server's certificate ends in first; empty tells nodes nothing.
    let authorities: [Digest]
    /// Which of them issues certificates of nodes.
    let issuer: Digest?

    /// Nothing that nodes are told.
    static let none = FleetTrust(authorities: [], issuer: nil)

    /// What nodes are told.
    var messages: [FleetMessage] {
        guard let issuer, !authorities.isEmpty else { return [] }
        var message = WireTrust()
        message.authorities = authorities.map { wireOctets($0.octets) }
        message.issuer = wireOctets(issuer.octets)
        return [.trust(message)]
    }
}

/// Whom a node believes, and whose certificate it has, as it has stored it.
package struct NodeTrust: Hashable, Sendable {
    /// SHA-256 of each CA certificate.
    package var authorities: Set<Digest> = []
    /// SHA-256 of the CA certificate that its own ends in; nil if it did not say.
    package var issuer: Digest?

    /// Of a node that said nothing.
    package init() {}

    init(_ status: WireTrustStatus) {
        authorities = Set(status.authorities.compactMap { Digest(octets: octets($0)) })
        issuer = Digest(octets: octets(status.issuer))
    }

    /// Whether the node could do without all other authorities.
    package func isSettled(on authority: Digest) -> Bool {
        issuer == authority && authorities.contains(authority)
    }
}

extension Fleet {
    /// Tells every node whom to believe, and ends sessions that an authority which is believed no more has vouched for.
    func setTrust(_ new: FleetTrust) {
        let isRetirement = !Set(trust.authorities).isSubset(of: new.authorities)
        trust = new
        for connection in nodes.values.compactMap(\.connection) {
            connection.tell(new.messages)
        }
        guard isRetirement else { return }
        for entry in nodes.values {
            guard let connection = entry.connection else { continue }
            if let issuer = entry.trust.issuer, new.authorities.contains(issuer) { continue }
            connection.leave(
                .unknownNode,
                detail: "the authority of node \(entry.name)'s certificate was retired"
            )
        }
    }

    /// A node said whom it believes.
    func trustReported(_ status: WireTrustStatus, _ connection: FleetConnection) {
        updateEntry(connection.name) { entry in
            if entry.connection === connection { entry.trust = NodeTrust(status) }
        }
    }
}
