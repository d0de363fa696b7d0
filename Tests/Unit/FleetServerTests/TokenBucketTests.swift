import Testing

@testable import FleetServer

@Suite("Admission buckets")
struct TokenBucketTests {
    @Test("a burst is admitted at once, then so many per second")
    func burst() {
        var bucket = TokenBucket(perSecond: 10, burst: 3, nowNanoseconds: 0)
        for _ in 0..<3 { #expect(bucket.take(nowNanoseconds: 0, jitter: 0) == nil) }
        #expect(bucket.take(nowNanoseconds: 0, jitter: 0) == 0.1)
        #expect(bucket.take(nowNanoseconds: 50_000_000, jitter: 0) != nil)
        #expect(bucket.take(nowNanoseconds: 100_000_000, jitter: 0) == nil)
        #expect(bucket.take(nowNanoseconds: 100_000_000, jitter: 0) != nil)
    }

    @Test("a quiet time does not save up more than the burst")
    func quiet() {
        var bucket = TokenBucket(perSecond: 10, burst: 3, nowNanoseconds: 0)
        let later: UInt64 = 3_600_000_000_000
        for _ in 0..<3 { #expect(bucket.take(nowNanoseconds: later, jitter: 0) == nil) }
        #expect(bucket.take(nowNanoseconds: later, jitter: 0) != nil)
    }

    @Test("who waits is spread over a second more, and a clock that goes back does no harm")
    func jitter() {
        var bucket = TokenBucket(perSecond: 10, burst: 1, nowNanoseconds: 1_000)
        #expect(bucket.take(nowNanoseconds: 1_000, jitter: 1) == nil)
        #expect(bucket.take(nowNanoseconds: 0, jitter: 1) == 1.1)
    }
}
