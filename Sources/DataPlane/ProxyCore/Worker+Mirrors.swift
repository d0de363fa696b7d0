internal import EventLoop
internal import Telemetry

/// The copies of requests that a worker has, and how they end where others would have to wait for them.
///
/// They count neither as clients nor as anything that a drain waits for.
extension Worker {
    /// How much there is of them.
    struct MirrorLoad {
        /// Copies that are on their way.
        var count = 0
        /// Octets of all copies, also of those whose content is still coming.
        var bytes = 0
    }

    /// Whether there may be another copy, or another so many octets of one.
    func mayMirror(bytes: Int) -> Bool {
        mirrors.count < Limits.mirrors && bytes <= Limits.mirrorBytesInAll - mirrors.bytes
    }

    /// A copy has become longer.
    func mirrorGrew(by bytes: Int) {
        mirrors.bytes += bytes
    }

    /// A copy is given up that has not begun.
    func mirrorForgotten(_ copy: MirrorClient) {
        mirrors.bytes -= copy.bytes
    }

    /// Has a copy begin at the end of this tick, unless there are too many.
    func startMirror(_ copy: MirrorClient) {
        guard mirrors.count < Limits.mirrors else {
            metrics.add(.mirrorsLimited)
            return mirrorForgotten(copy)
        }
        mirrors.count += 1
        copy.start()
    }

    /// A copy has come to its end.
    func mirrorEnded(_ copy: MirrorClient) {
        mirrors.count -= 1
        mirrors.bytes -= copy.bytes
    }

    /// Cuts copies off, by the port that their requests came to.
    ///
    /// - Complexity: O(handlers of the worker), if there are copies.
    func endMirrors(where isMeant: (ListeningPort) -> Bool) {
        guard mirrors.count > 0 else { return }
        for case let copy as MirrorClient in loop.allHandlers where isMeant(copy.port) {
            copy.cutOff()
        }
    }

    /// Has copies go on with what their ports serve now, and ends those whose port goes.
    func moveMirrors() {
        endMirrors { $0.isClosing }
        guard mirrors.count > 0 else { return }
        for case let copy as MirrorClient in loop.allHandlers { copy.exchange?.moveCopy() }
    }
}
