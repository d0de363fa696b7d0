internal import Bytes
internal import Cryptography
internal import Disclosure
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import RegularExpressions
internal import Routing
internal import Structures
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Upstreams

/// One worker's copy of a snapshot, made for the request path: built off the loop, handed over whole, and
/// freed off the loop again when the last exchange that began with it has ended.
final class WorkerTables {
    let version: UInt64
    /// In the order of the configuration; route tables give indices into it.
    let routes: AlignedArray<RouteEntry>
    /// The sides of routes that are split, and what routes answer by themselves; entries give indices into them.
    let splits: [SplitEntry]
    let responses: [LocalResponse]
    /// The worker's numbers of each route.
    let routeRows: MetricsRows
    /// What they do besides, `nil` for most; only looked at where a route says that it has steps.
    let steps: [RouteSteps?]
    /// The regular expressions of routes whose texts name groups of theirs, by the route's index.
    let expressions: [Int: RegularExpression]
    /// The octets of their names.
    let routeLabels: [[UInt8]]
    /// By name.
    let listeners: [String: ListenerTable]
    /// What the workers share of each upstream.
    let upstreams: [SharedUpstream]
    /// The worker's numbers of each.
    let upstreamRows: MetricsRows
    /// The worker's side of TLS to upstreams, by name; taken up with the tables.
    let connectors: [String: UpstreamConnectors]
    /// In the order of `upstreams`; the worker fills it in when it takes the tables up.
    var pools: [UpstreamPool] = []
    /// The pseudonym in Via, with nothing around it; empty sends none.
    let via: [UInt8]
    /// The ends of heads that are forwarded, from the end of a line on, by the version in which they came: Via.
    let viaFrom11: [UInt8]
    let viaFrom10: [UInt8]
    let viaFrom2: [UInt8]
    /// The pseudonym in Proxy-Status.
    let pseudonym: [UInt8]
    let proxyStatus: ProxyStatusMode
    /// What a path means.
    let pathRules: PathRules
    let keepsServer: Bool
    /// What Server is replaced by; empty when it is not.
    let serverField: [UInt8]
    /// Response fields that do not go on to clients.
    private let hiddenFields: FieldNameSet
    /// Request fields that only the node sets: those that tell of clients' certificates on any listener, and the
    /// identifier's where it has a name of its own.
    let privateFields: PrivateFields
    let requestID: RequestIDRules
    /// Whether trace context is passed on.
    let propagatesTrace: Bool
    /// What recognises endpoints in fields of responses, unless they may stand there.
    let publicNames: PublicNames?
    /// Response fields that it need not look at.
    let unconcernedFields: KnownFieldSet
    /// The ways back from upstreams' paths, in the order of the routes; empty where no route replaces a prefix.
    private let inversePaths: [InversePath?]
    /// Whether Proxy-Status names upstreams.
    let namesUpstreams: Bool
    let accessLog: AccessRecorder?
    /// When new requests are refused.
    let overload: Overload
    /// Whether metrics tell what tries at each endpoint come to.
    let countsTries: Bool
    /// What authorities that want proof of hosts are answered, by token; replaced when certificates are.
    var challengeFiles: [[UInt8]: [UInt8]]
    /// Under which sticky cookies stand for endpoints; empty: as before.
    let affinityKey: [UInt8]
    /// Exchanges that began with these tables and have not ended, and closing ports that still serve them.
    var useCount = 0
    /// Whether another version has taken their place.
    var isRetired = false

