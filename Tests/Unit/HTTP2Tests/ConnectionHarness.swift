import Bytes
import HTTPSemantics
import Testing

@testable import HTTP2

/// Frames as a peer would write them, valid or not.
enum Wire {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static func frame(
        _ type: UInt8,
        flags: UInt8 = 0,
        _ stream: UInt32 = 0,
        _ payload: [UInt8] = [],
        length: Int? = nil
    ) -> [UInt8] {
        let length = UInt32(length ?? payload.count)
        return Array(bits(length).dropFirst()) + [type, flags] + bits(stream) + payload
    }

    static func bits(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }

    static func data(
        _ stream: UInt32,
        _ content: [UInt8],
        end: Bool = false,
        padding: Int? = nil
    ) -> [UInt8] {
        var payload = content
        if let padding {
            payload = [UInt8(padding)] + content + [UInt8](repeating: 0, count: padding)
        }
        return frame(0, flags: (end ? 1 : 0) | (padding == nil ? 0 : 8), stream, payload)
    }

    static func headers(
        _ stream: UInt32,
        _ fields: [(String, String)],
        end: Bool = true,
        done: Bool = true
    ) -> [UInt8] {
        frame(1, flags: (end ? 1 : 0) | (done ? 4 : 0), stream, hpack(fields))
    }

    static func continuation(_ stream: UInt32, _ block: [UInt8], done: Bool = true) -> [UInt8] {
        frame(9, flags: done ? 4 : 0, stream, block)
    }

    static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> [UInt8] {
        frame(3, stream, bits(code))
    }

    static func settings(_ entries: (UInt16, UInt32)...) -> [UInt8] {
        let payload = entries.flatMap { name, value in
            [UInt8(name >> 8), UInt8(name & 255)] + bits(value)
        }
        return frame(4, 0, payload)
    }

    static let settingsAcknowledgement = frame(4, flags: 1)

    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> [UInt8] {
        frame(8, stream, bits(increment))
    }

    static func priority(_ stream: UInt32, on dependency: UInt32) -> [UInt8] {
        frame(2, stream, bits(dependency) + [16])
    }

    static func ping(_ payload: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8], flags: UInt8 = 0) -> [UInt8] {
        frame(6, flags: flags, 0, payload)
    }

    static func goAway(_ lastStream: UInt32, _ code: UInt32 = 0, debug: [UInt8] = []) -> [UInt8] {
        frame(7, 0, bits(lastStream) + bits(code) + debug)
    }

    static func priorityUpdate(_ stream: UInt32, _ value: String) -> [UInt8] {
        frame(0x10, 0, bits(stream) + Array(value.utf8))
    }

    /// A field block of literals without indexing and without Huffman.
    static func hpack(_ fields: [(String, String)]) -> [UInt8] {
        func string(_ text: String) -> [UInt8] {
            let octets = Array(text.utf8)
            guard octets.count >= 127 else { return [UInt8(octets.count)] + octets }
            var rest = octets.count - 127
            var length: [UInt8] = [127]
            while rest >= 128 {
                length.append(UInt8(rest & 127) | 128)
                rest >>= 7
            }
            return length + [UInt8(rest)] + octets
        }
        return fields.flatMap { [0] + string($0.0) + string($0.1) }
    }

    static let get: [(String, String)] = [
        (":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a.example"),
    ]

    static let post: [(String, String)] = [
        (":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "a.example"),
    ]

    static let ok = [(":status", "200")]
}

/// An event with its octets copied out.
enum Seen: Equatable, Sendable {
    case headers(UInt32, [String], end: Bool)
    case oversized(UInt32, end: Bool)
    case interim(UInt32, [String])
    case trailers(UInt32, [String])
    case data(UInt32, [UInt8], end: Bool, flow: Int)
    case reset(UInt32, ErrorCode, HTTP2Connection.ResetCause)
    case windowOpened(UInt32)
    case settingsChanged
    case goAway(UInt32, ErrorCode)
    case pingAcknowledged(UInt64)
    case priority(UInt32, Priority)
    case failed(HTTP2Error)

    static func violation(_ stream: UInt32, _ error: StreamError) -> Seen {
        .reset(stream, error.code, .violation(error))
    }
}

/// A frame that the machine wrote.
struct Sent: Equatable, Sendable {
    var type: UInt8
    var flags: UInt8
    var stream: UInt32
    var payload: [UInt8]

