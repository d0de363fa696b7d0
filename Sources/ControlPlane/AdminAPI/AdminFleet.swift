package import ControlStore
package import FleetModel
package import FleetProtocol
package import FleetServer

/// What the admin API needs of the fleet: what nodes really serve, and what may be asked of them.
///
/// `FleetServer` in the program; a scripted one in tests.
package protocol AdminFleet: Sendable {
    /// All nodes by name.
    func nodes() async throws -> [NodeStatus]
    /// One node; nil if there is none.
    func node(_ name: String) async throws -> NodeStatus?
    /// The fleet on one screen.
    func status() async throws -> FleetStatus
    /// How far a version has come; throws `FleetCommandError.versionUnknown`.
    func rollout(_ version: UInt64) async throws -> RolloutStatus
    /// Takes a node out of service.
    func drain(_ name: String, note: ChangeNote) async throws
    /// Puts it back.
    func undrain(_ name: String, note: ChangeNote) async throws
    /// Lets it try again what it rejected.
    func retry(_ name: String) async throws
    /// Ends its membership; its name stays taken.
    func revoke(_ name: String, note: ChangeNote) async throws
    /// Forgets it.
    func remove(_ name: String, note: ChangeNote) async throws
    /// Changes the adjustments of an endpoint and tells all nodes.
    func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        note: ChangeNote
    ) async throws -> AdjustmentRollout
    /// How far the adjustments of endpoints have come.
    func adjustments() async throws -> AdjustmentRollout
    /// How nodes see their upstreams, by the node's name.
    func upstreams() async throws -> [NodeUpstreamsStatus]
    /// Offers a version that was just stored to all nodes, with which material its certificates have.
    func headChanged(to version: SignedManifest, material: FleetMaterial)
}

/// The fleet of a running `FleetServer`.
package struct ServedFleet: AdminFleet {
    private let server: FleetServer

    /// Takes the server.
    package init(_ server: FleetServer) {
        self.server = server
    }

    package func nodes() async throws -> [NodeStatus] { try await server.directory.nodes() }

    package func node(_ name: String) async throws -> NodeStatus? {
        try await server.directory.node(name)
    }

    package func status() async throws -> FleetStatus { try await server.directory.status() }

    package func rollout(_ version: UInt64) async throws -> RolloutStatus {
        try await server.directory.rollout(version)
    }

    package func drain(_ name: String, note: ChangeNote) async throws {
        try await server.directory.drain(name, note: note)
    }

    package func undrain(_ name: String, note: ChangeNote) async throws {
        try await server.directory.undrain(name, note: note)
    }

    package func retry(_ name: String) async throws { try await server.directory.retry(name) }

    package func revoke(_ name: String, note: ChangeNote) async throws {
        try await server.directory.revoke(name, note: note)
    }

    package func remove(_ name: String, note: ChangeNote) async throws {
        try await server.directory.remove(name, note: note)
    }

    package func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        note: ChangeNote
    ) async throws -> AdjustmentRollout {
        try await server.directory.adjust(endpoint, change, note: note)
    }

    package func adjustments() async throws -> AdjustmentRollout {
        try await server.directory.adjustments()
    }

    package func upstreams() async throws -> [NodeUpstreamsStatus] {
        try await server.directory.upstreams()
    }

    package func headChanged(to version: SignedManifest, material: FleetMaterial) {
        server.materialChanged(to: material)
        server.headChanged(to: version)
    }
}
