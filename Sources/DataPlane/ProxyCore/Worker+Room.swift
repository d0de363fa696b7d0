internal import EventLoop
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// How a worker makes room where a limit is reached: whoever does nothing goes before somebody is turned away.
///
/// Each look walks over all handlers of the loop. One that was in vain is not repeated for a moment, so that a flood
/// at a limit does not cost more than what it floods.
extension Worker {
    /// Closes connections of clients at once, with what is under way on them.
    ///
    /// - Parameter isMeant: Which, by their port.
    /// - Complexity: O(connections of the worker): for deadlines, not for requests.
    func closeClients(where isMeant: (ListeningPort) -> Bool) {
        for handler in loop.allHandlers {
            if let guest = guest(handler), isMeant(guest.port) { guest.cutOff() }
        }
    }

    /// Closes connections of a port that carry nothing, those first that have for longest: its listener takes no more.
    ///
    /// So a flood of connections costs those that do nothing, and a client that asks something is served.
    ///
    /// - Parameter port: Whose.
    /// - Returns: Whether any was closed.
    /// - Complexity: O(connections of the worker), but a sixteenth of those that carry nothing go at once.
    func makeRoom(at port: ListeningPort) -> Bool {
        guard !isDraining else { return false }
        return look(for: port) { closeEmpty { $0 === port } }
    }

    /// The same where descriptors have run out: connections of any port, and if all carry something, exchanges that
    /// only their clients hold up.
    func makeRoomForDescriptors() -> Bool {
        guard !isDraining else { return false }
        return look(for: self) { closeEmpty { _ in true } || endStalled { _, _ in true } }
    }

    /// Ends exchanges that hold connections to an upstream while it is their clients that do not go on: no other
    /// connection can be made.
    ///
    /// Those of the client that holds most go first, and of those that have not gone on for longest.
    /// So clients that take nothing of what they asked for, or send nothing of what they said they would, cannot have
    /// all of an upstream's connections.
    ///
    /// - Parameters:
    ///   - upstream: Whose connections.
    ///   - endpoint: To which of its endpoints; `nil` is any.
    /// - Returns: Whether any was ended.
    /// - Complexity: As `makeRoom(at:)`.
    func makeRoom(at upstream: UpstreamPool, _ endpoint: EndpointPool? = nil) -> Bool {
        look(for: endpoint ?? upstream) {
            endStalled { $0 === upstream && (endpoint == nil || $1 === endpoint) }
        }
    }

    // MARK: Looking

    private func look(for subject: AnyObject, _ search: () -> Bool) -> Bool {
        let key = ObjectIdentifier(subject)
        if let next = vainSearches[key], loop.now < next { return false }
        let began = LoopInstant.now
        let isVain = !search()
        let taken = LoopInstant.now.nanoseconds(since: began)
        let pause = max(Limits.vainSearchNanoseconds, taken * Limits.vainSearchShare)
        vainSearches[key] = isVain ? loop.now.advanced(by: pause) : nil
        return !isVain
    }

    private func closeEmpty(where isMeant: (ListeningPort) -> Bool) -> Bool {
        var found: [(since: LoopInstant, guest: any Guest)] = []
        for handler in loop.allHandlers {
            guard let guest = guest(handler), isMeant(guest.port), let since = guest.emptySince,
                loop.now.nanoseconds(since: since) >= Limits.emptyNanosecondsMin
            else { continue }
            found.append((since, guest))
        }
        found.sort { $0.since < $1.since }
        for (_, guest) in found.prefix(share(of: found.count)) {
            guest.cutOff()
            metrics.add(.connectionsEvicted)
        }
        return !found.isEmpty
    }

    private func endStalled(where isMeant: (UpstreamPool, EndpointPool?) -> Bool) -> Bool {
        var found: [(since: LoopInstant, client: ClientCounts.Client, holder: any UpstreamHolder)] =
            []
        var counts: [ClientCounts.Client: Int] = [:]
        for handler in loop.allHandlers {
            guard let holder = holder(handler), let (upstream, endpoint) = holder.held,
                isMeant(upstream, endpoint),
                let since = holder.stalledSince,
                loop.now.nanoseconds(since: since) >= Limits.stalledNanosecondsMin
            else { continue }
            let (high, low) = holder.peer.mapped
            let client = ClientCounts.Client(high: high, low: low)
            counts[client, default: 0] += 1
            found.append((since, client, holder))
        }
        found.sort { first, second in
            let (more, less) = (counts[first.client, default: 0], counts[second.client, default: 0])
            return more == less ? first.since < second.since : more > less
        }
        for (_, _, holder) in found.prefix(share(of: found.count)) {
            holder.giveWay()
            metrics.add(.exchangesEvicted)
        }
        return !found.isEmpty
    }

    // Casts to a class cost some nanoseconds, those to a protocol a hundred.

    private func guest(_ handler: any EventHandler) -> (any Guest)? {
        if let client = handler as? ClientConnection { return client }
        if let other = handler as? PortConnection { return other }
        return nil
    }

    private func holder(_ handler: any EventHandler) -> (any UpstreamHolder)? {
        if let client = handler as? Client { return client }
        if let relay = handler as? TCPRelay { return relay }
        return nil
    }

    /// How many of those that were found go at once.
    private func share(of count: Int) -> Int { max(1, count / 16) }
}
