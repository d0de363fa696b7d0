package import EventLoop
package import FleetModel
internal import NameResolution
internal import SystemCalls

/// Looks names up on a loop: in the system's hosts file, then with its name servers.
///
/// resolv.conf(5) is read again when it has changed: lookups that are under way end with the servers that they began
/// with. Confined to its loop.
package final class Resolver {
    private let loop: EventLoop
    private let servers: String?
    private let hostsPath: String
    private let hasRoute: (IPAddress) -> Bool
    private var timer: LoopTimer?
    private var link: ResolverLink?
    /// Links whose servers have been replaced, until their last answer.
    private var oldLinks: [ResolverLink] = []
    private var waiting: [Lookup] = []
    /// In the order in which they began, and so of their deadlines.
    private var running: [Lookup] = []
    private var finished: [(Lookup, Result<NameAnswer, LookupFailure>)] = []
    private var hosts = HostsFile()
    private var stamps: (hosts: FileStamp?, servers: FileStamp?) = (nil, nil)
    private var lookedAt: LoopInstant?

    /// Lookups that have ended, and those of them that have failed.
    package private(set) var counts: (lookups: UInt64, failures: UInt64) = (0, 0)

    /// A lookup that somebody waits for.
    final class Lookup {
        let name: String
        let wanted: RecordsWanted
        let isAbsolute: Bool
        let completion: (Result<NameAnswer, LookupFailure>) -> Void
        var state: NameLookup?
        var deadline = LoopInstant.never

        init(
            _ name: String,
            _ wanted: RecordsWanted,
            isAbsolute: Bool,
            _ completion: @escaping (Result<NameAnswer, LookupFailure>) -> Void
        ) {
            (self.name, self.wanted, self.isAbsolute) = (name, wanted, isAbsolute)
            self.completion = completion
        }
    }

    private static let serversPath = "/etc/resolv.conf"

    /// Makes a resolver that has opened nothing yet.
    ///
    /// - Parameters:
    ///   - loop: Outlives it.
    ///   - servers: Such as `127.0.0.1:5353`; `nil` for the system's.
    ///   - hostsPath: The hosts file.
    ///   - hasRoute: Whether an address can be reached from here.
    package init(
        on loop: EventLoop,
        servers: String?,
        hostsPath: String = "/etc/hosts",
        hasRoute: @escaping (IPAddress) -> Bool = Resolver.systemHasRoute
    ) {
        (self.loop, self.servers) = (loop, servers)
        (self.hostsPath, self.hasRoute) = (hostsPath, hasRoute)
        timer = LoopTimer(on: loop) { [unowned self] in turn() }
    }

    /// Looks a name up.
    ///
    /// - Parameters:
    ///   - name: A host name in lower case, without a final dot.
    ///   - wanted: What of it.
    ///   - isAbsolute: Whether the system's search list is left out.
    ///   - completion: Called on the loop, never within this call.
    package func lookUp(
        _ name: String,
        _ wanted: RecordsWanted,
        isAbsolute: Bool = false,
        completion: @escaping (Result<NameAnswer, LookupFailure>) -> Void
    ) {
        let lookup = Lookup(name, wanted, isAbsolute: isAbsolute, completion)
        rereadFiles()
        if wanted == .addresses, let found = hosts.addresses(of: name) {
            let answer = NameAnswer(addresses: found, seconds: Limits.hostsSeconds)
            finished.append((lookup, .success(reachable(answer))))
        } else {
            waiting.append(lookup)
        }
        timer?.set(after: .zero)
    }

    /// Gives up what is under way, and leaves the loop.
    package func stop() {
        (waiting, running, finished) = ([], [], [])
        for link in oldLinks + [link].compactMap(\.self) { link.close() }
        (link, oldLinks) = (nil, [])
        timer?.stop()
        timer = nil
    }

    // MARK: Turns

    /// Ends what has come to an end, begins what there is room for, and sets the next turn.
    private func turn() {
        for link in oldLinks + [link].compactMap(\.self) { link.turn() }
        let now = loop.now
        while let first = running.first, first.deadline <= now {
            finish(first, .failure(.unanswered("no name server has answered within 5 s")))
        }
        let ended = finished
        finished = []
        for (lookup, result) in ended {
            counts.lookups += 1
            if case .failure = result { counts.failures += 1 }
            lookup.completion(result)
        }
        begin()
        oldLinks.removeAll { link in
            guard link.isIdle else { return false }
            link.close()
            return true
        }
        schedule()
    }

    private func begin() {
        guard !waiting.isEmpty, running.count < Limits.lookupsAtOnce else { return }
        rereadFiles()
        let link: ResolverLink
        do throws(NameServerError) {
            link = try openLink()
        } catch {
            let failure = LookupFailure.unanswered("no name server can be asked: \(error)")
            finished += waiting.map { ($0, .failure(failure)) }
            waiting = []
            return
        }
        let room = min(Limits.lookupsAtOnce - running.count, waiting.count)
        let beginning = waiting.prefix(room)
        waiting.removeFirst(room)
        let search = link.servers.search
        for lookup in beginning {
            lookup.deadline = loop.now.advanced(by: Limits.lookupNanoseconds)
            var state = NameLookup(
                lookup.name,
                lookup.wanted,
                domains: lookup.isAbsolute ? [] : search.domains,
                dots: lookup.isAbsolute ? 0 : search.dots
            )
            let step = state.next()
            lookup.state = state
            running.append(lookup)
            carryOut(step, lookup, link)
        }
    }

    private func carryOut(_ step: NameLookup.Step, _ lookup: Lookup, _ link: ResolverLink) {
        switch step {
        case .wait: break
        case .ask(let name, let types): for type in types { link.ask(name, type, for: lookup) }
        case .finished(let result): finish(lookup, result.map(reachable))
        }
    }

    private func finish(_ lookup: Lookup, _ result: Result<NameAnswer, LookupFailure>) {
        guard let index = running.firstIndex(where: { $0 === lookup }) else { return }
        running.remove(at: index)
        lookup.state = nil
        finished.append((lookup, result))
    }

    private func schedule() {
        var nanoseconds: UInt64?
        func wait(_ next: UInt64?) {
            if let next { nanoseconds = min(nanoseconds ?? next, next) }
        }
        for link in oldLinks + [link].compactMap(\.self) { wait(link.servers.waitNanoseconds) }
        if let first = running.first { wait(first.deadline.nanoseconds(since: loop.now)) }
        let hasRoom = running.count < Limits.lookupsAtOnce
        if !finished.isEmpty || hasRoom && !waiting.isEmpty { wait(0) }
        if let nanoseconds {
            timer?.set(after: .nanoseconds(Int64(clamping: nanoseconds)))
        } else {
            timer?.cancel()
        }
    }

    // MARK: Servers and files

    private func openLink() throws(NameServerError) -> ResolverLink {
        if let link { return link }
        let opened = try ResolverLink(
            on: loop,
            servers,
            answered: { [unowned self] lookup, outcome, type, link in
                guard var state = lookup.state else { return }
                let step = state.received(outcome, type)
                lookup.state = state
                carryOut(step, lookup, link)
            },
            ready: { [unowned self] in turn() }
        )
        link = opened
        return opened
    }

    /// Looks whether the system's files have changed, once a second at most.
    private func rereadFiles() {
        let now = loop.now
        if let lookedAt, now.nanoseconds(since: lookedAt) < Limits.filesNanoseconds { return }
        let isFirst = lookedAt == nil
        lookedAt = now
        let found = (FileStamp(hostsPath), FileStamp(Self.serversPath))
        if found.0 != stamps.hosts || isFirst { rereadHosts() }
        if found.1 != stamps.servers, let link, servers == nil {
            oldLinks.append(link)
            self.link = nil
        }
        stamps = found
    }

    private func rereadHosts() {
        do throws(SystemCallError) {
            hosts = HostsFile(try readFile(hostsPath, octetsMax: Limits.hostsOctetsMax))
        } catch {
            // A machine may be without one; then names are the name servers' alone.
            hosts = HostsFile()
        }
    }

    /// Leaves out the addresses of a family that cannot be reached from here, where there are others.
    private func reachable(_ answer: NameAnswer) -> NameAnswer {
        let isV4 = { (address: IPAddress) in if case .v4 = address { true } else { false } }
        let v4 = answer.addresses.filter(isV4)
        let v6 = answer.addresses.filter { !isV4($0) }
        guard let firstV4 = v4.first, let firstV6 = v6.first else { return answer }
        let kept: [IPAddress]
        switch (hasRoute(firstV4), hasRoute(firstV6)) {
        case (true, false): kept = v4
        case (false, true): kept = v6
        default: return answer
        }
        return NameAnswer(
            addresses: kept,
            seconds: answer.seconds,
            droppedCount: answer.droppedCount
        )
    }

    /// Whether the system has a route to an address.
    package static func systemHasRoute(_ address: IPAddress) -> Bool {
        let socket =
            switch address {
            case .v4(let word): SocketAddress(high: 0, low: UInt64(word), isIPv6: false, port: 53)
            case .v6(let high, let low): SocketAddress(high: high, low: low, isIPv6: true, port: 53)
            }
        return SystemCalls.hasRoute(to: socket)
    }
}
