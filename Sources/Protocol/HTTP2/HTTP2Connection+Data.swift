import Bytes

// DATA and the windows of what is received (RFC 9113 §5.2, §6.1, §6.9), and how streams end.
extension HTTP2Connection {
    /// Judges DATA by its header and takes its length off the windows.
    mutating func beginData() throws(HTTP2Error) -> Event? {
        try requireStream(true)
        guard !isIdle(frame.stream) else { throw .streamIdle }
        let isPadded = frame.has(FrameFlags.padded)
        guard !isPadded || frame.length > 0 else { throw .frameLengthInvalid }
        guard frame.length <= receiveWindow else { throw .windowExceeded }
        receiveWindow -= frame.length
        guard let slot = findLive(frame.stream) else { return try refuseData() }
        let error: StreamError? =
            if !streams.slots[slot].canReceive {
                .halfClosed
            } else if streams.slots[slot].receiving == .head {
                .dataBeforeHead
            } else if frame.length > streams.slots[slot].receiveWindow {
                .windowExceeded
            } else {
                nil
            }
        if let error {
            giveBack(frame.length)
            reading = .skip(left: frame.length)
            return try fail(frame.stream, error)
        }
        streams.slots[slot].receiveWindow -= frame.length
        streams.slots[slot].held += frame.length
        if isPadded {
            reading = .padLength
            return nil
        }
        return try beginContent(padding: 0, padLengthBytes: 0)
    }

    /// DATA for a stream that is not there.
    ///
    /// Its octets are passed over and given back at once.
    private mutating func refuseData() throws(HTTP2Error) -> Event? {
        if streams.find(frame.stream) != nil { throw .streamEnded }
        let fate = closed.fate(of: frame.stream)
        guard fate == .reset || fate == .forgotten else { throw .streamEnded }
        if frame.length == 0 { try spend(.emptyData) }
        // §5.1: what was under way is ignored, and no more than the streams' windows admitted can be.
        discardable -= frame.length
        guard discardable >= 0 else { throw .windowExceeded }
        giveBack(frame.length)
        reading = .skip(left: frame.length)
        return fate == .forgotten ? try fail(frame.stream, .forgotten) : nil
    }

    /// Knows how much of the frame is content and how much padding.
    ///
    /// - Parameters:
    ///   - padding: Octets of padding.
    ///   - padLengthBytes: 1 when the frame told the number, else 0.
    /// - Returns: The event of a frame without content.
    /// - Throws: `paddingInvalid`, or a budget that is used up.
    mutating func beginContent(
        padding: Int,
        padLengthBytes: Int
    ) throws(HTTP2Error) -> Event? {
        let left = frame.length - padLengthBytes - padding
        guard left >= 0 else { throw .paddingInvalid }
        self.padding = padding
        let endsStream = frame.has(FrameFlags.endStream)
        if left == 0, !endsStream { try spend(.emptyData) }
        // The caller may have reset the stream while the octet with the padding's length was under way.
        guard let slot = streams.find(frame.stream), streams.slots[slot].canReceive else {
            reading = .skip(left: left + padding)
            return nil
        }
        let announced = streams.slots[slot].contentLeft
        if announced >= 0 {
            guard endsStream ? left == announced : left <= announced else {
                reading = .skip(left: left + padding)
                return try fail(frame.stream, .contentLengthMismatch)
            }
            streams.slots[slot].contentLeft = announced - left
        }
        guard left == 0 else {
            reading = .content(left: left)
            return nil
        }
        reading = .header
        return frame.length > 0 || endsStream ? content(0..<0, left: 0) : nil
    }

