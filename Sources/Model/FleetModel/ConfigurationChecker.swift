/// Checks a whole configuration and gathers everything that is wrong with it.
struct ConfigurationChecker {
    /// Takes fields that the build refuses, to check a document against the whole contract.
    var acceptsUnbuilt = false
    /// What nodes take of one version.
    var contentBytesMax = ModelLimits.contentBytesMax
    var resourceCountMax = ModelLimits.resourceCountMax
    var configurationBytesMax = ModelLimits.configurationBytesMax

    private var drafts: [Draft] = []
    private var problems: [Problem] = []
    private var suggester = Suggester()

    /// A resource on its way to be a `CheckedResource`.
    private struct Draft {
        let kind: ResourceKind
        let name: String
        /// Where its name stands.
        let place: Place
        /// Where its address stands, if it has one.
        let addressPlace: Place
        let references: [Reference]
        /// `nil` if it has problems of its own.
        let checked: CheckedResource?
    }

    init(acceptsUnbuilt: Bool = false) {
        self.acceptsUnbuilt = acceptsUnbuilt
    }

    // MARK: Inputs

    /// Takes a whole document: a map of sections.
    mutating func add(document: ConfigurationNode) {
        guard let sections = document.entries else {
            complain("a configuration is a map of sections, not \(document.noun)", document.place)
            return
        }
        for section in sections {
            guard let kind = ResourceKind(section: section.key) else {
                let known = ResourceKind.allCases.lazy.map(\.section)
                let hint = suggester.hint(for: section.key, among: known)
                complain("unknown section\(hint)", section.keyPlace, field: section.key)
                continue
            }
            add(section.value, to: kind, at: section.keyPlace)
        }
    }

    private mutating func add(_ node: ConfigurationNode, to kind: ResourceKind, at place: Place) {
        if !Settings.settings(of: kind).isBuilt && !acceptsUnbuilt {
            // What holds nothing states what the build does anyway.
            if let items = node.items, items.isEmpty, !kind.isSingleton { return }
            complain("not supported by this build", place, kind: kind)
            return
        }
        if kind.isSingleton {
            add(resource: node, kind: kind, name: kind.rawValue, namePlace: place)
            return
        }
        guard let items = node.items else {
            complain("must be a list, not \(node.noun)", node.place, kind: kind)
            return
        }
        for (index, item) in items.enumerated() {
            let name = item["name"]
            add(
                resource: item,
                kind: kind,
                name: name?.text ?? "#\(index + 1)",
                namePlace: name?.place ?? item.place
            )
        }
    }

    /// Takes what is known to be right already.
    mutating func add(_ checked: CheckedResource) {
        drafts.append(
            Draft(
                kind: checked.resource.kind,
                name: checked.resource.name,
                place: .none,
                addressPlace: .none,
                references: checked.references,
                checked: checked
            )
        )
    }

    /// Takes one stored resource.
    ///
    /// Its content must be exactly what this target would write, so that one configuration has one
    /// digest.
    mutating func add(stored resource: Resource) {
        let kind = resource.kind
        let node: ConfigurationNode
        do {
            node = try JSONReader.read(resource.content)
        } catch {
            let found = error.problems.first?.description ?? ""
            complain("stored content is not JSON: \(found)", .none, kind: kind, name: resource.name)
            return
        }
        if !Settings.settings(of: kind).isBuilt {
            let message = "not supported by this build"
            complain(message, .none, kind: kind, name: resource.name)
            return
        }
        let name = kind.isSingleton ? kind.rawValue : node["name"]?.text ?? ""
        guard name == resource.name else {
            let message = "stored content is named \(quoted(name))"
            complain(message, .none, kind: kind, name: resource.name)
            return
        }
        add(resource: node, kind: kind, name: name, namePlace: .none)
        guard let checked = drafts.last?.checked else { return }
        if checked.resource.digest != resource.digest {
            let message = "stored content is not in canonical form"
            complain(message, .none, kind: kind, name: resource.name)
        }
    }

    private mutating func add(
        resource node: ConfigurationNode,
        kind: ResourceKind,
        name: String,
        namePlace: Place
    ) {
        let shown = quoted(name).dropFirst().dropLast()
        var checker = RecordChecker(
            kind: kind,
            name: String(shown),
            acceptsUnbuilt: acceptsUnbuilt,
            suggester: suggester
        )
        var value = checker.record(node, Settings.settings(of: kind).record)
        value = checker.applyRules(value, node)
        suggester = checker.remainingSuggester
        let isSound = checker.problems.isEmpty && !acceptsUnbuilt
        problems.append(contentsOf: checker.problems)
        drafts.append(
            Draft(
                kind: kind,
                name: name,
                place: namePlace,
                addressPlace: node["address"]?.place ?? node.place,
                references: checker.references,
                checked: isSound
                    ? CheckedResource(
                        kind: kind,
                        name: name,
                        value: value,
                        references: checker.references
                    ) : nil
            )
        )
    }

