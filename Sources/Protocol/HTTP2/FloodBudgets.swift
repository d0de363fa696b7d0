/// How much of each `Flood` a peer has left, in eight octets for each.
///
/// Every event moves a mark ahead of the time by the interval that the steady rate allows for it; the
/// mark may be as far ahead as the burst is long.
///
///     now ......... mark ............ now + burst * interval
///         <- used -><- what is left ->
struct FloodBudgets: Sendable {
    private var marks = InlineArray<8, UInt64>(repeating: 0)

    /// Makes full budgets.
    init() {
        precondition(Flood.allCases.count == marks.count, "a budget for each flood")
    }

    /// Takes one from a budget.
    ///
    /// - Parameters:
    ///   - flood: Which budget.
    ///   - now: Monotonic nanoseconds.
    /// - Returns: False when the budget is used up.
    mutating func spend(_ flood: Flood, now: UInt64) -> Bool {
        let interval = Self.nanosecondsInSecond / flood.perSecond
        let mark = max(marks[flood.rawValue], now)
        let (next, overflows) = mark.addingReportingOverflow(interval)
        guard !overflows, next - now <= flood.burst * interval else { return false }
        marks[flood.rawValue] = next
        return true
    }

    /// Gives some back.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - flood: Which budget.
    mutating func give(_ count: UInt64, of flood: Flood) {
        let credit = count * (Self.nanosecondsInSecond / flood.perSecond)
        let mark = marks[flood.rawValue]
        marks[flood.rawValue] = mark > credit ? mark - credit : 0
    }

    private static let nanosecondsInSecond: UInt64 = 1_000_000_000
}
