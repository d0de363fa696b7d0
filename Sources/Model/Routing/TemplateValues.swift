internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import RegularExpressions

/// What a request tells of itself, at a listener.
struct RequestFacts {
    let client: IPAddress
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
    /// Names of its fields, in lower case.
    let fieldNames: [String]
    /// Values of X-Request-ID, or of the field that the configuration has in its place.
    private let fields: [(name: String, value: [UInt8])]
    private let tls: ListenerTLS?

    init(
        _ request: ExplainedRequest,
        at listener: Listener,
        _ head: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: [UInt8]
    ) {
        client = request.client
        isSecure =
            listener.transport == .https || request.isSecure && !listener.trustedProxies.isEmpty
        host = String(copying: octets.extracting(head.authority.host.indices))
        let usual: UInt16 = isSecure ? 443 : 80
        port = head.authority.port == 0 ? usual : UInt16(head.authority.port)
        authority = String(copying: octets.extracting(head.authorityRange.indices))
        self.path = path
        query = String(copying: octets.extracting(head.query.indices))
        var fields: [(name: String, value: [UInt8])] = []
        let lines = head.fields.lines
        for index in 0..<lines.count {
            var value: [UInt8] = []
            value.append(copying: octets.extracting(lines[index].valueRange))
            let name = String(copying: octets.extracting(lines[index].nameRange)).lowercased()
            fields.append((name, value))
        }
        fieldNames = fields.map(\.name)
        self.fields = fields
        tls = listener.tls
    }

    /// The identifier that is taken over from whoever asks; `nil` where one is made, or where that depends on the peer.
    func identifier(_ settings: RequestIDSettings) -> String? {
        let lines = fields.filter { $0.name == settings.header }
        guard settings.acceptance == .always, lines.count == 1, let line = lines.first,
            RequestIdentifier.mayPass(line.value.span)
        else { return nil }
        return String(decoding: line.value, as: UTF8.self)
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
        case .client: told.client.description
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
