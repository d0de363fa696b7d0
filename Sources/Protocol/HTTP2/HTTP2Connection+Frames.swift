import Bytes

// What each frame means (RFC 9113 §6), but for HEADERS, CONTINUATION and DATA.
extension HTTP2Connection {
    /// Judges a frame by its header, before any of its payload is looked at or kept.
    mutating func beginFrame() throws(HTTP2Error) -> Event? {
        guard frame.length <= limits.frameBytesMax else { throw .frameTooLarge }
        let type = FrameType(rawValue: frame.type)
        if !hasPeerSettings {
            // §3.4: SETTINGS are the peer's preface, or follow it at once.
            guard type == .settings, !frame.has(FrameFlags.acknowledgement) else {
                throw .settingsMissing
            }
        }
        if section.stream != 0 {
            guard type == .continuation, frame.stream == section.stream else {
                throw .continuationExpected
            }
        }
        reading = .payload
        switch type {
        case .data: return try beginData()
        case .headers:
            try requireStream(true)
            try admitBlock()
        case .continuation:
            guard section.stream != 0 else { throw .continuationUnexpected }
            section.continuationCount += 1
            guard section.continuationCount <= HTTP2Limits.continuationsMax else {
                throw .continuationsTooMany
            }
            try admitBlock()
        case .priority:
            try requireStream(true)
            try spend(.priorities)
            if frame.length != 5 { return try refusePriority() }
        case .resetStream:
            try requireStream(true)
            guard frame.length == 4 else { throw .frameLengthInvalid }
            guard !isIdle(frame.stream) else { throw .streamIdle }
        case .settings:
            try requireStream(false)
            let isAcknowledgement = frame.has(FrameFlags.acknowledgement)
            guard frame.length % 6 == 0, !isAcknowledgement || frame.length == 0 else {
                throw .frameLengthInvalid
            }
            guard frame.length / 6 <= HTTP2Limits.settingsEntriesMax else {
                throw .settingsTooMany
            }
        case .pushPromise: throw .pushPromiseUnexpected
        case .ping:
            try requireStream(false)
            guard frame.length == 8 else { throw .frameLengthInvalid }
        case .goAway:
            try requireStream(false)
            guard frame.length >= 8 else { throw .frameLengthInvalid }
        case .windowUpdate:
            guard frame.length == 4 else { throw .frameLengthInvalid }
            guard frame.stream == 0 || !isIdle(frame.stream) else { throw .streamIdle }
        case .priorityUpdate:
            guard role == .server else { throw .priorityUpdateUnexpected }
            try requireStream(false)
            guard frame.length >= 4 else { throw .frameLengthInvalid }
        case nil:
            // §4.1, §5.5: unknown types are passed over.
            try spend(.priorities)
            reading = .skip(left: frame.length)
        }
        return nil
    }

    /// Takes a frame whose payload is complete.
    mutating func takeFrame(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        switch FrameType(rawValue: frame.type) {
        case .headers: try takeHeaders(payload)
        case .continuation: try takeContinuation(payload)
        case .priority: try takePriority(payload)
        case .resetStream: try takeReset(payload)
        case .settings: try takeSettings(payload)
        case .ping: try takePing(payload)
        case .goAway: try takeGoAway(payload)
        case .windowUpdate: try takeWindowUpdate(payload)
        case .priorityUpdate: try takePriorityUpdate(payload)
        case .data, .pushPromise, nil: nil
        }
    }

    func requireStream(_ isRequired: Bool) throws(HTTP2Error) {
        guard isRequired == (frame.stream != 0) else {
            throw isRequired ? .streamRequired : .streamForbidden
        }
    }

    // MARK: PRIORITY

    /// §6.3: a length that is wrong is an error of the stream, where there is one to reset.
    private mutating func refusePriority() throws(HTTP2Error) -> Event? {
        guard findLive(frame.stream) != nil else { throw .frameLengthInvalid }
        reading = .skip(left: frame.length)
        return try fail(frame.stream, .priorityLengthInvalid)
    }

