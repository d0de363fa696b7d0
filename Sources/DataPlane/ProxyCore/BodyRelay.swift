internal import Bytes
internal import HTTP1

/// Turns the content at the front of a buffer into what goes out, in place, whatever its framing on
/// either side.
///
///     received:  | 5 CRLF | content | CRLF 3 CRLF | content | CRLF 0 CRLF CRLF | next message |
///     to send:            | 8 CRLF | content content | CRLF 0 CRLF CRLF | next message |
///
/// The first `ready` octets of the buffer may be sent; what follows them belongs to the next message, or
/// has not been looked at. Chunk extensions and trailers are dropped. It holds no octets.
struct BodyRelay {
    /// Octets at the front of the buffer that may be sent.
    private(set) var ready = 0
    /// Whether the message ends with the octets that are ready.
    private(set) var isComplete = true
    /// Octets of content seen so far.
    private(set) var contentBytes: UInt64 = 0

    private var source = Source.nothing
    private var isChunkedOut = false

    private enum Source {
        case nothing
        case length(Int)
        case chunked(ChunkedDecoder)
        case untilClose
    }

    /// The relay of a message without content.
    init() {}

    /// Makes a relay that stands behind the head.
    ///
    /// - Parameters:
    ///   - framing: How the content ends where it comes from.
    ///   - isChunkedOut: Whether it leaves in the chunked coding; otherwise as it is.
    init(_ framing: BodyFraming, isChunkedOut: Bool) {
        self.isChunkedOut = isChunkedOut
        switch framing {
        case .none, .tunnel, .length(0): break
        case .length(let count): source = .length(count)
        case .chunked: source = .chunked(ChunkedDecoder())
        case .untilClose: source = .untilClose
        }
        isComplete = framing.isEmpty
    }

    /// Looks at what was received behind the octets that are ready; call it when none are.
    ///
    /// - Parameters:
    ///   - buffer: `Limits.headroom` octets are free before its first content, and
    ///     `Limits.tailReserve` behind.
    ///   - limits: Bounds of trailers.
    /// - Throws: `HTTP1Error` when the chunked coding is broken.
    mutating func advance(
        _ buffer: inout Buffer,
        limits: HTTP1Limits
    ) throws(HTTP1Error) {
        precondition(ready == 0, "\(ready) octets have not been sent")
        guard !isComplete, !buffer.isEmpty else { return }
        switch source {
        case .nothing:
            isComplete = true
        case .length(let left):
            ready = min(left, buffer.count)
            source = .length(left - ready)
            isComplete = left == ready
            contentBytes += UInt64(ready)
        case .untilClose:
            contentBytes += UInt64(buffer.count)
            frame(&buffer, contentBytes: buffer.count)
        case .chunked(var decoder):
            let count = try gather(&decoder, &buffer, limits)
            source = .chunked(decoder)
            contentBytes += UInt64(count)
        }
    }

    /// The sender has closed the connection.
    ///
    /// - Parameter buffer: Holds the octets that are ready; the end of the message may be added.
    /// - Returns: Whether the message may end so.
    mutating func close(_ buffer: inout Buffer) -> Bool {
        guard case .untilClose = source else { return isComplete }
        isComplete = true
        if isChunkedOut {
            buffer.append(ChunkedEncoder.end)
            ready += ChunkedEncoder.end.utf8CodeUnitCount
        }
        return true
    }

    /// A head was put before the octets that are ready.
    ///
    /// - Parameter octetCount: Its length.
    mutating func prepended(_ octetCount: Int) {
        ready += octetCount
    }

    /// Octets that were ready have been sent and dropped.
    ///
    /// - Parameter octetCount: How many.
    mutating func sent(_ octetCount: Int) {
        precondition(octetCount <= ready, "sent \(octetCount) of \(ready)")
        ready -= octetCount
    }

    // MARK: Chunks

    /// Moves the content of all chunks together and frames it anew.
    private mutating func gather(
        _ decoder: inout ChunkedDecoder,
        _ buffer: inout Buffer,
        _ limits: HTTP1Limits
    ) throws(HTTP1Error) -> Int {
        var index = 0
        var first = 0
        var count = 0
        var seesMore = true
        while seesMore {
            let event = try buffer.withReadable { octets throws(HTTP1Error) in
                try decoder.next(octets, at: &index, limits: limits)
            }
            switch event {
            case .content(let range):
                if count == 0 {
                    first = range.lowerBound
                } else if range.lowerBound > first + count {
                    buffer.move(range, to: first + count)
                }
                count += range.count
            case .lastChunk:
                continue
            case .end:
                isComplete = true
                seesMore = false
            case .needsMore:
                seesMore = false
            }
        }
        if count == 0 {
            buffer.consume(index)
            if isComplete, isChunkedOut { prepend(ChunkedEncoder.end, &buffer) }
            return 0
        }
        // What lies between the content and the octets not looked at is framing that was read.
        buffer.remove(first + count..<index)
        buffer.consume(first)
        frame(&buffer, contentBytes: count)
        return count
    }

    /// Puts chunk framing around the content at the front of the buffer, if it leaves chunked.
    private mutating func frame(_ buffer: inout Buffer, contentBytes count: Int) {
        ready = count
        guard isChunkedOut, count > 0 else { return }
        if isComplete {
            insert("\r\n0\r\n\r\n", &buffer)
        } else {
            insert(ChunkedEncoder.chunkEnd, &buffer)
        }
        var header = InlineArray<18, UInt8>(repeating: 0)
        var target = header.mutableSpan
        let length = ChunkedEncoder.writeHeader(contentBytes: count, into: &target)
        let fits = buffer.prepend(header.span.extracting(first: length))
        precondition(fits, "no headroom for a chunk header")
        ready += length
    }

    /// Inserts octets behind those that are ready.
    private mutating func insert(_ text: StaticString, _ buffer: inout Buffer) {
        let fits = buffer.insert(text, at: ready)
        precondition(fits, "no room for the end of a chunk")
        ready += text.utf8CodeUnitCount
    }

    private mutating func prepend(_ text: StaticString, _ buffer: inout Buffer) {
        let fits = buffer.prepend(text)
        precondition(fits, "no headroom for the last chunk")
        ready += text.utf8CodeUnitCount
    }
}
