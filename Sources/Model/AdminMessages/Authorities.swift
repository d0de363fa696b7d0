/// Asks to trust the next CA alone.
package struct RetireRequest: Sendable, Hashable, Codable {
    /// Whether nodes may be cut off.
    package var force: Bool

    /// Says whether it is forced.
    package init(force: Bool) {
        self.force = force
    }
}

/// The CAs that are trusted.
package struct AuthoritiesAnswer: Sendable, Hashable, Codable {
    /// A CA.
    package struct Authority: Sendable, Hashable, Codable {
        /// SHA-256 of its certificate's DER, in hexadecimal digits.
        package var fingerprint: String
        /// current or next.
        package var role: String
        /// Its last moment, by RFC 3339.
        package var notAfter: String
        /// PEM.
        package var certificate: String

        /// Joins its parts.
        package init(fingerprint: String, role: String, notAfter: String, certificate: String) {
            (self.fingerprint, self.role) = (fingerprint, role)
            (self.notAfter, self.certificate) = (notAfter, certificate)
        }
    }

    /// How far a node is.
    package struct Node: Sendable, Hashable, Codable {
        /// Names it.
        package var name: String
        /// As in `NodeAnswer`.
        package var state: String
        /// Whether it trusts the next CA and has a certificate of it.
        package var confirmed: Bool

        /// Joins its parts.
        package init(name: String, state: String, confirmed: Bool) {
            (self.name, self.state, self.confirmed) = (name, state, confirmed)
        }
    }

    /// Whether there are two.
    package var rotating: Bool
    /// The CA of the servers' certificates first.
    package var authorities: [Authority]
    /// All that are not revoked, while there are two CAs.
    package var nodes: [Node]
    /// How many unused tokens a retirement has revoked.
    package var tokensRevoked: Int?

    /// Joins its parts.
    package init(
        rotating: Bool,
        authorities: [Authority],
        nodes: [Node],
        tokensRevoked: Int? = nil
    ) {
        (self.rotating, self.authorities, self.nodes) = (rotating, authorities, nodes)
        self.tokensRevoked = tokensRevoked
    }
}
