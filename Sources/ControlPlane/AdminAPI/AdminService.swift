import AdminMessages
package import Authority
package import ControlStore
package import Credentials
import FleetModel
import FleetProtocol
import FleetServer
import Foundation
import HTTPTypes
import Routing

/// What the endpoints do: the admin API without HTTP.
///
/// A change is made by the store, with its audit row, in one transaction; the fleet is told afterwards.
package struct AdminService: Sendable {
    let store: any ConfigStore
    let authority: Authority
    let credentials: CredentialKeeper
    let fleet: any AdminFleet
    let work = WorkQueue()
    let requests = RequestCounters()
    /// The time in milliseconds since 1970-01-01 UTC.
    let clock: @Sendable () -> Int64
    /// Called when the CAs that are trusted have changed.
    let authorityChanged: @Sendable () async -> Void
    /// Called when a named secret has another value, with the name.
    let secretChanged: @Sendable (String) async -> Void

    /// Serves a store whose authority was opened on it.
    package init(
        store: any ConfigStore,
        authority: Authority,
        credentials: CredentialKeeper,
        fleet: any AdminFleet,
        clock: (@Sendable () -> Int64)? = nil,
        authorityChanged: @escaping @Sendable () async -> Void = {},
        secretChanged: @escaping @Sendable (String) async -> Void = { _ in }
    ) {
        (self.authorityChanged, self.secretChanged) = (authorityChanged, secretChanged)
        (self.store, self.authority, self.fleet) = (store, authority, fleet)
        self.credentials = credentials
        self.clock = clock ?? { Int64(Date.now.timeIntervalSince1970 * 1_000) }
    }

    /// Who makes a change when the request names nobody: whoever has the admin token.
    static let defaultAuthor = "admin"

    // MARK: Configuration

    func configuration(_ request: AdminRequest) async throws -> AdminAnswer {
        let wanted = try request.queryNumber("version", in: 1...UInt64.max)
        let version: StoredVersion
        if let wanted {
            version = try await self.version(wanted)
        } else if let head = try await store.head() {
            version = head
        } else {
            throw AdminError.notFound("there is no version yet")
        }
        if request.hasAlready(version.number) {
            return AdminAnswer(status: .notModified, content: .none, version: version.number)
        }
        let resources = try await resources(of: version.number)
        // Copying octets is quick, and must not wait for checks of other configurations.
        let octets =
            Array("{\"configuration\":".utf8) + documentOctets(resources)
            + Array(",\"digest\":\"\(version.digest.hex)\",\"version\":\(version.number)}".utf8)
        return AdminAnswer(content: .json(octets), version: version.number)
    }

    func apply(_ request: AdminRequest) async throws -> AdminAnswer {
        let expectation = try request.expectation()
        let octets = request.body
        let body = try await work.run { try ApplyBody(octets) }
        let configuration = body.configuration
        let shadowed = try await work.run { try Self.checkRoutes(configuration) }
        let warnings =
            shadowed + (try await unboundListeners(configuration))
            + (try await checkCertificates(configuration, isDryRun: body.isDryRun))
        if body.isDryRun {
            let head = try await store.head()
            try await check(expectation, head: head)
            let isChanged = head?.digest != configuration.manifest.digest
            let changes = try await changes(from: head?.number ?? 0, to: configuration.resources)
            return try .json(
                ApplyAnswer(
                    version: head?.number ?? 0,
                    digest: configuration.manifest.digest.hex,
                    changed: isChanged,
                    changes: changes,
                    warnings: warnings
                ),
                version: head?.number
            )
        }
        let expected = try await expected(expectation)
        let note = ChangeNote(
            author: body.author,
            message: body.message,
            requestID: request.requestID
        )
        try await credentials.prepare(configuration, note: note)
        let outcome = try await store.apply(
            configuration.manifest,
            resources: configuration.resources,
            expected: expected,
            note: note,
            signer: authority
        )
        return try await answer(outcome, base: expected, configuration, warnings: warnings)
    }

    func rollback(_ request: AdminRequest) async throws -> AdminAnswer {
        var body = try BodyReader(request.body)
        let wanted = try body.number("version")
        let note = try note(&body, requestID: request.requestID)
        try body.finish()
        let head = try await store.head()
        let expectation = try request.expectation()
        guard let target = wanted ?? head?.parent else {
            throw AdminError.notFound("there is no version before the head")
        }
        let resources = try await resources(of: target)
        let configuration = try await work.run {
            // An older build may have taken what this one's nodes would refuse.
            do throws(ConfigurationProblems) {
                return try Configuration(resources: resources)
            } catch {
                throw AdminError(error)
            }
        }
        let warnings =
            try await unboundListeners(configuration)
            + (try await checkCertificates(configuration, isDryRun: false))
        try await credentials.prepare(configuration, note: note)
        // Without If-Match, "the one before the head" must still mean what it meant above.
        let expected = try await expected(expectation) ?? (wanted == nil ? head?.number : nil)
        let outcome = try await store.rollback(
            to: target,
            expected: expected,
            note: note,
            signer: authority
        )
        return try await answer(outcome, base: expected, configuration, warnings: warnings)
    }

    /// Refuses routes that do not pass the configuration's own tests; says which are never taken.
    private static func checkRoutes(_ configuration: Configuration) throws -> [String] {
        let problems = RouteTests.problems(of: configuration)
        guard problems.isEmpty else { throw AdminError(ConfigurationProblems(problems)) }
        return ShadowedRoutes.find(in: configuration).map { shadowed in
            let name = configuration.routes[shadowed.route].name
            return "routes[\(name)]: \(shadowed.warning(configuration.routes))"
        } + ShadowedRoutes.notices(on: configuration) + configuration.groupWarnings
    }

    /// Warns of listeners that no node takes, unless there are no nodes at all.
    private func unboundListeners(_ configuration: Configuration) async throws -> [String] {
        guard !configuration.groups.isEmpty else { return [] }
        let nodes = try await fleet.nodes().filter { $0.state != .revoked }
        guard !nodes.isEmpty else { return [] }
        return configuration.listenersWithoutNode(among: nodes.map(\.labels)).map { unbound in
            let groups = unbound.groups.prefix(3).map { "\($0.name) (\($0.labelText))" }
            let more = unbound.groups.count > 3 ? " and others" : ""
            return
                "listener \(unbound.listener): no node takes it, because none has the labels of its "
                + "\(unbound.groups.count == 1 ? "group" : "groups") \(groups.joined(separator: ", "))\(more)"
        }
    }

    /// Refuses certificates that nodes could not serve; says what soon will not be.
    private func checkCertificates(
        _ configuration: Configuration,
        isDryRun: Bool
    ) async throws -> [String] {
        let findings = try await credentials.check(configuration, isDryRun: isDryRun)
        guard findings.problems.isEmpty else {
            throw AdminError(ConfigurationProblems(findings.problems))
        }
        return findings.warnings
    }

    func difference(_ request: AdminRequest) async throws -> AdminAnswer {
        let octets = request.body
        let (configuration, base) = try await work.run {
            var body = try BodyReader(octets)
            let tree = try body.node("configuration")
            let base = try body.number("base")
            try body.finish()
            return (try checked(tree), base)
        }
        var number = base
        if number == nil { number = try await store.head()?.number }
        let changes = try await changes(from: number ?? 0, to: configuration.resources)
        return try .json(DiffAnswer(base: number ?? 0, changes: changes))
    }

    // MARK: Versions

    func versions(_ request: AdminRequest) async throws -> AdminAnswer {
        let versions = try await store.versions(
            before: try request.pageBefore(),
            limit: try request.pageLimit()
        )
        return try .json(versions.map { VersionAnswer($0) })
    }

    func version(_ request: AdminRequest) async throws -> AdminAnswer {
        try .json(VersionAnswer(try await version(try request.number("version"))))
    }

    func versionDifference(_ request: AdminRequest) async throws -> AdminAnswer {
        let version = try await version(try request.number("version"))
        let base = try request.queryNumber("base", in: 0...UInt64.max) ?? version.parent ?? 0
        let changes = try await changes(
            from: base,
            to: try await resources(of: version.number)
        )
        return try .json(DiffAnswer(base: base, changes: changes))
    }

    // MARK: Tokens, audit, the server itself

    func tokens(_ request: AdminRequest) async throws -> AdminAnswer {
        let now = clock()
        return try .json(try await store.tokens().map { TokenAnswer($0, now: now) })
    }

    func createToken(_ request: AdminRequest) async throws -> AdminAnswer {
        var body = try BodyReader(request.body)
        let seconds = try body.number("ttlSeconds") ?? UInt64(AdminLimits.tokenSecondsDefault)
        let labels = try body.strings("labels")
        try body.finish()
        let (text, stored) = try await authority.createToken(
            secondsToLive: Int64(clamping: seconds),
            labels: labels,
            note: note(request)
        )
        return try .json(
            NewTokenAnswer(
                id: stored.id,
                token: text,
                expiresAt: timestamp(stored.expiresMilliseconds),
                labels: stored.labels
            ),
            status: .created,
            location: "/v1/tokens/\(stored.id)"
        )
    }

    func revokeToken(_ request: AdminRequest) async throws -> AdminAnswer {
        let id = try request.name("id")
        guard try await store.revokeToken(id, note: note(request)) else {
            throw AdminError.notFound("there is no token of that id: proxyctl token list has them")
        }
        return .noContent
    }

    func audit(_ request: AdminRequest) async throws -> AdminAnswer {
        let entries = try await store.audit(
            before: try request.pageBefore().map { Int64(clamping: $0) },
            limit: try request.pageLimit()
        )
        return try .json(entries.map { AuditAnswer($0) })
    }

    func server(_ request: AdminRequest) async throws -> AdminAnswer {
        try .json(try await server())
    }

    func server() async throws -> ServerAnswer {
        let cluster = try await store.cluster()
        return ServerAnswer(
            build: buildVersion,
            cluster: cluster.clusterID.map {
                String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
            }
            .joined(),
            epoch: cluster.epoch
        )
    }

    // MARK: Fleet

    func rollout(_ request: AdminRequest) async throws -> AdminAnswer {
        try .json(RolloutAnswer(try await fleet.rollout(try request.number("version"))))
    }

    func nodes(_ request: AdminRequest) async throws -> AdminAnswer {
        try .json(try await fleet.nodes().map { NodeAnswer($0) })
    }

    func node(_ request: AdminRequest) async throws -> AdminAnswer {
        let name = try request.name("name")
        guard let node = try await fleet.node(name) else {
            throw AdminError.notFound("there is no node \(shown(name))")
        }
        return try .json(NodeAnswer(node))
    }

    func drain(_ request: AdminRequest) async throws -> AdminAnswer {
        try await fleet.drain(try await known(request), note: note(request))
        return try await node(request)
    }

    func undrain(_ request: AdminRequest) async throws -> AdminAnswer {
        try await fleet.undrain(try await known(request), note: note(request))
        return try await node(request)
    }

    func retry(_ request: AdminRequest) async throws -> AdminAnswer {
        try await fleet.retry(try await known(request))
        return try await node(request)
    }

    func revoke(_ request: AdminRequest) async throws -> AdminAnswer {
        try await fleet.revoke(try await known(request), note: note(request))
        return try await node(request)
    }

    func remove(_ request: AdminRequest) async throws -> AdminAnswer {
        try await fleet.remove(try await known(request), note: note(request))
        return .noContent
    }

    func status(_ request: AdminRequest) async throws -> AdminAnswer {
        var answer = StatusAnswer(try await fleet.status())
        var warnings = try await credentials.warnings()
        if let head = await credentials.headConfiguration() {
            warnings += try await unboundListeners(head)
        }
        if !warnings.isEmpty { answer.warnings = warnings }
        return try .json(answer)
    }

    /// The name of a node that is there.
    private func known(_ request: AdminRequest) async throws -> String {
        let name = try request.name("name")
        guard try await fleet.node(name) != nil else {
            throw AdminError.notFound("there is no node \(shown(name))")
        }
        return name
    }

    // MARK: Parts of changes

    func note(_ request: AdminRequest) -> ChangeNote {
        ChangeNote(author: Self.defaultAuthor, requestID: request.requestID)
    }

    func note(_ body: inout BodyReader, requestID: String) throws -> ChangeNote {
        let author = try body.string("author", bytesMax: AdminLimits.authorBytesMax) ?? ""
        let message = try body.string("message", bytesMax: AdminLimits.messageBytesMax) ?? ""
        return ChangeNote(
            author: author.isEmpty ? Self.defaultAuthor : author,
            message: message,
            requestID: requestID
        )
    }

    private func version(_ number: UInt64) async throws -> StoredVersion {
        guard let version = try await store.version(number) else {
            throw StoreError.versionUnknown(number)
        }
        return version
    }

    private func resources(of number: UInt64) async throws -> [Resource] {
        guard let resources = try await store.resources(of: number) else {
            throw StoreError.versionUnknown(number)
        }
        return resources
    }

    /// What differs between a stored version (0: none) and resources.
    ///
    /// Only content that the new ones do not have is read from the store.
    private func changes(from base: UInt64, to new: [Resource]) async throws -> [ResourceChange] {
        var old: [Resource] = []
        if base > 0 {
            guard let manifest = try await store.manifest(of: base) else {
                throw StoreError.versionUnknown(base)
            }
            let known = Dictionary(new.map { ($0.entry, $0) }) { first, _ in first }
            let missing = manifest.entries.filter { known[$0] == nil }
            let blobs = try await store.blobs(missing.map(\.digest))
            old = try manifest.entries.map { entry in
                if let resource = known[entry] { return resource }
                guard let content = blobs[entry.digest] else {
                    throw StoreError.contentMissing("\(entry.kind.rawValue) \(entry.name)")
                }
                return Resource(kind: entry.kind, name: entry.name, content: content)
            }
        }
        let before = old
        return try await work.run { resourceChanges(before, new) }
    }

    /// The one version that the store has to compare with; nil if it need not.
    private func expected(_ expectation: Expectation) async throws -> UInt64? {
        switch expectation {
        case .none: return nil
        case .any:
            // A head never goes away, so that there is one need not be checked again.
            guard let head = try await store.head() else {
                throw try await conflict(nil, base: nil)
            }
            _ = head
            return nil
        case .versions(let versions):
            if versions.count == 1 { return versions[0] }
            let head = try await store.head()?.number ?? 0
            return versions.contains(head) ? head : versions[0]
        }
    }

    private func check(_ expectation: Expectation, head: StoredVersion?) async throws {
        switch expectation {
        case .none: return
        case .any:
            if head == nil { throw try await conflict(nil, base: nil) }
        case .versions(let versions):
            guard versions.contains(head?.number ?? 0) else {
                throw try await conflict(head, base: versions[0])
            }
        }
    }

    /// What the client is told of an apply or a rollback; new versions go to the fleet.
    private func answer(
        _ outcome: ApplyOutcome,
        base: UInt64?,
        _ configuration: Configuration,
        warnings: [String]
    ) async throws -> AdminAnswer {
        switch outcome {
        case .created(let version):
            guard let signed = SignedManifest(version, configuration.manifest) else {
                throw StoreError.corrupt("manifest of version \(version.number)")
            }
            let material = await credentials.headChanged(to: version.number, configuration)
            fleet.headChanged(to: signed, material: material)
            // The version is made: that its difference cannot be told now must not look like a failure.
            // It can be asked for again.
            let changes = try? await changes(from: version.parent ?? 0, to: configuration.resources)
            return try .json(
                ApplyAnswer(
                    version: version.number,
                    digest: version.digest.hex,
                    changed: true,
                    changes: changes ?? [],
                    warnings: warnings
                ),
                status: .created,
                version: version.number,
                location: "/v1/versions/\(version.number)"
            )
        case .unchanged(let head):
            return try .json(
                ApplyAnswer(
                    version: head.number,
                    digest: head.digest.hex,
                    changed: false,
                    changes: [],
                    warnings: warnings
                ),
                version: head.number
            )
        case .conflict(let head): throw try await conflict(head, base: base)
        }
    }

    /// 412, with the head and what changed since the version that the client knows.
    private func conflict(_ head: StoredVersion?, base: UInt64?) async throws -> AdminError {
        let current = head?.number ?? 0
        var changes: [ResourceChange]?
        // A base that never was has no difference to tell.
        if let head, let base, base < head.number {
            changes = try await self.changes(from: base, to: try await resources(of: head.number))
        }
        let now = head == nil ? "there is no version yet" : "the head is version \(current)"
        let wanted = base.map { $0 == 0 || $0 == .max ? "" : ", not \($0)" } ?? ""
        return AdminError(
            .preconditionFailed,
            .conflict,
            "\(now)\(wanted): look at what changed, and try again",
            details: ErrorDetails(current: current, changes: changes)
        )
    }
}

