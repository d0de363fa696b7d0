/// Bounds of patterns, and of what they are matched with.
///
/// A match takes time in proportion to the text and, at worst, to the instructions of the pattern.
enum Limits {
    /// Octets of a pattern.
    ///
    /// A route's has some 50.
    static let patternBytesMax = 1_024
    /// Instructions that a pattern is compiled to; a pattern beyond is refused.
    ///
    /// A character or class is one, and a repetition so many of what it repeats. At worst, an octet of a text takes
    /// 2 ns for each: a pattern of 2,000 that no automaton fits, and a path of 16 KiB, take 70 ms.
    static let patternInstructionsMax = 2_000
    /// Groups of a pattern that capture; `(?:…)` does not.
    static let patternGroupsMax = 32
    /// Octets for a pattern's program and the states that matching finds; with more states, RE2 begins anew.
    static let patternMemoryBytesMax = 1_024 * 1_024
    /// Octets of a text that is matched: of the longest request target or field line that a listener may be set to take.
    static let textBytesMax = 96 * 1_024
    /// Octets of a substitution's template.
    static let substitutionBytesMax = 1_024
    /// Matches that are replaced in one text; a text with more is refused.
    ///
    /// Each is looked for through the rest of the text.
    static let replacementsMax = 100
    /// Instructions of patterns that are looked for at once; there are more parts beyond.
    static let partInstructionsMax = 16_384
    /// Patterns in one part that a text's beginning may leave possible.
    ///
    /// States stand for sets of patterns that are still possible, and a text made for it finds a new one with each octet:
    /// for 1,000 patterns that begin with `.*`, one of 16 KiB takes 45 ms in parts of 32, and 0.75 s in one.
    static let partOverlapMax = 32
    /// Octets of the literal beginning of a pattern by which patterns are told apart.
    static let prefixBytesMax = 64
    /// Octets for the states of one part.
    static let partMemoryBytesMin = 512 * 1_024
    /// Octets for the states of one part, more for each instruction: a state takes up to four for each, and RE2 wants
    /// room for 20.
    static let partMemoryBytesPerInstruction = 192
}
