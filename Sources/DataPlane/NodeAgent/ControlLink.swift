internal import Bytes
package import EventLoop
package import FleetProtocol
package import SystemCalls
package import TLSLibrary
internal import Transport

/// What a `ControlLink` tells its owner.
package protocol ControlLinkOwner: AnyObject {
    /// The session wants something that is not the link's matter.
    func perform(_ action: NodeSession.Action, from link: ControlLink)

    /// The link is over and closed.
    func ended(_ link: ControlLink, _ end: ControlLink.End)
}

/// One connection to the control plane: a socket, TLS over it, frames in that, and the session that reads them.
///
///     connecting ──▶ handshaking ──▶ open ──▶ closing ──▶ closed
///          └──────────────┴───────────┴──────────┴─ error ──▲
///
///     socket ─▶ TLS ─▶ decoder ─▶ session ─▶ actions
///     socket ◀─ TLS ◀───────────────────────── frames
///
/// `closing` waits until what was said has left. Confined to its loop.
package final class ControlLink: EventHandler {
    /// Why a link is over.
    package enum End: Equatable, CustomStringConvertible {
        /// There was no connection, or it broke.
        case connectionFailed(Errno)
        /// It was not made in time.
        case timedOut
        case tlsFailed(TLSError)
        /// The key of a join could not be stored, so that the token was not tried.
        case joinUnstored(String)
        /// The peer closed before the session began.
        case closedEarly
        /// The session said so.
        case session(SessionEnd)

        package var description: String {
            switch self {
            case .connectionFailed(let errno): errno.message
            case .timedOut: "no connection in \(Limits.connectSeconds) s"
            case .tlsFailed(let error): "TLS: \(error)"
            case .joinUnstored(let reason): reason
            case .closedEarly: "closed before the session began"
            case .session(.violation(let error)): error.description
            case .session(.goodbye(let reason, let detail, _)):
                detail.isEmpty ? "\(reason)" : "\(reason): \(detail)"
            case .session(.peerClosed): "closed without a word"
            case .session(.local(let reason)): "\(reason)"
            }
        }
    }

    private enum Phase {
        case connecting, handshaking, open, closing, closed
    }

    /// The node's end of the session.
    package var session: NodeSession
    private unowned let loop: EventLoop
    private unowned let owner: any ControlLinkOwner
    private let tls: TLSSession
    private var socket: StreamSocket
    private var phase = Phase.connecting
    private var registration = Registration.none
    private var decoder = FrameDecoder()
    private var incoming = Buffer(capacity: BlockSize.medium.rawValue)
    private var plain = [UInt8](repeating: 0, count: BlockSize.medium.rawValue)
    /// Octets received from the socket, those of TLS among them.
    package private(set) var receivedBytes: UInt64 = 0
    /// Ciphertext that the socket has not taken.
    private var outgoing: [UInt8] = []
    private var outgoingStart = 0
    /// Whether octets that arrived are being worked on: what they lead to is sent together, when that is done.
    private var isReceiving = false
    private var end: End?

    /// Begins to connect.
    ///
    /// - Parameters:
    ///   - loop: The owner's.
    ///   - address: Where the control plane is.
    ///   - context: Whom to believe, and who we are.
    ///   - session: A session that has not begun.
    ///   - owner: Is told what happens, never within this call.
    /// - Throws: `connectionFailed` or `tlsFailed`.
    package init(
        loop: EventLoop,
        address: SocketAddress,
        context: TLSContext,
        session: consuming NodeSession,
        owner: any ControlLinkOwner
    ) throws(LinkFailure) {
        self.loop = loop
        self.owner = owner
        self.session = session
        do throws(TLSError) {
            tls = try TLSSession(context)
        } catch {
            throw LinkFailure(end: .tlsFailed(error))
        }
        do throws(SystemCallError) {
            socket = StreamSocket(owning: try connectStream(to: address), isConnected: false)
            registration = try loop.register(self, descriptor: socket.number)
        } catch {
            throw LinkFailure(end: .connectionFailed(error.errno))
        }
        setDeadline(.seconds(Limits.connectSeconds))
    }

    /// Why there is no link.
    package struct LinkFailure: Error {
        /// The same as if the link had been made and ended.
        package let end: End
    }

    /// Octets that wait for the socket.
    package var backlogBytes: Int { outgoing.count - outgoingStart }

    /// Whether frames can be sent.
    var isOpen: Bool { phase == .open }

    // MARK: Events

    package func ready(_ readiness: Readiness) {
        socket.note(readiness)
        if phase == .connecting {
            guard socket.canWrite else { return }
            if let errno = connectError() { return close(.connectionFailed(errno)) }
            phase = .handshaking
            shakeHands()
        }
        flush()
        read()
    }

    package func resume() {
        read()
    }

    package func deadlinePassed() {
        switch phase {
        case .connecting, .handshaking: close(.timedOut)
        case .open: perform(session.deadlinePassed())
        case .closing: close(end ?? .timedOut)
        case .closed: break
        }
    }

    private func connectError() -> Errno? { socket.connectError() }

    // MARK: Receiving

    private func read() {
        var reads = 0
        while socket.canRead, phase == .handshaking || phase == .open {
            reads += 1
            if reads > Limits.readsPerTick { return loop.resumeLater(registration) }
            incoming.clear()
            switch socket.receive(into: &incoming, reserve: 0) {
            case .octets(let count):
                receivedBytes += UInt64(count)
                received()
            case .wouldBlock: return
            case .end: return peerClosed()
            case .failed(let errno): return close(.connectionFailed(errno))
            }
        }
    }

    private func received() {
        isReceiving = true
        defer { isReceiving = false }
        do throws(TLSError) {
            try incoming.withReadable { octets throws(TLSError) in try tls.feed(octets) }
            if phase == .handshaking { shakeHands() }
            while phase == .open {
                var span = plain.mutableSpan
                switch try tls.read(into: &span) {
                case .content(let count): decode(count)
                case .needsInput: return flush()
                case .closed: return peerClosed()
                }
            }
        } catch {
            failed(error)
        }
    }

    private func shakeHands() {
        do throws(TLSError) {
            let isComplete = try tls.handshake()
            takeCiphertext()
            flush()
            guard isComplete, phase == .handshaking else { return }
            phase = .open
            perform(session.connected())
        } catch {
            failed(error)
        }
    }

    private func decode(_ count: Int) {
        var offset = 0
        do throws(FleetProtocolError) {
            while phase == .open,
                let frame = try decoder.next(plain.span.extracting(first: count), offset: &offset)
            {
                perform(session.received(frame))
            }
        } catch {
            perform(session.failed(error))
        }
    }

    private func peerClosed() {
        guard phase == .open else { return close(.closedEarly) }
        perform(session.peerClosed(isBetweenFrames: decoder.isBetweenFrames))
    }

    private func failed(_ error: TLSError) {
        // What is left to send is the alert that says why.
        takeCiphertext()
        flush()
        close(.tlsFailed(error))
    }

    // MARK: Sending

    private func send(_ frame: Frame) {
        guard phase == .open else { return }
        do throws(TLSError) {
            try tls.write(frame.encoded().span)
        } catch {
            return close(.tlsFailed(error))
        }
        takeCiphertext()
        if backlogBytes > Limits.outgoingBytesMax { return close(.timedOut) }
        if !isReceiving { flush() }
    }

    private func takeCiphertext() {
        guard tls.drainableCount > 0 else { return }
        if outgoingStart == outgoing.count {
            outgoing.removeAll(keepingCapacity: outgoing.capacity <= 65_536)
            outgoingStart = 0
        }
        outgoing += tls.drain()
    }

    private func flush() {
        takeCiphertext()
        while backlogBytes > 0, socket.canWrite, phase != .closed, phase != .connecting {
            switch socket.send(outgoing.span.extracting(outgoingStart...)) {
            case .octets(let count): outgoingStart += count
            case .failed(let errno): return close(end ?? .connectionFailed(errno))
            }
        }
        if phase == .closing, backlogBytes == 0 { close(end ?? .closedEarly) }
    }

    // MARK: Actions

    /// Carries out what the session says: frames and deadlines here, the rest by the owner.
    package func perform(_ actions: [NodeSession.Action]) {
        for action in actions {
            switch action {
            case .send(let frame): send(frame)
            case .setPayloadLimit(let limit): decoder.payloadBytesMax = limit
            case .setDeadline(let time): setDeadline(time)
            case .close(let end): finish(.session(end))
            default: owner.perform(action, from: self)
            }
        }
    }

    private func setDeadline(_ time: Duration) {
        loop.setDeadline(of: registration, at: loop.now.advanced(by: time.nanoseconds))
    }

    /// Closes when what was said has left.
    private func finish(_ end: End) {
        guard phase == .open else { return }
        self.end = end
        tls.shutdown()
        phase = .closing
        setDeadline(.seconds(1))
        flush()
    }

    /// Closes at once; the owner is told when this tick's work is done.
    private func close(_ end: End) {
        guard phase != .closed else { return }
        phase = .closed
        loop.unregister(registration)
        registration = .none
        socket.close()
        owner.ended(self, end)
    }

    /// Closes at once without telling the owner.
    package func abandon() {
        guard phase != .closed else { return }
        phase = .closed
        loop.unregister(registration)
        registration = .none
        socket.close()
    }
}
