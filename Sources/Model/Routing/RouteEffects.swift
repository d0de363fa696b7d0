internal import Bytes
internal import Disclosure
internal import FleetModel
internal import HTTPSemantics

/// What becomes of the fields of a request and of its response, for `explain`: what policies change, and what is hidden.
package struct RouteEffects: Sendable, Equatable {
    /// What policies make of the request's fields.
    package let request: Fields
    /// What policies, and the node itself where it replaces Server, make of the response's.
    package private(set) var response: Fields
    /// Fields of an answer that no upstream gives, before policies change them.
    package let answer: [Line]
    /// Pages in the place of errors.
    package let pages: [Page]
    /// Patterns of fields that an upstream's response loses, as back ends' secrets.
    package private(set) var hidden: [String] = []
    /// How Locations that name what clients do not know come back.
    package private(set) var locations: [Location] = []
    /// The field lines that the upstream gets, in their order; nothing where it gets no request.
    package private(set) var sent: [Line] = []
    /// Variables that have no value before there is a request, each with why.
    package private(set) var unknown: [Unknown]

    /// A field line.
    package struct Line: Sendable, Equatable {
        /// The field's name, in lower case.
        package let name: String
        /// Its value, in which variables without a value stand as they are.
        package let value: String
    }

    /// Changes of a message's fields.
    package struct Fields: Sendable, Equatable {
        /// Lines that take the place of all of that name.
        package fileprivate(set) var sets: [Line] = []
        /// Lines that come behind those that are there.
        package fileprivate(set) var adds: [Line] = []
        /// Patterns of names that are removed.
        package fileprivate(set) var removes: [String] = []
        /// Names of the fields of this message that do not go on; of a response there is none yet.
        package fileprivate(set) var dropped: [String] = []

        /// Whether nothing is changed.
        package var isEmpty: Bool { sets.isEmpty && adds.isEmpty && removes.isEmpty }
    }

    /// A page in the place of errors.
    package struct Page: Sendable, Equatable {
        /// The status codes, as the configuration writes them.
        package let statuses: String
        /// The name of the policy.
        package let policy: String
        /// The value of Content-Type.
        package let contentType: String
    }

    /// A Location of an upstream.
    package struct Location: Sendable, Equatable {
        /// As the upstream says it.
        package let said: String
        /// As the client sees it; nothing where the field goes.
        package let shown: String?
    }

    /// A variable that has no value yet.
    package struct Unknown: Sendable, Equatable {
        /// As texts name it.
        package let variable: String
        /// Why.
        package let why: String
    }

    /// Tells what a route's policies do.
    ///
    /// - Parameters:
    ///   - plan: What they do.
    ///   - told: What the request tells.
    ///   - answer: The answer that is given in the place of an upstream's, if one is.
    ///   - isForwarded: Whether the request goes to an upstream.
    ///   - values: Values of variables; it may know already of some that have none.
    init(
        _ plan: RoutePlan,
        _ told: RequestFacts,
        _ answer: LocalAnswer?,
        isForwarded: Bool,
        _ values: inout TemplateValues
    ) {
        var request = Fields()
        if isForwarded {
            request = Fields(plan.request, plan.request.added, &values)
            request.dropped = told.fieldNames.filter { plan.request.drops(requestField: $0) }
        }
        self.request = request
        let added = told.isSecure ? plan.response.added : plan.response.addedInClear
        response = Fields(plan.response, added, &values)
        var lines: [Line] = []
        if let answer {
            let page = answer.yieldsToPages ? plan.pages?.page(for: answer.status) : nil
            for field in answer.fields where page == nil || field.name != "content-type" {
                lines.append(Line(name: field.name, value: values.text(of: field.value)))
            }
            if let page { lines.append(Line(name: "content-type", value: page.contentType)) }
        }
        self.answer = lines
        pages = (plan.pages?.runs ?? []).map { run in
            let (first, last) = (run.statuses.lowerBound, run.statuses.upperBound)
            return Page(
                statuses: first == last ? "\(first)" : "\(first)-\(last)",
                policy: run.policy,
                contentType: run.page.contentType
            )
        }
        unknown = Self.unknown(values)
    }

    /// Stands for the address of a proxy that nobody has named.
    static let unknownPeer = "${peer}"

    private static func unknown(_ values: TemplateValues) -> [Unknown] {
        values.unknown.map { variable in
            Unknown(variable: "${\(variable.rawValue)}", why: reason(variable))
        }
    }

    /// Takes the lines that the upstream gets.
    mutating func take(_ fields: SentFields, _ told: RequestFacts, _ values: TemplateValues) {
        sent = fields.lines
        unknown = Self.unknown(values)
        if told.peer == nil {
            let why = "the client is taken to come through a proxy in trustedProxies"
            unknown.append(Unknown(variable: Self.unknownPeer, why: why))
        }
    }

    private static func reason(_ variable: Template.Variable) -> String {
        switch variable {
        case .requestID: "each request has another, unless a peer that is believed says it"
        case .upstream: "chance chooses it"
        case .subject, .fingerprint: "the client's certificate tells it"
        case .tlsVersion: "the handshake settles it"
        case .client, .scheme, .host, .port, .path, .query, .route: "the request tells it"
        }
    }

    /// Tells what clients do not get to see of an upstream's response.
    ///
    /// - Parameters:
    ///   - configuration: The configuration.
    ///   - route: The route.
    ///   - told: What the request tells.
    ///   - upstream: The upstream; nothing where chance decides.
    ///   - endpoint: The first of its endpoints.
    ///   - path: The path that the endpoint sees.
    ///   - host: The Host that it sees.
    mutating func hide(
        _ configuration: Configuration,
        _ route: Route,
        _ told: RequestFacts,
        upstream: String?,
        endpoint: String?,
        path: String,
        host: String
    ) {
        let hiding = configuration.hiding
        if hiding.server != .keep { hidden.append("server") }
        hidden += (hiding.responseHeaders + hiding.productHeaders).map(\.text)
        if case .replace(let text) = hiding.server {
            response.sets.append(Line(name: "server", value: text))
        }
        let isSecured = configuration.upstreams.first { $0.name == upstream }?.tls != nil
        let scheme = isSecured ? "https" : "http"
        var places = endpoint.map { $0.hasPrefix("unix:") ? [] : [$0] } ?? []
        if host != told.authority { places.append(host) }
        let names = PublicNames(configuration)
        let view = PublicView(authority: Array(told.authority.utf8), isSecure: told.isSecure)
        for place in places {
            let said = "\(scheme)://\(place)\(path)"
            guard let names, names.rewritesLocations else {
                locations.append(Location(said: said, shown: said))
                continue
            }
            let shown: String? =
                switch names.show(.location, Array(said.utf8), to: view, InversePath(route)) {
                case .same: said
                case .replaced(let octets): String(decoding: octets, as: UTF8.self)
                case .nothing: nil
                }
            locations.append(Location(said: said, shown: shown))
        }
    }
}

extension RouteEffects.Fields {
    fileprivate init(
        _ changes: FieldChanges,
        _ added: [FieldLine],
        _ values: inout TemplateValues
    ) {
        for field in added {
            let text = values.text(of: field.value)
            let line = RouteEffects.Line(name: field.name, value: text)
            let isAlone = changes.dropped.contains { $0.matches(field.name) }
            if isAlone { sets.append(line) } else { adds.append(line) }
        }
        removes = changes.removed.map(\.text)
    }
}