    // MARK: The whole

    /// Checks what concerns several resources, and gives them in manifest order.
    mutating func finish() throws(ConfigurationProblems) -> [CheckedResource] {
        checkNames()
        checkAddresses()
        checkReferences()
        checkRouteListeners()
        checkPaths()
        checkCertificateUses()
        checkChallenges()
        checkRelays()
        checkIdentifierField()
        checkRequestEdits()
        checkRouteEdits()
        checkPolicyCaptures()
        checkSizes()
        guard problems.isEmpty else { throw ConfigurationProblems(sortedProblems()) }
        var ordered = drafts
        ordered.sort { left, right in
            if left.kind != right.kind { return left.kind < right.kind }
            return !left.kind.keepsOrder && Manifest.isName(left.name, before: right.name)
        }
        return ordered.compactMap(\.checked)
    }

    private mutating func checkNames() {
        var seen: [ResourceIdentity: Place] = [:]
        for draft in drafts {
            let identity = ResourceIdentity(kind: draft.kind, name: draft.name)
            guard let first = seen[identity] else {
                seen[identity] = draft.place
                continue
            }
            let taken = first.description.isEmpty ? "" : " at \(first)"
            complain(
                "the name is already taken\(taken)",
                draft.place,
                kind: draft.kind,
                name: draft.name,
                field: "name"
            )
        }
    }

    /// No node binds an address twice.
    private mutating func checkAddresses() {
        var groups: [ListenerGroup] = []
        for draft in drafts {
            if case .group(let group)? = draft.checked?.typed { groups.append(group) }
        }
        var seen: [NetworkAddress: [String]] = [:]
        for draft in drafts {
            guard case .listener(let listener)? = draft.checked?.typed, listener.address.port != 0
            else { continue }
            let others = seen[listener.address, default: []]
            seen[listener.address] = others + [draft.name]
            let isCrowded = others.count >= ModelLimits.addressSharersMax
            let rival = others.first { isCrowded || !groups.keepApart($0, listener.name) }
            guard let rival else { continue }
            let hint =
                groups.isEmpty
                ? ""
                : ", and a node could take both: let their groups ask for other values of one label"
            complain(
                "\(listener.address) is already the address of \(quoted(rival))\(hint)",
                draft.addressPlace,
                kind: .listener,
                name: draft.name,
                field: "address"
            )
        }
    }

    private mutating func checkReferences() {
        var names: [ResourceKind: Set<String>] = [:]
        for draft in drafts { names[draft.kind, default: []].insert(draft.name) }
        var sorted: [ResourceKind: [String]] = [:]
        for draft in drafts {
            for reference in draft.references {
                let known = names[reference.kind] ?? []
                if known.contains(reference.name) { continue }
                let candidates = sorted[reference.kind] ?? known.sorted()
                sorted[reference.kind] = candidates
                let hint = suggester.hint(for: reference.name, among: candidates)
                let message =
                    "there is no \(reference.kind.rawValue) \(quoted(reference.name))\(hint)"
                complain(message, of: reference, in: draft)
            }
        }
    }

    /// What serves needs a certificate with its key; what verifies needs authorities.
    private mutating func checkCertificateUses() {
        var known: [String: ConfiguredCertificate] = [:]
        for draft in drafts {
            guard case .certificate(let certificate)? = draft.checked?.typed else { continue }
            known[certificate.name] = certificate
        }
        for draft in drafts {
            for reference in draft.references where reference.kind == .certificate {
                guard let certificate = known[reference.name] else { continue }
                let use = CertificateUse(
                    kind: draft.kind,
                    user: draft.name,
                    field: reference.field,
                    certificate: reference.name
                )
                guard use.wantsAuthority != certificate.isAuthority else { continue }
                complain(
                    certificate.isAuthority
                        ? "\(quoted(reference.name)) holds authorities to trust, and no key"
                        : "\(quoted(reference.name)) is a certificate to show, not authorities to trust",
                    of: reference,
                    in: draft
                )
            }
        }
    }

