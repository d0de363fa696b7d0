internal import EventLoop
internal import FleetModel
internal import Upstreams

/// What an upstream's settings make of failed tries; only where there are such settings.
final class TryPlan {
    /// When a request is tried again.
    let retry: Retry?
    /// How long one try may take, `.max` for no limit.
    let tryNanoseconds: UInt64
    /// When none is sent.
    let circuit: CircuitLimits?
    /// What the workers count together.
    let tries: UpstreamTries

    /// Whether the circuit breaker, where there is one, lets requests be tried again.
    var letsRetry: Bool { circuit == nil || tries.breaker.isClosed }

    /// `nil` where no setting asks for it.
    init?(_ shared: SharedUpstream) {
        guard let tries = shared.tries else { return nil }
        self.tries = tries
        retry = shared.upstream.retry
        tryNanoseconds = retry?.perTryTimeout?.nanoseconds ?? .max
        circuit = shared.upstream.circuit.map(CircuitLimits.init)
    }
}
