package import ControlStore
import FleetMessages
import FleetProtocol

/// What the admin API knows of the fleet and may do to it.
///
/// All of it runs on the fleet's event loop; a call returns when it is done there.
package struct FleetDirectory: Sendable {
    let fleet: FleetLoop

    /// All nodes by name, revoked ones too.
    package func nodes() async throws -> [NodeStatus] {
        try await fleet.read { fleet in
            fleet.statuses()
        }
    }

    /// One node; `nil` if there is none of that name.
    package func node(_ name: String) async throws -> NodeStatus? {
        try await fleet.read { fleet in
            fleet.status(of: name)
        }
    }

    /// The fleet on one screen.
    package func status() async throws -> FleetStatus {
        try await fleet.read { fleet in
            fleet.fleetStatus()
        }
    }

    /// How far a version has come.
    ///
    /// - Throws: `versionUnknown`.
    package func rollout(_ version: UInt64) async throws -> RolloutStatus {
        guard let signed = try await fleet.store.version(version) else {
            throw FleetCommandError.versionUnknown(version)
        }
        return try await fleet.read { fleet in
            fleet.rollout(of: .init(signed.head))
        }
    }

    /// Takes the node out of service; it keeps its process and its session.
    ///
    /// - Throws: `nodeUnknown`, `nodeRevoked` or `storeFailed`.
    package func drain(_ name: String, note: ChangeNote) async throws {
        try await setDraining(true, name, note)
    }

    /// Puts the node back into service.
    ///
    /// - Throws: As `drain`.
    package func undrain(_ name: String, note: ChangeNote) async throws {
        try await setDraining(false, name, note)
    }

    /// Lets the node try again what it rejected.
    ///
    /// - Throws: `nodeUnknown` or `nodeRevoked`.
    package func retry(_ name: String) async throws {
        try await require(name)
        try await fleet.read { fleet in
            fleet.command(.retry, to: name)
        }
    }

    /// Ends the node's membership and closes its session at once.
    ///
    /// - Throws: `nodeUnknown` or `storeFailed`.
    package func revoke(_ name: String, note: ChangeNote) async throws {
        guard try await node(name) != nil else { throw FleetCommandError.nodeUnknown(name) }
        do {
            try await fleet.store.revoke(node: name, note: note)
        } catch {
            throw FleetCommandError.storeFailed("\(error)")
        }
        try await fleet.read { fleet in
            fleet.revoked(name)
        }
    }

    /// Forgets the node; its certificate is revoked too.
    ///
    /// - Throws: As `revoke`.
    package func remove(_ name: String, note: ChangeNote) async throws {
        guard try await node(name) != nil else { throw FleetCommandError.nodeUnknown(name) }
        do {
            try await fleet.store.remove(node: name, note: note)
        } catch {
            throw FleetCommandError.storeFailed("\(error)")
        }
        try await fleet.read { fleet in
            fleet.removed(name)
        }
    }

    private func setDraining(
        _ isDraining: Bool,
        _ name: String,
        _ note: ChangeNote
    ) async throws {
        try await require(name)
        do {
            try await fleet.store.setDraining(isDraining, node: name, note: note)
        } catch {
            throw FleetCommandError.storeFailed("\(error)")
        }
        try await fleet.read { fleet in
            fleet.setDraining(isDraining, name)
        }
    }

    private func require(_ name: String) async throws {
        guard let node = try await node(name) else { throw FleetCommandError.nodeUnknown(name) }
        if node.state == .revoked { throw FleetCommandError.nodeRevoked(name) }
    }
}
