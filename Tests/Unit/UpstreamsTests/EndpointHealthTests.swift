import EventLoop
@testable import FleetModel
import Testing
import Upstreams

@Suite("The health of an endpoint")
struct EndpointHealthTests {
    private static let second: UInt64 = 1_000_000_000

    private func at(_ seconds: UInt64) -> LoopInstant {
        LoopInstant(nanoseconds: (1_000 + seconds) * Self.second)
    }

    private func check(healthyAfter: Int = 2, unhealthyAfter: Int = 3) -> HealthCheck {
        HealthCheck(
            probe: .tcp,
            interval: .seconds(5),
            timeout: .seconds(1),
            healthyAfter: healthyAfter,
            unhealthyAfter: unhealthyAfter,
            jitter: 0
        )
    }

    private func outliers(ejectFor: Int = 10, maximum: Int = 50_000) -> Outliers {
        Outliers(
            consecutiveErrors: 5,
            successRate: 0,
            ejectFor: .seconds(ejectFor),
            maximumEjected: maximum
        )
    }

    /// A health with the results of checks, one a second.
    private func health(_ results: String, check: HealthCheck? = nil) -> EndpointHealth {
        var health = EndpointHealth(
            check: check ?? self.check(),
            outliers: outliers(),
            now: at(0)
        )
        feed(results, to: &health)
        return health
    }

    private func feed(_ results: String, to health: inout EndpointHealth, from second: UInt64 = 0) {
        for (index, result) in results.enumerated() {
            let now = at(second + UInt64(index))
            let failure: String? = result == "+" ? nil : "status 500"
            _ = health.checked(
                CheckResult(unixNanoseconds: 0, nanoseconds: 1, failure: failure),
                now: now
            )
        }
    }

    @Test("out of reach is no verdict; a connection that stands ends it, and an ejection with it")
    func reach() {
        var health = health("+")
        func lost(_ why: String = "refused") -> Bool { health.lost(for: why) }
        func found(_ second: UInt64) -> Bool { health.found(now: at(second)) }
        func eject(_ second: UInt64) -> Bool {
            health.eject(for: "500", wellUntil: at(second), now: at(second))
        }
        func forget() -> Bool { health.forget(now: at(11)) }
        #expect(lost())
        #expect(!lost("late"))
        #expect(health.availability == .available && health.lostFor == "refused")
        #expect(!found(1), "nothing else was said of it")
        #expect(health.isReachable)
        // What it answers badly is not forgotten for a connection ...
        #expect(eject(2))
        #expect(!found(3))
        #expect(health.isEjected)
        // ... unless it was gone in between.
        #expect(lost())
        #expect(found(4))
        #expect(health.availability == .available)
        #expect(lost())
        #expect(eject(5))
        #expect(found(6))
        #expect(!health.isEjected)
        // Checks keep their say, and so do operators.
        feed("---", to: &health, from: 7)
        #expect(lost())
        #expect(!found(10))
        #expect(health.availability == .unhealthy)
        #expect(lost())
        #expect(forget())
        #expect(health.isReachable)
    }

