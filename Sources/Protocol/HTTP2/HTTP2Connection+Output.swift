import Bytes
package import HTTPSemantics

// What is sent: everything is appended to `output`, in order.
extension HTTP2Connection {
    /// Exchanges `output` for an empty buffer, whose memory is used from then on.
    ///
    /// What was answered to the peer counts as sent: take it only while the transport's own queue is
    /// short, so that a peer that does not read cannot make us answer without end.
    ///
    /// - Parameter spare: Gets the octets to send; what it holds is dropped and its memory kept.
    package mutating func takeOutput(into spare: inout [UInt8]) {
        spare.removeAll(keepingCapacity: true)
        swap(&spare, &output)
        answerBytes = 0
    }

    /// Takes `output`.
    package mutating func takeOutput() -> [UInt8] {
        var taken: [UInt8] = []
        takeOutput(into: &taken)
        return taken
    }

    // MARK: Streams

    /// How many more streams may be opened now; 0 after GOAWAY of either side.
    package var openableCount: Int {
        guard role == .client, !isPeerGoingAway, !isFailed,
            !isGoingAway, nextOwnStream <= FrameHeader.streamMask
        else { return 0 }
        let allowed =
            if let told = peerSettings.concurrentStreamsMax {
                Int(told)
            } else {
                hasPeerSettings ? Int.max : HTTP2Limits.streamsBeforeSettingsMax
            }
        return max(0, min(allowed, limits.streamsMax) - activeCount)
    }

    /// Opens a stream (client); `encodeHeaders` for it must come before another is opened.
    ///
    /// - Parameter method: The request's method, on which the end of the response depends.
    /// - Returns: The stream, or `nil` when `openableCount` is 0.
    package mutating func openStream(_ method: Method) -> UInt32? {
        precondition(unsentStream == 0, "stream \(unsentStream) has no HEADERS yet")
        guard openableCount > 0 else { return nil }
        let id = nextOwnStream
        nextOwnStream += 2
        unsentStream = id
        var stream = newStream(id, .idle)
        stream.answers =
            switch method {
            case .head: .head
            case .connect: .connect
            default: .other
            }
        streams.insert(stream)
        activeCount += 1
        return id
    }

    /// The priority of a stream; the default once it is gone.
    package func priority(_ stream: UInt32) -> Priority {
        streams.find(stream).map { streams.slots[$0].priority } ?? Priority()
    }

    /// Sets the priority that a request's Priority field asks for.
    ///
    /// A PRIORITY_UPDATE that came before the request counts for more (RFC 9218 §7.1): nothing is changed
    /// then, or when the stream is gone.
    package mutating func setPriority(_ stream: UInt32, _ priority: Priority) {
        guard let slot = streams.find(stream), streams.slots[slot].priority == Priority() else {
            return
        }
        streams.slots[slot].priority = priority
    }

    // MARK: Field sections

    /// Writes a field section as HEADERS and CONTINUATION frames: a head, an interim response, trailers.
    ///
    /// - Parameters:
    ///   - stream: The stream.
    ///   - endStream: Whether nothing follows on our side.
    ///   - append: Appends the fields, pseudo-header fields first, with the encoder to the octets.
    /// - Returns: False, with nothing written, when the stream is gone or our side of it has ended.
    /// - Complexity: O(octets); moves the octets only when the section needs more than one frame.
    @discardableResult
    package mutating func encodeHeaders(
        _ stream: UInt32,
        endStream: Bool,
        _ append: (inout HPACKEncoder, inout [UInt8]) -> Void
    ) -> Bool {
        guard let slot = streams.find(stream), !isFailed else { return false }
        if streams.slots[slot].state == .idle {
            streams.slots[slot].state = .open
            unsentStream = 0
        }
        guard streams.slots[slot].canSend else { return false }
        let start = output.count
        output.appendFrameHeader(.headers, stream: stream, length: 0)
        encoder.begin(&output)
        append(&encoder, &output)
        finishBlock(from: start, stream, endStream: endStream)
        if endStream { endLocal(slot) }
        return true
    }

