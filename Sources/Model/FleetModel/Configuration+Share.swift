/// Which part of a configuration concerns a node: what its listeners serve, and what their requests can reach.
///
///     listeners that it takes ──▶ routes of those ──▶ policies ──▶ upstreams ──▶ certificates
///
/// The control plane works it out to send a node no other keys, and the node to bind no other listeners.
extension Configuration {
    /// Names of the groups that a node with these labels belongs to.
    ///
    /// Nodes that belong to the same groups have the same share.
    package func groups(of labels: [String: String]) -> Set<String> {
        Set(groups.lazy.filter { $0.takes(labels) }.map(\.name))
    }

    /// The same configuration with the listeners of a node alone.
    ///
    /// It has the digest of the whole, and all of its routes, so that they have the same indices everywhere.
    ///
    /// - Parameter labels: The node's.
    /// - Returns: The node's share; the configuration itself where that has no groups, or the node takes all.
    package func share(of labels: [String: String]) -> Configuration {
        guard !groups.isEmpty else { return self }
        var (grouped, matched): (Set<String>, Set<String>) = ([], [])
        for group in groups {
            grouped.formUnion(group.listeners)
            if group.takes(labels) { matched.formUnion(group.listeners) }
        }
        let taken = listeners.filter { !grouped.contains($0.name) || matched.contains($0.name) }
        guard taken.count < listeners.count else { return self }
        var share = self
        let names = Set(taken.map(\.name))
        share.listeners = taken
        share.listenersElsewhere = listeners.filter { !names.contains($0.name) }
        let reached = reachedUpstreams(from: taken)
        share.upstreamsElsewhere = Set(upstreams.map(\.name)).subtracting(reached)
        return share
    }

    /// The upstreams that requests of the listeners can come to; what others name is of no concern to the node.
    package var upstreamsInUse: [Upstream] {
        upstreamsElsewhere.isEmpty
            ? upstreams : upstreams.filter { !upstreamsElsewhere.contains($0.name) }
    }

    private func reachedUpstreams(from taken: [Listener]) -> Set<String> {
        let names = Set(taken.map(\.name))
        let hasRequests = taken.contains { $0.transport.hasRequests }
        var policies: Set<String> = []
        var upstreams: Set<String> = []
        func follow(_ references: [Reference]) {
            for reference in references {
                switch reference.kind {
                case .upstream: upstreams.insert(reference.name)
                case .policy: policies.insert(reference.name)
                default: break
                }
            }
        }
        for item in checked {
            switch item.typed {
            case .listener(let listener) where names.contains(listener.name):
                follow(item.references)
            case .route(let route):
                if route.listeners.map({ !names.isDisjoint(with: $0) }) ?? hasRequests {
                    follow(item.references)
                }
            default: break
            }
        }
        for item in checked where item.resource.kind == .policy {
            if policies.contains(item.resource.name) { follow(item.references) }
        }
        return upstreams
    }

    /// Names of the certificates whose material a node needs: those that something names.
    ///
    /// What the control plane itself trusts as it orders others is not for nodes.
    package var neededCertificates: Set<String> {
        let absent = Set(listenersElsewhere.map(\.name))
        return Set(
            certificateUses.lazy.filter { use in
                switch use.kind {
                case .certificate: false
                case .listener: !absent.contains(use.user)
                case .upstream: !self.upstreamsElsewhere.contains(use.user)
                default: true
                }
            }
            .map(\.certificate)
        )
    }

    /// Listeners that none of some nodes takes, each with the groups that it is in.
    ///
    /// - Parameter nodes: The labels of each node.
    /// - Returns: In the configuration's order.
    package func listenersWithoutNode(
        among nodes: [[String: String]]
    ) -> [(listener: String, groups: [ListenerGroup])] {
        guard !groups.isEmpty else { return [] }
        let inUse = groups.filter { group in nodes.contains { group.takes($0) } }
        let taken = Set(inUse.flatMap(\.listeners))
        return listeners.compactMap { listener in
            let own = groups.filter { $0.listeners.contains(listener.name) }
            return own.isEmpty || taken.contains(listener.name) ? nil : (listener.name, own)
        }
    }

    /// What an operator should know of groups: certificates whose hosts could not be proved where they are served.
    ///
    /// An authority asks a host's own address for the file of http-01, so a node that serves the certificate has to
    /// answer on a listener of http.
    package var groupWarnings: [String] {
        var warnings: [String] = []
        for certificate in certificates where certificate.order?.challenge == .http {
            for group in groups {
                let share = share(of: group.labels)
                guard !share.listeners.contains(where: { $0.transport == .http }),
                    share.listeners.contains(where: { listener in
                        listener.tls?.certificates.contains(certificate.name) ?? false
                    })
                else { continue }
                warnings.append(
                    "certificate \(certificate.name): nodes of the group \(group.name) serve it and have no http "
                        + "listener that could answer http-01: let them take one"
                )
            }
        }
        return warnings
    }
}
