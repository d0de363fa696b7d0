import Cryptography

/// The key file that secrets are sealed with; it never enters the database.
///
/// What is long or many is sealed with a data key of its own, and only that is sealed with the master key
/// ("wrapped"), so that another master key costs 32 octets for each secret:
///
///     wrapped key   version (1) = 1 ‖ master key's id (8) ‖ AES-256-GCM under the master key: data key (32)
///     content       version (1) = 1 ‖ AES-256-GCM under the data key
///
/// Both are bound to the secret's identity. The id tells another master key from damage.
struct Envelope: Sendable {
    private let masterKey: SecretBytes
    private let keyID: [UInt8]
    private let path: String

    /// What becomes of a data key or a content that does not open.
    enum Failure: Error {
        /// It was sealed with another master key.
        case otherMasterKey
        /// It was changed, or is another secret's.
        case damaged
    }

    private static let version: UInt8 = 1
    private static let keyIDByteCount = 8

    init(masterKey: SecretBytes, path: String) throws(StoreError) {
        guard masterKey.count == AESGCM.keyByteCount else {
            throw .masterKeyLengthWrong(path, octetCount: masterKey.count)
        }
        (self.masterKey, self.path) = (masterKey, path)
        keyID = masterKey.withOctets { key in
            // A digest of 256 random bits tells nothing of them.
            Array(sha256(Array("weir master key 1\0".utf8) + key).prefix(Self.keyIDByteCount))
        }
    }

    /// What is thrown when the key file is not the one that was sealed with.
    var wrongKey: StoreError { .masterKeyWrong(path) }

    // MARK: Small secrets, sealed with the master key itself

    /// Seals a secret to its name, so that one cannot be put in another's place.
    func seal(_ secret: [UInt8], name: String) throws(StoreError) -> [UInt8] {
        do {
            return try masterKey.withOctets { key throws(CryptographyError) in
                try AESGCM.seal(secret, key: key, context: Self.context(name))
            }
        } catch {
            throw .failed("sealing \(name): \(error)")
        }
    }

    func open(_ sealed: [UInt8], name: String) throws(StoreError) -> [UInt8] {
        do {
            return try masterKey.withOctets { key throws(CryptographyError) in
                try AESGCM.open(sealed, key: key, context: Self.context(name))
            }
        } catch {
            throw wrongKey
        }
    }

    /// Sealed octets that only this key opens, kept to tell a wrong key at once.
    func makeCheck() throws(StoreError) -> [UInt8] {
        try seal(Array("weir".utf8), name: "key check")
    }

    func verify(check: [UInt8]) throws(StoreError) {
        _ = try open(check, name: "key check")
    }

    /// Whether this is the key that a database's check was sealed with.
    func opens(check: [UInt8]) -> Bool {
        // Any failure to open means that it is not.
        (try? verify(check: check)) != nil
    }

    private static func context(_ name: String) -> [UInt8] {
        Array("weir secret 1\0\(name)".utf8)
    }

    // MARK: Secrets with a data key

    /// A secret as it is stored.
    struct Sealed {
        var wrappedKey: [UInt8]
        var content: [UInt8]
    }

    /// Seals a secret with a new data key.
    func seal(_ secret: SecretBytes, identity: [UInt8]) throws(StoreError) -> Sealed {
        var fresh = randomBytes(AESGCM.keyByteCount)
        let dataKey = SecretBytes(taking: &fresh)
        do {
            let content = try dataKey.withOctets { key throws(CryptographyError) in
                try secret.withOctets { octets throws(CryptographyError) in
                    try AESGCM.seal(octets, key: key, context: Self.contentContext(identity))
                }
            }
            return Sealed(
                wrappedKey: try wrap(dataKey, identity: identity),
                content: [Self.version] + content
            )
        } catch {
            throw .failed("sealing a secret: \(error)")
        }
    }

    /// Opens what `seal` made for the same identity.
    func open(_ sealed: Sealed, identity: [UInt8]) throws(Failure) -> SecretBytes {
        let dataKey = try unwrap(sealed.wrappedKey, identity: identity)
        guard sealed.content.first == Self.version else { throw .damaged }
        do {
            var octets = try dataKey.withOctets { key throws(CryptographyError) in
                try AESGCM.open(
                    Array(sealed.content.dropFirst()),
                    key: key,
                    context: Self.contentContext(identity)
                )
            }
            return SecretBytes(taking: &octets)
        } catch {
            throw .damaged
        }
    }

    /// The data key of `wrapped`, which `old` opens, sealed with this master key; the content stays as it is.
    func rewrap(
        _ wrapped: [UInt8],
        identity: [UInt8],
        from old: Envelope
    ) throws(Failure) -> [UInt8] {
        let dataKey = try old.unwrap(wrapped, identity: identity)
        do {
            return try wrap(dataKey, identity: identity)
        } catch {
            throw .damaged
        }
    }

    private func wrap(
        _ dataKey: SecretBytes,
        identity: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        let wrapped = try masterKey.withOctets { master throws(CryptographyError) in
            try dataKey.withOctets { key throws(CryptographyError) in
                try AESGCM.seal(key, key: master, context: wrapContext(identity))
            }
        }
        return [Self.version] + keyID + wrapped
    }

    private func unwrap(_ wrapped: [UInt8], identity: [UInt8]) throws(Failure) -> SecretBytes {
        let header = 1 + Self.keyIDByteCount
        guard wrapped.count > header, wrapped[0] == Self.version else { throw .damaged }
        guard Array(wrapped[1..<header]) == keyID else { throw .otherMasterKey }
        do {
            var octets = try masterKey.withOctets { master throws(CryptographyError) in
                try AESGCM.open(
                    Array(wrapped[header...]),
                    key: master,
                    context: wrapContext(identity)
                )
            }
            return SecretBytes(taking: &octets)
        } catch {
            throw .damaged
        }
    }

    private func wrapContext(_ identity: [UInt8]) -> [UInt8] {
        Array("weir data key 1\0".utf8) + keyID + identity
    }

    private static func contentContext(_ identity: [UInt8]) -> [UInt8] {
        Array("weir content 1\0".utf8) + identity
    }
}

extension Envelope: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Where the key is.
    var description: String { "envelope of \(path)" }

    /// As `description`.
    var debugDescription: String { description }

    /// Without children.
    var customMirror: Mirror { Mirror(self, children: [:]) }
}
