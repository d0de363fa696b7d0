internal import Bytes
internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import TLSLibrary
internal import Transport
internal import Upstreams

/// One check of an endpoint: a connection, and what is said on it.
///
///     connecting ──stands──▶ PROXY header ──▶ handshake ──complete──▶ talking ──▶ verdict
///        │  └─fails, another address is left──▶ connecting
///        └──────────────────────┴─────────────────┴──fails, or late──▶ verdict
///
/// Confined to the monitor's loop.
final class CheckConnection: EventHandler {
    private let loop: EventLoop
    private let plan: CheckPlan
    private let room: CheckRoom
    private let target: CheckTarget
    /// Addresses that are left, and which one is tried.
    private var addresses: ArraySlice<StreamAddress>
    private(set) var address: StreamAddress?
    private let deadline: LoopInstant
    private let completion: (CheckVerdict) -> Void
    private var socket: StreamSocket?
    private var registration = Registration.none
    private var phase = Phase.connecting
    private var dialogue: CheckDialogue?
    /// Why an address before could not be connected to.
    private var lastFailure: CheckVerdict?

    private enum Phase {
        case connecting, securing, talking, over
    }

    /// Begins; the verdict comes later.
    ///
    /// - Parameters:
    ///   - loop: The monitor's.
    ///   - plan: How the upstream is checked.
    ///   - target: Whom.
    ///   - room: What all checks use.
    ///   - completion: Called once, on a later tick than this one.
    init(
        _ loop: EventLoop,
        _ plan: CheckPlan,
        _ target: CheckTarget,
        _ room: CheckRoom,
        completion: @escaping (CheckVerdict) -> Void
    ) {
        (self.loop, self.plan, self.target, self.room) = (loop, plan, target, room)
        self.completion = completion
        addresses = target.addresses[...]
        deadline = loop.now.advanced(by: plan.check.timeout)
        connect()
    }

    /// Ends it without a verdict.
    func cancel() {
        phase = .over
        close()
    }

    // MARK: Connecting

    /// Begins a connection to the next address.
    private func connect() {
        close()
        while let next = addresses.popFirst() {
            address = next
            do throws(SystemCallError) {
                let socket = StreamSocket(owning: try connectStream(to: next), isConnected: false)
                registration = try loop.register(self, descriptor: socket.number)
                self.socket = consume socket
                phase = .connecting
                return loop.setDeadline(of: registration, at: connectDeadline)
            } catch {
                if error.errno.isShortage { return endLater(.undecided) }
                lastFailure = Self.failure(error.errno)
            }
        }
        // Without an address there is nobody to check.
        endLater(lastFailure ?? .undecided)
    }

    /// What is left of the time is shared by the addresses that are left.
    private var connectDeadline: LoopInstant {
        let left = deadline.nanoseconds(since: loop.now) / UInt64(addresses.count + 1)
        return loop.now.advanced(by: left)
    }

    /// The verdict comes with the end of this tick, or the next.
    private func endLater(_ verdict: CheckVerdict) {
        registration = loop.register(self)
        phase = .over
        pending = verdict
        loop.resumeLater(registration)
    }

    private var pending: CheckVerdict?

    private static func failure(_ errno: Errno) -> CheckVerdict {
        // Who resets a connection had let it stand.
        let kind: CheckResult.Failure = errno == .connectionReset ? .wrong : .unconnected
        return .failed("cannot connect: \(errno.message)", kind)
    }

    private func connectFailed(_ errno: Errno) {
        if errno.isShortage { return end(.undecided) }
        lastFailure = Self.failure(errno)
        connect()
    }

    // MARK: Events

    func ready(_ readiness: Readiness) {
        socket?.note(readiness)
        go()
    }

    func resume() {
        if let pending {
            self.pending = nil
            return end(pending)
        }
        go()
    }

    func deadlinePassed() {
        switch phase {
        case .over: break
        case .connecting:
            lastFailure = .failed("no connection in time", .late)
            connect()
        case .securing: end(.failed("no TLS in time", .late))
        case .talking: end(.failed("no answer in time", .late))
        }
    }

    private func go() {
        switch phase {
        case .connecting: connecting()
        case .securing: secure()
        case .talking: talk()
        case .over: break
        }
    }

