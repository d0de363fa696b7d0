import Authority
import Cryptography
import NIOSSL
import Synchronization

/// The certificate of the admin address: of the authority that is in force, also after that has changed.
final class AdminIdentity: Sendable {
    private let authority: Authority
    private let host: String
    private let stored: Mutex<Issued>

    /// A certificate and its key, as TLS takes them.
    struct Credentials: Sendable {
        let chain: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKeySource
    }

    private struct Issued {
        /// The authority's.
        var fingerprint: [UInt8]
        var credentials: Credentials
    }

    /// Issues the first certificate.
    init(_ authority: Authority, host: String) throws {
        (self.authority, self.host) = (authority, host)
        stored = Mutex(try Self.issue(authority, host))
    }

    /// The certificate for a handshake; a new one after the authority has changed.
    func credentials() throws -> Credentials {
        try stored.withLock { issued in
            if issued.fingerprint != authority.fingerprint {
                issued = try Self.issue(authority, host)
            }
            return issued.credentials
        }
    }

    /// The same as what differs from the listener's settings.
    func override() throws -> NIOSSLContextConfigurationOverride {
        let credentials = try credentials()
        var override = NIOSSLContextConfigurationOverride.noChanges
        override.certificateChain = credentials.chain
        override.privateKey = credentials.key
        return override
    }

    private static func issue(_ authority: Authority, _ host: String) throws -> Issued {
        let fingerprint = authority.fingerprint
        let identity = try authority.adminServerIdentity(hosts: [host])
        let chain = try identity.chain.map { octets in
            NIOSSLCertificateSource.certificate(
                try NIOSSLCertificate(bytes: octets, format: .der)
            )
        }
        let key = try NIOSSLPrivateKey(bytes: identity.privateKey.der, format: .der)
        return Issued(
            fingerprint: fingerprint,
            credentials: Credentials(chain: chain, key: .privateKey(key))
        )
    }
}