    /// A challenge is answered on listeners of its protocol.
    private mutating func checkChallenges() {
        var spoken: Set<ListenerProtocol> = []
        for draft in drafts {
            guard case .listener(let listener)? = draft.checked?.typed else { continue }
            spoken.insert(listener.transport)
        }
        for draft in drafts {
            guard case .certificate(let certificate)? = draft.checked?.typed,
                let order = certificate.order
            else { continue }
            let wanted = order.challenge == .http ? ListenerProtocol.http : .https
            if spoken.contains(wanted) { continue }
            complain(
                "\(order.challenge.rawValue) is answered on \(wanted.rawValue) listeners, and there is none: "
                    + "add one, or take the other challenge",
                draft.place,
                kind: .certificate,
                name: draft.name,
                field: "acme.challenge"
            )
        }
    }

    /// A listener without requests has no routes.
    private mutating func checkRouteListeners() {
        var relaying: [String: ListenerProtocol] = [:]
        for draft in drafts {
            guard case .listener(let listener)? = draft.checked?.typed else { continue }
            if !listener.transport.hasRequests { relaying[listener.name] = listener.transport }
        }
        guard !relaying.isEmpty else { return }
        for draft in drafts where draft.kind == .route {
            for reference in draft.references
            where reference.kind == .listener {
                guard let transport = relaying[reference.name] else { continue }
                complain(
                    "\(quoted(reference.name)) is a \(transport.rawValue) listener, which has no routes",
                    of: reference,
                    in: draft
                )
            }
        }
    }

    /// A route that no path can reach is a mistake.
    private mutating func checkPaths() {
        var rules: PathSettings?
        for draft in drafts {
            if case .paths(let found)? = draft.checked?.typed { rules = found }
        }
        let settings = rules ?? Configuration.defaultPaths
        for draft in drafts {
            guard case .route(let route)? = draft.checked?.typed else { continue }
            for (conditions, field) in [
                (route.conditions, "match.path"), (route.exceptions, "match.not.path"),
            ] {
                switch conditions.path {
                case .exact(let path), .prefix(let path):
                    guard let reason = Paths.unmatchable(path, settings) else { continue }
                    complain(reason, draft.place, kind: .route, name: draft.name, field: field)
                case .regex, nil: continue
                }
            }
        }
    }

    /// Groups that texts of policies name are there in every route that has the policy.
    private mutating func checkPolicyCaptures() {
        var captures: [String: [String]] = [:]
        for draft in drafts {
            guard case .policy(let policy)? = draft.checked?.typed else { continue }
            captures[policy.name] = policy.templates.flatMap(\.captures)
        }
        for draft in drafts {
            guard case .route(let route)? = draft.checked?.typed else { continue }
            for reference in draft.references where reference.kind == .policy {
                for group in captures[reference.name] ?? [] {
                    guard let reason = route.lacks(capture: group) else { continue }
                    complain(
                        "the policy \(quoted(reference.name)) names ${capture.\(group)}: \(reason)",
                        of: reference,
                        in: draft
                    )
                }
            }
        }
    }

    /// What is relayed as it is gets no TLS of ours; where it is TLS already, none is missing.
    private mutating func checkRelays() {
        var secured: Set<String> = []
        for draft in drafts {
            guard case .upstream(let upstream)? = draft.checked?.typed else { continue }
            if upstream.tls != nil { secured.insert(upstream.name) }
        }
        for draft in drafts {
            guard case .listener(let listener)? = draft.checked?.typed, listener.transport == .tcp
            else { continue }
            for reference in draft.references
            where reference.kind == .upstream && secured.contains(reference.name) {
                let message = "\(quoted(reference.name)) has tls, which a relay does not speak"
                complain(message, of: reference, in: draft)
            }
        }
    }

    /// The identifier's field tells of nothing else.
    private mutating func checkIdentifierField() {
        for draft in drafts {
            guard case .requestID(let settings)? = draft.checked?.typed else { continue }
            for other in drafts {
                guard case .listener(let listener)? = other.checked?.typed,
                    let clients = listener.tls?.clientCertificate,
                    [clients.subjectField, clients.fingerprintField].contains(settings.header)
                else { continue }
                complain(
                    "\(settings.header) tells of clients' certificates on the listener "
                        + "\(quoted(listener.name)); take another name",
                    draft.place,
                    kind: .requestID,
                    name: draft.name,
                    field: "header"
                )
            }
        }
    }

