public import Structures

/// The numbers of named things, such as routes, on one worker: a row for each, in the order of their names.
///
/// The rows lie side by side and not in objects: with ten thousand routes a request finds its row in no cache, and it
/// is one line of memory that is fetched.
public final class MetricsRows: Sendable {
    /// What the rows are called.
    @usableFromInline let names: [String]
    @usableFromInline let cells: CounterCells

    /// So many numbers belong to a row: a power of two, so that none lies in two lines.
    @usableFromInline static let width = 4

    init(names: [String]) {
        self.names = names
        cells = CounterCells(count: names.count * Self.width)
    }

    /// Counts one exchange.
    ///
    /// Only the worker that the rows were made for may call it.
    ///
    /// - Parameters:
    ///   - row: The index of its name; others are not counted.
    ///   - nanoseconds: What it took.
    ///   - failed: Whether it ended with a 5xx status or without a response.
    @inlinable
    public func record(_ row: Int, nanoseconds: UInt64, failed: Bool) {
        guard row >= 0, row < names.count else { return }
        let start = row * Self.width
        cells.add(start + LabelledFamily.Column.requests.rawValue)
        cells.add(start + LabelledFamily.Column.nanoseconds.rawValue, nanoseconds)
        if failed { cells.add(start + LabelledFamily.Column.errors.rawValue) }
    }

    /// Has a row fetched into the processor's cache, for it is to be written soon.
    ///
    /// - Parameter row: Its index.
    public func prefetch(_ row: Int) {
        cells.prefetch(row * Self.width)
    }

    /// The numbers of a row, by column; any thread may read them.
    func values(of row: Int) -> [UInt64] {
        LabelledFamily.Column.allCases.map { cells[row * Self.width + $0.rawValue] }
    }
}

/// The rows of one worker's named things of a kind, over the versions of the configuration.
///
/// A worker goes on writing to the rows of a version while exchanges that began with it last, so that each version
/// has its own, unless the names are the same. What the numbers of a name are is the sum over all of them.
struct MetricsRowsHistory {
    /// Those of the newest version.
    private var current = MetricsRows(names: [])
    /// What belongs to a current row besides its own numbers, from rows that nobody writes any more.
    private var settled: [[UInt64]] = []
    /// Those of versions before, while they may be written.
    private var earlier: [Earlier] = []

    private struct Earlier {
        var rows: MetricsRows
        /// For each of its rows the current one with its name; -1 for none.
        var successors: [Int]
    }

    /// Gives the rows of a version's names.
    mutating func rows(_ names: [String]) -> MetricsRows {
        if names == current.names { return current }
        settle()
        var indices: [String: Int] = Dictionary(minimumCapacity: names.count)
        for (index, name) in names.enumerated() { indices[name] = index }
        let successors = current.names.map { indices[$0] ?? -1 }
        for index in earlier.indices {
            earlier[index].successors = earlier[index].successors.map {
                $0 < 0 ? -1 : successors[$0]
            }
        }
        let before = settled
        settled = Self.zeros(names.count)
        for (old, new) in successors.enumerated() where new >= 0 { settled[new] = before[old] }
        earlier.append(Earlier(rows: current, successors: successors))
        current = MetricsRows(names: names)
        return current
    }

    /// Adds all numbers to a snapshot.
    mutating func read(into snapshot: inout MetricsSnapshot, _ subject: LabelledFamily.Subject) {
        settle()
        var sums = settled
        for before in earlier { Self.add(before, to: &sums) }
        for (row, name) in current.names.enumerated() {
            let values = zip(sums[row], current.values(of: row)).map { $0 &+ $1 }
            snapshot.add(values, to: name, of: subject)
        }
    }

    /// Takes over the numbers of rows that nobody else holds: they stay as they are.
    private mutating func settle() {
        var index = 0
        while index < earlier.count {
            guard isKnownUniquelyReferenced(&earlier[index].rows) else {
                index += 1
                continue
            }
            Self.add(earlier.remove(at: index), to: &settled)
        }
    }

    private static func add(_ earlier: Earlier, to sums: inout [[UInt64]]) {
        for (old, new) in earlier.successors.enumerated() where new >= 0 {
            // Counters may wrap.
            sums[new] = zip(sums[new], earlier.rows.values(of: old)).map { $0 &+ $1 }
        }
    }

    private static func zeros(_ count: Int) -> [[UInt64]] {
        let row = [UInt64](repeating: 0, count: LabelledFamily.Column.allCases.count)
        return Array(repeating: row, count: count)
    }
}
