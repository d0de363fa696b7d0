import Cryptography
package import FleetModel

/// Why the store did not do what it was asked for.
///
/// A failed change leaves nothing behind: the head, the audit and every other row are as before.
package enum StoreError: Error, Hashable, Sendable {
    // What the caller asked for cannot be.

    /// There is no version with this number.
    case versionUnknown(UInt64)
    /// A manifest names content that was neither given nor stored before.
    case contentMissing(String)
    /// A secret has more octets than the vault takes, or its public part has.
    case secretTooLong
    /// There is no secret of this name.
    case secretUnknown(String)
    /// There is no such token, or it belongs to another cluster.
    case tokenUnknown
    /// The token's time is over.
    case tokenExpired
    /// A node has joined with the token.
    case tokenUsed
    /// The token was revoked.
    case tokenRevoked
    /// The token's labels are not among the node's.
    case tokenLabelsMissing
    /// A node of this name has joined.
    case nodeNameTaken
    /// There is no node of this name.
    case nodeUnknown(String)
    /// The node was revoked; only removing it is left.
    case nodeRevoked(String)
    /// The head has no upstream of this name.
    case upstreamUnknown(String)
    /// The upstream has no such endpoint: its name and the address.
    case endpointUnknown(String, String)
    /// There is no room for another adjustment of an endpoint.
    case adjustmentsFull

    // What the machine cannot do.

    /// The disk, or the quota, is full.
    case storeFull
    /// Another process writes for longer than we wait.
    case busy
    /// The task was cancelled before the change was made.
    case cancelled
    /// The database is damaged; SQLite's words.
    case corrupt(String)
    /// Any other failure of SQLite or the file system.
    case failed(String)

    // What makes a directory unusable.

    /// Another process has the directory.
    case directoryInUse(String)
    /// The database is there and its `master.key` is not.
    case masterKeyMissing(String)
    /// `master.key` is another database's.
    case masterKeyWrong(String)
    /// `master.key` is not 32 octets; its path and how many it is, or more.
    case masterKeyLengthWrong(String, octetCount: Int)
    /// Others than its owner may read or change `master.key`; its path and mode.
    case masterKeyExposed(String, mode: UInt32)
    /// The key before a rotation is still there, and would be lost with another one.
    case masterKeyOldKept(String)
    /// A sealed secret was changed; its digest.
    case secretDamaged(Digest)
    /// The file is no database of this program.
    case notAStore(String)
    /// A newer build made the database.
    case schemaTooNew
    /// There is nothing to back up.
    case storeMissing(String)
}

extension StoreError: CustomStringConvertible {
    /// One line for people.
    package var description: String {
        switch self {
        case .versionUnknown(let number): "there is no version \(number)"
        case .contentMissing(let what): "the content of \(what) is not stored"
        case .secretTooLong:
            "a secret has more than \(StoreLimits.secretBytesMax) octets, or a public part of more than "
                + "\(StoreLimits.secretPublicBytesMax)"
        case .secretUnknown(let name): "there is no secret \(name)"
        case .tokenUnknown: "the token is unknown"
        case .tokenExpired: "the token has expired"
        case .tokenUsed: "the token was used"
        case .tokenRevoked: "the token was revoked"
        case .tokenLabelsMissing: "the token's labels are not among the node's"
        case .nodeNameTaken: "a node of this name has joined"
        case .nodeUnknown(let name): "there is no node \(name)"
        case .nodeRevoked(let name): "the node \(name) was revoked"
        case .upstreamUnknown(let name): "the configuration has no upstream \(name)"
        case .endpointUnknown(let upstream, let address):
            "the upstream \(upstream) has no endpoint \(address)"
        case .adjustmentsFull:
            "\(StoreLimits.adjustmentsMax) adjustments of endpoints are in force, which is the most that there "
                + "may be: reset some, or put them in the configuration"
        case .storeFull: "the disk of the store is full"
        case .busy: "another process keeps the store busy"
        case .cancelled: "cancelled"
        case .corrupt(let detail): "the store is damaged (\(detail)): restore a backup"
        case .failed(let detail): "the store failed: \(detail)"
        case .directoryInUse(let path): "\(path) is in use by another process"
        case .masterKeyMissing(let path):
            "\(path) is missing: the database was encrypted with it; put the key back"
        case .masterKeyWrong(let path): "\(path) is not the key of this database"
        case .masterKeyLengthWrong(let path, let count):
            "\(path) has \(count) octets in place of \(AESGCM.keyByteCount): put the right key back"
        case .masterKeyExposed(let path, let mode):
            "\(path) has the mode \(String(mode, radix: 8)), so that others than its owner can read or change "
                + "it: run 'chmod 600 \(path)'"
        case .masterKeyOldKept(let path):
            "\(path) is there, from a rotation before: remove it once no backup from before that rotation is "
                + "needed, then rotate again"
        case .secretDamaged(let digest):
            "the secret \(digest) is damaged: apply the files that it came from again"
        case .notAStore(let path): "\(path) is not a database of proxy-control"
        case .schemaTooNew: "the database was made by a newer proxy-control"
        case .storeMissing(let path): "there is no database at \(path)"
        }
    }
}
