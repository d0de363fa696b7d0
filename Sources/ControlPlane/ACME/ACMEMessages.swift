import Foundation

/// A request to the authority's server.
package struct ACMERequest: Sendable, Equatable {
    /// How it is made.
    package enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
    }

    package let method: Method
    /// Always https.
    package let url: String
    /// `application/jose+json`; empty without a body.
    package let body: [UInt8]
}

/// The answer.
package struct ACMEResponse: Sendable {
    package let status: Int
    /// Values by lower-case name.
    package let fields: [String: String]
    package let body: [UInt8]

    /// Joins its parts.
    package init(status: Int, fields: [String: String], body: [UInt8]) {
        (self.status, self.fields, self.body) = (status, fields, body)
    }
}

/// The documents of RFC 8555 §7.1, as far as the client reads them.
enum ACMEDocument {
    struct Directory: Decodable, Sendable, Equatable {
        let newNonce: String
        let newAccount: String
        let newOrder: String
        /// RFC 9773 §4.1.
        let renewalInfo: String?
    }

    struct Order: Decodable, Sendable {
        let status: String
        let authorizations: [String]
        let finalize: String
        let certificate: String?
        let error: Problem?
    }

    struct Authorization: Decodable, Sendable {
        struct Identifier: Decodable, Sendable {
            let value: String
        }

        let identifier: Identifier
        let status: String
        let challenges: [Challenge]
    }

    struct Challenge: Decodable, Sendable {
        let type: String
        let url: String
        let status: String?
        let token: String?
        let error: Problem?
    }

    /// RFC 7807.
    struct Problem: Decodable, Sendable {
        let type: String?
        let detail: String?
    }

    static func read<Value: Decodable>(
        _ response: ACMEResponse,
        as what: String
    ) throws(ACMEError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(response.body))
        } catch {
            throw .answerMalformed(what)
        }
    }
}

/// What the fleet has to show for a host.
package struct ACMEChallenge: Hashable, Sendable {
    /// How a name is proved.
    package enum Kind: String, Hashable, Sendable, Codable {
        /// A file over plain HTTP on port 80 (RFC 8555 §8.3).
        case http = "http-01"
        /// A certificate for the protocol `acme-tls/1` on port 443 (RFC 8737).
        case tlsALPN = "tls-alpn-01"
    }

    package let kind: Kind
    package let host: String
    /// The last part of `/.well-known/acme-challenge/TOKEN`.
    package let token: String
    /// The file's content; for a certificate, what its extension has the SHA-256 of.
    package let authorization: String
    /// Where the server is told that it may look.
    let url: String
}

/// What has to be remembered so that an order goes on after a restart.
package struct ACMEProgress: Hashable, Sendable, Codable {
    /// The account's URL.
    package var account: String?
    /// The order's URL, while there is one.
    package var order: String?

    /// Nothing yet.
    package init() {}
}
