/// A resource as the types that the programs use.
indirect enum TypedResource: Sendable {
    case listener(Listener)
    case upstream(Upstream)
    case route(Route)
    case hiding(Hiding)
    case logging(Logging)
    case certificate(ConfiguredCertificate)
    case policy(Policy)
    case test(RouteTest)
    case group(ListenerGroup)
    case requestID(RequestIDSettings)
    case paths(PathSettings)
    case tracing(Tracing)
    case overload(Overload)
    case metrics(MetricsSettings)
    /// Its kind has nothing for the build to do.
    case inert

    /// Takes a record that was checked without a problem.
    init(kind: ResourceKind, _ value: SettingValue?) {
        let fields = FieldReader(value, Settings.settings(of: kind).record)
        switch kind {
        case .listener: self = .listener(Listener(fields))
        case .upstream: self = .upstream(Upstream(fields))
        case .route: self = .route(Route(fields))
        case .hiding: self = .hiding(Hiding(fields))
        case .logging: self = .logging(Logging(fields))
        case .certificate: self = .certificate(ConfiguredCertificate(fields))
        case .policy: self = .policy(Policy(fields))
        case .test: self = .test(RouteTest(fields))
        case .requestID: self = .requestID(RequestIDSettings(fields))
        case .paths: self = .paths(PathSettings(fields))
        case .tracing: self = .tracing(Tracing(propagates: fields.flag("propagate")))
        case .overload: self = .overload(Overload(fields))
        case .metrics: self = .metrics(MetricsSettings(perEndpoint: fields.flag("perEndpoint")))
        case .group: self = .group(ListenerGroup(fields))
        case .consumer, .api: self = .inert
        }
    }
}

extension Listener {
    fileprivate init(_ fields: FieldReader) {
        let limits = fields.record("limits")
        let timeouts = fields.record("timeouts")
        self.init(
            name: fields.text("name"),
            address: fields.address("address"),
            transport: fields.word("protocol", as: ListenerProtocol.self),
            proxyProtocol: fields.word("proxyProtocol", as: ListenerProxyProtocol.self),
            trustedProxies: fields.list("trustedProxies").compactMap { value in
                guard case .block(let block) = value else { return nil }
                return block
            },
            limits: ListenerLimits(
                connections: limits.integer("connections"),
                connectionsPerClient: limits.limit("connectionsPerClient"),
                fieldSectionBytes: limits.size("fieldSectionBytes"),
                fieldLines: limits.integer("fieldLines"),
                requestTargetBytes: limits.size("requestTargetBytes"),
                bodyBytes: limits.limit("bodyBytes"),
                requestsPerConnection: limits.limit("requestsPerConnection"),
                streamsPerConnection: limits.integer("streamsPerConnection")
            ),
            timeouts: ListenerTimeouts(
                handshake: timeouts.duration("handshake"),
                header: timeouts.duration("header"),
                minimumBodyRate: timeouts.limit("minimumBodyRate"),
                idle: timeouts.duration("idle")
            ),
            upstream: fields.optionalText("upstream"),
            tls: fields.has("tls") ? ListenerTLS(fields.record("tls")) : nil,
            redirectPort: fields.has("redirectToHTTPS") ? fields.integer("redirectToHTTPS") : nil,
            serverNames: fields.has("serverNames")
                ? fields.map("serverNames").compactMap { field in
                    guard let upstream = field.value.scalarText,
                        let name = try? Hosts.pattern(field.name)
                    else { return nil }  // keys were checked before
                    return ServerNameRoute(name: name, upstream: upstream)
                } : []
        )
    }
}

extension ListenerTLS {
    fileprivate init(_ fields: FieldReader) {
        let clients = fields.record("clientCertificate")
        let forward = clients.record("forward")
        self.init(
            certificates: fields.list("certificates").compactMap(\.scalarText),
            isStrict: fields.flag("strictSNI"),
            minimumVersion: fields.word("minimumVersion", as: TLSMinimumVersion.self),
            protocols: fields.list("alpn").compactMap(\.scalarText),
            clientCertificate: ClientCertificate(
                mode: clients.word("mode", as: ClientCertificate.Mode.self),
                authorities: clients.list("authorities").compactMap(\.scalarText),
                subjectField: forward.optionalText("subject"),
                fingerprintField: forward.optionalText("fingerprint")
            ),
            handshakesPerSecond: fields.limit("handshakesPerSecond")
        )
    }
}

