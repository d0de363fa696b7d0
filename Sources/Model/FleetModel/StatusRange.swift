/// Status codes of which pages are made: `404`, or `502-504`.
enum StatusRange {
    /// Reads a range; `nil` if it is none.
    static func parse(_ text: String) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let codes = ends.compactMap { Quantity.isDigits($0) ? Int($0) : nil }
        guard codes.count == ends.count, let first = codes.first, let last = codes.last,
            first <= last, (400...599).contains(first), (400...599).contains(last)
        else { return nil }
        return first...last
    }

    /// Checks a range and gives it its one spelling.
    static func text(_ text: String) throws(Complaint) -> String {
        guard let range = parse(text) else {
            throw Complaint(
                "\(quoted(text)) is neither an error's status code, 400 to 599, nor a range such as 502-504"
            )
        }
        let isOne = range.lowerBound == range.upperBound
        return isOne ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }
}
