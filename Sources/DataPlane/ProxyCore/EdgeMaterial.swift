package import TLSLibrary

/// What TLS needs besides the configuration: certificates and keys by the names of the configuration's certificates.
package struct EdgeMaterial: Sendable {
    /// A chain (DER, the leaf first) and its key (PKCS#8 DER), by the name of the certificate's resource.
    package var identities: [String: TLSIdentity]
    /// PEM of a bundle, CA certificates and their CRLs, by the name of the certificate's resource.
    package var authorities: [String: [UInt8]]
    /// What session tickets are sealed with.
    package var ticketKeys: TicketKeys

    /// Nothing: no certificate, no authority, no ticket.
    package static let none = EdgeMaterial(identities: [:], authorities: [:], ticketKeys: .none)

    /// Joins its parts.
    package init(
        identities: [String: TLSIdentity],
        authorities: [String: [UInt8]],
        ticketKeys: TicketKeys
    ) {
        (self.identities, self.authorities) = (identities, authorities)
        self.ticketKeys = ticketKeys
    }
}
