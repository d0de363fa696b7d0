package import Authority
package import Certificates
package import ControlStore
import Cryptography
package import FleetModel
package import FleetServer
package import Logging
import ServiceLifecycle

/// Which material each certificate of the head has, what is made anew and when, and the keys of session tickets.
///
/// It checks the certificates of a configuration before it becomes a version, makes self-signed ones, and renews them:
///
///     made ──two thirds of its life──▶ next made ──all nodes hold it──▶ next served
///
/// Every step is in the store before nodes are told, so that a restart goes on where it was.
package actor CredentialKeeper {
    /// Periods, for which tests have shorter ones.
    package struct Settings: Sendable {
        /// How long a key makes session tickets.
        package var ticketPeriodSeconds = CredentialLimits.ticketPeriodSeconds
        /// How long a self-signed certificate is valid.
        package var selfSignedSeconds = 86_400 * Int64(AuthorityLimits.selfSignedDays)

        /// The usual ones.
        package init() {}
    }

    let store: any ConfigStore
    let authority: Authority
    let settings: Settings
    let clock: @Sendable () -> Int64
    let logger: Logger

    /// The head, once there is one.
    private var head: (number: UInt64, configuration: Configuration)?
    private var issued: [IssuedKey: IssuedMaterial] = [:]
    /// What is known of orders at authorities, by `OrderSubject.id`.
    var orderStates: [FleetModel.Digest: OrderStatus] = [:]
    /// Orders that ended since the process began, by whether a certificate came of them.
    var orderCounts = OrderCounts()
    private var tickets = TicketSchedule([], periodSeconds: CredentialLimits.ticketPeriodSeconds)
    private var factsCache: [FleetModel.Digest: CertificateFacts] = [:]
    private var generation: UInt64 = 0
    /// The generation whose next material is to be held.
    private var awaited: UInt64 = 0
    private let heldStream: AsyncStream<UInt64>
    private let heldContinuation: AsyncStream<UInt64>.Continuation

    /// Prepares it; `open` comes next.
    ///
    /// - Parameters:
    ///   - store: Where all of it is kept.
    ///   - authority: Makes self-signed certificates.
    ///   - settings: Periods.
    ///   - clock: The time in milliseconds since 1970-01-01 UTC.
    ///   - logger: For events.
    package init(
        store: any ConfigStore,
        authority: Authority,
        settings: Settings = Settings(),
        clock: @escaping @Sendable () -> Int64,
        logger: Logger
    ) {
        (self.store, self.authority, self.settings) = (store, authority, settings)
        (self.clock, self.logger) = (clock, logger)
        (heldStream, heldContinuation) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingNewest(1)
        )
    }

    /// Reads the store, makes what is missing of ticket keys, and says which material there is.
    ///
    /// - Throws: `StoreError`.
    package func open() async throws -> FleetMaterial {
        issued = try await store.issuedMaterial()
        let keys = try await store.vaultSecrets(.ticketKey).compactMap { StoredTicketKey($0) }
        tickets = TicketSchedule(keys, periodSeconds: settings.ticketPeriodSeconds)
        while try await rotateTickets() {}
        if let version = try await store.head(),
            let resources = try await store.resources(of: version.number)
        {
            do throws(ConfigurationProblems) {
                head = (version.number, try Configuration(resources: resources))
            } catch {
                // A version of an older build; nodes say what they think of it.
                logger.warning("certificates.head_unread", metadata: ["error": "\(error)"])
            }
        }
        return publish()
    }

    // MARK: Versions

    /// Makes what a configuration needs and the control plane makes itself.
    ///
    /// - Throws: What the store or the authority throws.
    package func prepare(_ configuration: Configuration, note: ChangeNote) async throws {
        for (key, source) in Self.made(configuration) where issued[key] == nil {
            if case .acme(let order) = source, let digest = try await obtained(order) {
                // Another certificate of this or an earlier version had the same hosts ordered.
                let known = IssuedMaterial(serve: digest, next: nil)
                try await store.setIssued(key, known, adding: nil, note: note)
                issued[key] = known
                continue
            }
            let material = try authority.selfSigned(
                hosts: source.hosts,
                seconds: settings.selfSignedSeconds
            )
            let new = IssuedMaterial(serve: material.digest, next: nil)
            // At once, so that another request does not make one meanwhile.
            issued[key] = new
            do {
                try await store.setIssued(key, new, adding: VaultSecret(material), note: note)
            } catch {
                issued[key] = nil
                throw error
            }
        }
    }

    /// A version is the head now: says which material it needs.
    package func headChanged(to number: UInt64, _ configuration: Configuration) -> FleetMaterial {
        if let head, head.number >= number { return publish() }
        head = (number, configuration)
        return publish()
    }

    /// The certificates that the control plane decides on.
    private static func made(
        _ configuration: Configuration
    ) -> [(IssuedKey, ConfiguredCertificate.Source)] {
        configuration.certificates.compactMap { certificate in
            guard certificate.isIssued, let key = key(of: certificate, in: configuration) else {
                return nil
            }
            return (key, certificate.source)
        }
    }

    /// What an order for the same hosts has brought, if that is in force.
    private func obtained(_ order: ACMESource) async throws -> FleetModel.Digest? {
        guard let record = try await store.acmeRecords()[OrderSubject.id(of: order)],
            let digest = OrderState(record).obtained, let facts = try await facts(of: digest),
            clock() / 1_000 < facts.notAfterSeconds
        else { return nil }
        return digest
    }

    // MARK: Orders

    /// What the head needs of authorities; certificates with the same hosts and directory are one.
    func orderSubjects() -> [OrderSubject] {
        guard let configuration = head?.configuration else { return [] }
        let needed = configuration.neededCertificates
        var subjects: [FleetModel.Digest: OrderSubject] = [:]
        for certificate in configuration.certificates where needed.contains(certificate.name) {
            guard let order = certificate.order,
                let key = Self.key(of: certificate, in: configuration)
            else { continue }
            let id = OrderSubject.id(of: order)
            subjects[id, default: OrderSubject(id: id, source: order)].keys.append(key)
        }
        return subjects.values.sorted { $0.id < $1.id }
    }

    /// Whether all certificates of a subject serve this material, or are about to.
    func have(_ digest: FleetModel.Digest, _ subject: OrderSubject) -> Bool {
        subject.keys.allSatisfy { key in
            issued[key].map { $0.next == digest || $0.next == nil && $0.serve == digest } ?? true
        }
    }

    /// Takes up what an authority has issued: all nodes hold it before any serves it.
    ///
    /// - Parameters:
    ///   - digest: Its digest.
    ///   - secret: The certificate with its key, unless the store has it.
    ///   - subject: Whose it is.
    /// - Returns: What nodes are to be told.
    /// - Throws: What the store throws.
    func take(
        _ digest: FleetModel.Digest,
        _ secret: VaultSecret?,
        for subject: OrderSubject
    ) async throws -> FleetMaterial {
        var secret = secret
        for key in subject.keys {
            let before = issued[key]?.serve ?? digest
            let new = IssuedMaterial(serve: before, next: before == digest ? nil : digest)
            guard issued[key] != new || secret != nil else { continue }
            try await store.setIssued(key, new, adding: secret, note: Self.note)
            secret = nil
            issued[key] = new
        }
        return publish()
    }

    /// The authorities that a directory is trusted by, in PEM; empty for the system's.
    func authorities(for order: ACMESource) async throws -> [UInt8] {
        guard let name = order.authority else { return [] }
        let certificate = head?.configuration.certificates.first { $0.name == name }
        guard let digest = certificate?.digest, let entry = try await store.vaultEntry(digest),
            entry.kind == .authority
        else { throw OrderFailure.authorityMissing(name) }
        return Array(try AuthorityBundle(content: entry.publicContent).pem.utf8)
    }

    /// What is known of an order, for operators.
    func note(_ status: OrderStatus, of id: FleetModel.Digest) {
        orderStates[id] = status
    }

    /// An order has ended.
    func count(isIssued: Bool) {
        if isIssued { orderCounts.issued += 1 } else { orderCounts.failed += 1 }
    }

    private static func key(
        of certificate: ConfiguredCertificate,
        in configuration: Configuration
    ) -> IssuedKey? {
        configuration.manifest.entries
            .first { $0.kind == .certificate && $0.name == certificate.name }
            .map { IssuedKey(name: $0.name, resource: $0.digest) }
    }

    /// What nodes are to be told now.
    private func publish() -> FleetMaterial {
        generation = max(generation + 1, UInt64(clamping: clock()))
        let material = FleetMaterial(
            generation: generation,
            assignments: assignments(),
            ticketKeys: tickets.ordered,
            grouping: head.map(\.configuration).flatMap { $0.groups.isEmpty ? nil : $0 }
        )
        awaited = material.assignments.contains { $0.next != nil } ? generation : 0
        return material
    }

    private func assignments() -> [FleetMaterial.Assignment] {
        guard let configuration = head?.configuration else { return [] }
        let needed = configuration.neededCertificates
        return configuration.certificates.filter { needed.contains($0.name) }
            .compactMap { certificate in
                guard let key = Self.key(of: certificate, in: configuration) else { return nil }
                let issued = issued[key]
                guard let serve = certificate.digest ?? issued?.serve else { return nil }
                return .init(
                    name: certificate.name,
                    resource: key.resource,
                    serve: serve,
                    next: certificate.isIssued ? issued?.next : nil
                )
            }
    }

    var currentHead: Configuration? { head?.configuration }

    /// The head's certificates, whether anything names them, and which material they have.
    func currentMaterial() -> [(ConfiguredCertificate, isNeeded: Bool, IssuedMaterial?)] {
        guard let configuration = head?.configuration else { return [] }
        let needed = configuration.neededCertificates
        return configuration.certificates.map { certificate in
            let made = Self.key(of: certificate, in: configuration).flatMap { issued[$0] }
            let kept = certificate.digest.map { IssuedMaterial(serve: $0, next: nil) }
            return (certificate, needed.contains(certificate.name), kept ?? made)
        }
    }

    /// What is known of a kept certificate; nil if it is not kept, or is a bundle of authorities.
    func facts(of digest: FleetModel.Digest?) async throws -> CertificateFacts? {
        guard let digest else { return nil }
        if let known = factsCache[digest] { return known }
        guard let entry = try await store.vaultEntry(digest), entry.kind == .certificate else {
            return nil
        }
        let facts = try CertificateFacts(publicContent: entry.publicContent)
        // As many as a fleet has in use: more means that it changed over many times.
        if factsCache.count > CredentialLimits.certificatesMax { factsCache = [:] }
        factsCache[digest] = facts
        return facts
    }

    // MARK: Time

    /// Does what is due, until its task is cancelled or the process is to stop.
    ///
    /// - Parameter publish: Tells the nodes which material there is.
    package func run(publish: @escaping @Sendable (FleetMaterial) -> Void) async {
        let period = Duration.seconds(
            min(CredentialLimits.lookSeconds, max(1, settings.ticketPeriodSeconds / 4))
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [heldStream] in
                for await generation in heldStream { await self.held(generation, publish) }
            }
            group.addTask {
                while !Task.isCancelled {
                    // Cancelled is as good as slept: the loop ends.
                    try? await Task.sleep(for: period)
                    if !Task.isCancelled { await self.look(publish) }
                }
            }
        }
    }

    /// All nodes hold what a generation said is next; returns at once.
    package nonisolated func materialHeld(_ generation: UInt64) {
        heldContinuation.yield(generation)
    }

    /// Looks once at what is due.
    package func look(_ publish: @Sendable (FleetMaterial) -> Void) async {
        do {
            let hasRotated = try await rotateTickets()
            let hasRenewed = try await renew()
            if hasRotated || hasRenewed { publish(self.publish()) }
        } catch {
            logger.error("certificates.renewal_failed", metadata: ["error": "\(error)"])
        }
    }

    /// Serves from now on what all nodes hold.
    func held(_ generation: UInt64, _ publish: @Sendable (FleetMaterial) -> Void) async {
        guard generation == awaited, let configuration = head?.configuration else { return }
        awaited = 0
        do {
            for (key, _) in Self.made(configuration) {
                guard let material = issued[key], let next = material.next else { continue }
                let new = IssuedMaterial(serve: next, next: nil)
                try await store.setIssued(key, new, adding: nil, note: Self.note)
                issued[key] = new
                logger.notice(
                    "certificate.renewed",
                    metadata: ["certificate": "\(key.name)", "digest": "\(next)"]
                )
            }
            publish(self.publish())
        } catch {
            logger.error("certificates.renewal_failed", metadata: ["error": "\(error)"])
            // The nodes hold it: the next look tells them again.
            publish(self.publish())
        }
    }

    static let note = ChangeNote(author: "control plane")

    /// Makes the next of those that have lived two thirds of their time.
    ///
    /// - Returns: Whether there is any.
    private func renew() async throws -> Bool {
        guard let configuration = head?.configuration else { return false }
        let needed = configuration.neededCertificates
        var hasChanged = false
        for (key, source) in Self.made(configuration) where needed.contains(key.name) {
            guard case .selfSigned(let hosts) = source, let material = issued[key],
                material.next == nil,
                try await isDue(material.serve)
            else { continue }
            let made = try authority.selfSigned(
                hosts: hosts,
                seconds: settings.selfSignedSeconds
            )
            let new = IssuedMaterial(serve: material.serve, next: made.digest)
            try await store.setIssued(key, new, adding: VaultSecret(made), note: Self.note)
            issued[key] = new
            hasChanged = true
        }
        return hasChanged
    }

    private func isDue(_ digest: FleetModel.Digest) async throws -> Bool {
        guard let facts = try await facts(of: digest) else { return true }
        let life = facts.notAfterSeconds - facts.notBeforeSeconds
        return clock() / 1_000 >= facts.notBeforeSeconds + life / 3 * 2
    }

    /// Makes another key of tickets if it is time.
    ///
    /// - Returns: Whether it was.
    private func rotateTickets() async throws -> Bool {
        let now = clock()
        guard tickets.isDue(at: now) else { return false }
        var schedule = tickets
        // The first makes tickets at once, as if it had been the next for a period.
        let made = tickets.keys.isEmpty ? now - tickets.periodMilliseconds : now
        let key = StoredTicketKey(now: made)
        let dropped = schedule.add(key)
        try await store.replaceSecrets(
            adding: key.secret,
            forgetting: dropped.map(\.secret.digest),
            note: Self.note
        )
        tickets = schedule
        return true
    }
}

extension ConfiguredCertificate.Source {
    /// The names that the control plane makes it for.
    fileprivate var hosts: [String] {
        switch self {
        case .selfSigned(let hosts): hosts
        case .acme(let order): order.hosts
        case .files, .authority: []
        }
    }
}

extension VaultSecret {
    /// A certificate with its key.
    package init(_ material: CertificateMaterial) {
        self.init(
            kind: .certificate,
            publicContent: material.publicContent,
            content: material.key.der
        )
    }
}
