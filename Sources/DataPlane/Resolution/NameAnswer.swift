package import DNS
package import FleetModel

/// What is looked up of a name.
package enum RecordsWanted: Hashable, Sendable {
    /// Its addresses of both families.
    case addresses
    /// Its services (RFC 2782).
    case services
}

/// What a name leads to.
package struct NameAnswer: Equatable, Sendable {
    /// The addresses: IPv4 first, each family in ascending order, so that the same ones are the same answer.
    package let addresses: [IPAddress]
    /// The services, in the order of priority, target and port.
    package let services: [Service]
    /// How long it holds, in seconds.
    package let seconds: UInt32
    /// Records beyond the limit, which were left out.
    package let droppedCount: Int

    /// Where a service is, and its share.
    package struct Service: Hashable, Sendable {
        /// The target's name.
        package let host: String
        /// Where it listens.
        package let port: UInt16
        /// Lower ones are tried first.
        package let priority: UInt16
        /// The share among those of one priority.
        package let weight: UInt16

        /// Joins the fields.
        package init(host: String, port: UInt16, priority: UInt16, weight: UInt16) {
            (self.host, self.port) = (host, port)
            (self.priority, self.weight) = (priority, weight)
        }
    }

    /// Joins the parts, in their order.
    package init(
        addresses: [IPAddress],
        services: [Service] = [],
        seconds: UInt32,
        droppedCount: Int = 0
    ) {
        self.addresses = addresses.sorted { Self.key($0) < Self.key($1) }
        self.services = services.sorted {
            ($0.priority, $0.host, $0.port, $0.weight) < ($1.priority, $1.host, $1.port, $1.weight)
        }
        (self.seconds, self.droppedCount) = (seconds, droppedCount)
    }

    /// Whether it leads to the same, however long it holds.
    package func leadsToSame(as other: NameAnswer) -> Bool {
        addresses == other.addresses && services == other.services
    }

    private static func key(_ address: IPAddress) -> (Int, UInt64, UInt64) {
        switch address {
        case .v4(let word): (4, 0, UInt64(word))
        case .v6(let high, let low): (6, high, low)
        }
    }
}

/// Why a lookup has brought nothing.
package enum LookupFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// There is no such name; the zone may say for how long.
    case noSuchName(seconds: UInt32?)
    /// There is such a name, but nothing of what was asked for.
    case noRecords(seconds: UInt32?)
    /// Nobody has answered, or not in a way that can be used.
    case unanswered(String)

    /// Whether name servers have said that there is nothing.
    package var isNegative: Bool {
        if case .unanswered = self { false } else { true }
    }

    /// How long it holds.
    package var seconds: UInt32? {
        switch self {
        case .noSuchName(let seconds), .noRecords(let seconds): seconds
        case .unanswered: nil
        }
    }

    /// The reason, as people read it.
    package var description: String {
        switch self {
        case .noSuchName: "no such name"
        case .noRecords: "the name has no such records"
        case .unanswered(let reason): reason
        }
    }
}

/// A name as records have it, where the configuration has names too.
extension IPAddress {
    /// Takes the address of a record.
    package init(_ address: DNSAddress) {
        switch address {
        case .v4(let word): self = .v4(word)
        case .v6(let high, let low): self = .v6(high: high, low: low)
        }
    }
}