/// The body of an apply, read and checked.
private struct ApplyBody: Sendable {
    let configuration: Configuration
    let message: String
    let author: String
    let isDryRun: Bool

    init(_ octets: [UInt8]) throws {
        var body = try BodyReader(octets)
        let tree = try body.node("configuration")
        message = try body.string("message", bytesMax: AdminLimits.messageBytesMax) ?? ""
        let author = try body.string("author", bytesMax: AdminLimits.authorBytesMax) ?? ""
        self.author = author.isEmpty ? AdminService.defaultAuthor : author
        isDryRun = try body.bool("dryRun") ?? false
        try body.finish()
        configuration = try checked(tree)
    }
}

/// A configuration by the same rules as everywhere.
private func checked(_ tree: ConfigurationNode) throws -> Configuration {
    do throws(ConfigurationProblems) {
        return try Configuration(document: tree)
    } catch {
        throw AdminError(error)
    }
}

extension AdminError {
    /// 422 with every problem.
    fileprivate init(_ error: ConfigurationProblems) {
        let count = error.problems.count
        self.init(
            .unprocessableContent,
            .invalidConfiguration,
            "the configuration is not valid: \(count) \(count == 1 ? "problem" : "problems")",
            details: ErrorDetails(problems: error.problems.map { ConfigurationProblem($0) })
        )
    }
}