    init(
        version: UInt64,
        _ configuration: Configuration,
        upstreams: [SharedUpstream],
        routeRows: MetricsRows,
        upstreamRows: MetricsRows,
        contexts: EdgeContexts,
        accessLog: AccessRecorder?
    ) {
        self.version = version
        self.upstreams = upstreams
        self.routeRows = routeRows
        self.upstreamRows = upstreamRows
        self.accessLog = accessLog
        var indices: [String: Int] = [:]
        for (index, upstream) in upstreams.enumerated() { indices[upstream.upstream.name] = index }
        let rules = PathRules(configuration.paths)
        let steps = configuration.routes.map { route in
            RouteSteps(route, configuration.policies, paths: rules, upstreamIndices: indices)
        }
        self.steps = steps
        var entries = RouteEntries(capacity: configuration.routes.count)
        for (route, steps) in zip(configuration.routes, steps) {
            entries.add(route, upstreams, upstreamIndices: indices, steps: steps)
        }
        expressions = Self.expressions(of: configuration.routes, entries.routes)
        let marks = entries.marks
        routes = entries.routes
        splits = entries.splits
        responses = entries.responses
        routeLabels = configuration.routes.map { Array($0.name.utf8) }
        var listeners: [String: ListenerTable] = [:]
        for listener in configuration.listeners {
            listeners[listener.name] = ListenerTable(
                listener,
                routes: configuration.routes,
                marks: marks,
                upstreamIndices: indices,
                edge: contexts.edges[listener.name]
            )
        }
        self.listeners = listeners
        connectors = contexts.connectors
        challengeFiles = contexts.challengeFiles
        affinityKey = contexts.affinityKey
        requestID = RequestIDRules(configuration.requestID)
        privateFields = Self.privateFields(configuration, requestID)
        pathRules = rules
        propagatesTrace = configuration.tracing.propagates
        let hiding = configuration.hiding
        via = Array((hiding.via ?? "").utf8)
        viaFrom11 = Self.headEnd("1.1", via)
        viaFrom10 = Self.headEnd("1.0", via)
        viaFrom2 = Self.headEnd("2", via)
        pseudonym = via.isEmpty ? Array("weir".utf8) : via
        proxyStatus = hiding.proxyStatus
        switch hiding.server {
        case .remove: (keepsServer, serverField) = (false, [])
        case .keep: (keepsServer, serverField) = (true, [])
        case .replace(let text): (keepsServer, serverField) = (false, Array(text.utf8))
        }
        hiddenFields = FieldNameSet(hiding.responseHeaders + hiding.productHeaders)
        publicNames = Self.publicNames(configuration, upstreams)
        unconcernedFields = publicNames?.unconcerned ?? KnownFieldSet(FieldName.allCases)
        let inverse = configuration.routes.map { InversePath($0) }
        inversePaths = inverse.contains { $0 != nil } ? inverse : []
        namesUpstreams = hiding.names
        overload = configuration.overload
        countsTries = configuration.metrics.perEndpoint
    }

    /// What recognises endpoints, those that were found among them.
    private static func publicNames(
        _ configuration: Configuration,
        _ upstreams: [SharedUpstream]
    ) -> PublicNames? {
        let names = PublicNames(configuration)
        for shared in upstreams where shared.upstream.discovery != nil {
            names?.take(shared.roster.places, of: shared.upstream.name)
        }
        return names
    }

    /// Those of listeners that other nodes have, too: upstreams believe them wherever they come from.
    private static func privateFields(
        _ configuration: Configuration,
        _ requestID: RequestIDRules
    ) -> PrivateFields {
        let known = configuration.listeners + configuration.listenersElsewhere
        let told = known.compactMap(\.tls?.clientCertificate).flatMap { clients in
            [clients.subjectField, clients.fingerprintField].compactMap(\.self)
        }
        return PrivateFields(told + requestID.ownNames)
    }

    /// The end of a line, and Via behind it.
    private static func headEnd(_ version: String, _ via: [UInt8]) -> [UInt8] {
        let end: [UInt8] = [0x0D, 0x0A]
        return via.isEmpty ? end : end + Array("via: \(version) ".utf8) + via + end
    }

    private static func expressions(
        of routes: [Route],
        _ entries: borrowing AlignedArray<RouteEntry>
    ) -> [Int: RegularExpression] {
        var expressions: [Int: RegularExpression] = [:]
        for (index, route) in routes.enumerated()
        where entries[index].needs.contains(.captures) {
            guard case .regex(let pattern)? = route.conditions.path else { continue }
            // The pattern was compiled when the configuration was checked.
            expressions[index] = try? RegularExpression(pattern: pattern)
        }
        return expressions
    }
}

extension WorkerTables {
    /// Counts an exchange for its route, and writes its record.
    func record(_ exchange: Exchange, nanoseconds: UInt64, failed: Bool) {
        if let route = exchange.route {
            routeRows.record(route, nanoseconds: nanoseconds, failed: failed)
        }
        accessLog?.append(exchange, nanoseconds: nanoseconds)
    }