    /// Writes the lengths of the frames that a block needs.
    private mutating func finishBlock(from start: Int, _ stream: UInt32, endStream: Bool) {
        let first = start + FrameHeader.bytes
        let length = output.count - first
        let bytesMax = peerSettings.frameBytesMax
        let flags = endStream ? FrameFlags.endStream : 0
        var overflow: [UInt8] = []
        if length > bytesMax {
            overflow.append(copying: output.span.extracting(first + bytesMax..<output.count))
            output.removeSubrange((first + bytesMax)...)
        }
        let firstLength = min(length, bytesMax)
        output[start] = UInt8(truncatingIfNeeded: firstLength >> 16)
        output[start + 1] = UInt8(truncatingIfNeeded: firstLength >> 8)
        output[start + 2] = UInt8(truncatingIfNeeded: firstLength)
        output[start + 4] = overflow.isEmpty ? flags | FrameFlags.endHeaders : flags
        var index = 0
        while index < overflow.count {
            let end = min(index + bytesMax, overflow.count)
            output.appendFrameHeader(
                .continuation,
                flags: end == overflow.count ? FrameFlags.endHeaders : 0,
                stream: stream,
                length: end - index
            )
            output.append(copying: overflow.span.extracting(index..<end))
            index = end
        }
    }

    // MARK: Content

    /// How many octets of content one DATA frame of a stream may carry now.
    ///
    /// - Parameter stream: The stream.
    /// - Returns: 0 also when the stream is gone or our side of it has ended.
    package func dataAllowance(_ stream: UInt32) -> Int {
        guard let slot = streams.find(stream), streams.slots[slot].canSend else { return 0 }
        let window = min(sendWindow, streams.slots[slot].sendWindow)
        return max(0, min(window, peerSettings.frameBytesMax))
    }

    /// Writes the header of a DATA frame; append its content to `output` at once.
    ///
    /// - Parameters:
    ///   - stream: The stream.
    ///   - count: Octets of content; not above `dataAllowance`, which is checked.
    ///   - endStream: Whether nothing follows on our side.
    /// - Returns: False, with nothing written, when the stream is gone or our side of it has ended.
    @discardableResult
    package mutating func writeDataHeader(
        _ stream: UInt32,
        count: Int,
        endStream: Bool
    ) -> Bool {
        guard let slot = streams.find(stream), streams.slots[slot].canSend, !isFailed else {
            return false
        }
        let allowance = dataAllowance(stream)
        precondition(count >= 0 && count <= allowance, "\(count) octets, \(allowance) allowed")
        sendWindow -= count
        streams.slots[slot].sendWindow -= count
        sentBytesCredit = min(sentBytesCredit + count, HTTP2Limits.sentBytesCreditMax)
        output.appendFrameHeader(
            .data,
            flags: endStream ? FrameFlags.endStream : 0,
            stream: stream,
            length: count
        )
        if endStream { endLocal(slot) }
        return true
    }

    /// Writes a DATA frame with its content.
    ///
    /// - Parameters:
    ///   - stream: The stream.
    ///   - content: Not longer than `dataAllowance`.
    ///   - endStream: Whether nothing follows on our side.
    /// - Returns: As `writeDataHeader`.
    @discardableResult
    package mutating func writeData(
        _ stream: UInt32,
        _ content: Span<UInt8>,
        endStream: Bool
    ) -> Bool {
        guard writeDataHeader(stream, count: content.count, endStream: endStream) else {
            return false
        }
        output.append(copying: content)
        return true
    }

    // MARK: Ends

