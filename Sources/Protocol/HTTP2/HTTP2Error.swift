/// A violation by which the connection ends (RFC 9113 §5.4.1); each case names one.
package enum HTTP2Error: UInt8, Error, Equatable, Sendable, CaseIterable {
    // Preface and frames.
    case prefaceInvalid
    case settingsMissing
    case frameTooLarge
    case frameLengthInvalid
    case paddingInvalid
    case streamRequired
    case streamForbidden
    case continuationExpected
    case continuationUnexpected
    case pushPromiseUnexpected
    case priorityUpdateUnexpected
    // Streams.
    case streamIdentifierInvalid
    case streamIdle
    case streamEnded
    case selfDependency
    // Field sections.
    case compressionInvalid
    case fieldBlockTooLarge
    case continuationsTooMany
    // Settings.
    case settingEnablePushInvalid
    case settingWindowInvalid
    case settingFrameSizeInvalid
    case settingConnectProtocolInvalid
    case settingPrioritiesInvalid
    case settingsTooMany
    case acknowledgementUnexpected
    // Flow control.
    case windowExceeded
    case windowIncrementZero
    case windowOverflow
    case initialWindowOverflow
    // GOAWAY.
    case goAwayIncreased
    // Floods.
    case resetsTooMany
    case provokedResetsTooMany
    case settingsTooOften
    case pingsTooOften
    case emptyDataTooOften
    case prioritiesTooOften
    case windowUpdatesTooOften
    case glitchesTooOften
    case answersNotRead

    /// What the GOAWAY frame says.
    package var code: ErrorCode {
        switch self {
        case .frameTooLarge, .frameLengthInvalid: .frameSizeError
        case .streamEnded: .streamClosed
        case .compressionInvalid: .compressionError
        case .settingWindowInvalid, .windowExceeded, .windowOverflow, .initialWindowOverflow:
            .flowControlError
        case .fieldBlockTooLarge, .continuationsTooMany, .settingsTooMany, .resetsTooMany,
            .provokedResetsTooMany, .settingsTooOften, .pingsTooOften, .emptyDataTooOften,
            .prioritiesTooOften, .windowUpdatesTooOften, .glitchesTooOften, .answersNotRead:
            .enhanceYourCalm
        default: .protocolError
        }
    }

    /// What is wrong, in a few words for a log.
    package var reason: StaticString {
        switch self {
        case .prefaceInvalid: "no connection preface"
        case .settingsMissing: "first frame is not SETTINGS"
        case .frameTooLarge: "frame above the maximum size"
        case .frameLengthInvalid: "length not right for the frame type"
        case .paddingInvalid: "padding longer than the frame"
        case .streamRequired: "frame without a stream"
        case .streamForbidden: "frame on a stream that belongs to the connection"
        case .continuationExpected: "field block interrupted"
        case .continuationUnexpected: "CONTINUATION without HEADERS"
        case .pushPromiseUnexpected: "PUSH_PROMISE, which is not enabled"
        case .priorityUpdateUnexpected: "PRIORITY_UPDATE from a server"
        case .streamIdentifierInvalid: "stream identifier not the peer's or not above the last"
        case .streamIdle: "frame for an idle stream"
        case .streamEnded: "frame for a closed stream"
        case .selfDependency: "idle stream depends on itself"
        case .compressionInvalid: "field block cannot be decompressed"
        case .fieldBlockTooLarge: "field block too large"
        case .continuationsTooMany: "too many CONTINUATION frames"
        case .settingEnablePushInvalid: "invalid ENABLE_PUSH"
        case .settingWindowInvalid: "INITIAL_WINDOW_SIZE above the maximum"
        case .settingFrameSizeInvalid: "invalid MAX_FRAME_SIZE"
        case .settingConnectProtocolInvalid: "invalid ENABLE_CONNECT_PROTOCOL"
        case .settingPrioritiesInvalid: "invalid NO_RFC7540_PRIORITIES"
        case .settingsTooMany: "too many settings in a frame"
        case .acknowledgementUnexpected: "SETTINGS acknowledged that were not sent"
        case .windowExceeded: "more DATA than the connection's window"
        case .windowIncrementZero: "WINDOW_UPDATE of nothing"
        case .windowOverflow: "connection's window above the maximum"
        case .initialWindowOverflow: "INITIAL_WINDOW_SIZE puts a window above the maximum"
        case .goAwayIncreased: "GOAWAY with a higher stream than before"
        case .resetsTooMany: "too many streams reset"
        case .provokedResetsTooMany: "too many stream errors"
        case .settingsTooOften: "too many SETTINGS frames"
        case .pingsTooOften: "too many PING frames"
        case .emptyDataTooOften: "too many empty DATA frames"
        case .prioritiesTooOften: "too many PRIORITY frames"
        case .windowUpdatesTooOften: "too many WINDOW_UPDATE frames"
        case .glitchesTooOften: "too many frames without effect"
        case .answersNotRead: "answers are not read"
        }
    }

    /// The violation that a used up budget is.
    init(_ flood: Flood) {
        self =
            switch flood {
            case .peerResets: .resetsTooMany
            case .provokedResets: .provokedResetsTooMany
            case .settings: .settingsTooOften
            case .pings: .pingsTooOften
            case .emptyData: .emptyDataTooOften
            case .priorities: .prioritiesTooOften
            case .windowUpdates: .windowUpdatesTooOften
            case .glitches: .glitchesTooOften
            }
    }
}