    @Test("silent is who lets a check wait, once that has made it unhealthy")
    func silence() {
        var health = health("+")
        func check(_ failure: String?, _ kind: CheckResult.Failure = .wrong) -> Bool {
            let result = CheckResult(
                unixNanoseconds: 0,
                nanoseconds: 1,
                failure: failure,
                kind: kind
            )
            _ = health.checked(result, now: at(1))
            return health.isSilent
        }
        for _ in 0..<2 { #expect(!check("late", .late)) }
        #expect(check("late", .late))
        #expect(!check("status 500"))
        #expect(check("late", .late))
        for _ in 0..<2 { #expect(!check(nil)) }
    }

    @Test(
        "results in a row count, but for a first one that fails",
        arguments: [
            ("", true), ("-", false), ("-+", false), ("-++", true), ("-+-+", false), ("+--", true),
            ("+---", false), ("+--+--", true), ("+---+-++", true), ("+---+-+", false),
        ]
    )
    func thresholds(results: String, isWell: Bool) {
        #expect((health(results).availability == .available) == isWell)
    }

    @Test("what is told of a failure says what failed, how often, and since when")
    func reasons() {
        let first = health("-")
        #expect(first.reason == "check failed: status 500")
        let third = health("+---")
        #expect(third.reason == "3 checks in a row failed: status 500")
        #expect(third.since == at(3))
        #expect(third.lastCheck?.failure == "status 500")
        let well = health("+---++")
        #expect(well.reason.isEmpty)
        #expect(well.availableSince == at(5))
    }

    @Test("other checks count anew and keep the verdict; without checks there is none")
    func adapts() {
        var health = health("+---+")
        #expect(health.adapt(check: check(healthyAfter: 2), outliers: nil, now: at(9)) == false)
        feed("+", to: &health, from: 9)
        #expect(health.availability == .available, "the same settings count on")
        feed("--", to: &health, from: 10)
        #expect(health.adapt(check: check(unhealthyAfter: 2), outliers: nil, now: at(12)) == false)
        feed("-", to: &health, from: 12)
        #expect(health.availability == .available, "other settings count anew")
        feed("-", to: &health, from: 13)
        #expect(health.availability == .unhealthy)
        #expect(health.adapt(check: check(healthyAfter: 1), outliers: nil, now: at(14)) == false)
        #expect(health.availability == .unhealthy)
        #expect(health.adapt(check: nil, outliers: nil, now: at(15)) == true)
        #expect(health.availability == .available)
        #expect(health.lastCheck == nil)
    }

    @Test("ejections that follow each other grow to a bound, and shrink while it is well")
    func ejections() {
        var health = EndpointHealth(check: nil, outliers: outliers(), now: at(0))
        #expect(health.eject(for: "5 failures in a row", wellUntil: at(0), now: at(0)) == true)
        #expect(health.availability == .ejected)
        #expect(health.reason == "5 failures in a row; out for 10 s")
        let isNew = health.eject(for: "again", wellUntil: at(1), now: at(1))
        #expect(!isNew, "it is out already")
        #expect(health.timePassed(now: at(9)) == false)
        #expect(health.timePassed(now: at(10)) == true)
        #expect(health.availability == .available)
        #expect(health.eject(for: "again", wellUntil: at(12), now: at(12)) == true)
        #expect(health.ejectedUntil == at(32))
        #expect(health.timePassed(now: at(32)) == true)
        // Well for one time of ejectFor: one less.
        #expect(health.eject(for: "again", wellUntil: at(43), now: at(43)) == true)
        #expect(health.ejectedUntil == at(63))
        #expect(health.timePassed(now: at(63)) == true)
        var now: UInt64 = 63
        for _ in 0..<20 {
            _ = health.eject(for: "again", wellUntil: at(now), now: at(now))
            now = health.ejectedUntil.nanoseconds / Self.second - 1_000
            _ = health.timePassed(now: at(now))
        }
        #expect(health.eject(for: "again", wellUntil: at(now), now: at(now)) == true)
        #expect(health.ejectedUntil == at(now + 100))
    }

    @Test("who answered nothing well before it is ejected again was not well")
    func ejectionsOfTheSlow() {
        var health = EndpointHealth(check: nil, outliers: outliers(), now: at(0))
        #expect(health.eject(for: "late", wellUntil: at(0), now: at(0)) == true)
        #expect(health.timePassed(now: at(10)) == true)
        #expect(health.eject(for: "late", wellUntil: nil, now: at(60)) == true)
        #expect(health.ejectedUntil == at(80))
        #expect(health.timePassed(now: at(80)) == true)
        #expect(health.eject(for: "late", wellUntil: at(130), now: at(130)) == true)
        #expect(health.ejectedUntil == at(140))
    }

    @Test("an ejection ends early where checks have failed since and pass again")
    func returnsEarly() {
        var health = health("+")
        #expect(health.eject(for: "x", wellUntil: at(1), now: at(1)) == true)
        feed("++", to: &health, from: 2)
        #expect(health.availability == .ejected, "the checks never saw anything wrong")
        feed("-+", to: &health, from: 4)
        #expect(health.availability == .ejected)
        feed("+", to: &health, from: 6)
        #expect(health.availability == .available)
        #expect(!health.isEjected)
    }

    @Test("an unhealthy endpoint whose ejection is over stays out")
    func staysOut() {
        var health = health("+")
        _ = health.eject(for: "x", wellUntil: at(1), now: at(1))
        feed("---", to: &health, from: 2)
        #expect(health.availability == .unhealthy)
        #expect(health.timePassed(now: at(11)) == false)
        #expect(health.availability == .unhealthy)
        feed("++", to: &health, from: 12)
        #expect(health.availability == .available)
    }

    @Test("disabled, drained, unresolved, unhealthy, ejected: the first that holds")
    func precedence() {
        var health = health("-")
        _ = health.eject(for: "x", wellUntil: at(1), now: at(1))
        #expect(health.availability == .unhealthy)
        #expect(health.resolved(false, now: at(2)) == true)
        #expect(health.availability == .unresolved)
        #expect(health.take(.drained, now: at(3)) == true)
        #expect(health.availability == .drained)
        #expect(health.take(.disabled, now: at(4)) == true)
        #expect(health.availability == .disabled)
        #expect(health.take(.none, now: at(5)) == true)
        #expect(health.availability == .unresolved)
        #expect(health.resolved(true, now: at(6)) == true)
        #expect(health.forget(now: at(7)) == true)
        #expect(health.availability == .available)
        #expect(health.since == at(7))
    }

    @Test(
        "how many may be ejected, and when all are used",
        arguments: [
            (50_000, [0, 1, 1, 2, 2], 50_000), (10_000, [0, 1, 1, 1, 1], 10_000),
            (100_000, [1, 2, 3, 4, 5], 0), (80_000, [0, 1, 2, 3, 4], 20_000),
        ]
    )
    func shares(maximum: Int, counts: [Int], panic: Int) {
        let outliers = outliers(maximum: maximum)
        #expect((1...5).map { outliers.ejectable(of: $0) } == counts)
        #expect(outliers.panicShare == panic)
    }

    @Test("the share of successes of ten seconds, where there are enough requests")
    func successRates() {
        var window = SuccessRateWindow()
        var sum = SuccessRateWindow.Tally()
        func advance(_ successes: UInt64, _ failures: UInt64) -> Int? {
            sum.successes += successes
            sum.failures += failures
            return window.advance(to: sum)
        }
        #expect(advance(1000, 0) == nil, "what was before is not of interest")
        #expect(advance(19, 0) == nil)
        #expect(advance(0, 1) == 95_000)
        for _ in 0..<8 { _ = advance(1, 1) }
        #expect(advance(0, 20) == 8 * 100_000 / 37, "only the last ten seconds count")
        window.clear()
        #expect(advance(100, 0) == nil)
    }

    @Test("failures in a row over all workers, until one goes well")
    func outcomes() {
        let outcomes = EndpointState(connectionsMax: .max, workerCount: 2).outcomes
        #expect(outcomes.failed(worker: 0, isCounted: true) == 1)
        #expect(outcomes.failed(worker: 1, isCounted: true) == 2)
        outcomes.succeeded(worker: 1, isCounted: true)
        #expect(outcomes.failed(worker: 0, isCounted: false) == 1)
        outcomes.forgetFailures()
        #expect(outcomes.failed(worker: 0, isCounted: true) == 1)
        #expect(outcomes.tally == SuccessRateWindow.Tally(successes: 1, failures: 3))
    }

    @Test("who comes back is proven by the first try that goes well")
    func proof() {
        let outcomes = EndpointState(connectionsMax: .max, workerCount: 2).outcomes
        #expect(outcomes.isProven)
        _ = outcomes.failed(worker: 0, isCounted: false)
        outcomes.beginAnew()
        #expect(!outcomes.isProven)
        #expect(outcomes.failed(worker: 0, isCounted: false) == 1)
        #expect(outcomes.failed(worker: 1, isCounted: false) == 2)
        outcomes.forgetFailures()
        #expect(!outcomes.isProven)
        #expect(outcomes.failed(worker: 1, isCounted: false) == 1)
        outcomes.succeeded(worker: 0, isCounted: false)
        #expect(outcomes.isProven)
        #expect(outcomes.failed(worker: 1, isCounted: false) == 1)
    }
}
