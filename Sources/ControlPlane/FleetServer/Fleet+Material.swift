import FleetMessages
import FleetModel
import FleetProtocol
import Logging
import NIOCore

/// How material gets to the nodes, and when what they hold is to be served.
///
///     list (serve A, next B) ──▶ nodes ask, hold, report ──all hold B──▶ owner: serve B ──▶ list (serve B)
///
/// Each node is told of the material that it needs, by its labels and the head's groups (`MaterialList`), and gets no other.
/// A node without a session is not waited for: it is told what to serve when it comes back. One with a session has
/// `materialHoldSeconds` from the time when it was sent the list, and the whole step `materialStepSeconds`: then the
/// others go on without it.
extension Fleet {
    /// Takes over which material there is, and tells every node its part.
    func setMaterial(_ new: FleetMaterial) {
        guard new.generation > material.generation else { return }
        let hadNothing = material.assignments.isEmpty
        material = new
        materialSince = now
        let list = MaterialList(new)
        materialLists.insert(list, at: 0)
        if materialLists.count > Limits.materialListsKept { materialLists.removeLast() }
        if !(hadNothing && new.assignments.isEmpty) {
            for entry in nodes.values {
                guard let connection = entry.connection else { continue }
                noteMaterialSent(to: connection)
                connection.tell(list.share(of: entry.labels).messages)
            }
        }
        guard !new.nextDigests.isEmpty else { return }
        let bound = NIOLoopBound(self, eventLoop: owner.loop)
        for seconds in [Limits.materialHoldSeconds, Limits.materialStepSeconds] {
            owner.loop.scheduleTask(in: .seconds(seconds + 1)) { bound.value.checkMaterial() }
        }
        checkMaterial()
    }

    /// What a node that is admitted is told before any version.
    func materialMessages(for connection: FleetConnection) -> [FleetMessage] {
        guard !material.assignments.isEmpty, let list = materialLists.first,
            let entry = nodes[connection.name]
        else { return [] }
        noteMaterialSent(to: connection)
        return list.share(of: entry.labels).messages
    }

    private func noteMaterialSent(to connection: FleetConnection) {
        updateEntry(connection.name) { $0.materialSentAt = now }
    }

    /// Whether a node may have this material.
    func allowsMaterial(_ digest: Digest, for connection: FleetConnection) -> Bool {
        guard let entry = nodes[connection.name], entry.connection === connection else {
            return false
        }
        return materialLists.contains { $0.share(of: entry.labels).digests.contains(digest) }
    }

    /// A node reported what it holds and serves.
    func materialReported(_ status: WireMaterialStatus, _ connection: FleetConnection) {
        updateEntry(connection.name) { entry in
            if entry.connection === connection { entry.material = NodeMaterial(status) }
        }
        checkMaterial()
    }

    /// Tells the owner once that all nodes that need what is to be served next hold it.
    func checkMaterial() {
        guard !material.nextDigests.isEmpty, let list = materialLists.first,
            materialHeldGeneration < material.generation
        else { return }
        let isOver = now - materialSince > .seconds(Limits.materialStepSeconds)
        let waiting = nodes.values.filter { entry in
            guard entry.connection != nil, !entry.isRevoked else { return false }
            let next = list.share(of: entry.labels).nextDigests
            if next.isEmpty { return false }
            if entry.material.generation == material.generation,
                next.isSubset(of: entry.material.held)
            {
                return false
            }
            let sentAt = entry.materialSentAt ?? now
            return now - sentAt <= .seconds(Limits.materialHoldSeconds)
        }
        guard waiting.isEmpty || isOver else { return }
        materialHeldGeneration = material.generation
        owner.materialHeld(material.generation)
    }
}
