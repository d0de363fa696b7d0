internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics

/// A check by a GET request of HTTP/1.1: interim responses are passed over, and redirects are not followed.
final class HTTP1CheckDialogue: CheckDialogue {
    private var expected: ExpectedAnswer
    private var response = ResponseHead()
    /// Octets of heads that are not complete.
    private var head: [UInt8] = []
    private var content = Content.none

    /// How the end of the content is told.
    private enum Content {
        /// There is no final response yet.
        case none
        case length(Int)
        case chunked(ChunkedDecoder)
        case untilClose
    }

    init(_ probe: HealthCheck.HTTPProbe, host: String) {
        expected = ExpectedAnswer(probe)
        super.init()
        let lines = [
            "GET \(probe.path) HTTP/1.1", "host: \(host)", "user-agent: \(checkUserAgent)",
            "connection: close", "", "",
        ]
        output = Array(lines.joined(separator: "\r\n").utf8)
    }

    override func received(_ octets: Span<UInt8>, now: UInt64) -> CheckVerdict? {
        do throws(HTTP1Error) {
            if case .none = content { return try receivedHead(octets) }
            return try receivedContent(octets)
        } catch {
            return .failed("the answer is no HTTP/1.1: \(error)")
        }
    }

    private func receivedHead(_ octets: Span<UInt8>) throws(HTTP1Error) -> CheckVerdict? {
        for index in octets.indices { head.append(octets[index]) }
        repeat {
            let octets = head
            guard let length = try response.decode(octets.span, limits: Worker.responseLimits)
            else { return nil }
            head.removeFirst(length)
        } while response.isInterim
        if let verdict = expected.verdict(on: Int(response.status)) { return verdict }
        switch response.framing(answering: .get) {
        case .none, .tunnel, .length(0): return expected.lacking
        case .length(let count): content = .length(count)
        case .chunked: content = .chunked(ChunkedDecoder())
        case .untilClose: content = .untilClose
        }
        let rest = head
        head = []
        return try receivedContent(rest.span)
    }

    private func receivedContent(_ octets: Span<UInt8>) throws(HTTP1Error) -> CheckVerdict? {
        switch content {
        case .none: return nil
        case .untilClose: return expected.take(octets)
        case .length(let left):
            let verdict = expected.take(octets.extracting(first: left))
            content = .length(left - min(left, octets.count))
            return verdict ?? (octets.count >= left ? expected.lacking : nil)
        case .chunked(var decoder):
            var index = 0
            while true {
                switch try decoder.next(octets, at: &index, limits: Worker.responseLimits) {
                case .content(let range):
                    if let verdict = expected.take(octets.extracting(range)) { return verdict }
                case .lastChunk, .end: return expected.lacking
                case .needsMore:
                    content = .chunked(decoder)
                    return nil
                }
            }
        }
    }

    override func ended() -> CheckVerdict {
        switch content {
        case .none: super.ended()
        case .untilClose: expected.lacking
        case .length, .chunked: .failed("the connection ended within the answer")
        }
    }
}

/// How checks call themselves.
let checkUserAgent = "weir-health-check"
