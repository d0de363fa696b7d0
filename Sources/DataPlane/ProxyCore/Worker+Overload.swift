internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Telemetry

/// How a worker refuses requests when the node has more to do than it can.
extension Worker {
    /// Takes over a version's settings.
    func watch(_ overload: Overload) {
        guard overload != watched else { return }
        watched = overload
        (shedder, isMemoryShort) = (nil, false)
        if let limit = overload.loopLag?.nanoseconds {
            shedder = LoadShedder(limit: limit)
            loop.watchLag { [unowned self] lag in noteLag(lag) }
        } else {
            loop.watchLag(nil)
        }
        lookAtMemory()
        settleShedding()
    }

    private func noteLag(_ lag: UInt64) {
        shedder?.note(lag: lag)
        settleShedding()
    }

    /// Looks how much memory the process has; called once a second.
    func lookAtMemory() {
        guard let limit = watched?.memory else { return }
        // Some is given back before requests are taken again, so that the answer does not change all the time.
        let bound = isMemoryShort ? limit - limit / 16 : limit
        isMemoryShort = residentOctets() > bound
        settleShedding()
    }

    private func settleShedding() {
        isShedding = isMemoryShort || shedder?.share ?? 0 > 0
    }

    /// Whether the request that has just come is refused, which is counted.
    func sheds() -> Bool {
        if isMemoryShort {
            metrics.add(.shedForMemory)
            return true
        }
        guard shedder?.sheds() == true else { return false }
        metrics.add(.shedForLag)
        return true
    }
}
