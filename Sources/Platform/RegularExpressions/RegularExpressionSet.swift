internal import CRE2

/// Many patterns, of which one pass over a text finds those that are the whole of it.
///
/// Patterns that begin with different literals cost no more than one. Those of which a text's beginning leaves more than
/// 32 possible are divided, and each part takes a pass of its own.
///
/// Any number of threads may use the same object at the same time, and share its caches and their lock then: see
/// ``RegularExpression``.
///
/// Memory: about 20 octets for each instruction, and up to 0.5 to 4 MiB for the states of each part.
// SAFETY: the pointers are set once and freed in deinit only; RE2 guards what matching changes with a lock of its own.
@safe package final class RegularExpressionSet: @unchecked Sendable {
    private let expressions: [RegularExpression]
    private let parts: [Part]

    /// Patterns that are looked for in one pass.
    // SAFETY: the pointer is the set's that holds this part, and goes no further.
    @safe private struct Part {
        let set: OpaquePointer
        /// Index of each in `expressions`, in ascending order.
        let members: [Int]
    }

    /// Makes a set of patterns, which it keeps.
    ///
    /// - Throws: `memoryExhausted` alone.
    /// - Complexity: 10 to 20 µs for each pattern.
    package convenience init(_ expressions: [RegularExpression]) throws(RegularExpressionError) {
        try self.init(expressions) { instructions in
            Limits.partMemoryBytesMin + instructions * Limits.partMemoryBytesPerInstruction
        }
    }

    /// Makes a set whose parts have so much room for so many instructions.
    init(
        _ expressions: [RegularExpression],
        partMemoryBytes: (Int) -> Int
    ) throws(RegularExpressionError) {
        self.expressions = expressions
        var plan = RegularExpressionPlan()
        for (index, prefix) in expressions.map(\.prefix).enumerated() {
            plan.append(index, prefix: prefix, instructions: expressions[index].instructionCount)
        }
        var parts: [Part] = []
        var waiting = plan.parts()
        // SAFETY: each set is compiled once, and is freed here or in deinit.
        while let members = waiting.popLast() {
            let wanted = members.map { expressions[$0] }
            let instructions = wanted.reduce(0) { $0 + $1.instructionCount }
            if let set = unsafe Self.compile(wanted, memoryBytes: partMemoryBytes(instructions)) {
                unsafe parts.append(Part(set: set, members: members))
            } else if members.count > 1 {
                // RE2 wanted more room for states than was reckoned.
                let half = members.count / 2
                waiting.append(Array(members[..<half]))
                waiting.append(Array(members[half...]))
            } else {
                for part in parts { unsafe weir_re2_set_free(part.set) }
                throw .memoryExhausted
            }
        }
        self.parts = parts
    }

    deinit {
        // SAFETY: the sets are ours and nothing uses them after deinit.
        for part in parts { unsafe weir_re2_set_free(part.set) }
    }

    /// Passes over a text that a look takes.
    package var partCount: Int { parts.count }

    /// Appends the indices of the patterns that are the whole of a text, in ascending order.
    ///
    /// - Parameters:
    ///   - text: Up to 96 KiB.
    ///   - indices: Gets those of the array that the set was made of. What it held stays in front.
    /// - Throws: That nothing is known of the text; `indices` is as it was.
    /// - Complexity: O(`text.count`) for each part. Where RE2 has no room for a part's states, its patterns are tried
    ///   one by one.
    package func appendMatches(
        whole text: Span<UInt8>,
        to indices: inout [Int]
    ) throws(MatchError) {
        guard text.count <= Limits.textBytesMax else { throw .textTooLong }
        let before = indices.count
        for part in parts where !append(part, text, to: &indices) {
            do throws(MatchError) {
                for index in part.members where try expressions[index].matchesWhole(text) {
                    indices.append(index)
                }
            } catch {
                indices.removeLast(indices.count - before)
                throw error
            }
        }
        if indices.count - before > 1 { indices[before...].sort() }
    }

    // MARK: Leaves

    /// Looks for one part's patterns.
    ///
    /// - Returns: Whether RE2 could tell; else nothing is appended.
    private func append(_ part: Part, _ text: Span<UInt8>, to indices: inout [Int]) -> Bool {
        // SAFETY: RE2 reads the octets of the text during the call; the shim writes at most `capacity` numbers and says
        // how many, and each is the number of a pattern of the part, which is checked.
        unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: part.members.count) {
            numbers in
            var count = 0
            let status = unsafe text.withUnsafeBufferPointer { buffer in
                unsafe weir_re2_set_match(
                    part.set,
                    buffer.baseAddress,
                    buffer.count,
                    numbers.baseAddress,
                    numbers.count,
                    &count
                )
            }
            for place in 0..<count {
                indices.append(part.members[unsafe Int(numbers[place])])
            }
            return Int(status) != WEIR_RE2_EXHAUSTED
        }
    }

    // SAFETY: the new set is the caller's; the shim copies the patterns.
    @unsafe private static func compile(
        _ expressions: [RegularExpression],
        memoryBytes: Int
    ) -> OpaquePointer? {
        guard let set = unsafe weir_re2_set_new(Int64(memoryBytes)) else { return nil }
        for expression in expressions {
            guard unsafe weir_re2_set_add(set, expression.pointer) == 1 else {
                unsafe weir_re2_set_free(set)
                return nil
            }
        }
        guard unsafe weir_re2_set_compile(set) == 1 else {
            unsafe weir_re2_set_free(set)
            return nil
        }
        return unsafe set
    }
}
