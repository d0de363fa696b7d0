internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics

/// All conditions of one route besides its host and its path: what must hold, and what must not.
struct ConditionSet: Sendable {
    private let required: [Condition]
    private let excluded: [Condition]
    /// Whether a client's address is looked at.
    let looksAtClient: Bool

    /// Makes the set of a route; `nil` where there is nothing to ask.
    ///
    /// A regular expression that does not compile, which no checked configuration has, makes a set that never holds.
    init?(_ route: Route) {
        let excludedPath = route.exceptions.path
        guard route.conditions.count > 0 || !route.exceptions.isEmpty else { return nil }
        let required = Self.conditions(route.conditions)
        var excluded = Self.conditions(route.exceptions)
        if let excludedPath {
            if let test = PathTest(excludedPath) {
                excluded?.append(.path(test))
            } else {
                excluded = nil
            }
        }
        looksAtClient = !route.conditions.clients.isEmpty || !route.exceptions.clients.isEmpty
        self.required = (excluded == nil ? nil : required) ?? [.methods([])]
        self.excluded = excluded ?? []
    }

    /// In the order of `texts`.
    private static func conditions(_ list: RouteConditions) -> [Condition]? {
        var conditions: [Condition] = []
        if !list.methods.isEmpty {
            conditions.append(.methods(list.methods.map { Array($0.utf8) }))
        }
        for condition in list.headers {
            guard let test = NamedTest(condition) else { return nil }
            conditions.append(.field(test, FieldName.find(test.name.span)))
        }
        for condition in list.query {
            guard let test = NamedTest(condition) else { return nil }
            conditions.append(.parameter(test))
        }
        for condition in list.cookies {
            guard let test = NamedTest(condition) else { return nil }
            conditions.append(.cookie(test))
        }
        if !list.clients.isEmpty {
            conditions.append(.clients(list.clients.map(AddressRange.init)))
        }
        return conditions
    }

    /// What keeps a request from the route, for `explain`.
    enum Failure {
        /// The condition with this index does not hold.
        case missing(Int)
        /// The exception with this index holds.
        case excluded(Int)
    }

    /// The first condition that is not as it must be; `nil` when all are.
    ///
    /// Where a regular expression cannot tell, the request does not get to the route.
    func failure(
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: Span<UInt8>,
        _ client: ClientAddress
    ) -> Failure? {
        for index in required.indices
        where required[index].holds(request, octets, path, client) != true {
            return .missing(index)
        }
        for index in excluded.indices
        where excluded[index].holds(request, octets, path, client) != false {
            return .excluded(index)
        }
        return nil
    }
}

extension ConditionSet.Failure {
    /// The failure in words.
    ///
    /// - Parameter route: The route that the set was made of.
    /// - Returns: One clause.
    func text(_ route: Route) -> String {
        switch self {
        case .missing(let index):
            let texts = Self.texts(route.conditions)
            return texts.indices.contains(index) ? "not \(texts[index])" : "never"
        case .excluded(let index):
            var texts = Self.texts(route.exceptions)
            if let path = route.exceptions.path { texts.append("path \(path)") }
            return texts.indices.contains(index) ? "excepted: \(texts[index])" : "excepted"
        }
    }

    /// In the order of the set's conditions.
    private static func texts(_ list: RouteConditions) -> [String] {
        var texts: [String] = []
        if !list.methods.isEmpty { texts.append("method \(list.methods.joined(separator: ", "))") }
        texts += list.headers.map { "field \($0)" }
        texts += list.query.map { "query \($0)" }
        texts += list.cookies.map { "cookie \($0)" }
        if !list.clients.isEmpty {
            texts.append("client in \(list.clients.map(\.description).joined(separator: ", "))")
        }
        return texts
    }
}