    /// Takes octets apart that are whole frames.
    static func frames(_ octets: [UInt8]) -> [Sent] {
        var frames: [Sent] = []
        var index = 0
        while index + 9 <= octets.count {
            let header = FrameHeader(octets.span, at: index)
            let payload = Array(octets[index + 9..<index + 9 + header.length])
            frames.append(
                Sent(
                    type: header.type,
                    flags: header.flags,
                    stream: header.stream,
                    payload: payload
                )
            )
            index += 9 + header.length
        }
        #expect(index == octets.count, "octets that are no frame")
        return frames
    }

    static func reset(_ stream: UInt32, _ code: ErrorCode) -> Sent {
        Sent(type: 3, flags: 0, stream: stream, payload: Wire.bits(code.rawValue))
    }

    static func goAway(_ lastStream: UInt32, _ code: ErrorCode) -> Sent {
        Sent(
            type: 7,
            flags: 0,
            stream: 0,
            payload: Wire.bits(lastStream) + Wire.bits(code.rawValue)
        )
    }

    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Sent {
        Sent(type: 8, flags: 0, stream: stream, payload: Wire.bits(increment))
    }

    static let settingsAcknowledgement = Sent(type: 4, flags: 1, stream: 0, payload: [])
}

/// One end under test, fed by hand.
final class Endpoint {
    var connection: HTTP2Connection
    var seen: [Seen] = []
    var now: UInt64 = 1_000_000_000_000
    /// Whether content is given back as it comes.
    var consumes = false

    init(_ role: HTTP2Connection.Role, _ limits: HTTP2Limits = HTTP2Limits()) {
        connection = HTTP2Connection(role: role, limits: limits)
    }

    /// Takes the frames written since the last time.
    func sent() -> [Sent] {
        let output = connection.takeOutput()
        return Sent.frames(
            output.starts(with: Wire.preface) ? Array(output.dropFirst(24)) : output
        )
    }

    func feed(_ octets: [UInt8]) {
        var index = 0
        do {
            while let event = try connection.next(octets.span, at: &index, now: now) {
                note(event, octets)
            }
            #expect(index == octets.count)
        } catch {
            if seen.last != .failed(error) { seen.append(.failed(error)) }
        }
    }

    private func lines(pseudo: Bool = true) -> [String] {
        let fields = connection.fields
        var lines: [String] = []
        for field in PseudoField.allCases {
            guard pseudo, let range = fields[field] else { continue }
            let value = String(decoding: fields.pseudoOctets[range.indices], as: UTF8.self)
            lines.append("\(field.text) \(value)")
        }
        for line in fields.lines {
            let name = String(decoding: fields.octets[line.nameRange.indices], as: UTF8.self)
            let value = String(decoding: fields.octets[line.valueRange.indices], as: UTF8.self)
            lines.append("\(name): \(value)")
        }
        return lines
    }

    private func note(_ event: HTTP2Connection.Event, _ octets: [UInt8]) {
        switch event {
        case .headers(let stream, let end): seen.append(.headers(stream, lines(), end: end))
        case .headersOversized(let stream, let end): seen.append(.oversized(stream, end: end))
        case .interim(let stream): seen.append(.interim(stream, lines()))
        case .trailers(let stream): seen.append(.trailers(stream, lines()))
        case .data(let stream, let range, let end, let flow):
            if consumes { connection.consumed(stream, flowBytes: flow) }
            if case .data(stream, let before, false, let flowBefore) = seen.last {
                seen.removeLast()
                let all = before + octets[range]
                seen.append(.data(stream, all, end: end, flow: flowBefore + flow))
            } else {
                seen.append(.data(stream, Array(octets[range]), end: end, flow: flow))
            }
        case .reset(let stream, let code, let cause): seen.append(.reset(stream, code, cause))
        case .windowOpened(let stream): seen.append(.windowOpened(stream))
        case .settingsChanged: seen.append(.settingsChanged)
        case .goAway(let last, let code): seen.append(.goAway(last, code))
        case .pingAcknowledged(let payload): seen.append(.pingAcknowledged(payload))
        case .priorityUpdate(let stream, let priority): seen.append(.priority(stream, priority))
        }
    }

    /// Opens a request without content (client).
    @discardableResult
    func request(
        _ method: Method = .get,
        _ fields: [(String, String)] = Wire.get,
        end: Bool = true
    ) -> UInt32 {
        guard let stream = connection.openStream(method) else { return 0 }
        send(stream, fields, end: end)
        return stream
    }

    func ping(_ payload: UInt64) -> Bool { connection.ping(payload: payload) }

    func allowance(_ stream: UInt32) -> Int { connection.dataAllowance(stream) }

