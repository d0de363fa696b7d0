/// One stream (RFC 9113 §5.1): its state and what each side may still send.
///
///     idle --HEADERS--> open --END_STREAM sent--> halfClosedLocal --END_STREAM received--> closed
///                         \--END_STREAM received--> halfClosedRemote --END_STREAM sent--> closed
///     any but idle --RST_STREAM--> gone        closed --all that was received is given back--> gone
///
/// Of what the peer may send, every octet is in one of three places:
///
///     receiveWindow + held + unreturned = streamWindowBytes
struct Stream: Sendable {
    /// The identifier; 0 marks a free place of the table.
    var id: UInt32
    var state: State
    var receiving = Receiving.head
    /// Whether a response cannot have content or be measured by Content-Length: to HEAD and CONNECT.
    var answers = Answers.other
    /// Interim responses so far.
    var interimCount: UInt8 = 0
    var priority = Priority()
    /// Octets that we may send; below 0 after the peer lowered INITIAL_WINDOW_SIZE.
    var sendWindow: Int
    /// Octets that the peer may send.
    var receiveWindow: Int
    /// Octets that came and that the caller has not given back.
    var held = 0
    /// Octets that were given back and that no WINDOW_UPDATE has told the peer of.
    var unreturned = 0
    /// Octets of content to come by Content-Length; below 0 when it is not known.
    var contentLeft = Stream.contentUnknown

    static let contentUnknown = -1

    enum State: UInt8 {
        /// Opened here; HEADERS have not been written.
        case idle
        case open
        case halfClosedLocal
        case halfClosedRemote
        /// Both sides have ended it; octets of content are still held.
        case closed
    }

    /// What the peer's next HEADERS are.
    enum Receiving: UInt8 {
        case head
        case content
    }

    /// What a response answers, as far as it matters to its content.
    enum Answers: UInt8 {
        case other
        case head
        case connect
    }

    /// A free place.
    static let none = Stream(id: 0, state: .closed, sendWindow: 0, receiveWindow: 0)

    /// Whether we may send.
    var canSend: Bool { state == .open || state == .halfClosedRemote }

    /// Whether the peer may send.
    var canReceive: Bool { state == .open || state == .halfClosedLocal }
}
