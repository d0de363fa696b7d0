internal import FleetModel
internal import Upstreams

extension UpstreamPool {
    /// Chooses an endpoint for a request, and counts it there.
    ///
    /// The endpoint that the client's cookie names is taken as long as it takes requests, whatever the balancing says.
    ///
    /// - Parameters:
    ///   - placement: What is known of the request, and where it is noted what it counts at.
    ///   - now: Monotonic nanoseconds.
    ///   - tried: Endpoints to leave out, if there are others; those that are avoided are left out in any case.
    /// - Returns: The endpoint, or `nil` when none takes any.
    func choose(
        _ placement: inout Placement,
        now: UInt64,
        avoiding tried: [EndpointPool] = []
    ) -> EndpointPool? {
        let kept = kept(placement, tried)
        guard var chosen = kept ?? balanced(placement, now: now, tried) else { return nil }
        stay(&placement, at: chosen, now: now)
        // Workers that choose at the same moment see each other's requests only now: who is one too many looks again.
        for _ in 0..<2 where kept == nil {
            guard let position = chosen.position, balancer?.isOverfull(position) == true,
                let other = balanced(placement, now: now, tried), other !== chosen
            else { break }
            chosen = other
            stay(&placement, at: chosen, now: now)
        }
        if affinity?.stickyCookie != nil { placement.setsCookie = chosen.mark != placement.asked }
        return chosen
    }

    /// The endpoint that the client's cookie names.
    private func kept(_ placement: Placement, _ tried: [EndpointPool]) -> EndpointPool? {
        guard let asked = placement.asked, let endpoint = affinity?.marks[asked] else { return nil }
        guard endpoint.isOpen || endpoint.position != nil, !endpoint.isAmong(tried),
            !endpoint.isAvoided || !mayReachOther(than: tried, endpoint)
        else { return nil }
        return endpoint
    }

    private func balanced(
        _ placement: Placement,
        now: UInt64,
        _ tried: [EndpointPool]
    ) -> EndpointPool? {
        guard let balancer else { return inTurn(avoiding: tried) }
        var index: Int? = nil
        if tried.isEmpty {
            index = balancer.choose(key: placement.key, now: now)
            guard let first = index, first < candidates.count else { return nil }
            guard candidates[first].isAvoided else { return candidates[first] }
        }
        index = balancer.choose(key: placement.key, now: now, avoiding: positions(besides: tried))
        guard let index, index < candidates.count else { return nil }
        return candidates[index]
    }

    /// The places of those that have been tried, and of those to be avoided if that leaves any.
    private func positions(besides tried: [EndpointPool]) -> [Int] {
        let avoids = mayReachOther(than: tried, nil)
        return candidates.indices.filter { index in
            candidates[index].isAmong(tried) || avoids && candidates[index].isAvoided
        }
    }

    /// The endpoint whose turn it is among those that have not been tried, if there are others.
    private func inTurn(avoiding tried: [EndpointPool]) -> EndpointPool? {
        guard !tried.isEmpty else { return nextInTurn() }
        let avoids = mayReachOther(than: tried, nil)
        func isNew(_ endpoint: EndpointPool) -> Bool {
            !endpoint.isAmong(tried) && !(avoids && endpoint.isAvoided)
        }
        // In turns of their own: were other tries to take those of first ones, an endpoint that fails might get them all.
        for _ in 0...tried.count {
            guard let next = nextInTurnAgain() else { return nil }
            if isNew(next) { return next }
        }
        return candidates.first(where: isNew) ?? nextInTurnAgain()
    }

    /// Counts another try at the endpoint that was chosen.
    func stay(_ placement: inout Placement, at endpoint: EndpointPool, now: UInt64) {
        guard let balancer else { return }
        let timing: EndpointLoad.Timing? =
            switch upstream.balance {
            case .latency: .peak
            case .powerOfTwo: .mean
            default: nil
            }
        placement.begin(endpoint.state.load, balancer.total, timing, now: now)
        if let position = endpoint.position { balancer.changed(position) }
    }

    /// Counts the end of a try.
    func leave(_ placement: inout Placement, _ endpoint: EndpointPool?, now: UInt64) {
        guard placement.load != nil else { return }
        placement.leave(now: now)
        if let position = endpoint?.position { balancer?.changed(position) }
    }
}
