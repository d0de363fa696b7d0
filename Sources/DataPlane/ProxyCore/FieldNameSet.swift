internal import Bytes
internal import FleetModel
internal import HTTPSemantics

/// What most names are seen by at one look not to be in a set; it holds no reference to be counted for each line.
struct FieldNameFilter {
    /// The first letters of all names, their third ones, as most begin with `x-`, and the lengths of those that are whole,
    /// a bit each; beginnings have any length.
    private var firstLetters: UInt32 = 0
    private var thirdLetters: UInt32 = 0
    private var lengths: UInt64 = 0

    /// Takes a name in.
    ///
    /// - Parameters:
    ///   - name: The name, or its beginning.
    ///   - isPrefix: Whether it is a beginning.
    ///   - isLetter: Whether no other octet stands for this one of the name.
    mutating func insert(_ name: [UInt8], isPrefix: Bool, isLetter: (UInt8) -> Bool) {
        firstLetters |= name.first.map { isLetter($0) ? Self.bit($0) : .max } ?? .max
        thirdLetters |= name.count > 2 && isLetter(name[2]) ? Self.bit(name[2]) : .max
        lengths |= isPrefix ? .max : Self.bit(length: name.count)
    }

    private static func bit(_ octet: UInt8) -> UInt32 { 1 << UInt32((octet | 0x20) & 31) }

    private static func bit(length: Int) -> UInt64 { 1 << UInt64(min(length, 63)) }

    /// Whether the set is empty.
    var isEmpty: Bool { firstLetters == 0 }

    /// Whether a name may be in the set.
    @inline(__always)
    func mayHold(_ octets: Span<UInt8>, _ name: Range<Int>) -> Bool {
        guard !name.isEmpty, firstLetters & Self.bit(octets[name.lowerBound]) != 0,
            lengths & Self.bit(length: name.count) != 0
        else { return false }
        return name.count < 3 || thirdLetters & Self.bit(octets[name.lowerBound + 2]) != 0
    }
}

/// Names of fields, or beginnings of names.
final class FieldNameSet {
    /// Where a name lies in `text`: no reference to count for each that is looked at.
    private struct Pattern {
        let start: Int
        let count: Int
        let isPrefix: Bool
    }

    private let text: [UInt8]
    private let patterns: [Pattern]
    let filter: FieldNameFilter
    /// Whether `-`, `_` and all other signs are one: back ends that read fields as CGI does (RFC 3875 §4.1.18) see no
    /// difference.
    private let foldsSigns: Bool

    init(_ names: [NamePattern], foldsSigns: Bool = false) {
        self.foldsSigns = foldsSigns
        var text: [UInt8] = []
        var patterns: [Pattern] = []
        var filter = FieldNameFilter()
        for name in names {
            let octets = Array(name.name.utf8)
            patterns.append(
                Pattern(start: text.count, count: octets.count, isPrefix: name.isPrefix)
            )
            text += octets
            filter.insert(octets, isPrefix: name.isPrefix) { octet in
                !(foldsSigns && Self.isFolded(octet))
            }
        }
        (self.text, self.patterns, self.filter) = (text, patterns, filter)
    }

    private static func isFolded(_ octet: UInt8) -> Bool {
        octet == UInt8(ascii: "-") || !OctetSet.plainName.contains(octet)
    }

    /// Whether a field's name is one of them.
    @inline(__always)
    func contains(_ octets: Span<UInt8>, _ name: Range<Int>) -> Bool {
        filter.mayHold(octets, name) && matches(octets, name)
    }

    private func matches(_ octets: Span<UInt8>, _ name: Range<Int>) -> Bool {
        let names = text
        let text = names.span
        var index = 0
        while index < patterns.count {
            let pattern = patterns[index]
            index += 1
            let isLongEnough =
                pattern.isPrefix ? name.count >= pattern.count : name.count == pattern.count
            guard isLongEnough else { continue }
            let front = octets.extracting(name.lowerBound..<name.lowerBound + pattern.count)
            let wanted = text.extracting(pattern.start..<pattern.start + pattern.count)
            if front.equalsIgnoringCase(wanted) { return true }
            if foldsSigns, Self.equalsFolding(front, wanted) { return true }
        }
        return false
    }

    private static func equalsFolding(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        for index in left.indices {
            let (one, other) = (asciiLowercased(left[index]), asciiLowercased(right[index]))
            guard one == other || isFolded(one) && isFolded(other) else { return false }
        }
        return true
    }
}
