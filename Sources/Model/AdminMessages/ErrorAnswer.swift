/// Why a request was refused: the body of every answer of 4xx and 5xx.
package struct ErrorAnswer: Sendable, Hashable, Codable {
    /// A stable word for programs, such as `conflict` or `not_found`.
    package var code: String
    /// One sentence for people; never an internal detail.
    package var message: String
    /// Finds the request in the server's log.
    package var requestID: String
    /// What some refusals add.
    package var details: ErrorDetails?

    private enum CodingKeys: String, CodingKey {
        case code, message
        case requestID = "request_id"
        case details
    }

    /// Joins its parts.
    package init(
        code: String,
        message: String,
        requestID: String,
        details: ErrorDetails? = nil
    ) {
        self.code = code
        self.message = message
        self.requestID = requestID
        self.details = details
    }
}

/// What a refusal adds to its message.
package struct ErrorDetails: Sendable, Hashable, Codable {
    /// 412: the number of the head.
    package var current: UInt64?
    /// 412: what differs between the base of the request and the head.
    package var changes: [ResourceChange]?
    /// 422: everything that is wrong with the configuration.
    package var problems: [ConfigurationProblem]?

    /// Joins its parts.
    package init(
        current: UInt64? = nil,
        changes: [ResourceChange]? = nil,
        problems: [ConfigurationProblem]? = nil
    ) {
        self.current = current
        self.changes = changes
        self.problems = problems
    }
}

/// One thing that is wrong with a configuration that was sent.
package struct ConfigurationProblem: Sendable, Hashable, Codable {
    /// The resource kind's word; empty for the document itself.
    package var kind: String
    /// The resource's name.
    package var name: String
    /// The field's path within the resource.
    package var field: String
    /// What is wrong, as one clause.
    package var message: String
    /// Line in the body that was sent, from 1.
    package var line: Int?
    /// Column in the body that was sent, from 1.
    package var column: Int?

    /// Joins its parts.
    package init(
        kind: String,
        name: String,
        field: String,
        message: String,
        line: Int? = nil,
        column: Int? = nil
    ) {
        self.kind = kind
        self.name = name
        self.field = field
        self.message = message
        self.line = line
        self.column = column
    }
}
