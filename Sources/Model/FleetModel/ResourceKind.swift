/// What a resource is.
///
/// The raw value is the word used in errors; `number` is the one on the wire.
package enum ResourceKind: String, Hashable, Sendable, CaseIterable, Comparable {
    case listener
    case certificate
    case upstream
    case route
    case policy
    case consumer
    case api
    case test
    case group
    case hiding
    case requestID
    case overload
    case paths
    case logging
    case tracing
    case metrics

    /// The kind's number in manifests and frames.
    ///
    /// Never reused; 0 is unspecified and refused.
    package var number: UInt8 {
        switch self {
        case .listener: 1
        case .certificate: 2
        case .upstream: 3
        case .route: 4
        case .policy: 5
        case .consumer: 6
        case .api: 7
        case .test: 8
        case .group: 9
        case .hiding: 20
        case .requestID: 21
        case .overload: 22
        case .paths: 23
        case .logging: 24
        case .tracing: 25
        case .metrics: 26
        }
    }

    /// The kind with that number.
    package init?(number: UInt8) {
        guard let kind = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = kind
    }

    /// Whether a configuration holds at most one, whose name is then the kind's own word.
    package var isSingleton: Bool { number >= 20 }

    /// Whether file order has a meaning, so that a manifest keeps it.
    package var keepsOrder: Bool { self == .route || self == .test }

    /// The section of a configuration document that holds resources of this kind.
    package var section: String {
        switch self {
        case .policy: "policies"
        case .listener, .certificate, .upstream, .route, .consumer, .api, .test, .group:
            rawValue + "s"
        case .hiding, .requestID, .overload, .paths, .logging, .tracing, .metrics: rawValue
        }
    }

    /// The kind that a section of a configuration document holds.
    package init?(section: String) {
        guard let kind = Self.allCases.first(where: { $0.section == section }) else { return nil }
        self = kind
    }

    /// Orders kinds as manifests list them.
    package static func < (left: ResourceKind, right: ResourceKind) -> Bool {
        left.number < right.number
    }
}
