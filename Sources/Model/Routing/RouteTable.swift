internal import Bytes
package import FleetModel
package import HTTP1
package import HTTPSemantics

/// Which route serves a request on one listener: all routes of that listener, compiled.
///
/// The first route whose every condition holds wins, in this order over all hosts: exact host, longer
/// wildcard, any host; then exact path, longest prefix, regular expression, any path; then more
/// conditions; then file order. Hosts and paths are found by hash, so a look-up costs the same for ten
/// routes and for ten thousand:
///
///     host ──hash──▶ host node ──parent──▶ longer wildcard ──parent──▶ … ──▶ any host
///                        │
///     path segments ──hash──▶ exact path or longest prefix ──parent──▶ shorter prefix ──parent──▶ …
///                        │                  │
///                        ├──▶ expressions   └──▶ candidates: the routes with this host and path, in order
///                        └──▶ any path
///
/// Where no candidate's conditions hold, the next less specific node is asked. Immutable; built by one
/// worker for itself, so that no reference count is shared on the way.
package final class RouteTable: Sendable {
    private let hosts: HostIndex
    private let paths: PathIndex
    private let expressions: [ExpressionList]
    private let conditions: [ConditionSet]
    /// Behind the first ones of all lists.
    private let rest: [Candidate]
    /// Whether a client's address is looked at.
    package let looksAtClient: Bool

    /// Compiles the routes of one listener.
    ///
    /// - Parameters:
    ///   - routes: All routes, in file order; results are indices into them.
    ///   - listener: The listener's name; routes that do not serve it are left out.
    ///   - marks: What `match` tells of each route beside its number; empty is 0 of all.
    /// - Complexity: O(total length of hosts and paths).
    package convenience init(routes: [Route], listener: String, marks: [UInt32] = []) {
        self.init(
            routes: routes.indices.lazy.filter { routes[$0].serves(listener) }
                .map { ($0, routes[$0]) },
            marks: marks
        )
    }

    /// Compiles routes whatever their listeners.
    ///
    /// - Parameters:
    ///   - routes: Numbers and routes, in file order; results are these numbers.
    ///   - marks: What `match` tells of each beside its number; empty is 0 of all.
    package init(routes: some Sequence<(Int, Route)>, marks: [UInt32] = []) {
        var builder = RouteTableBuilder()
        for (number, route) in routes {
            builder.add(number, route, mark: marks.isEmpty ? 0 : marks[number])
        }
        builder.finish()
        (expressions, rest) = (builder.expressions, builder.rest)
        conditions = builder.candidates.conditions
        looksAtClient = builder.candidates.looksAtClient
        hosts = builder.hosts
        paths = builder.paths
    }

    /// Finds the route of a request.
    ///
    /// - Parameters:
    ///   - request: The request's head.
    ///   - octets: The message from its start.
    ///   - path: The normalised path, without the query.
    ///   - client: The client's address.
    /// - Returns: The route's number and its mark, or `nil` when none matches.
    /// - Complexity: O(length of host and path), times the wildcards and prefixes that hold when the
    ///   routes of the more specific ones do not serve the request; allocates nothing, regular
    ///   expressions aside.
    package func match(
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        path: Span<UInt8>,
        client: ClientAddress
    ) -> (route: Int, mark: UInt32)? {
        var witness = NoWitness()
        return search(request, octets, path, client, &witness).map { ($0.route, $0.mark) }
    }

    /// Finds the route of a request and says why it is that one.
    ///
    /// - Parameters:
    ///   - request: The request's head.
    ///   - octets: The message from its start.
    ///   - path: The normalised path, without the query.
    ///   - client: The client's address.
    ///   - routes: What the table was made of.
    /// - Returns: The decision.
    package func explain(
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        path: Span<UInt8>,
        client: ClientAddress,
        routes: [Route]
    ) -> RouteDecision {
        var witness = Trail(routes: routes)
        guard let found = search(request, octets, path, client, &witness) else {
            return RouteDecision(match: nil, passed: witness.passed)
        }
        let pattern: PathPattern? =
            switch found.place {
            case .path(let node): paths.pattern(of: node)
            case .expressions: routes[found.route].conditions.path
            case .anyPath: nil
            }
        return RouteDecision(
            match: RouteMatch(
                route: found.route,
                host: hosts.pattern(of: found.host),
                path: pattern,
                conditionCount: routes[found.route].conditionCount
            ),
            passed: witness.passed
        )
    }

    // MARK: The search

    private struct Found {
        let candidate: Candidate
        let host: Int
        let place: CandidateBuilder.Place

        var route: Int { Int(candidate.route) }
        var mark: UInt32 { candidate.mark }
    }

    /// The one search of all callers; the witness learns why candidates were passed over.
    @inline(__always)
    private func search(
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: Span<UInt8>,
        _ client: ClientAddress,
        _ witness: inout some Witness
    ) -> Found? {
        var host = hosts.find(octets, request.authority.host.indices)
        while true {
            var node = paths.find(path, host: host, depths: hosts.depths(of: host))
            while node >= 0 {
                let list = paths.candidates(of: node)
                if let found = first(of: list, request, octets, path, client, &witness) {
                    return Found(candidate: found, host: host, place: .path(node: node))
                }
                node = paths.parent(of: node)
            }
            if let list = hosts.expressions(of: host),
                let found = first(matching: list, request, octets, path, client, &witness)
            {
                return Found(candidate: found, host: host, place: .expressions(host: host))
            }
            let list = hosts.anyPath(of: host)
            if let found = first(of: list, request, octets, path, client, &witness) {
                return Found(candidate: found, host: host, place: .anyPath(host: host))
            }
            guard let parent = hosts.parent(of: host) else { return nil }
            host = parent
        }
    }

    /// The first candidate of a list whose conditions hold.
    @inline(__always)
    private func first(
        of list: CandidateList,
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: Span<UInt8>,
        _ client: ClientAddress,
        _ witness: inout some Witness
    ) -> Candidate? {
        guard list.first.route >= 0 else { return nil }
        if serves(list.first, request, octets, path, client, &witness) { return list.first }
        var index = Int(list.restStart)
        while index < Int(list.restEnd) {
            if serves(rest[index], request, octets, path, client, &witness) { return rest[index] }
            index += 1
        }
        return nil
    }

    /// The first candidate whose regular expression matches and whose conditions hold.
    private func first(
        matching list: Int,
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: Span<UInt8>,
        _ client: ClientAddress,
        _ witness: inout some Witness
    ) -> Candidate? {
        let list = expressions[list]
        for index in list.matching(path) {
            let candidate = list.entries[index].candidate
            if serves(candidate, request, octets, path, client, &witness) { return candidate }
        }
        return nil
    }

    @inline(__always)
    private func serves(
        _ candidate: Candidate,
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: Span<UInt8>,
        _ client: ClientAddress,
        _ witness: inout some Witness
    ) -> Bool {
        guard candidate.conditions >= 0 else { return true }
        let set = conditions[Int(candidate.conditions)]
        guard let failure = set.failure(request, octets, path, client) else { return true }
        witness.passed(candidate, failure)
        return false
    }
}

/// Learns why candidates are passed over.
private protocol Witness {
    mutating func passed(_ candidate: Candidate, _ failure: ConditionSet.Failure)
}

private struct NoWitness: Witness {
    /// What takes no room has no address, and ThreadSanitizer, which is told it, ends the process at whatever stands there.
    private let room: UInt8 = 0

    @inline(__always)
    mutating func passed(_ candidate: Candidate, _ failure: ConditionSet.Failure) {}
}

private struct Trail: Witness {
    let routes: [Route]
    var passed: [RouteDecision.Passed] = []

    mutating func passed(_ candidate: Candidate, _ failure: ConditionSet.Failure) {
        let route = Int(candidate.route)
        passed.append(RouteDecision.Passed(route: route, reason: failure.text(routes[route])))
    }
}
