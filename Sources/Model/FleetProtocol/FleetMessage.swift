package import FleetMessages
internal import SwiftProtobuf

/// The message of a frame, decoded and checked.
package enum FleetMessage: Equatable, Sendable {
    /// A node asks to become a member; the first frame of a connection without a client certificate.
    case join(WireJoin)
    /// The certificate and the keys of a new member.
    case joinAccepted(WireJoinAccepted)
    /// Why a node may not join.
    case joinRefused(WireJoinRefused)
    /// What a node has; the first frame of a member's connection.
    case hello(WireHello)
    /// What is expected of the node.
    case welcome(WireWelcome)
    /// The node has the head's content.
    case notModified(WireNotModified)
    /// The head, whole.
    case manifest(WireManifest)
    /// The head as a difference to what the node serves.
    case manifestDelta(WireManifestDelta)
    /// Contents that the node lacks.
    case wantBlobs(WireWantBlobs)
    /// Contents, or parts of one.
    case blobChunk(WireBlobChunk)
    /// The node is to say Hello again later.
    case deferred(WireDeferred)
    /// How far a version has come on the node.
    case applyStatus(WireApplyStatus)
    /// The node lives; what it serves.
    case heartbeat(WireHeartbeat)
    /// The control plane lives; what the head is.
    case heartbeatAnswer(WireHeartbeatAnswer)
    /// What was measured since the last report.
    case metricsReport(WireMetricsReport)
    /// The node asks for its next certificate.
    case renew(WireRenew)
    /// The next certificate, or why there is none.
    case renewed(WireRenewed)
    /// An operator's command.
    case command(WireCommand)
    /// The last frame of a session.
    case goodbye(WireGoodbye)
    /// Which material the certificates of the head have.
    case materialList(WireMaterialList)
    /// Material that the node lacks.
    case wantMaterial(WireWantMaterial)
    /// A certificate with its key, or authorities.
    case material(WireMaterial)
    /// Which material the node has, and what it serves of it.
    case materialStatus(WireMaterialStatus)
    /// What session tickets are sealed with.
    case ticketKeys(WireTicketKeys)
    /// What authorities that want proof of hosts are answered.
    case challenges(WireChallenges)
    /// Which of these the node answers.
    case challengesStatus(WireChallengesStatus)
    /// Which authorities the node is to believe.
    case trust(WireTrust)
    /// Which authorities the node believes, and whose certificate it has.
    case trustStatus(WireTrustStatus)
    /// What an operator wants of endpoints, beside the configuration.
    case adjustments(WireAdjustments)
    /// Which of these the node keeps to.
    case adjustmentsStatus(WireAdjustmentsStatus)
    /// How the node sees its upstreams.
    case upstreamReport(WireUpstreamReport)

    /// Decodes a frame's payload and checks every field that could do harm.
    ///
    /// - Returns: `nil` if the type is unknown and the frame may be ignored.
    /// - Throws: `typeUnknown`, `messageMalformed`, `fieldInvalid` or `limitExceeded`.
    package init?(_ frame: Frame) throws(FleetProtocolError) {
        guard let type = FrameType(rawValue: frame.type) else {
            if frame.flags.contains(.ignorable) { return nil }
            throw .typeUnknown(frame.type)
        }
        switch type {
        case .join: self = .join(try decode(frame.payload, as: type))
        case .joinAccepted: self = .joinAccepted(try decode(frame.payload, as: type))
        case .joinRefused: self = .joinRefused(try decode(frame.payload, as: type))
        case .hello: self = .hello(try decode(frame.payload, as: type))
        case .welcome: self = .welcome(try decode(frame.payload, as: type))
        case .notModified: self = .notModified(try decode(frame.payload, as: type))
        case .manifest: self = .manifest(try decode(frame.payload, as: type))
        case .manifestDelta: self = .manifestDelta(try decode(frame.payload, as: type))
        case .wantBlobs: self = .wantBlobs(try decode(frame.payload, as: type))
        case .blobChunk: self = .blobChunk(try decode(frame.payload, as: type))
        case .deferred: self = .deferred(try decode(frame.payload, as: type))
        case .applyStatus: self = .applyStatus(try decode(frame.payload, as: type))
        case .heartbeat: self = .heartbeat(try decode(frame.payload, as: type))
        case .heartbeatAnswer: self = .heartbeatAnswer(try decode(frame.payload, as: type))
        case .metricsReport: self = .metricsReport(try decode(frame.payload, as: type))
        case .renew: self = .renew(try decode(frame.payload, as: type))
        case .renewed: self = .renewed(try decode(frame.payload, as: type))
        case .command: self = .command(try decode(frame.payload, as: type))
        case .goodbye: self = .goodbye(try decode(frame.payload, as: type))
        case .materialList: self = .materialList(try decode(frame.payload, as: type))
        case .wantMaterial: self = .wantMaterial(try decode(frame.payload, as: type))
        case .material: self = .material(try decode(frame.payload, as: type))
        case .materialStatus: self = .materialStatus(try decode(frame.payload, as: type))
        case .ticketKeys: self = .ticketKeys(try decode(frame.payload, as: type))
        case .challenges: self = .challenges(try decode(frame.payload, as: type))
        case .challengesStatus: self = .challengesStatus(try decode(frame.payload, as: type))
        case .trust: self = .trust(try decode(frame.payload, as: type))
        case .trustStatus: self = .trustStatus(try decode(frame.payload, as: type))
        case .adjustments: self = .adjustments(try decode(frame.payload, as: type))
        case .adjustmentsStatus: self = .adjustmentsStatus(try decode(frame.payload, as: type))
        case .upstreamReport: self = .upstreamReport(try decode(frame.payload, as: type))
        }
        try check()
    }

    /// The type of the frame that carries this message.
    package var type: FrameType {
        switch self {
        case .join: .join
        case .joinAccepted: .joinAccepted
        case .joinRefused: .joinRefused
        case .hello: .hello
        case .welcome: .welcome
        case .notModified: .notModified
        case .manifest: .manifest
        case .manifestDelta: .manifestDelta
        case .wantBlobs: .wantBlobs
        case .blobChunk: .blobChunk
        case .deferred: .deferred
        case .applyStatus: .applyStatus
        case .heartbeat: .heartbeat
        case .heartbeatAnswer: .heartbeatAnswer
        case .metricsReport: .metricsReport
        case .renew: .renew
        case .renewed: .renewed
        case .command: .command
        case .goodbye: .goodbye
        case .materialList: .materialList
        case .wantMaterial: .wantMaterial
        case .material: .material
        case .materialStatus: .materialStatus
        case .ticketKeys: .ticketKeys
        case .challenges: .challenges
        case .challengesStatus: .challengesStatus
        case .trust: .trust
        case .trustStatus: .trustStatus
        case .adjustments: .adjustments
        case .adjustmentsStatus: .adjustmentsStatus
        case .upstreamReport: .upstreamReport
        }
    }

    /// The frame that carries this message.
    ///
    /// `correlation` is that of `Frame`.
    package func frame(correlation: UInt32 = 0) -> Frame {
        Frame(
            type: type.rawValue,
            flags: type.isIgnorable ? .ignorable : [],
            correlation: correlation,
            payload: payload
        )
    }

    /// The serialised message.
    private var payload: [UInt8] {
        switch self {
        case .join(let message): serialise(message)
        case .joinAccepted(let message): serialise(message)
        case .joinRefused(let message): serialise(message)
        case .hello(let message): serialise(message)
        case .welcome(let message): serialise(message)
        case .notModified(let message): serialise(message)
        case .manifest(let message): serialise(message)
        case .manifestDelta(let message): serialise(message)
        case .wantBlobs(let message): serialise(message)
        case .blobChunk(let message): serialise(message)
        case .deferred(let message): serialise(message)
        case .applyStatus(let message): serialise(message)
        case .heartbeat(let message): serialise(message)
        case .heartbeatAnswer(let message): serialise(message)
        case .metricsReport(let message): serialise(message)
        case .renew(let message): serialise(message)
        case .renewed(let message): serialise(message)
        case .command(let message): serialise(message)
        case .goodbye(let message): serialise(message)
        case .materialList(let message): serialise(message)
        case .wantMaterial(let message): serialise(message)
        case .material(let message): serialise(message)
        case .materialStatus(let message): serialise(message)
        case .ticketKeys(let message): serialise(message)
        case .challenges(let message): serialise(message)
        case .challengesStatus(let message): serialise(message)
        case .trust(let message): serialise(message)
        case .trustStatus(let message): serialise(message)
        case .adjustments(let message): serialise(message)
        case .adjustmentsStatus(let message): serialise(message)
        case .upstreamReport(let message): serialise(message)
        }
    }
}

/// Unknown fields are dropped: nothing here passes messages on.
private func decode<Payload: SwiftProtobuf.Message>(
    _ payload: [UInt8],
    as type: FrameType
) throws(FleetProtocolError) -> Payload {
    var options = BinaryDecodingOptions()
    options.discardUnknownFields = true
    options.messageDepthLimit = 8
    do {
        return try Payload(serializedBytes: payload, options: options)
    } catch {
        throw .messageMalformed(type)
    }
}

/// Serialises a message that we made; maps in the order of their keys, so that the octets are always
/// the same.
func serialise(_ message: some SwiftProtobuf.Message) -> [UInt8] {
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    do {
        return try message.serializedBytes(options: options)
    } catch {
        // proto3 has no required fields, and no message of ours comes near 2 GiB.
        preconditionFailure("serialising \(error)")
    }
}

/// Decodes the octets of a manifest's or delta's content that was sent in chunks.
func decodeContent<Payload: SwiftProtobuf.Message>(
    _ octets: [UInt8],
    of type: FrameType
) throws(FleetProtocolError) -> Payload {
    try decode(octets, as: type)
}