extension ListenerGroup {
    fileprivate init(_ fields: FieldReader) {
        var labels: [String: String] = [:]
        for field in fields.map("nodes") { labels[field.name] = field.value.scalarText }
        self.init(
            name: fields.text("name"),
            labels: labels,
            listeners: fields.list("listeners").compactMap(\.scalarText)
        )
    }
}

extension SettingValue {
    /// A host that is no pattern.
    fileprivate var exactHost: String? {
        if case .host(.exact(let name)) = self { name } else { nil }
    }
}

extension ConfiguredCertificate {
    fileprivate init(_ fields: FieldReader) {
        func digest(_ fields: FieldReader) -> Digest? {
            fields.optionalText("digest").flatMap(Digest.init(hex:))
        }
        name = fields.text("name")
        if fields.has("files") {
            let files = fields.record("files")
            source = .files(
                certificate: files.text("certificate"),
                key: files.text("key"),
                digest: digest(files)
            )
        } else if fields.has("authority") {
            let authority = fields.record("authority")
            source = .authority(file: authority.text("file"), digest: digest(authority))
        } else if fields.has("acme") {
            let acme = fields.record("acme")
            func name(_ field: String) -> String? {
                acme.optionalText(field).flatMap { $0.isEmpty ? nil : $0 }
            }
            source = .acme(
                ACMESource(
                    hosts: fields.has("hosts") ? fields.list("hosts").compactMap(\.exactHost) : [],
                    directory: acme.text("directory"),
                    email: name("email"),
                    challenge: acme.word("challenge", as: ACMESource.Challenge.self),
                    authority: name("authority"),
                    binding: acme.has("eab")
                        ? ACMESource.Binding(
                            keyID: acme.record("eab").text("keyID"),
                            secret: acme.record("eab").text("secret")
                        ) : nil
                )
            )
        } else {
            let hosts = fields.record("selfSigned").list("hosts")
            source = .selfSigned(hosts: hosts.compactMap(\.scalarText))
        }
    }
}

extension Hiding {
    fileprivate init(_ fields: FieldReader) {
        let server: ServerField
        switch fields.text("server") {
        case "remove": server = .remove
        case "keep": server = .keep
        case let value: server = .replace(value)
        }
        let via = fields.text("via")
        self.init(
            server: server,
            responseHeaders: fields.namePatterns("responseHeaders"),
            productHeaders: fields.namePatterns("productHeaders"),
            rewriteLocation: fields.flag("rewriteLocation"),
            rewriteCookies: fields.flag("rewriteCookies"),
            rewriteFields: fields.flag("rewriteFields"),
            via: via.isEmpty ? nil : via,
            proxyStatus: fields.word("proxyStatus", as: ProxyStatusMode.self),
            names: fields.flag("names")
        )
    }
}

extension Logging {
    fileprivate init(_ fields: FieldReader) {
        let access = fields.record("access")
        guard let format = AccessLogFormat(rawValue: access.text("format")) else {
            self.init(access: nil)
            return
        }
        let target = access.text("to")
        self.init(
            access: AccessLog(
                format: format,
                target: target == "stdout" ? .stdout : .file(target)
            )
        )
    }
}

extension RequestIDSettings {
    fileprivate init(_ fields: FieldReader) {
        self.init(
            header: fields.text("header"),
            acceptance: fields.word("accept", as: Acceptance.self)
        )
    }
}

extension PathSettings {
    fileprivate init(_ fields: FieldReader) {
        self.init(
            mergesSlashes: fields.flag("mergeSlashes"),
            encodedSlash: fields.word("encodedSlash", as: EncodedSlash.self)
        )
    }
}
