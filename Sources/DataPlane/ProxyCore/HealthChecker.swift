internal import EventLoop
internal import FleetModel
internal import Upstreams

/// Has one endpoint checked again and again, never twice at a time.
///
/// The time from one check's beginning to the next one's is the interval, of which a part is left to chance; a check
/// that takes longer is followed by the next one at once. Confined to the monitor's loop.
final class HealthChecker: EventHandler {
    private unowned let desk: CheckDesk
    private let state: EndpointState
    let upstream: String
    private(set) var plan: CheckPlan
    private(set) var target: CheckTarget
    private var registration = Registration.none
    private var running: CheckConnection?
    private var began = LoopInstant.never
    private var isWaiting = false

    init(
        _ desk: CheckDesk,
        _ upstream: String,
        _ state: EndpointState,
        _ plan: CheckPlan,
        _ target: CheckTarget
    ) {
        (self.desk, self.upstream, self.state) = (desk, upstream, state)
        (self.plan, self.target) = (plan, target)
        registration = desk.loop.register(self)
    }

    /// Has the first check begin after this time.
    func start(after nanoseconds: UInt64) {
        desk.loop.setDeadline(of: registration, at: desk.loop.now.advanced(by: nanoseconds))
    }

    /// Goes over to other settings or addresses; with other settings, what runs is of no use.
    func update(_ plan: CheckPlan, _ target: CheckTarget) {
        if Set(target.addresses) != Set(self.target.addresses) || target.host != self.target.host
            || target.server != self.target.server
        {
            self.target = target
        }
        guard plan !== self.plan else { return }
        self.plan = plan
        stopRunning()
        start(after: 0)
    }

    /// Leaves the loop.
    func stop() {
        stopRunning()
        desk.loop.unregister(registration)
        registration = .none
    }

    private func stopRunning() {
        guard let running else { return }
        running.cancel()
        self.running = nil
        desk.checkIsOver()
    }

    func deadlinePassed() {
        guard running == nil, !isWaiting else { return }
        isWaiting = true
        desk.ask(self)
    }

    /// There is room for a check.
    ///
    /// - Returns: Whether one has begun.
    func begin() -> Bool {
        isWaiting = false
        guard registration != .none, running == nil else { return false }
        began = desk.loop.now
        running = CheckConnection(desk.loop, plan, target, desk.room) { [unowned self] verdict in
            end(verdict)
        }
        return true
    }

    private func end(_ verdict: CheckVerdict) {
        // The address that answers is asked first the next time.
        if verdict == .passed, let address = running?.address,
            let index = target.addresses.firstIndex(of: address), index > 0
        {
            target.addresses.swapAt(0, index)
        }
        running = nil
        let now = desk.loop.now
        let taken = now.nanoseconds(since: began)
        let interval = desk.interval(of: plan.check)
        start(after: interval > taken ? interval - taken : 0)
        desk.checkEnded(self, state, verdict, nanoseconds: taken)
    }
}
