/// Draws indexes at random by weight, each in constant time: Walker's alias method, built as Vose has it.
///
/// Made once for a roster and shared by the workers.
package struct AliasTable: Sendable {
    private struct Column {
        /// Below it, of 2^32, the column's own index is drawn.
        var threshold: UInt64
        var alias: Int
    }

    private let columns: [Column]

    /// Makes a table.
    ///
    /// - Parameter weights: One for each index; one that is not above 0 is never drawn.
    /// - Complexity: O(n).
    package init(weights: [Int]) {
        let sum = weights.reduce(0.0) { $0 + Double(max($1, 0)) }
        guard sum > 0 else {
            columns = []
            return
        }
        let heaviest = weights.indices.max { weights[$0] < weights[$1] } ?? 0
        var shares = weights.map { Double(max($0, 0)) / sum * Double(weights.count) }
        var columns = shares.map { _ in Column(threshold: 1 << 32, alias: heaviest) }
        var small = shares.indices.filter { shares[$0] < 1 }
        var large = shares.indices.filter { shares[$0] >= 1 }
        while let poor = small.popLast() {
            guard let rich = large.last else {
                // Rounding has left it without a partner: it is 1 but for that, or 0.
                if weights[poor] <= 0 { columns[poor] = Column(threshold: 0, alias: heaviest) }
                continue
            }
            columns[poor] = Column(threshold: UInt64(shares[poor] * 0x1p32), alias: rich)
            shares[rich] -= 1 - shares[poor]
            if shares[rich] < 1 {
                large.removeLast()
                small.append(rich)
            }
        }
        self.columns = columns
    }

    /// Whether nothing can be drawn.
    package var isEmpty: Bool { columns.isEmpty }

    /// Draws an index; `nil` when none has a weight.
    func draw(using random: inout RandomSource) -> Int? {
        guard !columns.isEmpty else { return nil }
        let number = random.next()
        // The product does not pass 2^64: both factors are below 2^32.
        let index = Int(truncatingIfNeeded: ((number >> 32) &* UInt64(columns.count)) >> 32)
        let column = columns[index]
        return number & 0xFFFF_FFFF < column.threshold ? index : column.alias
    }
}
