import FleetModel

/// Limits of the fleet protocol.
///
/// Both ends check what they receive; docs/protocol.md lists them.
package enum Limits {
    /// Octets of a frame's header: length, type, flags, correlation.
    package static let frameHeaderBytes = 12

    /// Longest payload of a frame after Welcome, in octets.
    ///
    /// A longer one ends the session before anything is allocated for it. 1 MiB holds 256 KiB of chunk and every list below with room to spare.
    package static let framePayloadBytesMax = 1 << 20

    /// The same before Join or Hello was accepted: a stranger can make us hold no more than this.
    package static let framePayloadBytesMaxUnauthenticated = 16 << 10

    /// Octets allocated for a payload before its octets have arrived; the rest grows with what does arrive.
    package static let payloadBytesReservedMax = 16 << 10

    /// Octets of blobs in one BlobChunk, and the largest manifest or delta that is sent within its
    /// frame.
    ///
    /// Small enough for an urgent frame to overtake at 1 MB/s within a third of a second.
    package static let chunkBytesMax = 256 << 10

    /// Parts in one BlobChunk.
    ///
    /// Their headers take about 50 octets each, which the limit of a frame has to hold too.
    package static let chunkPartCountMax = 4_096

    /// Octets of one blob: a configuration with a larger one is refused when it is applied.
    package static let blobBytesMax = ModelLimits.contentBytesMax

    /// Octets of all blobs of one version: refused likewise.
    package static let snapshotBytesMax = ModelLimits.configurationBytesMax

    /// Octets of a serialised manifest or delta: 200,000 entries with the longest names fit.
    package static let manifestBytesMax = 32 << 20

    /// Entries of a manifest: a configuration with more is refused when it is applied; and operations of a delta:
    /// where it would take more, the whole manifest is sent.
    package static let manifestEntryCountMax = ModelLimits.resourceCountMax

    /// Digests in one WantBlobs; a node that lacks more asks again when these have come.
    package static let wantedDigestCountMax = 8_192

    /// Contents that come along with a delta: what most changes have, with no question asked; more are asked for.
    package static let deltaContentCountMax = 64
    /// Octets of the contents that come along with a delta; more are asked for.
    package static let deltaContentBytesMax = 16 << 10

    /// Digests that a node keeps as rejected; the oldest is forgotten, and may then be offered again.
    package static let quarantinedDigestCountMax = 64

    /// Correlations of abandoned transfers whose chunks may still arrive; the oldest is forgotten, and a chunk for
    /// it then ends the session.
    package static let abandonedTransferCountMax = 64

    /// Errors in one ApplyStatus; a sender leaves out the rest.
    package static let problemCountMax = 64

    /// Octets of one text in an error or a goodbye; a sender cuts it there.
    package static let problemTextBytesMax = 1_024

    /// Octets of a node's name.
    package static let nameBytesMax = 63

    /// Labels of a node.
    package static let labelCountMax = ModelLimits.labelCountMax

    /// Octets of a label's name, its value, or a build's description.
    package static let labelBytesMax = ModelLimits.labelBytesMax

    /// Octets of a join token's text.
    package static let tokenBytesMax = 256

    /// Octets of a certificate request or of one certificate.
    package static let certificateBytesMax = 4_096

    /// Certificates in a chain: leaf, intermediate, root.
    package static let certificateCountMax = 3

    /// Authorities that a node is to believe: the present one and the next, with room for more.
    ///
    /// A longer list ends the session.
    package static let authorityCountMax = 4

    /// Counters plus gauges in a metrics report; a sender leaves out the rest.
    package static let metricCountMax = 2_048

    /// Histograms in a metrics report.
    package static let histogramCountMax = 128

    /// Buckets of one histogram that may be other than zero.
    package static let bucketCountMax = 2_048

    /// Labels of a metric.
    package static let metricLabelCountMax = 8

    /// Time from the connection to JoinAccepted or Welcome; then the end that waits closes.
    package static let handshakeSeconds: Int64 = 10

    /// Time between heartbeats that Welcome may ask for: a third of the silence that ends a session.
    package static let heartbeatSecondsMax: UInt32 = 10

    /// Time between metrics reports that Welcome may ask for.
    ///
    /// Rates of a longer one would say little about now.
    package static let metricsSecondsMax: UInt32 = 300

    /// Time without any frame after which an end gives a session up: three heartbeats.
    package static let silenceSeconds: Int64 = 30

    /// Certificates of a configuration, so assignments of a MaterialList: each takes some 170 octets of a frame.
    package static let materialCountMax = 4_096

    /// Digests in WantMaterial and MaterialStatus: what is served, and what is to be.
    package static let materialDigestCountMax = 2 * materialCountMax

    /// Octets of the public part of material: what a text of 1 MiB in PEM can hold, with its key in one frame.
    package static let materialBytesMax = 960 << 10

    /// Octets of a key in DER: the largest RSA key that is accepted has 5 KiB.
    package static let materialKeyBytesMax = 16 << 10

    /// Keys that session tickets are taken with.
    package static let ticketKeyCountMax = 8

    /// Challenges that are answered at once: four orders of a hundred hosts each; with certificates they fit a frame.
    package static let challengeCountMax = 400

    /// Octets of a challenge's host: the longest name of DNS.
    package static let challengeHostBytesMax = 253

    /// Octets of a challenge's token and of its content: authorities use 43 and 87.
    package static let challengeTextBytesMax = 512

    /// Adjustments that are sent, those that a version ended among them: with the longest names they fit a frame.
    package static let adjustmentCountMax = 2_048

    /// Endpoints of which something is to be forgotten; the sender leaves out the oldest.
    package static let endpointResetCountMax = 64

    /// Octets of an endpoint's address: the longest name of DNS with a port, in either notation.
    package static let endpointBytesMax = 320

    /// Largest weight that an adjustment gives an endpoint: as much as a configuration may.
    package static let adjustedWeightMax: UInt32 = 10_000

    /// Octets of a text about an endpoint or an upstream; a sender cuts it there.
    package static let endpointTextBytesMax = 256

    /// Upstreams and endpoints in one UpstreamReport; a sender goes on in another.
    package static let reportedEndpointCountMax = 512

    /// Upstreams and endpoints that a node reports; of more it says how many there are.
    package static let reportedEndpointTotalMax = 10_000

    /// First and longest time before a node tries again what failed for a reason outside the content.
    package static let retrySecondsMin: Int64 = 1
    package static let retrySecondsMax: Int64 = 30
}