    /// Gives a stream up: RST_STREAM, unless it has ended or was never announced, and what is held of its
    /// content is given back.
    ///
    /// Call it also for a stream that has ended and of which not all content is wanted.
    package mutating func reset(_ stream: UInt32, _ code: ErrorCode) {
        guard let slot = streams.find(stream) else { return }
        let state = streams.slots[slot].state
        drop(slot)
        switch state {
        case .idle: unsentStream = 0
        case .closed: break
        case .open, .halfClosedLocal, .halfClosedRemote:
            closed.rememberReset(stream)
            budgets.give(HTTP2Limits.glitchesPerReset, of: .glitches)
            budgets.give(1, of: .peerResets)
            if !isFailed { writeReset(stream, code) }
        }
    }

    /// Says that the connection will end, and takes what is under way (RFC 9113 §6.8).
    ///
    /// Call `goAway` about a round trip later; `ping` tells when.
    package mutating func announceGoAway() {
        guard !isGoingAway, !isFailed else { return }
        writeGoAway(lastStream: FrameHeader.streamMask, .noError)
    }

    /// Takes no more streams; close when `activeCount` is 0.
    package mutating func goAway(_ code: ErrorCode) {
        guard !isFailed else { return }
        writeGoAway(lastStream: min(lastPeerStream, lastStreamSent), code)
    }

    /// Sends a PING, whose answer is `pingAcknowledged`.
    ///
    /// - Returns: False, with nothing written, while another one is not answered.
    package mutating func ping(payload: UInt64) -> Bool {
        guard pingPayload == nil, !isFailed else { return false }
        pingPayload = payload
        output.appendFrameHeader(.ping, stream: 0, length: 8)
        output.append(bigEndian: payload)
        return true
    }

    // MARK: Frames

    /// Counts an answer that the peer makes us give.
    mutating func countAnswer(payloadBytes: Int) throws(HTTP2Error) {
        answerBytes += FrameHeader.bytes + payloadBytes
        guard answerBytes <= HTTP2Limits.answerBytesMax else { throw .answersNotRead }
    }

    mutating func writeReset(_ stream: UInt32, _ code: ErrorCode) {
        output.appendFrameHeader(.resetStream, stream: stream, length: 4)
        output.append(bigEndian: code.rawValue)
    }

    mutating func writeWindowUpdate(_ stream: UInt32, increment: Int) {
        output.appendFrameHeader(.windowUpdate, stream: stream, length: 4)
        output.append(bigEndian: UInt32(increment))
    }

    mutating func writeGoAway(lastStream: UInt32, _ code: ErrorCode) {
        isGoingAway = true
        lastStreamSent = lastStream
        output.appendFrameHeader(.goAway, stream: 0, length: 8)
        output.append(bigEndian: lastStream)
        output.append(bigEndian: code.rawValue)
    }

    /// What is sent first (§3.4).
    mutating func writePreface() {
        if role == .client {
            output.append(bigEndian: ConnectionPreface.words.0)
            output.append(bigEndian: ConnectionPreface.words.1)
            output.append(bigEndian: ConnectionPreface.words.2)
        }
        var entries: [(HTTP2Settings.Name, Int)] = []
        if role == .client {
            entries.append((.enablePush, 0))
        } else {
            entries.append((.maxConcurrentStreams, limits.streamsMax))
            entries.append((.noRFC7540Priorities, 1))
            if limits.allowsExtendedConnect { entries.append((.enableConnectProtocol, 1)) }
        }
        entries.append((.initialWindowSize, limits.streamWindowBytes))
        entries.append((.maxHeaderListSize, limits.fieldSectionBytesMax))
        if limits.frameBytesMax != HTTP2Settings.frameBytesMaxDefault {
            entries.append((.maxFrameSize, limits.frameBytesMax))
        }
        output.appendFrameHeader(.settings, stream: 0, length: 6 * entries.count)
        for (name, value) in entries {
            output.append(bigEndian: name.rawValue)
            output.append(bigEndian: UInt32(clamping: value))
        }
        let surplus = limits.connectionWindowBytes - HTTP2Settings.windowBytesDefault
        if surplus > 0 { writeWindowUpdate(0, increment: surplus) }
    }
}
