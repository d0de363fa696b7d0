internal import Bytes
internal import HTTP1
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// Octets of a request that its response or its log record needs, copied because the head does not outlive its
/// rewriting.
struct LogNote {
    private var octets: [UInt8] = []
    /// What the client asked for, with the port.
    var authority = 0..<0
    var method = 0..<0
    var host = 0..<0
    var path = 0..<0
    var referer = 0..<0
    var userAgent = 0..<0
    var requestID = RequestID.none
    /// The client's address as text, where it is not the peer's.
    var client = 0..<0
    /// What texts of the route stand for, where it has such: host, normalised path and query, whole.
    var keptHost = 0..<0
    var keptPath = 0..<0
    var keptQuery = 0..<0

    /// What identifies the request.
    enum RequestID {
        case none
        /// Made here: 128 bits, written in hexadecimal.
        case made(UInt64, UInt64)
        /// Where its text lies in the note: what was accepted, or what was made and has been written.
        case written(Range<Int>)
    }

    /// The longest piece that is kept; the log cuts paths there too.
    private static let pieceBytesMax = 8192

    /// Forgets the last request.
    mutating func clear() {
        octets.removeAll(keepingCapacity: octets.capacity <= Self.pieceBytesMax)
        (authority, method, host, path) = (0..<0, 0..<0, 0..<0, 0..<0)
        (referer, userAgent, requestID) = (0..<0, 0..<0, .none)
        client = 0..<0
        (keptHost, keptPath, keptQuery) = (0..<0, 0..<0, 0..<0)
    }

    /// Copies a piece and says where it lies; what is longer than `bytesMax` is cut there.
    mutating func add(_ piece: Span<UInt8>, bytesMax: Int = pieceBytesMax) -> Range<Int> {
        let start = octets.count
        let count = min(piece.count, bytesMax)
        octets.append(copying: piece.extracting(first: count))
        return start..<start + count
    }

    /// Adds an address as text and says where it lies.
    mutating func add(_ address: ClientAddress) -> Range<Int> {
        let start = octets.count
        address.append(to: &octets)
        return start..<octets.count
    }

    /// Appends the identifier's text to a head.
    func appendRequestID(to head: inout Buffer) {
        switch requestID {
        case .none: break
        case .made(let high, let low):
            head.append(sixteenDigits: high)
            head.append(sixteenDigits: low)
        case .written(let range): head.append(octets.span.extracting(range))
        }
    }

    /// A copy of a piece.
    func octets(of range: Range<Int>) -> [UInt8] { Array(octets[range]) }

    /// Hands a piece on.
    func give(_ range: Range<Int>, to sink: inout some OctetSink & ~Copyable) -> Bool {
        sink.take(octets.span.extracting(range))
    }

    /// Gives the octets of a piece.
    func withOctets<Result, Failure: Error>(
        of range: Range<Int>,
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(octets.span.extracting(range))
    }

    /// Where the identifier's text lies; one that was made here is written now, into memory that is used again.
    mutating func identifierText() -> Range<Int> {
        switch requestID {
        case .none: return 0..<0
        case .written(let range): return range
        case .made(let high, let low):
            let start = octets.count
            addDigits(hexadecimalDigits(high >> 32))
            addDigits(hexadecimalDigits(high & 0xFFFF_FFFF))
            addDigits(hexadecimalDigits(low >> 32))
            addDigits(hexadecimalDigits(low & 0xFFFF_FFFF))
            requestID = .written(start..<octets.count)
            return start..<octets.count
        }
    }

    private mutating func addDigits(_ word: UInt64) {
        for index in 0..<8 {
            octets.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index)))
        }
    }

    /// Hands the pieces to the log.
    mutating func append(
        _ record: AccessRecord,
        peer: [UInt8],
        route: [UInt8],
        upstream: [UInt8],
        endpoint: [UInt8],
        to log: AccessRecorder
    ) {
        let identifier = identifierText()
        let span = octets.span
        log.append(
            record,
            client: client.isEmpty ? peer.span : span.extracting(client),
            method: span.extracting(method),
            host: span.extracting(host),
            path: span.extracting(path),
            route: route.span,
            upstream: upstream.span,
            endpoint: endpoint.span,
            requestID: span.extracting(identifier),
            referer: span.extracting(referer),
            userAgent: span.extracting(userAgent)
        )
    }
}

extension Exchange {
    /// The octets of the route's name; none before one was taken.
    var routeLabel: [UInt8] {
        guard let served, let route else { return [] }
        return served.tables.routeLabels[route]
    }
}

extension AccessRecorder {
    /// Appends the record of an exchange that ends now.
    func append(_ exchange: Exchange, nanoseconds: UInt64) {
        guard let client = exchange.client else { return }
        var record = AccessRecord()
        let now = realtimeNanoseconds()
        record.unixNanoseconds = now > nanoseconds ? now - nanoseconds : 0
        record.durationNanoseconds = nanoseconds
        record.status = Int(exchange.status)
        record.contentBytes = exchange.contentBytesSent
        record.version = exchange.served?.tables.version ?? 0
        record.protocolName =
            if client.framesContent {
                "HTTP/2"
            } else {
                exchange.request.version == .http11 ? "HTTP/1.1" : "HTTP/1.0"
            }
        record.scheme = exchange.isClientHTTPS ? "https" : "http"
        record.tls = client.security?.versionName ?? ""
        record.error = exchange.error?.kind
        exchange.note.append(
            record,
            peer: client.peerText,
            route: exchange.routeLabel,
            upstream: exchange.upstream?.label ?? [],
            endpoint: exchange.endpoint?.label ?? [],
            to: self
        )
    }
}
