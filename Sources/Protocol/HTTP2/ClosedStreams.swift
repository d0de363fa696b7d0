/// The streams that were closed lately: what a frame for one of them means depends on how it was closed.
///
/// It is asked only when a frame comes for a stream that is not in the table, and holds no memory before
/// the first stream is closed.
struct ClosedStreams: Sendable {
    private var resets = Ring(capacity: HTTP2Limits.resetStreamsRemembered)
    private var ended = Ring(capacity: HTTP2Limits.endedStreamsRemembered)
    /// The highest stream that was reset here and is not remembered.
    private var forgottenResetMax: UInt32 = 0

    /// How a stream was closed.
    enum Fate: Equatable {
        /// Reset here: frames were under way, which the peer may not have known.
        case reset
        /// Ended by both sides, or reset by the peer, which knows.
        case ended
        /// Perhaps reset here, long ago.
        case forgotten
        /// Never opened, or ended long ago.
        case unknown
    }

    /// Makes an empty memory.
    init() {}

    /// Remembers a stream that was reset here.
    mutating func rememberReset(_ id: UInt32) {
        if let forgotten = resets.push(id) { forgottenResetMax = max(forgottenResetMax, forgotten) }
    }

    /// Remembers a stream that ended, or that the peer reset.
    mutating func rememberEnded(_ id: UInt32) {
        _ = ended.push(id)
    }

    /// How a stream was closed that is not idle and not in the table.
    func fate(of id: UInt32) -> Fate {
        if resets.contains(id) { return .reset }
        if ended.contains(id) { return .ended }
        return id <= forgottenResetMax ? .forgotten : .unknown
    }

    /// The last so many identifiers.
    private struct Ring: Sendable {
        private let capacity: Int
        private var ids: [UInt32] = []
        private var oldest = 0

        init(capacity: Int) {
            self.capacity = capacity
        }

        func contains(_ id: UInt32) -> Bool { ids.contains(id) }

        /// Adds one and returns the one that it displaces.
        mutating func push(_ id: UInt32) -> UInt32? {
            guard ids.count == capacity else {
                ids.append(id)
                return nil
            }
            let displaced = ids[oldest]
            ids[oldest] = id
            oldest = (oldest + 1) % capacity
            return displaced
        }
    }
}