    /// §5.3.2: read for its form only; RFC 9218 has the priorities that count.
    private mutating func takePriority(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        let dependency = payload.bigEndian32(at: 0) & FrameHeader.streamMask
        guard dependency == frame.stream else { return nil }
        if isIdle(frame.stream) { throw .selfDependency }
        guard findLive(frame.stream) != nil else { return nil }
        return try fail(frame.stream, .selfDependency)
    }

    /// RFC 9218 §7.1.
    private mutating func takePriorityUpdate(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        try spend(.priorities)
        let stream = payload.bigEndian32(at: 0) & FrameHeader.streamMask
        guard stream != 0 else { throw .streamRequired }
        let priority = Priority(payload, 4..<payload.count)
        if let slot = streams.find(stream) {
            guard streams.slots[slot].priority != priority else { return nil }
            streams.slots[slot].priority = priority
            return .priorityUpdate(stream: stream, priority)
        }
        guard stream & 1 == 1 else { throw .streamIdentifierInvalid }
        if isIdle(stream) {
            idlePriorities.removeAll { $0.stream == stream }
            if idlePriorities.count == HTTP2Limits.idlePrioritiesMax {
                idlePriorities.removeFirst()
            }
            idlePriorities.append(IdlePriority(stream: stream, priority: priority))
        }
        return nil
    }

    /// The priority that was asked for before the stream was opened; the default without.
    mutating func takeIdlePriority(_ stream: UInt32) -> Priority {
        guard !idlePriorities.isEmpty else { return Priority() }
        let found = idlePriorities.first { $0.stream == stream }
        // Streams below the new one will never be opened.
        idlePriorities.removeAll { $0.stream <= stream }
        return found?.priority ?? Priority()
    }

    // MARK: RST_STREAM, GOAWAY, PING

    private mutating func takeReset(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        // Resets cost whoever opens streams: a server may reset all that we open.
        if role == .server { try spend(.peerResets) }
        let code = ErrorCode(rawValue: payload.bigEndian32(at: 0))
        guard let slot = findLive(frame.stream) else {
            if role == .client { try spend(.glitches) }
            return nil
        }
        drop(slot)
        closed.rememberEnded(frame.stream)
        return .reset(stream: frame.stream, code: code, cause: .peer)
    }

    private mutating func takeGoAway(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        try spend(.glitches)
        let lastStream = payload.bigEndian32(at: 0) & FrameHeader.streamMask
        let code = ErrorCode(rawValue: payload.bigEndian32(at: 4))
        guard lastStream <= lastStreamReceived else { throw .goAwayIncreased }
        lastStreamReceived = lastStream
        isPeerGoingAway = true
        if role == .client { dropStreams(above: lastStream) }
        return .goAway(lastStream: lastStream, code: code)
    }

    /// Forgets our streams that the peer has not taken and never will.
    private mutating func dropStreams(above lastStream: UInt32) {
        // From the highest slot down to the next one that matches, anew after each removal, which moves
        // others: the number of streams is bounded and GOAWAY rare.
        while let slot = streams.slots.firstIndex(where: { $0.id > lastStream }) {
            let id = streams.slots[slot].id
            drop(slot)
            closed.rememberReset(id)
            if unsentStream == id { unsentStream = 0 }
        }
    }

    private mutating func takePing(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        let number = UInt64(payload.bigEndian32(at: 0)) << 32 | UInt64(payload.bigEndian32(at: 4))
        if frame.has(FrameFlags.acknowledgement) {
            guard pingPayload == number else {
                try spend(.glitches)
                return nil
            }
            pingPayload = nil
            return .pingAcknowledged(payload: number)
        }
        try spend(.pings)
        try countAnswer(payloadBytes: 8)
        output.appendFrameHeader(.ping, flags: FrameFlags.acknowledgement, stream: 0, length: 8)
        output.append(bigEndian: number)
        return nil
    }

