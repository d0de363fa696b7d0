/// A violation of RFC 9112 or of a limit, found in octets of a peer; each case names one.
///
/// Framing is lost after any of them: the caller answers with `requestStatus` (or, when the octets came
/// from an origin, with 502) and closes the connection.
package enum HTTP1Error: UInt8, Error, Equatable, Sendable, CaseIterable {
    // Start-line.
    case methodInvalid
    case methodTooLong
    case requestLineInvalid
    case requestTargetTooLong
    case requestTargetInvalid
    case requestTargetForm
    case schemeUnsupported
    case versionInvalid
    case versionUnsupported
    case http2Preface
    case statusLineInvalid
    case statusCodeInvalid
    // Field section.
    case bareLineFeed
    case bareCarriageReturn
    case lineFolding
    case fieldNameEmpty
    case fieldNameInvalid
    case whitespaceBeforeColon
    case colonMissing
    case fieldValueInvalid
    case fieldSectionTooLarge
    case fieldLinesTooMany
    // Host.
    case hostMissing
    case hostRepeated
    case hostInvalid
    case authorityInvalid
    // Framing.
    case contentLengthInvalid
    case contentLengthRepeated
    case contentLengthOverflow
    case contentLengthWithTransferEncoding
    case transferEncodingInvalid
    case transferEncodingInHTTP10
    case transferCodingUnsupported
    case connectionInvalid
    case expectationUnknown
    // Chunked coding.
    case chunkSizeInvalid
    case chunkSizeOverflow
    case chunkExtensionInvalid
    case chunkHeaderTooLong
    case chunkEndMissing

    /// The status code to answer with when a client sent the octets.
    package var requestStatus: UInt16 {
        switch self {
        case .requestTargetTooLong: 414
        case .expectationUnknown: 417
        case .fieldSectionTooLarge, .fieldLinesTooMany: 431
        case .methodTooLong, .transferCodingUnsupported: 501
        case .versionUnsupported, .http2Preface: 505
        default: 400
        }
    }

    /// What is wrong, in a few words for a log.
    package var reason: StaticString {
        switch self {
        case .methodInvalid: "invalid method"
        case .methodTooLong: "method too long"
        case .requestLineInvalid: "invalid request line"
        case .requestTargetTooLong: "request target too long"
        case .requestTargetInvalid: "invalid octet in the request target"
        case .requestTargetForm: "request target does not suit the method"
        case .schemeUnsupported: "unsupported scheme"
        case .versionInvalid: "invalid protocol version"
        case .versionUnsupported: "unsupported protocol version"
        case .http2Preface: "HTTP/2 connection preface"
        case .statusLineInvalid: "invalid status line"
        case .statusCodeInvalid: "invalid status code"
        case .bareLineFeed: "line feed without carriage return"
        case .bareCarriageReturn: "carriage return without line feed"
        case .lineFolding: "white space at the front of a line"
        case .fieldNameEmpty: "empty field name"
        case .fieldNameInvalid: "invalid octet in a field name"
        case .whitespaceBeforeColon: "white space before the colon"
        case .colonMissing: "field line without a colon"
        case .fieldValueInvalid: "invalid octet in a field value"
        case .fieldSectionTooLarge: "field section too large"
        case .fieldLinesTooMany: "too many field lines"
        case .hostMissing: "no Host"
        case .hostRepeated: "more than one Host"
        case .hostInvalid: "invalid Host"
        case .authorityInvalid: "invalid authority"
        case .contentLengthInvalid: "invalid Content-Length"
        case .contentLengthRepeated: "more than one Content-Length"
        case .contentLengthOverflow: "Content-Length too large"
        case .contentLengthWithTransferEncoding: "Content-Length beside Transfer-Encoding"
        case .transferEncodingInvalid: "invalid Transfer-Encoding"
        case .transferEncodingInHTTP10: "Transfer-Encoding in HTTP/1.0"
        case .transferCodingUnsupported: "unsupported transfer coding"
        case .connectionInvalid: "invalid Connection"
        case .expectationUnknown: "unknown expectation"
        case .chunkSizeInvalid: "invalid chunk size"
        case .chunkSizeOverflow: "chunk size too large"
        case .chunkExtensionInvalid: "invalid chunk extension"
        case .chunkHeaderTooLong: "chunk header too long"
        case .chunkEndMissing: "chunk longer than its size"
        }
    }
}
