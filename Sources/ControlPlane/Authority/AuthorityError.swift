package import ControlStore
import FleetProtocol

/// Why the authority did not issue, or could not start.
package enum AuthorityError: Error, Hashable, Sendable {
    /// The text is not a join token.
    case tokenMalformed
    /// The token is for a cluster with another CA.
    case tokenOfAnotherCluster
    /// The time to live is not between a second and 30 days.
    case tokenLifetimeInvalid
    /// A node's name breaks the rules of names.
    case nameInvalid
    /// Too many labels, or too long ones.
    case labelsInvalid
    /// The certificate request is not one, or too long.
    case requestInvalid
    /// The request's key is not on P-256.
    case requestKeyUnsupported
    /// The request is not signed by its key: no proof of possession (RFC 2986 §3).
    case requestSignatureInvalid
    /// A certificate cannot be for this host; empty if none was named.
    case hostInvalid(String)
    /// A stored key or certificate of the authority is unusable.
    case materialInvalid(String)
    /// No change of the CA is under way.
    case rotationMissing
    /// A file of the directory cannot be written.
    case fileFailed(String)
    /// The store refused or failed.
    case store(StoreError)
}

extension AuthorityError: CustomStringConvertible {
    /// One line for people; names no secret.
    package var description: String {
        switch self {
        case .tokenMalformed: "the text is not a join token"
        case .tokenOfAnotherCluster: "the token is for another cluster"
        case .tokenLifetimeInvalid:
            "a token lives between 1 and \(AuthorityLimits.tokenSecondsMax) seconds"
        case .nameInvalid:
            "a node's name has 1 to 63 letters, digits, dots, dashes and underscores, with a letter or "
                + "digit at both ends"
        case .labelsInvalid:
            "a node has at most \(Limits.labelCountMax) labels, whose names and values have at most "
                + "\(Limits.labelBytesMax) octets"
        case .requestInvalid: "the certificate request is malformed"
        case .requestKeyUnsupported: "the certificate request's key is not on P-256"
        case .requestSignatureInvalid: "the certificate request is not signed by its key"
        case .hostInvalid(""): "a certificate needs at least one host"
        case .hostInvalid(let host):
            "\"\(host.prefix(100))\" is neither a host name nor an address, so no certificate can be for it"
        case .materialInvalid(let detail): "the authority's \(detail) is unusable"
        case .rotationMissing:
            "no change of the CA is under way: begin one with 'proxyctl ca rotate'"
        case .fileFailed(let detail): detail
        case .store(let error): error.description
        }
    }
}