    // MARK: SETTINGS

    private mutating func takeSettings(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        if frame.has(FrameFlags.acknowledgement) {
            guard !isSettingsAcknowledged else { throw .acknowledgementUnexpected }
            isSettingsAcknowledged = true
            lowerReceiveWindows()
            return nil
        }
        try spend(.settings)
        var settings = peerSettings
        var index = 0
        while index < payload.count {
            let identifier = UInt16(payload[index]) << 8 | UInt16(payload[index + 1])
            let value = payload.bigEndian32(at: index + 2)
            try settings.take(identifier, value, fromServer: role == .client)
            // RFC 7541 §4.2: the encoder has to tell of the smallest size on the way, so it sees each.
            if HTTP2Settings.Name(rawValue: identifier) == .headerTableSize {
                encoder.setTableBytesMax(Int(value))
            }
            index += 6
        }
        try changeSendWindows(by: settings.initialWindowBytes - peerSettings.initialWindowBytes)
        let isNews = settings != peerSettings || !hasPeerSettings
        peerSettings = settings
        hasPeerSettings = true
        try countAnswer(payloadBytes: 0)
        output.appendFrameHeader(
            .settings,
            flags: FrameFlags.acknowledgement,
            stream: 0,
            length: 0
        )
        return isNews ? .settingsChanged : nil
    }

    /// §6.9.2: a new INITIAL_WINDOW_SIZE moves the windows of all streams, perhaps below 0.
    private mutating func changeSendWindows(by change: Int) throws(HTTP2Error) {
        guard change != 0 else { return }
        for slot in streams.slots.indices where streams.slots[slot].id != 0 {
            let window = streams.slots[slot].sendWindow + change
            guard window <= HTTP2Settings.windowBytesMax else { throw .initialWindowOverflow }
            streams.slots[slot].sendWindow = window
        }
    }

    /// A stream's first window is not below the default before the peer knows of a smaller one.
    private mutating func lowerReceiveWindows() {
        let surplus = HTTP2Settings.windowBytesDefault - limits.streamWindowBytes
        guard surplus > 0 else { return }
        for slot in streams.slots.indices where streams.slots[slot].id != 0 {
            streams.slots[slot].receiveWindow -= surplus
        }
    }

    // MARK: WINDOW_UPDATE

    /// Takes one from what the octets that we sent allow for, or else from the budget.
    private mutating func spendWindowUpdate() throws(HTTP2Error) {
        if sentBytesCredit >= HTTP2Limits.sentBytesPerWindowUpdate {
            sentBytesCredit -= HTTP2Limits.sentBytesPerWindowUpdate
        } else {
            try spend(.windowUpdates)
        }
    }

    private mutating func takeWindowUpdate(_ payload: Span<UInt8>) throws(HTTP2Error) -> Event? {
        try spendWindowUpdate()
        let increment = Int(payload.bigEndian32(at: 0) & FrameHeader.streamMask)
        if frame.stream == 0 {
            guard increment > 0 else { throw .windowIncrementZero }
            let before = sendWindow
            guard before + increment <= HTTP2Settings.windowBytesMax else { throw .windowOverflow }
            sendWindow = before + increment
            return before <= 0 && sendWindow > 0 ? .windowOpened(stream: 0) : nil
        }
        guard let slot = findLive(frame.stream) else { return nil }
        guard increment > 0 else { return try fail(frame.stream, .windowIncrementZero) }
        let before = streams.slots[slot].sendWindow
        let after = before + increment
        guard after <= HTTP2Settings.windowBytesMax else {
            return try fail(frame.stream, .windowOverflow)
        }
        streams.slots[slot].sendWindow = after
        let isOpened = before <= 0 && after > 0 && streams.slots[slot].canSend
        return isOpened ? .windowOpened(stream: frame.stream) : nil
    }
}
