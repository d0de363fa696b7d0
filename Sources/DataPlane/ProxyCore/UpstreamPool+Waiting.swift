internal import EventLoop
internal import FleetModel
internal import Telemetry
internal import Upstreams

/// How requests wait for a connection where an upstream, or each of its endpoints, has as many as it may.
///
///     worker 0:  exchange ─▶ | line | ─▶ connection comes free ─▶ exchange
///     worker 1:  connection comes free, nobody waits here: it closes ─▶ worker 0, by mailbox
///
/// The node's limit is exact; the order is that of each worker. Without anybody who waits, a connection that comes free
/// costs one load.
extension UpstreamPool {
    /// Takes an exchange back to the front of the line, whose turn it was.
    func putBack(_ effort: Effort) {
        effort.standInLine(of: self)
        line.putBack(effort)
    }

    /// Takes a place in line; `append` is owed.
    ///
    /// - Returns: Whether there was one in which an exchange may hope.
    func givesPlace(at now: LoopInstant) -> Bool {
        !line.isHopeless(within: limits.queue, at: now) && state.waiting.add()
    }

    /// Takes an exchange into the line, for which there is a place.
    func append(_ effort: Effort, _ worker: Worker) {
        let isFirst = line.isEmpty
        effort.standInLine(of: self)
        line.append(effort, at: worker.loop.now)
        if isFirst { state.note(isWaiting: true, on: worker.index) }
        worker.askForRoom(for: self)
        // One may have come free before others could see that somebody waits.
        if isFirst, !count.isFull { wake(worker) }
    }

    /// One that waited has left the line from where it stood.
    func leftLine(_ worker: Worker) {
        line.left()
        if line.isEmpty { return lineEnded(worker) }
        // It may have been the one whose turn it was.
        if freed > 0 { line.next()?.resumeLater() }
    }

    /// One that had a place goes on, or does not wait any more.
    func gaveUpPlace() {
        state.waiting.remove()
    }

    private func lineEnded(_ worker: Worker) {
        freed = 0
        state.note(isWaiting: false, on: worker.index)
    }

    // MARK: What comes free

    /// A connection to one of the endpoints has closed, or cannot be made.
    func closed(_ endpoint: EndpointPool, _ worker: Worker) {
        count.remove()
        endpoint.count.remove()
        if state.waiting.current > 0 { cameFree(worker) }
    }

    /// A connection rests, or takes another exchange.
    func rests(_ worker: Worker) {
        guard state.waiting.current > 0 else { return }
        // Where nobody waits here, closing it lets another worker make one.
        if line.isEmpty { _ = evict() } else { wake(worker) }
    }

    private func cameFree(_ worker: Worker) {
        if line.isEmpty { worker.tellWaiting(for: self) } else { wake(worker) }
    }

    /// There may be a connection for the first in line.
    func wake(_ worker: Worker) {
        guard let next = line.next() else { return worker.tellWaiting(for: self) }
        freed += 1
        next.resumeLater()
    }

    /// What can be connected to has changed: all who wait look again, one after the other until one has to wait on.
    func wakeAll(_ worker: Worker) {
        guard let next = line.next() else { return }
        freed = line.count
        next.resumeLater()
    }

    /// Has as many go on as connections came free.
    func serveLine(_ worker: Worker) {
        while freed > 0, let effort = line.takeFirst() {
            freed -= 1
            effort.takeTurn()
            if effort.wait == .connection {
                // What came free was not for it, or somebody else was faster.
                freed = 0
            } else {
                line.moved()
            }
        }
        while let last = line.hopelessLast(within: limits.queue, at: worker.loop.now) {
            last.giveUp(.upstreamQueueFull)
        }
        if line.isEmpty { lineEnded(worker) }
    }
}

extension Worker {
    /// Asks the other workers for a connection that rests with them.
    func askForRoom(for upstream: UpstreamPool) {
        guard colleagues.count > 1, upstream.mayAsk(at: loop.now) else { return }
        let name = upstream.upstream.name
        for (index, colleague) in colleagues.enumerated() where index != self.index {
            colleague.value.loop.mailbox.post { colleague.value.makeRoom(for: name) }
        }
    }

    /// Tells another worker on which requests wait that one can be made now.
    func tellWaiting(for upstream: UpstreamPool) {
        guard let index = upstream.waitingWorker(after: self.index, of: colleagues.count) else {
            return
        }
        let (colleague, name) = (colleagues[index], upstream.upstream.name)
        colleague.value.loop.mailbox.post { colleague.value.connectionCameFree(at: name) }
    }
}
