import Bytes
import HTTPSemantics

/// What field lines say about framing and the connection, gathered while they are read.
package struct Facts: Sendable {
    /// The options of all Connection fields.
    package private(set) var connection: ConnectionOptions = []
    /// The value of Content-Length.
    package private(set) var contentLength: Int?
    /// Whether the message is chunked.
    package private(set) var isChunked = false
    /// Whether `Expect: 100-continue` was sent.
    package private(set) var expectsContinue = false
    /// The number of the Host line, or -1.
    package private(set) var hostLine = -1

    /// Takes what one line says.
    ///
    /// - Parameters:
    ///   - name: The field's name, one that decides on framing.
    ///   - octets: The message.
    ///   - value: The value's octets.
    ///   - number: The line's number.
    ///   - role: Whose field it is.
    /// - Throws: What the field's own rules say.
    mutating func take(
        _ name: FieldName,
        _ octets: Span<UInt8>,
        _ value: Range<Int>,
        number: Int,
        _ role: FieldSection.Role
    ) throws(HTTP1Error) {
        switch name {
        case .host:
            if role == .request, hostLine >= 0 { throw .hostRepeated }
            hostLine = number
        case .contentLength:
            try settleContentLength(octets, value)
        case .transferEncoding:
            try settleTransferEncoding(octets, value)
        case .connection:
            try settleConnection(octets, value)
        case .expect:
            guard role == .request else { return }
            guard octets.matches("100-continue", in: value) else { throw .expectationUnknown }
            expectsContinue = true
        default:
            break
        }
    }

    /// RFC 9112 §6.3: stricter than the clause, which lets a list of equal numbers pass: no sender
    /// in use writes one, and readers differ on it.
    ///
    /// Leading zeros are refused for the same reason.
    private mutating func settleContentLength(
        _ octets: Span<UInt8>,
        _ value: Range<Int>
    ) throws(HTTP1Error) {
        guard contentLength == nil else { throw .contentLengthRepeated }
        for index in value where octets[index] &- 0x30 >= 10 { throw .contentLengthInvalid }
        guard let first = value.first else { throw .contentLengthInvalid }
        guard octets[first] != 0x30 || value.count == 1 else { throw .contentLengthInvalid }
        guard let length = octets.decimal(in: value) else { throw .contentLengthOverflow }
        contentLength = length
    }

    /// RFC 9112 §6.1: `chunked`, once and alone, is the only coding that is understood here.
    private mutating func settleTransferEncoding(
        _ octets: Span<UInt8>,
        _ value: Range<Int>
    ) throws(HTTP1Error) {
        guard !isChunked else { throw .transferEncodingInvalid }
        if octets.matches("chunked", in: value) {
            isChunked = true
            return
        }
        // Well-formed codings before a final "chunked" could be understood, but are not (501);
        // everything else leaves the length of the message open (400).
        var list = ElementList(value)
        var codingCount = 0
        var endsChunked = false
        while let element = list.next(octets) {
            if endsChunked { throw .transferEncodingInvalid }
            let end = OctetSet.token.firstIndexOutside(octets, element)
            guard end == element.upperBound, !element.isEmpty else {
                throw .transferEncodingInvalid
            }
            codingCount += 1
            endsChunked = octets.matches("chunked", in: element)
        }
        throw endsChunked && codingCount > 1 ? .transferCodingUnsupported : .transferEncodingInvalid
    }

    private mutating func settleConnection(
        _ octets: Span<UInt8>,
        _ value: Range<Int>
    ) throws(HTTP1Error) {
        // Most peers say one word.
        if octets.matches("keep-alive", in: value) {
            connection.insert(.keepAlive)
            return
        }
        var list = ElementList(value)
        while let element = list.next(octets) {
            if element.isEmpty { continue }
            guard OctetSet.token.firstIndexOutside(octets, element) == element.upperBound else {
                throw .connectionInvalid
            }
            if octets.matches("keep-alive", in: element) {
                connection.insert(.keepAlive)
            } else if octets.matches("close", in: element) {
                connection.insert(.close)
            } else if octets.matches("upgrade", in: element) {
                connection.insert(.upgrade)
            } else if octets.matches("te", in: element) {
                connection.insert(.te)
            } else {
                connection.insert(.other)
            }
        }
    }
}
