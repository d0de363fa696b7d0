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

    /// Joins what belongs together.
    package init(
        identities: [String: TLSIdentity],
        authorities: [String: [UInt8]],
        ticketKeys: TicketKeys
    ) {
        (self.identities, self.authorities) = (identities, authorities)
        self.ticketKeys = ticketKeys
    }

    /// Nothing: no listener with TLS can be served.
    package static let none = EdgeMaterial(identities: [:], authorities: [:], ticketKeys: .none)
}
