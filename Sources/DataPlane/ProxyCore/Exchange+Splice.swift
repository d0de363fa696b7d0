internal import Bytes
internal import EventLoop
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// Long content of a known length goes from the endpoint's socket to the client's through a pipe in the kernel, and
/// is not copied through our memory.
///
///     endpoint ──splice──▶ pipe ──splice──▶ client
///
/// The pipe is filled only when it is empty, so what it holds is bounded, and a slow client stops the reads.
extension Exchange {
    /// Whether content is in the pipe, or should go through it now.
    var splicesResponse: Bool {
        pipe != nil
            || phase == .delivering && responseBody.plainBytesLeft >= Limits.spliceBytesMin
                && responseBuffer.isEmpty && localContent.isEmpty && !isSpliceRefused
                && client?.canSplice == true && origin?.canSplice == true
    }

    /// Moves content once; `false` when there is nothing more to do for now.
    func spliceResponse(_ client: Client, _ origin: Origin) -> Bool {
        if pipe == nil {
            guard let lent = worker.takePipe() else {
                // Without descriptors it is copied, as shorter content is.
                isSpliceRefused = true
                return true
            }
            pipe = lent
            worker.reclaim(&responseBuffer)
        }
        guard let pipe else { return false }
        if pipe.count > 0 { return emptyPipe(pipe, client) }
        if responseBody.plainBytesLeft == 0 {
            worker.givePipe(pipe)
            self.pipe = nil
            return true
        }
        return fillPipe(pipe, origin)
    }

    private func fillPipe(_ pipe: SplicePipe, _ origin: Origin) -> Bool {
        guard origin.canRead else { return false }
        let wanted = min(responseBody.plainBytesLeft, Limits.pipeBytes)
        switch origin.splice(into: pipe.pipe, count: wanted) {
        case .octets(let count):
            pipe.count = count
            responseBody.passed(count)
            worker.metrics.add(.upstreamReceivedBytes, UInt64(count))
            origin.setDeadline(after: origin.upstream.limits.idle)
            return true
        case .wouldBlock: return false
        case .end: return responseEnded()
        case .failed(let errno):
            originFailed(ExchangeError(.connectionTerminated, .upstream, errno: errno))
            return false
        }
    }

    private func emptyPipe(_ pipe: SplicePipe, _ client: Client) -> Bool {
        guard client.canWrite else {
            client.awaitWriting(totalDeadline)
            return false
        }
        let held = pipe.count
        switch client.splice(from: pipe.pipe, count: held) {
        case .octets(let count):
            pipe.count -= count
            return clientTook(client, count, of: held)
        case .failed:
            abandon()
            return false
        }
    }
}

/// A pipe that one exchange at a time has, and how many octets are in it.
final class SplicePipe {
    let pipe: Pipe
    var count = 0

    init(_ pipe: consuming Pipe) {
        self.pipe = pipe
    }
}
