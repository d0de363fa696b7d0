/// Why a certificate could not be obtained.
package enum ACMEError: Error, Hashable, Sendable {
    /// A URL of the server is not https.
    case urlInsecure(String)
    /// An answer is not what RFC 8555 says; what was read.
    case answerMalformed(String)
    /// An answer lacks a field of its head.
    case fieldMissing(String, of: String)
    /// The server refused a request: its problem document.
    case refused(type: String, detail: String, status: Int)
    /// Too many requests; when to come back, if it said so.
    case rateLimited(detail: String, retryAfterSeconds: Int64?)
    /// The server failed.
    case serverFailed(status: Int, retryAfterSeconds: Int64? = nil)
    /// The server offers no challenge of the kind that is wanted for a host.
    case challengeMissing(host: String, kind: String)
    /// A host was not proved.
    case hostUnproved(host: String, type: String, detail: String)
    /// The order came to nothing.
    case orderInvalid(detail: String)
    /// Nonces were refused again and again.
    case nonceRefused
    /// The server was not done after as many looks as are made.
    case tooSlow
    /// The library failed.
    case libraryFailed(String)
    /// There was no answer.
    case unreachable(String)
}

extension ACMEError: CustomStringConvertible {
    /// One line for the log and for operators.
    package var description: String {
        switch self {
        case .urlInsecure(let url): "the server names a URL that is not https: \(url.prefix(200))"
        case .answerMalformed(let what): "the server's \(what) is not what RFC 8555 says"
        case .fieldMissing(let field, let what): "the server's \(what) has no \(field)"
        case .refused(let type, let detail, let status):
            "refused with \(status) \(type.prefix(100)): \(detail.prefix(500))"
        case .rateLimited(let detail, let seconds):
            "too many requests: \(detail.prefix(500))"
                + (seconds.map { "; again in \($0) s" } ?? "")
        case .serverFailed(let status, let seconds):
            "the server failed with \(status)" + (seconds.map { "; again in \($0) s" } ?? "")
        case .challengeMissing(let host, let kind):
            "the server offers no \(kind) challenge for \(host.prefix(253))"
        case .hostUnproved(let host, let type, let detail):
            "\(host.prefix(253)) was not proved: \(type.prefix(100)): \(detail.prefix(500))"
        case .orderInvalid(let detail): "the order came to nothing: \(detail.prefix(500))"
        case .nonceRefused: "the server refused every nonce that it had given"
        case .tooSlow: "the server was not done in time"
        case .libraryFailed(let what): "\(what)"
        case .unreachable(let reason): "no answer: \(reason)"
        }
    }

    /// When the server asks to come back, in seconds.
    package var retryAfterSeconds: Int64? {
        switch self {
        case .rateLimited(_, let seconds), .serverFailed(_, let seconds): seconds
        default: nil
        }
    }
}
