internal import Bytes
internal import HTTP1

/// Turns the content at the front of a buffer into what goes out, in place, whatever its framing on
/// either side.
///
///     received:  | 5 CRLF | content | CRLF 3 CRLF | content | CRLF 0 CRLF CRLF | next message |
///     to send:            | 8 CRLF | content content | CRLF 0 CRLF CRLF | next message |
///
/// The first `ready` octets of the buffer may be sent; what follows them belongs to the next message, or
/// has not been looked at. Chunk extensions are dropped; trailer fields go on where the message leaves chunked, but
/// for those that may not stand there (RFC 9110 §6.5.1) and those that the caller leaves out. It holds no octets.
///
///     chunked ──last chunk──▶ trailers ──empty line──▶ complete
struct BodyRelay {
    /// Octets at the front of the buffer that may be sent.
    private(set) var ready = 0
    /// Whether the message ends with the octets that are ready.
    private(set) var isComplete = true
    /// Octets of content seen so far.
    private(set) var contentBytes: UInt64 = 0

    /// Whether it leaves in the chunked coding.
    private(set) var isChunkedOut = false
    private var source = Source.nothing

    private enum Source {
        case nothing
        case length(Int)
        case chunked(ChunkedDecoder)
        /// The last chunk has come; the trailer section begins at the front of the buffer, or behind what is ready.
        case trailers
        case untilClose
    }

    /// Made for messages that have trailer fields, which few have.
    private var trailers: Trailers?

    /// A trailer section that is being read; apart, so that a relay is small.
    private final class Trailers {
        var section = TrailerSection()
        /// The lines that go on, where the message does not leave chunked.
        var lines: [UInt8] = []
    }

    /// The relay of a message without content.
    init() {}

    /// Forgets a message: what follows has no content.
    mutating func reset() {
        (ready, isComplete, contentBytes) = (0, true, 0)
        (source, isChunkedOut) = (.nothing, false)
        if trailers != nil { trailers = nil }
    }

    /// Begins another message, behind its head.
    ///
    /// - Parameters:
    ///   - framing: How the content ends where it comes from.
    ///   - isMarked: Whether its end is marked outside of the octets, as HTTP/2 does, which has also counted them.
    ///   - isChunkedOut: Whether it leaves in the chunked coding; otherwise as it is.
    mutating func begin(_ framing: BodyFraming, isMarked: Bool = false, isChunkedOut: Bool) {
        reset()
        self.isChunkedOut = isChunkedOut
        if isMarked, !framing.isEmpty {
            source = .untilClose
            isComplete = false
            return
        }
        switch framing {
        case .none, .tunnel, .length(0): break
        case .length(let count): source = .length(count)
        case .chunked: source = .chunked(ChunkedDecoder())
        case .untilClose: source = .untilClose
        }
        isComplete = framing.isEmpty
    }

    /// Has the content leave without a coding of ours; call it before there is any.
    mutating func leavePlain() {
        isChunkedOut = false
    }

    /// Looks at what was received where no coding is to be read, as `advance` does for all.
    ///
    /// - Parameter buffer: As for `advance`.
    /// - Returns: `false` where a coding is to be read; then nothing was done.
    @inline(__always)
    mutating func advancePlain(_ buffer: inout Buffer) -> Bool {
        if isComplete { return true }
        guard case .length(let left) = source, ready == 0 else { return false }
        ready = min(left, buffer.count)
        source = .length(left - ready)
        isComplete = left == ready
        contentBytes += UInt64(ready)
        return true
    }

    /// Looks at what was received behind the octets that are ready; call it when none are.
    ///
    /// - Parameters:
    ///   - buffer: `Limits.headroom` octets are free before its first content, and
    ///     `Limits.tailReserve` behind.
    ///   - limits: Bounds of trailers.
    ///   - keepsTrailer: Whether a field of the trailer section goes on, if it may stand there.
    /// - Throws: `HTTP1Error` when the chunked coding is broken.
    mutating func advance(
        _ buffer: inout Buffer,
        limits: HTTP1Limits,
        keepsTrailer: (FieldLine, Span<UInt8>) -> Bool
    ) throws(HTTP1Error) {
        precondition(ready == 0, "\(ready) octets have not been sent")
        guard !advancePlain(&buffer), !buffer.isEmpty else { return }
        switch source {
        case .nothing, .length:
            isComplete = true
        case .untilClose:
            contentBytes += UInt64(buffer.count)
            frame(&buffer, contentBytes: buffer.count)
        case .chunked(var decoder):
            let count = try gather(&decoder, &buffer, limits)
            contentBytes += UInt64(count)
            guard decoder.isAtTrailers else {
                source = .chunked(decoder)
                return
            }
            source = .trailers
            try relayTrailers(&buffer, limits, keepsTrailer)
        case .trailers:
            try relayTrailers(&buffer, limits, keepsTrailer)
        }
    }

