import EventLoop
import FleetMessages
@testable import NodeAgent
import Telemetry
import Testing

@Suite("MetricsReporter")
struct MetricsReporterTests {
    @Test("A report holds what was counted since the one before, and gauges as they are")
    func reportsDifferences() {
        let registry = MetricsRegistry(workerCount: 2)
        var reporter = MetricsReporter()
        registry.workers[0].add(.requests2xx, 5)
        reporter.begin(registry, now: LoopInstant(nanoseconds: 1_000_000_000))
        registry.workers[0].add(.requests2xx, 2)
        registry.workers[1].add(.requests2xx, 3)
        registry.workers[1].add(.connectionsOpen, 4)
        registry.workers[0].recordDuration(nanoseconds: 1_000_000)
        let rows = registry.rows(worker: 0, .route, names: ["a"])
        rows.record(0, nanoseconds: 10, failed: true)
        let report = reporter.next(registry, now: LoopInstant(nanoseconds: 11_000_000_000))
        #expect(report.sequence == 1 && report.intervalMilliseconds == 10_000)
        let requests = report.counters.filter { $0.name == "weir_requests_total" }
        #expect(requests.map(\.delta) == [5])
        #expect(requests.first?.labels.map(\.value) == ["2xx"])
        let open = report.gauges.first { $0.name == "weir_connections" }
        #expect(open?.value == 4)
        #expect(report.histograms.count == 1 && report.histograms[0].counts == [1])
        let errors = report.counters.first { $0.name == "weir_route_errors_total" }
        #expect(errors?.delta == 1 && errors?.labels.first?.value == "a")

        let quiet = reporter.next(registry, now: LoopInstant(nanoseconds: 21_000_000_000))
        #expect(quiet.sequence == 2 && quiet.counters.isEmpty && quiet.histograms.isEmpty)
    }
}
