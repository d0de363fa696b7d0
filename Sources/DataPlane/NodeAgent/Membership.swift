internal import Bytes
package import Cryptography
package import FleetMessages
internal import FleetProtocol
package import TLSLibrary

/// What makes a node a member of a cluster, as its directory keeps it: one PEM file.
///
///     WEIR CLUSTER    cluster 16, SHA-256 of the CA certificate 32, key that signs manifests 32, name
///     WEIR AUTHORITIES  SHA-256 of each CA certificate that is believed; only if that is not the one above alone
///     WEIR LABELS     those that its token asked for: key, NUL, value, NUL; only if there are any
///     CERTIFICATE     the node's own first, the CA's last
///     PRIVATE KEY     PKCS#8; without it the node was revoked
package struct Membership: Sendable {
    /// 16 octets.
    package let clusterID: [UInt8]
    /// SHA-256 of the CA certificates that are believed, 32 octets each, at least one: two while the cluster goes
    /// over from one to another.
    package private(set) var authorityFingerprints: [[UInt8]]
    /// Ed25519, 32 octets.
    let signingKey: Ed25519PublicKey
    /// The name under which the node joined.
    package let name: String
    /// Labels that its token asked for: the node has them, whatever it is started with.
    package private(set) var labels: [String: String] = [:]
    /// Certificate and key; `nil` once they were erased.
    package private(set) var identity: TLSIdentity?

    private static let factsLabel = "WEIR CLUSTER"
    private static let authoritiesLabel = "WEIR AUTHORITIES"
    private static let labelsLabel = "WEIR LABELS"

    private init(
        clusterID: [UInt8],
        authorityFingerprints: [[UInt8]],
        signingKey: Ed25519PublicKey,
        name: String,
        identity: TLSIdentity?
    ) {
        (self.clusterID, self.authorityFingerprints) = (clusterID, authorityFingerprints)
        (self.signingKey, self.name, self.identity) = (signingKey, name, identity)
    }

    /// Takes over what the control plane gave to a node that joined.
    ///
    /// - Parameters:
    ///   - accepted: Its answer, whose lengths have been checked.
    ///   - key: The key of the request.
    ///   - authorityFingerprint: As the token says.
    /// - Throws: `libraryFailed` when the signing key is none.
    package init(
        _ accepted: WireJoinAccepted,
        key: P256PrivateKey,
        authorityFingerprint: [UInt8]
    ) throws(CryptographyError) {
        let chain = accepted.certificateChain.map(octets)
        try self.init(
            clusterID: octets(accepted.clusterID),
            authorityFingerprints: [authorityFingerprint],
            signingKey: Ed25519PublicKey(rawOctets: octets(accepted.signingKey)),
            name: accepted.name,
            identity: TLSIdentity(chain: chain, privateKey: key.der)
        )
    }

    /// Reads the file.
    ///
    /// - Throws: `pemInvalid` or what is wrong with the key.
    package init(pem: String) throws(CryptographyError) {
        let facts = try PEM.decode(pem, label: Self.factsLabel)[0]
        guard facts.count > 80,
            let name = String(validating: facts[80...], as: UTF8.self)
        else { throw .pemInvalid }
        var authorities = [Array(facts[16..<48])]
        if pem.contains("BEGIN \(Self.authoritiesLabel)") {
            let octets = try PEM.decode(pem, label: Self.authoritiesLabel)[0]
            guard !octets.isEmpty, octets.count.isMultiple(of: 32) else { throw .pemInvalid }
            authorities = stride(from: 0, to: octets.count, by: 32).map {
                Array(octets[$0..<($0 + 32)])
            }
        }
        var identity: TLSIdentity?
        if pem.contains("BEGIN PRIVATE KEY") {
            let chain = try PEM.decode(pem, label: "CERTIFICATE")
            identity = TLSIdentity(chain: chain, privateKey: try P256PrivateKey(pem: pem).der)
        }
        self.init(
            clusterID: Array(facts[..<16]),
            authorityFingerprints: authorities,
            signingKey: try Ed25519PublicKey(rawOctets: Array(facts[48..<80])),
            name: name,
            identity: identity
        )
        if pem.contains("BEGIN \(Self.labelsLabel)") {
            let parts = try PEM.decode(pem, label: Self.labelsLabel)[0]
                .split(separator: 0, omittingEmptySubsequences: false)
            for (key, value) in zip(parts, parts.dropFirst()).enumerated()
                .filter({ $0.offset.isMultiple(of: 2) }).map(\.element)
            {
                guard let key = String(validating: key, as: UTF8.self),
                    let value = String(validating: value, as: UTF8.self)
                else { throw .pemInvalid }
                labels[key] = value
            }
        }
    }

    /// The file's text; secret.
    package var pem: String {
        let facts =
            clusterID + authorityFingerprints[0] + signingKey.rawOctets + Array(name.utf8)
        var text = PEM.encode(facts, label: Self.factsLabel)
        if authorityFingerprints.count > 1 {
            text += PEM.encode(
                authorityFingerprints.flatMap(\.self),
                label: Self.authoritiesLabel
            )
        }
        if !labels.isEmpty {
            let pairs = labels.sorted { $0.key < $1.key }
            text += PEM.encode(
                pairs.flatMap { Array($0.key.utf8) + [0] + Array($0.value.utf8) + [0] },
                label: Self.labelsLabel
            )
        }
        guard let identity else { return text }
        for certificate in identity.chain {
            text += PEM.encode(certificate, label: "CERTIFICATE")
        }
        return text + PEM.encode(identity.privateKey, label: "PRIVATE KEY")
    }

    /// The same with another certificate.
    func renewed(_ identity: TLSIdentity) -> Membership {
        with(identity)
    }

    /// The same with other authorities that are believed, at least one.
    func trusting(_ authorities: [[UInt8]]) -> Membership {
        precondition(!authorities.isEmpty, "a member believes somebody")
        var other = self
        other.authorityFingerprints = authorities
        return other
    }

    /// The same with other labels of the token, but for those that the file has no way to hold.
    func labelled(_ labels: [String: String]) -> Membership {
        var other = self
        other.labels = labels.filter { !$0.key.utf8.contains(0) && !$0.value.utf8.contains(0) }
        return other
    }

    /// SHA-256 of the CA certificate that its own chain ends in; empty without a certificate.
    var issuerFingerprint: [UInt8] { identity?.chain.last.map { sha256($0) } ?? [] }

    /// The same without certificate and key.
    var revoked: Membership { with(nil) }

    private func with(_ identity: TLSIdentity?) -> Membership {
        var other = self
        other.identity = identity
        return other
    }

    /// When the certificate ends, in seconds since 1970, and how long it lasts.
    var validity: (endSeconds: Int64, lengthSeconds: Int64)? {
        // A certificate that cannot be read has no end that could be waited for.
        guard let der = identity?.chain.first, let leaf = try? Certificate(der: der) else {
            return nil
        }
        return (leaf.notAfterSeconds, leaf.notAfterSeconds - leaf.notBeforeSeconds)
    }

    /// Whether a head's signature is the cluster's.
    package func isSigned(_ octets: [UInt8], _ signature: [UInt8]) -> Bool {
        signingKey.verify(signature, of: octets)
    }
}
