import Bytes

/// The frame types that have a meaning here (RFC 9113 §6, RFC 9218 §7.1).
enum FrameType: UInt8, Sendable {
    case data = 0x0
    case headers = 0x1
    case priority = 0x2
    case resetStream = 0x3
    case settings = 0x4
    case pushPromise = 0x5
    case ping = 0x6
    case goAway = 0x7
    case windowUpdate = 0x8
    case continuation = 0x9
    case priorityUpdate = 0x10
}

/// The flags of frames; one bit means different things on different types.
enum FrameFlags {
    static let endStream: UInt8 = 0x1
    static let acknowledgement: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8
    static let priority: UInt8 = 0x20
}

/// The nine octets in front of each frame (RFC 9113 §4.1).
///
///     | length 24 | type 8 | flags 8 | reserved 1 | stream 31 |
struct FrameHeader: Sendable {
    /// Octets of the payload.
    let length: Int
    /// The type as it came; look at `FrameType`.
    let type: UInt8
    let flags: UInt8
    /// The stream without the reserved bit; 0 for the connection.
    let stream: UInt32

    /// Octets of a header.
    static let bytes = 9

    /// Takes a header apart.
    ///
    /// - Parameter bits: The nine octets as a number, the first one highest.
    init(bits: UInt128) {
        length = Int(truncatingIfNeeded: bits >> 48) & 0xff_ffff
        type = UInt8(truncatingIfNeeded: bits >> 40)
        flags = UInt8(truncatingIfNeeded: bits >> 32)
        stream = UInt32(truncatingIfNeeded: bits) & FrameHeader.streamMask
    }

    /// Reads the header at `index`.
    ///
    /// - Parameters:
    ///   - octets: Received octets; nine or more are left from `index` on.
    ///   - index: The first octet.
    init(_ octets: Span<UInt8>, at index: Int) {
        let word = UInt128(octets.word(at: index).byteSwapped)
        self.init(bits: word << 8 | UInt128(octets[index + 8]))
    }

    /// Whether a flag is set.
    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    /// All bits of a stream identifier; also the highest one.
    static let streamMask: UInt32 = 0x7fff_ffff
}

extension Span where Element == UInt8 {
    /// Reads 32 bits, the highest first.
    func bigEndian32(at index: Int) -> UInt32 {
        UInt32(self[index]) << 24 | UInt32(self[index + 1]) << 16 | UInt32(self[index + 2]) << 8
            | UInt32(self[index + 3])
    }
}

extension Array where Element == UInt8 {
    /// Writes the header of a frame.
    mutating func appendFrameHeader(
        _ type: FrameType,
        flags: UInt8 = 0,
        stream: UInt32,
        length: Int
    ) {
        append(UInt8(truncatingIfNeeded: length >> 16))
        append(UInt8(truncatingIfNeeded: length >> 8))
        append(UInt8(truncatingIfNeeded: length))
        append(type.rawValue)
        append(flags)
        append(bigEndian: stream)
    }

    /// Writes 16 bits, the highest first.
    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Writes 32 bits, the highest first.
    mutating func append(bigEndian value: UInt32) {
        append(bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }

    /// Writes 64 bits, the highest first.
    mutating func append(bigEndian value: UInt64) {
        append(bigEndian: UInt32(truncatingIfNeeded: value >> 32))
        append(bigEndian: UInt32(truncatingIfNeeded: value))
    }
}

/// What a client sends first (RFC 9113 §3.4).
enum ConnectionPreface {
    /// `PRI * HT`, `TP/2.0` and so on as numbers, the first octet highest: nothing to index.
    static let words: (UInt64, UInt64, UInt64) = (
        0x5052_4920_2a20_4854, 0x5450_2f32_2e30_0d0a, 0x0d0a_534d_0d0a_0d0a
    )
    /// Octets of it.
    static let bytes = 24

    /// The octet at a place of the preface.
    static func octet(at place: Int) -> UInt8 {
        let word = place < 8 ? words.0 : place < 16 ? words.1 : words.2
        return UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (place & 7)))
    }
}
