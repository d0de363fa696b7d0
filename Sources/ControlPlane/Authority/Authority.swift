package import ControlStore
import Crypto
package import Cryptography
package import FleetModel
import FleetProtocol
import Foundation
import SwiftASN1
import SystemCalls
import X509

/// The cluster's certificate authority and its signing key.
///
///     CA (P-256, 10 years, path length 0)
///      ├─ control.weir          serverAuth   the fleet address, issued at each start
///      ├─ localhost, …          serverAuth   the admin address, issued at each start
///      └─ CN=<node>, URI …      clientAuth   24 hours, from the node's request
///     Ed25519 signing key       manifests
///
/// A node's certificate is for clients alone and has no dNSName, so no node can pose as the control
/// plane. All keys are sealed in the store; nothing here is written elsewhere in the clear.
package struct Authority: ManifestSigner, Sendable {
    /// The cluster's 16 octets.
    package let clusterID: [UInt8]
    /// The public half of the key that signs manifests.
    package let manifestKey: Ed25519PublicKey

    let store: any ConfigStore
    let clock: @Sendable () -> Int64
    private let signingKey: Ed25519PrivateKey
    let anchors: AnchorState
    private let nodeSeconds: Int64

    /// The authority of a store: its keys are made at the first start, in one transaction.
    ///
    /// - Parameters:
    ///   - store: Holds the keys; the head is signed anew if the store was restored.
    ///   - nodeSeconds: How long a node's certificate lives.
    ///   - clock: The time in milliseconds since 1970-01-01 UTC; the system's if not given.
    /// - Throws: `store`, or `materialInvalid`.
    package init(
        store: any ConfigStore,
        nodeSeconds: Int64 = Int64(AuthorityLimits.nodeHours) * 3600,
        clock: (@Sendable () -> Int64)? = nil
    ) async throws(AuthorityError) {
        let clock = clock ?? { Int64(realtimeNanoseconds() / 1_000_000) }
        (self.store, self.clock, self.nodeSeconds) = (store, clock, nodeSeconds)
        do {
            clusterID = try await store.cluster().clusterID
            let material = try await Self.material(store, clusterID, now: clock())
            guard let key = material[SecretName.authorityKey],
                let certificate = material[SecretName.authorityCertificate],
                let seed = material[SecretName.signingKey]
            else { throw AuthorityError.materialInvalid("material") }
            anchors = AnchorState(
                Anchors(
                    current: try Anchor(key: key, certificate: certificate),
                    next: try await Self.nextAnchor(store)
                )
            )
            signingKey = try Ed25519PrivateKey(rawOctets: seed)
            manifestKey = signingKey.publicKey
            try await store.signHead(self)
        } catch {
            throw AuthorityError(error)
        }
    }

    /// The CA certificate in DER that the servers' certificates end in.
    package var certificate: [UInt8] { anchors.value.current.certificate }

    /// The CA certificates that are trusted in PEM, as in `ca.pem`.
    package var certificatePEM: String {
        anchors.value.all.map { PEM.encode($0.certificate, label: "CERTIFICATE") }.joined()
    }

    /// SHA-256 of the CA certificate that the servers' certificates end in: what join tokens pin.
    package var fingerprint: [UInt8] { anchors.value.current.fingerprint }

    // MARK: Signing

    /// Signs a version for the nodes.
    package func sign(
        clusterID: [UInt8],
        epoch: UInt64,
        version: UInt64,
        digest: FleetModel.Digest
    ) throws -> [UInt8] {
        try signingKey.sign(
            SignedHead.signedOctets(
                clusterID: clusterID,
                epoch: epoch,
                version: version,
                digest: digest
            )
        )
    }

    // MARK: Server certificates

    /// A certificate for the fleet address: the name `control.weir` and no other.
    package func fleetServerIdentity() throws(AuthorityError) -> IssuedIdentity {
        try issueServer(dnsNames: ["control.weir"], addresses: [])
    }

    /// A certificate for the admin address: localhost, 127.0.0.1, ::1, the host's name and more.
    ///
    /// - Parameter hosts: Further names or addresses, as clients will write them.
    /// - Returns: The certificate with the CA after it, and its key.
    /// - Throws: `materialInvalid` if the authority's key fails.
    package func adminServerIdentity(
        hosts: [String] = []
    ) throws(AuthorityError) -> IssuedIdentity {
        var names = ["localhost"]
        var addresses: [[UInt8]] = [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]]
        for host in [hostName()] + hosts where !host.isEmpty {
            if let address = parseAddress(host) {
                if !addresses.contains(address) { addresses.append(address) }
            } else if !names.contains(host), host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) {
                names.append(host)
            }
        }
        return try issueServer(dnsNames: names, addresses: addresses)
    }

    private func issueServer(
        dnsNames: [String],
        addresses: [[UInt8]]
    ) throws(AuthorityError) -> IssuedIdentity {
        // Both of one look: another task may put the next authority in force.
        let anchor = anchors.value.current
        do {
            let key = P256.Signing.PrivateKey()
            let names =
                dnsNames.map { GeneralName.dnsName($0) }
                + addresses.map { GeneralName.ipAddress(ASN1OctetString(contentBytes: $0[...])) }
            let der = try anchor.issuer.issue(
                Leaf(
                    commonName: dnsNames[0],
                    names: names,
                    usage: .serverAuth,
                    key: key.publicKey,
                    seconds: Int64(AuthorityLimits.serverDays) * 86_400
                ),
                now: clock()
            )
            return IssuedIdentity(
                chain: [der, anchor.certificate],
                privateKey: try P256PrivateKey(der: Array(key.derRepresentation))
            )
        } catch {
            throw AuthorityError(error)
        }
    }

    // MARK: Node certificates

    /// A certificate for a node's request; nothing is stored.
    ///
    /// - Parameters:
    ///   - request: PKCS#10 in DER; its subject and extensions are ignored.
    ///   - name: The node's name, checked by the caller.
    /// - Returns: The certificate and how the store remembers it.
    /// - Throws: A `request` case.
    func issueNode(_ request: [UInt8], name: String) throws(AuthorityError) -> IssuedNode {
        let key = try checkedKey(request)
        let anchor = anchors.value.issuing
        do {
            let now = clock()
            let der = try anchor.issuer.issue(
                Leaf(
                    commonName: name,
                    names: [.uniformResourceIdentifier(nodeURI(name))],
                    usage: .clientAuth,
                    key: key,
                    seconds: nodeSeconds
                ),
                now: now
            )
            let fields = try Cryptography.Certificate(der: der)
            let stored = StoredCertificate(
                fingerprint: Digest(hashing: der),
                serial: fields.serial,
                notAfterSeconds: fields.notAfterSeconds,
                publicKeyDigest: Digest(hashing: Array(key.derRepresentation))
            )
            return IssuedNode(chain: [der, anchor.certificate], stored: stored)
        } catch {
            throw AuthorityError(error)
        }
    }

    /// What a node's certificate says after its scheme: `weir://<cluster>/node/<name>`.
    func nodeURI(_ name: String) -> String {
        "weir://\(encodeHex(clusterID))/node/\(name)"
    }

    /// The request's key, after the proof that the sender has its private half.
    private func checkedKey(
        _ request: [UInt8]
    ) throws(AuthorityError) -> P256.Signing.PublicKey {
        guard request.count <= Limits.certificateBytesMax else { throw .requestInvalid }
        let decoded: CertificateSigningRequest
        do {
            decoded = try CertificateSigningRequest(derEncoded: request)
        } catch {
            throw .requestInvalid
        }
        guard let key = P256.Signing.PublicKey(decoded.publicKey) else {
            throw .requestKeyUnsupported
        }
        guard decoded.publicKey.isValidSignature(decoded.signature, for: decoded) else {
            throw .requestSignatureInvalid
        }
        return key
    }

    // MARK: Material

    enum SecretName {
        static let authorityKey = "authority.key"
        static let authorityCertificate = "authority.certificate"
        static let signingKey = "signing.key"
        static let nextKey = "authority.next.key"
        static let nextCertificate = "authority.next.certificate"
    }

    /// The stored keys, made first if there are none.
    private static func material(
        _ store: any ConfigStore,
        _ clusterID: [UInt8],
        now: Int64
    ) async throws -> [String: [UInt8]] {
        var material: [String: [UInt8]] = [:]
        let names = [
            SecretName.authorityKey, SecretName.authorityCertificate, SecretName.signingKey,
        ]
        for name in names {
            material[name] = try await store.secret(name)
        }
        if material.count == names.count { return material }
        // They are stored together, so one that is missing alone is damage and not a first start.
        guard material.isEmpty else { throw AuthorityError.materialInvalid("key material") }
        let (key, certificate) = try Issuer.makeAuthority(clusterID: clusterID, now: now)
        return try await store.secretsOrNew(
            [
                SecretName.authorityKey: key, SecretName.authorityCertificate: certificate,
                SecretName.signingKey: try Ed25519PrivateKey().rawOctets,
            ],
            note: ChangeNote(author: "proxy-control", message: "first start")
        )
    }
}

/// A certificate chain with its key, for a TLS server.
package struct IssuedIdentity: Sendable {
    /// DER, the leaf first and the CA last: a node that joins finds the CA that it has pinned there.
    package let chain: [[UInt8]]
    /// The leaf's key; secret.
    package let privateKey: P256PrivateKey

    /// The chain in PEM.
    package var chainPEM: String {
        chain.map { PEM.encode($0, label: "CERTIFICATE") }.joined()
    }
}

/// A node's certificate.
struct IssuedNode {
    /// DER, the node's certificate first and the CA last.
    let chain: [[UInt8]]
    let stored: StoredCertificate
}

extension AuthorityError {
    /// Folds what a step threw.
    init(_ error: any Error) {
        switch error {
        case let error as AuthorityError: self = error
        case let error as StoreError: self = .store(error)
        default: self = .materialInvalid("key or certificate (\(error))")
        }
    }
}
