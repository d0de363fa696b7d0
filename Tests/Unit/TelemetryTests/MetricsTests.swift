import Telemetry
import Testing

@Suite("Metrics")
struct MetricsTests {
    @Test("Every metric is declared once, with a unit at the end of its name")
    func table() {
        var seen: [Metric: Int] = [:]
        for family in MetricFamily.all {
            #expect(family.name.hasPrefix("weir_"))
            if family.kind == .counter { #expect(family.name.hasSuffix("_total")) }
            if family.kind == .gauge, family.unit != .none {
                #expect(family.name.hasSuffix("_\(family.unit.rawValue)"))
            }
            for sample in family.samples { seen[sample.metric, default: 0] += 1 }
        }
        for metric in Metric.allCases { #expect(seen[metric] == 1, "\(metric)") }
        #expect(Set(MetricFamily.all.map(\.name)).count == MetricFamily.all.count)
        #expect(Set(ProxyErrorType.allCases.map(\.index)).count == ProxyErrorType.allCases.count)
    }

    @Test("Counters are summed over workers and gauges of time take the largest")
    func merging() {
        let registry = MetricsRegistry(workerCount: 2)
        registry.workers[0].add(.requests2xx, 3)
        registry.workers[1].add(.requests2xx)
        registry.workers[1].add(.requests5xx)
        registry.workers[0].add(.connectionsOpen, 5)
        registry.workers[0].subtract(.connectionsOpen, 2)
        registry.workers[0].set(.loopLag, 7)
        registry.workers[1].set(.loopLag, 9)
        registry.workers[1].countError(.connectionRefused)
        registry.process.set(.activeVersion, 12)
        let snapshot = registry.snapshot()
        #expect(snapshot[.requests2xx] == 4)
        #expect(snapshot.requestCount == 5)
        #expect(snapshot[.connectionsOpen] == 3)
        #expect(snapshot[.loopLag] == 9)
        #expect(snapshot[.connectionRefused] == 1)
        #expect(snapshot[.activeVersion] == 12)
    }

    @Test("A difference has counters since then and gauges as they are")
    func differences() {
        let registry = MetricsRegistry(workerCount: 1)
        registry.workers[0].add(.requests2xx, 3)
        registry.workers[0].recordDuration(nanoseconds: 1_000_000)
        registry.workers[0].add(.connectionsOpen, 5)
        let before = registry.snapshot()
        registry.workers[0].add(.requests2xx, 4)
        registry.workers[0].recordDuration(nanoseconds: 1_000_000)
        registry.workers[0].recordDuration(nanoseconds: 3)
        let difference = registry.snapshot().since(before)
        #expect(difference[.requests2xx] == 4)
        #expect(difference[.connectionsOpen] == 5)
        #expect(difference.durations.count == 2)
        #expect(difference.durations.sum == 1_000_003)
    }

    @Test("Endpoints have lines of their own, with what they are called escaped")
    func endpoints() {
        let endpoint = EndpointNumbers(
            upstream: "shop",
            address: #"unix:/run/a"b\c"#,
            isAvailable: false,
            connections: 3,
            requests: 1,
            successes: 7,
            failures: 2
        )
        let text = PrometheusText.endpoints([endpoint], omitted: 4)
        let labels = ##"upstream="shop",endpoint="unix:/run/a\"b\\c""##
        for line in [
            "weir_endpoint_available{\(labels)} 0", "weir_endpoint_connections{\(labels)} 3",
            "weir_endpoint_requests{\(labels)} 1",
            #"weir_endpoint_tries_total{\#(labels),result="success"} 7"#,
            #"weir_endpoint_tries_total{\#(labels),result="failure"} 2"#,
            "# TYPE weir_endpoint_tries_total counter", "weir_endpoints_omitted 4",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
    }

    @Test("A route keeps its numbers while it is in the configuration")
    func rows() {
        let registry = MetricsRegistry(workerCount: 2)
        let first = registry.rows(worker: 0, .route, names: ["a", "b"])
        first.record(0, nanoseconds: 5, failed: false)
        first.record(1, nanoseconds: 5, failed: true)
        first.record(2, nanoseconds: 5, failed: true)
        first.record(-1, nanoseconds: 5, failed: true)
        #expect(registry.rows(worker: 0, .route, names: ["a", "b"]) === first)
        let second = registry.rows(worker: 0, .route, names: ["b", "c"])
        second.record(0, nanoseconds: 7, failed: false)
        registry.rows(worker: 1, .route, names: ["b"]).record(0, nanoseconds: 6, failed: false)
        #expect(registry.snapshot().names(of: .route) == ["b": [3, 1, 18], "c": [0, 0, 0]])
    }

    @Test("What is counted with an old version's rows counts, and stays when they are gone")
    func rowsOfOldVersions() {
        let registry = MetricsRegistry(workerCount: 1)
        var old: [MetricsRows] = []
        for version in 0..<5 {
            let names = (version..<version + 3).map { "route-\($0)" } + ["kept"]
            old.append(registry.rows(worker: 0, .route, names: names))
        }
        func kept() -> UInt64? { registry.snapshot().names(of: .route)["kept"]?.first }
        for rows in old { rows.record(3, nanoseconds: 1, failed: false) }
        old[2].record(2, nanoseconds: 1, failed: false)
        #expect(kept() == 5)
        old.removeFirst(2)
        #expect(kept() == 5)
        old[0].record(3, nanoseconds: 1, failed: false)
        #expect(kept() == 6)
        old = []
        #expect(kept() == 6)
        _ = registry.rows(worker: 0, .route, names: ["kept", "route-4"])
        #expect(
            registry.snapshot().names(of: .route) == ["kept": [6, 0, 6], "route-4": [1, 0, 1]]
        )
    }
}

@Suite("Histogram")
struct HistogramTests {
    @Test("Each bucket begins where the one before it ends")
    func buckets() {
        for index in 0..<HistogramBuckets.count {
            let low = HistogramBuckets.lowerBound(of: index)
            #expect(HistogramBuckets.index(of: low) == index)
            if low > 0 { #expect(HistogramBuckets.index(of: low - 1) == index - 1) }
        }
        #expect(HistogramBuckets.index(of: .max) == HistogramBuckets.count - 1)
    }

    @Test("Percentiles are within a sixteenth of the exact ones", arguments: [1, 2, 3])
    func percentiles(seed: UInt64) throws {
        let registry = MetricsRegistry(workerCount: 1)
        var state = seed
        var values: [UInt64] = []
        for _ in 0..<10_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            values.append(state >> (24 + state % 30))
        }
        for value in values { registry.workers[0].recordDuration(nanoseconds: value) }
        values.sort()
        let histogram = registry.snapshot().durations
        #expect(histogram.count == 10_000)
        #expect(histogram.sum == values.reduce(0, +))
        for (share, rank) in [(0.5, 4_999), (0.99, 9_899), (1, 9_999)] {
            let found = Double(try #require(histogram.percentile(share)))
            #expect(abs(found - Double(values[rank])) <= Double(values[rank]) / 16 + 1)
        }
        #expect(HistogramSnapshot().percentile(0.5) == nil)
    }

    @Test("Merging keeps buckets in order and adds what is in both")
    func merging() {
        var left = HistogramSnapshot(
            buckets: [.init(index: 1, count: 2), .init(index: 9, count: 1)],
            sum: 10
        )
        left.merge(
            HistogramSnapshot(
                buckets: [
                    .init(index: 0, count: 1), .init(index: 9, count: 4),
                    .init(index: 12, count: 1),
                ],
                sum: 5
            )
        )
        #expect(left.buckets.map(\.index) == [0, 1, 9, 12])
        #expect(left.buckets.map(\.count) == [1, 2, 5, 1])
        #expect(left.sum == 15)
    }
}

@Suite("PrometheusText")
struct PrometheusTextTests {
    @Test("Samples, label values and histogram buckets follow the text format")
    func rendering() {
        let registry = MetricsRegistry(workerCount: 1)
        registry.workers[0].add(.requests2xx, 2)
        registry.workers[0].countError(.connectionTimeout)
        registry.workers[0].recordDuration(nanoseconds: 65_535)
        registry.workers[0].recordDuration(nanoseconds: 65_536)
        registry.workers[0].set(.loopLag, 1_500_000)
        registry.rows(worker: 0, .route, names: ["a\"\\\n"]).record(
            0,
            nanoseconds: 2_000_000_000,
            failed: true
        )
        let lines = PrometheusText.render(registry.snapshot()).split(separator: "\n")
        for expected in [
            "# TYPE weir_requests_total counter",
            "weir_requests_total{status_class=\"2xx\"} 2",
            "weir_errors_total{type=\"connection_timeout\"} 1",
            "weir_loop_lag_seconds 0.0015",
            "weir_request_duration_seconds_bucket{le=\"0.000065536\"} 1",
            "weir_request_duration_seconds_bucket{le=\"0.000131072\"} 2",
            "weir_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "weir_request_duration_seconds_sum 0.000131071",
            "weir_request_duration_seconds_count 2",
            "weir_route_errors_total{route=\"a\\\"\\\\\\n\"} 1",
            "weir_route_duration_seconds_total{route=\"a\\\"\\\\\\n\"} 2",
        ] {
            #expect(lines.contains(Substring(expected)), "\(expected)")
        }
    }
}
