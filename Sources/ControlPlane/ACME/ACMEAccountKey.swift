import Crypto
package import Cryptography
import Foundation

/// The key of an account, P-256: signs requests (RFC 8555 §6.2, RFC 7515) and answers of challenges.
package struct ACMEAccountKey: Sendable {
    private let key: P256.Signing.PrivateKey

    /// A new key.
    package init() {
        key = P256.Signing.PrivateKey()
    }

    /// A key that was kept.
    ///
    /// - Throws: `libraryFailed` if it is none.
    package init(der: SecretBytes) throws(ACMEError) {
        do {
            key = try der.withOctets { try P256.Signing.PrivateKey(derRepresentation: $0) }
        } catch {
            throw .libraryFailed("the key of the account cannot be read")
        }
    }

    /// The key to be kept; secret.
    package var der: SecretBytes {
        var octets = Array(key.derRepresentation)
        return SecretBytes(taking: &octets)
    }

    /// The public half as a JSON Web Key (RFC 7517), its members in the order of RFC 7638.
    private var publicKey: String {
        let point = Array(key.publicKey.rawRepresentation)
        let (x, y) = (Array(point.prefix(32)), Array(point.suffix(32)))
        return
            #"{"crv":"P-256","kty":"EC","x":"\#(encodeBase64URL(x))","y":"\#(encodeBase64URL(y))"}"#
    }

    /// SHA-256 of the public half, which tells the account (RFC 7638).
    package var thumbprint: String {
        encodeBase64URL(sha256(Array(publicKey.utf8)))
    }

    /// What proves a name: a challenge's token and the account (RFC 8555 §8.1).
    package func authorization(of token: String) -> String { "\(token).\(thumbprint)" }

    /// A signed request in the flattened JSON serialization.
    ///
    /// - Parameters:
    ///   - payload: JSON; empty for a request that only reads (POST-as-GET, §6.3).
    ///   - url: Where it goes.
    ///   - nonce: From the server, to be used once.
    ///   - account: The account's URL; nil before there is one, and the public key goes along.
    /// - Returns: The body.
    /// - Throws: `libraryFailed`.
    func sign(
        _ payload: [UInt8],
        url: String,
        nonce: String,
        account: String?
    ) throws(ACMEError) -> [UInt8] {
        let identity =
            account.map { #""kid":\#(JSONText.string($0))"# } ?? #""jwk":\#(publicKey)"#
        let head =
            #"{"alg":"ES256",\#(identity),"nonce":\#(JSONText.string(nonce)),"#
            + #""url":\#(JSONText.string(url))}"#
        return try signed(head, payload)
    }

    private func signed(_ head: String, _ payload: [UInt8]) throws(ACMEError) -> [UInt8] {
        let (head, payload) = (encodeBase64URL(Array(head.utf8)), encodeBase64URL(payload))
        do {
            let signature = try key.signature(for: Data("\(head).\(payload)".utf8))
            let text = encodeBase64URL(Array(signature.rawRepresentation))
            return Array(
                #"{"protected":"\#(head)","payload":"\#(payload)","signature":"\#(text)"}"#.utf8
            )
        } catch {
            throw .libraryFailed("a request cannot be signed")
        }
    }

    /// Binds the account to one that the authority knows already (RFC 8555 §7.3.4).
    func bind(_ binding: ACMEBinding, url: String) -> String {
        let head = encodeBase64URL(
            Array(
                #"{"alg":"HS256","kid":\#(JSONText.string(binding.keyID)),"url":\#(JSONText.string(url))}"#
                    .utf8
            )
        )
        let payload = encodeBase64URL(Array(publicKey.utf8))
        let mark = binding.secret.withOctets { secret in
            hmacSHA256(Array("\(head).\(payload)".utf8), key: secret)
        }
        return
            #"{"protected":"\#(head)","payload":"\#(payload)","signature":"\#(encodeBase64URL(mark))"}"#
    }
}

extension ACMEAccountKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The thumbprint.
    package var description: String { "account key \(thumbprint)" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// An account that the authority knows already.
package struct ACMEBinding: Sendable {
    /// As the authority gave it.
    package let keyID: String
    /// The key of HMAC-SHA-256.
    package let secret: SecretBytes

    /// Joins both.
    package init(keyID: String, secret: SecretBytes) {
        (self.keyID, self.secret) = (keyID, secret)
    }
}

/// Text as JSON.
enum JSONText {
    /// A string with its quotes.
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case let control where control.value < 0x20:
                let digits = String(control.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
