/// The difference between two manifests, as operations over the entries of the first.
///
/// What is kept is a longest increasing subsequence, so moving one entry costs one insertion.
package struct ManifestDelta: Hashable, Sendable {
    /// Digest of the manifest that the operations apply to.
    package let base: Digest
    /// Digest of the manifest that they lead to.
    package let result: Digest
    /// The operations, in order; together they use up every entry of the base.
    package let operations: [Operation]

    /// A step over the entries of the base.
    package enum Operation: Hashable, Sendable {
        /// The next entries are in the result too; at least 1.
        case keep(Int)
        /// The next entries are not; at least 1.
        case drop(Int)
        /// An entry that the base does not have here.
        case insert(ManifestEntry)
    }

    /// What makes a delta unusable.
    package enum Fault: Error, Hashable, Sendable {
        /// It is for another base.
        case otherBase(expected: Digest, found: Digest)
        /// A count is not positive, or runs past the end of the base.
        case countOutOfRange(Int)
        /// The operations end before the base does.
        case baseNotUsedUp(remaining: Int)
        /// The result is no manifest.
        case notAManifest(Manifest.Fault)
        /// The result is not the one that was announced.
        case otherResult(expected: Digest, found: Digest)
    }

    /// Takes what a peer sent; `apply(to:)` checks it.
    package init(base: Digest, result: Digest, operations: [Operation]) {
        (self.base, self.result, self.operations) = (base, result, operations)
    }

    /// Compares two manifests.
    ///
    /// - Complexity: O(n log n) in the number of entries.
    package init(from old: Manifest, to new: Manifest) {
        let (before, after) = (old.entries, new.entries)
        // What is the same at both ends, nearly everything after a small change, is left alone.
        let shorter = min(before.count, after.count)
        var head = 0
        while head < shorter, before[head] == after[head] { head += 1 }
        var tail = 0
        while tail < shorter - head,
            before[before.count - 1 - tail] == after[after.count - 1 - tail]
        {
            tail += 1
        }
        var positions: [ManifestEntry: Int] = [:]
        for index in head..<(before.count - tail) { positions[before[index]] = index }
        // Positions in the base of the result's entries that the base has, in the result's order.
        let middle = after[head..<(after.count - tail)]
        let shared = middle.map { positions[$0] }
        let kept = Self.longestIncreasing(shared)
        var writer = OperationWriter()
        writer.keep(head)
        var next = head
        for (offset, entry) in middle.enumerated() {
            guard let position = shared[offset], kept[offset] else {
                writer.insert(entry)
                continue
            }
            writer.drop(position - next)
            writer.keep(1)
            next = position + 1
        }
        writer.drop(before.count - tail - next)
        writer.keep(tail)
        self.init(base: old.digest, result: new.digest, operations: writer.operations)
    }

    /// Whether the manifests are the same.
    package var isEmpty: Bool { base == result }

    /// The entries that the result has and the base lacks at that place, in order.
    package var insertions: [ManifestEntry] {
        operations.compactMap { operation in
            guard case .insert(let entry) = operation else { return nil }
            return entry
        }
    }

    /// Makes the result from the base.
    ///
    /// - Throws: A `Fault`; the delta may come from a peer, so every count and the result's digest
    ///   are checked.
    package func apply(to manifest: Manifest) throws(Fault) -> Manifest {
        guard manifest.digest == base else {
            throw .otherBase(expected: base, found: manifest.digest)
        }
        let entries = manifest.entries
        var made: [ManifestEntry] = []
        made.reserveCapacity(entries.count)
        var new: [Int] = []
        var next = 0
        for operation in operations {
            switch operation {
            case .keep(let count):
                guard count > 0, count <= entries.count - next else {
                    throw .countOutOfRange(count)
                }
                made.append(contentsOf: entries[next..<(next + count)])
                next += count
            case .drop(let count):
                guard count > 0, count <= entries.count - next else {
                    throw .countOutOfRange(count)
                }
                next += count
            case .insert(let entry):
                new.append(made.count)
                made.append(entry)
            }
        }
        guard next == entries.count else { throw .baseNotUsedUp(remaining: entries.count - next) }
        do {
            try Manifest.check(made, new: new)
        } catch {
            throw .notAManifest(error)
        }
        let outcome = Manifest(checked: made)
        guard outcome.digest == result else {
            throw .otherResult(expected: result, found: outcome.digest)
        }
        return outcome
    }

    /// Marks one longest strictly increasing subsequence among the values that are not `nil`.
    static func longestIncreasing(_ values: [Int?]) -> [Bool] {
        // tails[k] is the index of the smallest value that ends a subsequence of length k + 1.
        var tails: [Int] = []
        var tailValues: [Int] = []
        var previous = [Int](repeating: -1, count: values.count)
        for (index, value) in values.enumerated() {
            guard let value else { continue }
            var low = 0
            var high = tailValues.count
            while low < high {
                let middle = (low + high) / 2
                if tailValues[middle] < value { low = middle + 1 } else { high = middle }
            }
            if low > 0 { previous[index] = tails[low - 1] }
            if low == tails.count {
                tails.append(index)
                tailValues.append(value)
            } else {
                tails[low] = index
                tailValues[low] = value
            }
        }
        var marks = [Bool](repeating: false, count: values.count)
        var index = tails.last ?? -1
        while index >= 0 {
            marks[index] = true
            index = previous[index]
        }
        return marks
    }
}

/// Joins neighbouring operations.
private struct OperationWriter {
    var operations: [ManifestDelta.Operation] = []

    mutating func keep(_ more: Int) {
        if case .keep(let count) = operations.last {
            operations[operations.count - 1] = .keep(count + more)
        } else if more > 0 {
            operations.append(.keep(more))
        }
    }

    mutating func drop(_ count: Int) {
        if count > 0 { operations.append(.drop(count)) }
    }

    mutating func insert(_ entry: ManifestEntry) {
        operations.append(.insert(entry))
    }
}
