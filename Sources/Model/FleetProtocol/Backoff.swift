/// Waiting times between attempts, with decorrelated jitter: each is drawn between the first and three times the one
/// before, up to a cap, so that a fleet that lost its control plane at one instant does not come back at one.
package struct Backoff: Sendable {
    package let first: Duration
    package let cap: Duration
    private var previous: Duration

    /// - Parameters:
    ///   - first: Shortest waiting time.
    ///   - cap: Longest waiting time; at least `first`.
    package init(first: Duration, cap: Duration) {
        precondition(first > .zero && first <= cap, "back-off from \(first) to \(cap)")
        self.first = first
        self.cap = cap
        previous = first
    }

    /// The next waiting time.
    ///
    /// `random` is the source of the jitter; tests give a seeded one.
    package mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let upper = min(cap, previous * 3)
        previous = min(cap, first + (upper - first) * Double.random(in: 0...1, using: &random))
        return previous
    }

    /// Begins anew after a success.
    package mutating func reset() {
        previous = first
    }
}
