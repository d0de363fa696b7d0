internal import Bytes
internal import HTTP1
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
    /// Whether a trusted proxy says that the client spoke TLS to it.
    var isForwardedSecure = false

    /// What identifies the request.
    enum RequestID {
        case none
        /// Made here: 128 bits, written in hexadecimal.
        case made(UInt64, UInt64)
        /// A trusted peer's: where it lies in the note.
        case accepted(Range<Int>)

    }

    /// The longest piece that is kept; the log cuts paths there too.
    private static let pieceBytesMax = 8192

    /// Forgets the last request.
    mutating func clear() {
        octets.removeAll(keepingCapacity: octets.capacity <= Self.pieceBytesMax)
        (authority, method, host, path) = (0..<0, 0..<0, 0..<0, 0..<0)
        (referer, userAgent, requestID) = (0..<0, 0..<0, .none)
        isForwardedSecure = false
    }

    /// Copies a piece and says where it lies.
    mutating func add(_ piece: Span<UInt8>) -> Range<Int> {
        let start = octets.count
        let count = min(piece.count, Self.pieceBytesMax)
        octets.append(copying: piece.extracting(first: count))
        return start..<start + count
    }

    /// Appends the identifier's text to a head.
    func appendRequestID(to head: inout Buffer) {
        switch requestID {
        case .none: break
        case .made(let high, let low):
            head.append(sixteenDigits: high)
            head.append(sixteenDigits: low)
        case .accepted(let range): head.append(octets.span.extracting(range))
        }
    }

    /// A copy of a piece.
    func octets(of range: Range<Int>) -> [UInt8] { Array(octets[range]) }

    /// Where the identifier's text lies; one that was made here is written now, into memory that is used again.
    private mutating func identifierText() -> Range<Int> {
        switch requestID {
        case .none: return 0..<0
        case .accepted(let range): return range
        case .made(let high, let low):
            let start = octets.count
            addDigits(hexadecimalDigits(high >> 32))
            addDigits(hexadecimalDigits(high & 0xFFFF_FFFF))
            addDigits(hexadecimalDigits(low >> 32))
            addDigits(hexadecimalDigits(low & 0xFFFF_FFFF))
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
        client: [UInt8],
        route: [UInt8],
        upstream: [UInt8],
        endpoint: [UInt8],
        to log: AccessRecorder
    ) {
        let identifier = identifierText()
        let span = octets.span
        log.append(
            record,
            client: client.span,
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
        record.scheme = client.scheme
        record.tls = client.security?.versionName ?? ""
        record.error = exchange.error?.kind
        exchange.note.append(
            record,
            client: client.peerText,
            route: exchange.routeLabel,
            upstream: exchange.upstream?.label ?? [],
            endpoint: exchange.endpoint?.label ?? [],
            to: self
        )
    }
}