    /// Hands out a piece of content; the last one of the frame carries what is left of its flow.
    ///
    /// - Parameters:
    ///   - range: Where the piece lies in the octets received.
    ///   - left: Content of the frame behind it.
    /// - Returns: The event, or `nil` when the caller has reset the stream since the frame began.
    mutating func content(_ range: Range<Int>, left: Int) -> Event? {
        let isLast = left == 0
        reading = isLast ? .skip(left: padding) : .content(left: left)
        guard let slot = streams.find(frame.stream), streams.slots[slot].canReceive else {
            return nil
        }
        let endsStream = isLast && frame.has(FrameFlags.endStream)
        let padLengthBytes = frame.has(FrameFlags.padded) ? 1 : 0
        if endsStream { endRemote(slot) }
        return .data(
            stream: frame.stream,
            range: range,
            endStream: endsStream,
            flowBytes: range.count + (isLast ? padding + padLengthBytes : 0)
        )
    }

    // MARK: Giving back

    /// Gives octets of content back to the peer's windows, once they have gone on or are not wanted.
    ///
    /// WINDOW_UPDATE is written when half of a window is to be given back. Octets of a stream that was
    /// reset were given back with it.
    ///
    /// - Parameters:
    ///   - stream: The stream; nothing happens when it is gone.
    ///   - flowBytes: Octets, as the events counted them.
    package mutating func consumed(_ stream: UInt32, flowBytes: Int) {
        guard let slot = streams.find(stream) else { return }
        precondition(
            flowBytes >= 0 && flowBytes <= streams.slots[slot].held,
            "\(flowBytes) of \(streams.slots[slot].held) octets given back"
        )
        streams.slots[slot].held -= flowBytes
        giveBack(flowBytes)
        if streams.slots[slot].state == .closed {
            if streams.slots[slot].held == 0 { streams.remove(at: slot) }
            return
        }
        guard streams.slots[slot].canReceive, !isFailed else { return }
        let returned = streams.slots[slot].unreturned + flowBytes
        streams.slots[slot].unreturned = returned
        guard returned > 0, returned >= limits.streamWindowBytes / 2 else { return }
        streams.slots[slot].unreturned = 0
        streams.slots[slot].receiveWindow += returned
        writeWindowUpdate(stream, increment: returned)
    }

    /// Gives octets back to the connection's window.
    mutating func giveBack(_ flowBytes: Int) {
        unreturned += flowBytes
        guard unreturned >= limits.connectionWindowBytes / 2, !isFailed else { return }
        receiveWindow += unreturned
        writeWindowUpdate(0, increment: unreturned)
        unreturned = 0
    }

    // MARK: Ends of streams

    /// The peer has ended its side.
    mutating func endRemote(_ slot: Int) {
        if streams.slots[slot].state == .open {
            streams.slots[slot].state = .halfClosedRemote
        } else {
            close(slot)
        }
    }

    /// We have ended our side.
    mutating func endLocal(_ slot: Int) {
        if streams.slots[slot].state == .open {
            streams.slots[slot].state = .halfClosedLocal
        } else {
            close(slot)
        }
    }

    private mutating func close(_ slot: Int) {
        activeCount -= 1
        closed.rememberEnded(streams.slots[slot].id)
        streams.slots[slot].state = .closed
        if streams.slots[slot].held == 0 { streams.remove(at: slot) }
    }

    /// Forgets a stream and gives back what is held of it.
    mutating func drop(_ slot: Int) {
        let stream = streams.slots[slot]
        if stream.state != .closed { activeCount -= 1 }
        // As many windows as streams were opened, of 31 bits each: no overflow.
        if stream.canReceive { discardable += max(0, stream.receiveWindow) }
        streams.remove(at: slot)
        giveBack(stream.held)
    }

    /// Resets a stream for a violation of the peer's (§5.4.2).
    mutating func fail(_ stream: UInt32, _ error: StreamError) throws(HTTP2Error) -> Event {
        try spend(.provokedResets)
        try countAnswer(payloadBytes: 4)
        writeReset(stream, error.code)
        if let slot = streams.find(stream) {
            drop(slot)
        } else {
            discardable += newStream(stream, .open).receiveWindow
        }
        closed.rememberReset(stream)
        return .reset(stream: stream, code: error.code, cause: .violation(error))
    }
}
