import ACME
import Certificates
package import ControlStore
import Cryptography
import FleetModel
package import FleetServer
package import Logging

/// Orders certificates at authorities (RFC 8555) for the head, renews them, and has the fleet answer challenges.
///
///     due ─▶ account ─▶ order ─▶ every node answers ─▶ authority looks ─▶ certificate ─▶ keeper: all hold, then serve
///      ▲                                                                     │
///      └───────── back-off, or two thirds of its life, or as RFC 9773 says ◀─┘
///
/// There is one order for each directory and set of hosts, however many nodes and certificates of the configuration.
/// Each step is in the store before it is taken, so that another process goes on with the same order.
package actor OrderDesk {
    /// Periods, for which tests have shorter ones.
    package struct Settings: Sendable {
        /// The first time before a failed order is tried again.
        package var retrySeconds = ACMELimits.retrySecondsMin

        /// The usual ones.
        package init() {}
    }

    /// The nodes, as far as orders need them.
    package struct Nodes: Sendable {
        let statuses: @Sendable () async throws -> [NodeStatus]
        let challengesChanged: @Sendable (FleetChallenges) -> Void
        let materialChanged: @Sendable (FleetMaterial) -> Void

        /// Joins its parts.
        package init(
            statuses: @escaping @Sendable () async throws -> [NodeStatus],
            challengesChanged: @escaping @Sendable (FleetChallenges) -> Void,
            materialChanged: @escaping @Sendable (FleetMaterial) -> Void
        ) {
            (self.statuses, self.challengesChanged) = (statuses, challengesChanged)
            self.materialChanged = materialChanged
        }
    }

    private let store: any ConfigStore
    private let keeper: CredentialKeeper
    private let nodes: Nodes
    private let settings: Settings
    private let clock: @Sendable () -> Int64
    private let logger: Logger

    private var records: [Digest: ACMERecord] = [:]
    /// What `records` say of orders.
    private var states: [Digest: OrderState] = [:]
    private var running: Set<Digest> = []
    /// Those of them whose secret has another value by now.
    private var outdated: Set<Digest> = []
    /// Accounts whose first order runs: authorities need not take two registrations of one key at once for the same.
    private var registering: Set<Digest> = []
    /// What is answered now, by order.
    private var live: [Digest: [FleetChallenges.Challenge]] = [:]
    private var generation: UInt64 = 0
    /// Until when a directory wants no orders, in seconds since 1970-01-01 UTC.
    private var holds: [String: Int64] = [:]

    /// What is to be done for a subject.
    private enum Job {
        case order(OrderSubject)
        case window(OrderSubject, FleetModel.Digest)
        /// Certificates that have something else than what was issued for their hosts.
        case take(OrderSubject, FleetModel.Digest)
    }

    /// Prepares it.
    ///
    /// - Parameters:
    ///   - store: Where accounts and orders are kept.
    ///   - keeper: Knows the head, and hands out what is issued.
    ///   - nodes: Answer challenges.
    ///   - settings: Periods.
    ///   - clock: The time in milliseconds since 1970-01-01 UTC.
    ///   - logger: For events.
    package init(
        store: any ConfigStore,
        keeper: CredentialKeeper,
        nodes: Nodes,
        settings: Settings = Settings(),
        clock: @escaping @Sendable () -> Int64,
        logger: Logger
    ) {
        (self.store, self.keeper, self.nodes) = (store, keeper, nodes)
        (self.settings, self.clock, self.logger) = (settings, clock, logger)
    }

    private var now: Int64 { clock() / 1_000 }

    // MARK: Time

    /// Does what is due, until its task is cancelled.
    package func run() async {
        await open()
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                for job in await self.takeDue() {
                    group.addTask { await self.carryOut(job) }
                }
                // Cancelled is as good as slept: the loop ends.
                try? await Task.sleep(for: .seconds(CredentialLimits.orderLookSeconds))
            }
        }
    }

    private func open() async {
        do {
            records = try await store.acmeRecords()
        } catch {
            // Without them an order would be placed twice: the next look reads them again.
            return logger.error("acme.store_failed", metadata: ["error": "\(error)"])
        }
        hasOpened = true
        states = records.mapValues { OrderState($0) }
        for id in records.keys { await tell(id) }
    }

    private var hasOpened = false

    private func takeDue() async -> [Job] {
        if !hasOpened { await open() }
        let subjects = await keeper.orderSubjects()
        guard hasOpened else { return [] }
        // An order that goes on after a restart has its challenges shown again; until then nodes show what they did.
        if generation == 0, !records.isEmpty, !subjects.contains(where: { isUnderWay($0) }) {
            publish()
        }
        guard !subjects.isEmpty else { return [] }
        // Who would answer? An order without nodes would only use up what the authority allows.
        let isAnyReady =
            (try? await nodes.statuses().contains { $0.isConnected && $0.state == .steady })
            ?? false
        var jobs: [Job] = []
        for subject in subjects where !running.contains(subject.id) {
            guard running.count < CredentialLimits.ordersAtOnce else { break }
            guard let job = await due(subject, isAnyReady: isAnyReady) else { continue }
            if case .order = job, !mayUseAccount(of: subject) { continue }
            running.insert(subject.id)
            jobs.append(job)
        }
        return jobs
    }

    private func state(_ id: Digest) -> OrderState {
        states[id] ?? OrderState()
    }

    /// Whether the account is registered, or nobody else is about to do it.
    private func mayUseAccount(of subject: OrderSubject) -> Bool {
        let id = OrderSubject.accountID(of: subject.source)
        return isRegistered(subject.source) || registering.insert(id).inserted
    }

    private func isRegistered(_ source: ACMESource) -> Bool {
        records[OrderSubject.accountID(of: source)].flatMap { AccountState($0).url } != nil
    }

    private func isUnderWay(_ subject: OrderSubject) -> Bool { state(subject.id).order != nil }

    /// Says how an order stands.
    private func tell(_ id: Digest) async {
        let state = state(id)
        let again = state.failures > 0 ? "; again at \(utcText(state.notBeforeSeconds))" : ""
        let status = OrderStatus(
            obtained: state.obtained,
            failures: state.failures,
            problem: state.problem.map { $0 + again }
        )
        await keeper.note(status, of: id)
    }

    private func due(_ subject: OrderSubject, isAnyReady: Bool) async -> Job? {
        let state = state(subject.id)
        let mayOrder =
            isAnyReady && now >= state.notBeforeSeconds
            && now >= holds[subject.source.directory, default: 0]
        // One that cannot be read any more is ordered again.
        guard let digest = state.obtained, let facts = try? await keeper.facts(of: digest) else {
            return mayOrder ? .order(subject) : nil
        }
        if await !keeper.have(digest, subject) { return .take(subject, digest) }
        if now >= state.windowLookSeconds { return .window(subject, digest) }
        let plan = ACMERenewal(
            name: subject.id.hex,
            notBeforeSeconds: facts.notBeforeSeconds,
            notAfterSeconds: facts.notAfterSeconds
        )
        return mayOrder && now >= plan.dueSeconds(state.window) ? .order(subject) : nil
    }

    // MARK: Jobs

    private func carryOut(_ job: Job) async {
        switch job {
        case .order(let subject):
            do {
                try await order(subject)
            } catch {
                await failed(subject, error)
            }
            live[subject.id] = nil
            // The process ends and the order does not: nodes go on answering for the next one.
            if !(Task.isCancelled && isUnderWay(subject)) { publish() }
            registering.remove(OrderSubject.accountID(of: subject.source))
            running.remove(subject.id)
            outdated.remove(subject.id)
        case .window(let subject, let digest):
            await lookAtWindow(subject, digest)
            running.remove(subject.id)
        case .take(let subject, let digest):
            do {
                nodes.materialChanged(try await keeper.take(digest, nil, for: subject))
            } catch {
                logger.error("acme.store_failed", metadata: ["error": "\(error)"])
            }
            running.remove(subject.id)
        }
    }

    private func order(_ subject: OrderSubject) async throws {
        let source = subject.source
        let (accountID, account) = try await account(for: source)
        let (key, request) = try await request(for: subject)
        var state = state(subject.id)
        var progress = ACMEProgress()
        progress.account = records[accountID].flatMap { AccountState($0).url }
        progress.order = state.order
        logger.notice(
            state.order == nil ? "acme.order_begun" : "acme.order_resumed",
            metadata: ["hosts": "\(Self.listed(source.hosts))", "directory": "\(source.directory)"]
        )
        let order = ACMEOrder.Settings(
            directory: source.directory,
            hosts: source.hosts,
            challenge: source.challenge == .http ? .http : .tlsALPN,
            contact: source.email,
            key: account,
            binding: try await source.accountBinding(from: store),
            certificateRequest: request,
            // An authority that takes the one before as replaced already refuses it the second time.
            replaces: state.failures == 0 ? try await identifier(of: state.obtained) : nil
        )
        let started = progress
        let authorities = try await keeper.authorities(for: source)
        let chain = try await ACMEClient.withClient(trusting: authorities) { client in
            try await client.run(
                ACMEOrder(order, progress: started),
                remember: { try await self.remember($0, of: subject, accountID) },
                present: { try await self.present($0, of: subject) }
            )
        }
        let material = try Self.material(chain, key, for: source.hosts, now: now)
        let taken = try await keeper.take(material.digest, VaultSecret(material), for: subject)
        state = OrderState()
        state.digest = material.digest.hex
        // Whatever its dates or the authority say, the next order is not at once.
        state.notBeforeSeconds = now + settings.retrySeconds
        try await save(state, of: subject.id, forgettingKey: true)
        nodes.materialChanged(taken)
        await keeper.count(isIssued: true)
        logger.notice(
            "acme.certificate_issued",
            metadata: [
                "hosts": "\(Self.listed(source.hosts))", "digest": "\(material.digest)",
                "issuer": "\(material.facts.issuer)",
                "ends": "\(utcText(material.facts.notAfterSeconds))",
            ]
        )
    }

    /// A secret has another value: what failed for it is tried again at once.
    package func secretChanged(_ name: String) async {
        for subject in await keeper.orderSubjects() where subject.source.binding?.secret == name {
            states[subject.id]?.notBeforeSeconds = 0
            // One that is under way has begun with the secret before.
            if running.contains(subject.id) { outdated.insert(subject.id) }
        }
    }

    /// Reads what came, and checks that it is what was ordered.
    private static func material(
        _ chain: [UInt8],
        _ key: SecretBytes,
        for hosts: [String],
        now: Int64
    ) throws -> CertificateMaterial {
        let blocks = try PEM.blocks(chain).filter { $0.label == "CERTIFICATE" }
        guard blocks.count <= CertificateLimits.chainCertificatesMax else {
            throw OrderFailure.certificateUnfit("its chain has \(blocks.count) certificates")
        }
        let material: CertificateMaterial
        do {
            material = try CertificateMaterial(chain: blocks.map(\.der), key: key)
        } catch {
            throw OrderFailure.certificateUnfit("it is not for the key that was made for it")
        }
        let lacking = hosts.filter { !material.facts.names.covers($0) }
        guard lacking.isEmpty else {
            throw OrderFailure.certificateUnfit("it does not cover \(listed(lacking))")
        }
        guard now < material.facts.notAfterSeconds else {
            throw OrderFailure.certificateUnfit(
                "it ended at \(utcText(material.facts.notAfterSeconds))"
            )
        }
        return material
    }

    private func failed(_ subject: OrderSubject, _ error: any Error) async {
        // The process ends: the order goes on with the next one.
        if Task.isCancelled { return }
        var state = state(subject.id)
        if error as? OrderFailure == .nodeMissing {
            state.notBeforeSeconds = now + CredentialLimits.orderNodeSeconds
            state.problem = "\(error)"
        } else {
            state.failures += 1
            if !Self.isPassing(error) { state.order = nil }
            let asked = (error as? ACMEError)?.retryAfterSeconds
            let plan = ACMERenewal(
                name: subject.id.hex,
                notBeforeSeconds: 0,
                notAfterSeconds: now
            )
            let usual = plan.retrySeconds(failures: state.failures, askedSeconds: nil)
            let (first, least) = (settings.retrySeconds, ACMELimits.retrySecondsMin)
            var own = first == least ? usual : max(1, usual / least * first)
            // A node may have ended just as it was asked: that is worth another try soon, once.
            if case .hostUnproved? = error as? ACMEError, state.failures == 1 {
                own = min(own, CredentialLimits.secondTrySeconds)
            }
            let wait = max(own, min(asked ?? 0, 7 * 86_400))
            state.notBeforeSeconds = now + wait
            state.problem =
                String("\(error)".prefix(CredentialLimits.orderProblemMax))
                + (isRegistered(subject.source) ? "" : subject.source.bindingHint(error))
            if outdated.contains(subject.id) { state.notBeforeSeconds = now }
            if case .rateLimited? = error as? ACMEError {
                let pause = min(wait, CredentialLimits.holdSecondsMax)
                holds[subject.source.directory] = now + pause
            }
            await keeper.count(isIssued: false)
        }
        var metadata: Logger.Metadata = [
            "hosts": "\(Self.listed(subject.source.hosts))", "error": "\(state.problem ?? "")",
            "failures": "\(state.failures)", "again": "\(utcText(state.notBeforeSeconds))",
        ]
        switch error as? ACMEError {
        case .refused(let type, let detail, _), .hostUnproved(_, let type, let detail):
            metadata["type"] = "\(type.prefix(200))"
            metadata["detail"] = "\(detail.prefix(500))"
        default: break
        }
        logger.error("acme.order_failed", metadata: metadata)
        do {
            try await save(state, of: subject.id)
        } catch {
            logger.error("acme.store_failed", metadata: ["error": "\(error)"])
        }
    }

    /// Whether the order itself may still come to something.
    private static func isPassing(_ error: any Error) -> Bool {
        switch error as? ACMEError {
        case .unreachable, .serverFailed, .rateLimited, .tooSlow, .nonceRefused: true
        // What AsyncHTTPClient, the store or we ourselves say is no word of the authority.
        case nil:
            (error as? OrderFailure).map { if case .certificateUnfit = $0 { false } else { true } }
                ?? true
        default: false
        }
    }

    private static func listed(_ hosts: [String]) -> String {
        let more = hosts.count > 3 ? " and \(hosts.count - 3) more" : ""
        return hosts.prefix(3).joined(separator: ", ") + more
    }

    // MARK: Renewal

    /// Asks the authority when it would like the certificate to be renewed.
    private func lookAtWindow(_ subject: OrderSubject, _ digest: FleetModel.Digest) async {
        let source = subject.source
        var state = state(subject.id)
        state.windowLookSeconds = now + CredentialLimits.windowSeconds
        do {
            if let identifier = try await identifier(of: digest) {
                let authorities = try await keeper.authorities(for: source)
                let answer = try await ACMEClient.withClient(trusting: authorities) { client in
                    try await client.renewalWindow(of: identifier, directory: source.directory)
                }
                state.window = answer?.window
                if let again = answer?.againSeconds {
                    // RFC 9773 §4.3.1 leaves the bounds to clients.
                    state.windowLookSeconds = now + min(max(again, 1), 86_400)
                }
            }
        } catch {
            if Task.isCancelled { return }
            // What was suggested before counts on, or two thirds of its life.
            logger.warning(
                "acme.renewal_window_unknown",
                metadata: ["hosts": "\(Self.listed(source.hosts))", "error": "\(error)"]
            )
        }
        do {
            try await save(state, of: subject.id)
        } catch {
            logger.error("acme.store_failed", metadata: ["error": "\(error)"])
        }
    }

    /// How the authority knows a certificate of its own.
    private func identifier(of digest: FleetModel.Digest?) async throws -> String? {
        guard let digest, let entry = try await store.vaultEntry(digest),
            let leaf = try ChainCoding.decode(entry.publicContent).first
        else { return nil }
        return ACMECertificates.renewalIdentifier(of: leaf)
    }

    // MARK: Challenges

    /// Has every node answer, and returns when all that have a session do.
    private func present(_ challenges: [ACMEChallenge], of subject: OrderSubject) async throws {
        // Nodes would end their sessions over what is not as the protocol says.
        guard challenges.allSatisfy({ subject.source.hosts.contains($0.host.lowercased()) }) else {
            throw ACMEError.answerMalformed("authorization")
        }
        live[subject.id] = try challenges.map { challenge in
            switch challenge.kind {
            case .http:
                return .init(
                    host: challenge.host,
                    answer: .file(token: challenge.token, content: challenge.authorization)
                )
            case .tlsALPN:
                let made = try ACMECertificates.answer(challenge, atSeconds: now)
                guard let certificate = made.chain.first else {
                    throw ACMEError.libraryFailed("a challenge has no certificate")
                }
                return .init(
                    host: challenge.host,
                    answer: .certificate(certificate, key: made.key.der)
                )
            }
        }
        let shown = publish()
        let deadline = ContinuousClock.now + .seconds(CredentialLimits.challengeSeconds)
        while true {
            // Those that are drained take no clients, and so no authority either.
            let asked = try await nodes.statuses().filter { node in
                node.isConnected && [.steady, .syncing, .stale].contains(node.state)
            }
            let waiting = asked.filter { $0.challenges < shown || $0.state == .syncing }
            if !asked.isEmpty, waiting.isEmpty { return }
            if ContinuousClock.now >= deadline {
                guard asked.contains(where: { $0.challenges >= shown }) else {
                    throw OrderFailure.nodeMissing
                }
                let names = waiting.map(\.name).sorted()
                logger.warning(
                    "acme.challenge_unconfirmed",
                    metadata: ["nodes": "\(Self.listed(names))"]
                )
                return
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Tells the nodes what is answered now.
    ///
    /// - Returns: Its generation.
    @discardableResult
    private func publish() -> UInt64 {
        generation = max(generation + 1, UInt64(clamping: clock()))
        let challenges = live.sorted { $0.key < $1.key }.flatMap(\.value)
        nodes.challengesChanged(
            FleetChallenges(generation: generation, challenges: challenges)
        )
        return generation
    }

    // MARK: The store

    private func account(
        for source: ACMESource
    ) async throws -> (id: FleetModel.Digest, key: ACMEAccountKey) {
        let id = OrderSubject.accountID(of: source)
        if let digest = records[id]?.secret, let secret = try await store.vaultSecret(digest) {
            return (id, try ACMEAccountKey(der: secret.content))
        }
        let key = ACMEAccountKey()
        let secret = VaultSecret(
            kind: .acmeAccount,
            publicContent: Array("account \(key.thumbprint)".utf8),
            content: key.der
        )
        let record = ACMERecord(secret: secret.digest, state: AccountState().text)
        // At once, so that another order does not make one meanwhile.
        records[id] = record
        do {
            try await store.setACME(id, record, adding: secret, note: CredentialKeeper.note)
        } catch {
            records[id] = nil
            throw error
        }
        return (id, key)
    }

    /// The key of the certificate that is ordered, and the request for it: those of the order that is under way.
    private func request(
        for subject: OrderSubject
    ) async throws -> (key: SecretBytes, request: [UInt8]) {
        if let digest = records[subject.id]?.secret,
            let secret = try await store.vaultSecret(digest)
        {
            return (secret.content, secret.publicContent)
        }
        let (key, request) = try ACMECertificates.request(hosts: subject.source.hosts)
        let secret = VaultSecret(kind: .acmeRequest, publicContent: request, content: key)
        var state = state(subject.id)
        // An order for another key would bring a certificate that nobody has the key of.
        state.order = nil
        let record = ACMERecord(secret: secret.digest, state: state.text)
        try await store.setACME(subject.id, record, adding: secret, note: CredentialKeeper.note)
        records[subject.id] = record
        states[subject.id] = state
        return (key, request)
    }

    private func remember(
        _ progress: ACMEProgress,
        of subject: OrderSubject,
        _ accountID: FleetModel.Digest
    ) async throws {
        if var record = records[accountID], AccountState(record).url != progress.account {
            var account = AccountState(record)
            account.url = progress.account
            record.state = account.text
            try await store.setACME(accountID, record, adding: nil, note: CredentialKeeper.note)
            records[accountID] = record
        }
        var state = state(subject.id)
        guard state.order != progress.order else { return }
        state.order = progress.order
        try await save(state, of: subject.id)
    }

    private func save(
        _ state: OrderState,
        of id: FleetModel.Digest,
        forgettingKey: Bool = false
    ) async throws {
        var record = records[id] ?? ACMERecord(secret: nil, state: "")
        record.state = state.text
        if forgettingKey { record.secret = nil }
        try await store.setACME(id, record, adding: nil, note: CredentialKeeper.note)
        records[id] = record
        states[id] = state
        await tell(id)
    }
}

extension OrderState {
    /// When the authority suggests to renew.
    fileprivate var window: ACMERenewal.Window? {
        get {
            guard let windowStartSeconds, let windowEndSeconds else { return nil }
            return ACMERenewal.Window(
                startSeconds: windowStartSeconds,
                endSeconds: windowEndSeconds
            )
        }
        set {
            windowStartSeconds = newValue?.startSeconds
            windowEndSeconds = newValue?.endSeconds
        }
    }
}
