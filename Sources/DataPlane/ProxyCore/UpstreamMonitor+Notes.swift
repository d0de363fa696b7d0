internal import EventLoop
internal import FleetModel
internal import Upstreams

extension UpstreamMonitor {
    /// What holds for the whole of it, for people; empty where nothing is worth a word.
    var note: String {
        [discoveryNote, circuitNote].filter { !$0.isEmpty }.joined(separator: "; ")
    }

    private var discoveryNote: String {
        guard let discovery = upstream.discovery, let discoveryFailure else { return "" }
        let use = endpoints.isEmpty ? "there is no endpoint" : "what was known stays in use"
        return "\(discovery.name) does not resolve (\(discoveryFailure)): \(use)"
    }

    private var circuitNote: String {
        guard upstream.circuit != nil, let breaker = tries?.breaker else { return "" }
        switch breaker.state(at: LoopInstant.now.nanoseconds) {
        case .closed: return ""
        case .open: return "the circuit is open: too many requests have failed"
        case .halfOpen: return "the circuit is half-open: one request at a time is tried"
        }
    }
}
