package import TLSLibrary

/// What TLS needs besides the configuration: certificates and keys by the names of the configuration's certificates.
///
/// It never stands in a version, and changes without one.
package struct EdgeMaterial: Sendable {
    /// Chains and keys by the certificate's name.
    package var identities: [String: TLSIdentity]
    /// The PEM text of CA certificates and CRLs by the certificate's name.
    package var authorities: [String: [UInt8]]
    /// With what session tickets are made and taken; without any, each process makes its own.
    package var ticketKeys: TicketKeys
    /// Under which sticky cookies stand for endpoints; empty: the process has its own.
    package var affinityKey: [UInt8] = []
    /// What authorities that want proof of hosts are answered.
    package var challenges: [EdgeChallenge] = []

    /// Joins what belongs together.
    package init(
        identities: [String: TLSIdentity],
        authorities: [String: [UInt8]],
        ticketKeys: TicketKeys
    ) {
        (self.identities, self.authorities) = (identities, authorities)
        self.ticketKeys = ticketKeys
    }

    /// Octets of an affinity key.
    package static let affinityKeyBytes = 32

    /// Nothing: no listener with TLS can be served.
    package static let none = EdgeMaterial(identities: [:], authorities: [:], ticketKeys: .none)
}

/// What an authority that wants proof of a host is answered (RFC 8555 §8).
package enum EdgeChallenge: Sendable {
    /// The content of `/.well-known/acme-challenge/TOKEN` on every http listener.
    case file(token: [UInt8], content: [UInt8])
    /// The certificate for `acme-tls/1` on every https listener, for a host in lower case (RFC 8737).
    case certificate(host: String, TLSIdentity)
}
