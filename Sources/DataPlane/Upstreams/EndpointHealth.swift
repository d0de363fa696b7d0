package import EventLoop
package import FleetModel

/// Whether one endpoint takes requests, and why not: what its checks, its answers and operators say.
///
///     disabled > drained > unresolved > unhealthy > ejected > available: the first that holds counts
///
/// Until its first check has ended an endpoint is available, and a first check that fails is enough to call it
/// unhealthy, as a server of HAProxy has it; from then on results in a row count. Ejections that follow each other grow;
/// for each time of `ejectFor` that an endpoint is well afterwards, the next one is shorter again. How long it
/// took to be found failing again is not a time of being well.
///
/// Beside all that, an endpoint to which requests got no connection is out of reach until one stands again. That is no
/// verdict: it stays available, and is left alone as long as there are others. Time is passed in.
package struct EndpointHealth: Sendable {
    /// How it is checked; `nil` is not at all.
    private var check: HealthCheck?
    private var outliers: Outliers?
    /// Whether its name leads anywhere.
    private var isResolved = true
    private var word = OperatorWord.none
    /// What checks have said last; true before they have said anything.
    private var isHealthy = true
    /// Whether a check has ended.
    private var isChecked = false
    /// Results in a row that contradict `isHealthy`.
    private var contradictions = 0
    /// Checks in a row that have passed.
    private var passes = 0
    private var ejection: Ejection?
    /// Ejections in a row.
    private var ejectionCount = 0
    /// When the last ejection ended.
    private var returnedAt = LoopInstant.never
    /// What is told of the checks, where they fail.
    private var failure = ""
    /// Why no connection can be made; `nil` while nothing is known against it.
    package private(set) var lostFor: String?

    /// Whether it takes requests, and if not, why.
    package private(set) var availability = Availability.available
    /// The same in words; empty where it does.
    package private(set) var reason = ""
    /// Since when that is so.
    package private(set) var since: LoopInstant
    /// Since when it takes requests, also where it does not any more.
    package private(set) var availableSince: LoopInstant
    /// The check that ended last.
    package private(set) var lastCheck: CheckResult?

    private struct Ejection {
        let until: LoopInstant
        let reason: String
        /// Whether a check, or a connection, has failed since.
        var hasFailedChecks: Bool
    }

    /// How much longer than the first one an ejection becomes at most.
    package static let ejectionGrowthMax = 10

    /// The health of an endpoint of which nothing is known.
    package init(check: HealthCheck?, outliers: Outliers?, now: LoopInstant) {
        (self.check, self.outliers) = (check, outliers)
        (since, availableSince) = (now, now)
    }

    /// Whether connections to it can be made, as far as is known.
    package var isReachable: Bool { lostFor == nil }
    /// Whether it is unhealthy, and nothing came of the check that ended last.
    package var isSilent: Bool {
        !isHealthy && lastCheck?.failure != nil && lastCheck?.kind == .late
    }
    /// Whether it is ejected, whatever else holds.
    package var isEjected: Bool { ejection != nil }
    /// When its ejection ends; `never` without one.
    package var ejectedUntil: LoopInstant { ejection?.until ?? .never }

    // MARK: Inputs, each of which tells whether the availability has changed

    /// Goes over to other settings: what is known stays, and counting begins anew where they have changed.
    package mutating func adapt(
        check: HealthCheck?,
        outliers: Outliers?,
        now: LoopInstant
    ) -> Bool {
        if check != self.check {
            (contradictions, passes) = (0, 0)
            if check == nil || self.check == nil {
                (isHealthy, isChecked, lastCheck) = (true, false, nil)
            }
            self.check = check
        }
        if outliers == nil { (ejection, ejectionCount) = (nil, 0) }
        self.outliers = outliers
        return settle(now)
    }

    /// Its name leads somewhere, or no longer.
    package mutating func resolved(_ isResolved: Bool, now: LoopInstant) -> Bool {
        self.isResolved = isResolved
        return settle(now)
    }

    /// An operator has decided.
    package mutating func take(_ word: OperatorWord, now: LoopInstant) -> Bool {
        self.word = word
        return settle(now)
    }

    /// An operator wants what is known forgotten: ejections and what checks have said.
    package mutating func forget(now: LoopInstant) -> Bool {
        (isHealthy, isChecked, contradictions, passes) = (true, false, 0, 0)
        (ejection, ejectionCount, returnedAt) = (nil, 0, .never)
        lostFor = nil
        return settle(now)
    }

    /// A request got no connection.
    ///
    /// - Parameter why: What became of it.
    /// - Returns: Whether that is news.
    package mutating func lost(for why: String) -> Bool {
        guard isReachable else { return false }
        lostFor = why
        ejection?.hasFailedChecks = true
        return true
    }

    /// A connection stands again: what it was ejected for before is over.
    package mutating func found(now: LoopInstant) -> Bool {
        guard !isReachable else { return false }
        lostFor = nil
        if ejection?.hasFailedChecks == true { endEjection(now) }
        return settle(now)
    }

    /// A check has ended.
    package mutating func checked(_ result: CheckResult, now: LoopInstant) -> Bool {
        guard let check else { return false }
        lastCheck = result
        let isFirst = !isChecked
        isChecked = true
        if let why = result.failure {
            passes = 0
            ejection?.hasFailedChecks = true
            contradictions = isHealthy ? contradictions + 1 : 0
            if isHealthy, isFirst || contradictions >= check.unhealthyAfter {
                let count = contradictions
                failure = (count > 1 ? "\(count) checks in a row failed: " : "check failed: ") + why
                (isHealthy, contradictions) = (false, 0)
            }
        } else {
            passes = min(passes + 1, check.healthyAfter)
            contradictions = isHealthy ? 0 : contradictions + 1
            if contradictions >= check.healthyAfter, !isHealthy {
                (isHealthy, contradictions) = (true, 0)
            }
            // What failed and is well again was down, and has come back: nothing is to be waited for.
            if passes >= check.healthyAfter, ejection?.hasFailedChecks == true { endEjection(now) }
        }
        return settle(now)
    }

    /// It is left out for what it has answered.
    ///
    /// - Parameters:
    ///   - why: What it has answered.
    ///   - wellUntil: When it was well last; `nil` where it was not since its last ejection ended.
    ///   - now: The moment.
    /// - Returns: Whether the availability has changed.
    package mutating func eject(
        for why: String,
        wellUntil: LoopInstant?,
        now: LoopInstant
    ) -> Bool {
        guard let outliers, ejection == nil else { return false }
        let unit = max(outliers.ejectFor.nanoseconds, 1)
        if ejectionCount > 0, let wellUntil {
            let wellFor = wellUntil.nanoseconds(since: returnedAt) / unit
            ejectionCount -= min(ejectionCount, Int(clamping: wellFor))
        }
        ejectionCount = min(ejectionCount + 1, Self.ejectionGrowthMax)
        let (length, overflow) = unit.multipliedReportingOverflow(by: UInt64(ejectionCount))
        ejection = Ejection(
            until: now.advanced(by: overflow ? .max : length),
            reason: "\(why); out for \(Self.text(overflow ? .max : length))",
            hasFailedChecks: !isReachable
        )
        return settle(now)
    }

    /// The time has come: ends an ejection whose time is over.
    package mutating func timePassed(now: LoopInstant) -> Bool {
        guard let ejection, ejection.until <= now else { return false }
        endEjection(now)
        return settle(now)
    }

    /// A time for readers.
    private static func text(_ nanoseconds: UInt64) -> String {
        let milliseconds = nanoseconds / 1_000_000
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }

    private mutating func endEjection(_ now: LoopInstant) {
        ejection = nil
        returnedAt = now
    }

    /// Works out what holds.
    ///
    /// - Returns: Whether that is something else than before.
    private mutating func settle(_ now: LoopInstant) -> Bool {
        let before = availability
        switch word {
        case .disabled: (availability, reason) = (.disabled, "disabled by an operator")
        case .drained: (availability, reason) = (.drained, "drained by an operator")
        case .none:
            if !isResolved {
                (availability, reason) = (.unresolved, "its name does not resolve")
            } else if !isHealthy {
                (availability, reason) = (.unhealthy, failure)
            } else if let ejection {
                (availability, reason) = (.ejected, ejection.reason)
            } else {
                (availability, reason) = (.available, "")
            }
        }
        guard availability != before else { return false }
        since = now
        if availability == .available { availableSince = now }
        return true
    }
}

