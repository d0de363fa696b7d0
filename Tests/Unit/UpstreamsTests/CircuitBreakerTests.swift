import Testing
import Upstreams

@testable import FleetModel

@Suite("When nothing is sent to an upstream")
struct CircuitBreakerTests {
    private let second: UInt64 = 1_000_000_000
    private let limits = CircuitLimits(
        Circuit(
            errors: 50_000,
            minimumRequests: 4,
            window: .seconds(10),
            openFor: .seconds(5),
            status: 503
        )
    )

    private func record(
        _ breaker: CircuitBreaker,
        _ failures: [Bool],
        at now: UInt64,
        worker: Int = 0,
        isTrial: Bool = false
    ) -> CircuitBreaker.Change? {
        var change: CircuitBreaker.Change?
        for hasFailed in failures {
            let next = breaker.record(
                hasFailed: hasFailed,
                isTrial: isTrial,
                worker: worker,
                now: now,
                limits
            )
            change = next ?? change
        }
        return change
    }

    @Test("It opens at the share, and not before there were so many requests")
    func opens() {
        let breaker = CircuitBreaker(workerCount: 2)
        #expect(record(breaker, [true, true, true], at: second) == nil)
        #expect(breaker.admit(at: second) == .passes)
        #expect(record(breaker, [false, false, false, false], at: second, worker: 1) == nil)
        #expect(breaker.isClosed, "3 of 7 have failed")
        #expect(record(breaker, [true], at: second, worker: 1) == .opened)
        #expect(breaker.state(at: second) == .open)
        #expect(breaker.admit(at: 2 * second) == .isRefused(for: 4 * second))
    }

    @Test("A success does not open it, however many failures there were before")
    func successDoesNotOpen() {
        let breaker = CircuitBreaker(workerCount: 1)
        #expect(record(breaker, [true, true, true, false], at: second) == nil)
        #expect(record(breaker, [true], at: second) == .opened)
    }

    @Test("What is older than the window does not count")
    func window() {
        let breaker = CircuitBreaker(workerCount: 1)
        #expect(record(breaker, [true, true, true], at: second) == nil)
        #expect(record(breaker, [true, true, true], at: 12 * second) == nil)
        #expect(record(breaker, [true], at: 12 * second) == .opened)
    }

    @Test("Then one trial at a time, whose success closes it")
    func trialSucceeds() {
        let breaker = CircuitBreaker(workerCount: 1)
        _ = record(breaker, [true, true, true, true], at: second)
        #expect(breaker.state(at: 6 * second) == .halfOpen)
        #expect(breaker.admit(at: 6 * second) == .isTrial)
        #expect(breaker.admit(at: 6 * second) == .isRefused(for: 0))
        #expect(record(breaker, [false], at: 6 * second) == nil, "what began before says nothing")
        #expect(!breaker.isClosed)
        #expect(record(breaker, [false], at: 7 * second, isTrial: true) == .closed)
        #expect(breaker.admit(at: 7 * second) == .passes)
        #expect(record(breaker, [true, true, true], at: 7 * second) == nil, "it begins anew")
        #expect(record(breaker, [true], at: 7 * second) == .opened)
    }

    @Test("What came before it closed does not count, however late it ends")
    func late() {
        let breaker = CircuitBreaker(workerCount: 1)
        _ = record(breaker, [true, true, true, true], at: second)
        #expect(breaker.admit(at: 6 * second) == .isTrial)
        #expect(record(breaker, [false], at: 7 * second, isTrial: true) == .closed)
        func end(since start: UInt64) -> CircuitBreaker.Change? {
            breaker.record(
                hasFailed: true,
                since: start,
                isTrial: false,
                worker: 0,
                now: 8 * second,
                limits
            )
        }
        for _ in 0..<9 { #expect(end(since: 7 * second - 1) == nil) }
        for _ in 0..<3 { #expect(end(since: 7 * second) == nil) }
        #expect(end(since: 7 * second) == .opened)
    }

    @Test("A success that turns out to be none is a failure, and one request")
    func amending() {
        let breaker = CircuitBreaker(workerCount: 1)
        for number in 1...4 {
            #expect(record(breaker, [false], at: second) == nil)
            let change = breaker.record(
                hasFailed: true,
                isAmending: true,
                isTrial: false,
                worker: 0,
                now: second,
                limits
            )
            #expect(change == (number == 4 ? .opened : nil))
        }
    }

    @Test("A trial that fails opens it again")
    func trialFails() {
        let breaker = CircuitBreaker(workerCount: 1)
        _ = record(breaker, [true, true, true, true], at: second)
        #expect(breaker.admit(at: 6 * second) == .isTrial)
        #expect(record(breaker, [true], at: 7 * second, isTrial: true) == .opened)
        #expect(breaker.admit(at: 8 * second) == .isRefused(for: 4 * second))
        #expect(breaker.admit(at: 12 * second) == .isTrial)
    }

    @Test("A trial that comes to nothing leaves room for another")
    func trialIsAbandoned() {
        let breaker = CircuitBreaker(workerCount: 1)
        _ = record(breaker, [true, true, true, true], at: second)
        #expect(breaker.admit(at: 6 * second) == .isTrial)
        breaker.abandonTrial()
        #expect(breaker.admit(at: 6 * second) == .isTrial)
    }
}
