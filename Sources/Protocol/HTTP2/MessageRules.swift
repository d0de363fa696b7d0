import Bytes
import HTTPSemantics

/// What a whole field section must say to be a message (RFC 9113 §8.2 to §8.5, RFC 8441 §4).
///
/// `FieldBlock` has judged each line for itself already.
enum MessageRules {
    /// What the sections of a stream need to be remembered for.
    struct Verdict {
        /// Octets of content that Content-Length announces; below 0 when it is not there.
        var contentLength = Stream.contentUnknown
        /// The status of a response.
        var status = 0
    }

    /// Judges a request.
    ///
    /// Stricter than RFC 9113 §8.3.1 in that an authority must be named by `:authority` or Host whatever
    /// the scheme, as RFC 9112 §3.2 asks of HTTP/1.1, and that both must agree octet by octet.
    ///
    /// - Parameters:
    ///   - fields: The section.
    ///   - allowsExtendedConnect: Whether we said that `:protocol` is understood.
    ///   - endsStream: Whether no content follows.
    /// - Returns: What to remember of it.
    /// - Throws: The first reason for which the request is malformed.
    static func judge(
        request fields: borrowing FieldBlock,
        allowsExtendedConnect: Bool,
        endsStream: Bool
    ) throws(StreamError) -> Verdict {
        guard fields.malformation == nil else { throw .malformedFields }
        guard fields.status == nil else { throw .pseudoFieldUnexpected }
        guard let method = fields.method else { throw .pseudoFieldMissing }
        let isConnect = fields.pseudoOctets.span.extracting(method.indices).isConnect
        let isExtended = fields.protocol != nil
        if isExtended {
            guard isConnect, allowsExtendedConnect else { throw .pseudoFieldUnexpected }
        }
        if isConnect, !isExtended {
            // §8.5: neither :scheme nor :path, and a port to connect to.
            guard fields.scheme == nil, fields.path == nil else { throw .pseudoFieldUnexpected }
            guard let authority = fields.authority else { throw .authorityMissing }
            let parsed = Authority.parse(fields.pseudoOctets.span, authority.indices)
            guard let parsed, parsed.port != 0 else { throw .authorityInvalid }
        } else {
            try judgeTarget(fields, method)
        }
        try judgeAuthority(fields)
        var verdict = Verdict()
        if !isConnect { verdict.contentLength = try contentLength(fields) }
        if endsStream, verdict.contentLength > 0 { throw .contentLengthMismatch }
        return verdict
    }

    /// Judges a response.
    ///
    /// - Parameters:
    ///   - fields: The section.
    ///   - answers: What the request was.
    ///   - endsStream: Whether no content follows.
    /// - Returns: What to remember of it.
    /// - Throws: The first reason for which the response is malformed.
    static func judge(
        response fields: borrowing FieldBlock,
        answers: Stream.Answers,
        endsStream: Bool
    ) throws(StreamError) -> Verdict {
        guard fields.malformation == nil else { throw .malformedFields }
        guard !fields.isOversized else { throw .fieldSectionTooLarge }
        guard fields.method == nil, fields.scheme == nil, fields.authority == nil,
            fields.path == nil, fields.protocol == nil
        else { throw .pseudoFieldUnexpected }
        guard let range = fields.status else { throw .pseudoFieldMissing }
        guard let status = fields.pseudoOctets.span.decimal(in: range.indices),
            (100...999).contains(status)
        else { throw .statusInvalid }
        // §8.6: HTTP/2 has no 101.
        guard status != 101 else { throw .switchingProtocols }
        var verdict = Verdict(status: status)
        if status < 200 {
            guard !endsStream else { throw .interimEndsStream }
            return verdict
        }
        if answers == .connect, status < 300 { return verdict }
        let length = try contentLength(fields)
        if answers == .head || status == 204 || status == 304 {
            // RFC 9110 §6.4.1: no content; Content-Length may tell of a GET's.
            verdict.contentLength = 0
            return verdict
        }
        verdict.contentLength = length
        if endsStream, length > 0 { throw .contentLengthMismatch }
        return verdict
    }

    /// Judges a trailer section.
    ///
    /// - Throws: The first reason for which the message is malformed.
    static func judge(trailers fields: borrowing FieldBlock) throws(StreamError) {
        guard fields.malformation == nil else { throw .malformedFields }
        guard !fields.isOversized else { throw .fieldSectionTooLarge }
        guard !fields.hasPseudoFields else { throw .pseudoFieldUnexpected }
    }

    // MARK: Leaves

    /// §8.3.1: `:scheme` and `:path`, which starts with `/`, or is `*` for OPTIONS.
    private static func judgeTarget(
        _ fields: borrowing FieldBlock,
        _ method: OctetRange
    ) throws(StreamError) {
        guard fields.scheme != nil, let path = fields.path else { throw .pseudoFieldMissing }
        guard !path.isEmpty else { throw .pathInvalid }
        let octets = fields.pseudoOctets.span
        if octets[path.lowerBound] == 0x2f { return }
        let isOptions = Method.find(in: octets, method.indices) == .options
        guard isOptions, path.count == 1, octets[path.lowerBound] == 0x2a else {
            throw .pathInvalid
        }
    }

    /// §8.3.1: `:authority` and Host name the same, one at least is there, and it is valid.
    private static func judgeAuthority(_ fields: borrowing FieldBlock) throws(StreamError) {
        var host: OctetRange?
        for line in fields.lines where line.name == .host {
            guard host == nil else { throw .authorityInvalid }
            host = line.valueRange
        }
        if let authority = fields.authority {
            let named = fields.pseudoOctets.span
            guard Authority.parse(named, authority.indices) != nil else { throw .authorityInvalid }
            guard let host else { return }
            let other = fields.octets.span.extracting(host.indices)
            guard named.extracting(authority.indices).equalsIgnoringCase(other) else {
                throw .authorityDiffersFromHost
            }
        } else {
            guard let host else { throw .authorityMissing }
            guard Authority.parse(fields.octets.span, host.indices) != nil else {
                throw .authorityInvalid
            }
        }
    }

    /// One Content-Length of digits, as strict as in HTTP/1.1: the message may go on in it.
    private static func contentLength(
        _ fields: borrowing FieldBlock
    ) throws(StreamError) -> Int {
        var length = Stream.contentUnknown
        let octets = fields.octets.span
        for line in fields.lines where line.name == .contentLength {
            let range = line.valueRange.indices
            guard length < 0, let value = octets.decimal(in: range),
                value == 0 ? range.count == 1 : octets[range.lowerBound] != 0x30
            else { throw .contentLengthInvalid }
            length = value
        }
        return length
    }
}

extension Span where Element == UInt8 {
    /// Whether these octets are the method CONNECT.
    var isConnect: Bool { Method.find(in: self, 0..<count) == .connect }
}
