internal import Cryptography
internal import FleetModel
internal import ProxyCore
internal import SystemCalls
internal import TLSLibrary

/// The certificates of a node alone: files in a folder, by the names of the configuration's certificates.
///
///     NAME.crt   the chain in PEM, the leaf first        NAME.key   its private key in PEM
///     NAME.pem   authorities to trust, and their CRLs
struct CertificateFolder {
    let path: String

    /// Permissions that a key's file may have: of the owner, and reading of the group.
    private static let keyPermissionsMax: UInt32 = 0o640

    /// Reads what a configuration names; blocks.
    ///
    /// - Parameter configuration: Whose certificates.
    /// - Returns: All of them, without keys of tickets.
    /// - Throws: `NodeError` naming the file that is missing or wrong.
    func read(for configuration: Configuration) throws(NodeError) -> EdgeMaterial {
        var material = EdgeMaterial.none
        for name in Self.identities(of: configuration) {
            material.identities[name] = try readIdentity(name)
        }
        for name in Self.authorities(of: configuration) {
            material.authorities[name] = try readFile("\(path)/\(name).pem")
        }
        return material
    }

    private static func identities(of configuration: Configuration) -> Set<String> {
        Set(configuration.listeners.flatMap { $0.tls?.certificates ?? [] })
            .union(configuration.upstreamsInUse.compactMap { $0.tls?.clientCertificate })
    }

    private static func authorities(of configuration: Configuration) -> Set<String> {
        let listeners = configuration.listeners.compactMap(\.tls?.clientCertificate)
        return Set(listeners.filter { $0.mode != .none }.flatMap(\.authorities))
            .union(configuration.upstreamsInUse.compactMap { $0.tls?.authority })
    }

    private func readIdentity(_ name: String) throws(NodeError) -> TLSIdentity {
        let chainPath = "\(path)/\(name).crt"
        let chain = try blocks(of: chainPath).filter { $0.label == "CERTIFICATE" }
        guard let leaf = chain.first else {
            throw NodeError("\(chainPath) has no certificate")
        }
        let details: CertificateDetails
        do throws(CryptographyError) {
            details = try CertificateDetails(der: leaf.der)
        } catch {
            throw NodeError("\(chainPath), line \(leaf.line): not a certificate")
        }
        let keyPath = "\(path)/\(name).key"
        let key = try readKey(keyPath)
        guard key.matches(details) else {
            throw NodeError("\(keyPath) is not the key of the first certificate in \(chainPath)")
        }
        return TLSIdentity(
            chain: chain.map(\.der),
            privateKey: key.der.withOctets { Array($0) }
        )
    }

    private func readKey(_ path: String) throws(NodeError) -> PrivateKey {
        let permissions: UInt32
        do throws(SystemCallError) {
            permissions = try filePermissions(path)
        } catch {
            throw NodeError("cannot read \(path): \(error.errno.message)")
        }
        guard permissions & ~Self.keyPermissionsMax == 0 else {
            throw NodeError("\(path) may be read by others: 'chmod 600' it")
        }
        let keys = try blocks(of: path).filter { $0.label.hasSuffix("PRIVATE KEY") }
        guard let block = keys.first, keys.count == 1 else {
            throw NodeError("\(path) has \(keys.count) private keys; it must have one")
        }
        guard !block.isEncrypted else {
            throw NodeError("\(path) is encrypted with a passphrase; take that off")
        }
        do throws(CryptographyError) {
            return try PrivateKey(der: block.der)
        } catch {
            throw NodeError("\(path), line \(block.line): not a private key")
        }
    }

    private func blocks(of path: String) throws(NodeError) -> [PEMBlock] {
        let text = try readFile(path)
        do throws(PEMError) {
            return try PEM.blocks(text)
        } catch {
            throw NodeError("\(path): \(error)")
        }
    }

    private func readFile(_ path: String) throws(NodeError) -> [UInt8] {
        do throws(SystemCallError) {
            return try SystemCalls.readFile(path, octetsMax: PEM.textBytesMax)
        } catch {
            throw NodeError("cannot read \(path): \(error.errno.message)")
        }
    }
}
