internal import Bytes
package import FleetModel
package import HTTP1
package import HTTPSemantics

/// Divides a route's requests between upstreams by weight, and keeps clients on their side.
///
/// What tells clients apart is hashed, the same way on every node and in every version, to a place between 0 and 1:
///
///     0 |------ products, 95 ------------------------------------------|-- products-next, 5 --| 1
///
/// A change of weights moves only the clients between the old mark and the new one.
package struct Split: Sendable {
    /// The upper ends of the sides but the last, as fractions of 2^64.
    private let marks: [UInt64]
    /// Whose sides they are; sides of weight 0 are left out.
    private let sides: [Int]
    private let cohort: CohortSource

    private enum CohortSource: Sendable {
        case nobody
        case cookie([UInt8])
        case field([UInt8], FieldName)
        case client
    }

    /// Where a request belongs.
    package enum Side: Equatable, Sendable {
        /// The side with this index belongs to its client.
        case kept(Int)
        /// The client is not known: `side(of:)` of any number chooses.
        case open
        /// The same, and the client is to keep its side by a cookie.
        case openForCookie
    }

    /// Takes a split of the configuration, of which some weight is above 0.
    package init(_ sides: [WeightedUpstream], cohort: Cohort?) {
        var weights = sides.enumerated().filter { $0.element.weight > 0 }
        if weights.isEmpty { weights = Array(sides.enumerated().prefix(1)) }
        self.sides = weights.map(\.offset)
        let sum = UInt64(max(1, weights.reduce(0) { $0 + $1.element.weight }))
        var below: UInt64 = 0
        marks = weights.dropLast().map { side in
            below += UInt64(side.element.weight)
            // below is less than sum, so the quotient fits.
            return sum.dividingFullWidth((below, 0)).quotient
        }
        switch cohort {
        case nil: self.cohort = .nobody
        case .cookie(let name): self.cohort = .cookie(Array(name.utf8))
        case .header(let name):
            let octets = Array(name.utf8)
            self.cohort = .field(octets, FieldName.find(octets.span))
        case .clientAddress: self.cohort = .client
        }
    }

    /// The side of a number that is spread evenly.
    ///
    /// - Parameter number: A random number, or a hash.
    /// - Returns: The index of one of the configuration's sides.
    package func side(of number: UInt64) -> Int {
        var index = 0
        while index < marks.count, number >= marks[index] { index += 1 }
        return sides[index]
    }

    /// The side of a client's mark, such as the value of its cookie.
    package func side(of mark: Span<UInt8>) -> Int {
        var hash = UInt64(mark.count)
        var index = 0
        while index < mark.count {
            let count = min(8, mark.count - index)
            hash = HashIndex.mix(mark.word(at: index, count: count), into: hash)
            index += 8
        }
        return side(of: HashIndex.mix(0x5917, into: hash))
    }

    /// Where a request belongs.
    ///
    /// - Parameters:
    ///   - request: The request's head.
    ///   - octets: The message from its start.
    ///   - client: The client's address.
    /// - Returns: Its side, or that it has none yet.
    package func side(
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        client: ClientAddress
    ) -> Side {
        switch cohort {
        case .nobody: return .open
        case .client:
            let hash = HashIndex.mix(client.low, into: HashIndex.mix(client.high, into: 0x5917))
            return .kept(side(of: HashIndex.mix(0x5917, into: hash)))
        case .field(let name, let known):
            let lines = request.fields.lines
            for index in 0..<lines.count where lines[index].name == known {
                let spelt = octets.extracting(lines[index].nameRange)
                guard known != .other || spelt.equalsIgnoringCase(name.span) else { continue }
                return .kept(side(of: octets.extracting(lines[index].valueRange)))
            }
            return .open
        case .cookie(let name):
            guard let value = request.cookie(name.span, octets), !value.isEmpty else {
                return .openForCookie
            }
            return .kept(side(of: octets.extracting(value)))
        }
    }

    /// Whether requests are told apart by the client's address.
    package var looksAtClient: Bool {
        if case .client = cohort { true } else { false }
    }

    /// The name of the cookie that keeps clients on their side.
    package var cookieName: [UInt8]? {
        if case .cookie(let name) = cohort { name } else { nil }
    }
}
