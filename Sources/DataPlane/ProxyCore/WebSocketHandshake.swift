internal import Bytes
internal import Cryptography
internal import HTTP1
internal import HTTPSemantics

/// An Upgrade that is extended CONNECT (RFC 8441) on one side and HTTP/1.1's on the other.
///
/// WebSocket's key and its answer (RFC 6455 §4) exist in HTTP/1.1 alone: whoever translates asks and answers.
enum WebSocketHandshake: Equatable {
    case none
    /// The protocol's name, and the key where it is WebSocket; empty for others.
    case asked(name: [UInt8], key: [UInt8])

    /// Makes what HTTP/1.1 needs to ask for a protocol.
    ///
    /// - Parameter name: Its name, as `:protocol` has it.
    init(protocol name: Span<UInt8>) {
        let isWebSocket = name.matches("websocket", in: 0..<name.count)
        self = .asked(
            name: name.indices.map { name[$0] },
            key: isWebSocket ? Array(encodeBase64(randomBytes(16)).utf8) : []
        )
    }

    /// Takes what a request of HTTP/1.1 asks for: the first protocol that it names.
    ///
    /// - Parameters:
    ///   - head: The request's head.
    ///   - octets: Its octets.
    init(asked head: borrowing RequestHead, _ octets: Span<UInt8>) {
        var name: [UInt8] = []
        var key: [UInt8] = []
        let lines = head.fields.lines
        for index in 0..<lines.count {
            if lines[index].name == .upgrade, name.isEmpty {
                var list = ElementList(lines[index].valueRange)
                if let element = list.next(octets) { name = element.map { octets[$0] } }
            } else if lines[index].name == .secWebsocketKey {
                key = lines[index].valueRange.map { octets[$0] }
            }
        }
        self = name.isEmpty ? .none : .asked(name: name, key: key)
    }

    /// Writes the lines by which a server of HTTP/1.1 agrees.
    func appendAnswer(to head: inout Buffer) {
        guard case .asked(let name, let key) = self else { return }
        head.append("upgrade: " as StaticString)
        head.append(name)
        head.append("\r\n" as StaticString)
        guard !key.isEmpty else { return }
        head.append("sec-websocket-accept: " as StaticString)
        head.append(Self.answer(to: key.span))
        head.append("\r\n" as StaticString)
    }

    /// Writes the line with the key, where there is one.
    func appendKey(to head: inout Buffer) {
        guard case .asked(_, let key) = self, !key.isEmpty else { return }
        head.append("sec-websocket-key: " as StaticString)
        head.append(key)
        head.append("\r\n" as StaticString)
    }

    /// Whether a 101 answers what was asked.
    ///
    /// - Parameters:
    ///   - head: The response's head.
    ///   - octets: Its octets.
    /// - Returns: Whether it does.
    func isAnswered(by head: borrowing ResponseHead, _ octets: Span<UInt8>) -> Bool {
        guard case .asked(_, let key) = self else { return false }
        guard !key.isEmpty else { return true }
        let wanted = Self.answer(to: key.span)
        let lines = head.fields.lines
        for index in 0..<lines.count where lines[index].name == .secWebsocketAccept {
            return octets.extracting(lines[index].valueRange).equals(wanted.span)
        }
        return false
    }

    /// What a server answers to a key (RFC 6455 §4.2.2).
    static func answer(to key: Span<UInt8>) -> [UInt8] {
        let salted =
            key.indices.map { key[$0] } + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
        return Array(encodeBase64(sha1(salted)).utf8)
    }
}
