/// Cuts a stream of octets into frames.
///
/// Holds at most one partial frame. The length is checked as soon as its four octets are there, and memory is
/// allocated as octets arrive, so a peer cannot make us hold more than it sends.
///
///     header --12 octets, length allowed--> payload --all octets--> header
///        \------- length too large -------> failed (every further call throws the same)
package struct FrameDecoder: ~Copyable {
    private var state: State

    /// Longest payload accepted from now on, in octets; applies to headers not yet complete.
    package var payloadBytesMax: Int

    private enum State: ~Copyable {
        case header([UInt8])
        case payload(Frame, bytesExpected: Int)
        case failed(FleetProtocolError)
    }

    /// - Parameter payloadBytesMax: Longest payload accepted, in octets.
    package init(payloadBytesMax: Int = Limits.framePayloadBytesMaxUnauthenticated) {
        self.init(state: .header([]), payloadBytesMax: payloadBytesMax)
    }

    private init(state: consuming State, payloadBytesMax: Int) {
        self.state = state
        self.payloadBytesMax = payloadBytesMax
    }

    /// Whether the octets so far end at the end of a frame; if the peer closes otherwise, a frame was truncated.
    package var isBetweenFrames: Bool {
        switch state {
        case .header(let octets): octets.isEmpty
        case .payload: false
        case .failed: false
        }
    }

    /// Takes octets from `input` until a frame is complete or none are left.
    ///
    /// - Parameters:
    ///   - input: Received octets.
    ///   - offset: Where in `input` to begin; moved behind what was taken.
    /// - Returns: A frame, or `nil` when all of `input` has been taken.
    /// - Throws: `frameOversized`. The stream cannot be followed any further.
    /// - Complexity: O(octets taken).
    package mutating func next(
        _ input: Span<UInt8>,
        offset: inout Int
    ) throws(FleetProtocolError) -> Frame? {
        let max = payloadBytesMax
        while true {
            switch consume self.state {  // a path that puts no state back does not compile
            case .header(var header):
                let count = min(Limits.frameHeaderBytes - header.count, input.count - offset)
                header.append(input, from: offset, count: count)
                offset += count
                if let error = Self.oversize(header, max: max) {
                    self = Self(state: .failed(error), payloadBytesMax: max)
                    throw error
                }
                guard header.count == Limits.frameHeaderBytes else {
                    self = Self(state: .header(header), payloadBytesMax: max)
                    return nil
                }
                self = Self(state: Self.begin(header), payloadBytesMax: max)
            case .payload(var frame, let bytesExpected):
                let count = min(bytesExpected - frame.payload.count, input.count - offset)
                frame.payload.append(input, from: offset, count: count)
                offset += count
                guard frame.payload.count == bytesExpected else {
                    let state = State.payload(frame, bytesExpected: bytesExpected)
                    self = Self(state: state, payloadBytesMax: max)
                    return nil
                }
                self = Self(state: .header([]), payloadBytesMax: max)
                return frame
            case .failed(let error):
                self = Self(state: .failed(error), payloadBytesMax: max)
                throw error
            }
        }
    }

    /// The error of a length over the limit, as soon as the length is complete.
    private static func oversize(_ header: [UInt8], max: Int) -> FleetProtocolError? {
        guard header.count >= 4 else { return nil }
        let bytes = Int(header.bigEndian32(at: 0))
        return bytes > max ? .frameOversized(bytes: bytes, max: max) : nil
    }

    private static func begin(_ header: [UInt8]) -> State {
        var frame = Frame(
            type: UInt16(header[4]) << 8 | UInt16(header[5]),
            flags: FrameFlags(rawValue: UInt16(header[6]) << 8 | UInt16(header[7])),
            correlation: header.bigEndian32(at: 8),
            payload: []
        )
        let bytes = Int(header.bigEndian32(at: 0))
        frame.payload.reserveCapacity(min(bytes, Limits.payloadBytesReservedMax))
        return .payload(frame, bytesExpected: bytes)
    }
}

extension [UInt8] {
    /// Appends `count` octets of `span` from `offset` on.
    mutating func append(_ span: Span<UInt8>, from offset: Int, count: Int) {
        guard count > 0 else { return }
        append(
            contentsOf: [UInt8](capacity: count) { output in
                for index in offset..<offset + count {
                    output.append(span[index])
                }
            }
        )
    }

    /// The 32-bit number whose most significant octet is at `index`.
    func bigEndian32(at index: Int) -> UInt32 {
        UInt32(self[index]) << 24 | UInt32(self[index + 1]) << 16
            | UInt32(self[index + 2]) << 8 | UInt32(self[index + 3])
    }
}
