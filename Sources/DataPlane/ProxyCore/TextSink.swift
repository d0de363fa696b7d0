internal import Bytes
internal import FleetModel
internal import HTTPSemantics

/// Octets in memory that values of variables are written to so that they stay values where they stand.
///
/// A client chooses some of them: in a page, its path is no markup; in a query, it is no other parameter.
struct TextSink: OctetSink {
    var octets: [UInt8]
    /// The most that it takes.
    let bytesMax: Int
    /// How octets are written that are taken from now on.
    var escaping = Escaping.none

    /// How octets are written.
    enum Escaping {
        /// As they are.
        case none
        /// What means something in HTML and XML as character references.
        case markup
        /// What ends a string of JSON with a backslash.
        case json
        /// All but unreserved characters percent-encoded (RFC 3986 §2.3).
        case percent
    }

    init(_ octets: [UInt8] = [], bytesMax: Int) {
        (self.octets, self.bytesMax) = (octets, bytesMax)
    }

    mutating func take(_ piece: Span<UInt8>) -> Bool {
        guard piece.count <= bytesMax - octets.count else { return false }
        switch escaping {
        case .none: octets.append(copying: piece)
        case .markup: for index in piece.indices { take(markup: piece[index]) }
        case .json: for index in piece.indices { take(json: piece[index]) }
        case .percent: for index in piece.indices { take(percent: piece[index]) }
        }
        return octets.count <= bytesMax
    }

    mutating func take(_ text: StaticString) -> Bool {
        take(Array(text.description.utf8))
    }

    mutating func take(decimal number: UInt64) -> Bool {
        take(Array(String(number).utf8))
    }

    private mutating func take(markup octet: UInt8) {
        switch octet {
        case UInt8(ascii: "&"): octets += Array("&amp;".utf8)
        case UInt8(ascii: "<"): octets += Array("&lt;".utf8)
        case UInt8(ascii: ">"): octets += Array("&gt;".utf8)
        case UInt8(ascii: "\""): octets += Array("&quot;".utf8)
        case UInt8(ascii: "'"): octets += Array("&#39;".utf8)
        default: octets.append(octet)
        }
    }

    private mutating func take(json octet: UInt8) {
        if octet == UInt8(ascii: "\"") || octet == UInt8(ascii: "\\") {
            octets.append(UInt8(ascii: "\\"))
        }
        octets.append(octet)
    }

    private mutating func take(percent octet: UInt8) {
        if OctetSet.unreserved.contains(octet) { return octets.append(octet) }
        octets.append(UInt8(ascii: "%"))
        octets.append(hexadecimalUpper(octet >> 4))
        octets.append(hexadecimalUpper(octet))
    }
}

extension TextSink.Escaping {
    /// What a media type asks for.
    init(contentType: String) {
        let type = contentType.lowercased().prefix { $0 != ";" && $0 != " " }
        if type.hasSuffix("/html") || type.hasSuffix("xml") {
            self = .markup
        } else if type.hasSuffix("json") {
            self = .json
        } else {
            self = .none
        }
    }
}

extension Exchange {
    /// Writes a text whose values are escaped, and whose literals are as they are.
    ///
    /// - Parameters:
    ///   - template: A text of the route, whose `needs` were kept.
    ///   - escaping: What becomes of values.
    ///   - sink: Where it goes, behind what is there.
    /// - Returns: `false` when it does not fit, and then a part of it may be there.
    func expand(
        _ template: CompiledTemplate,
        escaping: TextSink.Escaping,
        to sink: inout TextSink
    ) -> Bool {
        for piece in template.pieces {
            if case .literal = piece { sink.escaping = .none } else { sink.escaping = escaping }
            guard expand(piece, to: &sink) else { return false }
        }
        return true
    }
}
