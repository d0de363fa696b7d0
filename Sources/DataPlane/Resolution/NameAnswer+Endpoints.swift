package import FleetModel

extension NameAnswer {
    /// What a zone's zero weighs beside other weights: others weigh so much more (RFC 2782: "a very small chance").
    private static let weightScale = 100

    /// The endpoints that an answer makes: one for each address, or for each target of a service.
    ///
    /// Tiers follow priorities: the lowest is tier 0, the next one 1, and so on. Weights are the records'; a weight of
    /// 0 beside others takes a hundredth of what 1 does, and where all of a priority are 0 they are equal.
    ///
    /// - Parameter port: The port of addresses; services have their own.
    /// - Returns: Endpoints with distinct addresses; of services with the same target and port the first one counts.
    package func endpoints(port: Int?) -> [Endpoint] {
        if services.isEmpty {
            guard let port = port.flatMap(UInt16.init(exactly:)) else { return [] }
            return addresses.map { Endpoint(address: NetworkAddress(host: .ip($0), port: port)) }
        }
        let priorities = Set(services.map(\.priority)).sorted()
        var known: Set<NetworkAddress> = []
        var endpoints: [Endpoint] = []
        for (tier, priority) in priorities.enumerated() {
            let group = services.filter { $0.priority == priority }
            let areEqual = group.allSatisfy { $0.weight == 0 }
            let scale = group.contains { $0.weight == 0 } ? Self.weightScale : 1
            for service in group {
                let address = NetworkAddress(host: .name(service.host), port: service.port)
                guard known.insert(address).inserted else { continue }
                let weight = areEqual ? 1 : max(Int(service.weight) * scale, 1)
                endpoints.append(Endpoint(address: address, weight: weight, tier: tier))
            }
        }
        return endpoints
    }
}
