/// Admits so many per second, and some at once; tells the others when to come back.
struct TokenBucket {
    private let perSecond: Double
    private let burst: Double
    private var tokens: Double
    private var updatedNanoseconds: UInt64

    /// - Parameters:
    ///   - perSecond: Admitted per second in the long run.
    ///   - burst: Admitted at once after a quiet time.
    ///   - nowNanoseconds: Monotonic time.
    init(perSecond: Double, burst: Double, nowNanoseconds: UInt64) {
        (self.perSecond, self.burst) = (perSecond, burst)
        tokens = burst
        updatedNanoseconds = nowNanoseconds
    }

    /// Takes one token, or says how many seconds to wait for one.
    ///
    /// Those who wait are spread by `jitter`, from 0 to 1, over as much time again.
    mutating func take(nowNanoseconds: UInt64, jitter: Double) -> Double? {
        if nowNanoseconds > updatedNanoseconds {
            let seconds = Double(nowNanoseconds - updatedNanoseconds) / 1e9
            tokens = min(burst, tokens + seconds * perSecond)
            updatedNanoseconds = nowNanoseconds
        }
        guard tokens < 1 else {
            tokens -= 1
            return nil
        }
        return max(0.1, (1 - tokens) / perSecond + jitter)
    }
}
