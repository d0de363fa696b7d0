import FleetModel
import FleetProtocol

/// One list of material with what each kind of node is told of it; confined to the fleet's event loop.
final class MaterialList {
    let material: FleetMaterial
    /// By the groups that a node belongs to: those of the same groups need the same.
    private var shares: [Set<String>: Share] = [:]

    /// What nodes of the same groups are told.
    struct Share {
        let messages: [FleetMessage]
        /// What they may ask for.
        let digests: Set<Digest>
        /// What they are to hold before any node serves it.
        let nextDigests: Set<Digest>
    }

    init(_ material: FleetMaterial) {
        self.material = material
    }

    /// What a node with these labels is told.
    func share(of labels: [String: String]) -> Share {
        let groups = material.grouping?.groups(of: labels) ?? []
        if let known = shares[groups] { return known }
        let part = material.share(of: labels)
        let share = Share(
            messages: part.messages,
            digests: part.digests,
            nextDigests: part.nextDigests
        )
        if shares.count >= Limits.materialSharesKept { shares = [:] }
        shares[groups] = share
        return share
    }
}
