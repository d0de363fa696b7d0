package import Bytes
package import HTTPSemantics

/// The head of a request, read strictly and in place (RFC 9112 §3, §5, §6).
///
/// The head is owned by the caller and used again for each message. It holds no octets: every range is
/// relative to the start of the message, and `decode` is given the message from its start each time, of
/// which the octets may have moved. A message that passes has exactly one reading: its framing is
/// settled, its host is valid, and nothing in it is folded, quoted or repeated that readers differ on.
///
///     method --SP--> target --SP--> version --CRLF--> fields --CRLF--> complete
package struct RequestHead: ~Copyable {
    /// The method.
    package private(set) var method = Method.other
    /// The method's octets.
    package private(set) var methodRange = OctetRange()
    /// The request target as it was sent.
    package private(set) var target = OctetRange()
    /// The form of the target.
    package private(set) var form = RequestTargetForm.origin
    /// The path of the target, as sent; empty in authority-form, in asterisk-form, and where an
    /// absolute-form has none (which stands for `/`).
    package private(set) var path = OctetRange()
    /// The query without its `?`; look at `hasQuery` for `/path?`.
    package private(set) var query = OctetRange()
    /// Whether a `?` is there.
    package private(set) var hasQuery = false
    /// Whether an absolute-form names the scheme https.
    package private(set) var isSchemeHTTPS = false
    /// The protocol version.
    package private(set) var version = HTTPVersion.http11
    /// The authority that counts: that of an absolute-form, else that of Host (RFC 9112 §3.2.2).
    ///
    /// Its host is empty only in HTTP/1.0 without Host.
    package private(set) var authority = Authority()
    /// The octets of that authority, with the port.
    package private(set) var authorityRange = OctetRange()
    /// How the content ends.
    package private(set) var framing = BodyFraming.none
    /// The field lines and what they say.
    package private(set) var fields = FieldSection(role: .request)

    private var phase = Phase.start
    private var cursor = 0
    private var start = 0

    private enum Phase: UInt8 {
        case start, method, path, query, version, fields, complete
    }

    /// Makes an empty head.
    package init() {}

    /// Whether the client lets the connection carry another request (RFC 9112 §9.3).
    ///
    /// An HTTP/1.0 client must ask for it: to it a reverse proxy is an origin server, not a proxy.
    package var isPersistent: Bool {
        if fields.facts.connection.contains(.close) { return false }
        return version == .http11 || fields.facts.connection.contains(.keepAlive)
    }

    /// Whether the request is about the server as a whole: OPTIONS of `*`, or of a target in absolute-form without path
    /// and query, which means the same (RFC 9112 §3.2.4).
    package var asksServer: Bool {
        form == .asterisk || method == .options && form == .absolute && path.isEmpty && !hasQuery
    }

    /// Whether a 100 response is awaited (RFC 9110 §10.1.1): never by HTTP/1.0 or without content.
    package var expectsContinue: Bool {
        fields.facts.expectsContinue && version == .http11 && !framing.isEmpty
    }

    /// Whether octets of this message have been looked at and more are needed.
    package var isPartial: Bool { phase != .start && phase != .complete }

    /// Marks field lines as ones that end here, so that nothing is decided by them.
    ///
    /// - Parameter isDisbelieved: Whether a line is such a one.
    package mutating func disbelieve(_ isDisbelieved: (FieldLine) -> Bool) {
        fields.disbelieve(isDisbelieved)
    }

    /// Makes the head ready for the next message, of which nothing is known.
    package mutating func reset() {
        phase = .start
        cursor = 0
        start = 0
        method = .other
        form = .origin
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
    /// - Throws: The first violation; answer with its `requestStatus` and close.
    /// - Complexity: O(octets not seen before); allocates only for more field lines than ever.
    package mutating func decode(
        _ octets: Span<UInt8>,
        limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Int? {
        if phase == .complete { reset() }
        if phase != .fields {
            guard try decodeRequestLine(octets, limits) else { return nil }
            // Of the preface of HTTP/2 too, once its version has shown that it is none.
            guard form != .asterisk || method == .options else { throw .requestTargetForm }
            fields.begin(at: cursor)
            phase = .fields
        }
        guard let end = try fields.decode(octets, limits: limits) else { return nil }
        try settleAuthority(octets)
        try settleFraming()
        phase = .complete
        return end
    }

    // MARK: Request line

    private mutating func decodeRequestLine(
        _ octets: Span<UInt8>,
        _ limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Bool {
        if phase == .start {
            guard try skipEmptyLine(octets) else { return false }
            phase = .method
        }
        if phase == .method {
            guard try decodeMethod(octets) else { return false }
            phase = .path
        }
        if phase == .path || phase == .query {
            guard try decodeTarget(octets, limits) else { return false }
            phase = .version
        }
        return try decodeVersion(octets)
    }

    /// RFC 9112 §2.2: one empty line before the request line is ignored.
    private mutating func skipEmptyLine(_ octets: Span<UInt8>) throws(HTTP1Error) -> Bool {
        guard let first = octets.count > 0 ? octets[0] : nil else { return false }
        guard first == carriageReturn else { return true }
        guard octets.count > 1 else { return false }
        guard octets[1] == lineFeed else { throw .bareCarriageReturn }
        start = 2
        cursor = 2
        return true
    }

    @inline(__always)
    private mutating func decodeMethod(_ octets: Span<UInt8>) throws(HTTP1Error) -> Bool {
        var index = cursor
        while index < octets.count, octets[index] != space {
            let octet = octets[index]
            guard OctetSet.token.contains(octet) else {
                throw octet == lineFeed
                    ? .bareLineFeed : octet == carriageReturn ? .requestLineInvalid : .methodInvalid
            }
            index += 1
            guard index - start <= HTTP1Limits.methodBytesMax else { throw .methodTooLong }
        }
        cursor = index
        guard index < octets.count else { return false }
        guard index > start else { throw .methodInvalid }
        method = Method.find(in: octets, start..<index)
        methodRange = OctetRange(start, index)
        cursor = index + 1
        hasQuery = false
        return true
    }

    /// Reads the target up to its SP; splits at the first `?` on the way.
    @inline(__always)
    private mutating func decodeTarget(
        _ octets: Span<UInt8>,
        _ limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Bool {
        let targetStart = methodRange.upperBound + 1
        if phase == .path {
            // RFC 3986 allows less; path normalisation encodes the rest. A fragment is never sent.
            let end = octets.firstIndexOutsideTarget(from: cursor, stop: questionMark)
            cursor = end
            if end - targetStart > limits.requestTargetBytesMax { throw .requestTargetTooLong }
            guard end < octets.count else { return false }
            path = OctetRange(targetStart, end)
            if octets[end] == questionMark {
                hasQuery = true
                cursor = end + 1
                phase = .query
            }
        }
        if phase == .query {
            let end = octets.firstIndexOutsideTarget(from: cursor, stop: numberSign)
            cursor = end
            if end - targetStart > limits.requestTargetBytesMax { throw .requestTargetTooLong }
            guard end < octets.count else { return false }
        }
        let end = cursor
        guard octets[end] == space else { throw targetError(octets[end]) }
        query = hasQuery ? OctetRange(path.upperBound + 1, end) : OctetRange(end, end)
        target = OctetRange(targetStart, end)
        cursor = end + 1
        try settleTarget(octets)
        return true
    }

    private func targetError(_ octet: UInt8) -> HTTP1Error {
        switch octet {
        case lineFeed: .bareLineFeed
        case carriageReturn: .requestLineInvalid
        default: .requestTargetInvalid
        }
    }

    @inline(__always)
    private mutating func decodeVersion(_ octets: Span<UInt8>) throws(HTTP1Error) -> Bool {
        // "HTTP/1.1" CRLF is ten octets.
        if cursor + 10 <= octets.count, octets[cursor + 8] == carriageReturn,
            octets[cursor + 9] == lineFeed
        {
            if octets.word(at: cursor) == http11Word {
                version = .http11
                cursor += 10
                return true
            }
        }
        return try decodeOddVersion(octets)
    }

    private mutating func decodeOddVersion(_ octets: Span<UInt8>) throws(HTTP1Error) -> Bool {
        let line = try parseVersion(octets, at: cursor)
        guard let digits = line else { return false }
        guard cursor + 8 < octets.count else { return false }
        let after = octets[cursor + 8]
        if after != carriageReturn {
            throw after == lineFeed ? .bareLineFeed : .versionInvalid
        }
        guard digits.major == 1 else {
            let isPreface =
                octets.extracting(methodRange.indices).matches("pri") && form == .asterisk
            throw digits.major == 2 && isPreface ? .http2Preface : .versionUnsupported
        }
        guard cursor + 9 < octets.count else { return false }
        guard octets[cursor + 9] == lineFeed else { throw .bareCarriageReturn }
        version = digits.minor == 0 ? .http10 : .http11
        cursor += 10
        return true
    }

    // MARK: Target

    @inline(__always)
    private mutating func settleTarget(_ octets: Span<UInt8>) throws(HTTP1Error) {
        if target.count > 0, octets[target.lowerBound] == slash, method != .connect {
            form = .origin
            return
        }
        try settleOddTarget(octets)
    }

    private mutating func settleOddTarget(_ octets: Span<UInt8>) throws(HTTP1Error) {
        guard target.count > 0 else { throw .requestLineInvalid }
        if method == .connect {
            form = .authority
            authorityRange = target
            path = OctetRange()
            guard let parsed = Authority.parse(octets, target.indices), parsed.port != 0 else {
                throw .authorityInvalid
            }
            authority = parsed
            return
        }
        if target.count == 1, octets[target.lowerBound] == asterisk {
            // PRI is the method of the HTTP/2 preface, which is judged with its version.
            let isPreface = octets.extracting(methodRange.indices).matches("pri")
            guard method == .options || isPreface else { throw .requestTargetForm }
            form = .asterisk
            path = OctetRange()
            return
        }
        try settleAbsoluteTarget(octets)
    }

    private mutating func settleAbsoluteTarget(_ octets: Span<UInt8>) throws(HTTP1Error) {
        form = .absolute
        let first = path.lowerBound
        let schemeEnd = octets.firstIndex(of: colon, from: first, to: path.upperBound)
        guard schemeEnd < path.upperBound else { throw .requestTargetForm }
        if octets.matches("http", in: first..<schemeEnd) {
            isSchemeHTTPS = false
        } else if octets.matches("https", in: first..<schemeEnd) {
            isSchemeHTTPS = true
        } else {
            throw octets[first] == slash ? .requestTargetForm : .schemeUnsupported
        }
        let from = schemeEnd + 3
        guard from <= path.upperBound, octets[schemeEnd + 1] == slash,
            octets[schemeEnd + 2] == slash
        else { throw .requestTargetForm }
        let authorityEnd = octets.firstIndex(of: slash, from: from, to: path.upperBound)
        guard let parsed = Authority.parse(octets, from..<authorityEnd) else {
            throw .authorityInvalid
        }
        authority = parsed
        authorityRange = OctetRange(from, authorityEnd)
        path = OctetRange(authorityEnd, path.upperBound)
    }

    // MARK: What the whole head says

    /// RFC 9112 §3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0.
    @inline(__always)
    private mutating func settleAuthority(_ octets: Span<UInt8>) throws(HTTP1Error) {
        guard fields.facts.hostLine >= 0 else {
            guard version == .http10 else { throw .hostMissing }
            if form == .origin || form == .asterisk {
                authority = Authority()
                authorityRange = OctetRange()
            }
            return
        }
        let value = fields.lines[fields.facts.hostLine].valueRange
        guard let parsed = Authority.parse(octets, value) else { throw .hostInvalid }
        if form == .origin || form == .asterisk {
            authority = parsed
            authorityRange = OctetRange(value.lowerBound, value.upperBound)
        }
    }

    /// RFC 9112 §6.3, without its leniencies.
    @inline(__always)
    private mutating func settleFraming() throws(HTTP1Error) {
        if fields.facts.isChunked {
            guard fields.facts.contentLength == nil else {
                throw .contentLengthWithTransferEncoding
            }
            guard version == .http11 else { throw .transferEncodingInHTTP10 }
            framing = .chunked
        } else if let length = fields.facts.contentLength {
            framing = .length(length)
        } else {
            framing = .none
        }
    }
}
