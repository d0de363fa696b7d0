package import FleetModel
package import Routing

/// One version of the configuration in the form that nodes serve: numbered, checked, immutable.
package struct Snapshot: Sendable {
    /// The cluster that the version belongs to, 16 octets; zeros for a file of no cluster.
    package let clusterID: [UInt8]
    /// Counts restores of the store: of two versions the one of the higher epoch is newer.
    package let epoch: UInt64
    /// The version's number; 0 for a file of no cluster.
    package let version: UInt64
    /// What the fleet serves.
    package let configuration: Configuration
    /// What a node with the labels serves of it.
    package let share: Configuration

    /// The version's digest: that of its manifest.
    package var digest: Digest { configuration.manifest.digest }

    /// Numbers a checked configuration.
    ///
    /// - Parameters:
    ///   - configuration: What is to be served.
    ///   - version: Its number.
    ///   - clusterID: The cluster, 16 octets.
    ///   - epoch: The epoch of the cluster's store.
    ///   - labels: Of the node that serves it.
    package init(
        configuration: Configuration,
        version: UInt64 = 0,
        clusterID: [UInt8] = [UInt8](repeating: 0, count: 16),
        epoch: UInt64 = 0,
        labels: [String: String] = [:]
    ) {
        precondition(clusterID.count == 16, "a cluster's identity of \(clusterID.count) octets")
        (self.clusterID, self.epoch, self.version) = (clusterID, epoch, version)
        self.configuration = configuration
        share = configuration.share(of: labels)
    }

    /// Compiles what a file or a session brought, as strictly as `proxyctl validate` does.
    ///
    /// - Parameters:
    ///   - file: The version with its contents.
    ///   - previous: The snapshot that is served; its unchanged resources are not read again.
    ///   - labels: Of the node that serves it.
    /// - Throws: Every problem at once, by resource.
    package init(
        file: SnapshotFile,
        reusing previous: Snapshot? = nil,
        labels: [String: String] = [:]
    ) throws(ConfigurationProblems) {
        let configuration = try Configuration(
            resources: file.resources,
            reusing: previous?.configuration
        )
        self.init(
            configuration: configuration,
            version: file.version,
            clusterID: file.clusterID,
            epoch: file.epoch,
            labels: labels
        )
    }

    /// Compiles the routes of one listener; each worker makes its own.
    ///
    /// - Parameter listener: The listener's name.
    /// - Returns: The table, whose results are indices into `configuration.routes`.
    package func routeTable(listener: String) -> RouteTable {
        RouteTable(routes: configuration.routes, listener: listener)
    }

    /// Whether this may take the place of `other` on a node: not of an older epoch or version.
    ///
    /// - Parameter other: What the node serves.
    /// - Returns: False for a step back, which only an attacker or a mistake sends.
    package func mayReplace(_ other: Snapshot) -> Bool {
        (epoch, version) >= (other.epoch, other.version)
    }
}
