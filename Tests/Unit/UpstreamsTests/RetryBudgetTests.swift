import Testing

@testable import Upstreams

@Suite("How many requests may be tried again")
struct RetryBudgetTests {
    private let second: UInt64 = 1_000_000_000

    private func granted(_ budget: RetryBudget, of asked: Int, at now: UInt64, share: Int) -> Int {
        (0..<asked).count { _ in budget.take(worker: 0, now: now, share: share) }
    }

    @Test("Ten always may, and not ten more than the share")
    func smallest() {
        let budget = RetryBudget(workerCount: 1)
        #expect(granted(budget, of: 20, at: 0, share: 20_000) == 10)
        for _ in 0..<50 { budget.countRequest(worker: 0, now: 0) }
        #expect(granted(budget, of: 20, at: 0, share: 20_000) == 0, "20 % of 50 are no more")
        for _ in 0..<5 { budget.countRequest(worker: 0, now: 0) }
        #expect(granted(budget, of: 20, at: 0, share: 20_000) == 1, "20 % of 55 are 11")
    }

    @Test("A share of the requests of the last ten seconds, on all workers")
    func share() {
        let budget = RetryBudget(workerCount: 3)
        for moment in 0..<100 {
            budget.countRequest(worker: moment % 3, now: UInt64(moment) * second / 10)
        }
        #expect(granted(budget, of: 100, at: 9 * second, share: 20_000) == 20)
        #expect(!budget.take(worker: 2, now: 9 * second, share: 20_000))
        #expect(budget.take(worker: 2, now: 9 * second, share: 100_000))
    }

    @Test("What is older than ten seconds does not count, be it requests or retries")
    func age() {
        let budget = RetryBudget(workerCount: 1)
        for _ in 0..<100 { budget.countRequest(worker: 0, now: 5 * second) }
        #expect(granted(budget, of: 100, at: 14 * second, share: 20_000) == 20)
        #expect(granted(budget, of: 100, at: 15 * second, share: 20_000) == 0)
        #expect(granted(budget, of: 100, at: 24 * second, share: 20_000) == 10)
    }

    @Test("Every interleaving of workers stays below the share")
    func neverAbove() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let budget = RetryBudget(workerCount: 4)
            var (requests, retries) = (0, 0)
            for _ in 0..<200 {
                let worker = Int.random(in: 0..<4, using: &random)
                if Bool.random(using: &random) {
                    budget.countRequest(worker: worker, now: second)
                    requests += 1
                } else if budget.take(worker: worker, now: second, share: 30_000) {
                    retries += 1
                    #expect(retries <= max(10, requests * 3 / 10))
                }
            }
        }
    }

    @Test("A long time and large counts do not overflow")
    func bounds() {
        let budget = RetryBudget(workerCount: 1)
        budget.countRequest(worker: 0, now: .max)
        #expect(budget.take(worker: 0, now: .max, share: .max))
        let tally = SlidingTally(workerCount: 1)
        tally.add(worker: 0, bucket: 1, first: .max, second: .max)
        tally.add(worker: 0, bucket: 1, first: .max, second: .min)
        #expect(tally.sums(through: 1) == .init(first: 0xFFFF_FFFF, second: 0))
        tally.add(worker: 7, bucket: 1, first: 1)
        #expect(tally.sums(through: 0) == .init())
    }
}
