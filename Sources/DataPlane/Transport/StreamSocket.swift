package import Bytes
package import SystemCalls

/// A TCP connection and what is known of its readiness.
///
/// Edge triggering reports a change once, so the socket remembers it. A read that comes up shorter than
/// asked has emptied the kernel's queue: there is no second call to be told EAGAIN, unless the peer has
/// closed, which only a read of zero octets shows.
package struct StreamSocket: ~Copyable {
    private var descriptor: FileDescriptor?
    /// The number, to register with a loop; not ours any more once closed.
    package let number: Int32
    /// Whether a read may bring something: octets, the end, or an error.
    package private(set) var canRead = false
    /// Whether a write may move something.
    package private(set) var canWrite: Bool
    /// Whether both directions are gone, or an error waits.
    package private(set) var isBroken = false
    /// Whether an error waits, such as that the peer has reset the connection.
    package private(set) var hasFailed = false
    /// Whether the end of what the peer sends has been read.
    package private(set) var hasEnded = false
    private var endIsNear = false

    /// What a read came to.
    package enum Received: Equatable, Sendable {
        /// So many octets came; at least 1.
        case octets(Int)
        /// Nothing is there now.
        case wouldBlock
        /// The peer has sent its FIN and everything before it has been read.
        case end
        /// The connection is broken.
        case failed(Errno)
    }

    /// What a write came to.
    package enum Sent: Equatable, Sendable {
        /// So many octets moved; fewer than given when the socket is full.
        case octets(Int)
        /// The connection is broken.
        case failed(Errno)
    }

    /// Takes over a connection.
    ///
    /// - Parameters:
    ///   - descriptor: A non-blocking socket.
    ///   - isConnected: `false` while connect(2) is under way.
    package init(owning descriptor: consuming FileDescriptor, isConnected: Bool) {
        number = descriptor.number
        self.descriptor = consume descriptor
        canWrite = isConnected
    }

    /// Closes the socket now; it cannot do anything afterwards.
    package mutating func close() {
        descriptor = nil
        canRead = false
        canWrite = false
    }

    /// Notes what the loop reported.
    ///
    /// - Parameter readiness: The event.
    @inline(__always)
    package mutating func note(_ readiness: Readiness) {
        if readiness.promisesReading { canRead = true }
        if readiness.promisesWriting { canWrite = true }
        if readiness.endIsNear { endIsNear = true }
        if readiness.isBroken {
            isBroken = true
            if readiness.contains(.error) { hasFailed = true }
        }
    }

    /// Reads once into the free memory of `buffer`.
    ///
    /// - Parameters:
    ///   - buffer: A buffer with a block and with more than `reserve` octets free.
    ///   - reserve: Octets at the end of the block to leave free.
    /// - Returns: What came.
    package mutating func receive(into buffer: inout Buffer, reserve: Int) -> Received {
        var outcome = Received.wouldBlock
        var asked = 0
        // SAFETY: the pointer is used by the one call and not kept.
        unsafe buffer.fill(reserve: reserve) { memory in
            asked = memory.count
            switch unsafe SystemCalls.receive(number, into: memory) {
            case .count(0):
                outcome = asked == 0 ? .wouldBlock : .end
                hasEnded = asked > 0
                return 0
            case .count(let count):
                outcome = .octets(count)
                return count
            case .wouldBlock:
                return 0
            case .failed(let errno):
                outcome = .failed(errno)
                hasEnded = true
                return 0
            }
        }
        if case .octets(let count) = outcome {
            if count < asked, !endIsNear { canRead = false }
        } else {
            canRead = false
        }
        return outcome
    }

    /// Writes once.
    ///
    /// - Parameters:
    ///   - octets: What to write.
    ///   - isFollowed: Whether more follows at once, or the end, so that both leave in one segment.
    /// - Returns: How much of it moved; 0 when the socket is full.
    package mutating func send(_ octets: Span<UInt8>, isFollowed: Bool = false) -> Sent {
        switch SystemCalls.send(number, octets, isFollowed: isFollowed) {
        case .count(let count):
            if count < octets.count { canWrite = false }
            return .octets(count)
        case .wouldBlock:
            canWrite = false
            return .octets(0)
        case .failed(let errno):
            return .failed(errno)
        }
    }

    /// Moves octets into a pipe without reading them.
    ///
    /// - Parameters:
    ///   - pipe: An empty one, so that only the socket can have nothing more.
    ///   - count: At most how many; at least 1.
    /// - Returns: What came.
    package mutating func splice(into pipe: borrowing Pipe, count: Int) -> Received {
        switch pipe.fill(from: number, count: count) {
        case .count(0):
            hasEnded = true
            canRead = false
            return .end
        case .count(let moved): return .octets(moved)
        case .wouldBlock:
            canRead = false
            return .wouldBlock
        case .failed(let errno):
            hasEnded = true
            canRead = false
            return .failed(errno)
        }
    }

    /// Moves octets out of a pipe.
    ///
    /// - Parameters:
    ///   - pipe: A pipe.
    ///   - count: How many it holds.
    /// - Returns: How many moved; fewer when the socket is full.
    package mutating func splice(from pipe: borrowing Pipe, count: Int) -> Sent {
        switch pipe.drain(to: number, count: count) {
        case .count(let moved):
            if moved < count { canWrite = false }
            return .octets(moved)
        case .wouldBlock:
            canWrite = false
            return .octets(0)
        case .failed(let errno): return .failed(errno)
        }
    }

    /// Looks whether a read would bring octets, the end or an error; where it would not, `canRead` is false.
    ///
    /// A read that was as long as asked leaves that open.
    package mutating func isReadable() -> Bool {
        if case .wouldBlock = peek(number) { canRead = false }
        return canRead
    }

    /// Looks whether a read would bring octets.
    package borrowing func hasOctets() -> Bool {
        if case .count(let count) = peek(number) { count > 0 } else { false }
    }

    /// A write has failed: nothing more is written, and what a read brings, if only the end, is to be seen.
    package mutating func expectEnd() {
        canWrite = false
        canRead = true
    }

    /// The error of a connect(2) that has come to its end, or `nil` when the connection stands.
    ///
    /// - Returns: The error.
    package borrowing func connectError() -> Errno? {
        pendingError(number)
    }

    /// Sends FIN after what has been written.
    package borrowing func finishWriting() {
        shutdownWrite(number)
    }

    /// Has the coming close reset the connection.
    package borrowing func resetOnClose() {
        setResetOnClose(number)
    }
}
