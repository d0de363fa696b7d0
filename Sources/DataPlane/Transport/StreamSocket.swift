package import Bytes
package import SystemCalls
internal import TLSLibrary

/// A TCP connection, as it is or with TLS on it, and what is known of its readiness.
///
/// Edge triggering reports a change once, so the socket remembers it. A read that comes up shorter than
/// asked has emptied the kernel's queue: there is no second call to be told EAGAIN, unless the peer has
/// closed, which only a read of zero octets shows.
///
/// With TLS, octets are content, and what is known of readiness is about content too as far as it can be.
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
    /// TLS, where there is any.
    var layer: TLSLayer?

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

    /// Whether there is no TLS, so that octets can be moved without reading them.
    @inline(__always)
    package var isPlain: Bool { layer == nil }

    /// Closes the socket now; it cannot do anything afterwards.
    package mutating func close() {
        descriptor = nil
        layer = nil
        canRead = false
        canWrite = false
    }

    /// Notes what the loop reported.
    ///
    /// - Parameter readiness: The event.
    @inline(__always)
    package mutating func note(_ readiness: Readiness) {
        if readiness.promisesReading { canRead = true }
        if readiness.promisesWriting {
            if isPlain { canWrite = true } else { flush() }
        }
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
        if let layer { return receive(layer, into: &buffer, reserve: reserve) }
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
        if let layer { return send(layer, octets, isFollowed: isFollowed) }
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

    /// Moves octets into a pipe without reading them; not with TLS.
    ///
    /// - Parameters:
    ///   - pipe: An empty one, so that only the socket can have nothing more.
    ///   - count: At most how many; at least 1.
    /// - Returns: What came.
    package mutating func splice(into pipe: borrowing Pipe, count: Int) -> Received {
        precondition(isPlain, "ciphertext of socket \(number) is no content")
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

    /// Moves octets out of a pipe; not with TLS.
    ///
    /// - Parameters:
    ///   - pipe: A pipe.
    ///   - count: How many it holds.
    /// - Returns: How many moved; fewer when the socket is full.
    package mutating func splice(from pipe: borrowing Pipe, count: Int) -> Sent {
        precondition(isPlain, "content cannot go to socket \(number) as it is")
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
        if let layer { return look(layer) != .wouldBlock }
        if case .wouldBlock = peek(number) { canRead = false }
        return canRead
    }

    /// Looks whether a read would bring octets.
    package mutating func hasOctets() -> Bool {
        if let layer { return look(layer) == .octets(1) }
        return if case .count(let count) = peek(number) { count > 0 } else { false }
    }

    /// A write has failed: nothing more is written, and what a read brings, if only the end, is to be seen.
    package mutating func expectEnd() {
        canWrite = false
        canRead = true
    }

    /// Notes whether a read may bring something, as TLS has it.
    mutating func noteRead(isPossible: Bool) {
        canRead = isPossible
    }

    /// Notes whether a write may move something, as TLS has it.
    mutating func noteWrite(isPossible: Bool) {
        canWrite = isPossible
    }

    /// Notes that the end of what the peer sends has been read.
    mutating func noteEnd() {
        hasEnded = true
    }

    /// Whether the end may already wait behind what has been read.
    package var mayEndSoon: Bool { endIsNear }

    /// The error of a connect(2) that has come to its end, or `nil` when the connection stands.
    ///
    /// - Returns: The error.
    package borrowing func connectError() -> Errno? {
        pendingError(number)
    }

    /// Sends FIN after what has been written; with TLS the peer is told before that nothing follows (close_notify).
    package mutating func finishWriting() {
        if let layer {
            layer.stream.shutdown()
            guard case .all = layer.push() else { return layer.endsWriting = true }
        }
        shutdownWrite(number)
    }

    /// Has the coming close reset the connection.
    package borrowing func resetOnClose() {
        setResetOnClose(number)
    }
}
