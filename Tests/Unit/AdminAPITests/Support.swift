import AdminMessages
import Authority
import ControlStore
import Credentials
import FleetModel
import FleetProtocol
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Synchronization
import Testing

@testable import AdminAPI
@testable import FleetServer

/// A fleet that a test writes.
final class ScriptedFleet: AdminFleet {
    struct State: Sendable {
        var nodes: [NodeStatus] = []
        var rollouts: [UInt64: RolloutStatus] = [:]
        var calls: [String] = []
        /// The versions that the fleet was told of.
        var offered: [UInt64] = []
        var isBroken = false
        /// What nodes say of their upstreams.
        var upstreams: [NodeUpstreamsStatus] = []
        var adjustments = StoredAdjustments(generation: 1, entries: [])
    }

    struct Broken: Error {}

    let state = Mutex(State())
    /// Where adjustments are kept.
    let store = Mutex<SQLiteConfigStore?>(nil)

    func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        note: ChangeNote
    ) async throws -> AdjustmentRollout {
        let store = try #require(store.withLock { $0 })
        let isDiscovered = state.withLock { state in
            state.upstreams.contains {
                $0.upstreams.endpoints[endpoint.upstream]?[endpoint.address] != nil
            }
        }
        let all = try await store.adjust(endpoint, change, isDiscovered: isDiscovered, note: note)
        state.withLock { $0.adjustments = all }
        return try await adjustments()
    }

    func adjustments() async throws -> AdjustmentRollout {
        state.withLock { state in
            AdjustmentRollout(
                adjustments: state.adjustments,
                nodes: state.nodes.map { node in
                    .init(
                        name: node.name,
                        state: node.state == .unreachable ? .excluded : .applied,
                        nodeState: node.state,
                        problem: ""
                    )
                }
            )
        }
    }

    func upstreams() async throws -> [NodeUpstreamsStatus] { state.withLock { $0.upstreams } }

    func nodes() async throws -> [NodeStatus] { state.withLock { $0.nodes } }

    func node(_ name: String) async throws -> NodeStatus? {
        state.withLock { $0.nodes.first { $0.name == name } }
    }

    func status() async throws -> FleetStatus {
        try state.withLock { state in
            if state.isBroken { throw Broken() }
            return FleetStatus(
                head: nil,
                nodeCount: state.nodes.count,
                countByState: Dictionary(state.nodes.map { ($0.state, 1) }, uniquingKeysWith: +),
                countByVersion: Dictionary(
                    state.nodes.map { ($0.active?.version ?? 0, 1) },
                    uniquingKeysWith: +
                ),
                drifting: [],
                rejections: state.nodes.filter { $0.failed != nil },
                traffic: TrafficRates()
            )
        }
    }

    func rollout(_ version: UInt64) async throws -> RolloutStatus {
        try state.withLock { state in
            guard let rollout = state.rollouts[version] else {
                throw FleetCommandError.versionUnknown(version)
            }
            return rollout
        }
    }

    func drain(_ name: String, note: ChangeNote) async throws { record("drain", name, note) }
    func undrain(_ name: String, note: ChangeNote) async throws { record("undrain", name, note) }
    func retry(_ name: String) async throws { record("retry", name, nil) }
    func revoke(_ name: String, note: ChangeNote) async throws { record("revoke", name, note) }
    func remove(_ name: String, note: ChangeNote) async throws { record("remove", name, note) }
    func headChanged(to version: SignedManifest, material: FleetMaterial) {
        state.withLock { $0.offered.append(version.head.version) }
    }

    private func record(_ word: String, _ name: String, _ note: ChangeNote?) {
        state.withLock { $0.calls.append("\(word) \(name) by \(note?.author ?? "-")") }
    }
}

/// How one node sees an endpoint of the upstream `a`.
func makeUpstreams(
    _ node: String,
    _ availability: EndpointStatus.Availability,
    address: String = "127.0.0.1:1",
    isStale: Bool = false,
    isDiscovered: Bool = false,
    note: String? = nil
) -> NodeUpstreamsStatus {
    var upstreams = NodeUpstreams()
    upstreams.endpoints["a"] = [
        address: EndpointStatus(
            availability: availability,
            reason: availability == .healthy ? "" : "3 checks failed",
            sinceMilliseconds: 1_800_000_000_123,
            checkedMilliseconds: availability == .healthy ? nil : 1_800_000_001_000,
            check: availability == .healthy ? "" : "connection refused",
            weight: 2,
            connections: 3,
            requests: 1,
            isDiscovered: isDiscovered
        )
    ]
    upstreams.notes["a"] = note
    upstreams.count = 1
    return NodeUpstreamsStatus(node: node, isStale: isStale, upstreams: upstreams)
}

