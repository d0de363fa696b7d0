import ArgumentParser
import SystemCalls

/// Many nodes in one process, without a data plane: what a control plane is measured with.
@main
struct FleetSimulator: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet-simulator",
        abstract: "Join many nodes, keep their sessions, and activate at once what they are sent.",
        discussion: """
            Each node is a member of its own, with its key, its certificate and its connection. It checks
            signatures and digests as a node does, compiles nothing, and stores no version.

            Events go to standard output, one JSON object a line:
              node, event, version, wanted, octets, monotonic, realtime
            event is joined, welcomed, settled (what it serves is the head), active or disconnected; wanted is
            how many contents it had to ask for; octets is what its connection received since its last event,
            TLS included; both times are nanoseconds.
            """
    )

    @Option(help: ArgumentHelp("The control plane's address for nodes.", valueName: "host:port"))
    var control: String

    @Option(
        help: ArgumentHelp(
            "A file with join tokens, one a line: a node for each.",
            valueName: "file"
        )
    )
    var tokens: String

    @Option(
        help: ArgumentHelp("Keep identities here, and use those that are here.", valueName: "dir")
    )
    var directory: String?

    @Option(help: ArgumentHelp("What nodes' names begin with.", valueName: "text"))
    var prefix = "sim"

    @Option(
        help: ArgumentHelp("Nodes that make their first connection per second.", valueName: "count")
    )
    var rate = 100

    @Option(help: ArgumentHelp("End after this time at the latest.", valueName: "seconds"))
    var seconds = 1_800

    @Flag(
        help: ArgumentHelp(
            "Let nodes that serve nothing have what another one was sent: only one of them is sent all."
        )
    )
    var quickStart = false

    func validate() throws {
        guard SocketAddress(control) != nil else {
            throw ValidationError("--control \(control): an address and a port are wanted")
        }
        guard (1...10_000).contains(rate), (1...86_400).contains(seconds) else {
            throw ValidationError("--rate must be 1 to 10000, --seconds 1 to 86400")
        }
    }

    func run() throws {
        guard let address = SocketAddress(control) else { return }
        let octets = try readFile(tokens, octetsMax: Limits.tokenFileBytesMax)
        let lines = String(decoding: octets, as: UTF8.self).split(separator: "\n").map(String.init)
        guard !lines.isEmpty, lines.count <= Limits.nodeCountMax else {
            throw ValidationError("\(tokens): 1 to \(Limits.nodeCountMax) tokens are wanted")
        }
        let fleet = try SimulatedFleet(control: address, directory: directory)
        fleet.shared.givesContents = quickStart
        for (index, line) in lines.enumerated() {
            try fleet.add(name: "\(prefix)-\(index + 1)", token: line)
        }
        try fleet.run(startsPerSecond: rate, seconds: seconds)
    }
}
