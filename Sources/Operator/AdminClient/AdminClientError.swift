package import AdminMessages

/// Why a call of the admin API did not give an answer, in the terms on which an operator acts.
package enum AdminClientError: Error, Sendable {
    /// No connection: refused, no route, unknown name.
    case unreachable(server: String, reason: String)
    /// The server's certificate is not of the authority that the context trusts.
    case untrusted(server: String, reason: String)
    /// Nothing came back in time; whether the call took effect is unknown.
    case timedOut(server: String, seconds: Int)
    /// The token is missing, unknown or not allowed to do this.
    case unauthorised(ErrorAnswer)
    /// The head has moved since the version on which the call was based (412).
    case conflict(ErrorAnswer)
    /// The configuration is wrong (422); the answer holds every problem.
    case invalid(ErrorAnswer)
    /// Any other refusal: not found, too large, not in this state.
    case refused(status: Int, ErrorAnswer)
    /// The server failed (5xx); its log has the request id.
    case failed(status: Int, ErrorAnswer)
    /// The answer is not one of this API.
    case unintelligible(server: String, reason: String)
}
