internal import Bytes
internal import SystemCalls
package import TLSLibrary

/// What TLS makes of a socket.
extension StreamSocket {
    /// Puts TLS on the connection, which has carried nothing of it yet.
    ///
    /// - Parameters:
    ///   - stream: A session on this socket.
    ///   - workspace: The thread's.
    package mutating func secure(with stream: TLSStream, _ workspace: TLSWorkspace) {
        layer = TLSLayer(stream, workspace, number: number)
    }

    /// The session, where there is one.
    package var session: TLSStream? { layer?.stream }

    /// Whether octets that count as sent have not left yet.
    package var isHolding: Bool { layer?.isHolding ?? false }

    /// Goes on with the handshake.
    ///
    /// - Returns: Whether it is complete; else call again when there is an event.
    /// - Throws: Why it failed; the peer has been told.
    package mutating func handshake() throws(TLSError) -> Bool {
        guard let layer else { return true }
        let isComplete: Bool
        do throws(TLSError) {
            isComplete = try layer.stream.handshake()
        } catch {
            _ = layer.push()
            throw error
        }
        if case .failed(let errno) = layer.push() { throw .socketFailed(errno: errno.rawValue) }
        if layer.isHolding { noteWrite(isPossible: false) }
        // The first content may have come along with the end of the handshake.
        noteRead(isPossible: isComplete && (!layer.stream.isDrained || mayEndSoon))
        return isComplete
    }

    // MARK: Reading

    /// Reads records until the memory is full or no more are there.
    mutating func receive(
        _ layer: TLSLayer,
        into buffer: inout Buffer,
        reserve: Int
    ) -> Received {
        if let ending = layer.ending { return end(ending) }
        var filled = 0
        var isDrained = false
        // SAFETY: each piece is used by one call and not kept.
        unsafe buffer.fill(reserve: reserve) { memory in
            while filled < memory.count, !isDrained, layer.ending == nil {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[filled...])
                do throws(TLSError) {
                    switch try unsafe layer.stream.read(into: rest) {
                    case .content(let count):
                        filled += count
                        isDrained = layer.stream.isDrained
                    case .wouldBlock: isDrained = true
                    case .closed(let isNotified):
                        // RFC 9112 §9.8: what is cut off is not complete.
                        layer.ending = isNotified ? .end : .failed(.connectionReset)
                    }
                } catch {
                    layer.ending = .failed(Self.errno(error))
                }
            }
            return filled
        }
        if case .failed(let errno) = layer.push(), layer.ending == nil {
            layer.ending = .failed(errno)
        }
        if filled > 0 {
            if isDrained, !mayEndSoon { noteRead(isPossible: false) }
            return .octets(filled)
        }
        noteRead(isPossible: false)
        return layer.ending.map { end($0) } ?? .wouldBlock
    }

    private mutating func end(_ ending: Received) -> Received {
        noteRead(isPossible: false)
        noteEnd()
        return ending
    }

    /// Looks what a read would bring, and takes up what TLS says for itself, such as a new ticket.
    mutating func look(_ layer: TLSLayer) -> Received {
        guard canRead else { return .wouldBlock }
        if let ending = layer.ending { return ending }
        var found = Received.wouldBlock
        do throws(TLSError) {
            switch try layer.stream.look() {
            case .content: found = .octets(1)
            case .wouldBlock: noteRead(isPossible: false)
            case .closed(let isNotified):
                found = isNotified ? .end : .failed(.connectionReset)
                layer.ending = found
            }
        } catch {
            found = .failed(Self.errno(error))
            layer.ending = found
        }
        if case .failed(let errno) = layer.push(), layer.ending == nil {
            found = .failed(errno)
            layer.ending = found
        }
        return found
    }

    private static func errno(_ error: TLSError) -> Errno {
        if case .socketFailed(let number) = error { return Errno(rawValue: number) }
        return .connectionReset
    }

    // MARK: Writing

    /// Encrypts octets until all are taken or the socket is full.
    mutating func send(_ layer: TLSLayer, _ octets: Span<UInt8>, isFollowed: Bool) -> Sent {
        if case .failed(let errno) = layer.flush() { return .failed(errno) }
        guard !layer.isHolding else {
            noteWrite(isPossible: false)
            return .octets(0)
        }
        var taken = 0
        while taken < octets.count {
            do throws(TLSError) {
                taken += try layer.stream.write(octets.extracting(taken...))
            } catch {
                _ = layer.push()
                return .failed(Self.errno(error))
            }
            switch layer.push(isFollowed: isFollowed || taken < octets.count) {
            case .all: continue
            case .held:
                noteWrite(isPossible: false)
                return .octets(taken)
            case .failed(let errno): return .failed(errno)
            }
        }
        return .octets(taken)
    }

    /// The socket takes more: what is held goes first, and FIN behind it.
    mutating func flush() {
        guard let layer else { return }
        // Where it fails, the next write finds out.
        let flushed = layer.flush()
        if case .held = flushed { return }
        noteWrite(isPossible: true)
        if layer.endsWriting {
            layer.endsWriting = false
            shutdownWrite(number)
        }
    }
}
