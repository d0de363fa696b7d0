import HTTPSemantics

/// How a line that no table has is sent (RFC 7541 §6.2).
enum HPACKRepresentation: Sendable {
    /// It goes into the dynamic table.
    case incremental
    /// It does not.
    case withoutIndexing
    /// It does not, and no intermediary may put it into one.
    case neverIndexed

    /// Bits for the index of the name.
    var prefixBitCount: Int { self == .incremental ? 6 : 4 }

    /// The bits above those.
    var pattern: UInt8 {
        switch self {
        case .incremental: 0x40
        case .withoutIndexing: 0x00
        case .neverIndexed: 0x10
        }
    }

    /// Chooses for a regular line.
    ///
    /// Secrets are never indexed: whoever can make us send lines beside them could guess them by the size of what is
    /// sent (§7.1). What differs from message to message would only push out what does not.
    ///
    /// - Parameters:
    ///   - name: The name, when it is a known one.
    ///   - valueCount: Number of octets of the value.
    ///   - isSensitive: Whether it was never indexed on its way here.
    init(name: FieldName, valueCount: Int, isSensitive: Bool) {
        switch name {
        case _ where isSensitive:
            self = .neverIndexed
        case .authorization, .proxyAuthorization, .setCookie, .xAPIKey, .secWebsocketKey:
            self = .neverIndexed
        case .cookie where valueCount < HPACKLimits.cookieBytesIndexedMin:
            self = .neverIndexed
        case .contentLength, .contentRange, .range, .age, .etag, .expires, .lastModified, .ifMatch,
            .ifNoneMatch, .ifRange, .ifModifiedSince, .ifUnmodifiedSince, .xRequestID, .xRuntime,
            .traceparent, .tracestate, .baggage, .forwarded, .xForwardedFor, .xRealIP,
            .cacheStatus, .proxyStatus, .retryAfter, .contentLocation, .contentDisposition,
            .authenticationInfo, .proxyAuthenticationInfo, .secWebsocketAccept, .grpcTimeout,
            .grpcMessage:
            self = .withoutIndexing
        default:
            self = .incremental
        }
    }
}
