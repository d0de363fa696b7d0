import Bytes

/// One end of an HTTP/2 connection (RFC 9113): octets in, events and octets out.
///
/// The caller feeds received octets to `next` until it returns `nil`, does what the events say, and sends
/// `output` once it is done. Content is not copied: an event names its place in the octets.
///
///     server: preface --24 octets--> header
///     client:                        header --DATA, padded--> padLength --> content
///                                      |  ^ \--DATA--> content --> skip (padding) --> header
///                                      |  \--any other frame--> payload --> header
///                                      \--unknown type--> skip --> header
///     any --HTTP2Error--> failed: GOAWAY is in `output`, every call of `next` throws
///
/// Between HEADERS without END_HEADERS and the CONTINUATION that has it, only CONTINUATION is taken.
/// States of streams are drawn at `Stream`; the bounds are listed at `HTTP2Limits`.
///
/// A connection at rest (`releaseStorage`) holds less than 800 octets here, up to 1.2 KiB of identifiers of
/// closed streams, and the two tables of HPACK. A busy one holds 56 octets for each of at most four times as
/// many streams as are open, and up to `fieldBlockBytesMax` and one frame while a field section arrives in
/// pieces; content is never held.
package struct HTTP2Connection: ~Copyable {
    /// Which end this is.
    package enum Role: Sendable {
        /// The downstream side: clients open streams.
        case server
        /// The upstream side: we open streams.
        case client
    }

    /// Why a stream was reset.
    package enum ResetCause: Equatable, Sendable {
        /// The peer sent RST_STREAM.
        case peer
        /// The peer broke a rule; RST_STREAM is in `output`.
        case violation(StreamError)
    }

    /// What the peer did.
    package enum Event: Equatable, Sendable {
        /// A request or a final response; it is in `fields` until the next call.
        case headers(stream: UInt32, endStream: Bool)
        /// A request whose field section is above the limits: answer with 431; `fields` is not to be used.
        case headersOversized(stream: UInt32, endStream: Bool)
        /// An interim response (1xx); it is in `fields`.
        case interim(stream: UInt32)
        /// A trailer section, which ends the peer's side; it is in `fields`.
        case trailers(stream: UInt32)
        /// Content, at `range` of the octets, perhaps empty.
        ///
        /// Give `flowBytes` back with `consumed` when the content has gone.
        case data(stream: UInt32, range: Range<Int>, endStream: Bool, flowBytes: Int)
        /// The stream is gone, with what was held of its content; ignore streams that are not known.
        case reset(stream: UInt32, code: ErrorCode, cause: ResetCause)
        /// A window that was empty is not any more; 0 is the connection's.
        case windowOpened(stream: UInt32)
        /// `peerSettings` changed: windows of all streams may have opened, and more streams be allowed.
        case settingsChanged
        /// The peer takes no more streams; those of ours above `lastStream` are gone and may be sent again.
        case goAway(lastStream: UInt32, code: ErrorCode)
        /// The answer to `ping`.
        case pingAcknowledged(payload: UInt64)
        /// A client asks for another priority; the stream's is already changed.
        case priorityUpdate(stream: UInt32, Priority)
    }

    /// Which end this is.
    package let role: Role
    /// The bounds.
    package let limits: HTTP2Limits
    /// The field section of the last event that has one.
    package internal(set) var fields = FieldBlock()
    /// What the peer allows.
    package internal(set) var peerSettings = HTTP2Settings()
    /// Whether the peer's SETTINGS have come.
    package internal(set) var hasPeerSettings = false
    /// Whether our SETTINGS are acknowledged; end the connection with SETTINGS_TIMEOUT if they never are.
    package internal(set) var isSettingsAcknowledged = false
    /// Whether the peer sent GOAWAY.
    package internal(set) var isPeerGoingAway = false
    /// Octets to send, in order; take them with `takeOutput`.
    package var output: [UInt8] = []
    /// Streams that are open or half-closed.
    package internal(set) var activeCount = 0

    // Reading.
    var reading: Reading
    var frame = FrameHeader(bits: 0)
    var headerBits: UInt128 = 0
    var headerCount = 0
    var collected: [UInt8] = []
    var padding = 0
    var now: UInt64 = 0
    var budgets = FloodBudgets()

    // Field sections.
    var decoder: HPACKDecoder
    var encoder = HPACKEncoder()
    var section = Section()
    var block: [UInt8] = []

    // Streams.
    var streams = StreamTable()
    var closed = ClosedStreams()
    /// The highest stream that the peer opened.
    var lastPeerStream: UInt32 = 0
    /// The stream that we open next.
    var nextOwnStream: UInt32 = 1
    /// The one that we opened last, while its HEADERS are not written; else 0.
    var unsentStream: UInt32 = 0
    /// Whether we sent GOAWAY.
    var isGoingAway = false
    /// The last stream that our GOAWAY names.
    var lastStreamSent = FrameHeader.streamMask
    /// The last stream that the peer's GOAWAY names.
    var lastStreamReceived = FrameHeader.streamMask
    var idlePriorities: [IdlePriority] = []

    // The connection's windows, as `Stream` has its own.
    var sendWindow = HTTP2Settings.windowBytesDefault
    var receiveWindow: Int
    var unreturned = 0
    /// What the windows of streams that were given up admitted: so much may be under way for them.
    var discardable = 0

    // Answers.
    var answerBytes = 0
    /// Octets of content that we sent and that no WINDOW_UPDATE has been set against.
    var sentBytesCredit = 0
    var pingPayload: UInt64?

    enum Reading: Sendable {
        /// So many octets of the preface have come.
        case preface(Int)
        case header
        case payload
        case padLength
        case content(left: Int)
        case skip(left: Int)
        case failed(HTTP2Error)
    }

    /// The field section that is being received.
    struct Section: Sendable {
        /// Its stream; 0 when there is none.
        var stream: UInt32 = 0
        var endsStream = false
        var dependsOnItself = false
        var continuationCount = 0
    }

    struct IdlePriority: Sendable {
        let stream: UInt32
        let priority: Priority
    }

    /// Makes one end and writes what it sends first: the preface of a client, SETTINGS, WINDOW_UPDATE.
    ///
    /// - Parameters:
    ///   - role: Which end it is.
    ///   - limits: The bounds.
    package init(role: Role, limits: HTTP2Limits = HTTP2Limits()) {
        (self.role, self.limits) = (role, limits)
        reading = role == .server ? .preface(0) : .header
        receiveWindow = limits.connectionWindowBytes
        decoder = HPACKDecoder()
        writePreface()
    }

    // MARK: Receiving

    /// Reads on.
    ///
    /// - Parameters:
    ///   - octets: Received octets.
    ///   - index: Where to read on in them; moved past what was taken, to the end when `nil` is returned.
    ///   - now: Monotonic nanoseconds, for the budgets of `Flood`.
    /// - Returns: What the peer did first, or `nil` when all octets were taken.
    /// - Throws: The violation by which the connection ends; GOAWAY is in `output` then. Send it, close.
    /// - Complexity: O(octets that are not content).
    package mutating func next(
        _ octets: Span<UInt8>,
        at index: inout Int,
        now: UInt64
    ) throws(HTTP2Error) -> Event? {
        if case .failed(let error) = reading { throw error }
        self.now = now
        do throws(HTTP2Error) {
            return try read(octets, &index)
        } catch {
            writeGoAway(lastStream: min(lastPeerStream, lastStreamSent), error.code)
            reading = .failed(error)
            throw error
        }
    }

    private mutating func read(
        _ octets: Span<UInt8>,
        _ index: inout Int
    ) throws(HTTP2Error) -> Event? {
        while true {
            var event: Event?
            switch reading {
            case .preface(let matched):
                guard try readPreface(octets, &index, matched) else { return nil }
            case .header:
                guard readHeader(octets, &index) else { return nil }
                event = try beginFrame()
            case .payload:
                guard octets.count - index >= frame.length || index < octets.count else {
                    return nil
                }
                event = try readPayload(octets, &index)
            case .padLength:
                guard index < octets.count else { return nil }
                index += 1
                event = try beginContent(padding: Int(octets[index - 1]), padLengthBytes: 1)
            case .content(let left):
                guard index < octets.count else { return nil }
                let end = min(index + left, octets.count)
                event = content(index..<end, left: left - (end - index))
                index = end
            case .skip(let left):
                let count = min(left, octets.count - index)
                index += count
                reading = count == left ? .header : .skip(left: left - count)
                if count < left { return nil }
            case .failed(let error):
                throw error
            }
            if let event { return event }
        }
    }

    /// RFC 9113 §3.4: the client's 24 octets.
    private mutating func readPreface(
        _ octets: Span<UInt8>,
        _ index: inout Int,
        _ matched: Int
    ) throws(HTTP2Error) -> Bool {
        var matched = matched
        while matched < ConnectionPreface.bytes, index < octets.count {
            guard octets[index] == ConnectionPreface.octet(at: matched) else {
                throw .prefaceInvalid
            }
            matched += 1
            index += 1
        }
        let isComplete = matched == ConnectionPreface.bytes
        reading = isComplete ? .header : .preface(matched)
        return isComplete
    }

    /// Reads a frame's header, which may come in pieces.
    private mutating func readHeader(_ octets: Span<UInt8>, _ index: inout Int) -> Bool {
        if headerCount == 0, octets.count - index >= FrameHeader.bytes {
            frame = FrameHeader(octets, at: index)
            index += FrameHeader.bytes
            return true
        }
        while headerCount < FrameHeader.bytes, index < octets.count {
            headerBits = headerBits << 8 | UInt128(octets[index])
            headerCount += 1
            index += 1
        }
        guard headerCount == FrameHeader.bytes else { return false }
        frame = FrameHeader(bits: headerBits)
        headerCount = 0
        return true
    }

    /// Gathers the payload of a frame, in place when all of it is there, and takes it.
    private mutating func readPayload(
        _ octets: Span<UInt8>,
        _ index: inout Int
    ) throws(HTTP2Error) -> Event? {
        if collected.isEmpty, octets.count - index >= frame.length {
            let payload = octets.extracting(index..<index + frame.length)
            index += frame.length
            reading = .header
            return try takeFrame(payload)
        }
        let count = min(frame.length - collected.count, octets.count - index)
        collected.append(copying: octets.extracting(index..<index + count))
        index += count
        guard collected.count == frame.length else { return nil }
        var payload: [UInt8] = []
        swap(&payload, &collected)
        reading = .header
        let event = try takeFrame(payload.span)
        payload.removeAll(keepingCapacity: payload.capacity <= HTTP2Limits.scratchBytesKept)
        collected = payload
        return event
    }

    // MARK: Helpers

    /// Takes one from a budget.
    mutating func spend(_ flood: Flood) throws(HTTP2Error) {
        guard budgets.spend(flood, now: now) else { throw HTTP2Error(flood) }
    }

    /// Whether the connection ended by a violation of the peer's: nothing is read or written any more.
    package var isFailed: Bool {
        if case .failed = reading { true } else { false }
    }

    /// Whether all octets that came belong to complete frames and field blocks: the peer may close here.
    package var isBetweenFrames: Bool {
        if case .header = reading { return headerCount == 0 && section.stream == 0 }
        if case .skip(let left) = reading { return left == 0 && section.stream == 0 }
        return false
    }

    /// Whether a field section has begun and is not complete, or another frame but DATA: the peer owes the rest.
    package var isWithinFields: Bool {
        if case .payload = reading { return true }
        return section.stream != 0
    }

    /// The place of a stream that both sides have not ended.
    func findLive(_ id: UInt32) -> Int? {
        guard let slot = streams.find(id), streams.slots[slot].state != .closed else { return nil }
        return slot
    }

    /// Whether a stream was never opened.
    func isIdle(_ id: UInt32) -> Bool {
        let isOwn = (id & 1 == 1) == (role == .client)
        guard isOwn else { return role == .client || id > lastPeerStream }
        // A server opens none.
        guard role == .client else { return true }
        return id >= nextOwnStream || id == unsentStream
    }

    /// Gives back memory, for a connection that rests.
    package mutating func releaseStorage() {
        streams.releaseStorage()
        if collected.isEmpty { collected = [] }
        if block.isEmpty { block = [] }
        if output.isEmpty { output = [] }
        if section.stream == 0 { fields = FieldBlock() }
    }
}
