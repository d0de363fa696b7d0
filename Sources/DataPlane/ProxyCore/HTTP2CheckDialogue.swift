internal import Bytes
internal import FleetModel
internal import HTTP2
internal import HTTPSemantics
internal import Upstreams

/// A check by one request of HTTP/2: a GET, or a question of the gRPC health protocol.
final class HTTP2CheckDialogue: CheckDialogue {
    private var http2: HTTP2Connection
    private var stream: UInt32 = 0
    private var answer: Answer
    private var status: Int?
    /// `grpc-status`, once it has come.
    private var grpcStatus: Int?

    private enum Answer {
        case http(ExpectedAnswer)
        case grpc([UInt8])
    }

    /// A GET.
    init(_ probe: HealthCheck.HTTPProbe, host: String, isSecure: Bool) {
        answer = .http(ExpectedAnswer(probe))
        http2 = Self.connection()
        super.init()
        ask("GET", probe.path, host, isSecure: isSecure, [("user-agent", checkUserAgent)], nil)
    }

    /// A question for a service.
    init(service: String, host: String, isSecure: Bool) {
        answer = .grpc([])
        http2 = Self.connection()
        super.init()
        let fields = [
            ("user-agent", checkUserAgent), ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        let question = GRPCHealth.question(service)
        ask("POST", GRPCHealth.path, host, isSecure: isSecure, fields, question)
    }

    private static func connection() -> HTTP2Connection {
        HTTP2Connection(
            role: .client,
            limits: HTTP2Limits(
                streamsMax: 1,
                streamWindowBytes: ModelLimits.checkContentBytes * 2,
                connectionWindowBytes: ModelLimits.checkContentBytes * 2,
                fieldSectionBytesMax: Limits.responseFieldSectionBytes,
                fieldLinesMax: Limits.responseFieldLines
            )
        )
    }

    private func ask(
        _ method: String,
        _ path: String,
        _ host: String,
        isSecure: Bool,
        _ fields: [(name: String, value: String)],
        _ content: [UInt8]?
    ) {
        // A connection that was just made has room for one stream.
        guard let id = http2.openStream(content == nil ? .get : .post) else { return }
        stream = id
        let (methodOctets, pathOctets) = (Array(method.utf8), Array(path.utf8))
        let (hostOctets, scheme) = (Array(host.utf8), Array((isSecure ? "https" : "http").utf8))
        http2.encodeHeaders(id, endStream: content == nil) { encoder, output in
            encoder.append(pseudo: .method, value: methodOctets.span, to: &output)
            encoder.append(pseudo: .scheme, value: scheme.span, to: &output)
            encoder.append(pseudo: .authority, value: hostOctets.span, to: &output)
            encoder.append(pseudo: .path, value: pathOctets.span, to: &output)
            for (name, value) in fields {
                let (nameOctets, valueOctets) = (Array(name.utf8), Array(value.utf8))
                encoder.append(
                    name: nameOctets.span,
                    value: valueOctets.span,
                    known: FieldName.find(nameOctets.span),
                    isSensitive: false,
                    to: &output
                )
            }
        }
        // The first window has room for a name.
        if let content, content.count <= http2.dataAllowance(id) {
            http2.writeData(id, content.span, endStream: true)
        }
        output = http2.takeOutput()
    }

    // MARK: Answers

    override func received(_ octets: Span<UInt8>, now: UInt64) -> CheckVerdict? {
        defer { output += http2.takeOutput() }
        var index = 0
        do throws(HTTP2Error) {
            while let event = try http2.next(octets, at: &index, now: now) {
                if let verdict = take(event, octets) { return verdict }
            }
            return nil
        } catch {
            return .failed("the answer is no HTTP/2: \(error)")
        }
    }

    private func take(_ event: HTTP2Connection.Event, _ octets: Span<UInt8>) -> CheckVerdict? {
        switch event {
        case .headers(stream, let endStream):
            let fields = http2.fields
            let range = (fields.status ?? OctetRange()).indices
            let status = fields.pseudoOctets.span.decimal(in: range) ?? 0
            self.status = status
            noteGRPCStatus()
            if endStream { return end() }
            return verdict(on: status)
        case .data(stream, let range, let endStream, let flowBytes):
            let verdict = take(octets.extracting(range))
            http2.consumed(stream, flowBytes: flowBytes)
            return verdict ?? (endStream ? end() : nil)
        case .trailers(stream):
            noteGRPCStatus()
            return end()
        case .reset(stream, let code, _): return .failed("the request was reset: \(code)")
        case .goAway(let last, let code) where last < stream:
            return .failed("the request was turned away: \(code)")
        default: return nil
        }
    }

    private func verdict(on status: Int) -> CheckVerdict? {
        switch answer {
        case .http(let expected): expected.verdict(on: status)
        case .grpc: status == 200 ? nil : .failed("status \(status)")
        }
    }

    private func take(_ content: Span<UInt8>) -> CheckVerdict? {
        switch answer {
        case .http(var expected):
            let verdict = expected.take(content)
            answer = .http(expected)
            return verdict
        case .grpc(var octets):
            guard content.count <= GRPCHealth.answerBytesMax - octets.count else {
                return .failed("the answer is too long for the health protocol")
            }
            for index in content.indices { octets.append(content[index]) }
            answer = .grpc(octets)
            return nil
        }
    }

    private func noteGRPCStatus() {
        let fields = http2.fields
        let octets = fields.octets.span
        for line in fields.lines {
            guard octets.extracting(line.nameRange.indices).matches("grpc-status") else { continue }
            grpcStatus = octets.decimal(in: line.valueRange.indices) ?? -1
        }
    }

    /// The response is whole.
    private func end() -> CheckVerdict {
        switch answer {
        case .http(let expected):
            return verdict(on: status ?? 0) ?? expected.lacking
        case .grpc(let octets):
            if status != 200 { return .failed("status \(status ?? 0)") }
            switch grpcStatus {
            case 0: break
            case 5: return .failed("the server does not know the service (gRPC status 5)")
            case 12: return .failed("the server has no health protocol (gRPC status 12)")
            case let code?: return .failed("gRPC status \(code)")
            case nil: return .failed("the answer has no gRPC status")
            }
            switch GRPCHealth.answer(octets.span) {
            case .serving: return .passed
            case .notServing: return .failed("NOT_SERVING")
            case .serviceUnknown: return .failed("SERVICE_UNKNOWN")
            case .unknown: return .failed("UNKNOWN")
            case nil: return .failed("the answer is not of the health protocol")
            }
        }
    }

    override func leave() {
        http2.goAway(.noError)
        output += http2.takeOutput()
    }
}
