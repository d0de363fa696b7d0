package import SystemCalls
package import Telemetry

/// Why an exchange did not go as the client wished.
package struct ExchangeError: Error, Equatable, Sendable {
    package let kind: ProxyErrorType
    package let side: Side
    package let retry: Retry
    package let errno: Errno?

    /// Which side of the node the cause is on.
    package enum Side: UInt8, Sendable {
        case downstream, upstream, local
    }

    /// Whether the request may be sent again, on a new connection.
    package enum Retry: UInt8, Sendable {
        case never
        /// Nothing of the request has reached the origin.
        case always
        /// The origin may have closed a resting connection as we wrote (RFC 9112 §9.3.1).
        case ifConnectionReused
        /// The origin says that it has not looked at the request (RFC 9113 §8.7).
        case unprocessed
    }

    /// Describes a failure.
    ///
    /// - Parameters:
    ///   - kind: What went wrong.
    ///   - side: Where.
    ///   - retry: Whether the request may be sent again.
    ///   - errno: The system's reason.
    package init(_ kind: ProxyErrorType, _ side: Side, retry: Retry = .never, errno: Errno? = nil) {
        (self.kind, self.side, self.retry, self.errno) = (kind, side, retry, errno)
    }

    /// The status that a client gets, when it has had none yet (RFC 9209 §2.3 recommends most of them).
    package var status: UInt16 {
        switch kind {
        case .dnsTimeout, .connectionTimeout, .httpResponseTimeout, .connectionReadTimeout,
            .connectionWriteTimeout:
            side == .downstream ? 408 : 504
        case .destinationUnavailable, .connectionLimitReached: 503
        case .destinationNotFound, .proxyInternalError, .proxyConfigurationError: 500
        case .httpRequestError: 400
        case .httpRequestDenied: 403
        default: 502
        }
    }

    /// The failure of a connect(2).
    ///
    /// - Parameter errno: Its reason.
    /// - Returns: The error.
    static func connect(_ errno: Errno) -> ExchangeError {
        let kind: ProxyErrorType
        switch errno {
        // Of a unix socket: nobody has made it, and nobody takes connections as fast as they come.
        case .connectionRefused, .connectionReset, .noSuchFile, .wouldBlock:
            kind = .connectionRefused
        case .timedOut: kind = .connectionTimeout
        case .hostUnreachable, .networkUnreachable, .addressNotAvailable, .notPermitted,
            .permissionDenied:
            kind = .destinationIPUnroutable
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .noMemory:
            kind = .destinationUnavailable
        default: kind = .connectionTerminated
        }
        return ExchangeError(kind, .upstream, retry: .always, errno: errno)
    }
}
