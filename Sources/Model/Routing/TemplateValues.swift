internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import RegularExpressions

/// What a request tells of itself, at a listener.
struct RequestFacts {
    /// Whom it comes from, as a node settles it.
    let client: ClientAddress
    /// The other end of the connection; `nil` where that is one of the proxies that the listener trusts.
    let peer: ClientAddress?
    /// Whom a proxy that is trusted asks for, the nearest first.
    let hops: [ClientAddress]
    /// Whether what the peer says of others is believed.
    let isPeerTrusted: Bool
    /// The scheme that such a peer tells.
    let toldScheme: String?
    /// Whether the client comes over https, to the listener itself or to a proxy that it trusts and that says so.
    let isSecure: Bool
    /// The host, without a port.
    let host: String
    let port: UInt16
    /// The host as it was asked for, with its port.
    let authority: String
    /// Normalised.
    let path: [UInt8]
    /// Without its question mark.
    let query: String
    /// Its field lines.
    let fields: [Field]
    private let tls: ListenerTLS?

    /// A field line.
    struct Field {
        /// Its name, in lower case.
        let name: String
        let known: FieldName
        /// Whether nothing is decided by it, and nobody else gets it.
        let isHopByHop: Bool
        let value: [UInt8]

        var text: String { String(decoding: value, as: UTF8.self) }
    }

    init(
        _ request: ExplainedRequest,
        at listener: Listener,
        _ head: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: [UInt8]
    ) {
        let fields = Self.fields(head, octets)
        self.fields = fields
        let trusted = listener.trustedProxies.map { AddressRange($0) }
        isPeerTrusted = !trusted.isEmpty
        let asked = ClientAddress(request.client)
        let isProxy = trusted.contains { $0.contains(high: asked.high, low: asked.low) }
        peer = isProxy || trusted.isEmpty ? asked : nil
        // Who is no proxy comes through one: what the node is asked about is then settled.
        hops = isProxy ? Self.hops(fields, trusted) : trusted.isEmpty ? [] : [asked]
        client = hops.last ?? asked
        let told = isPeerTrusted ? Self.scheme(fields) : nil
        let isThroughTLS = isPeerTrusted && request.isSecure && listener.transport != .https
        toldScheme = told ?? (isThroughTLS ? "https" : nil)
        isSecure = toldScheme.map { $0 == "https" } ?? (listener.transport == .https)
        host = String(copying: octets.extracting(head.authority.host.indices))
        let usual: UInt16 = isSecure ? 443 : 80
        port = head.authority.port == 0 ? usual : UInt16(head.authority.port)
        authority = String(copying: octets.extracting(head.authorityRange.indices))
        self.path = path
        query = String(copying: octets.extracting(head.query.indices))
        tls = listener.tls
    }

    private static func fields(_ head: borrowing RequestHead, _ octets: Span<UInt8>) -> [Field] {
        var fields: [Field] = []
        let lines = head.fields.lines
        for index in 0..<lines.count {
            var value: [UInt8] = []
            value.append(copying: octets.extracting(lines[index].valueRange))
            fields.append(
                Field(
                    name: String(copying: octets.extracting(lines[index].nameRange)).lowercased(),
                    known: lines[index].name,
                    isHopByHop: lines[index].isHopByHop,
                    value: value
                )
            )
        }
        return fields
    }

    /// Walks X-Forwarded-For from the right, up to the first address that is not trusted.
    private static func hops(_ fields: [Field], _ trusted: [AddressRange]) -> [ClientAddress] {
        var hops: [ClientAddress] = []
        for field in fields.reversed() where field.known == .xForwardedFor {
            for part in field.value.split(separator: UInt8(ascii: ",")).reversed() {
                let element = Array(
                    part.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
                )
                if element.isEmpty { continue }
                guard let hop = ClientAddress.hop(element.span, element.indices) else {
                    return hops
                }
                hops.append(hop)
                guard trusted.contains(where: { $0.contains(high: hop.high, low: hop.low) }) else {
                    return hops
                }
            }
        }
        return hops
    }

    /// What the one X-Forwarded-Proto says that there may be.
    private static func scheme(_ fields: [Field]) -> String? {
        let lines = fields.filter { $0.known == .xForwardedProto }
        guard lines.count == 1 else { return nil }
        let text = lines[0].text.lowercased()
        return text == "http" || text == "https" ? text : nil
    }

