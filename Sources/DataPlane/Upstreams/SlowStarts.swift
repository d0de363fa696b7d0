package import EventLoop
internal import FleetModel

/// Which endpoints of an upstream are new, and how much of their share they take.
///
/// An endpoint that is new in an upstream that runs, or that takes requests again, begins with a hundredth of its weight,
/// which grows evenly to all of it. Where no endpoint of a tier is past that, there is nobody to leave the requests to, and
/// all of it take their shares at once.
package struct SlowStarts: Sendable {
    /// Endpoints that take requests.
    private var taking: [ObjectIdentifier: Taking] = [:]
    private var hasBegun = false

    private struct Taking {
        /// Held, so that no other endpoint is taken for it.
        let state: EndpointState
        /// Since when it is new; `nil` where it is not.
        var since: LoopInstant?
    }

    /// Weights are multiplied by it while an endpoint is new, so that parts of them are whole numbers.
    package static let scale = 100
    /// Steps in which a share grows.
    static let steps: UInt64 = 20
    /// The shortest step, in nanoseconds.
    static let stepNanosecondsMin: UInt64 = 100_000_000

    /// Nothing is known yet: the endpoints that come first are not new.
    package init() {}

    /// Gives the endpoints the weights that they have now.
    ///
    /// - Parameters:
    ///   - members: All endpoints, with their whole weights.
    ///   - nanoseconds: How long a share grows; `nil` is not at all.
    ///   - now: The moment.
    /// - Returns: The same endpoints.
    package mutating func apply(
        to members: [Member],
        over nanoseconds: UInt64?,
        now: LoopInstant
    ) -> [Member] {
        var next: [ObjectIdentifier: Taking] = [:]
        let takers = members.filter(\.takesRequests)
        for member in takers {
            let key = ObjectIdentifier(member.state)
            var entry = taking[key] ?? Taking(state: member.state, since: hasBegun ? now : nil)
            if let since = entry.since, now.nanoseconds(since: since) >= nanoseconds ?? 0 {
                entry.since = nil
            }
            next[key] = entry
        }
        hasBegun = hasBegun || !next.isEmpty
        // Whoever would be left with all requests of its tier need not grow into them.
        func isNew(_ member: Member) -> Bool { next[ObjectIdentifier(member.state)]?.since != nil }
        let grown = Set(takers.filter { !isNew($0) }.map(\.endpoint.tier))
        for member in takers where !grown.contains(member.endpoint.tier) {
            next[ObjectIdentifier(member.state)]?.since = nil
        }
        taking = next
        guard let nanoseconds, nanoseconds > 0, isGrowing else { return members }
        return members.map { member in
            let share = share(of: member.state, over: nanoseconds, now: now) ?? Self.scale
            return member.weighing(member.weight * share, grownShare: share)
        }
    }

    /// The share of its weight that an endpoint takes while it is new.
    ///
    /// - Parameters:
    ///   - state: The endpoint's.
    ///   - nanoseconds: How long a share grows.
    ///   - now: The moment.
    /// - Returns: Hundredths; `nil` where it is not new.
    package func share(
        of state: EndpointState,
        over nanoseconds: UInt64,
        now: LoopInstant
    ) -> Int? {
        guard nanoseconds > 0, let since = taking[ObjectIdentifier(state)]?.since else {
            return nil
        }
        let part = Double(now.nanoseconds(since: since)) / Double(nanoseconds)
        // When its time is over, it is new until weights are given the next time.
        return max(1, Int(min(part, 1) * Double(Self.scale)))
    }

    /// Whether any endpoint is new.
    package var isGrowing: Bool { taking.values.contains { $0.since != nil } }

    /// Nanoseconds until the shares are to be settled anew.
    ///
    /// - Parameter nanoseconds: How long a share grows.
    /// - Returns: The length of a step.
    package static func step(of nanoseconds: UInt64) -> UInt64 {
        max(nanoseconds / steps, stepNanosecondsMin)
    }
}

extension Member {
    /// The same with another share of the requests.
    fileprivate func weighing(_ weight: Int, grownShare: Int) -> Member {
        Member(
            endpoint: endpoint,
            addresses: addresses,
            state: state,
            availability: availability,
            weight: weight,
            grownShare: grownShare,
            isReachable: isReachable,
            isSilent: isSilent
        )
    }
}