    /// Writes content as far as the windows allow.
    ///
    /// - Returns: How many octets went.
    @discardableResult
    func write(_ stream: UInt32, _ content: [UInt8], end: Bool = false) -> Int {
        var index = 0
        repeat {
            let count = min(connection.dataAllowance(stream), content.count - index)
            let isLast = index + count == content.count
            if count == 0, !content.isEmpty, !isLast { break }
            let piece = Array(content[index..<index + count])
            guard connection.writeData(stream, piece.span, endStream: end && isLast) else { break }
            index += count
        } while index < content.count
        return index
    }

    /// Writes a field section.
    @discardableResult
    func send(_ stream: UInt32, _ fields: [(String, String)], end: Bool) -> Bool {
        connection.encodeHeaders(stream, endStream: end) { encoder, output in
            for (name, value) in fields {
                let octets = Array(value.utf8)
                let pseudo = PseudoField.allCases.first { "\($0.text)" == name }
                if let pseudo {
                    encoder.append(pseudo: pseudo, value: octets.span, to: &output)
                } else {
                    let nameOctets = Array(name.utf8)
                    encoder.append(
                        name: nameOctets.span,
                        value: octets.span,
                        known: FieldName.find(nameOctets.span),
                        isSensitive: false,
                        to: &output
                    )
                }
            }
        }
    }
}

/// What came of an input.
struct Outcome: Equatable {
    var seen: [Seen] = []
    var sent: [Sent] = []
}

/// Feeds an end that is connected, whole, octet by octet, and cut in two at every octet: all the same.
///
/// - Parameters:
///   - role: Which end is under test; SETTINGS have been exchanged.
///   - limits: Bounds.
///   - input: What the peer sends then.
///   - prepare: What the end does before the input comes.
///   - sourceLocation: Where a difference is reported.
/// - Returns: The events and the frames that were written.
@discardableResult
func outcome(
    at role: HTTP2Connection.Role = .server,
    limits: HTTP2Limits = HTTP2Limits(),
    _ input: [[UInt8]],
    prepare: (Endpoint) -> Void = { _ in },
    sourceLocation: SourceLocation = #_sourceLocation
) -> Outcome {
    let octets = input.flatMap { $0 }
    func run(_ cuts: [Int]) -> Outcome {
        let end = Endpoint(role, limits)
        end.feed((role == .server ? Wire.preface : []) + Wire.settings())
        end.feed(Wire.settingsAcknowledgement)
        prepare(end)
        _ = end.sent()
        end.seen = []
        var start = 0
        for cut in cuts + [octets.count] {
            end.feed(Array(octets[start..<cut]))
            start = cut
        }
        return Outcome(seen: end.seen, sent: end.sent())
    }
    let whole = run([])
    #expect(run(Array(0..<octets.count)) == whole, "octet by octet", sourceLocation: sourceLocation)
    for cut in 0..<min(octets.count, 400) where run([cut]) != whole {
        Issue.record("cut at \(cut): \(run([cut])), not \(whole)", sourceLocation: sourceLocation)
        break
    }
    return whole
}

/// Expects the connection to end.
func expectFailure(
    _ error: HTTP2Error,
    at role: HTTP2Connection.Role = .server,
    limits: HTTP2Limits = HTTP2Limits(),
    _ input: [[UInt8]],
    prepare: (Endpoint) -> Void = { _ in },
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let result = outcome(
        at: role,
        limits: limits,
        input,
        prepare: prepare,
        sourceLocation: sourceLocation
    )
    #expect(result.seen.last == .failed(error), sourceLocation: sourceLocation)
    let last = result.sent.last
    #expect(last?.type == 7, "GOAWAY comes last", sourceLocation: sourceLocation)
    #expect(last?.payload.suffix(4) == Wire.bits(error.code.rawValue)[...])
}

/// Expects one stream to be reset for a violation and the connection to go on.
func expectReset(
    _ stream: UInt32,
    _ error: StreamError,
    at role: HTTP2Connection.Role = .server,
    limits: HTTP2Limits = HTTP2Limits(),
    _ input: [[UInt8]],
    prepare: (Endpoint) -> Void = { _ in },
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let result = outcome(
        at: role,
        limits: limits,
        input,
        prepare: prepare,
        sourceLocation: sourceLocation
    )
    #expect(result.seen.last == .violation(stream, error), sourceLocation: sourceLocation)
    #expect(result.sent.contains(.reset(stream, error.code)), sourceLocation: sourceLocation)
}