    /// The way back from the paths that a route's upstream gets.
    func inversePath(of route: Int) -> InversePath? {
        route < inversePaths.count ? inversePaths[route] : nil
    }

    /// Whether a response's field does not go on to clients.
    @inline(__always)
    func hides(_ octets: Span<UInt8>, _ name: Range<Int>) -> Bool {
        hiddenFields.contains(octets, name)
    }
}

/// What a port serves of a version; one reference to it is all that an exchange counts.
final class ServedTables {
    let tables: WorkerTables
    /// The listener's part of them.
    let listener: ListenerTable

    init(_ tables: WorkerTables, _ listener: ListenerTable) {
        (self.tables, self.listener) = (tables, listener)
    }

    /// Whether a request may have lines that only we set.
    ///
    /// A proxy that is trusted may tell of certificates where the listener itself does not.
    @inline(__always)
    func hasPrivateFields(isTrusted: Bool) -> Bool {
        isTrusted && !listener.tellsCertificates
            ? !tables.requestID.fields.isEmpty : !tables.privateFields.isEmpty
    }

    /// Whether a field of a request is such a line.
    func isPrivate(_ octets: Span<UInt8>, _ name: Range<Int>, isTrusted: Bool) -> Bool {
        isTrusted && !listener.tellsCertificates
            ? tables.requestID.fields.contains(octets, name)
            : tables.privateFields.contains(octets, name)
    }
}

/// Which fields the conditions of a listener's routes ask for that a proxy alone may send.
struct GuardedFields {
    /// Whether some say for whom a proxy asks.
    let hasForwarding: Bool
    /// Whether some may tell of clients' certificates, or be the request's identifier.
    let hasOthers: Bool

    init(_ routes: [Route]) {
        var (hasForwarding, hasOthers) = (false, false)
        for route in routes {
            for condition in route.conditions.headers + route.exceptions.headers {
                let name = FieldName.find(condition.name.utf8.span)
                hasForwarding = hasForwarding || name.isOfForwarding
                hasOthers = hasOthers || name == .other
            }
        }
        (self.hasForwarding, self.hasOthers) = (hasForwarding, hasOthers)
    }
}

/// A listener's settings and routes.
final class ListenerTable {
    let name: [UInt8]
    let limits: HTTP1Limits
    /// The same for requests of HTTP/2, which gain lines when they are written as HTTP/1.1 has them.
    let translatedLimits: HTTP1Limits
    /// Concurrent streams of an HTTP/2 connection.
    let streamsMax: Int
    let idleNanoseconds: UInt64
    let headerNanoseconds: UInt64
    let requestsMax: Int
    let bodyBytesMax: Int
    let connectionsMax: Int
    /// `nil` is no limit.
    let connectionsPerClientMax: Int?
    /// Nanoseconds that an octet of a request's content may take after the first 5 s; 0 is no limit.
    let contentOctetNanoseconds: UInt64
    /// The index of the upstream that a tcp listener relays to; `nil` for others.
    let relayUpstream: Int?
    /// The same by server name, for a tls-passthrough listener.
    private let exactNames: [String: Int]
    private let wildcardNames: [String: Int]
    /// Whether it carries requests.
    let hasRequests: Bool
    /// The worker's side of TLS; `nil` for others than https listeners.
    ///
    /// It is replaced when certificates are.
    var edge: TLSEdge?
    let handshakeNanoseconds: UInt64
    /// Handshakes that one client may begin in a second; `nil` is no limit.
    let handshakesPerSecond: Int?
    /// The port of https that every request is sent to; `nil` for none.
    let redirectPort: Int?
    /// Names of the fields that tell upstreams of clients' certificates, each with `: ` behind it; empty without.
    private let subjectField: [UInt8]
    private let fingerprintField: [UInt8]
    private let proxyProtocol: ListenerProxyProtocol
    /// Which fields conditions of routes ask for that not everybody may send.
    let guardedFields: GuardedFields
    private let routes: RouteTable
    private let trusted: [AddressRange]

