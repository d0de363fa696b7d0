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
    /// Certificates of a configuration; more are refused, because nodes are told of all in one frame.
    package static let certificatesMax = 4_096
}
