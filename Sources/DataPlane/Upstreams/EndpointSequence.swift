/// The order in which round robin gives requests to endpoints, by weight and evenly spread.
///
/// Smooth weighted round robin: each step every endpoint gains its weight, the richest one is chosen
/// and pays the sum. One turn of it is worked out when the configuration is compiled, so that a choice
/// costs one index, whatever the number of endpoints.
public struct EndpointSequence: Sendable {
    @usableFromInline let order: [UInt16]
    @usableFromInline var next: Int

    /// Steps of a turn kept at most; weights with a longer turn are scaled down to it.
    public static let stepsMax = 4096

    /// Works a turn out.
    ///
    /// - Parameters:
    ///   - weights: One for each endpoint; 0 takes an endpoint out of the turn.
    ///   - offset: Where to begin, so that workers do not all begin with the same endpoint.
    public init(weights: [Int], startingAt offset: Int = 0) {
        let scaled = Self.scaled(weights)
        let sum = scaled.reduce(0, +)
        var credit = [Int](repeating: 0, count: scaled.count)
        var order: [UInt16] = []
        order.reserveCapacity(sum)
        for _ in 0..<sum {
            var richest = 0
            for index in scaled.indices {
                credit[index] += scaled[index]
                if credit[index] > credit[richest] { richest = index }
            }
            credit[richest] -= sum
            order.append(UInt16(clamping: richest))
        }
        self.order = order
        next = order.isEmpty ? 0 : offset % order.count
    }

    /// Whether no endpoint has a weight.
    public var isEmpty: Bool { order.isEmpty }

    /// Chooses the next endpoint.
    ///
    /// - Returns: Its index, or `nil` when there is none.
    @inlinable
    public mutating func choose() -> Int? {
        guard next < order.count else { return nil }
        let chosen = Int(order[next])
        next += 1
        if next == order.count { next = 0 }
        return chosen
    }

    /// The weights divided by their greatest common divisor, and further until a turn fits.
    private static func scaled(_ weights: [Int]) -> [Int] {
        let positive = weights.map { max($0, 0) }
        let divisor = positive.reduce(0, greatestCommonDivisor)
        guard divisor > 0 else { return positive }
        var scaled = positive.map { $0 / divisor }
        let sum = scaled.reduce(0) { $0.addingReportingOverflow($1).partialValue }
        if sum > stepsMax || sum < 0 {
            let largest = scaled.max() ?? 1
            let room = max(stepsMax / max(scaled.count, 1), 1)
            scaled = scaled.map { weight in
                weight == 0 ? 0 : max(1, Int(Double(weight) / Double(largest) * Double(room)))
            }
        }
        return scaled
    }

    private static func greatestCommonDivisor(_ first: Int, _ second: Int) -> Int {
        var (larger, smaller) = (first, second)
        while smaller != 0 { (larger, smaller) = (smaller, larger % smaller) }
        return larger
    }
}
