import FleetMessages
import FleetModel
import SwiftProtobuf
import Testing

@testable import FleetProtocol

@Suite("Adjustments of endpoints and reports on upstreams")
struct UpstreamTests {
    private let list = WireAdjustments.with {
        $0.generation = 7
        $0.entries = [
            .with {
                ($0.upstream, $0.endpoint, $0.action) = ("shop", "10.0.0.1:80", .drain)
            }
        ]
        $0.resets = [
            .with { ($0.upstream, $0.endpoint, $0.generation) = ("shop", "10.0.0.2:80", 6) }
        ]
    }

    private func adjustments(_ change: (inout WireAdjustments) -> Void) -> FleetMessage {
        var changed = list
        change(&changed)
        return .adjustments(changed)
    }

    private func report(_ change: (inout WireEndpointReport) -> Void) -> FleetMessage {
        var endpoint = WireEndpointReport.with {
            ($0.endpoint, $0.availability) = ("10.0.0.1:80", .healthy)
        }
        change(&endpoint)
        return .upstreamReport(
            .with {
                $0.upstreams = [
                    .with {
                        $0.upstream = "shop"
                        $0.endpoints = [endpoint]
                    }
                ]
            }
        )
    }

    @Test("A node is told before any version, and says what it keeps to and how it sees endpoints")
    func exchange() throws {
        var link = Link()
        link.material = [.adjustments(list)]
        link.connect()
        #expect(link.told == [.adjustments(list)])
        let status = WireAdjustmentsStatus.with { $0.generation = 7 }
        link.perform(link.node.report(status))
        guard case .upstreamReport(let seen) = report({ _ in }) else { return }
        link.perform(link.node.report(seen))
        link.run()
        #expect(link.adjusted == [status] && link.upstreams == [seen])
        #expect(link.nodeEnd == nil && link.controlEnd == nil)
    }

    @Test("A status with a long problem is cut, not refused")
    func longProblem() throws {
        var link = Link()
        link.connect()
        let problem = String(repeating: "ä", count: Limits.problemTextBytesMax)
        link.perform(link.node.report(WireAdjustmentsStatus.with { $0.problem = problem }))
        link.run()
        #expect(link.adjusted.first?.problem.utf8.count == Limits.problemTextBytesMax)
        #expect(link.controlEnd == nil)
    }

    @Test("What could do harm is refused")
    func refusals() throws {
        let long = String(repeating: "n", count: Limits.endpointBytesMax + 1)
        let text = String(repeating: "n", count: Limits.endpointTextBytesMax + 1)
        let bad = [
            adjustments { $0.generation = 0 },
            adjustments { $0.entries[0].upstream = "" },
            adjustments { $0.entries[0].endpoint = "" },
            adjustments { $0.entries[0].endpoint = long },
            adjustments { $0.entries[0].action = .unspecified },
            adjustments { $0.entries[0].action = .UNRECOGNIZED(9) },
            adjustments { $0.entries[0].weight = 1 },
            adjustments { $0.entries[0].untilUnixMilliseconds = -1 },
            adjustments {
                $0.entries[0].action = .weight
                $0.entries[0].weight = Limits.adjustedWeightMax + 1
            },
            adjustments {
                $0.entries = Array(repeating: $0.entries[0], count: Limits.adjustmentCountMax + 1)
            },
            adjustments { $0.resets[0].generation = 8 },
            adjustments { $0.resets[0].generation = 0 },
            adjustments { $0.resets[0].upstream = "" },
            adjustments {
                $0.resets = Array(repeating: $0.resets[0], count: Limits.endpointResetCountMax + 1)
            },
            report { $0.endpoint = "" },
            report { $0.endpoint = long },
            report { $0.availability = .unspecified },
            report { $0.reason = text },
            report { $0.checkResult = text },
            report { $0.sinceUnixMilliseconds = -1 },
            report { $0.checkedUnixMilliseconds = -1 },
        ]
        for message in bad {
            #expect(throws: FleetProtocolError.self, "\(message)") {
                try FleetMessage(message.frame())
            }
        }
        let good = adjustments {
            $0.entries[0].action = .weight
            $0.entries[0].weight = Limits.adjustedWeightMax
        }
        #expect(try FleetMessage(good.frame()) == good)
    }

    @Test("The longest list and the longest report fit their frames")
    func longest() throws {
        let name = String(repeating: "n", count: Limits.nameBytesMax)
        let address = String(repeating: "a", count: Limits.endpointBytesMax)
        let text = String(repeating: "t", count: Limits.endpointTextBytesMax)
        let list = adjustments { list in
            list.generation = .max
            let entry = WireAdjustment.with {
                ($0.upstream, $0.endpoint, $0.action) = (name, address, .weight)
                ($0.weight, $0.untilUnixMilliseconds) = (Limits.adjustedWeightMax, .max)
                $0.endedByVersion = .max
            }
            let reset = WireEndpointReset.with {
                ($0.upstream, $0.endpoint, $0.generation) = (name, address, .max)
            }
            list.entries = Array(repeating: entry, count: Limits.adjustmentCountMax)
            list.resets = Array(repeating: reset, count: Limits.endpointResetCountMax)
        }
        let endpoint = WireEndpointReport.with {
            ($0.endpoint, $0.availability, $0.reason) = (address, .unhealthy, text)
            ($0.sinceUnixMilliseconds, $0.checkedUnixMilliseconds) = (.max, .max)
            ($0.checkResult, $0.weight) = (text, .max)
            ($0.connections, $0.requests, $0.discovered) = (.max, .max, true)
        }
        let report = WireUpstreamReport.with { report in
            report.upstreams = [
                .with {
                    ($0.upstream, $0.note) = (name, text)
                    let count = Limits.reportedEndpointCountMax - 1
                    $0.endpoints = Array(repeating: endpoint, count: count)
                }
            ]
        }
        for message in [list, .upstreamReport(report)] {
            let frame = message.frame()
            #expect(frame.payload.count <= Limits.framePayloadBytesMax)
            #expect(try FleetMessage(frame) == message)
        }
        var over = report
        over.upstreams[0].gone = [address]
        #expect(throws: FleetProtocolError.limitExceeded(.upstreamReport, what: "upstreams")) {
            try FleetMessage(FleetMessage.upstreamReport(over).frame())
        }
    }
}
