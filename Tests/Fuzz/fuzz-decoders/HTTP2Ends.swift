import HTTP2
import HTTPSemantics

/// An HTTP/2 connection whose peer sends the octets, behind the preface and SETTINGS.
///
/// The lowest bit of the first octet says which end reads them. What is read and written must not depend
/// on how the octets are cut, and a caller that answers, gives back and resets must never trap.
enum HTTP2Ends {
    /// Feeds the octets.
    static func run(_ octets: [UInt8]) {
        guard let first = octets.first else { return }
        let role: HTTP2Connection.Role = first & 1 == 0 ? .server : .client
        let rest = Array(octets.dropFirst())
        let whole = read(rest, [rest.count], role, acts: false)
        let half = read(rest, [rest.count / 2, rest.count], role, acts: false)
        precondition(whole.events == half.events, "\(whole.events) at once, \(half.events) in two")
        precondition(whole.output == half.output, "other frames at once than in two")
        checkFrames(whole.output)
        checkFrames(read(rest, [rest.count / 3, rest.count], role, acts: true).output)
    }

    /// Events with pieces of content joined.
    private struct Reading {
        var events: [Event] = []
        var output: [UInt8] = []
    }

    private enum Event: Equatable {
        case other(HTTP2Connection.Event)
        case content(UInt32, [UInt8], isLast: Bool, flowBytes: Int)
        case failed(HTTP2Error)
    }

    private static func read(
        _ octets: [UInt8],
        _ places: [Int],
        _ role: HTTP2Connection.Role,
        acts: Bool
    ) -> Reading {
        var connection = HTTP2Connection(role: role, limits: HTTP2Limits(streamWindowBytes: 2000))
        var reading = Reading()
        feed(opening(role), &connection, &reading, acts: acts)
        if role == .client { openStreams(&connection) }
        var start = 0
        for place in places {
            feed(Array(octets[start..<place]), &connection, &reading, acts: acts)
            start = place
        }
        reading.output = connection.takeOutput()
        connection.releaseStorage()
        return reading
    }

    /// The preface and empty SETTINGS of the other end.
    private static func opening(_ role: HTTP2Connection.Role) -> [UInt8] {
        let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
        return role == .client
            ? settings : Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + settings
    }

    private static func openStreams(_ connection: inout HTTP2Connection) {
        for method in [Method.get, .head, .connect, .post] {
            guard let stream = connection.openStream(method) else { return }
            write(stream, endStream: method != .post, .method, "GET", &connection)
        }
    }

    private static func write(
        _ stream: UInt32,
        endStream: Bool,
        _ pseudo: PseudoField,
        _ value: String,
        _ connection: inout HTTP2Connection
    ) {
        let octets = Array(value.utf8)
        connection.encodeHeaders(stream, endStream: endStream) { encoder, output in
            encoder.append(pseudo: pseudo, value: octets.span, to: &output)
        }
    }

    private static func feed(
        _ octets: [UInt8],
        _ connection: inout HTTP2Connection,
        _ reading: inout Reading,
        acts: Bool
    ) {
        var index = 0
        do {
            while let event = try connection.next(octets.span, at: &index, now: 1_000_000_000) {
                note(event, octets, &reading)
                if acts { act(on: event, &connection) }
            }
            precondition(index == octets.count, "\(index) of \(octets.count) octets were taken")
        } catch {
            precondition(connection.isFailed)
            if reading.events.last != .failed(error) { reading.events.append(.failed(error)) }
        }
    }

    private static func note(
        _ event: HTTP2Connection.Event,
        _ octets: [UInt8],
        _ reading: inout Reading
    ) {
        guard case .data(let stream, let range, let isLast, let flowBytes) = event else {
            reading.events.append(.other(event))
            return
        }
        var content = Array(octets[range])
        var flow = flowBytes
        if case .content(stream, let before, false, let flowBefore) = reading.events.last {
            reading.events.removeLast()
            content = before + content
            flow += flowBefore
        }
        reading.events.append(.content(stream, content, isLast: isLast, flowBytes: flow))
    }

    /// Does what a proxy may do on an event.
    private static func act(
        on event: HTTP2Connection.Event,
        _ connection: inout HTTP2Connection
    ) {
        switch event {
        case .headers(let stream, let endStream):
            guard connection.role == .server else { return }
            write(stream, endStream: false, .status, "200", &connection)
            send(stream, endStream: endStream, &connection)
        case .headersOversized(let stream, _):
            write(stream, endStream: true, .status, "431", &connection)
        case .trailers(let stream): send(stream, endStream: true, &connection)
        case .data(let stream, let range, let endStream, let flowBytes):
            if range.count == 7 {
                connection.reset(stream, .cancel)
            } else if range.count != 9 {
                connection.consumed(stream, flowBytes: flowBytes)
            }
            if endStream { send(stream, endStream: true, &connection) }
        case .windowOpened(let stream): send(max(stream, 1), endStream: false, &connection)
        case .settingsChanged: send(1, endStream: false, &connection)
        case .goAway: connection.goAway(.noError)
        case .priorityUpdate(let stream, let priority):
            connection.setPriority(stream, priority)
            precondition(connection.priority(stream).urgency <= 7)
        case .pingAcknowledged, .interim, .reset: _ = connection.ping(payload: 7)
        }
    }

    private static func send(
        _ stream: UInt32,
        endStream: Bool,
        _ connection: inout HTTP2Connection
    ) {
        let content = [UInt8](repeating: 0x61, count: connection.dataAllowance(stream))
        connection.writeData(stream, content.span, endStream: endStream)
        precondition(connection.dataAllowance(stream) >= 0)
    }

    /// What is written are whole frames.
    private static func checkFrames(_ output: [UInt8]) {
        var index = output.first == 0x50 ? 24 : 0
        while index < output.count {
            precondition(index + 9 <= output.count, "a frame's header is cut off")
            let length = Int(output[index]) << 16 | Int(output[index + 1]) << 8
            index += 9 + length + Int(output[index + 2])
        }
        precondition(index == output.count, "a frame is cut off")
    }
}
