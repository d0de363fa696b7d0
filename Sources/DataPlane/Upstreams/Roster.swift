package import FleetModel
package import SystemCalls

/// Whether an endpoint takes requests, and if not, why.
package enum Availability: Hashable, Sendable, CaseIterable {
    /// It takes requests.
    case available
    /// Its name leads nowhere.
    case unresolved
    /// Its checks fail.
    case unhealthy
    /// It is left out for what it has answered.
    case ejected
    /// An operator lets what it has come to an end.
    case drained
    /// An operator has taken it out.
    case disabled

    /// Whether requests go to it when too few others are left.
    var isForPanic: Bool { self == .available || self == .unhealthy || self == .ejected }
}

/// One endpoint of an upstream as its monitor sees it.
package struct Member: Sendable {
    /// What the configuration, or an answer, says of it.
    package let endpoint: Endpoint
    /// Where its name leads; empty where it leads nowhere.
    package let addresses: [StreamAddress]
    /// What is shared of it.
    package let state: EndpointState
    /// Whether it takes requests.
    package let availability: Availability
    /// Its share of the requests now, where it takes any.
    package let weight: Int
    /// How much of its weight it takes, in parts of `SlowStarts.scale`: less than all while it is new.
    package let grownShare: Int
    /// Whether connections to it can be made, as far as is known.
    package let isReachable: Bool
    /// Whether nothing came of its checks: who waits there for an answer may wait in vain.
    package let isSilent: Bool

    /// A member.
    package init(
        endpoint: Endpoint,
        addresses: [StreamAddress],
        state: EndpointState,
        availability: Availability,
        weight: Int,
        grownShare: Int = SlowStarts.scale,
        isReachable: Bool = true,
        isSilent: Bool = false
    ) {
        (self.endpoint, self.addresses, self.state) = (endpoint, addresses, state)
        (self.availability, self.weight, self.grownShare) = (availability, weight, grownShare)
        (self.isReachable, self.isSilent) = (isReachable, isSilent)
    }

    /// Whether requests go to it, or would if its tier's turn came.
    package var takesRequests: Bool { availability == .available && weight > 0 && isReachable }
}

/// An upstream's endpoints at one moment, and which of them requests go to.
///
/// A monitor makes a new one when anything changes; workers build from it what they choose with.
package struct Roster: Sendable {
    /// All endpoints; their addresses are distinct.
    package let members: [Member]
    /// Those that requests go to.
    package let candidates: [Candidate]
    /// Whether so few are available that all are used.
    package let isPanicking: Bool
    /// Whether some get no requests because the node's zone takes them.
    package let prefersZone: Bool
    /// What workers choose with, made once for all of them.
    package let table: BalanceTable

    /// An endpoint that requests go to.
    package struct Candidate: Equatable, Sendable {
        /// Its index among the members.
        package let member: Int
        /// At least 1.
        package let weight: Int
    }

    /// Settles where requests go: the lowest tier with an available endpoint, and in it the node's own zone.
    ///
    /// Those that are out of reach are left out wherever that leaves anybody.
    ///
    /// - Parameters:
    ///   - members: All endpoints.
    ///   - zone: The node's; `nil` for none.
    ///   - panicShare: Below which share of available endpoints in a tier, in thousandths of a percent, all of the
    ///     tier are used, unless another tier has an available one; with none available they always are. `nil` is never.
    ///   - balance: How one of them is chosen.
    ///   - previous: The roster before, whose table is used again where it is the same.
    package init(
        members: [Member],
        zone: String?,
        panicShare: Int?,
        balance: Balance = .roundRobin,
        following previous: Roster? = nil
    ) {
        self.members = members
        let weighted = members.indices.filter { members[$0].weight > 0 }
        let tiers = Set(weighted.map { members[$0].endpoint.tier }).sorted()
        func ofTier(_ tier: Int) -> [Int] { weighted.filter { members[$0].endpoint.tier == tier } }
        func isAvailable(_ index: Int) -> Bool { members[index].availability == .available }
        func isReachable(_ index: Int) -> Bool { members[index].isReachable }
        let tier =
            tiers.first { ofTier($0).contains { members[$0].takesRequests } }
            ?? tiers.first { ofTier($0).contains(where: isAvailable) } ?? tiers.first
        let ofIt = tier.map(ofTier) ?? []
        let usable = ofIt.filter { members[$0].availability.isForPanic }
        let available = ofIt.filter(isAvailable)
        let hasOthers = weighted.contains { members[$0].endpoint.tier != tier && isAvailable($0) }
        isPanicking =
            panicShare.map { share in
                guard !usable.isEmpty, !hasOthers else { return false }
                return available.isEmpty || available.count * 100_000 < usable.count * share
            } ?? false
        let all = isPanicking ? usable : available
        let reachable = all.filter(isReachable)
        let chosen = reachable.isEmpty ? all : reachable
        let near = Self.near(chosen, members, zone: zone)
        prefersZone = near.count < chosen.count
        candidates = near.map { index in
            Candidate(member: index, weight: members[index].weight)
        }
        table = BalanceTable(balance, candidates, members, following: previous)
    }

    /// The tier that requests go to; `nil` where they go nowhere.
    package var tier: Int? { candidates.first.map { members[$0.member].endpoint.tier } }

    /// The endpoints that requests go to.
    package var takingStates: [ObjectIdentifier] {
        candidates.map { ObjectIdentifier(members[$0.member].state) }
    }

    /// The weights of the candidates.
    package var weights: [Int] { candidates.map(\.weight) }

    /// Those of the node's zone, unless those of them that are available have less than half of the weight that the zone
    /// has in all.
    ///
    /// One that is new counts for as much as it takes. In a panic those that are not available count for nothing: a zone
    /// of them alone would keep all requests from whoever is well elsewhere.
    private static func near(_ chosen: [Int], _ members: [Member], zone: String?) -> [Int] {
        guard let zone else { return chosen }
        let near = chosen.filter { members[$0].endpoint.zone == zone }
        let tier = chosen.first.map { members[$0].endpoint.tier }
        var (taken, whole) = (0, 0)
        for index in near where members[index].availability == .available {
            taken += members[index].endpoint.weight * members[index].grownShare
        }
        for member in members where member.endpoint.zone == zone && member.endpoint.tier == tier {
            whole += member.endpoint.weight * SlowStarts.scale
        }
        return near.isEmpty || taken * 2 < whole ? chosen : near
    }
}
