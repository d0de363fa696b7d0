package import EventLoop

/// A name that is followed: what of it, and how often.
package struct FollowedName: Hashable, Sendable {
    /// In lower case, without a final dot.
    package let name: String
    /// What of it.
    package let wanted: RecordsWanted
    /// Whether the system's search list is left out.
    package let isAbsolute: Bool
    /// How often.
    package let refresh: NameSchedule.Refresh

    /// Joins the parts.
    package init(
        _ name: String,
        _ wanted: RecordsWanted,
        isAbsolute: Bool = false,
        refresh: NameSchedule.Refresh = .held
    ) {
        (self.name, self.wanted) = (name, wanted)
        (self.isAbsolute, self.refresh) = (isAbsolute, refresh)
    }

    /// The same name, however often it is looked up.
    var asHeld: FollowedName { FollowedName(name, wanted, isAbsolute: isAbsolute) }
}

/// What is known of a name that is followed.
package struct NameState: Sendable {
    /// What it last led to; `nil` when it never did, or has had no records for long.
    package var answer: NameAnswer?
    /// When that came.
    package var answeredAt: LoopInstant?
    /// Why the last lookup has failed; `nil` when it has not.
    package var failure: LookupFailure?
    /// When the first of the lookups that have failed since did.
    package var failingSince: LoopInstant?
    /// Whether a lookup has ended, in whatever way.
    package var isSettled: Bool { answer != nil || failure != nil }
}

/// What has become of a name.
package enum NameChange: Equatable, Sendable {
    /// It leads elsewhere than before, or for the first time somewhere.
    case answered
    /// It leads to the same again, after lookups that failed.
    case healed
    /// A lookup has failed, the first after an answer or otherwise than the last; what it led to before still counts.
    case failing
    /// It has had no records for so long that what it led to before counts no longer.
    case emptied
}

/// Follows names: looks each up when it is due, and tells what has changed.
///
/// Confined to its loop.
package final class NameDirectory {
    private let loop: EventLoop
    private let resolver: Resolver
    private var watches: [FollowedName: NameWatch] = [:]
    private let changed: (FollowedName, NameChange) -> Void
    /// What names led to for an earlier process, until they are looked up.
    package var remembered: [FollowedName: NameAnswer] = [:]

    /// Makes a directory that follows no name yet.
    ///
    /// - Parameters:
    ///   - loop: The resolver's.
    ///   - resolver: Outlives it.
    ///   - changed: Called on the loop.
    package init(
        on loop: EventLoop,
        resolver: Resolver,
        changed: @escaping (FollowedName, NameChange) -> Void
    ) {
        (self.loop, self.resolver, self.changed) = (loop, resolver, changed)
    }

    /// Follows these names from now on, and no others.
    ///
    /// What is known of those that stay is kept, and the answers of those that are only to be looked up more or less
    /// often.
    package func follow(_ names: Set<FollowedName>) {
        let added = names.filter { watches[$0] == nil }
        let known = added.isEmpty ? [:] : answers
        for (name, watch) in watches where !names.contains(name) {
            watch.stop()
            watches[name] = nil
        }
        for name in added {
            let watch = NameWatch(name, on: loop, resolver) { [unowned self] in
                changed(name, $0)
            }
            watches[name] = watch
            if let before = known[name.asHeld] ?? remembered[name.asHeld] { watch.remember(before) }
        }
    }

    /// What is known of a name; nothing of one that is not followed.
    package func state(of name: FollowedName) -> NameState {
        watches[name]?.state ?? NameState()
    }

    /// How many of the names could not be looked up the last time, and the age of the oldest answer that counts, in
    /// nanoseconds.
    package var summary: (failing: UInt64, oldestNanoseconds: UInt64) {
        var summary: (failing: UInt64, oldestNanoseconds: UInt64) = (0, 0)
        for watch in watches.values {
            if watch.state.failure != nil { summary.failing += 1 }
            guard let answeredAt = watch.state.answeredAt, watch.state.answer != nil else {
                continue
            }
            let age = loop.now.nanoseconds(since: answeredAt)
            summary.oldestNanoseconds = max(summary.oldestNanoseconds, age)
        }
        return summary
    }

    /// What counts of all names now, for a later process.
    package var answers: [FollowedName: NameAnswer] {
        var answers: [FollowedName: NameAnswer] = [:]
        for (name, watch) in watches { answers[name.asHeld] = watch.state.answer }
        return answers
    }

    /// Follows no name any more.
    package func stop() {
        follow([])
    }
}

/// One name that is followed.
final class NameWatch: EventHandler {
    private(set) var state = NameState()
    private let name: FollowedName
    private let loop: EventLoop
    private let resolver: Resolver
    private let changed: (NameChange) -> Void
    private var schedule: NameSchedule
    private var registration = Registration.none
    private var isStopped = false

    init(
        _ name: FollowedName,
        on loop: EventLoop,
        _ resolver: Resolver,
        changed: @escaping (NameChange) -> Void
    ) {
        (self.name, self.loop, self.resolver) = (name, loop, resolver)
        self.changed = changed
        schedule = NameSchedule(name.refresh, now: loop.now)
        registration = loop.register(self)
        deadlinePassed()
    }

    func deadlinePassed() {
        resolver.lookUp(name.name, name.wanted, isAbsolute: name.isAbsolute) { [weak self] in
            self?.take($0)
        }
    }

    func remember(_ answer: NameAnswer) {
        guard state.answer == nil else { return }
        state.answer = answer
    }

    func stop() {
        isStopped = true
        loop.unregister(registration)
        registration = .none
    }

    private func take(_ result: Result<NameAnswer, LookupFailure>) {
        guard !isStopped else { return }
        let now = loop.now
        let spread = UInt64.random(in: 0...99)
        let change: NameChange?
        switch result {
        case .success(let answer):
            schedule.answered(seconds: answer.seconds, now: now, spread: spread)
            change = takeAnswer(answer, now)
        case .failure(let failure):
            let isEmptied = schedule.failed(failure, now: now, spread: spread)
            change = takeFailure(failure, isEmptied: isEmptied)
        }
        loop.setDeadline(of: registration, at: schedule.next)
        if let change { changed(change) }
    }

    private func takeAnswer(_ answer: NameAnswer, _ now: LoopInstant) -> NameChange? {
        let (before, hadFailed) = (state.answer, state.failure != nil)
        state = NameState(answer: answer, answeredAt: now)
        guard before?.leadsToSame(as: answer) == true else { return .answered }
        return hadFailed ? .healed : nil
    }

    private func takeFailure(_ failure: LookupFailure, isEmptied: Bool) -> NameChange? {
        let before = state.failure
        state.failure = failure
        state.failingSince = schedule.failingSince
        if isEmptied, state.answer != nil {
            state.answer = nil
            return .emptied
        }
        // How long a name is known not to be may differ from one answer to the next.
        return before?.description == failure.description ? nil : .failing
    }
}
