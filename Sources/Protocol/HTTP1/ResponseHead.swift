package import Bytes
package import HTTPSemantics

/// The head of a response, read strictly and in place (RFC 9112 §4, §5, §6).
///
/// Used as `RequestHead` is. Looser than the grammar in one point: the space after the status code may be
/// missing when there is no reason phrase. Stricter in one: a line with white space before its colon is
/// refused, where RFC 9112 §5.1 makes a proxy remove it; an origin that writes it is not to be trusted
/// with framing.
///
///     version --SP--> status --SP--> reason --CRLF--> fields --CRLF--> complete
package struct ResponseHead: ~Copyable {
    /// The status code, 100 to 599.
    package private(set) var status: UInt16 = 0
    /// The reason phrase; may be empty.
    package private(set) var reason = OctetRange()
    /// The protocol version.
    package private(set) var version = HTTPVersion.http11
    /// The field lines and what they say.
    package private(set) var fields = FieldSection(role: .response)

    private var phase = Phase.start
    private var cursor = 0

    private enum Phase: UInt8 {
        case start, reason, fields, complete
    }

    /// Makes an empty head.
    package init() {}

    /// Whether the origin lets the connection carry another request (RFC 9112 §9.3).
    ///
    /// After a 204 that announces content, which it cannot have (RFC 9110 §8.6, RFC 9112 §6.1), nobody knows what comes.
    package var isPersistent: Bool {
        if fields.facts.connection.contains(.close) { return false }
        if status == 204, fields.facts.isChunked || (fields.facts.contentLength ?? 0) > 0 {
            return false
        }
        return version == .http11 || fields.facts.connection.contains(.keepAlive)
    }

    /// Whether this is an interim response: another one follows (RFC 9110 §15.2).
    package var isInterim: Bool { status < 200 && status != 101 }

    /// Whether octets of this message have been looked at and more are needed.
    package var isPartial: Bool { phase != .start && phase != .complete }

    /// How the content ends (RFC 9112 §6.3).
    ///
    /// - Parameter method: The method of the request that is answered.
    /// - Returns: The framing; `none` for HEAD, 1xx, 204 and 304 whatever the fields say.
    package func framing(answering method: Method) -> BodyFraming {
        if status == 101 { return .tunnel }
        if status < 200 || status == 204 || status == 304 || method == .head { return .none }
        if method == .connect, status < 300 { return .tunnel }
        if fields.facts.isChunked { return .chunked }
        if let length = fields.facts.contentLength { return .length(length) }
        return .untilClose
    }

    /// Makes the head ready for the next message.
    package mutating func reset() {
        phase = .start
        cursor = 0
    }

    /// Gives back memory, for a connection that rests; also resets.
    package mutating func releaseStorage() {
        reset()
        fields.releaseStorage()
    }

    /// Reads on.
    ///
    /// - Parameters:
    ///   - octets: The message from its start.
    ///   - limits: Bounds of the head.
    /// - Returns: The head's length in octets, or `nil` while more are needed. The next call after a
    ///   length begins a new message.
    /// - Throws: The first violation; the caller closes the connection and answers 502.
    /// - Complexity: O(octets not seen before); allocates only for more field lines than ever.
    package mutating func decode(
        _ octets: Span<UInt8>,
        limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Int? {
        if phase == .complete { reset() }
        if phase != .fields {
            guard try decodeStatusLine(octets) else { return nil }
            fields.begin(at: cursor)
            phase = .fields
        }
        guard let end = try fields.decode(octets, limits: limits) else { return nil }
        if fields.facts.isChunked {
            guard fields.facts.contentLength == nil else {
                throw .contentLengthWithTransferEncoding
            }
            guard version == .http11 else { throw .transferEncodingInHTTP10 }
        }
        phase = .complete
        return end
    }

    @inline(__always)
    private mutating func decodeStatusLine(_ octets: Span<UInt8>) throws(HTTP1Error) -> Bool {
        if phase == .start {
            // "HTTP/1.1 200" and one octet more.
            guard octets.count >= 13 else {
                _ = try parseVersion(octets, at: 0)
                return false
            }
            if octets.word(at: 0) == http11Word {
                version = .http11
            } else {
                guard let digits = try parseVersion(octets, at: 0) else { return false }
                guard digits.major == 1 else { throw .versionUnsupported }
                version = digits.minor == 0 ? .http10 : .http11
            }
            guard octets[8] == space else { throw .statusLineInvalid }
            guard let code = octets.decimal(in: 9..<12) else { throw .statusCodeInvalid }
            guard code >= 100, code <= 599 else { throw .statusCodeInvalid }
            status = UInt16(code)
            switch octets[12] {
            case space: cursor = 13
            case carriageReturn: cursor = 12
            case lineFeed: throw .bareLineFeed
            default: throw .statusCodeInvalid
            }
            reason = OctetRange(cursor, cursor)
            phase = .reason
        }
        return try decodeReason(octets)
    }

    private mutating func decodeReason(_ octets: Span<UInt8>) throws(HTTP1Error) -> Bool {
        var index = octets.firstIndexOfControl(from: cursor)
        while index < octets.count, octets[index] == horizontalTab {
            index = octets.firstIndexOfControl(from: index + 1)
        }
        guard index - reason.lowerBound <= HTTP1Limits.reasonPhraseBytesMax else {
            throw .statusLineInvalid
        }
        cursor = index
        guard index == octets.count || octets[index] == carriageReturn else {
            throw octets[index] == lineFeed ? .bareLineFeed : .statusLineInvalid
        }
        guard index + 1 < octets.count else { return false }
        guard octets[index + 1] == lineFeed else { throw .bareCarriageReturn }
        reason = OctetRange(reason.lowerBound, index)
        cursor = index + 2
        return true
    }
}
