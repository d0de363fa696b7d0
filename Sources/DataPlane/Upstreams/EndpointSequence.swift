/// The order in which round robin gives requests to endpoints, by weight and evenly spread.
///
/// Smooth weighted round robin: each step every endpoint gains its weight, the richest one is chosen
/// and pays the sum. One turn of it is worked out when the roster is made, so that a choice costs one
/// index, whatever the number of endpoints. Weights whose turn is long take turns by deadline, which is
/// as exact and costs a step through a heap.
public struct EndpointSequence: Sendable {
    @usableFromInline let order: [UInt16]
    @usableFromInline var next: Int
    /// In place of an order that is too long.
    private var turn: DeadlineTurn?

    /// Steps of a turn that is worked out at most; longer turns go by deadline.
    public static let stepsMax = 4096
    /// Steps times endpoints at most, which is what working a turn out takes.
    static let workMax = 1 << 18

    /// Works a turn out.
    ///
    /// - Parameters:
    ///   - weights: One for each endpoint; 0 takes an endpoint out of the turn.
    ///   - offset: Where to begin, so that workers do not all begin with the same endpoint.
    public init(weights: [Int], startingAt offset: Int = 0) {
        var random = RandomSource(seed: UInt64(truncatingIfNeeded: offset))
        let positive = weights.map { max($0, 0) }
        let divisor = positive.reduce(0, greatestCommonDivisor)
        let scaled = divisor > 1 ? positive.map { $0 / divisor } : positive
        let (sum, isHuge) = scaled.reduce((0, false)) { sum, weight in
            let (next, overflows) = sum.0.addingReportingOverflow(weight)
            return (next, sum.1 || overflows)
        }
        if !isHuge, weights.count <= UInt16.max, scaled.allSatisfy({ $0 <= 1 }) {
            order = scaled.indices.filter { scaled[$0] == 1 }.map { UInt16(clamping: $0) }
        } else if !isHuge, sum <= Self.stepsMax, sum <= Self.workMax / scaled.count {
            order = Self.smoothOrder(scaled, sum: sum)
        } else {
            order = []
            turn = DeadlineTurn(weights: scaled, random: &random)
        }
        next = order.isEmpty ? 0 : Int(offset.magnitude % UInt(order.count))
    }

    /// Takes a turn that was worked out, and goes on where another one is.
    ///
    /// - Parameters:
    ///   - made: The turn.
    ///   - weights: Of which it was made.
    ///   - other: A turn of the same worker. The new one begins at the same part of the turn, so that changes of the
    ///     endpoints, however often, do not favour the first.
    ///   - seed: Makes the turn differ from other workers'.
    public init(_ made: EndpointSequence, weights: [Int], after other: EndpointSequence, seed: Int)
    {
        self = made
        if turn != nil {
            var random = RandomSource(seed: UInt64(truncatingIfNeeded: seed))
            turn = DeadlineTurn(weights: weights, random: &random)
        } else if !order.isEmpty {
            next =
                other.order.isEmpty
                ? Int(seed.magnitude % UInt(order.count))
                : min(order.count * other.next / other.order.count, order.count - 1)
        }
    }

    /// Whether no endpoint has a weight.
    public var isEmpty: Bool { order.isEmpty && turn == nil }

    /// Chooses the next endpoint.
    ///
    /// - Returns: Its index, or `nil` when there is none.
    @inlinable
    public mutating func choose() -> Int? {
        guard next < order.count else { return chooseByDeadline() }
        let chosen = Int(order[next])
        next += 1
        if next == order.count { next = 0 }
        return chosen
    }

    @usableFromInline
    mutating func chooseByDeadline() -> Int? {
        turn?.choose()
    }

    private static func smoothOrder(_ weights: [Int], sum: Int) -> [UInt16] {
        var credit = [Int](repeating: 0, count: weights.count)
        var order: [UInt16] = []
        order.reserveCapacity(sum)
        for _ in 0..<sum {
            var richest = 0
            for index in weights.indices {
                credit[index] += weights[index]
                if credit[index] > credit[richest] { richest = index }
            }
            credit[richest] -= sum
            order.append(UInt16(clamping: richest))
        }
        return order
    }
}

private func greatestCommonDivisor(_ first: Int, _ second: Int) -> Int {
    var (larger, smaller) = (first, second)
    while smaller != 0 { (larger, smaller) = (smaller, larger % smaller) }
    return larger
}