/// What an operator has said of an endpoint; it goes before all else.
package enum OperatorWord: Hashable, Sendable {
    /// Nothing.
    case none
    /// It takes no new requests.
    case drained
    /// It is out.
    case disabled
}

/// What a check came to.
package struct CheckResult: Sendable {
    /// When it ended, in nanoseconds since 1970-01-01 UTC.
    package let unixNanoseconds: UInt64
    /// How long it took.
    package let nanoseconds: UInt64
    /// Why it failed; `nil` where it passed.
    package let failure: String?
    /// Of what kind the failure is, where it failed.
    package let kind: Failure

    /// How a check fails.
    package enum Failure: Sendable {
        /// Something else came than was wanted.
        case wrong
        /// Nothing came in time.
        case late
        /// There was no connection to be had.
        case unconnected
    }

    package init(
        unixNanoseconds: UInt64,
        nanoseconds: UInt64,
        failure: String?,
        kind: Failure = .wrong
    ) {
        (self.unixNanoseconds, self.nanoseconds) = (unixNanoseconds, nanoseconds)
        (self.failure, self.kind) = (failure, kind)
    }
}

extension Outliers {
    /// How many of an upstream's endpoints may be ejected at a time.
    ///
    /// The share is rounded down, but of two or more endpoints one always may; a single one only with 100 %.
    ///
    /// - Parameter count: How many endpoints there are.
    /// - Returns: How many.
    package func ejectable(of count: Int) -> Int {
        let (product, overflow) = count.multipliedReportingOverflow(by: maximumEjected)
        let share = overflow ? count : product / 100_000
        return count > 1 ? min(max(share, 1), count) : min(share, count)
    }

    /// Below which share of available endpoints all are used, in thousandths of a percent.
    ///
    /// As much as may be ejected; above a half, what that leaves, so that ejections that are allowed have an effect.
    package var panicShare: Int { min(maximumEjected, 100_000 - maximumEjected) }
}