    /// Names of its fields, in lower case.
    var fieldNames: [String] { fields.map(\.name) }

    /// The elements of the lists in a field.
    func elements(of name: FieldName) -> [String] {
        fields.filter { $0.known == name }.flatMap { field in
            field.text.split(separator: ",").map { element in
                element.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
            }
        }
    }

    /// How often it may be forwarded, us included, as Max-Forwards says (RFC 9110 §7.6.2).
    var forwardsLeft: Int? {
        fields.first { $0.known == .maxForwards }.flatMap { Int($0.text) }
    }

    /// The identifier that is taken over from whoever asks; `nil` where one is made.
    func identifier(_ settings: RequestIDSettings) -> String? {
        let lines = fields.filter { $0.name == settings.header }
        let isAccepted =
            settings.acceptance == .always || settings.acceptance == .trusted && isPeerTrusted
        guard isAccepted, lines.count == 1, let line = lines.first,
            RequestIdentifier.mayPass(line.value.span)
        else { return nil }
        return line.text
    }

    /// What is known of a variable that TLS gives its value.
    func security(_ variable: Template.Variable) -> String? {
        guard let tls else { return "" }
        if variable == .tlsVersion { return tls.minimumVersion == .tls13 ? "TLSv1.3" : nil }
        return tls.clientCertificate.mode == .none ? "" : nil
    }
}

/// The values of a text's variables, as far as a request and the configuration tell them beforehand.
///
/// On a node, exchanges have them (CompiledTemplate.swift).
struct TemplateValues {
    private let told: RequestFacts
    private let route: String
    private let upstream: String?
    private let identifier: String?
    private let groups: Groups
    /// Variables that were asked for and have no value beforehand, each once.
    private(set) var unknown: [Template.Variable] = []

    /// Collects what is known.
    ///
    /// - Parameters:
    ///   - told: What the request tells.
    ///   - route: Its route.
    ///   - settings: Whose identifiers are taken over.
    ///   - upstream: Where it goes, empty for nowhere; `nil` where chance decides.
    init(
        _ told: RequestFacts,
        _ route: Route,
        _ settings: RequestIDSettings,
        upstream: String?
    ) {
        (self.told, self.route, self.upstream) = (told, route.name, upstream)
        identifier = told.identifier(settings)
        groups = Groups(of: route, told.path)
    }

    /// A text with the values that are known; a variable that has none yet stands as it is.
    ///
    /// - Parameters:
    ///   - template: The text.
    ///   - encode: What becomes of values, not of literals.
    /// - Returns: The text.
    mutating func text(
        of template: Template,
        _ encode: (String) -> String = { $0 }
    ) -> String {
        var text = ""
        for segment in template.segments {
            switch segment {
            case .literal(let literal): text += literal
            case .capture(let group): text += encode(groups[group])
            case .variable(let variable):
                if let value = value(of: variable) {
                    text += encode(value)
                    continue
                }
                text += "${\(variable.rawValue)}"
                if !unknown.contains(variable) { unknown.append(variable) }
            }
        }
        return text
    }

    private func value(of variable: Template.Variable) -> String? {
        switch variable {
        case .client: told.client.written
        case .scheme: told.isSecure ? "https" : "http"
        case .host: told.host
        case .port: String(told.port)
        case .path: String(decoding: told.path, as: UTF8.self)
        case .query: told.query
        case .route: route
        case .requestID: identifier
        case .upstream: upstream
        case .subject, .fingerprint, .tlsVersion: told.security(variable)
        }
    }
}

/// What the groups of a route's regular expression matched.
struct Groups {
    private let path: [UInt8]
    private let expression: RegularExpression?
    private var captures = Captures()

    init(of route: Route, _ octets: [UInt8]) {
        self.path = octets
        guard case .regex(let pattern)? = route.conditions.path else {
            expression = nil
            return
        }
        // The pattern was compiled when the configuration was checked, and has just matched.
        expression = try? RegularExpression(pattern: pattern)
        _ = try? expression?.captures(whole: octets.span, into: &captures)
    }

    subscript(group: String) -> String {
        guard let number = Int(group) ?? expression?.groupNames[group],
            let range = captures[number]
        else { return "" }
        return String(decoding: path[range], as: UTF8.self)
    }
}
