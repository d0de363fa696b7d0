package import FleetMessages

/// Why an end gives up a session: a violation by the peer, or silence.
package enum FleetProtocolError: Error, Equatable, Sendable {
    /// A frame's length is over the limit that holds at this point.
    case frameOversized(bytes: Int, max: Int)
    /// The connection ended within a frame.
    case frameTruncated
    /// An unknown type without the ignorable flag.
    case typeUnknown(UInt16)
    /// The payload is not the message that the type says.
    case messageMalformed(FrameType)
    /// A field has a value that is never allowed.
    case fieldInvalid(FrameType, field: String)
    /// The frame is not allowed in the state that the session is in.
    case outOfOrder(FrameType, state: String)
    /// A list, a blob or a version is larger than the limits say.
    case limitExceeded(FrameType, what: String)
    /// Octets do not have the digest under which they were sent.
    case digestMismatch(String)
    /// The manifest is not signed by this cluster's key.
    case signatureInvalid
    /// The version is older than the one that is being served.
    case versionBackwards
    /// The peer belongs to another cluster.
    case wrongCluster
    /// The peer was silent for too long.
    case timeout

    /// What to tell the peer.
    package var goodbyeReason: WireGoodbyeReason {
        switch self {
        case .frameOversized: .frameOversized
        case .frameTruncated, .messageMalformed, .fieldInvalid: .messageInvalid
        case .typeUnknown: .typeUnknown
        case .outOfOrder: .outOfOrder
        case .limitExceeded: .limitExceeded
        case .digestMismatch: .digestMismatch
        case .signatureInvalid: .signatureInvalid
        case .versionBackwards: .versionBackwards
        case .wrongCluster: .wrongCluster
        case .timeout: .timeout
        }
    }
}

extension FleetProtocolError: CustomStringConvertible {
    /// One line for the log and for Goodbye's detail.
    package var description: String {
        switch self {
        case .frameOversized(let bytes, let max):
            "a frame of \(bytes) octets, where \(max) are allowed"
        case .frameTruncated: "the connection ended within a frame"
        case .typeUnknown(let type): "unknown frame type \(type)"
        case .messageMalformed(let type): "malformed \(type)"
        case .fieldInvalid(let type, let field): "\(type): invalid \(field)"
        case .outOfOrder(let type, let state): "\(type) is not allowed while \(state)"
        case .limitExceeded(let type, let what): "\(type): too many or too large: \(what)"
        case .digestMismatch(let what): "\(what) does not have its digest"
        case .signatureInvalid: "the manifest's signature is not valid"
        case .versionBackwards: "the version is older than the active one"
        case .wrongCluster: "the peer belongs to another cluster"
        case .timeout: "nothing was received for too long"
        }
    }
}
