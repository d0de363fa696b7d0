/// What a call of the admin API may take.
package enum Limits {
    /// Longest time for one call: an apply of 10,000 routes is validated, stored and synced well within it.
    package static let callDuration = Duration.seconds(30)
    /// Longest time for a connection: the control plane is near, and an operator waits.
    static let connectSeconds: Int64 = 5
    /// Longest answer, in octets: an export of the largest configuration that the server takes.
    static let answerBytesMax = 256 * 1024 * 1024
    /// Time between two looks at a rollout: short against what a person notices, cheap for the server.
    static let rolloutPollInterval = Duration.milliseconds(100)
}
