internal import Cryptography
internal import FleetModel
internal import FleetProtocol
internal import SnapshotCompiler
internal import SystemCalls
internal import TLSLibrary

/// What a node keeps on its disk; its methods block.
///
///     DIR/lock          held while the node runs
///     DIR/node.pem      `Membership`, 0600
///     DIR/join.key      the key of a join whose answer is not in `node.pem` yet, 0600
///     DIR/last-good     the version served last, as a signed `SnapshotFile`
///     DIR/last-good.1   the one before
///     DIR/material      certificates and their keys, sealed for this node (`MaterialFile`), 0600
///     DIR/adjustments   what operators want of endpoints (`AdjustmentShelf`)
///     DIR/draining      there while the operator wants the node drained
///     DIR/upgrade.socket    where `UpgradeDesk` listens
final class NodeDirectory: Sendable {
    let path: String
    private let lock: FileDescriptor

    /// A kept version, and whether it is the newer of the two generations.
    struct Kept: Sendable {
        let file: SnapshotFile
        let isNewest: Bool
    }

    /// Makes the directory if it is missing, and locks it.
    ///
    /// - Parameters:
    ///   - path: The directory.
    ///   - inherited: The lock, if the process that has the directory handed it over: it is held without a gap, for as
    ///     long as one of the two keeps it.
    /// - Throws: `NodeError` when another process has it, or when it cannot be written.
    init(_ path: String, lock inherited: consuming FileDescriptor? = nil) throws(NodeError) {
        self.path = path
        if let inherited = consume inherited {
            lock = inherited
            return
        }
        do throws(SystemCallError) {
            try makeDirectory(path)
            lock = try openFile("\(path)/lock", .update)
            guard try lockFile(lock.number) else {
                throw SystemCallError(call: "flock", errno: .wouldBlock)
            }
        } catch {
            guard error.errno == .wouldBlock else {
                throw NodeError("cannot use the directory \(path): \(error.errno.message)")
            }
            throw NodeError(
                "another proxy-node uses the directory \(path); name another with --data"
            )
        }
    }

    /// Another descriptor of the lock, for the process that takes over.
    func duplicateLock() throws(SystemCallError) -> FileDescriptor {
        try duplicate(lock.number)
    }

    private var identityPath: String { "\(path)/node.pem" }
    private var joinKeyPath: String { "\(path)/join.key" }
    private var drainPath: String { "\(path)/draining" }
    private var newestPath: String { "\(path)/last-good" }
    private var previousPath: String { "\(path)/last-good.1" }

    // MARK: Membership

    /// What the node is a member of, or `nil` before it has joined.
    ///
    /// - Throws: `NodeError` when the file is there and damaged.
    func readMembership() throws(NodeError) -> Membership? {
        guard fileExists(identityPath) else { return nil }
        let octets: [UInt8]
        do throws(SystemCallError) {
            octets = try readFile(identityPath, octetsMax: Limits.identityBytesMax)
        } catch {
            throw NodeError("cannot read \(identityPath): \(error.errno.message)")
        }
        do throws(CryptographyError) {
            return try Membership(pem: String(decoding: octets, as: UTF8.self))
        } catch {
            throw NodeError(
                "\(identityPath) is damaged: remove it, and join again with a new token"
            )
        }
    }

    /// Keeps a membership in the place of the one before.
    func write(_ membership: Membership) throws(SystemCallError) {
        try replaceFile(identityPath, with: Array(membership.pem.utf8).span)
    }

    /// The key to join with: the one of a join before that may have been accepted, or a new one, which is stored first.
    ///
    /// A token that was used up by one key is taken again from that key alone.
    ///
    /// - Throws: `NodeError` when it cannot be stored: a join now might use the token up for nothing.
    func joinKey() throws(NodeError) -> P256PrivateKey {
        if let key = readJoinKey() { return key }
        let key: P256PrivateKey
        do throws(CryptographyError) {
            key = try P256PrivateKey()
        } catch {
            throw NodeError("cannot make a key: \(error)")
        }
        do throws(SystemCallError) {
            try replaceFile(joinKeyPath, with: Array(key.pem.utf8).span)
        } catch {
            throw NodeError("cannot write \(joinKeyPath): \(error.errno.message)")
        }
        return key
    }

    /// What cannot be read is no key that a token was used with.
    private func readJoinKey() -> P256PrivateKey? {
        guard fileExists(joinKeyPath),
            let octets = try? readFile(joinKeyPath, octetsMax: Limits.identityBytesMax)
        else { return nil }
        return try? P256PrivateKey(pem: String(decoding: octets, as: UTF8.self))
    }

