/// Periods and limits of what the control plane makes itself; each names its unit and its reason.
package enum CredentialLimits {
    /// How long a key makes session tickets, in seconds: 8 hours.
    ///
    /// Who gets hold of a key can open the sessions whose tickets it sealed, so it is short; and a resumed handshake
    /// is cheaper than a full one, so it is not shorter.
    package static let ticketPeriodSeconds: Int64 = 8 * 3600
    /// Keys that tickets are still taken with after their period: as long as clients keep sessions.
    package static let ticketKeysPast = 2
    /// Seconds between two looks at what is due: a minute late is no harm for what lasts hours.
    package static let lookSeconds: Int64 = 60
    /// Seconds before the end of a certificate from which on operators are warned: 14 days.
    package static let warningSeconds: Int64 = 14 * 86_400
    /// Orders that run at once: many certificates that are due together come one after another.
    package static let ordersAtOnce = 4
    /// Seconds between two looks at which orders are due.
    package static let orderLookSeconds: Int64 = 1
    /// Seconds that an order waits for nodes which have a session and do not answer a challenge; then it goes on with
    /// those that do.
    package static let challengeSeconds: Int64 = 30
    /// Seconds until an order that no node could answer for is tried again.
    package static let orderNodeSeconds: Int64 = 10
    /// Seconds until a host that was not proved the first time is tried again; later tries wait longer.
    package static let secondTrySeconds: Int64 = 60
    /// Seconds between two looks at when an authority suggests to renew, where it does not say: 6 hours.
    package static let windowSeconds: Int64 = 6 * 3600
    /// Longest time for which no order is placed at an authority because it wants fewer requests, in seconds.
    package static let holdSecondsMax: Int64 = 3600
    /// Longest text that is kept of why an order failed, in characters.
    package static let orderProblemMax = 600
    /// Certificates of a configuration; more are refused, because nodes are told of all in one frame.
    package static let certificatesMax = 4_096
}