    init(
        _ listener: Listener,
        routes: [Route],
        marks: [UInt32],
        upstreamIndices: [String: Int],
        edge: TLSEdge?
    ) {
        name = Array(listener.name.utf8)
        limits = HTTP1Limits(
            fieldSectionBytesMax: listener.limits.fieldSectionBytes,
            fieldLinesMax: listener.limits.fieldLines,
            requestTargetBytesMax: listener.limits.requestTargetBytes
        )
        translatedLimits = HTTP1Limits(
            fieldSectionBytesMax: listener.limits.fieldSectionBytes + Limits.translationBytes,
            fieldLinesMax: listener.limits.fieldLines + Limits.translationLines,
            requestTargetBytesMax: listener.limits.requestTargetBytes
        )
        streamsMax = listener.limits.streamsPerConnection
        idleNanoseconds = listener.timeouts.idle.nanoseconds
        headerNanoseconds = listener.timeouts.header.nanoseconds
        requestsMax = listener.limits.requestsPerConnection ?? .max
        bodyBytesMax = listener.limits.bodyBytes ?? .max
        connectionsMax = listener.limits.connections
        connectionsPerClientMax = listener.limits.connectionsPerClient
        contentOctetNanoseconds =
            listener.timeouts.minimumBodyRate.map { max(1, 1_000_000_000 / UInt64($0)) } ?? 0
        relayUpstream = listener.upstream.flatMap { upstreamIndices[$0] }
        var exact: [String: Int] = [:]
        var wildcards: [String: Int] = [:]
        for route in listener.serverNames {
            guard let index = upstreamIndices[route.upstream] else { continue }
            switch route.name {
            case .exact(let name): exact[name] = index
            case .wildcard(let suffix): wildcards[suffix] = index
            }
        }
        (exactNames, wildcardNames) = (exact, wildcards)
        self.edge = edge
        handshakeNanoseconds = listener.timeouts.handshake.nanoseconds
        handshakesPerSecond = listener.tls?.handshakesPerSecond
        redirectPort = listener.redirectPort
        func start(_ name: String?) -> [UInt8] { name.map { Array("\($0): ".utf8) } ?? [] }
        subjectField = start(listener.tls?.clientCertificate.subjectField)
        fingerprintField = start(listener.tls?.clientCertificate.fingerprintField)
        proxyProtocol = listener.proxyProtocol
        // Where no request comes, connections of HTTP stay with the version before.
        hasRequests = listener.transport.hasRequests
        let served = hasRequests ? routes : []
        guardedFields = GuardedFields(served.filter { $0.serves(listener.name) })
        self.routes = RouteTable(routes: served, listener: listener.name, marks: marks)
        trusted = listener.trustedProxies.map(AddressRange.init)
    }

    /// Bounds of the heads that a client's requests have for an exchange.
    @inline(__always)
    func headLimits(_ client: Client) -> HTTP1Limits {
        client.framesContent ? translatedLimits : limits
    }

    /// Finds the route of a request.
    ///
    /// - Parameters:
    ///   - request: Its head.
    ///   - octets: The message from its start.
    ///   - path: The normalised path, where it is not the request's own.
    ///   - client: Who asks; not called where no route wants to know.
    /// - Returns: The route's index in the configuration and `RouteEntry.mark`, or `nil` when none matches.
    func match(
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        path: [UInt8]?,
        client: @autoclosure () -> ClientAddress
    ) -> (route: Int, mark: UInt32)? {
        let address = routes.looksAtClient ? client() : ClientAddress(high: 0, low: 0)
        if let path { return routes.match(request, octets, path: path.span, client: address) }
        if request.path.isEmpty {
            let root: [UInt8] = [UInt8(ascii: "/")]
            return routes.match(request, octets, path: root.span, client: address)
        }
        let path = octets.extracting(request.path.indices)
        return routes.match(request, octets, path: path, client: address)
    }

    /// Where a connection for a server name is relayed to: by the name itself, else the longest wildcard above it.
    ///
    /// - Parameter name: In lower case, without a final dot.
    /// - Returns: The upstream's index; `nil` when nothing is said about the name.
    func upstream(for name: String) -> Int? {
        if let index = exactNames[name] { return index }
        guard !wildcardNames.isEmpty else { return nil }
        var rest = name[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if let index = wildcardNames[String(rest)] { return index }
        }
        return nil
    }

    /// Whether upstreams are told of clients' certificates.
    var tellsCertificates: Bool { !subjectField.isEmpty || !fingerprintField.isEmpty }

