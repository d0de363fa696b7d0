internal import HTTPSemantics

/// What a status alone is answered with: made once for each, since refusing must cost little when most is refused.
struct PlainAnswer {
    let statusLine: [UInt8]
    /// The field lines that describe the content; none for a status that has none.
    let fields: [UInt8]
    /// A short text that names the status, from 400 on.
    let content: [UInt8]

    /// `Allow` for what asks the server itself (RFC 9110 §10.2.1).
    static let allow = Array("allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n".utf8)

    private static let first: UInt16 = 200
    private static let all = (first..<600).map(PlainAnswer.init)

    /// The answer of a status.
    static func of(_ status: UInt16) -> PlainAnswer {
        let place = Int(status) - Int(first)
        return all.indices.contains(place) ? all[place] : PlainAnswer(status)
    }

    private init(_ status: UInt16) {
        let phrase = StatusPhrase.of(status)
        statusLine = Array("HTTP/1.1 \(status) \(phrase)\r\n".utf8)
        fields = status < 400 ? [] : Array("content-type: text/plain; charset=utf-8\r\n".utf8)
        content = status < 400 ? [] : Array("\(status) \(phrase)\n".utf8)
    }

    private static let retryInASecond = Array("retry-after: 1\r\n".utf8)

    /// When another try may be worth it (RFC 9110 §10.2.3).
    static func retryAfter(seconds: UInt64) -> [UInt8] {
        seconds == 1 ? retryInASecond : Array("retry-after: \(seconds)\r\n".utf8)
    }
}
