internal import Bytes
package import FleetModel
package import HTTP1
package import HTTPSemantics

/// A named part of a request that requests are told apart by.
package enum RequestPart: Sendable {
    /// The value of a field, by its name and by what that is known as.
    case field([UInt8], FieldName)
    /// The value of a cookie.
    case cookie([UInt8])
    /// The value of a parameter of the query, as it is written.
    case query([UInt8])

    /// The part that a hash is made of; `nil` where that is no part of the head by itself.
    package init?(_ key: HashKey) {
        switch key {
        case .header(let name):
            let octets = Array(name.utf8)
            self = .field(octets, FieldName.find(octets.span))
        case .cookie(let name): self = .cookie(Array(name.utf8))
        case .query(let name): self = .query(Array(name.utf8))
        case .clientAddress, .path: return nil
        }
    }

    /// Finds it in a request; of several, the first.
    ///
    /// - Parameters:
    ///   - request: The request's head.
    ///   - octets: The message from its start.
    /// - Returns: Where it is in the octets; `nil` where there is none, or nothing in it.
    package func find(_ request: borrowing RequestHead, _ octets: Span<UInt8>) -> Range<Int>? {
        let found: Range<Int>? =
            switch self {
            case .field(let name, let known): Self.field(name, known, request, octets)
            case .cookie(let name): request.cookie(name.span, octets)
            case .query(let name): Self.parameter(name, request, octets)
            }
        return found.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func field(
        _ name: [UInt8],
        _ known: FieldName,
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>
    ) -> Range<Int>? {
        let lines = request.fields.lines
        for index in 0..<lines.count where lines[index].name == known {
            let spelt = octets.extracting(lines[index].nameRange)
            if known != .other || spelt.equalsIgnoringCase(name.span) {
                return lines[index].valueRange
            }
        }
        return nil
    }

    private static func parameter(
        _ name: [UInt8],
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>
    ) -> Range<Int>? {
        guard request.hasQuery else { return nil }
        let query = request.query.indices
        var start = query.lowerBound
        while start < query.upperBound {
            let end = octets.firstIndex(of: UInt8(ascii: "&"), from: start, to: query.upperBound)
            let equals = octets.firstIndex(of: UInt8(ascii: "="), from: start, to: end)
            if QueryText.equals(octets.extracting(start..<equals), name.span) {
                return min(equals + 1, end)..<end
            }
            start = end + 1
        }
        return nil
    }
}
