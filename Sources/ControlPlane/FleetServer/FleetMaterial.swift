package import Cryptography
import FleetMessages
package import FleetModel
import FleetProtocol

/// Which material the certificates of the head have, and what session tickets are sealed with.
///
/// Material itself is read from the store, one piece at a time, for the nodes that ask for it.
package struct FleetMaterial: Sendable {
    /// Which material a certificate has.
    package struct Assignment: Hashable, Sendable {
        /// The certificate's name.
        package let name: String
        /// The digest of its content in the head.
        package let resource: Digest
        /// What nodes serve.
        package let serve: Digest
        /// What they are to hold, to serve it when all of them do.
        package let next: Digest?

        /// Joins its parts.
        package init(name: String, resource: Digest, serve: Digest, next: Digest?) {
            (self.name, self.resource) = (name, resource)
            (self.serve, self.next) = (serve, next)
        }
    }

    /// A key that session tickets are sealed with.
    package struct TicketKey: Sendable {
        /// 16 octets.
        package let name: [UInt8]
        /// 64 octets.
        package let octets: SecretBytes

        /// Joins its parts.
        package init(name: [UInt8], octets: SecretBytes) {
            (self.name, self.octets) = (name, octets)
        }
    }

    /// Rises with each change, over restarts too; 0 is nothing.
    package let generation: UInt64
    /// All that the head needs.
    package let assignments: [Assignment]
    /// The key for new tickets first.
    package let ticketKeys: [TicketKey]
    /// The head, where its groups say that not every node needs everything.
    package let grouping: Configuration?

    /// Nothing.
    package static let none = FleetMaterial(generation: 0, assignments: [], ticketKeys: [])

    /// Joins its parts.
    package init(
        generation: UInt64,
        assignments: [Assignment],
        ticketKeys: [TicketKey],
        grouping: Configuration? = nil
    ) {
        (self.generation, self.assignments) = (generation, assignments)
        (self.ticketKeys, self.grouping) = (ticketKeys, grouping)
    }

    /// What nodes with these labels need of it: no key goes to a node that has no use for it.
    func share(of labels: [String: String]) -> FleetMaterial {
        guard let grouping else { return self }
        let share = grouping.share(of: labels)
        let needed = share.neededCertificates
        return FleetMaterial(
            generation: generation,
            assignments: assignments.filter { needed.contains($0.name) },
            ticketKeys: share.listeners.contains { $0.tls != nil } ? ticketKeys : []
        )
    }

    /// What nodes may ask for.
    var digests: Set<Digest> {
        assignments.reduce(into: []) { digests, assignment in
            digests.insert(assignment.serve)
            if let next = assignment.next { digests.insert(next) }
        }
    }

    /// What nodes are to hold before any of them serves it.
    var nextDigests: Set<Digest> { Set(assignments.compactMap(\.next)) }

    /// What a node is told of it; nothing before there is any.
    var messages: [FleetMessage] {
        guard generation > 0 else { return [] }
        var list = WireMaterialList()
        list.generation = generation
        list.assignments = assignments.map { assignment in
            var message = WireMaterialAssignment()
            message.name = assignment.name
            message.resource = wireOctets(assignment.resource.octets)
            message.serve = wireOctets(assignment.serve.octets)
            if let next = assignment.next { message.next = wireOctets(next.octets) }
            return message
        }
        // Who terminates no TLS needs no keys of tickets, and forgets those that it had.
        var keys = WireTicketKeys()
        guard !assignments.isEmpty else { return [.materialList(list), .ticketKeys(keys)] }
        keys.keys = ticketKeys.map { key in
            var message = WireTicketKey()
            message.name = wireOctets(key.name)
            message.octets = key.octets.withOctets { wireOctets($0) }
            return message
        }
        return [.materialList(list), .ticketKeys(keys)]
    }
}

/// What a node said of its material.
package struct NodeMaterial: Sendable, Equatable {
    /// Of the newest list that it has; 0 for none.
    package var generation: UInt64 = 0
    /// What it holds of that list.
    package var held: Set<Digest> = []
    /// What it serves, by the certificate's name.
    package var served: [String: Digest] = [:]
    /// Why it could not store it; empty when it could.
    package var problem = ""

    /// Nothing.
    package init() {}

    /// What a node reported.
    init(_ status: WireMaterialStatus) {
        generation = status.generation
        held = Set(status.held.compactMap { Digest(octets: octets($0)) })
        for item in status.served { served[item.name] = Digest(octets: octets(item.digest)) }
        problem = status.problem
    }
}
