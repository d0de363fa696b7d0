/// What is wrong with the first octets of a connection, as a ClientHello.
package enum ClientHelloError: Error, Hashable, Sendable {
    /// They are no record of a TLS handshake.
    case recordUnexpected
    /// The handshake begins with another message.
    case messageUnexpected
    /// A length within the message does not fit.
    case lengthInvalid
    /// An extension is there twice (RFC 8446 §4.2).
    case extensionRepeated
    /// The server name is not one name of a host (RFC 6066 §3).
    case serverNameInvalid
    /// It is longer than `ClientHelloLimits.bytesMax`.
    case tooLong
}

/// The first message of a TLS connection, as far as those need it who pass the connection on as it is.
///
///     record (RFC 8446 §5.1):  22 | 3 x | length | fragment …
///     message (§4.1.2):        1 | length | version | random | session | ciphers | compression | extensions
package struct ClientHello: Equatable, Sendable {
    /// The host name that is asked for, in lower case and without a final dot; `nil` without one.
    package let serverName: String?

    /// Reads a ClientHello at the front of `octets`.
    ///
    /// Nothing of it is taken on trust: each octet is looked at only within the lengths that stand before it.
    ///
    /// - Parameter octets: What has come so far; more may follow the message.
    /// - Returns: The message, or `nil` while it is incomplete.
    /// - Throws: What is wrong, as soon as it shows.
    /// - Complexity: O(octets), each time.
    package static func read(_ octets: Span<UInt8>) throws(ClientHelloError) -> ClientHello? {
        guard let message = try gather(octets) else {
            if octets.count >= ClientHelloLimits.bytesMax { throw .tooLong }
            return nil
        }
        var body = Cursor(0, message.count)
        let octets = message.span
        // legacy_version and random.
        try body.skip(34)
        for width in [1, 2, 1] { _ = try body.vector(octets, width: width) }
        guard body.start < body.end else { return ClientHello(serverName: nil) }
        var extensions = try body.vector(octets, width: 2)
        guard body.start == body.end else { throw .lengthInvalid }
        var name: String?
        var seen: Set<Int> = []
        while extensions.start < extensions.end {
            let kind = try extensions.number(octets, width: 2)
            let content = try extensions.vector(octets, width: 2)
            guard seen.insert(kind).inserted else { throw .extensionRepeated }
            if kind == 0 { name = try hostName(octets, content) }
        }
        return ClientHello(serverName: name)
    }

    /// The body of the message, out of its records; `nil` while it is incomplete.
    private static func gather(_ octets: Span<UInt8>) throws(ClientHelloError) -> [UInt8]? {
        var message: [UInt8] = []
        var index = 0
        while true {
            if let length = try length(message), message.count >= 4 + length {
                return Array(message[4..<4 + length])
            }
            if index < octets.count, octets[index] != 22 { throw .recordUnexpected }
            if index + 1 < octets.count, octets[index + 1] != 3 { throw .recordUnexpected }
            guard octets.count - index >= 5 else { return nil }
            let length = Int(octets[index + 3]) << 8 | Int(octets[index + 4])
            // RFC 8446 §5.1: none is empty, and none is longer than 2^14.
            guard (1...16_384).contains(length) else { throw .recordUnexpected }
            let start = index + 5
            let end = min(start + length, octets.count)
            for place in start..<end { message.append(octets[place]) }
            if let kind = message.first, kind != 1 { throw .messageUnexpected }
            if end < start + length,
                try self.length(message).map({ message.count < 4 + $0 }) ?? true
            {
                return nil
            }
            index = end
        }
    }

    /// What the message says of its length; `nil` before it does.
    private static func length(_ message: [UInt8]) throws(ClientHelloError) -> Int? {
        guard message.count >= 4 else { return nil }
        let length = Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3])
        guard length <= ClientHelloLimits.bytesMax else { throw .tooLong }
        return length
    }

    /// The one host_name of a server_name extension.
    private static func hostName(
        _ octets: Span<UInt8>,
        _ content: Cursor
    ) throws(ClientHelloError) -> String {
        var content = content
        var list = try content.vector(octets, width: 2)
        guard content.start == content.end, try list.number(octets, width: 1) == 0 else {
            throw .serverNameInvalid
        }
        let name = try list.vector(octets, width: 2)
        guard list.start == list.end else { throw .serverNameInvalid }
        var text: [UInt8] = []
        for index in name.start..<name.end {
            let octet = octets[index]
            guard (0x21...0x7E).contains(octet) else { throw .serverNameInvalid }
            text.append((0x41...0x5A).contains(octet) ? octet | 0x20 : octet)
        }
        if text.last == UInt8(ascii: ".") { text.removeLast() }
        guard (1...255).contains(text.count) else { throw .serverNameInvalid }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A place in octets, and where the part ends that is being read.
private struct Cursor {
    private(set) var start: Int
    let end: Int

    init(_ start: Int, _ end: Int) {
        (self.start, self.end) = (start, end)
    }

    mutating func skip(_ count: Int) throws(ClientHelloError) {
        guard count <= end - start else { throw .lengthInvalid }
        start += count
    }

    /// A number of some octets, most significant first.
    mutating func number(_ octets: Span<UInt8>, width: Int) throws(ClientHelloError) -> Int {
        let first = start
        try skip(width)
        var number = 0
        for index in first..<start { number = number << 8 | Int(octets[index]) }
        return number
    }

    /// A part with its length in front (RFC 8446 §3.4).
    mutating func vector(_ octets: Span<UInt8>, width: Int) throws(ClientHelloError) -> Cursor {
        let length = try number(octets, width: width)
        let first = start
        try skip(length)
        return Cursor(first, start)
    }
}
