/// What is logged.
package struct Logging: Hashable, Sendable {
    /// The access log; `nil` writes none.
    package let access: AccessLog?
}

/// The access log.
package struct AccessLog: Hashable, Sendable {
    /// How a record is written.
    package let format: AccessLogFormat
    /// Where records go.
    package let target: AccessLogTarget
}

/// How a record of the access log is written.
package enum AccessLogFormat: String, Hashable, Sendable {
    /// One JSON object per line.
    case json
    /// The combined log format.
    case combined
}

/// Where the access log goes.
package enum AccessLogTarget: Hashable, Sendable {
    /// Standard output.
    case stdout
    /// A file by its absolute path, opened for appending.
    case file(String)
}
