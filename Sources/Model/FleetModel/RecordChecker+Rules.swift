extension RecordChecker {
    /// Checks what the table cannot say, and puts shorthands into their one spelling.
    ///
    /// - Parameters:
    ///   - value: What `record` made of `node`.
    ///   - node: The resource, for places.
    /// - Returns: The value in its one spelling.
    mutating func applyRules(_ value: SettingValue, _ node: ConfigurationNode) -> SettingValue {
        switch kind {
        case .listener: checkProtocol(value, node)
        case .upstream:
            checkEndpoints(value, node)
            checkBalance(value, node)
            checkDiscovery(value, node)
            checkProxyProtocol(value, node)
            checkUpstreamTLS(value, node)
            checkHealth(value, node)
            checkResilience(value, node)
        case .route:
            checkResponse(value, node)
            checkRedirect(value, node)
            checkRoute(value, node)
            checkRewrite(value, node)
            checkMaintenance(value, node)
        case .policy:
            checkFieldEdits(value, node)
            checkErrorPages(value, node)
        case .logging: return Self.expandAccess(value)
        case .certificate:
            checkDigests(value, node)
            checkACME(value, node)
        case .requestID: checkRequestID(value, node)
        case .group: checkLabels(value, node)
        case .test:
            if let expected = node["expect"], expected.entries?.isEmpty == true {
                let message = "expects nothing, so it would always pass"
                complain(message, field: "expect", at: expected.place)
            }
        case .consumer, .api, .hiding, .overload, .paths, .tracing, .metrics:
            break
        }
        return value
    }

    /// Labels are what a node can be started with.
    private mutating func checkLabels(_ value: SettingValue, _ node: ConfigurationNode) {
        guard case .record(let labels)? = value["nodes"], let part = node["nodes"] else { return }
        if labels.isEmpty {
            complain(
                "names no label: a listener that all nodes are to take is in no group",
                field: "nodes",
                at: part.place
            )
        }
        if labels.count > ModelLimits.labelCountMax {
            let message = "a node has at most \(ModelLimits.labelCountMax) labels"
            complain(message, field: "nodes", at: part.place)
        }
        for label in labels {
            let text = label.value.scalarText ?? ""
            let reason: String
            if label.name.isEmpty || label.name.contains("=") {
                reason = "no node can have it: a label's name is not empty and has no '='"
            } else if text.isEmpty {
                reason =
                    "has no value: give the one that nodes are started with (--label \(label.name)=VALUE)"
            } else if max(label.name.utf8.count, text.utf8.count) > ModelLimits.labelBytesMax {
                reason =
                    "no node can have it: names and values have at most "
                    + "\(ModelLimits.labelBytesMax) octets"
            } else {
                continue
            }
            complain(
                reason,
                field: "nodes[\(quoted(label.name).dropFirst().dropLast())]",
                at: part[label.name]?.place ?? part.place
            )
        }
    }

    /// Digests of material are written in one way.
    private mutating func checkDigests(_ value: SettingValue, _ node: ConfigurationNode) {
        for source in ["files", "authority"] {
            guard let text = value[source]?["digest"]?.scalarText,
                Digest(hex: text)?.hex != text
            else {
                continue
            }
            complain(
                "\(quoted(text)) is not a digest: 64 hexadecimal digits in lower case; leave it out to "
                    + "have the files read",
                field: "\(source).digest",
                at: node[source]?["digest"]?.place ?? node.place
            )
        }
    }

    /// What an authority can prove, and where it is asked.
    private mutating func checkACME(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let acme = value["acme"] else {
            return refuse(["hosts"], value, node, "does nothing without acme")
        }
        let place = node["acme"]?.place ?? node.place
        if let directory = acme["directory"]?.scalarText, !Self.isSecureURL(directory) {
            complain(
                "\(quoted(directory)) is not a URL that begins with https://",
                field: "acme.directory",
                at: node["acme"]?["directory"]?.place ?? place
            )
        }
        if let email = acme["email"]?.scalarText, !email.isEmpty, !Self.isMailbox(email) {
            complain(
                "\(quoted(email)) is not an address of the form name@host",
                field: "acme.email",
                at: node["acme"]?["email"]?.place ?? place
            )
        }
        if let keyID = acme["eab"]?["keyID"]?.scalarText,
            keyID.isEmpty || keyID.utf8.count > ModelLimits.bindingKeyBytesMax
        {
            complain(
                "must be what the authority calls the key: 1 to \(ModelLimits.bindingKeyBytesMax) octets",
                field: "acme.eab.keyID",
                at: node["acme"]?["eab"]?["keyID"]?.place ?? place
            )
        }
        guard node["hosts"] != nil else {
            return complain(
                "hosts is missing: acme needs the names that the certificate is for",
                field: "hosts",
                at: place
            )
        }
        guard case .list(let hosts)? = value["hosts"] else { return }
        if hosts.isEmpty { complain("must name a host", field: "hosts", at: place) }
        let hostsPlace = node["hosts"]?.place ?? place
        if hosts.count > ModelLimits.acmeHostsMax {
            complain(
                "an authority takes at most \(ModelLimits.acmeHostsMax) names, not \(hosts.count)",
                field: "hosts",
                at: hostsPlace
            )
        }
        for case .host(let host) in hosts {
            guard let reason = Self.unprovable(host) else { continue }
            complain("\(quoted("\(host)")) \(reason)", field: "hosts", at: hostsPlace)
        }
    }

    /// Why the two challenges cannot prove a host; `nil` if they can.
    private static func unprovable(_ host: HostPattern) -> String? {
        guard case .exact(let name) = host else {
            return
                "is a wildcard, and http-01 and tls-alpn-01 prove single names: list the names, or "
                + "bring the certificate with files"
        }
        let isAddress = name.hasPrefix("[") || IPAddress(name) != nil
        return isAddress ? "is an address: give a name, or take selfSigned" : nil
    }

    private static func isSecureURL(_ text: String) -> Bool {
        let rest = text.dropFirst("https://".count)
        return text.hasPrefix("https://") && rest.first != nil && rest.first != "/"
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) } && text.utf8.count <= 2_048
    }

    private static func isMailbox(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") }
            && text.utf8.count <= 254
    }

    /// Settings that do nothing without requests.
    private static let httpLimits = [
        "fieldSectionBytes", "fieldLines", "requestTargetBytes", "bodyBytes",
        "requestsPerConnection", "streamsPerConnection",
    ]

    /// What a listener's protocol needs, and what has no meaning with it.
    private mutating func checkProtocol(_ value: SettingValue, _ node: ConfigurationNode) {
        let spoken = value["protocol"]?.scalarText ?? "http"
        switch spoken {
        case "tcp":
            if node["upstream"] == nil {
                complain("upstream is missing: a tcp listener relays to one", at: node.place)
            }
        case "tls-passthrough":
            if node["serverNames"] == nil {
                complain("serverNames is missing: they say where connections go", at: node.place)
            } else if let names = node["serverNames"], names.entries?.isEmpty == true {
                complain(
                    "names nobody: they say where connections go",
                    field: "serverNames",
                    at: names.place
                )
            }
        case "https":
            if node["tls"] == nil {
                complain("tls is missing: it names certificates", at: node.place)
            }
            checkClientCertificate(value, node)
        default: break
        }
        let message = "does nothing on a \(spoken) listener"
        if spoken != "tcp" {
            let hint = "is for listeners with protocol: tcp; routes say where requests go"
            refuse(["upstream"], value, node, spoken == "tls-passthrough" ? message : hint)
        }
        if spoken != "tls-passthrough" { refuse(["serverNames"], value, node, message) }
        if spoken != "https" { refuse(["tls"], value, node, message) }
        if spoken != "http" { refuse(["redirectToHTTPS"], value, node, message) }
        if spoken == "http" || spoken == "tcp", let timeouts = value["timeouts"],
            let part = node["timeouts"]
        {
            refuse(["handshake"], timeouts, part, message, in: "timeouts.")
        }
        if spoken == "tcp" || spoken == "tls-passthrough" { checkRelay(value, node, message) }
    }

    /// What has no meaning without requests.
    private mutating func checkRelay(
        _ value: SettingValue,
        _ node: ConfigurationNode,
        _ message: String
    ) {
        if let limits = value["limits"], let part = node["limits"] {
            refuse(Self.httpLimits, limits, part, message, in: "limits.")
        }
        let proxyProtocol = value["proxyProtocol"]?.scalarText ?? "off"
        if let timeouts = value["timeouts"], let part = node["timeouts"] {
            refuse(["minimumBodyRate", "idle"], timeouts, part, message, in: "timeouts.")
            if proxyProtocol == "off" {
                let hint = message + " without proxyProtocol"
                refuse(["header"], timeouts, part, hint, in: "timeouts.")
            }
        }
        if proxyProtocol != "accept", case .list(let blocks)? = value["trustedProxies"],
            !blocks.isEmpty
        {
            refuse(["trustedProxies"], value, node, message + " without proxyProtocol: accept")
        }
    }

    /// Who asks for certificates says whom it believes, and tells of them in fields that nothing else is told in.
    private mutating func checkClientCertificate(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let clients = value["tls"]?["clientCertificate"],
            let part = node["tls"]?["clientCertificate"]
        else { return }
        var hasAuthorities = false
        if case .list(let names)? = clients["authorities"] { hasAuthorities = !names.isEmpty }
        if let mode = clients["mode"]?.scalarText, mode != "none", !hasAuthorities {
            complain(
                "authorities is missing: clients' certificates are verified against them",
                field: "tls.clientCertificate",
                at: part.place
            )
        }
        guard let forward = clients["forward"], let names = part["forward"] else { return }
        let prefix = "tls.clientCertificate.forward."
        for field in ["subject", "fingerprint"] {
            guard let name = forward[field]?.scalarText else { continue }
            let place = names[field]?.place ?? names.place
            let dashed = Self.dashed(name)
            if Self.ownFields.contains(dashed) || Self.forwardedFields.contains(dashed) {
                let message = "\(name) has a meaning of its own; take another name"
                complain(message, field: prefix + field, at: place)
            }
        }
        if let subject = forward["subject"], subject == forward["fingerprint"] {
            complain(
                "is already the field of the subject",
                field: prefix + "fingerprint",
                at: names["fingerprint"]?.place ?? names.place
            )
        }
    }

    /// The identifier has a field that means nothing else.
    private mutating func checkRequestID(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let name = (value["header"]?.scalarText).map(Self.dashed), name != "x-request-id",
            Self.ownFields.contains(name) || Self.forwardedFields.contains(name)
                || Self.contextFields.contains(name)
        else { return }
        complain(
            "\(name) has a meaning of its own; take another name",
            field: "header",
            at: node["header"]?.place ?? node.place
        )
    }

    /// Request fields that are judged and passed on, or that make another response.
    private static let contextFields: Set<String> = [
        "traceparent", "tracestate", "baggage", "accept", "accept-encoding", "accept-language",
        "content-language", "content-location", "http2-settings", "if-match", "if-none-match",
        "if-modified-since", "if-unmodified-since", "if-range", "proxy-authorization", "origin",
        "referer", "user-agent", "priority", "cache-control",
    ]

    /// Request fields that say where a request goes, whose it is, or who asks.
    private static let forwardedFields: Set<String> = [
        "host", "via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
        "x-forwarded-port", "x-forwarded-prefix", "x-real-ip", "x-request-id", "expect",
        "max-forwards", "authorization", "cookie", "range", "content-type", "content-encoding",
    ]

    private mutating func refuse(
        _ names: [String],
        _ value: SettingValue,
        _ node: ConfigurationNode,
        _ message: String,
        in prefix: String = ""
    ) {
        for name in names where value[name] != nil {
            complain(message, field: prefix + name, at: node[name]?.place ?? node.place)
        }
    }

    /// Connections that clients share cannot tell of one.
    private mutating func checkProxyProtocol(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let header = value["proxyProtocol"]?.scalarText, header != "off",
            let spoken = value["protocol"]?.scalarText, spoken != "http1"
        else { return }
        complain(
            "\(header) needs protocol: http1; clients share connections of \(spoken)",
            field: "proxyProtocol",
            at: node["proxyProtocol"]?.place ?? node.place
        )
    }

    /// Protocols that are chosen in a handshake need one, and no endpoint has a name without one.
    private mutating func checkUpstreamTLS(_ value: SettingValue, _ node: ConfigurationNode) {
        let spoken = value["protocol"]?.scalarText ?? "http1"
        guard let tls = value["tls"] else {
            guard spoken == "h2" || spoken == "auto", node["tls"] == nil else { return }
            return complain(
                "\(spoken) is spoken over TLS: tls is missing, as {} at least",
                field: "protocol",
                at: node["protocol"]?.place ?? node.place
            )
        }
        if spoken == "h2c" {
            complain(
                "h2c is spoken without TLS; with it, take protocol: h2",
                field: "tls",
                at: node["tls"]?.place ?? node.place
            )
        }
        guard tls["serverName"] == nil, tls["verify"]?.scalarText != "false",
            case .list(let endpoints)? = value["endpoints"]
        else { return }
        for (index, endpoint) in endpoints.enumerated() {
            guard case .address(let address)? = endpoint["address"], address.path != nil else {
                continue
            }
            complain(
                "\(address) has no name to verify: set serverName",
                field: "endpoints[\(index)].address",
                at: node["endpoints"]?.place ?? node.place
            )
        }
    }

    /// Endpoints come from somewhere, and what finds them says where they listen.
    private mutating func checkDiscovery(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let discovery = value["discovery"] else {
            guard node["endpoints"] == nil else { return }
            return complain(
                "endpoints is missing: an upstream has endpoints, or a discovery that finds them",
                at: node.place
            )
        }
        let place = node["discovery"]?.place ?? node.place
        guard let text = discovery["dns"]?.scalarText, let target = DiscoveryName(text) else {
            return
        }
        let isService = discovery["type"]?.scalarText == "srv"
        if !isService, target.port == nil {
            complain(
                "\(quoted(text)) has no port: addresses say none, so write \(target.name):80, or whichever it is",
                field: "discovery.dns",
                at: node["discovery"]?["dns"]?.place ?? place
            )
        }
        guard isService, let tls = value["tls"], tls["verify"]?.scalarText != "false",
            tls["serverName"]?.scalarText ?? "" == ""
        else { return }
        // RFC 6125 §1.8: whoever forges records would name the server to be believed.
        complain(
            "tls.serverName is missing: the hosts that SRV records name are no names to verify, for whoever forges "
                + "the records chooses them",
            field: "tls",
            at: node["tls"]?.place ?? node.place
        )
    }

    private mutating func checkEndpoints(_ value: SettingValue, _ node: ConfigurationNode) {
        guard case .list(let endpoints)? = value["endpoints"], let list = node["endpoints"] else {
            return
        }
        // Only a list without problems has one value per node.
        guard let items = list.items, items.count == endpoints.count else { return }
        var seen: [NetworkAddress: Int] = [:]
        var weightSum = 0
        for (index, endpoint) in endpoints.enumerated() {
            if case .integer(let weight)? = endpoint["weight"] {
                weightSum += weight
            } else {
                weightSum += 1
            }
            guard case .address(let address)? = endpoint["address"] else { continue }
            if let first = seen[address] {
                complain(
                    "\(address) is already endpoints[\(first)]",
                    field: "endpoints[\(index)].address",
                    at: items[index]["address"]?.place ?? items[index].place
                )
            } else {
                seen[address] = index
            }
        }
        if weightSum == 0 && !endpoints.isEmpty && value["discovery"] == nil {
            complain("every weight is 0; give one at least 1", field: "endpoints", at: list.place)
        }
    }

    /// Fields that belong to the connection or that the proxy writes (RFC 9110 §7.6.1, §8.6).
    private static let ownFields: Set<String> = [
        "connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]

    private mutating func checkResponse(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let response = value["respond"], let part = node["respond"] else { return }
        if case .record(let headers)? = response["headers"] {
            for header in headers where Self.ownFields.contains(header.name) {
                complain(
                    "\(header.name) is written by the proxy itself",
                    field: "respond.headers[\(header.name)]",
                    at: part["headers"]?.place ?? part.place
                )
            }
        }
        // RFC 9110 §15.3.5, §15.3.6, §15.4.5.
        guard case .integer(let status)? = response["status"], [204, 205, 304].contains(status),
            case .template(_, let body)? = response["body"], !body.isEmpty
        else { return }
        complain(
            "a response with status \(status) has no content",
            field: "respond.body",
            at: part["body"]?.place ?? part.place
        )
    }

    private mutating func checkRedirect(_ value: SettingValue, _ node: ConfigurationNode) {
        guard case .integer(let status)? = value["redirect"]?["status"],
            ![301, 302, 303, 307, 308].contains(status)
        else { return }
        complain(
            "must be 301, 302, 303, 307 or 308",
            field: "redirect.status",
            at: node["redirect"]?["status"]?.place ?? node.place
        )
    }

    /// `access: off` and `access: {format: off}` are the same content.
    private static func expandAccess(_ value: SettingValue) -> SettingValue {
        guard case .record(let fields) = value else { return value }
        return .record(
            fields.map { field in
                guard field.name == "access", field.value == .text("off") else { return field }
                let format = SettingValue.Field(name: "format", value: .text("off"))
                return SettingValue.Field(name: "access", value: .record([format]))
            }
        )
    }
}
