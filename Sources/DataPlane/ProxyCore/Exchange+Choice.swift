internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTPSemantics
internal import Routing
internal import Upstreams

/// What a request says about the endpoint that it goes to, where that is more than whose turn it is.
extension Exchange {
    /// Notes what the request is hashed by and which endpoint its client had last.
    func consult(_ affinity: Affinity, _ octets: Span<UInt8>, _ client: Client) {
        if affinity.hashes { placement.key = hashedKey(affinity, octets, client) }
        guard let name = affinity.stickyCookie else { return }
        let value = request.cookie(name.span, octets)
        placement.asked = value.flatMap { EndpointMark(octets.extracting($0)) }
    }

    /// Where the part that counts is absent, it is the client's address that does.
    private func hashedKey(
        _ affinity: Affinity,
        _ octets: Span<UInt8>,
        _ client: Client
    ) -> HashedKey {
        if let part = affinity.part {
            if let range = part.find(request, octets) {
                return HashedKey(octets.extracting(range))
            }
        } else if affinity.hashesPath {
            if !isPathNormalised {
                let path = normalisedPath
                return HashedKey(path.span)
            }
            return HashedKey(octets.extracting(request.path.indices))
        }
        let address = clientAddress(client)
        return HashedKey(high: address.high, low: address.low)
    }

    /// Chooses an endpoint.
    ///
    /// - Parameters:
    ///   - upstream: Whose it is.
    ///   - tried: Endpoints to leave out, if there are others.
    /// - Returns: The endpoint, or `nil` when none takes any requests; where it is counted, `leaveEndpoint` is owed.
    @inline(__always)
    func chooseEndpoint(_ upstream: UpstreamPool, avoiding tried: [EndpointPool] = [])
        -> EndpointPool?
    {
        if upstream.takesTurns, tried.isEmpty { return upstream.nextInTurn() }
        return upstream.choose(&placement, now: worker.loop.now.nanoseconds, avoiding: tried)
    }

    /// The endpoint has answered, or failed to, where that is noted.
    @inline(__always)
    func noteAnswer(isFailure: Bool) {
        guard placement.load != nil else { return }
        placement.answered(isFailure: isFailure, now: worker.loop.now.nanoseconds)
    }

    /// The try is over, where it was counted.
    @inline(__always)
    func leaveEndpoint() {
        guard placement.load != nil else { return }
        upstream?.leave(&placement, endpoint, now: worker.loop.now.nanoseconds)
    }

    // MARK: The sticky cookie

    /// Appends a Cookie line without the cookie that is ours; nothing where that was all.
    func append(
        _ line: FieldLine,
        without cookie: [UInt8],
        _ octets: Span<UInt8>,
        to head: inout Buffer
    ) {
        let value = line.valueRange
        var start = value.lowerBound
        var isFirst = true
        while start < value.upperBound {
            let end = octets.firstIndex(of: UInt8(ascii: ";"), from: start, to: value.upperBound)
            let pair = octets.trimmed(start..<end)
            start = end + 1
            let equals = octets.firstIndex(
                of: UInt8(ascii: "="),
                from: pair.lowerBound,
                to: pair.upperBound
            )
            let isOurs = octets.extracting(pair.lowerBound..<equals).equals(cookie.span)
            if pair.isEmpty || isOurs { continue }
            head.append(isFirst ? "cookie: " : "; " as StaticString)
            head.append(octets.extracting(pair))
            isFirst = false
        }
        if !isFirst { head.append("\r\n" as StaticString) }
    }

    /// The cookie that keeps the client at its endpoint from now on.
    func appendStickyCookie(to head: inout Buffer) {
        guard let affinity = upstream?.affinity, let name = affinity.stickyCookie,
            let mark = endpoint?.mark
        else { return }
        head.append("set-cookie: " as StaticString)
        head.append(name)
        head.append(UInt8(ascii: "="))
        head.append(mark.text)
        head.append(affinity.stickyAttributes)
        if isClientHTTPS { head.append("; Secure" as StaticString) }
        head.append("\r\n" as StaticString)
    }
}
