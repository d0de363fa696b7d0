internal import FleetModel
internal import RegularExpressions

/// A route table while routes are added to it.
struct RouteTableBuilder: ~Copyable {
    var hosts = HostIndex()
    var paths = PathIndex()
    private(set) var candidates = CandidateBuilder()
    private(set) var expressions: [ExpressionList] = []
    private(set) var rest: [Candidate] = []
    /// By route; only building needs them.
    private var compiled: [Int32: RegularExpression] = [:]

    /// Adds a route.
    mutating func add(_ number: Int, _ route: Route, mark: UInt32) {
        let candidate = candidates.candidate(number, route, mark: mark)
        for host in route.hosts.map({ $0.map(Optional.some) }) ?? [nil] {
            let host = hosts.insert(host)
            let place: CandidateBuilder.Place
            switch route.conditions.path {
            case .exact(let path):
                place = .path(node: paths.insert(path, isExact: true, host: host).node)
            case .prefix(let path):
                let (node, depth) = paths.insert(path, isExact: false, host: host)
                hosts.noteDepth(depth, of: host)
                place = .path(node: node)
            case .regex(let pattern):
                // A configuration's patterns were compiled when it was checked.
                guard let expression = try? RegularExpression(pattern: pattern) else { return }
                compiled[candidate.route] = expression
                place = .expressions(host: host)
            case nil: place = .anyPath(host: host)
            }
            candidates.add(route, candidate, to: place)
        }
    }

    /// Puts the candidates in their places, when all routes are in.
    mutating func finish() {
        for (place, list) in candidates.lists() {
            switch place {
            case .path(let node): paths.setCandidates(store(list), of: node)
            case .anyPath(let host): hosts.setAnyPath(store(list), of: host)
            case .expressions(let host):
                hosts.setExpressions(expressions.count, of: host)
                expressions.append(
                    ExpressionList(
                        list.compactMap { candidate in
                            compiled[candidate.route].map {
                                ExpressionList.Entry(expression: $0, candidate: candidate)
                            }
                        }
                    )
                )
            }
        }
        hosts.finish()
        paths.finish()
        compiled = [:]
    }

    /// Stores a list; what follows a candidate without conditions is never asked, and left out.
    private mutating func store(_ candidates: [Candidate]) -> CandidateList {
        var list = CandidateList()
        list.restStart = Int32(rest.count)
        for (index, candidate) in candidates.enumerated() {
            if index == 0 { list.first = candidate } else { rest.append(candidate) }
            if candidate.conditions < 0 { break }
        }
        list.restEnd = Int32(rest.count)
        return list
    }
}
