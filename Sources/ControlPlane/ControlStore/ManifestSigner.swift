package import FleetModel

/// Signs versions; the authority does.
package protocol ManifestSigner: Sendable {
    /// The signature of a version, 64 octets. Called within the transaction that makes the version.
    func sign(clusterID: [UInt8], epoch: UInt64, version: UInt64, digest: Digest) throws -> [UInt8]
}
