import Cryptography

/// The key file that secrets are sealed with; it never enters the database.
struct Envelope: Sendable {
    private let masterKey: [UInt8]
    private let path: String

    init(masterKey: [UInt8], path: String) throws(StoreError) {
        guard masterKey.count == AESGCM.keyByteCount else { throw .masterKeyWrong(path) }
        (self.masterKey, self.path) = (masterKey, path)
    }

    /// Seals a secret to its name, so that one cannot be put in another's place.
    func seal(_ secret: [UInt8], name: String) throws(StoreError) -> [UInt8] {
        do {
            return try AESGCM.seal(secret, key: masterKey, context: Self.context(name))
        } catch {
            throw .failed("sealing \(name): \(error)")
        }
    }

    func open(_ sealed: [UInt8], name: String) throws(StoreError) -> [UInt8] {
        do {
            return try AESGCM.open(sealed, key: masterKey, context: Self.context(name))
        } catch {
            throw .masterKeyWrong(path)
        }
    }

    /// Sealed octets that only this key opens, kept to tell a wrong key at once.
    func makeCheck() throws(StoreError) -> [UInt8] {
        try seal(Array("weir".utf8), name: "key check")
    }

    func verify(check: [UInt8]) throws(StoreError) {
        _ = try open(check, name: "key check")
    }

    private static func context(_ name: String) -> [UInt8] {
        Array("weir secret 1\0\(name)".utf8)
    }
}
