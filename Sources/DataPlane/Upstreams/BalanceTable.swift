internal import FleetModel

/// What the workers of a node choose an upstream's endpoints with, as far as they share it: it never changes.
package enum BalanceTable: Sendable {
    /// Turns, for round robin.
    case turns(EndpointSequence)
    /// What draws by weight.
    case draws(AliasTable, Draw)
    /// Whose keys are whose.
    case keys(HashTable)
    /// The loads of the endpoints say all.
    case loads(Load)

    /// What is done with draws.
    package enum Draw: Sendable { case one, betterOfTwo }

    /// What of the loads counts.
    package enum Load: Sendable { case requests, latency }

    /// Makes the table of a roster, or takes the one before if it is the same.
    init(
        _ balance: Balance,
        _ candidates: [Roster.Candidate],
        _ members: [Member],
        following previous: Roster?
    ) {
        let weights = candidates.map(\.weight)
        switch balance {
        case .roundRobin:
            if let previous, previous.weights == weights, case .turns = previous.table {
                self = previous.table
            } else {
                self = .turns(EndpointSequence(weights: weights))
            }
        case .random: self = .draws(AliasTable(weights: weights), .one)
        case .powerOfTwo: self = .draws(AliasTable(weights: weights), .betterOfTwo)
        case .leastRequests: self = .loads(.requests)
        case .latency: self = .loads(.latency)
        case .hash:
            func addresses(_ roster: Roster) -> [NetworkAddress] {
                roster.candidates.map { roster.members[$0.member].endpoint.address }
            }
            let own = candidates.map { members[$0.member].endpoint.address }
            if let previous, previous.weights == weights, case .keys = previous.table,
                addresses(previous) == own
            {
                self = previous.table
            } else {
                let identities = own.map { HashedKey($0.description) }
                self = .keys(HashTable(identities: identities, weights: weights))
            }
        }
    }
}

extension BalanceTable {
    /// Whether another table is used in the same way.
    package func isSameKind(as other: BalanceTable?) -> Bool {
        switch (self, other) {
        case (.turns, .turns), (.keys, .keys): true
        case (.draws(_, let draw), .draws(_, let other)): draw == other
        case (.loads(let load), .loads(let other)): load == other
        default: false
        }
    }
}

extension Roster {
    /// Makes what one worker chooses with.
    ///
    /// - Parameters:
    ///   - state: What is shared of the upstream.
    ///   - seed: Makes the worker's draws differ from those of others.
    /// - Returns: `nil` for turns, which do without.
    package func makeBalancer(_ state: UpstreamState, seed: UInt64) -> Balancer? {
        let weights = weights
        let loads = candidates.map { members[$0.member].state.load }
        switch table {
        case .turns: return nil
        case .draws(let table, .one):
            return RandomBalancer(weights: weights, loads: loads, table: table, seed: seed)
        case .draws(let table, .betterOfTwo):
            return PowerOfTwoBalancer(weights: weights, loads: loads, table: table, seed: seed)
        case .loads(.requests):
            return LeastRequestsBalancer(weights: weights, loads: loads, seed: seed)
        case .loads(.latency):
            return LatencyBalancer(weights: weights, loads: loads, seed: seed)
        case .keys(let table):
            return HashBalancer(
                weights: weights,
                loads: loads,
                table: table,
                upstream: state.load,
                seed: seed
            )
        }
    }
}
