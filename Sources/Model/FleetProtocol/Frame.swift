/// What a frame carries; the number on the wire.
package enum FrameType: UInt16, CaseIterable, Sendable {
    case join = 1
    case joinAccepted = 2
    case joinRefused = 3
    case hello = 16
    case welcome = 17
    case notModified = 32
    case manifest = 33
    case manifestDelta = 34
    case wantBlobs = 35
    case blobChunk = 36
    case deferred = 37
    case applyStatus = 48
    case heartbeat = 64
    case heartbeatAnswer = 65
    case metricsReport = 66
    case renew = 80
    case renewed = 81
    case command = 96
    case goodbye = 112
    case materialList = 128
    case wantMaterial = 129
    case material = 130
    case materialStatus = 131
    case ticketKeys = 132
    case challenges = 133
    case challengesStatus = 134
    case trust = 144
    case trustStatus = 145
    case adjustments = 160
    case adjustmentsStatus = 161
    case upstreamReport = 162
}

extension FrameType {
    /// Whether a peer that does not know the type is to skip it.
    ///
    /// A node of an older build refuses the configuration that its material is for, and says why; losing its
    /// session over a list that it cannot use would hide that.
    var isIgnorable: Bool {
        switch self {
        case .metricsReport, .materialList, .ticketKeys, .challenges, .trust, .adjustments,
            .upstreamReport:
            true
        default: false
        }
    }
}

/// Flags of a frame.
///
/// Bits without a name are sent as 0 and not looked at.
package struct FrameFlags: OptionSet, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Who does not know the frame's type skips it.
    package static let ignorable = Self(rawValue: 1)
}

/// One frame, decoded as far as its header.
///
/// ```
///  0               4       6       8               12
/// +---------------+-------+-------+---------------+----------------
/// | payload bytes | type  | flags | correlation   | payload ...
/// +---------------+-------+-------+---------------+----------------
/// ```
/// All numbers are big-endian. The length counts the payload alone.
package struct Frame: Equatable, Sendable {
    /// As received: possibly a type that this build does not know.
    package var type: UInt16
    package var flags: FrameFlags
    /// Chosen by who asks and repeated by who answers; 0 when nobody waits for an answer.
    package var correlation: UInt32
    /// A serialised message.
    package var payload: [UInt8]

    package init(type: UInt16, flags: FrameFlags = [], correlation: UInt32, payload: [UInt8]) {
        self.type = type
        self.flags = flags
        self.correlation = correlation
        self.payload = payload
    }

    /// The frame's octets on the wire.
    ///
    /// - Precondition: The payload is no longer than `Limits.framePayloadBytesMax`.
    package func encoded() -> [UInt8] {
        precondition(
            payload.count <= Limits.framePayloadBytesMax,
            "payload of \(payload.count) octets in a frame of type \(type)"
        )
        var octets: [UInt8] = []
        octets.reserveCapacity(Limits.frameHeaderBytes + payload.count)
        octets.appendBigEndian(UInt32(payload.count))
        octets.appendBigEndian(type)
        octets.appendBigEndian(flags.rawValue)
        octets.appendBigEndian(correlation)
        octets.append(contentsOf: payload)
        return octets
    }
}

extension [UInt8] {
    /// Appends a number, the most significant octet first.
    mutating func appendBigEndian(_ number: some FixedWidthInteger & UnsignedInteger) {
        var shift = number.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
