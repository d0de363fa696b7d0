internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// What tries at endpoints came to, for those who leave endpoints out that answer badly.
///
/// A failure is: no connection, a connection that ends or is silent before the response is whole, a response that is
/// none, or one with a 5xx status. What says nothing of the endpoint counts as neither: clients that go away, limits of
/// ours, a connection that was reused and had just been closed, a stream that was refused but not time and again.
extension Exchange {
    /// The head of the endpoint's final response has come.
    @inline(__always)
    func noteStatus() {
        let isFailure = response.status >= 500
        noteAnswer(isFailure: isFailure)
        if isFailure, upstream?.watchesOutcomes == true { noteFailedStatus() }
    }

    private func noteFailedStatus() {
        guard let upstream, let endpoint else { return }
        upstream.noteFailure(at: endpoint, worker) { "status \(response.status)" }
    }

    /// The endpoint's response is whole, or a tunnel stands.
    @inline(__always)
    func noteSuccess() {
        if upstream?.watchesOutcomes == true { noteWatchedSuccess() }
    }

    private func noteWatchedSuccess() {
        guard let upstream, let endpoint, response.status < 500 else { return }
        upstream.noteSuccess(at: endpoint, worker)
    }

    /// No connection could be had: others leave the endpoint alone, until one stands again.
    ///
    /// - Parameter failure: Why.
    func noteNoConnection(_ failure: ExchangeError) {
        guard let endpoint else { return }
        upstream?.noteNoConnection(to: endpoint, failure, worker)
    }

    /// The try has failed.
    ///
    /// - Parameters:
    ///   - failure: Why.
    ///   - isReused: Whether the connection had carried an exchange before.
    func noteFailure(_ failure: ExchangeError, isReused: Bool) {
        guard let upstream, upstream.watchesOutcomes, let endpoint,
            failure.isOfEndpoint || failure.retry == .unprocessed && isTurnedAway,
            !(isReused && failure.retry == .ifConnectionReused)
        else { return }
        upstream.noteFailure(at: endpoint, worker) { failure.description }
    }
}

extension UpstreamPool {
    /// No connection to an endpoint could be had.
    func noteNoConnection(to endpoint: EndpointPool, _ failure: ExchangeError, _ worker: Worker) {
        // Without a port of ours there is no connection to anybody; who resets one lets others stand; and a unix socket
        // whose queue is full has somebody behind it.
        guard failure.isOfEndpoint, failure.errno != .addressNotAvailable,
            failure.errno != .connectionReset, failure.errno != .wouldBlock,
            endpoint.connectFailed()
        else { return }
        worker.link?.lost(upstream.name, endpoint.state, why: failure.description)
    }

    /// A try at an endpoint has come to a good end; only where outcomes are watched.
    func noteSuccess(at endpoint: EndpointPool, _ worker: Worker) {
        let isCounted = outcomes?.countsAll ?? false
        endpoint.state.outcomes.succeeded(worker: worker.index, isCounted: isCounted)
    }

    /// A try at an endpoint has failed; only where outcomes are watched.
    func noteFailure(at endpoint: EndpointPool, _ worker: Worker, _ last: () -> String) {
        guard let outcomes else { return }
        let count = endpoint.state.outcomes.failed(
            worker: worker.index,
            isCounted: outcomes.countsAll
        )
        guard let limit = outcomes.failuresMax, count >= limit else { return }
        if !endpoint.isAvoided, mayEject { endpoint.isToBeEjected() }
        // Again each time that as many have failed: the monitor may have passed one over.
        guard count % limit == 0 else { return }
        worker.link?.failed(upstream.name, endpoint.state, count: count, last: last())
    }
}

/// What is of interest in the outcomes of tries.
struct OutcomeInterest {
    /// Failures in a row that are told; `nil` is none.
    let failuresMax: Int?
    /// Whether all are counted.
    let countsAll: Bool

    /// What ejection, and whoever reads metrics, want to know; `nil` where that is nothing.
    init?(_ outliers: Outliers?, countsAll: Bool) {
        guard outliers != nil || countsAll else { return nil }
        failuresMax = outliers?.consecutiveErrors.map { max($0, 1) }
        self.countsAll = countsAll || outliers.map { $0.successRate > 0 } ?? false
    }
}

extension ExchangeError {
    /// Whether it says something of the endpoint.
    fileprivate var isOfEndpoint: Bool {
        guard side == .upstream, retry != .unprocessed else { return false }
        switch kind {
        case .destinationUnavailable, .dnsError, .dnsTimeout, .connectionLimitReached: return false
        default: return true
        }
    }

    fileprivate var description: String {
        guard let errno else { return kind.rawValue }
        return "\(kind.rawValue) (\(errno.message))"
    }
}
