extension Upstream {
    /// Reads a checked record.
    init(_ fields: FieldReader) {
        let connections = fields.record("connections")
        let timeouts = fields.record("timeouts")
        let balance = fields.word("balance", as: Balance.self)
        func part<Part>(_ name: String, _ read: (FieldReader) -> Part) -> Part? {
            fields.has(name) ? read(fields.record(name)) : nil
        }
        self.init(
            name: fields.text("name"),
            transport: fields.word("protocol", as: UpstreamProtocol.self),
            balance: balance,
            hash: balance == .hash ? part("hash", HashKey.init) ?? .clientAddress : nil,
            endpoints: fields.has("endpoints")
                ? fields.records("endpoints").map(Endpoint.init) : [],
            discovery: part("discovery", Discovery.init) ?? nil,
            sticky: part("sticky", Sticky.init),
            connections: UpstreamConnections(
                maximum: connections.integer("maximum"),
                idle: connections.duration("idle"),
                perEndpoint: connections.limit("perEndpoint")
            ),
            queue: UpstreamQueue(fields.record("queue")),
            timeouts: UpstreamTimeouts(
                connect: timeouts.duration("connect"),
                firstByte: timeouts.durationLimit("firstByte"),
                idle: timeouts.durationLimit("idle"),
                total: timeouts.durationLimit("total")
            ),
            retry: part("retry", Retry.init),
            health: part("health", HealthCheck.init),
            outliers: part("outliers", Outliers.init),
            circuit: part("circuit", Circuit.init),
            slowStart: fields.durationLimit("slowStart"),
            proxyProtocol: fields.word("proxyProtocol", as: UpstreamProxyProtocol.self),
            tls: part("tls", UpstreamTLS.init)
        )
    }
}

extension Endpoint {
    fileprivate init(_ fields: FieldReader) {
        self.init(
            address: fields.address("address"),
            weight: fields.integer("weight"),
            zone: fields.optionalText("zone"),
            tier: fields.integer("tier")
        )
    }
}

extension HashKey {
    fileprivate init(_ fields: FieldReader) {
        let name = fields.optionalText("name") ?? ""
        switch fields.text("on") {
        case "header": self = .header(name.lowercased())
        case "cookie": self = .cookie(name)
        case "query": self = .query(name)
        case "path": self = .path
        default: self = .clientAddress
        }
    }
}

extension Sticky {
    fileprivate init(_ fields: FieldReader) {
        let ttl = fields.has("ttl") ? fields.durationLimit("ttl") : nil
        self.init(cookie: fields.text("cookie"), ttl: ttl)
    }
}

extension UpstreamQueue {
    fileprivate init(_ fields: FieldReader) {
        self.init(requests: fields.limit("requests"), timeout: fields.duration("timeout"))
    }
}

extension Discovery {
    fileprivate init?(_ fields: FieldReader) {
        guard let target = DiscoveryName(fields.text("dns")) else { return nil }
        self.init(
            name: target.name,
            port: target.port,
            type: fields.word("type", as: RecordType.self),
            refresh: fields.durationUnlessWord("refresh")
        )
    }
}

extension Retry {
    fileprivate init(_ fields: FieldReader) {
        let words = fields.list("on").compactMap(\.scalarText)
        self.init(
            attempts: fields.integer("attempts"),
            conditions: fields.has("on")
                ? Conditions(words.compactMap { Conditions.words[$0] }) : [.connect, .reset],
            statuses: words.compactMap { Int($0) }.sorted(),
            budget: fields.percentage("budget"),
            perTryTimeout: fields.durationLimit("perTryTimeout")
        )
    }
}

extension HealthCheck {
    fileprivate init(_ fields: FieldReader) {
        let probe: Probe
        if fields.has("http") {
            let http = fields.record("http")
            probe = .http(
                HTTPProbe(
                    path: http.text("path"),
                    statuses: StatusRange.parseList(http.text("expect")) ?? [],
                    host: http.optionalText("host"),
                    body: http.text("body")
                )
            )
        } else if fields.has("grpc") {
            probe = .grpc(service: fields.record("grpc").optionalText("service") ?? "")
        } else {
            probe = .tcp
        }
        self.init(
            probe: probe,
            interval: fields.duration("interval"),
            timeout: fields.duration("timeout"),
            healthyAfter: fields.integer("healthyAfter"),
            unhealthyAfter: fields.integer("unhealthyAfter"),
            jitter: fields.percentage("jitter")
        )
    }
}

extension Outliers {
    fileprivate init(_ fields: FieldReader) {
        self.init(
            consecutiveErrors: fields.limit("consecutiveErrors"),
            successRate: fields.percentage("successRate"),
            ejectFor: fields.duration("ejectFor"),
            maximumEjected: fields.percentage("maximumEjected")
        )
    }
}

extension Circuit {
    fileprivate init(_ fields: FieldReader) {
        self.init(
            errors: fields.percentage("errors"),
            minimumRequests: fields.integer("minimumRequests"),
            window: fields.duration("window"),
            openFor: fields.duration("openFor"),
            status: fields.record("respond").integer("status")
        )
    }
}

extension Overload {
    /// Reads a checked record.
    init(_ fields: FieldReader) {
        self.init(
            loopLag: fields.durationLimit("loopLag"),
            memory: fields.limit("memory")
        )
    }
}

extension UpstreamTLS {
    fileprivate init(_ fields: FieldReader) {
        func name(_ field: String) -> String? {
            fields.optionalText(field).flatMap { $0.isEmpty ? nil : $0 }
        }
        self.init(
            serverName: name("serverName"),
            isVerified: fields.flag("verify"),
            authority: name("authority"),
            clientCertificate: name("clientCertificate")
        )
    }
}
