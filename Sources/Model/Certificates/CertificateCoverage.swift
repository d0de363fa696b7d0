package import FleetModel

/// Whether the certificates of listeners are for the hosts of their routes.
package enum CertificateCoverage {
    /// The hosts of routes that no certificate covers.
    ///
    /// A route is judged by all https listeners that serve it: one of them must have a certificate for each of
    /// its hosts. A route without hosts answers for any name and is not judged, and neither is one that a
    /// listener with a certificate of unknown names serves.
    ///
    /// - Parameters:
    ///   - configuration: The whole configuration.
    ///   - names: What the certificates are for, by their names in the configuration.
    /// - Returns: One problem for each host of each route.
    package static func problems(
        in configuration: Configuration,
        names: [String: ServerNames]
    ) -> [Problem] {
        var served: [String: [String]] = [:]
        for use in configuration.certificateUses where use.isServed {
            served[use.user, default: []].append(use.certificate)
        }
        let listeners = configuration.listeners.filter { $0.transport == .https }.map(\.name)
        guard !listeners.isEmpty else { return [] }
        var problems: [Problem] = []
        for route in configuration.routes {
            guard let hosts = route.hosts else { continue }
            let serving = route.listeners.map { $0.filter(listeners.contains) } ?? listeners
            let certificates = serving.flatMap { served[$0] ?? [] }
            let known = certificates.compactMap { names[$0] }
            guard !serving.isEmpty, known.count == certificates.count else { continue }
            for host in ServerNames.uncovered(hosts.map(\.description), by: known) {
                problems.append(problem(host, of: route, serving, Set(certificates).sorted()))
            }
        }
        return problems
    }

    private static func problem(
        _ host: String,
        of route: Route,
        _ listeners: [String],
        _ certificates: [String]
    ) -> Problem {
        Problem(
            kind: .route,
            name: route.name,
            field: "hosts",
            message:
                "no certificate of \(listed(listeners)) covers \(host) (\(listed(certificates))): name one "
                + "that does in tls.certificates, or keep the route off with `listeners`"
        )
    }

    /// The first few of some names.
    private static func listed(_ names: [String]) -> String {
        let more = names.count > 3 ? " and \(names.count - 3) more" : ""
        return names.prefix(3).joined(separator: ", ") + more
    }
}

extension ConfiguredCertificate {
    /// The names of a certificate that its configuration tells; nil for others.
    package var configuredNames: ServerNames? {
        let hosts: [String]
        switch source {
        case .selfSigned(let names): hosts = names
        case .acme(let order): hosts = order.hosts
        case .files, .authority: return nil
        }
        var (dnsNames, addresses): ([String], [IPAddress]) = ([], [])
        for host in hosts {
            let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
            if let address = IPAddress(isBracketed ? host.dropFirst().dropLast() : host[...]) {
                addresses.append(address)
            } else {
                dnsNames.append(host)
            }
        }
        return ServerNames(dnsNames: dnsNames, addresses: addresses)
    }
}