    /// The sender has ended its side.
    ///
    /// - Parameters:
    ///   - buffer: Holds the octets that are ready; the end of the message may be added, with the trailer section.
    ///   - section: The trailer section with its empty line; empty without one.
    ///   - limits: Bounds of trailers.
    ///   - keepsTrailer: Whether a field of the trailer section goes on, if it may stand there.
    /// - Returns: Whether the message may end so.
    /// - Throws: `HTTP1Error` when the trailer section is broken.
    mutating func close(
        _ buffer: inout Buffer,
        trailers section: [UInt8],
        limits: HTTP1Limits,
        keepsTrailer: (FieldLine, Span<UInt8>) -> Bool
    ) throws(HTTP1Error) -> Bool {
        guard case .untilClose = source else { return isComplete }
        isComplete = true
        if !section.isEmpty {
            let trailers = trailers ?? Trailers()
            let kept = try Self.read(section.span, trailers, limits, keepsTrailer)
            endWith(kept?.lines ?? [], trailers, &buffer)
        } else if isChunkedOut {
            buffer.append(ChunkedEncoder.end)
            ready += ChunkedEncoder.end.utf8CodeUnitCount
        }
        return true
    }

    /// Whether trailer fields follow what is ready, where the message does not leave chunked.
    var hasTrailerLines: Bool {
        guard let trailers else { return false }
        return !trailers.lines.isEmpty
    }

    /// The lines of trailer fields that go on, where the message does not leave chunked.
    var trailerLines: [UInt8] { trailers?.lines ?? [] }

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

    /// Octets of content that are still to come, as long as they leave as they come; 0 where that is not known.
    var plainBytesLeft: Int {
        if case .length(let left) = source { left } else { 0 }
    }

    /// Octets of content went by without passing through the buffer.
    ///
    /// - Parameter octetCount: At most `plainBytesLeft`.
    mutating func passed(_ octetCount: Int) {
        guard case .length(let left) = source else { return }
        precondition(octetCount <= left, "passed \(octetCount) of \(left)")
        source = .length(left - octetCount)
        isComplete = left == octetCount
        contentBytes += UInt64(octetCount)
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
                // Most messages have no trailer fields.
                let isEmpty = buffer.withReadable { octets in
                    octets.count >= index + 2 && octets[index] == 0x0D && octets[index + 1] == 0x0A
                }
                guard isEmpty else {
                    seesMore = false
                    continue
                }
                decoder.finishTrailers()
                index += 2
                isComplete = true
                seesMore = false
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

    /// Reads the trailer section behind what is ready and, when it is whole, puts in its place what goes on of it.
    private mutating func relayTrailers(
        _ buffer: inout Buffer,
        _ limits: HTTP1Limits,
        _ keeps: (FieldLine, Span<UInt8>) -> Bool
    ) throws(HTTP1Error) {
        let start = ready
        let trailers = trailers ?? Trailers()
        let kept = try buffer.withReadable { octets throws(HTTP1Error) in
            try Self.read(octets.extracting(start...), trailers, limits, keeps)
        }
        guard let kept else {
            self.trailers = trailers
            return
        }
        isComplete = true
        buffer.remove(start..<start + kept.sectionBytes)
        endWith(kept.lines, trailers, &buffer)
    }

    /// Reads a trailer section.
    ///
    /// - Returns: The lines that go on, and the section's length; `nil` while it is not whole.
    private static func read(
        _ section: Span<UInt8>,
        _ trailers: Trailers,
        _ limits: HTTP1Limits,
        _ keeps: (FieldLine, Span<UInt8>) -> Bool
    ) throws(HTTP1Error) -> (lines: [UInt8], sectionBytes: Int)? {
        guard let length = try trailers.section.decode(section, limits: limits) else { return nil }
        var kept: [UInt8] = []
        let lines = trailers.section.fields.lines
        for index in 0..<lines.count {
            let line = lines[index]
            guard !line.isHopByHop, keeps(line, section) else { continue }
            let next = index + 1 < lines.count ? Int(lines[index + 1].nameOffset) : length - 2
            kept.append(copying: section.extracting(Int(line.nameOffset)..<next))
        }
        return (kept, length)
    }

    /// Ends the message with a trailer section; what does not leave chunked keeps the lines for whoever marks its end.
    private mutating func endWith(_ lines: [UInt8], _ trailers: Trailers, _ buffer: inout Buffer) {
        guard isChunkedOut else {
            trailers.lines = lines
            self.trailers = trailers
            return
        }
        let end: [UInt8] = [0x30, 0x0D, 0x0A] + lines + [0x0D, 0x0A]
        let fits = buffer.insert(end.span, at: ready)
        precondition(fits, "no room for the trailer section")
        ready += end.count
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
