extension FieldName {
    /// Whether the field says for whom a proxy asks: a client's own word for it counts for nothing.
    package var isOfForwarding: Bool {
        switch self {
        case .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort,
            .xForwardedPrefix, .xRealIP, .xRequestID:
            return true
        default:
            return false
        }
    }

    /// Whether the field may not come in a trailer section, as it concerns framing, routing, request
    /// modifiers, authentication or how the content is read (RFC 9110 §6.5.1).
    package var isForbiddenInTrailers: Bool {
        if isFraming { return true }
        switch self {
        case .trailer, .forwarded, .via, .xForwardedFor, .xForwardedHost, .xForwardedProto,
            .xForwardedPort, .xForwardedPrefix, .xRealIP, .maxForwards, .proxyAuthenticate,
            .proxyAuthorization, .age, .cacheControl, .date, .expires, .ifMatch, .ifModifiedSince,
            .ifNoneMatch, .ifRange, .ifUnmodifiedSince, .pragma, .vary, .warning, .contentEncoding,
            .contentRange, .contentType, .range, .location, .retryAfter, .setCookie,
            .wwwAuthenticate, .authorization, .cookie:
            return true
        default:
            return false
        }
    }
}
