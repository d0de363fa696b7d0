/// What a peer may make one HTTP/2 connection hold or do: the bounds, each with its reason.
///
/// | Bound | Unit | At the bound |
/// |---|---|---|
/// | `streamsMax` | streams | REFUSED_STREAM, counted as provoked |
/// | `streamWindowBytes` | octets | FLOW_CONTROL_ERROR on the stream |
/// | windows of streams that were reset here | octets | FLOW_CONTROL_ERROR on the connection |
/// | `connectionWindowBytes` | octets | FLOW_CONTROL_ERROR on the connection |
/// | `frameBytesMax` | octets | FRAME_SIZE_ERROR on the connection |
/// | `fieldSectionBytesMax` | octets | a request: `headersOversized` (431); else the stream is reset |
/// | `fieldLinesMax` | lines | the same |
/// | `fieldBlockBytesMax` | octets | ENHANCE_YOUR_CALM before the frame is buffered |
/// | `continuationsMax` | frames | ENHANCE_YOUR_CALM |
/// | `settingsEntriesMax` | settings | ENHANCE_YOUR_CALM |
/// | `interimResponsesMax` | responses | ENHANCE_YOUR_CALM on the stream |
/// | `answerBytesMax` | octets | ENHANCE_YOUR_CALM |
/// | each `Flood` | frames over time | ENHANCE_YOUR_CALM |
package struct HTTP2Limits: Sendable {
    /// Streams that a client may have open here, or that we open to an origin, whatever it allows.
    ///
    /// The default is fleet.yaml's.
    package var streamsMax: Int
    /// Flow-control window of each stream, in octets: what a caller may have to hold of one message.
    ///
    /// 256 KiB let one stream carry 25 Mbit/s over a round trip of 80 ms.
    package var streamWindowBytes: Int
    /// Flow-control window of the connection, in octets; not below 65535, which it starts with.
    ///
    /// Four streams may stand still without stopping the others.
    package var connectionWindowBytes: Int
    /// Longest frame payload taken, in octets: what the RFC lets every peer send, and the least.
    ///
    /// One read of the transport is about that long: larger frames would save nothing.
    package var frameBytesMax: Int
    /// Longest field section, in octets as RFC 9113 §6.5.2 counts them.
    ///
    /// The default is fleet.yaml's.
    package var fieldSectionBytesMax: Int
    /// Most field lines in a section.
    ///
    /// The default is fleet.yaml's.
    package var fieldLinesMax: Int
    /// Whether clients may send extended CONNECT (RFC 8441).
    package var allowsExtendedConnect: Bool

    /// Makes limits.
    ///
    /// - Parameters:
    ///   - streamsMax: Concurrent streams.
    ///   - streamWindowBytes: A stream's window; 1 to 2^31-1.
    ///   - connectionWindowBytes: The connection's window; 65535 to 2^31-1.
    ///   - frameBytesMax: Longest frame payload; 16384 to 2^24-1.
    ///   - fieldSectionBytesMax: Longest field section in octets.
    ///   - fieldLinesMax: Most field lines.
    ///   - allowsExtendedConnect: Whether `:protocol` is understood.
    package init(
        streamsMax: Int = 128,
        streamWindowBytes: Int = 256 * 1024,
        connectionWindowBytes: Int = 1024 * 1024,
        frameBytesMax: Int = HTTP2Settings.frameBytesMaxDefault,
        fieldSectionBytesMax: Int = 64 * 1024,
        fieldLinesMax: Int = 100,
        allowsExtendedConnect: Bool = false
    ) {
        let windows = 1...HTTP2Settings.windowBytesMax
        precondition(windows.contains(streamWindowBytes), "a window of \(streamWindowBytes)")
        precondition(
            windows.contains(connectionWindowBytes)
                && connectionWindowBytes >= HTTP2Settings.windowBytesDefault,
            "a connection's window of \(connectionWindowBytes)"
        )
        precondition(
            HTTP2Settings.frameBytesMaxRange.contains(frameBytesMax),
            "frames of \(frameBytesMax) octets"
        )
        precondition(streamsMax >= 0 && fieldSectionBytesMax >= 0, "a limit below zero")
        self.streamsMax = streamsMax
        self.streamWindowBytes = streamWindowBytes
        self.connectionWindowBytes = connectionWindowBytes
        self.frameBytesMax = frameBytesMax
        self.fieldSectionBytesMax = fieldSectionBytesMax
        self.fieldLinesMax = fieldLinesMax
        self.allowsExtendedConnect = allowsExtendedConnect
    }

    /// Longest field block in octets, before it is decompressed.
    ///
    /// Twice the section, so that a peer that is a little over gets an answer (431) instead of the end of
    /// all its streams; a block longer than its section is one that plays with the coding.
    package var fieldBlockBytesMax: Int { 2 * fieldSectionBytesMax }
    /// Most CONTINUATION frames of a field block.
    ///
    /// Eight full frames make 128 KiB; only a peer that cuts its blocks small needs more.
    package static let continuationsMax = 32
    /// Most settings in a SETTINGS frame: eight are registered, and unknown ones are read too.
    package static let settingsEntriesMax = 64
    /// Most interim responses before a final one: 103 is sent once or twice.
    package static let interimResponsesMax = 16
    /// Most octets of answers to the peer that the caller has not taken, as the peer does not read.
    ///
    /// An answer has 13 to 17 octets: about 4000 of them.
    package static let answerBytesMax = 64 * 1024
    /// Concurrent streams that we open before the origin's SETTINGS say how many (RFC 9113 §6.5.2).
    package static let streamsBeforeSettingsMax = 100
    /// Streams that were reset here and are remembered: frames for them were under way.
    ///
    /// Twice the concurrent streams; what is forgotten is answered by RST_STREAM, not by GOAWAY.
    package static let resetStreamsRemembered = 256
    /// Streams that ended or that the peer reset and are remembered, to name the error that a frame is.
    package static let endedStreamsRemembered = 32
    /// Priorities kept for streams that are not open yet (RFC 9218 §7.1).
    package static let idlePrioritiesMax = 8
    /// Octets of content that we send for each WINDOW_UPDATE that is not counted: a reader that takes
    /// 2 KiB at a time gives them back to the stream and to the connection.
    package static let sentBytesPerWindowUpdate = 1024
    /// Most octets that count so: what may be under way.
    package static let sentBytesCreditMax = 64 * 1024 * 1024
    /// Frames for each stream that the caller resets that are not counted: a head, trailers, a reset.
    package static let glitchesPerReset: UInt64 = 3
    /// Most octets of scratch memory that are kept from one frame to the next.
    package static let scratchBytesKept = 1024
}

