internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics

/// The field lines that an endpoint gets of a request, for `explain`: what comes from the client, what policies add, and
/// what a node tells of whom it asks for, in their order and as HTTP/1.1 has them.
///
/// On a node, exchanges write them (Exchange+Request.swift); a test compares both.
struct SentFields {
    private(set) var lines: [RouteEffects.Line] = []
    private let told: RequestFacts
    private let listener: Listener
    private let configuration: Configuration

    /// Collects the lines.
    ///
    /// - Parameters:
    ///   - told: What the request tells.
    ///   - head: The request's head.
    ///   - octets: The octets that it was read from.
    ///   - listener: Where it has arrived.
    ///   - configuration: The configuration.
    ///   - plan: What the route's policies do.
    ///   - upstream: The upstream; nothing where chance decides.
    ///   - host: What Host says.
    ///   - values: Values of variables.
    init(
        _ told: RequestFacts,
        _ head: borrowing RequestHead,
        _ octets: Span<UInt8>,
        at listener: Listener,
        _ configuration: Configuration,
        _ plan: RoutePlan,
        upstream: Upstream?,
        host: String,
        _ values: inout TemplateValues
    ) {
        (self.told, self.listener, self.configuration) = (told, listener, configuration)
        add("host", host)
        addOwn(plan, head.method, sticky: upstream?.sticky?.cookie)
        if head.framing == .chunked { add("transfer-encoding", "chunked") }
        if head.method == .options, let left = told.forwardsLeft {
            add("max-forwards", "\(left - 1)")
        }
        addConnection(head.fields.facts.connection)
        addCertificate(&values)
        for field in plan.request.added { add(field.name, values.text(of: field.value)) }
        addForwarding()
        let identifier = Template(segments: [.variable(.requestID)])
        add(configuration.requestID.header, values.text(of: identifier))
        if let via = configuration.hiding.via { add("via", "1.1 \(via)") }
    }

    private mutating func add(_ name: String, _ value: String) {
        lines.append(RouteEffects.Line(name: name, value: value))
    }

    // MARK: The client's

    private mutating func addOwn(_ plan: RoutePlan, _ method: Method, sticky: String?) {
        let privates = privateNames
        let passesTrace = passesTrace
        for field in told.fields where !field.isHopByHop {
            switch field.known {
            case .host, .transferEncoding, .xForwardedFor, .forwarded, .proxy: continue
            case .xRequestID where configuration.requestID.header == "x-request-id": continue
            case .traceparent, .tracestate: guard passesTrace else { continue }
            case .maxForwards: guard method != .options else { continue }
            case .xForwardedProto, .xForwardedHost, .xForwardedPort, .xForwardedPrefix, .xRealIP:
                guard told.isPeerTrusted else { continue }
            default: break
            }
            guard !privates.drops(requestField: field.name),
                !plan.request.drops(requestField: field.name)
            else { continue }
            guard field.known == .cookie, let sticky else {
                add(field.name, field.text)
                continue
            }
            let others = Self.cookies(in: field.text).filter { $0.prefix { $0 != "=" } != sticky }
            if !others.isEmpty { add(field.name, others.joined(separator: "; ")) }
        }
    }

    private static func cookies(in text: String) -> [Substring] {
        text.split(separator: ";").compactMap { pair in
            let start = pair.drop { $0 == " " || $0 == "\t" }
            let end = start.lastIndex { $0 != " " && $0 != "\t" }
            return end.map { start[...$0] }
        }
    }

    /// The fields that only the node sets.
    private var privateNames: FieldChanges {
        var names: [String] = []
        let identifier = configuration.requestID.header
        if identifier != "x-request-id" { names.append(identifier) }
        if !told.isPeerTrusted || !listener.certificateFields.isEmpty {
            names += configuration.listeners.flatMap(\.certificateFields)
        }
        return FieldChanges(removing: names)
    }

    /// W3C Trace Context §3: both fields or neither.
    private var passesTrace: Bool {
        let parents = told.fields.filter { $0.known == .traceparent }
        guard configuration.tracing.propagates, parents.count == 1, !parents[0].isHopByHop else {
            return false
        }
        let parent = parents[0].value
        return TraceParent.isValid(parent.span, parent.indices)
    }

    // MARK: The node's

    /// What the next connection is asked to do.
    private mutating func addConnection(_ options: ConnectionOptions) {
        var asked: [String] = []
        if options.contains(.te),
            told.elements(of: .te).contains(where: { $0.lowercased() == "trailers" })
        {
            asked.append("te")
        }
        if options.contains(.upgrade) {
            let protocols = told.elements(of: .upgrade).filter(Self.isProtocol)
            if !protocols.isEmpty {
                add("upgrade", protocols.joined(separator: ", "))
                asked.append("upgrade")
            }
        }
        if asked.first == "te" { add("te", "trailers") }
        if !asked.isEmpty { add("connection", asked.joined(separator: ", ")) }
    }

    private static func isProtocol(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty, name.lowercased() != "h2c" else {
            return false
        }
        return parts.allSatisfy { part in part.utf8.allSatisfy { OctetSet.token.contains($0) } }
    }

    /// Who the client's certificate says it is, where it may have shown one.
    private mutating func addCertificate(_ values: inout TemplateValues) {
        guard let clients = listener.tls?.clientCertificate, clients.mode != .none else { return }
        let fields: [(String?, Template.Variable)] = [
            (clients.subjectField, .subject), (clients.fingerprintField, .fingerprint),
        ]
        for case (let name?, let variable) in fields {
            add(name, values.text(of: Template(segments: [.variable(variable)])))
        }
    }

    /// Who asks, for whom and how: X-Forwarded-* and Forwarded.
    private mutating func addForwarding() {
        let scheme = listener.transport == .https ? "https" : "http"
        let peer = told.peer?.written ?? RouteEffects.unknownPeer
        add(
            "x-forwarded-for",
            (told.hops.reversed().map(\.written) + [peer]).joined(separator: ", ")
        )
        let hasProto = told.isPeerTrusted && told.fields.contains { $0.known == .xForwardedProto }
        if !hasProto { add("x-forwarded-proto", told.toldScheme ?? scheme) }
        var elements = told.hops.reversed().map(\.forwarded)
        let last = told.peer?.forwarded ?? "for=\(peer)"
        if let first = elements.first {
            if let told = told.toldScheme { elements[0] = "proto=\(told);\(first)" }
            elements.append("proto=\(scheme);\(last)")
        } else {
            elements.append("proto=\(told.isSecure ? "https" : "http");\(last)")
        }
        let host = told.authority
        add("forwarded", elements.joined(separator: ", ") + ";host=\"\(host)\"")
        let hasHost = told.isPeerTrusted && told.fields.contains { $0.known == .xForwardedHost }
        if !hasHost { add("x-forwarded-host", host) }
    }
}

extension Listener {
    /// The fields that upstreams are told of clients' certificates in.
    var certificateFields: [String] {
        guard let clients = tls?.clientCertificate else { return [] }
        return [clients.subjectField, clients.fingerprintField].compactMap(\.self)
    }
}

extension ClientAddress {
    /// As fields and logs have it.
    var written: String { String(decoding: text, as: UTF8.self) }

    /// An element of Forwarded (RFC 7239 §4).
    fileprivate var forwarded: String { isIPv4 ? "for=\(written)" : "for=\"[\(written)]\"" }
}
