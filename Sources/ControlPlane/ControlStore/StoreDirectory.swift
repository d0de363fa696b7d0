import Cryptography
import Foundation
import SystemCalls

/// The directory of one control plane, held against any second process for as long as this value lives.
///
///     DIR (0700)
///       weir.lock     flock: one server, or one restore
///       weir.db       the database, and beside it SQLite's -wal and -shm
///       master.key    32 random octets, 0600; secrets in the database are sealed with it
///       master.key.next, .old     the ones to come and before, of a rotation (`SQLiteConfigStore+MasterKey`)
package final class StoreDirectory: Sendable {
    /// The path, without a slash at its end.
    package let path: String
    private let lock: FileDescriptor

    /// Takes the directory, and makes it if it is missing.
    ///
    /// - Throws: `directoryInUse`, or `failed`.
    package init(_ path: String) throws(StoreError) {
        let path = Self.normalised(path)
        self.path = path
        do {
            try Self.makeDirectories(path)
            lock = try openFile(path + "/weir.lock", .update)
            guard try lockFile(lock.number) else { throw StoreError.directoryInUse(path) }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(fileSystem: error, path)
        }
    }

    deinit { unlockFile(lock.number) }

    /// Where the database is.
    var databasePath: String { Self.databasePath(in: path) }

    /// Where the key is.
    var masterKeyPath: String { path + "/master.key" }

    static func databasePath(in directory: String) -> String {
        normalised(directory) + "/weir.db"
    }

    /// Whether there is a database, be it empty or damaged.
    ///
    /// A file of no octets is what a first start leaves that was ended before its first transaction.
    static func hasDatabase(_ databasePath: String) throws(StoreError) -> Bool {
        do {
            guard fileExists(databasePath) else { return false }
            return try !readFileStart(databasePath, octetCount: 1).isEmpty
        } catch {
            throw StoreError(fileSystem: error, databasePath)
        }
    }

    /// The envelope of `master.key`; the key is made if neither it nor a database is there.
    func envelope(makingKey mayMake: Bool) throws(StoreError) -> Envelope {
        do {
            if fileExists(masterKeyPath) {
                return try Envelope(masterKey: try Self.readKey(masterKeyPath), path: masterKeyPath)
            }
            guard mayMake else { throw StoreError.masterKeyMissing(masterKeyPath) }
            var key = randomBytes(AESGCM.keyByteCount)
            try replaceFile(masterKeyPath, with: key.span)
            return try Envelope(masterKey: SecretBytes(taking: &key), path: masterKeyPath)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(fileSystem: error, masterKeyPath)
        }
    }

    // MARK: Another master key

    /// The key that a rotation is going over to: there from before its transaction until the key is in its place.
    private var nextKeyPath: String { masterKeyPath + ".next" }
    /// The key before the last rotation: backups from before it are sealed with that one.
    package var oldKeyPath: String { masterKeyPath + ".old" }

    /// Whether the key before the last rotation is still there.
    var hasOldKey: Bool { fileExists(oldKeyPath) }
    /// Whether a rotation did not come to its end.
    var hasNextKey: Bool { fileExists(nextKeyPath) }

    /// The envelope of the key that a rotation was going over to, or nil.
    func nextEnvelope() throws(StoreError) -> Envelope? { try envelope(of: nextKeyPath) }

    /// The envelope of the key before the last rotation, or nil.
    func oldEnvelope() throws(StoreError) -> Envelope? { try envelope(of: oldKeyPath) }

    /// Makes a new key beside the present one; it is on the disk when this returns.
    func makeNextKey() throws(StoreError) -> Envelope {
        do {
            var key = randomBytes(AESGCM.keyByteCount)
            try replaceFile(nextKeyPath, with: key.span)
            return try Envelope(masterKey: SecretBytes(taking: &key), path: masterKeyPath)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(fileSystem: error, nextKeyPath)
        }
    }

    /// Puts the new key in the place of the present one, which is kept; there is a key at every moment.
    func adoptNextKey() throws(StoreError) {
        do {
            try removeFile(oldKeyPath)
            if fileExists(masterKeyPath) {
                try FileManager.default.linkItem(atPath: masterKeyPath, toPath: oldKeyPath)
            }
            try syncDirectory(containing: masterKeyPath)
            try renameFile(nextKeyPath, to: masterKeyPath)
            try syncDirectory(containing: masterKeyPath)
        } catch {
            throw StoreError(fileSystem: error, masterKeyPath)
        }
    }

    /// Forgets the new key, which nothing was sealed with.
    func discardNextKey() throws(StoreError) {
        do {
            try removeFile(nextKeyPath)
        } catch {
            throw StoreError(fileSystem: error, nextKeyPath)
        }
    }

    private func envelope(of path: String) throws(StoreError) -> Envelope? {
        guard fileExists(path) else { return nil }
        do {
            return try Envelope(masterKey: try Self.readKey(path), path: masterKeyPath)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(fileSystem: error, path)
        }
    }

    /// A key file's octets; one that others may read or change is refused, because nobody can tell who did.
    private static func readKey(_ path: String) throws -> SecretBytes {
        let mode = try filePermissions(path)
        guard mode & 0o077 == 0 else { throw StoreError.masterKeyExposed(path, mode: mode) }
        var key = try readFile(path, octetsMax: 4096)
        return SecretBytes(taking: &key)
    }

    /// Makes an empty file that only its owner may read; SQLite gives its other files the same mode.
    static func makePrivateFile(_ path: String) throws(StoreError) {
        do {
            _ = try openFile(path, .update)
        } catch {
            throw StoreError(fileSystem: error, path)
        }
    }

    private static func normalised(_ path: String) -> String {
        var path = path.isEmpty ? "." : path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    private static func makeDirectories(_ path: String) throws(SystemCallError) {
        if fileExists(path) { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectories(String(path[..<slash]))
        }
        try makeDirectory(path)
    }
}

extension StoreError {
    /// What a failed call on a file means for the store.
    init(fileSystem error: any Error, _ path: String) {
        guard let failure = error as? SystemCallError else {
            self = .failed("\(path): \(error)")
            return
        }
        switch failure.errno {
        case .noSpace, .quotaExceeded: self = .storeFull
        default: self = .failed("\(path): \(failure)")
        }
    }
}

/// The first octets of a file, at most `octetCount`.
private func readFileStart(_ path: String, octetCount: Int) throws(SystemCallError) -> [UInt8] {
    let file = try openFile(path, .read)
    var octets = [UInt8](repeating: 0, count: octetCount)
    var span = octets.mutableSpan
    switch read(file.number, into: &span) {
    case .count(let count): return Array(octets.prefix(count))
    case .wouldBlock: return []
    case .failed(let errno): throw SystemCallError(call: "read", errno: errno)
    }
}
