internal import CRE2

/// A pattern of octets, matched in linear time (RE2).
///
/// The syntax is RE2's: Perl's without lookaround and back-references; groups are named `(?P<name>…)`. Patterns are
/// ASCII, and texts are octets: `.` is any one of them, a line feed too, and `\xE9` is the octet 233.
///
/// Any number of threads may match with the same object at the same time. They share its cache of states then, which
/// RE2 guards with a lock that every match takes to read: threads that match with each request have one object each.
///
/// Memory: about 1 KiB and 50 octets for each octet of the pattern, and up to 1 MiB for the states that texts lead to.
// SAFETY: the pointer is set once and freed in deinit only; what it points to may be used by several threads at a time,
// as RE2 says of const member functions, and the shim calls no others.
@safe package final class RegularExpression: @unchecked Sendable {
    /// The pattern as it was given.
    package let pattern: String
    /// Groups that capture, the whole match not included.
    package let groupCount: Int
    /// Numbers of the groups that have names.
    package let groupNames: [String: Int]
    let pointer: OpaquePointer

    /// Compiles a pattern.
    ///
    /// - Parameter pattern: ASCII, up to 1,024 octets.
    /// - Throws: Why it was refused, in words for its author.
    /// - Complexity: 20 µs for a route's pattern, 1 ms for the largest.
    package init(pattern: String) throws(RegularExpressionError) {
        self.pattern = pattern
        let octets = Array(pattern.utf8)
        guard octets.count <= Limits.patternBytesMax else { throw .patternTooLong }
        if let character = pattern.first(where: { !$0.isASCII }) {
            throw .characterBeyondASCII(character)
        }
        // SAFETY: RE2 copies the pattern; the new object is ours, and is freed here if it is refused.
        let made = unsafe octets.withUnsafeBufferPointer { buffer in
            let memory = Int64(Limits.patternMemoryBytesMax)
            return unsafe weir_re2_new(buffer.baseAddress, buffer.count, memory)
        }
        guard let made = unsafe made else { throw .memoryExhausted }
        if let refusal = unsafe Self.refusal(made) {
            unsafe weir_re2_free(made)
            throw refusal
        }
        let names: [String: Int]
        do throws(RegularExpressionError) {
            names = try unsafe Self.names(made)
        } catch {
            unsafe weir_re2_free(made)
            throw error
        }
        unsafe pointer = made
        groupCount = unsafe Int(weir_re2_group_count(made))
        groupNames = names
    }

    deinit {
        // SAFETY: the object is ours and nothing uses it after deinit.
        unsafe weir_re2_free(pointer)
    }

    /// Instructions of the compiled program: what an octet of a text may cost at worst.
    var instructionCount: Int {
        // SAFETY: the object lives as long as this one.
        unsafe Int(weir_re2_program_size(pointer))
    }

    /// Octets that every text begins with of which this is the whole; up to 64.
    package var prefix: [UInt8] {
        var octets = [UInt8](repeating: 0, count: Limits.prefixBytesMax)
        // SAFETY: at most `count` octets are written, and no pointer is kept.
        let count = unsafe octets.withUnsafeMutableBufferPointer { buffer in
            guard let address = buffer.baseAddress else { return 0 }
            return unsafe weir_re2_prefix(pointer, address, buffer.count)
        }
        return Array(octets.prefix(count))
    }

    // MARK: Matching

    /// Whether the whole of a text is what the pattern says.
    ///
    /// - Parameter text: Up to 96 KiB.
    /// - Returns: Whether it is.
    /// - Throws: That nothing is known of the text; never taken for a text that does not match.
    /// - Complexity: O(`text.count`), 1 to 2 ns an octet; allocates only while the text leads to new states.
    package func matchesWhole(_ text: Span<UInt8>) throws(MatchError) -> Bool {
        // SAFETY: no offsets are asked for.
        try Self.isMatch(unsafe search(text, 0, true, nil, 0), text)
    }

    /// Whether the whole of a text is what the pattern says, and where its groups are.
    ///
    /// - Parameters:
    ///   - text: Up to 96 KiB.
    ///   - captures: Gets all groups; empty if there is no match.
    /// - Returns: Whether it is.
    /// - Throws: That nothing is known of the text.
    /// - Complexity: O(`text.count`); slower than ``matchesWhole(_:)``, by far for some patterns.
    package func captures(
        whole text: Span<UInt8>,
        into captures: inout Captures
    ) throws(MatchError) -> Bool {
        try match(text, from: 0, isWhole: true, into: &captures)
    }

    /// The first match in a text, and where its groups are.
    ///
    /// - Parameters:
    ///   - text: Up to 96 KiB. `^` and `\b` look at all of it.
    ///   - start: Where the match may begin at the earliest, up to the number of octets.
    ///   - captures: Gets all groups, as indices of `text`; empty if there is no match.
    /// - Returns: Whether there is one.
    /// - Throws: That nothing is known of the text.
    /// - Complexity: O(`text.count - start`).
    package func firstMatch(
        in text: Span<UInt8>,
        from start: Int = 0,
        into captures: inout Captures
    ) throws(MatchError) -> Bool {
        try match(text, from: start, isWhole: false, into: &captures)
    }

    // MARK: Leaves

    private func match(
        _ text: Span<UInt8>,
        from start: Int,
        isWhole: Bool,
        into captures: inout Captures
    ) throws(MatchError) -> Bool {
        captures.prepare(groupCount: groupCount)
        var offsets = captures.offsets.mutableSpan
        // SAFETY: there are two offsets for the match and for each group, and the pointer is lent for the call.
        let status = unsafe offsets.withUnsafeMutableBufferPointer { buffer in
            unsafe search(text, start, isWhole, buffer.baseAddress, groupCount + 1)
        }
        captures.isFound = try Self.isMatch(status, text)
        return captures.isFound
    }

    private func search(
        _ text: Span<UInt8>,
        _ start: Int,
        _ isWhole: Bool,
        _ offsets: UnsafeMutablePointer<Int32>?,
        _ count: Int
    ) -> Int {
        guard text.count <= Limits.textBytesMax, start >= 0, start <= text.count else {
            return WEIR_RE2_EXHAUSTED
        }
        // SAFETY: RE2 reads the octets of the text during the call, and writes two offsets for each of `count`, which
        // the callers have.
        return unsafe text.withUnsafeBufferPointer { buffer in
            let whole: Int32 = isWhole ? 1 : 0
            let status = unsafe weir_re2_match(
                pointer,
                buffer.baseAddress,
                buffer.count,
                start,
                whole,
                offsets,
                count
            )
            return Int(status)
        }
    }

    private static func isMatch(_ status: Int, _ text: Span<UInt8>) throws(MatchError) -> Bool {
        if status == WEIR_RE2_MATCH { return true }
        if status == WEIR_RE2_NO_MATCH { return false }
        throw text.count > Limits.textBytesMax ? .textTooLong : .memoryExhausted
    }

    /// Why a compiled pattern is not to be used; `nil` if it is.
    // SAFETY: the texts live as long as the object, which the caller holds, and are copied.
    @unsafe private static func refusal(_ made: OpaquePointer) -> RegularExpressionError? {
        var length = 0
        let octets = unsafe weir_re2_error_part(made, &length)
        let bytes = unsafe UnsafeRawBufferPointer(start: octets, count: length)
        let part = unsafe String(decoding: bytes, as: UTF8.self)
        switch unsafe Int(weir_re2_error(made)) {
        case WEIR_RE2_COMPILED: break
        case WEIR_RE2_TOO_LARGE: return .programTooLarge
        case WEIR_RE2_BAD_REPETITION: return .repetitionInvalid(part: part)
        case WEIR_RE2_PERL_SYNTAX, WEIR_RE2_BAD_ESCAPE:
            return .syntaxUnsupported(part: part)
        default:
            // RE2's message ends with the part.
            let text = unsafe weir_re2_error_message(made).map { unsafe String(cString: $0) } ?? ""
            let suffix = ": \(part)"
            let message = text.hasSuffix(suffix) ? String(text.dropLast(suffix.count)) : text
            return .malformed(message: message, part: part)
        }
        guard unsafe Int(weir_re2_program_size(made)) <= Limits.patternInstructionsMax else {
            return .programTooLarge
        }
        guard unsafe Int(weir_re2_group_count(made)) <= Limits.patternGroupsMax else {
            return .groupsTooMany
        }
        return nil
    }

    /// Numbers of the groups that have names.
    // SAFETY: each text ends with NUL and lives as long as the object, which the caller holds; it is copied.
    @unsafe private static func names(
        _ made: OpaquePointer
    ) throws(RegularExpressionError) -> [String: Int] {
        var names: [String: Int] = [:]
        let count = unsafe weir_re2_group_count(made)
        for group in 0..<count {
            guard let text = unsafe weir_re2_group_name(made, group + 1) else { continue }
            let name = unsafe String(cString: text)
            guard name.first?.isNumber != true else { throw .groupNameInvalid(name) }
            guard names.updateValue(Int(group) + 1, forKey: name) == nil else {
                throw .groupNameRepeated(name)
            }
        }
        return names
    }
}
