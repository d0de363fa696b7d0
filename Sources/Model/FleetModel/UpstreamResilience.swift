/// The part of a request that is hashed.
package enum HashKey: Hashable, Sendable {
    /// The client's address.
    case clientAddress
    /// The value of this field, by its name in lower case.
    case header(String)
    /// The value of this cookie.
    case cookie(String)
    /// The value of this parameter of the query.
    case query(String)
    /// The path, normalised.
    case path
}

/// What keeps a client at its endpoint.
package struct Sticky: Hashable, Sendable {
    /// The cookie's name.
    package let cookie: String
    /// How long the cookie lives; `nil` until the client ends.
    package let ttl: Duration?
}

/// Where requests wait while every connection is in use, per node.
package struct UpstreamQueue: Hashable, Sendable {
    /// How many wait at most; `nil` is none.
    package let requests: Int?
    /// How long one waits at most.
    package let timeout: Duration
}

/// Where endpoints are found.
package struct Discovery: Hashable, Sendable {
    /// The name to ask for, without a final dot.
    package let name: String
    /// The port of what is found; of SRV records, which say it themselves, none is asked for.
    package let port: Int?
    /// Which records are asked for.
    package let type: RecordType
    /// How often; `nil` is as the answers say.
    package let refresh: Duration?

    /// Which records are asked for.
    package enum RecordType: String, Hashable, Sendable {
        /// Addresses of the name: A and AAAA.
        case a
        /// Targets with ports, weights and priorities (RFC 2782).
        case srv
    }
}

/// When a request is tried again.
package struct Retry: Hashable, Sendable {
    /// Tries beyond the first.
    package let attempts: Int
    /// After which failures.
    package let conditions: Conditions
    /// After which status codes of an endpoint, ascending.
    package let statuses: [Int]
    /// Which share of requests may be retries, in thousandths of a percent.
    package let budget: Int
    /// How long one try may take; `nil` is no limit.
    package let perTryTimeout: Duration?

    /// Failures after which a request is tried again.
    package struct Conditions: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// No connection could be made.
        package static let connect = Conditions(rawValue: 1)
        /// The connection ended before the response began.
        package static let reset = Conditions(rawValue: 2)
        /// No response began in time.
        package static let timeout = Conditions(rawValue: 4)

        /// The words of the configuration.
        static let words: [String: Conditions] = [
            "connect": .connect, "reset": .reset, "timeout": .timeout,
        ]
    }
}

/// How endpoints are checked.
package struct HealthCheck: Hashable, Sendable {
    /// What is asked.
    package let probe: Probe
    /// Time between two checks.
    package let interval: Duration
    /// Limit of one check.
    package let timeout: Duration
    /// Successes in a row after which an endpoint is well.
    package let healthyAfter: Int
    /// Failures in a row after which an endpoint is not.
    package let unhealthyAfter: Int
    /// Which part of the interval is left to chance, in thousandths of a percent.
    package let jitter: Int

    /// What is asked of an endpoint.
    package enum Probe: Hashable, Sendable {
        /// A connection.
        case tcp
        /// A GET request.
        case http(HTTPProbe)
        /// `grpc.health.v1.Health/Check` for a service; empty is the whole server.
        case grpc(service: String)
    }

    /// A GET request and what must come.
    package struct HTTPProbe: Hashable, Sendable {
        /// Path and query.
        package let path: String
        /// Status codes that are well.
        package let statuses: [ClosedRange<Int>]
        /// The value of Host; `nil` is the endpoint's own.
        package let host: String?
        /// What the content must contain; empty is anything.
        package let body: String
    }
}

/// When an endpoint is left out for what it answers.
package struct Outliers: Hashable, Sendable {
    /// Failures in a row after which it is; `nil` is never.
    package let consecutiveErrors: Int?
    /// Below which share of successes it is, in thousandths of a percent; 0 is never.
    package let successRate: Int
    /// For how long the first time; longer each time that follows.
    package let ejectFor: Duration
    /// Which share of endpoints may be left out, in thousandths of a percent.
    package let maximumEjected: Int
}

/// When nothing is sent to an upstream for a while.
package struct Circuit: Hashable, Sendable {
    /// From which share of failures on, in thousandths of a percent.
    package let errors: Int
    /// How many requests there must have been.
    package let minimumRequests: Int
    /// The time that counts.
    package let window: Duration
    /// How long nothing is sent before it is tried again.
    package let openFor: Duration
    /// The status that is answered meanwhile.
    package let status: Int
}

/// When new requests are refused at once.
package struct Overload: Hashable, Sendable {
    /// Lag of a worker's loop; `nil` is no limit.
    package let loopLag: Duration?
    /// Resident memory in octets; `nil` is no limit.
    package let memory: Int?
}
