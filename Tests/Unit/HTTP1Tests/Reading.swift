import Bytes
import HTTP1
import HTTPSemantics

/// A request head with its octets copied out, to compare in tests.
struct ReadRequest: Equatable {
    var method = ""
    var knownMethod = Method.other
    var target = ""
    var path = ""
    var query: String?
    var form = RequestTargetForm.origin
    var host = ""
    var port: UInt16 = 0
    var version = HTTPVersion.http11
    var framing = BodyFraming.none
    var isPersistent = true
    var expectsContinue = false
    var fields: [String] = []
    var forwarded: [String] = []
    var length = 0
}

func text(_ octets: Span<UInt8>, _ range: Range<Int>) -> String {
    String(decoding: octets.extracting(range).copied(), as: UTF8.self)
}

/// Reads a request head given in one piece; nil when it is not complete.
func readRequest(_ octets: [UInt8], limits: HTTP1Limits = HTTP1Limits()) throws -> ReadRequest? {
    var head = RequestHead()
    return try readRequest(octets, &head, limits: limits)
}

func readRequest(_ text: String, limits: HTTP1Limits = HTTP1Limits()) throws -> ReadRequest? {
    try readRequest(Array(text.utf8), limits: limits)
}

func readRequest(
    _ octets: [UInt8],
    _ head: inout RequestHead,
    limits: HTTP1Limits = HTTP1Limits()
) throws -> ReadRequest? {
    let span = octets.span
    guard let length = try head.decode(span, limits: limits) else { return nil }
    var result = ReadRequest()
    result.method = text(span, head.methodRange.indices)
    result.knownMethod = head.method
    result.target = text(span, head.target.indices)
    result.path = text(span, head.path.indices)
    result.query = head.hasQuery ? text(span, head.query.indices) : nil
    result.form = head.form
    result.host = text(span, head.authority.host.indices)
    result.port = head.authority.port
    result.version = head.version
    result.framing = head.framing
    result.isPersistent = head.isPersistent
    result.expectsContinue = head.expectsContinue
    for line in head.fields.lines {
        let shown = "\(text(span, line.nameRange)): \(text(span, line.valueRange))"
        result.fields.append(shown)
        if !line.isHopByHop { result.forwarded.append(shown) }
    }
    result.length = length
    return result
}

/// Reads a request head given octet by octet, with the same outcome as in one piece or an error.
func readRequestByOctets(
    _ octets: [UInt8],
    limits: HTTP1Limits = HTTP1Limits()
) throws -> ReadRequest? {
    var head = RequestHead()
    for count in 0...octets.count {
        let part = Array(octets[..<count])
        if let result = try readRequest(part, &head, limits: limits) { return result }
    }
    return nil
}

/// What happened to a request: its reading, an error, or the wait for more octets.
enum Outcome<Reading: Equatable>: Equatable {
    case complete(Reading)
    case failed(HTTP1Error)
    case incomplete

    init(_ read: () throws -> Reading?) {
        do {
            self = try read().map { .complete($0) } ?? .incomplete
        } catch let error as HTTP1Error {
            self = .failed(error)
        } catch {
            self = .incomplete
        }
    }
}

/// A response head with its octets copied out.
struct ReadResponse: Equatable {
    var status: UInt16 = 0
    var reason = ""
    var version = HTTPVersion.http11
    var toGet = BodyFraming.none
    var toHead = BodyFraming.none
    var toConnect = BodyFraming.none
    var isPersistent = true
    var isInterim = false
    var fields: [String] = []
    var length = 0
}

func readResponse(
    _ octets: [UInt8],
    _ head: inout ResponseHead,
    limits: HTTP1Limits = HTTP1Limits()
) throws -> ReadResponse? {
    let span = octets.span
    guard let length = try head.decode(span, limits: limits) else { return nil }
    var result = ReadResponse()
    result.status = head.status
    result.reason = text(span, head.reason.indices)
    result.version = head.version
    result.toGet = head.framing(answering: .get)
    result.toHead = head.framing(answering: .head)
    result.toConnect = head.framing(answering: .connect)
    result.isPersistent = head.isPersistent
    result.isInterim = head.isInterim
    for line in head.fields.lines {
        result.fields.append("\(text(span, line.nameRange)): \(text(span, line.valueRange))")
    }
    result.length = length
    return result
}

func readResponse(_ text: String) throws -> ReadResponse? {
    var head = ResponseHead()
    return try readResponse(Array(text.utf8), &head)
}

func readResponseByOctets(_ octets: [UInt8]) throws -> ReadResponse? {
    var head = ResponseHead()
    for count in 0...octets.count {
        let part = Array(octets[..<count])
        if let result = try readResponse(part, &head) { return result }
    }
    return nil
}
