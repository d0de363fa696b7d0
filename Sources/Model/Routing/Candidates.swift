package import FleetModel
internal import RegularExpressions

/// A route that serves a request of its host and path, if its conditions hold.
struct Candidate: Sendable {
    /// The route's number.
    var route: Int32
    /// The number of its conditions, or -1: it serves every such request.
    var conditions: Int32
    /// What the table's owner wants to know of the route at once, without another look into memory.
    var mark: UInt32
}

/// Candidates in their order: the first one apart, as most lists have no other.
struct CandidateList: Sendable {
    /// Its route is -1 in an empty list.
    var first = Candidate(route: -1, conditions: -1, mark: 0)
    /// The others, as indices into the table's candidates.
    var restStart: Int32 = 0
    var restEnd: Int32 = 0
}

/// The regular expressions of one host node, in the order of their routes.
struct ExpressionList: Sendable {
    let entries: [Entry]
    /// All patterns at once, where there are several; `nil` has them tried one by one.
    private let set: RegularExpressionSet?

    /// A route with its pattern.
    struct Entry: Sendable {
        let expression: RegularExpression
        let candidate: Candidate
    }

    init(_ entries: [Entry]) {
        self.entries = entries
        // A set that is too large is no loss but of time.
        set = entries.count < 4 ? nil : try? RegularExpressionSet(entries.map(\.expression))
    }

    /// The entries whose pattern matches the whole of a path, in order.
    func matching(_ path: Span<UInt8>) -> [Int] {
        if let set {
            var found: [Int] = []
            // What the set cannot tell, its patterns may one by one.
            if (try? set.appendMatches(whole: path, to: &found)) != nil { return found }
        }
        return entries.indices.filter { entries[$0].expression.tells(path) == true }
    }
}

/// Sorts candidates into lists while a table is built.
///
/// Of one list, more conditions come first, then file order.
struct CandidateBuilder {
    /// Where a list belongs.
    enum Place: Equatable {
        case path(node: Int)
        case expressions(host: Int)
        case anyPath(host: Int)
    }

    private(set) var conditions: [ConditionSet] = []
    private(set) var looksAtClient = false
    private var items: [Item] = []

    private struct Item {
        /// The kind of place, then its number.
        let place: UInt64
        let conditionCount: Int32
        let candidate: Candidate
    }

    /// The candidate of a route, whose conditions are made.
    mutating func candidate(_ number: Int, _ route: Route, mark: UInt32) -> Candidate {
        guard let set = ConditionSet(route) else {
            return Candidate(route: Int32(number), conditions: -1, mark: mark)
        }
        conditions.append(set)
        looksAtClient = looksAtClient || set.looksAtClient
        return Candidate(
            route: Int32(number),
            conditions: Int32(conditions.count - 1),
            mark: mark
        )
    }

    /// Adds a route to a list.
    mutating func add(_ route: Route, _ candidate: Candidate, to place: Place) {
        items.append(
            Item(
                place: Self.key(place),
                conditionCount: Int32(clamping: route.conditionCount),
                candidate: candidate
            )
        )
    }

    /// All lists, each in its order.
    mutating func lists() -> [(place: Place, candidates: [Candidate])] {
        items.sort { left, right in
            if left.place != right.place { return left.place < right.place }
            if left.conditionCount != right.conditionCount {
                return left.conditionCount > right.conditionCount
            }
            return left.candidate.route < right.candidate.route
        }
        var lists: [(place: Place, candidates: [Candidate])] = []
        var start = 0
        while start < items.count {
            var end = start
            while end < items.count, items[end].place == items[start].place { end += 1 }
            lists.append((Self.place(items[start].place), items[start..<end].map(\.candidate)))
            start = end
        }
        items = []
        return lists
    }

    private static func key(_ place: Place) -> UInt64 {
        switch place {
        case .path(let node): UInt64(node)
        case .expressions(let host): 1 << 32 | UInt64(host)
        case .anyPath(let host): 2 << 32 | UInt64(host)
        }
    }

    private static func place(_ key: UInt64) -> Place {
        let node = Int(key & 0xFFFF_FFFF)
        return switch key >> 32 {
        case 0: .path(node: node)
        case 1: .expressions(host: node)
        default: .anyPath(host: node)
        }
    }
}

extension Route {
    /// How many conditions there are besides the path, exceptions included.
    package var conditionCount: Int {
        conditions.count + exceptions.count + (exceptions.path == nil ? 0 : 1)
    }
}
