/// A validated configuration: immutable, complete, with defaults filled in.
///
/// Listeners and upstreams stand in the order of their names, routes in file order. One made from a
/// document and one made from its resources are equal.
package struct Configuration: Sendable {
    /// Where nodes listen; in a node's share, where that node does.
    package internal(set) var listeners: [Listener]
    /// In a node's share, the listeners that it does not take.
    package internal(set) var listenersElsewhere: [Listener] = []
    /// In a node's share, names of upstreams that its listeners do not reach.
    var upstreamsElsewhere: Set<String> = []
    /// Which nodes take which listeners, by name.
    package let groups: [ListenerGroup]
    /// Where requests go.
    package let upstreams: [Upstream]
    /// Which request goes where, in file order.
    package let routes: [Route]
    /// What TLS serves and trusts, by name.
    package let certificates: [ConfiguredCertificate]
    /// The steps that routes name, by name.
    package let policies: [String: Policy]
    /// What the routes must do with some requests, in file order.
    package let tests: [RouteTest]
    /// What back ends may reveal.
    package let hiding: Hiding
    /// How requests are identified.
    package let requestID: RequestIDSettings
    /// What paths mean.
    package let paths: PathSettings
    /// What becomes of trace context.
    package let tracing: Tracing
    /// When new requests are refused at once.
    package let overload: Overload
    package let metrics: MetricsSettings
    /// What is logged.
    package let logging: Logging
    /// The list of the resources; its digest is the version's.
    package let manifest: Manifest
    /// The resources with what was made of them, in manifest order.
    let checked: [CheckedResource]

    /// Checks a document, such as `ConfigurationFile` or `JSONReader` reads.
    ///
    /// - Throws: Every problem at once, in the order of the document.
    package init(document: ConfigurationNode) throws(ConfigurationProblems) {
        var checker = ConfigurationChecker()
        checker.add(document: document)
        self.init(try checker.finish())
    }

    /// Checks stored or received resources as strictly as a document.
    ///
    /// - Parameters:
    ///   - resources: Resources in manifest order, with canonical content.
    ///   - previous: A configuration whose unchanged resources need not be read again.
    /// - Throws: Every problem at once, without places.
    package init(
        resources: [Resource],
        reusing previous: Configuration? = nil
    ) throws(ConfigurationProblems) {
        do {
            _ = try Manifest(entries: resources.map(\.entry))
        } catch {
            throw ConfigurationProblems([
                Problem(kind: nil, name: "", field: "", message: "not a manifest: \(error)")
            ])
        }
        var known: [ManifestEntry: CheckedResource] = [:]
        for checked in previous?.checked ?? [] { known[checked.resource.entry] = checked }
        var checker = ConfigurationChecker()
        for resource in resources {
            if let checked = known[resource.entry] {
                checker.add(checked)
            } else {
                checker.add(stored: resource)
            }
        }
        do {
            self.init(try checker.finish())
        } catch {
            throw ConfigurationProblems(error.problems.map(\.withoutPlace))
        }
    }

    /// Reads and checks a JSON document.
    package init(json: String, file: String = "") throws(ConfigurationProblems) {
        try self.init(document: try JSONReader.read(Array(json.utf8), file: file))
    }

    /// What is wrong with a document by the whole contract, built or not.
    package static func contractProblems(of document: ConfigurationNode) -> [Problem] {
        var checker = ConfigurationChecker(acceptsUnbuilt: true)
        checker.add(document: document)
        do {
            _ = try checker.finish()
            return []
        } catch {
            return error.problems
        }
    }

    /// The configuration without resources: nothing listens.
    package static let empty = Configuration([])

    /// The same as it is stored and sent, in manifest order.
    package var resources: [Resource] { checked.map(\.resource) }

    private init(_ checked: [CheckedResource]) {
        var listeners: [Listener] = []
        var upstreams: [Upstream] = []
        var routes: [Route] = []
        var certificates: [ConfiguredCertificate] = []
        var policies: [String: Policy] = [:]
        var tests: [RouteTest] = []
        var groups: [ListenerGroup] = []
        var hiding = Self.defaultHiding
        var logging = Self.defaultLogging
        var requestID = Self.defaultRequestID
        var paths = Self.defaultPaths
        var tracing = Self.defaultTracing
        var overload = Self.defaultOverload
        var metrics = Self.defaultMetrics
        for item in checked {
            switch item.typed {
            case .listener(let listener): listeners.append(listener)
            case .upstream(let upstream): upstreams.append(upstream)
            case .route(let route): routes.append(route)
            case .hiding(let found): hiding = found
            case .logging(let found): logging = found
            case .certificate(let certificate): certificates.append(certificate)
            case .policy(let policy): policies[policy.name] = policy
            case .test(let test): tests.append(test)
            case .group(let group): groups.append(group)
            case .requestID(let found): requestID = found
            case .paths(let found): paths = found
            case .tracing(let found): tracing = found
            case .overload(let found): overload = found
            case .metrics(let found): metrics = found
            case .inert: break
            }
        }
        (self.listeners, self.upstreams) = (listeners, upstreams)
        let settles = paths.mergesSlashes || paths.encodedSlash == .decode
        self.routes = settles ? routes.map { $0.settled(by: paths) } : routes
        self.certificates = certificates
        (self.policies, self.tests, self.groups) = (policies, tests, groups)
        (self.hiding, self.logging, self.requestID) = (hiding, logging, requestID)
        (self.paths, self.tracing, self.overload) = (paths, tracing, overload)
        self.metrics = metrics
        self.checked = checked
        manifest = Manifest(checked: checked.map(\.resource.entry))
    }

    /// Where resources name secrets, in manifest order.
    package var secretUses: [SecretUse] {
        certificates.compactMap { certificate in
            certificate.order?.binding.map { binding in
                SecretUse(
                    kind: .certificate,
                    user: certificate.name,
                    field: "acme.eab.secret",
                    secret: binding.secret
                )
            }
        }
    }

    /// Where resources name certificates, in manifest order.
    package var certificateUses: [CertificateUse] {
        checked.flatMap { item in
            item.references.lazy.filter { $0.kind == .certificate }.map { reference in
                CertificateUse(
                    kind: item.resource.kind,
                    user: item.resource.name,
                    field: reference.field,
                    certificate: reference.name
                )
            }
        }
    }

    private static let defaultHiding: Hiding = {
        guard case .hiding(let hiding) = TypedResource(kind: .hiding, nil) else {
            preconditionFailure("hiding reads as hiding")
        }
        return hiding
    }()

    private static let defaultLogging: Logging = {
        guard case .logging(let logging) = TypedResource(kind: .logging, nil) else {
            preconditionFailure("logging reads as logging")
        }
        return logging
    }()

    private static let defaultRequestID: RequestIDSettings = {
        guard case .requestID(let requestID) = TypedResource(kind: .requestID, nil) else {
            preconditionFailure("requestID reads as requestID")
        }
        return requestID
    }()

    static let defaultPaths: PathSettings = {
        guard case .paths(let paths) = TypedResource(kind: .paths, nil) else {
            preconditionFailure("paths reads as paths")
        }
        return paths
    }()

    private static let defaultTracing: Tracing = {
        guard case .tracing(let tracing) = TypedResource(kind: .tracing, nil) else {
            preconditionFailure("tracing reads as tracing")
        }
        return tracing
    }()

    private static let defaultOverload: Overload = {
        guard case .overload(let overload) = TypedResource(kind: .overload, nil) else {
            preconditionFailure("overload reads as overload")
        }
        return overload
    }()

    private static let defaultMetrics: MetricsSettings = {
        guard case .metrics(let metrics) = TypedResource(kind: .metrics, nil) else {
            preconditionFailure("metrics reads as metrics")
        }
        return metrics
    }()
}

extension Configuration: Hashable {
    /// The manifest's digest covers all content, and the rest follows from it.
    package static func == (left: Configuration, right: Configuration) -> Bool {
        left.manifest.digest == right.manifest.digest
    }

    /// Hashes the manifest's digest.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(manifest.digest)
    }
}

extension Problem {
    /// The same for content that has no file.
    fileprivate var withoutPlace: Problem {
        Problem(kind: kind, name: name, field: field, message: message)
    }
}