/// Nodes that differ, with every field there is.
func sampleUpstreams() -> [NodeUpstreamsStatus] {
    [
        makeUpstreams("a", .healthy), makeUpstreams("b", .unhealthy, note: "panic"),
        makeUpstreams("c", .unhealthy, isStale: true),
    ]
}

/// A node as the fleet's server would tell of it.
func makeNode(
    _ name: String,
    _ state: NodeStatus.State,
    version: UInt64? = nil,
    problems: [Problem] = [],
    lastGoodProblem: String? = nil
) -> NodeStatus {
    let holding = version.map {
        Holding(epoch: 1, version: $0, digest: Manifest.empty.digest)
    }
    return NodeStatus(
        name: name,
        state: state,
        labels: ["region": "eu"],
        build: "0.1.0",
        active: holding,
        desired: Holding(epoch: 1, version: 9, digest: Manifest.empty.digest),
        sent: holding,
        prepared: holding,
        problems: problems,
        failed: problems.isEmpty ? nil : holding,
        cause: problems.isEmpty ? nil : .environment,
        lastGoodProblem: lastGoodProblem,
        seenAtMilliseconds: 1_800_000_000_123,
        connectionCount: 0,
        loopLagMicroseconds: 0,
        memoryBytes: 0,
        isConnected: true,
        traffic: TrafficRates()
    )
}

/// The admin API over a real store in a directory of its own, without a socket.
final class Scratch: Sendable {
    static let token = "weir-admin-token-of-the-tests-0123456789"

    let path: String
    let store: SQLiteConfigStore
    let fleet = ScriptedFleet()
    let router: AdminRouter

    init() async throws {
        path = FileManager.default.temporaryDirectory.path + "/weir-admin-\(UUID().uuidString)"
        store = try SQLiteConfigStore(StoreDirectory(path))
        let authority = try await Authority(store: store)
        router = AdminRouter(
            AdminService(
                store: store,
                authority: authority,
                credentials: CredentialKeeper(
                    store: store,
                    authority: authority,
                    clock: { Int64(Date.now.timeIntervalSince1970 * 1_000) },
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                ),
                fleet: fleet
            ),
            tokenDigest: OperatorFiles.digest(of: Self.token),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        fleet.store.withLock { $0 = store }
    }

    deinit {
        // Nothing depends on what is left of a temporary directory.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Calls the router as a client would.
    func call(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String? = nil,
        headers: [HTTPField.Name: String] = [:],
        token: String? = Scratch.token
    ) async throws -> Answer {
        let application = Application(router: router.router())
        return try await application.test(.router) { client in
            var fields = HTTPFields()
            if let token { fields[.authorization] = "Bearer \(token)" }
            if body != nil { fields[.contentType] = "application/json" }
            for (name, value) in headers { fields[name] = value }
            return try await client.execute(
                uri: path,
                method: method,
                headers: fields,
                body: body.map { ByteBuffer(string: $0) }
            ) { Answer($0) }
        }
    }

    /// Makes a version of a configuration with one upstream per name.
    @discardableResult
    func apply(_ upstreams: String..., ifMatch: String? = nil) async throws -> Answer {
        let list = upstreams.map {
            #"{"name":"\#($0)","endpoints":[{"address":"127.0.0.1:9001"}]}"#
        }
        let tree = #"{"upstreams":[\#(list.joined(separator: ","))]}"#
        return try await call(
            .put,
            "/v1/configuration",
            #"{"configuration":\#(tree),"message":"why","author":"who"}"#,
            headers: ifMatch.map { [.ifMatch: $0] } ?? [:]
        )
    }
}

/// What came back.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let body: String

    init(_ response: TestResponse) {
        status = response.status.code
        headers = response.headers
        body = String(buffer: response.body)
    }

    /// The body as a message.
    func read<Message: Decodable>(_ type: Message.Type = Message.self) throws -> Message {
        try JSONDecoder().decode(type, from: Data(body.utf8))
    }

    /// The body as a refusal.
    var error: ErrorAnswer { get throws { try read() } }
}