/// A violation by which one stream ends (RFC 9113 §5.4.2); each case names one.
package enum StreamError: UInt8, Error, Equatable, Sendable, CaseIterable {
    case malformedFields
    case pseudoFieldMissing
    case pseudoFieldUnexpected
    case pathInvalid
    case authorityMissing
    case authorityInvalid
    case authorityDiffersFromHost
    case statusInvalid
    case switchingProtocols
    case interimEndsStream
    case interimsTooMany
    case contentLengthInvalid
    case contentLengthMismatch
    case trailersWithoutEnd
    case fieldSectionTooLarge
    case dataBeforeHead
    case selfDependency
    case priorityLengthInvalid
    case halfClosed
    case forgotten
    case windowExceeded
    case windowIncrementZero
    case windowOverflow
    case streamsTooMany
    case goingAway

    /// What the RST_STREAM frame says.
    package var code: ErrorCode {
        switch self {
        case .priorityLengthInvalid: .frameSizeError
        case .halfClosed, .forgotten: .streamClosed
        case .windowExceeded, .windowOverflow: .flowControlError
        case .streamsTooMany, .goingAway: .refusedStream
        case .interimsTooMany, .fieldSectionTooLarge: .enhanceYourCalm
        default: .protocolError
        }
    }

    /// What is wrong, in a few words for a log.
    package var reason: StaticString {
        switch self {
        case .malformedFields: "malformed field section"
        case .pseudoFieldMissing: "pseudo-header field missing"
        case .pseudoFieldUnexpected: "pseudo-header field out of place"
        case .pathInvalid: "invalid :path"
        case .authorityMissing: "no authority"
        case .authorityInvalid: "invalid authority"
        case .authorityDiffersFromHost: ":authority and Host differ"
        case .statusInvalid: "invalid :status"
        case .switchingProtocols: "status 101"
        case .interimEndsStream: "interim response ends the stream"
        case .interimsTooMany: "too many interim responses"
        case .contentLengthInvalid: "invalid Content-Length"
        case .contentLengthMismatch: "content and Content-Length differ"
        case .trailersWithoutEnd: "second field section does not end the stream"
        case .fieldSectionTooLarge: "field section too large"
        case .dataBeforeHead: "DATA before HEADERS"
        case .selfDependency: "stream depends on itself"
        case .priorityLengthInvalid: "PRIORITY of a wrong length"
        case .halfClosed: "frame after the end of the stream"
        case .forgotten: "frame for a stream that was closed long ago"
        case .windowExceeded: "more DATA than the stream's window"
        case .windowIncrementZero: "WINDOW_UPDATE of nothing"
        case .windowOverflow: "stream's window above the maximum"
        case .streamsTooMany: "too many concurrent streams"
        case .goingAway: "stream opened after GOAWAY"
        }
    }
}