    /// Forgets the key of a join, once a membership has it or the node is no member any more.
    func eraseJoinKey() throws(SystemCallError) {
        try removeFile(joinKeyPath)
    }

    /// Whether the key of a join is that of a membership, so that it is not needed any more.
    func isJoinKeyStored(in membership: Membership) -> Bool {
        guard let key = readJoinKey() else { return false }
        return membership.identity?.privateKey == key.der
    }

    // MARK: Drain

    /// Whether the operator wants the node drained.
    var isDraining: Bool { fileExists(drainPath) }

    /// Remembers what the operator wants.
    func setDraining(_ isDraining: Bool) throws(SystemCallError) {
        if isDraining {
            try replaceFile(drainPath, with: [UInt8]().span)
        } else {
            try removeFile(drainPath)
        }
    }

    // MARK: Material

    /// Where certificates and keys are kept.
    var materialPath: String { "\(path)/material" }

    /// The file of material, or nil when there is none.
    ///
    /// - Throws: `NodeError` when it is there and cannot be read.
    func readMaterial() throws(NodeError) -> [UInt8]? {
        guard fileExists(materialPath) else { return nil }
        do throws(SystemCallError) {
            return try readFile(materialPath, octetsMax: Limits.materialFileBytesMax)
        } catch {
            throw NodeError(error.errno.message)
        }
    }

    /// Keeps material, sealed already, in the place of what was there.
    func write(material: [UInt8]) throws(SystemCallError) {
        try replaceFile(materialPath, with: material.span)
    }

    /// Removes the file of material.
    func eraseMaterial() throws(SystemCallError) {
        try removeFile(materialPath)
    }

    // MARK: Adjustments

    /// Where what operators want of endpoints is kept.
    var adjustmentsPath: String { "\(path)/adjustments" }

    /// The file of it, or nil when there is none.
    ///
    /// - Throws: `NodeError` when it is there and cannot be read.
    func readAdjustments() throws(NodeError) -> [UInt8]? {
        guard fileExists(adjustmentsPath) else { return nil }
        do throws(SystemCallError) {
            return try readFile(adjustmentsPath, octetsMax: Limits.adjustmentFileBytesMax)
        } catch {
            throw NodeError(error.errno.message)
        }
    }

    /// Keeps it in the place of what was there.
    func write(adjustments: [UInt8]) throws(SystemCallError) {
        try replaceFile(adjustmentsPath, with: adjustments.span)
    }

    // MARK: Last good

    /// The newest version that is undamaged and signed by the cluster.
    ///
    /// - Parameters:
    ///   - membership: Whose cluster, and whose key.
    ///   - fault: Called for each generation that is there and cannot be used.
    /// - Returns: The version, or `nil` when there is none that can be used.
    func loadLastGood(
        _ membership: Membership,
        fault: (_ path: String, _ reason: String) -> Void
    ) -> Kept? {
        for path in [newestPath, previousPath] where fileExists(path) {
            do throws(NodeError) {
                let file = try readVersion(path, membership)
                return Kept(file: file, isNewest: path == newestPath)
            } catch {
                fault(path, error.description)
            }
        }
        return nil
    }

    private func readVersion(
        _ path: String,
        _ membership: Membership
    ) throws(NodeError) -> SnapshotFile {
        let octets: [UInt8]
        do throws(SystemCallError) {
            octets = try readFile(path, octetsMax: SnapshotFile.bytesMax)
        } catch {
            throw NodeError(error.errno.message)
        }
        do throws(SnapshotFile.Fault) {
            let file = try SnapshotFile(octets: octets)
            if isSigned(file, membership) { return file }
        } catch {
            throw NodeError(error.description)
        }
        throw NodeError("it is not signed by this cluster")
    }

    private func isSigned(_ file: SnapshotFile, _ membership: Membership) -> Bool {
        guard let signature = file.signature, file.clusterID == membership.clusterID else {
            return false
        }
        let octets = SignedHead.signedOctets(
            clusterID: file.clusterID,
            epoch: file.epoch,
            version: file.version,
            digest: file.manifest.digest
        )
        return membership.isSigned(octets, signature)
    }

    /// Keeps a version as the newest.
    ///
    /// - Parameters:
    ///   - file: A signed version.
    ///   - keepsNewest: Whether the newest becomes the one before; `false` when it is damaged, or when it has the
    ///     same content.
    /// - Throws: What stands in the way; both generations are then as they were.
    func storeLastGood(_ file: SnapshotFile, keepsNewest: Bool) throws(SystemCallError) {
        try replaceFile(
            newestPath,
            with: file.encoded().span,
            keepingOldAs: keepsNewest ? previousPath : nil
        )
    }
}
