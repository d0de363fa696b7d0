import ControlStore
import Cryptography
import FleetModel
import Foundation
import Synchronization
import Testing

@testable import Authority

let note = ChangeNote(author: "ops", message: "because")

/// An authority over a real store in a directory of its own, with a clock that a test sets.
final class Scratch: Sendable {
    let path: String
    let clock = TestClock()

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/weir-authority-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Nothing depends on what is left of a temporary directory.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Opens the store of this name, made first if there is none.
    func open(_ name: String = "data") async throws -> (SQLiteConfigStore, Authority) {
        let clock = clock
        let store = try SQLiteConfigStore(StoreDirectory("\(path)/\(name)"), clock: { clock.now })
        return (store, try await Authority(store: store, clock: { clock.now }))
    }
}

/// Milliseconds since 1970 that a test sets.
final class TestClock: Sendable {
    private let stored = Mutex<Int64>(1_800_000_000_000)

    var now: Int64 {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

extension Authority {
    /// A token's text.
    func token(labels: [String: String] = [:], seconds: Int64 = 3_600) async throws -> String {
        try await createToken(secondsToLive: seconds, labels: labels, note: note).text
    }

    /// Joins with a new token and a new key.
    @discardableResult
    func join(_ name: String, labels: [String: String] = [:]) async throws -> Membership {
        try await join(
            tokenText: try await token(),
            name: name,
            labels: labels,
            request: try makeRequest(name)
        )
    }
}

/// PKCS #10 for a new key, or for `key`.
func makeRequest(_ name: String, key: P256PrivateKey? = nil) throws -> [UInt8] {
    try (key ?? P256PrivateKey()).certificateSigningRequest(commonName: name)
}
