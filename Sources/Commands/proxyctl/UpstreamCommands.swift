import AdminClient
import AdminMessages
import ArgumentParser
import FleetModel
import Foundation
import Presentation

/// `proxyctl upstreams`.
struct UpstreamsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upstreams",
        abstract: "Show upstreams and their endpoints as the whole fleet sees them.",
        discussion: """
            The state is what most nodes see; (!) marks an endpoint that some node sees
            otherwise, and a line below says which. Numbers are sums over all nodes.

            EXAMPLES
              proxyctl upstreams --watch
              proxyctl upstreams shop -o json
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: "One upstream in place of all.")
    var upstream: String?

    @Flag(name: .shortAndLong, help: "Redraw until interrupted.")
    var watch = false

    @Option(help: "Time between two looks with --watch.")
    var interval = DurationArgument(seconds: 2)

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            if watch {
                try await session.redraw(every: interval) {
                    let report = try await report(client)
                    return (report.value, { report.rendered($0, now: Date()) })
                }
            } else {
                let report = try await report(client)
                session.print(report.value) { report.rendered($0, now: Date()) }
            }
        }
    }

    private func report(_ client: AdminClient) async throws -> UpstreamReport {
        guard let upstream else { return UpstreamReport(try await client.upstreams()) }
        return UpstreamReport([
            try await client.known(upstream, nil) { try await client.upstream(upstream) }
        ])
    }
}

/// `proxyctl upstream`.
struct UpstreamCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upstream",
        abstract:
            "Take an endpoint out of use, give it another weight, or undo that; without a version.",
        discussion: """
            It reaches every node at once, survives restarts, and ends by 'undrain' or
            'reset', after the time of --for, or with a version that changes or removes
            the endpoint. 'proxyctl upstreams' shows what is in force.

            EXAMPLES
              proxyctl upstream drain shop 10.0.0.1:9001 --wait --idle
              proxyctl upstream weight shop 10.0.0.1:9001 5 --for 10m
              proxyctl upstream reset shop 10.0.0.1:9001
            """,
        subcommands: [Drain.self, Undrain.self, Weight.self, Disable.self, Reset.self]
    )

    /// `proxyctl upstream drain`.
    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "drain",
            abstract: "Give an endpoint no new requests; those under way end.",
            discussion: "Clients that stick to it by a cookie move to another endpoint."
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var place: EndpointArguments
        @OptionGroup var time: AdjustmentTime
        @OptionGroup var waiting: AdjustmentWaiting
        @OptionGroup var ending: AdjustmentIdle

        func run() async throws {
            try await Session(options).perform(
                .drain,
                place,
                seconds: time.seconds,
                waiting,
                idle: ending.idle,
                saying: "is drained"
            )
        }
    }

    /// `proxyctl upstream disable`.
    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "disable",
            abstract: "Take an endpoint out of use: neither requests nor checks go there.",
            discussion: "Requests that are under way end as they would."
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var place: EndpointArguments
        @OptionGroup var time: AdjustmentTime
        @OptionGroup var waiting: AdjustmentWaiting
        @OptionGroup var ending: AdjustmentIdle

        func run() async throws {
            try await Session(options).perform(
                .disable,
                place,
                seconds: time.seconds,
                waiting,
                idle: ending.idle,
                saying: "is disabled"
            )
        }
    }

    /// `proxyctl upstream weight`.
    struct Weight: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "weight",
            abstract: "Give an endpoint another weight than the configuration does."
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var place: EndpointArguments

        @Argument(help: "From 0, which takes no requests, to 10000.")
        var weight: Int

        @OptionGroup var time: AdjustmentTime
        @OptionGroup var waiting: AdjustmentWaiting

        func validate() throws {
            guard (0...EndpointAdjustment.weightMax).contains(weight) else {
                throw ValidationError(
                    "the weight must be 0 to \(EndpointAdjustment.weightMax), not \(weight)"
                )
            }
        }

        func run() async throws {
            try await Session(options).perform(
                .weight,
                place,
                weight: weight,
                seconds: time.seconds,
                waiting,
                saying: "has the weight \(weight)"
            )
        }
    }

    /// `proxyctl upstream undrain`.
    struct Undrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "undrain",
            abstract: "Use a drained or disabled endpoint again."
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var place: EndpointArguments
        @OptionGroup var waiting: AdjustmentWaiting

        func run() async throws {
            try await Session(options).perform(
                .undrain,
                place,
                waiting,
                saying: "is neither drained nor disabled"
            )
        }
    }

    /// `proxyctl upstream reset`.
    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset",
            abstract:
                "End all that was adjusted of an endpoint, and forget ejections and failed checks."
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var place: EndpointArguments
        @OptionGroup var waiting: AdjustmentWaiting

        func run() async throws {
            try await Session(options).perform(.reset, place, waiting, saying: "is reset")
        }
    }
}

/// Which endpoint.
struct EndpointArguments: ParsableArguments {
    @Argument(help: "The upstream's name.")
    var upstream: String

    @Argument(help: "The endpoint's address, as 'proxyctl upstreams' shows it.")
    var endpoint: String

    @Option(name: [.short, .long], help: "Why, for the audit.")
    var message: String?
}

/// How long it is to last.
struct AdjustmentTime: ParsableArguments {
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "End it by itself after this time, such as 90s or 2h.",
            valueName: "time"
        )
    )
    var duration: DurationArgument?

    /// Whole seconds; nil for ever.
    var seconds: Int? { duration?.secondsRoundedUp }

    func validate() throws {
        if let duration, duration.duration <= .zero {
            throw ValidationError("--for needs a time above 0, such as 90s or 2h")
        }
        if let seconds, seconds > ModelLimits.adjustmentSecondsMax {
            throw ValidationError(
                "--for takes at most \(ModelLimits.adjustmentSecondsMax / 86_400)d: what is to last longer "
                    + "belongs in the configuration"
            )
        }
    }
}

/// Whether to wait for the nodes.
struct AdjustmentWaiting: ParsableArguments {
    @Flag(help: "Wait until every node with a session keeps to it; exit 6 after --timeout.")
    var wait = false

    @Option(help: "How long to wait at most.")
    var timeout = DurationArgument(seconds: 60)
}

/// Whether to wait for requests that are under way.
struct AdjustmentIdle: ParsableArguments {
    @Flag(help: "Wait until nothing is under way at the endpoint, too: then it may be stopped.")
    var idle = false
}

extension Session {
    /// Asks something of an endpoint, waits if that is wanted, and says what was done.
    fileprivate func perform(
        _ action: AdminClient.EndpointAction,
        _ place: EndpointArguments,
        weight: Int? = nil,
        seconds: Int? = nil,
        _ waiting: AdjustmentWaiting,
        idle: Bool = false,
        saying words: String
    ) async throws {
        // What is no address is told by the control plane.
        let address = EndpointName.canonicalAddress(place.endpoint) ?? place.endpoint
        let request = AdjustmentRequest(
            endpoint: address,
            weight: weight,
            forSeconds: seconds,
            author: author(),
            message: place.message
        )
        try await withClient { client in
            var answer = try await client.known(place.upstream, address) {
                try await client.perform(action, on: place.upstream, request)
            }
            for warning in answer.warnings ?? [] { Output.note("warning: \(visible(warning))") }
            let warnings = answer.warnings
            var isDone = true
            if waiting.wait || idle {
                (isDone, answer) = try await client.waitForAdjustments(
                    answer,
                    idle: idle ? (place.upstream, address) : nil,
                    timeout: waiting.timeout.duration
                ) { Output.note(visible($0)) }
                answer.warnings = warnings
                for node in answer.nodes where node.reason == "unreachable" {
                    Output.note(
                        "warning: node \(visible(node.name)) is unreachable: if it lives, it goes on as before"
                    )
                }
            }
            for node in answer.nodes {
                guard let problem = node.problem else { continue }
                Output.note(
                    "warning: node \(visible(node.name)) would not know of it after a restart: "
                        + visible(problem)
                )
            }
            switch format {
            case .table:
                Output.note(
                    "endpoint '\(visible(address))' of '\(visible(place.upstream))' \(words)"
                )
            case .json, .yaml: print(UpstreamReport.value(of: answer)) { _ in [] }
            }
            guard isDone else {
                throw Failure(
                    .timedOut,
                    (idle ? "requests are under way there, or not every node" : "not every node")
                        + " keeps to it, after \(waiting.timeout.defaultValueDescription)"
                )
            }
        }
    }
}

extension AdminClient {
    /// What `call` about an upstream and one of its endpoints returns; if there is no such, the error suggests one.
    fileprivate func known<Value>(
        _ upstream: String,
        _ address: String?,
        _ call: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await call()
        } catch AdminClientError.refused(404, let answer) {
            let all = try await upstreams()
            var hint = Output.hint(upstream, among: all.map(\.name))
            if let address, let found = all.first(where: { $0.name == upstream }) {
                hint = Output.hint(address, among: found.endpoints.map(\.address))
                if hint.isEmpty, !found.endpoints.isEmpty {
                    hint =
                        "; it has "
                        + found.endpoints.prefix(8).map { visible($0.address) }
                        .joined(separator: ", ")
                }
            }
            throw Failure(.failure, visible(answer.message) + hint)
        }
    }
}
