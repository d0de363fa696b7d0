internal import EventLoop
internal import FleetMessages
internal import FleetModel
internal import FleetProtocol
internal import ProxyCore
internal import SnapshotCompiler
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// What a node knows of what operators want of endpoints, and of what it has said of them.
struct UpstreamLane {
    var shelf = AdjustmentShelf()
    /// Why it could not be stored; empty when it is.
    var problem = ""
    /// Whether the disk has what the shelf has.
    var isKept = false
    /// The message that is being stored and carried out; counts those that came.
    var number = 0
    var reporter = UpstreamReporter()
    /// Whether the monitor is being asked.
    var isLooking = false
    /// Whether something has changed since.
    var mustLookAgain = false
    /// What is worth telling of the next look.
    var extent = UpstreamReporter.Extent.changes
    var lookedAt = LoopInstant.never
}

/// The fast lane: what operators want of endpoints, and what the node reports of them.
///
///     control plane ══Adjustments══▶ shelf ──▶ DIR/adjustments
///                                      └─────▶ monitor ──▶ workers ──all──▶ AdjustmentsStatus
///     monitor ──changed──▶ look ──▶ UpstreamReport
extension ControlAgent {
    private var nowMilliseconds: Int64 { Int64(realtimeNanoseconds() / 1_000_000) }

    // MARK: Adjustments

    /// Keeps to what operators want from now on, and says so when every worker does.
    func adjust(_ message: WireAdjustments) {
        // Each session begins with it: what is on the disk already is not written again.
        let isKept = lane.isKept && message == lane.shelf.message
        let resets = lane.shelf.received(message)
        lane.number += 1
        let number = lane.number
        var isStored = false
        var isCarriedOut = false
        let finish = { [weak self] in
            guard let self, isStored, isCarriedOut, number == self.lane.number else { return }
            var status = WireAdjustmentsStatus()
            status.generation = message.generation
            status.problem = self.lane.problem
            if let link = self.link { link.perform(link.session.report(status)) }
        }
        if isKept {
            isStored = true
        } else {
            lane.isKept = false
            store(lane.shelf.archive) {
                isStored = true
                finish()
            }
        }
        carryOutAdjustments(resetting: resets) {
            isCarriedOut = true
            finish()
        }
    }

    private func store(_ archive: [UInt8], completion: @escaping () -> Void) {
        bench.run({ [directory] () -> String in
            do throws(SystemCallError) {
                try directory.write(adjustments: archive)
                return ""
            } catch {
                return "\(error)"
            }
        }) { [weak self] problem in
            guard let self else { return }
            if !problem.isEmpty, problem != self.lane.problem {
                self.node.log.write(
                    .error,
                    "adjustments.unstored",
                    ["directory": self.settings.directory, "reason": problem]
                )
            }
            self.lane.problem = problem
            self.lane.isKept = problem.isEmpty
            completion()
        }
    }

    /// Hands what is in force to the data plane, and looks again when the next one ends.
    func carryOutAdjustments(
        resetting resets: [EndpointName] = [],
        completion: @escaping () -> Void = {}
    ) {
        let now = nowMilliseconds
        let wishes = lane.shelf.wishes(now: now, serving: served?.snapshot.version)
        let mailbox = node.loop.mailbox
        let done = Handover(completion)
        node.server.adjust(wishes, resetting: resets) { mailbox.post { done.value() } }
        guard let end = lane.shelf.nextEnd(after: now) else { return }
        // The clock of the day may be set while it is waited for.
        adjustmentTimer?.set(after: .milliseconds(min(end - now + 1, 3_600_000)))
    }

    /// Reads what the disk has: it is in force before the first version is.
    func restoreAdjustments() {
        do throws(NodeError) {
            guard let file = try directory.readAdjustments() else { return }
            do throws(AdjustmentShelf.Fault) {
                lane.shelf = try AdjustmentShelf(archive: file)
                lane.isKept = true
            } catch {
                throw NodeError(error.description)
            }
        } catch {
            return node.log.write(
                .error,
                "adjustments.damaged",
                [
                    "file": directory.adjustmentsPath, "reason": error.description,
                    "remedy": "none is needed: the control plane sends them again",
                ]
            )
        }
        carryOutAdjustments()
    }

    // MARK: Reports

    /// A session began: it is told everything.
    func upstreamSessionBegan() {
        lane.reporter = UpstreamReporter()
        lookAtUpstreams(.all)
    }

    /// Something about an endpoint has changed.
    func upstreamsChanged() {
        guard let link, link.session.isSteady else { return }
        lookAtUpstreams(.changes)
    }

    /// Asks the monitor, at most once in a while, and reports.
    func lookAtUpstreams(_ extent: UpstreamReporter.Extent) {
        if extent == .all { lane.extent = .all }
        guard !lane.isLooking else { return lane.mustLookAgain = true }
        let pause = UInt64(Limits.upstreamReportMilliseconds) * 1_000_000
        let now = node.loop.now
        if lane.lookedAt != .never, now < lane.lookedAt.advanced(by: pause) {
            upstreamTimer?.set(after: .milliseconds(Limits.upstreamReportMilliseconds))
            return
        }
        lane.lookedAt = now
        lane.isLooking = true
        let mailbox = node.loop.mailbox
        let seen = Handover { [weak self] (statuses: [UpstreamStatus]) in
            guard let self else { return }
            self.lane.isLooking = false
            self.report(statuses)
        }
        node.server.upstreamStatuses { statuses in mailbox.post { seen.value(statuses) } }
    }

    private func report(_ statuses: [UpstreamStatus]) {
        guard let link, link.session.isSteady else { return }
        let pause = Duration.milliseconds(Limits.upstreamReportMilliseconds)
        guard link.backlogBytes <= Limits.reportBacklogBytesMax else {
            upstreamTimer?.set(after: pause)
            return
        }
        let extent = lane.extent
        lane.extent = .changes
        for report in lane.reporter.next(statuses, extent) {
            link.perform(link.session.report(report))
        }
        let isEmptying = statuses.contains { upstream in
            upstream.endpoints.contains { endpoint in
                let isOut = [.drained, .disabled].contains(endpoint.availability)
                return isOut && (endpoint.requests > 0 || endpoint.connections > 0)
            }
        }
        if lane.mustLookAgain || isEmptying {
            lane.mustLookAgain = false
            upstreamTimer?.set(after: pause)
        }
    }
}
