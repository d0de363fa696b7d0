/// Bounds of the simulator, each with its reason.
enum Limits {
    /// Nodes of one process: a connection each, and some 200 KiB.
    static let nodeCountMax = 10_000
    /// Octets of the file with tokens: 93 and a line feed each.
    static let tokenFileBytesMax = 1 << 20
    /// Octets of an identity: a key and three certificates.
    static let identityBytesMax = 64 << 10
    /// Manifests kept for all nodes: the head and the ones that slow nodes still serve.
    static let sharedManifestCountMax = 3
    /// How long events are held back, so that many are written at once: a reader is not woken for each.
    static let eventDelayMilliseconds: Int64 = 20
    /// Counters and gauges of a metrics report: about what a node with some traffic reports.
    static let reportedMetricCount = 80
}
