package import FleetMessages

/// Why a session is over.
package enum SessionEnd: Sendable, Equatable {
    /// The peer violated the protocol, or was silent for too long.
    case violation(FleetProtocolError)
    /// The peer said goodbye, and when to come back if it cares.
    case goodbye(WireGoodbyeReason, detail: String, retryAfter: Duration?)
    /// The peer closed the connection without a word.
    case peerClosed
    /// We said goodbye.
    case local(WireGoodbyeReason)
}

extension SessionEnd {
    /// Reads the peer's goodbye.
    init(_ message: WireGoodbye) {
        let milliseconds = Int64(message.retryAfterMilliseconds)
        self = .goodbye(
            message.reason,
            detail: message.detail,
            retryAfter: milliseconds == 0 ? nil : .milliseconds(milliseconds)
        )
    }
}

/// The frame that ends a session.
///
/// The detail is for people, and cut to the limit. `retryAfter` says when the peer may come back; `nil` leaves
/// it to the peer.
package func goodbyeFrame(
    _ reason: WireGoodbyeReason,
    detail: String = "",
    retryAfter: Duration? = nil
) -> Frame {
    var message = WireGoodbye()
    message.reason = reason
    message.detail = cut(detail)
    if let retryAfter {
        let (seconds, attoseconds) = retryAfter.components
        let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        message.retryAfterMilliseconds = UInt32(clamping: milliseconds)
    }
    return FleetMessage.goodbye(message).frame()
}