    /// The lines that tell an upstream of a client's certificate.
    func certificateLines(subject: [UInt8], fingerprint: [UInt8]) -> [UInt8] {
        let end: [UInt8] = [0x0D, 0x0A]
        var lines: [UInt8] = []
        if !subjectField.isEmpty { lines += subjectField + subject + end }
        if !fingerprintField.isEmpty { lines += fingerprintField + fingerprint + end }
        return lines
    }

    /// Whether connections without a PROXY header are closed.
    var requiresProxyHeader: Bool { proxyProtocol == .require }

    /// Whether connections of a peer may begin with a PROXY header that counts.
    ///
    /// Where a header may be absent, one that is there is believed of trusted proxies alone, if such are named:
    /// others could tell of themselves what they like.
    func readsProxyHeader(from peer: SocketAddress) -> Bool {
        switch proxyProtocol {
        case .off: false
        case .accept: trusted.isEmpty || trusts(peer)
        case .require: true
        }
    }

    /// Whether what this peer says of others is believed.
    func trusts(_ peer: SocketAddress) -> Bool {
        trusted.isEmpty ? false : trusts(ClientAddress(peer))
    }

    /// Whether what the hop at an address says of others is believed.
    func trusts(_ address: ClientAddress) -> Bool {
        trusted.contains { $0.contains(high: address.high, low: address.low) }
    }
}

/// A route as the request path needs it, in a quarter of a line of the processor's cache: with ten thousand routes
/// each request finds its own in memory.
struct RouteEntry: BitwiseCopyable {
    /// Limit of the whole exchange, `.max` for none.
    let totalNanoseconds: UInt64
    let action: Action
    /// What the route's texts need of a request's head.
    let needs: KeptParts
    /// Whether it has steps in the tables.
    let hasSteps: Bool

    /// What the route table tells of it: the upstream, where there is nothing else that a request need look here for;
    /// else `isNotPlain`.
    var mark: UInt32 {
        guard case .upstream(let index) = action, index >= 0, needs.isEmpty, !hasSteps,
            totalNanoseconds == .max
        else { return Self.isNotPlain }
        return UInt32(index)
    }

    /// The mark of a route of which a request needs the entry.
    static let isNotPlain = UInt32.max

    /// What becomes of a request, with an index into the tables.
    enum Action {
        /// To an upstream.
        case upstream(Int32)
        /// To one of several upstreams.
        case split(Int32)
        /// An answer to all.
        case respond(Int32)
        /// One that is made of the request.
        case redirect(Int32)
    }
}

/// The entries of a configuration's routes while they are made, and what they give indices into.
private struct RouteEntries: ~Copyable {
    var routes: AlignedArray<RouteEntry>
    var splits: [SplitEntry] = []
    var responses: [LocalResponse] = []

    init(capacity: Int) {
        routes = AlignedArray(capacity: capacity)
    }

    /// The marks of all.
    var marks: [UInt32] { (0..<routes.count).map { routes[$0].mark } }

    mutating func add(
        _ route: Route,
        _ upstreams: [SharedUpstream],
        upstreamIndices indices: [String: Int],
        steps: RouteSteps?
    ) {
        let action: RouteEntry.Action
        var total = route.totalTimeout?.nanoseconds ?? 0
        var needs = steps?.needs ?? []
        switch route.action {
        case .upstream(let name):
            let index = indices[name] ?? -1
            action = .upstream(Int32(index))
            if total == 0, upstreams.indices.contains(index) {
                total = upstreams[index].upstream.timeouts.total?.nanoseconds ?? 0
            }
        case .split(let sides):
            action = .split(Int32(splits.count))
            splits.append(SplitEntry(route, sides, upstreams, upstreamIndices: indices))
        case .respond(let response):
            action = .respond(add(LocalResponse(LocalAnswer(response)), &needs))
        case .redirect(let redirect):
            action = .redirect(add(LocalResponse(LocalAnswer(redirect)), &needs))
        }
        routes.append(
            RouteEntry(
                totalNanoseconds: total == 0 ? .max : total,
                action: action,
                needs: needs,
                hasSteps: steps != nil
            )
        )
    }

    private mutating func add(_ response: LocalResponse, _ needs: inout KeptParts) -> Int32 {
        needs.formUnion(response.needs)
        responses.append(response)
        return Int32(responses.count - 1)
    }
}