    private func connecting() {
        if let errno = socket?.connectError() { return connectFailed(errno) }
        guard socket?.canWrite == true else { return }
        loop.setDeadline(of: registration, at: deadline)
        let header = plan.proxyHeader
        if !header.isEmpty {
            // A new connection has room for it.
            guard case .octets(header.count)? = socket?.send(header.span) else {
                return end(.failed("the connection broke"))
            }
        }
        guard let tls = plan.tls else { return begin(with: nil) }
        guard let connector = tls.connector, let number = socket?.number else {
            return end(.failed("its TLS settings cannot be used"))
        }
        do throws(TLSError) {
            let stream = try TLSStream(
                connecting: connector,
                to: target.server,
                TLSResumption(),
                room.workspace,
                descriptor: number
            )
            socket?.secure(with: stream, room.workspace)
            phase = .securing
            secure()
        } catch {
            end(.failed("TLS: \(error.inWords)"))
        }
    }

    private func secure() {
        do throws(TLSError) {
            guard try socket?.handshake() == true else { return }
        } catch {
            return end(.failed("TLS: \(error.inWords)"))
        }
        begin(with: socket?.session?.negotiatedProtocol)
    }

    /// The connection stands: begins to talk, where there is anything to be said.
    private func begin(with negotiated: String?) {
        phase = .talking
        let speaksHTTP2 = plan.tls == nil ? plan.prefersHTTP2 : negotiated == "h2"
        guard speaksHTTP2 || !plan.needsHTTP2 else {
            return end(.failed("it does not speak HTTP/2"))
        }
        guard let made = plan.dialogue(with: target, inHTTP2: speaksHTTP2) else {
            return end(.passed)
        }
        dialogue = made
        talk()
    }

    // MARK: Talking

    private func talk() {
        guard let dialogue else { return }
        for _ in 0..<Limits.readsPerTick {
            write(dialogue)
            guard socket?.canRead == true else { return }
            room.inbound.clear()
            switch socket?.receive(into: &room.inbound, reserve: 0) ?? .end {
            case .octets:
                let now = loop.now.nanoseconds
                let verdict = room.inbound.withReadable { dialogue.received($0, now: now) }
                if let verdict { return end(verdict) }
            case .wouldBlock: return
            case .end: return end(dialogue.ended())
            case .failed(let errno): return end(.failed("the connection broke: \(errno.message)"))
            }
        }
        loop.resumeLater(registration)
    }

    private func write(_ dialogue: CheckDialogue) {
        while !dialogue.output.isEmpty, socket?.canWrite == true {
            let octets = dialogue.output
            guard case .octets(let count)? = socket?.send(octets.span), count > 0 else {
                // What can be read says why.
                if socket?.canWrite == true { socket?.expectEnd() }
                return
            }
            dialogue.output.removeFirst(count)
        }
    }

    // MARK: End

    private func end(_ verdict: CheckVerdict) {
        phase = .over
        if let dialogue {
            dialogue.leave()
            write(dialogue)
        }
        close()
        completion(verdict)
    }

    private func close() {
        dialogue = nil
        guard registration != .none else { return }
        loop.unregister(registration)
        registration = .none
        // RFC 8446 §6.1: who closes says so.
        if socket?.session != nil { socket?.finishWriting() }
        socket?.close()
        socket = nil
    }
}

/// What all checks of a node use, one after the other.
final class CheckRoom {
    let workspace = TLSWorkspace(recordCount: 1)
    var inbound = Buffer(capacity: BlockSize.medium.rawValue)
}

/// Whom a check is for.
struct CheckTarget {
    /// Where it may be; the one that answered last comes first.
    var addresses: [StreamAddress]
    /// Whom TLS must find there.
    let server: TLSServer
    /// The value of Host.
    let host: String
}

extension Errno {
    /// Whether it is this node that lacks something.
    fileprivate var isShortage: Bool {
        switch self {
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .noMemory,
            .addressNotAvailable:
            true
        default: false
        }
    }
}

extension TLSError {
    /// What an operator is told.
    fileprivate var inWords: String {
        switch self {
        case .configurationInvalid(let fault): "its settings cannot be used (\(fault))"
        case .certificateRefused(let fault): "its certificate is refused: \(fault.inWords)"
        case .certificateMissing: "it shows no certificate"
        case .protocolNotNegotiated: "it speaks no protocol that is offered"
        case .alertReceived(let alert): "it refuses: \(alert)"
        case .peerFault(let reason): "what it sends is none: \(reason)"
        case .socketFailed(let number):
            "the connection broke: \(Errno(rawValue: number).message)"
        case .sessionUnusable, .libraryFailed: "it failed here"
        }
    }
}

extension CertificateFault {
    fileprivate var inWords: String {
        switch self {
        case .untrusted: "no authority that is believed has issued it"
        case .expired: "it has expired"
        case .notYetValid: "it is not valid yet"
        case .nameMismatch: "it is for another name"
        case .purposeNotAllowed: "it is not for servers"
        case .signatureInvalid: "a signature is wrong"
        case .revoked: "it is revoked"
        case .other(_, let reason): reason
        }
    }
}
