package import Cryptography

/// A node's material on its disk: sealed with a key of its own, which is sealed with the node's identity.
///
///     "WEIRMAT1"
///     wraps (8 bit), each: id 8, AES-256-GCM under an identity's key: data key 32
///     AES-256-GCM under the data key: content
///
/// The identity's key changes twice a day. Then the file is written with two wraps, one for each, before the new identity
/// is: whichever of the two a crash leaves opens it.
package enum MaterialFile {
    private static let magic = Array("WEIRMAT1".utf8)
    private static let idByteCount = 8
    private static let wrapByteCount = idByteCount + AESGCM.keyByteCount + AESGCM.overheadByteCount
    private static let wrapCountMax = 4

    /// Why a file does not open.
    package enum Fault: Error, Hashable, Sendable {
        /// It is no such file.
        case malformed
        /// It was sealed for another identity.
        case otherIdentity
        /// It was changed.
        case damaged
    }

    /// The key that an identity seals with.
    ///
    /// - Parameters:
    ///   - privateKey: The node's, in DER.
    ///   - context: The cluster and the node's name: the same key elsewhere makes another one.
    /// - Returns: The key; secret.
    package static func key(privateKey: [UInt8], context: [UInt8]) -> SecretBytes {
        var octets = hkdfSHA256(
            secret: privateKey,
            salt: Array("weir node material 1".utf8),
            info: context
        )
        return SecretBytes(taking: &octets)
    }

    /// Seals content so that each of the keys opens it.
    ///
    /// - Parameters:
    ///   - content: Any octets.
    ///   - keys: One to four.
    /// - Returns: The file.
    /// - Throws: What the library throws.
    package static func seal(
        _ content: [UInt8],
        keys: [SecretBytes]
    ) throws(CryptographyError) -> [UInt8] {
        guard (1...wrapCountMax).contains(keys.count) else { throw .keyLengthInvalid }
        var dataKey = randomBytes(AESGCM.keyByteCount)
        defer { erase(&dataKey) }
        var file = magic + [UInt8(truncatingIfNeeded: keys.count)]
        for key in keys {
            file += try key.withOctets { octets throws(CryptographyError) in
                let id = id(octets)
                return id + (try AESGCM.seal(dataKey, key: octets, context: magic + id))
            }
        }
        return file + (try AESGCM.seal(content, key: dataKey, context: magic))
    }

    /// Opens what `seal` made.
    ///
    /// - Throws: Why it does not open.
    package static func open(_ file: [UInt8], key: SecretBytes) throws(Fault) -> [UInt8] {
        let header = magic.count + 1
        guard file.count >= header, file.starts(with: magic) else { throw .malformed }
        let wrapCount = Int(file[magic.count])
        let contentStart = header + wrapCount * wrapByteCount
        guard (1...wrapCountMax).contains(wrapCount), file.count >= contentStart else {
            throw .malformed
        }
        return try key.withOctets { octets throws(Fault) in
            let id = id(octets)
            let starts = (0..<wrapCount).map { header + $0 * wrapByteCount }
            let mine = starts.first { Array(file[$0..<($0 + idByteCount)]) == id }
            guard let start = mine else { throw .otherIdentity }
            let wrap = Array(file[(start + idByteCount)..<(start + wrapByteCount)])
            do {
                var dataKey = try AESGCM.open(wrap, key: octets, context: magic + id)
                defer { erase(&dataKey) }
                return try AESGCM.open(Array(file[contentStart...]), key: dataKey, context: magic)
            } catch {
                throw .damaged
            }
        }
    }

    /// A digest of 256 secret bits tells nothing of them.
    private static func id(_ key: [UInt8]) -> [UInt8] {
        Array(sha256(Array("weir node material key 1\0".utf8) + key).prefix(idByteCount))
    }
}

extension MaterialFile.Fault: CustomStringConvertible {
    /// For people.
    package var description: String {
        switch self {
        case .malformed: "it is no file of material"
        case .otherIdentity: "it was sealed for another identity of the node"
        case .damaged: "it was changed"
        }
    }
}
