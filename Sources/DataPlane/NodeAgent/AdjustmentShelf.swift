package import FleetMessages
package import FleetModel
internal import FleetProtocol
package import Upstreams

/// What operators want of endpoints, as the control plane said last, and what of it is in force.
///
/// An adjustment that a version ended stays in force until the node serves that version, and one that is for a while
/// ends by the node's own clock: neither needs the control plane. A state machine without I/O and clock.
package struct AdjustmentShelf {
    /// What was said last.
    package private(set) var message = WireAdjustments()

    /// Why a file is of no use.
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    /// Nothing is wanted.
    package init() {}

    /// All that is wanted from now on.
    ///
    /// - Returns: Endpoints of which what was seen is to be forgotten now.
    package mutating func received(_ message: WireAdjustments) -> [EndpointName] {
        let done = self.message.generation
        self.message = message
        return message.resets.filter { $0.generation > done }
            .map { EndpointName(upstream: $0.upstream, address: $0.endpoint) }
    }

    /// What is in force.
    ///
    /// - Parameters:
    ///   - now: Milliseconds since 1970-01-01 UTC.
    ///   - version: The one that is served; nil for none.
    /// - Returns: The wishes.
    package func wishes(now: Int64, serving version: UInt64?) -> OperatorWishes {
        var wishes: OperatorWishes = [:]
        for entry in message.entries where isInForce(entry, now: now, serving: version) {
            var wish = wishes[entry.upstream]?[entry.endpoint] ?? .none
            switch entry.action {
            case .drain: wish.word = .drained
            case .disable: wish.word = .disabled
            case .weight: wish.weight = Int(entry.weight)
            case .unspecified, .UNRECOGNIZED: continue
            }
            wishes[entry.upstream, default: [:]][entry.endpoint] = wish
        }
        return wishes
    }

    private func isInForce(
        _ entry: WireAdjustment,
        now: Int64,
        serving version: UInt64?
    ) -> Bool {
        if entry.untilUnixMilliseconds != 0, entry.untilUnixMilliseconds <= now { return false }
        return entry.endedByVersion == 0 || (version ?? 0) < entry.endedByVersion
    }

    /// When the next one ends by itself; nil for never.
    package func nextEnd(after now: Int64) -> Int64? {
        message.entries.map(\.untilUnixMilliseconds).filter { $0 > now }.min()
    }

    // MARK: The file

    /// The octets of a file: their SHA-256, then a frame.
    package var archive: [UInt8] {
        let octets = FleetMessage.adjustments(message).frame().encoded()
        return Digest(hashing: octets).octets + octets
    }

    /// Reads the octets of a file.
    package init(archive: [UInt8]) throws(Fault) {
        let octets = Array(archive.dropFirst(Digest.octetCount))
        guard Digest(octets: archive.prefix(Digest.octetCount)) == Digest(hashing: octets) else {
            throw Fault(description: "its checksum is wrong")
        }
        var decoder = FrameDecoder(payloadBytesMax: FleetProtocol.Limits.framePayloadBytesMax)
        var offset = 0
        do throws(FleetProtocolError) {
            if let frame = try decoder.next(octets.span, offset: &offset),
                case .adjustments(let message)? = try FleetMessage(frame)
            {
                self.message = message
                return
            }
        } catch {
            throw Fault(description: "\(error)")
        }
        throw Fault(description: "it holds something else")
    }
}
