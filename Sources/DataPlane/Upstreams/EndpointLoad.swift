internal import Synchronization

/// How many requests a node has in flight at the endpoints of one upstream.
package final class UpstreamLoad: Sendable {
    private let requests = Atomic<Int>(0)

    /// Makes a count of zero.
    package init() {}

    /// Requests in flight now.
    package var inFlight: Int { requests.load(ordering: .relaxed) }

    /// Counts a request; `ended` is owed.
    package func began() { requests.wrappingAdd(1, ordering: .relaxed) }

    /// Counts the end of a request that `began` has counted.
    package func ended() { requests.wrappingSubtract(1, ordering: .relaxed) }
}

/// What all workers of a node know of the load of one endpoint: requests in flight, and how long they take.
///
/// Counted only where the balancing looks at it. The numbers are atomic each and need not agree: of two samples that
/// two workers take at once, one may be lost. The object fills a cache line, so that counting at one endpoint does not
/// slow down another.
package final class EndpointLoad: Sendable {
    private let requests = Atomic<Int>(0)
    /// The bits of the estimate, in nanoseconds; 0 is none yet, and it is negative where it stands for a failure.
    private let estimate = Atomic<UInt64>(0)
    /// When the estimate was made.
    private let stamp = Atomic<UInt64>(0)
    private let padding: (UInt64, UInt64, UInt64) = (0, 0, 0)

    /// The time in which a sample loses about two thirds of its influence, in nanoseconds.
    package static let memoryNanoseconds: Double = 5e9
    /// The same of a failure, by `Timing.peak`: some seconds later the endpoint is asked again, whatever it was taken for.
    static let failureMemoryNanoseconds: Double = 5e8
    /// What a failure is taken for at least and at most, in nanoseconds: a refusal is quick, and yet no recommendation.
    static let failureNanosecondsMin: Double = 100e6
    static let failureNanosecondsMax: Double = 10e9

    /// Makes an idle endpoint that nothing is known of.
    package init() {}

    /// Forgets how long answers took: the endpoint comes back, and is not what it was.
    package func forgetTimes() {
        estimate.store(0, ordering: .relaxed)
    }

    /// Requests in flight now, over all workers.
    package var inFlight: Int { requests.load(ordering: .relaxed) }

    /// Counts a request; `ended` is owed.
    package func began() {
        requests.wrappingAdd(1, ordering: .relaxed)
    }

    /// Counts the end of a request that `began` has counted.
    package func ended() {
        requests.wrappingSubtract(1, ordering: .relaxed)
    }

    /// How samples become an estimate.
    package enum Timing: Sendable {
        /// Peak EWMA, as Finagle has it: what is slower than the estimate becomes the estimate at once; what is faster
        /// draws it down by the time since the last sample.
        case peak
        /// Each sample draws the estimate its way by the time since the last one.
        case mean
    }

    /// Takes how long the endpoint took to answer.
    ///
    /// - Parameters:
    ///   - nanoseconds: From the choice of the endpoint to its answer.
    ///   - now: Monotonic nanoseconds.
    ///   - timing: What becomes of it.
    package func answered(after nanoseconds: UInt64, now: UInt64, _ timing: Timing = .peak) {
        let sample = max(Double(nanoseconds), 1)
        let bits = estimate.load(ordering: .relaxed)
        let old = Double(bitPattern: bits)
        let then = stamp.load(ordering: .relaxed)
        var new = sample
        if old < 0 {
            // What was sent before the failure says nothing of the time after it; one answer since then says all.
            guard now > then, nanoseconds < now - then else { return }
        } else if bits != 0, timing == .mean || old > sample {
            let share = Self.decay(since: then, now)
            new = old * share + sample * (1 - share)
        }
        estimate.store(new.bitPattern, ordering: .relaxed)
        stamp.store(now, ordering: .relaxed)
    }

    /// Takes that a request was given up before it was answered: the endpoint takes at least so long.
    ///
    /// - Parameters:
    ///   - nanoseconds: From the choice of the endpoint.
    ///   - now: Monotonic nanoseconds.
    ///   - timing: What becomes of it.
    package func waited(_ nanoseconds: UInt64, now: UInt64, _ timing: Timing = .peak) {
        guard Double(nanoseconds) > latency(at: now) else { return }
        answered(after: nanoseconds, now: now, timing)
    }

    /// Takes that a request failed: as an answer that was slower, each time more so.
    ///
    /// - Parameters:
    ///   - nanoseconds: From the choice of the endpoint to the failure.
    ///   - now: Monotonic nanoseconds.
    ///   - timing: What becomes of it.
    package func failed(after nanoseconds: UInt64, now: UInt64, _ timing: Timing = .peak) {
        let last = Double(bitPattern: estimate.load(ordering: .relaxed))
        // What stands for a failure has faded when the next one comes.
        let expected = last < 0 ? -last : latency(at: now)
        let wanted = max(4 * expected, Self.failureNanosecondsMin)
        let taken = max(nanoseconds, UInt64(min(wanted, Self.failureNanosecondsMax)))
        guard timing == .peak else { return answered(after: taken, now: now, timing) }
        estimate.store((-Double(taken)).bitPattern, ordering: .relaxed)
        stamp.store(now, ordering: .relaxed)
    }

    /// How long the endpoint is expected to take.
    ///
    /// The estimate falls with the time since the last sample, so that an endpoint that was slow is asked again.
    ///
    /// - Parameters:
    ///   - now: Monotonic nanoseconds.
    ///   - memory: The time in which it loses about two thirds, in nanoseconds.
    /// - Returns: Nanoseconds; 0 where nothing is known.
    package func latency(at now: UInt64, over memory: Double = memoryNanoseconds) -> Double {
        let bits = estimate.load(ordering: .relaxed)
        guard bits != 0 else { return 0 }
        let value = Double(bitPattern: bits)
        let memory = value < 0 ? Self.failureMemoryNanoseconds : memory
        let then = stamp.load(ordering: .relaxed)
        return value.magnitude * Self.decay(since: then, now, over: memory)
    }

    /// Whether the last that is known of it is a failure, by `Timing.peak`.
    package var hasFailed: Bool { Double(bitPattern: estimate.load(ordering: .relaxed)) < 0 }

    /// e^-t of the time that has passed, in units of `memory`.
    private static func decay(
        since then: UInt64,
        _ now: UInt64,
        over memory: Double = memoryNanoseconds
    ) -> Double {
        guard now > then else { return 1 }
        // The exponent of 2, in whole and rest; the polynomial is 2^-rest to one part in ten thousand.
        let exponent = Double(now - then) * (1.442_695 / memory)
        guard exponent < 1000 else { return 0 }
        let whole = UInt64(exponent)
        let rest = exponent - Double(whole)
        let power = Double(bitPattern: (1023 - whole) << 52)
        let fourth = 0.055_504_1 - rest * (0.009_618_1 - rest * 0.001_2)
        return power * (1 - rest * (0.693_147_2 - rest * (0.240_226_5 - rest * fourth)))
    }
}
