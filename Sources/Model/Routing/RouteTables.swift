package import FleetModel

/// The route tables of one configuration, each made when it is asked for first: many requests can be explained with them.
package final class RouteTables {
    /// What they are made of.
    package let configuration: Configuration
    private var tables: [String: RouteTable] = [:]

    /// Takes a checked configuration.
    package init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// The table of a listener.
    func table(of listener: Listener) -> RouteTable {
        if let table = tables[listener.name] { return table }
        let table = RouteTable(routes: configuration.routes, listener: listener.name)
        tables[listener.name] = table
        return table
    }
}
