internal import Bytes
internal import SystemCalls
internal import TLSLibrary

/// TLS between a socket and whoever reads and writes it.
///
///     content  ◀── TLSStream ◀── socket
///     content ──▶ TLSStream ──▶ the thread's workspace ──▶ socket
///                                        └──what that does not take──▶ held ──once it can──▶ socket
///
/// What is held counts as sent for those above: it is bounded by the workspace, as nothing is encrypted while
/// something is held. Confined to the loop of its socket.
final class TLSLayer {
    let stream: TLSStream
    private let workspace: TLSWorkspace
    private let number: Int32
    /// Ciphertext that the socket has not taken.
    private var held: [UInt8] = []
    private var heldStart = 0
    /// What reads come to from now on, once the end of what the peer sends is known.
    var ending: StreamSocket.Received?
    /// Whether FIN is to follow what is held.
    var endsWriting = false

    /// What becomes of ciphertext.
    enum Pushed {
        /// The socket has all of it.
        case all
        /// The socket is full.
        case held
        /// The connection is broken.
        case failed(Errno)
    }

    init(_ stream: TLSStream, _ workspace: TLSWorkspace, number: Int32) {
        (self.stream, self.workspace, self.number) = (stream, workspace, number)
    }

    /// Whether ciphertext waits for the socket.
    var isHolding: Bool { heldStart < held.count }

    /// Writes what the workspace has gathered, behind what is held.
    ///
    /// - Parameter isFollowed: Whether more follows at once.
    /// - Returns: What became of it.
    func push(isFollowed: Bool = false) -> Pushed {
        guard workspace.outputCount > 0 else { return isHolding ? .held : .all }
        defer { workspace.clear() }
        guard !isHolding else {
            // An alert or an answer to the peer, for which the session waits with everything else.
            held.removeFirst(heldStart)
            heldStart = 0
            workspace.withOutput { held.append(copying: $0) }
            guard held.count > Limits.heldBytesMax else { return .held }
            drop()
            return .failed(.connectionReset)
        }
        return workspace.withOutput { octets in
            switch SystemCalls.send(number, octets, isFollowed: isFollowed) {
            case .count(let count):
                if count == octets.count { return .all }
                hold(octets.extracting(count...))
                return .held
            case .wouldBlock:
                hold(octets)
                return .held
            case .failed(let errno): return .failed(errno)
            }
        }
    }

    private func hold(_ octets: Span<UInt8>) {
        held.removeAll(keepingCapacity: true)
        heldStart = 0
        held.append(copying: octets)
    }

    private func drop() {
        held = []
        heldStart = 0
    }

    /// Writes what is held, once.
    func flush() -> Pushed {
        guard isHolding else { return .all }
        let octets = held
        switch SystemCalls.send(number, octets.span.extracting(heldStart...)) {
        case .count(let count):
            heldStart += count
            guard heldStart == held.count else { return .held }
            drop()
            return .all
        case .wouldBlock: return .held
        case .failed(let errno):
            drop()
            return .failed(errno)
        }
    }
}
