package import AdminMessages
package import HTTPTypes

/// One endpoint of the admin API: what the router registers and the OpenAPI document describes.
package struct Endpoint: Sendable {
    /// Who may call it.
    package enum Access: Sendable {
        /// Whoever has the admin token.
        case token
        /// Anybody who reaches the address.
        case open
    }

    /// A parameter of the path or the query.
    package struct Parameter: Sendable {
        /// Its name.
        package let name: String
        /// What it means.
        package let help: String
        /// Its JSON Schema.
        package let schema: JSONValue
    }

    /// What an answer carries.
    package enum Content: Sendable {
        case none
        /// JSON of a schema.
        case json(JSONValue)
        /// Text of a media type.
        case text(String)
    }

    /// One way in which a call succeeds.
    package struct Success: Sendable {
        /// The status.
        package let status: HTTPResponse.Status
        /// When.
        package let help: String
        /// What the answer carries.
        package let content: Content
        /// Whether it has an `ETag`.
        package var hasETag = false
    }

    /// The method.
    package let method: HTTPRequest.Method
    /// The path, with parameters in braces: `/v1/nodes/{name}`.
    package let path: String
    /// The operation's name, unique.
    package let name: String
    /// What it does, in one sentence.
    package let help: String
    /// Who may call it.
    package var access = Access.token
    /// The parameters in the query; others are refused.
    package var query: [Parameter] = []
    /// The name of the body's schema; nothing if it takes no body.
    package var body: String?
    /// Longest body, in octets.
    package var bodyBytesMax = AdminLimits.bodyBytesMax
    /// Whether `If-Match` is looked at.
    package var takesIfMatch = false
    /// How it succeeds.
    package let successes: [Success]
    /// Statuses of refusals, beside those that every endpoint has.
    package var refusals: [HTTPResponse.Status] = []
    /// Does it.
    let handler: @Sendable (AdminRequest) async throws -> AdminAnswer

    /// The parameters in the path, in order.
    package var pathParameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }
            .map { String($0.dropFirst().dropLast()) }
    }

    /// All statuses of refusals, sorted.
    package var allRefusals: [HTTPResponse.Status] {
        var all = refusals + [.badRequest, .internalServerError, .serviceUnavailable]
        if access == .token { all.append(.unauthorized) }
        if body != nil {
            all += [.requestTimeout, .contentTooLarge, .unsupportedMediaType]
        }
        return Set(all).sorted { $0.code < $1.code }
    }

    /// Whether a request's path is one of this endpoint's.
    func matches(_ requestPath: String) -> Bool {
        let own = path.split(separator: "/", omittingEmptySubsequences: true)
        let other = requestPath.split(separator: "/", omittingEmptySubsequences: true)
        return own.count == other.count
            && zip(own, other).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }
}

/// What an endpoint answers when it succeeds.
struct AdminAnswer: Sendable {
    enum Content: Sendable {
        case none
        case json([UInt8])
        case text(String, mediaType: String)
    }

    var status: HTTPResponse.Status = .ok
    var content: Content
    /// The version for the `ETag`.
    var version: UInt64?
    var location: String?

    /// JSON of a message.
    static func json(
        _ message: some Encodable,
        status: HTTPResponse.Status = .ok,
        version: UInt64? = nil,
        location: String? = nil
    ) throws -> AdminAnswer {
        AdminAnswer(
            status: status,
            content: .json(try encodeJSON(message)),
            version: version,
            location: location
        )
    }

    static let noContent = AdminAnswer(status: .noContent, content: .none)
}