/// What a peer may do often, but not without end: `burst` times at once, and `perSecond` for ever.
///
/// Each has a reason for an honest peer's most, and ends the connection with ENHANCE_YOUR_CALM above.
package enum Flood: Int, CaseIterable, Sendable {
    /// RST_STREAM frames (Rapid Reset): a browser that leaves a page resets all its streams, a proxy
    /// those of many users.
    case peerResets
    /// Resets that the peer provokes by stream errors and refused streams (MadeYouReset), and requests whose field
    /// sections are too large: an honest one makes none but what it sent before it knew how many streams it may have,
    /// and a page of requests with a cookie that has grown too long.
    case provokedResets
    /// SETTINGS frames: one at the start, few later.
    case settings
    /// PING frames: measuring of the bandwidth sends one in each round trip.
    case pings
    /// DATA frames without content and END_STREAM: none is needed.
    case emptyData
    /// PRIORITY, PRIORITY_UPDATE and unknown frames: a page has a few hundred resources.
    case priorities
    /// WINDOW_UPDATE frames beyond those that `sentBytesPerWindowUpdate` allows for: a window that is
    /// opened octet by octet makes us send as many small frames.
    case windowUpdates
    /// Odd but legal: GOAWAY again, answers to PINGs that were not sent, frames for closed streams beyond
    /// the `glitchesPerReset` that each stream reset by the caller allows for.
    case glitches

    /// How many at once.
    package var burst: UInt64 {
        switch self {
        case .peerResets: 500
        case .provokedResets: 200
        case .settings: 50
        case .pings: 500
        case .emptyData: 100
        case .priorities: 1000
        case .windowUpdates: 4000
        case .glitches: 500
        }
    }

    /// How many in each second after.
    package var perSecond: UInt64 {
        switch self {
        case .peerResets: 50
        case .provokedResets: 10
        case .settings: 5
        case .pings: 50
        case .emptyData: 20
        case .priorities: 100
        case .windowUpdates: 1000
        case .glitches: 50
        }
    }
}
