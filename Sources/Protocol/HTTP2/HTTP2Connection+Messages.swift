import Bytes

// HEADERS and CONTINUATION (RFC 9113 §6.2, §6.10, §8.1).
extension HTTP2Connection {
    /// Refuses a field block that grows too long before more of it is kept.
    func admitBlock() throws(HTTP2Error) {
        guard frame.length <= limits.fieldBlockBytesMax - block.count else {
            throw .fieldBlockTooLarge
        }
    }

    mutating func takeHeaders(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        var start = 0
        var paddingBytes = 0
        if frame.has(FrameFlags.padded) {
            guard payload.count >= 1 else { throw .frameLengthInvalid }
            paddingBytes = Int(payload[0])
            start = 1
        }
        section = Section(stream: frame.stream, endsStream: frame.has(FrameFlags.endStream))
        if frame.has(FrameFlags.priority) {
            guard payload.count >= start + 5 else { throw .frameLengthInvalid }
            let dependency = payload.bigEndian32(at: start) & FrameHeader.streamMask
            section.dependsOnItself = dependency == frame.stream
            start += 5
        }
        guard paddingBytes <= payload.count - start else { throw .paddingInvalid }
        return try takeFragment(payload.extracting(start..<payload.count - paddingBytes))
    }

    mutating func takeContinuation(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        try takeFragment(payload)
    }

    /// Decodes the block in place when it is in one frame, else joins it first.
    private mutating func takeFragment(_ fragment: Span<UInt8>) throws(HTTP2Error) -> Event? {
        guard frame.has(FrameFlags.endHeaders) else {
            block.append(copying: fragment)
            return nil
        }
        if block.isEmpty { return try takeSection(fragment) }
        block.append(copying: fragment)
        var joined: [UInt8] = []
        swap(&joined, &block)
        let event = try takeSection(joined.span)
        joined.removeAll(keepingCapacity: joined.capacity <= HTTP2Limits.scratchBytesKept)
        block = joined
        return event
    }

    /// Takes a complete field section: it is decoded whatever becomes of its stream, as the tables of
    /// both ends must stay the same (§4.3).
    private mutating func takeSection(_ block: Span<UInt8>) throws(HTTP2Error) -> Event? {
        let current = section
        section = Section()
        let place = try placeSection(current.stream)
        do throws(HPACKError) {
            try decoder.decode(
                block,
                into: &fields,
                limits: FieldBlockLimits(
                    fieldSectionBytesMax: limits.fieldSectionBytesMax,
                    fieldLinesMax: limits.fieldLinesMax
                )
            )
        } catch {
            throw .compressionInvalid
        }
        // It is answered and not reset, and costs as much.
        if case .opening = place, fields.isOversized { try spend(.provokedResets) }
        do throws(StreamError) {
            switch place {
            case .ignored:
                return nil
            case .opening:
                lastPeerStream = current.stream
                if current.dependsOnItself { throw .selfDependency }
                return try openPeerStream(current)
            case .known(let slot):
                if current.dependsOnItself { throw .selfDependency }
                return try continueStream(at: slot, current)
            }
        } catch {
            return try fail(current.stream, error)
        }
    }

    /// Where a field section belongs.
    private enum Place {
        /// To a stream that was reset: frames were under way.
        case ignored
        /// To a stream that it opens.
        case opening
        /// To a stream of the table.
        case known(Int)
    }

    /// §5.1, §5.1.1: finds the stream of a field section, or the error that it is.
    private mutating func placeSection(_ id: UInt32) throws(HTTP2Error) -> Place {
        if let slot = streams.find(id) {
            switch streams.slots[slot].state {
            case .idle: throw .streamIdle
            case .closed: throw .streamEnded
            default: return .known(slot)
            }
        }
        if isIdle(id) {
            guard role == .server, id & 1 == 1 else { throw .streamIdentifierInvalid }
            return .opening
        }
        switch closed.fate(of: id) {
        case .reset, .forgotten:
            try spend(.glitches)
            return .ignored
        case .ended: throw .streamEnded
        case .unknown: throw .streamIdentifierInvalid
        }
    }

    /// A request (server).
    private mutating func openPeerStream(_ current: Section) throws(StreamError) -> Event? {
        let id = current.stream
        guard id <= lastStreamSent else { throw .goingAway }
        guard activeCount < limits.streamsMax else { throw .streamsTooMany }
        let verdict: MessageRules.Verdict
        if fields.isOversized {
            // Lines are missing, so it cannot be judged; what was read is malformed or not.
            guard fields.malformation == nil else { throw .malformedFields }
            verdict = MessageRules.Verdict()
        } else {
            verdict = try MessageRules.judge(
                request: fields,
                allowsExtendedConnect: limits.allowsExtendedConnect,
                endsStream: current.endsStream
            )
        }
        var stream = newStream(id, current.endsStream ? .halfClosedRemote : .open)
        stream.receiving = .content
        stream.contentLeft = verdict.contentLength
        stream.priority = takeIdlePriority(id)
        streams.insert(stream)
        activeCount += 1
        return fields.isOversized
            ? .headersOversized(stream: id, endStream: current.endsStream)
            : .headers(stream: id, endStream: current.endsStream)
    }

    /// A response, or the trailers of either.
    private mutating func continueStream(
        at slot: Int,
        _ current: Section
    ) throws(StreamError) -> Event? {
        guard streams.slots[slot].canReceive else { throw .halfClosed }
        if streams.slots[slot].receiving == .content {
            guard current.endsStream else { throw .trailersWithoutEnd }
            try MessageRules.judge(trailers: fields)
            guard streams.slots[slot].contentLeft <= 0 else { throw .contentLengthMismatch }
            endRemote(slot)
            return .trailers(stream: current.stream)
        }
        let verdict = try MessageRules.judge(
            response: fields,
            answers: streams.slots[slot].answers,
            endsStream: current.endsStream
        )
        if verdict.status < 200 {
            streams.slots[slot].interimCount += 1
            guard streams.slots[slot].interimCount <= HTTP2Limits.interimResponsesMax else {
                throw .interimsTooMany
            }
            return .interim(stream: current.stream)
        }
        streams.slots[slot].receiving = .content
        streams.slots[slot].contentLeft = verdict.contentLength
        if current.endsStream { endRemote(slot) }
        return .headers(stream: current.stream, endStream: current.endsStream)
    }

    /// A stream with full windows.
    func newStream(_ id: UInt32, _ state: Stream.State) -> Stream {
        let window = limits.streamWindowBytes
        return Stream(
            id: id,
            state: state,
            sendWindow: peerSettings.initialWindowBytes,
            receiveWindow: isSettingsAcknowledged
                ? window : max(window, HTTP2Settings.windowBytesDefault)
        )
    }
}