    /// What tells upstreams of clients' certificates and of requests' identifiers is told by the proxy alone.
    private mutating func checkRequestEdits() {
        var owners = ["x-request-id": "requestID"]
        for draft in drafts {
            switch draft.checked?.typed {
            case .requestID(let settings)?: owners = [settings.header: "requestID"]
            default: continue
            }
        }
        for draft in drafts {
            guard case .listener(let listener)? = draft.checked?.typed else { continue }
            let clients = listener.tls?.clientCertificate
            for name in [clients?.subjectField, clients?.fingerprintField].compactMap(\.self) {
                owners[name] = "listener \(quoted(listener.name))"
            }
        }
        for draft in drafts {
            guard case .policy(let policy)? = draft.checked?.typed,
                case .headers(let edits, _) = policy.step
            else { continue }
            for name in edits.names {
                guard let owner = owners[RecordChecker.dashed(name)] else { continue }
                complain(
                    "\(name) is a field that \(owner) has the proxy write",
                    draft.place,
                    kind: .policy,
                    name: draft.name,
                    field: "headers.request"
                )
            }
        }
    }

    /// A head has room for what a route's policies write.
    private mutating func checkRouteEdits() {
        var written: [String: (request: Int, response: Int)] = [:]
        for draft in drafts {
            guard case .policy(let policy)? = draft.checked?.typed,
                case .headers(let request, let response) = policy.step
            else { continue }
            written[policy.name] = (request.byteCount, response.byteCount)
        }
        guard !written.isEmpty else { return }
        for draft in drafts {
            guard case .route(let route)? = draft.checked?.typed else { continue }
            let policies = route.policies.compactMap { written[$0] }
            let most = max(
                policies.reduce(0) { $0 + $1.request },
                policies.reduce(0) { $0 + $1.response }
            )
            guard most > ModelLimits.routeEditBytesMax else { continue }
            complain(
                "its policies write \(most) octets into each head; at most "
                    + "\(ModelLimits.routeEditBytesMax) are allowed",
                draft.place,
                kind: .route,
                name: draft.name,
                field: "policies"
            )
        }
    }

    /// Complains of what nodes would refuse to receive.
    private mutating func checkSizes() {
        var byteCount = 0
        for draft in drafts {
            guard let count = draft.checked?.resource.content.count else { continue }
            byteCount += count
            guard count > contentBytesMax else { continue }
            complain(
                "takes \(count) octets as it is sent to nodes; at most \(contentBytesMax) are allowed",
                draft.place,
                kind: draft.kind,
                name: draft.name
            )
        }
        if drafts.count > resourceCountMax {
            complain(
                "a configuration has at most \(resourceCountMax) resources, not \(drafts.count)",
                .none
            )
        }
        if byteCount > configurationBytesMax {
            complain(
                "the configuration takes \(byteCount) octets as it is sent to nodes; "
                    + "at most \(configurationBytesMax) are allowed",
                .none
            )
        }
    }

    // MARK: Problems

    private mutating func complain(
        _ message: String,
        _ place: Place,
        kind: ResourceKind? = nil,
        name: String = "",
        field: String = ""
    ) {
        problems.append(
            Problem(kind: kind, name: name, field: field, message: message, place: place)
        )
    }

    /// Complains of what a draft names.
    private mutating func complain(_ message: String, of reference: Reference, in draft: Draft) {
        complain(
            message,
            reference.place,
            kind: draft.kind,
            name: draft.name,
            field: reference.field
        )
    }

    /// The problems in the order of the document, as many as a reader can use.
    private func sortedProblems() -> [Problem] {
        var files: [String: Int] = [:]
        for problem in problems where files[problem.file] == nil {
            files[problem.file] = files.count
        }
        let keyed: [(key: [Int], problem: Problem)] = problems.enumerated().map { offset, problem in
            (
                key: [files[problem.file] ?? 0, problem.line, problem.column, offset],
                problem: problem
            )
        }
        let sorted = keyed.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.problem)
        let countMax = ModelLimits.problemCountMax
        if sorted.count <= countMax { return sorted }
        let rest = Problem(
            kind: nil,
            name: "",
            field: "",
            message: "and \(sorted.count - countMax) more problems"
        )
        return sorted.prefix(countMax) + [rest]
    }
}

/// A resource without problems of its own.
struct CheckedResource: Sendable {
    let resource: Resource
    let typed: TypedResource
    let references: [Reference]

    init(kind: ResourceKind, name: String, value: SettingValue, references: [Reference]) {
        resource = Resource(kind: kind, name: name, content: JSONWriter.compact(value.canonical))
        typed = TypedResource(kind: kind, value)
        self.references = references
    }
}
