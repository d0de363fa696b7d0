import Bytes
import HTTPSemantics

/// Reads field lines up to the empty line (RFC 9112 §5), for requests, responses and trailers alike.
///
///     lineStart --tchar--> name --":"--> value --CRLF--> lineStart
///     lineStart --CRLF--> end
///
/// It keeps its place between calls, so that octets that were looked at are not looked at again, and it
/// settles what the framing fields say as their lines end. Octets are addressed from the start of the
/// message; each call is given all of them from there, and they may have moved in memory.
package struct FieldSection: ~Copyable {
    /// The field lines, in order.
    package private(set) var lines = FieldLines()
    /// What the lines say about framing and the connection.
    package private(set) var facts = Facts()

    private var place = Place(at: 0)
    private var sectionStart = 0
    private let role: Role

    /// Which message the fields belong to: their rules differ.
    package enum Role: UInt8, Sendable {
        /// A request.
        case request
        /// A response.
        case response
        /// The trailer section of either.
        case trailer
    }

    private enum Phase: UInt8 {
        case lineStart, name, value
    }

    /// Where reading stands: kept in registers while it runs, stored when octets are missing.
    private struct Place {
        var phase = Phase.lineStart
        var name = FieldName.other
        /// The next octet to look at.
        var cursor: Int
        var lineStart: Int
        var nameEnd = 0
        var colonAt = 0
        /// Whether an unknown name has signs that some readers take for a hyphen.
        var hasOddSigns = false

        init(at start: Int) {
            cursor = start
            lineStart = start
        }
    }

    /// Makes an empty section.
    ///
    /// - Parameter role: Which message the fields belong to.
    package init(role: Role) {
        self.role = role
    }

    /// Forgets the lines of the last message.
    ///
    /// - Parameter start: Index of the section's first octet.
    package mutating func begin(at start: Int) {
        if lines.storage.count > HTTP1Limits.fieldLinesKept { lines.storage = [] }
        lines.count = 0
        facts = Facts()
        sectionStart = start
        place = Place(at: start)
    }

    /// Gives back the memory of the lines, for a connection that rests.
    package mutating func releaseStorage() {
        lines = FieldLines()
    }

    /// Reads on.
    ///
    /// - Parameters:
    ///   - octets: The message from its start.
    ///   - limits: Bounds of the section.
    /// - Returns: The index after the empty line, or `nil` while it has not arrived.
    /// - Throws: The first violation; `begin` before another use.
    /// - Complexity: O(octets not seen before); allocates only when there are more lines than ever.
    package mutating func decode(
        _ octets: Span<UInt8>,
        limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Int? {
        while true {
            if let end = try scan(octets, lineCountMax: limits.fieldLinesMax) {
                try checkSize(end, limits)
                try markNominated(octets)
                return end
            }
            let isFull = lines.count == lines.storage.count && place.phase == .lineStart
            guard isFull, place.cursor + 1 < octets.count else {
                try checkSize(octets.count, limits)
                return nil
            }
            lines.grow()
        }
    }

    // MARK: Leaves

    private func checkSize(
        _ end: Int,
        _ limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) {
        if end - sectionStart > limits.fieldSectionBytesMax { throw .fieldSectionTooLarge }
    }

    /// Reads lines into the table until the section ends, octets are missing or the table is full.
    ///
    /// - Parameters:
    ///   - octets: The message.
    ///   - lineCountMax: Most lines.
    /// - Returns: The index after the empty line, or `nil`.
    /// - Throws: The first violation of the grammar.
    private mutating func scan(
        _ octets: Span<UInt8>,
        lineCountMax: Int
    ) throws(HTTP1Error) -> Int? {
        let count = octets.count
        let role = role
        var now = place
        var facts = facts
        var number = lines.count
        var end: Int?
        var table = lines.storage.mutableSpan
        while now.cursor < count {
            if now.phase == .lineStart {
                let first = octets[now.cursor]
                if first <= space {
                    guard try Self.isEmptyLine(octets, at: now.cursor) else { break }
                    end = now.cursor + 2
                    break
                }
                guard number < lineCountMax else { throw .fieldLinesTooMany }
                guard number < table.count else { break }
                now.lineStart = now.cursor
                now.phase = .name
            }
            if now.phase == .name {
                guard try Self.scanName(octets, &now) else { break }
                now.phase = .value
            }
            let lineEnd = try Self.scanValue(octets, from: now.cursor)
            now.cursor = lineEnd
            guard lineEnd + 1 < count else { break }
            guard octets[lineEnd + 1] == lineFeed else { throw .bareCarriageReturn }
            var start = now.colonAt + 1
            while start < lineEnd, isBlank(octets[start]) { start += 1 }
            var last = lineEnd
            while last > start, isBlank(octets[last - 1]) { last -= 1 }
            var line = FieldLine(
                name: now.name,
                nameAt: now.lineStart,
                nameEnd: now.nameEnd,
                valueAt: start,
                valueEnd: last
            )
            if role == .trailer {
                line.isHopByHop = now.name.isForbiddenInTrailers
                if case .other = now.name, now.hasOddSigns {
                    let disguised = Self.nameInDisguise(octets, now.lineStart..<now.nameEnd)
                    line.isHopByHop = disguised.isForbiddenInTrailers
                }
            } else {
                line.isHopByHop = now.name.isHopByHop
                if now.name.decidesFraming {
                    try facts.take(now.name, octets, start..<last, number: number, role)
                } else if case .other = now.name, role == .request, now.hasOddSigns {
                    let disguised = Self.nameInDisguise(octets, now.lineStart..<now.nameEnd)
                    guard !disguised.decidesFraming else { throw .fieldNameInvalid }
                    line.isHopByHop = disguised.isOfForwarding
                }
            }
            table[number] = line
            number += 1
            now.cursor = lineEnd + 2
            now.phase = .lineStart
        }
        lines.count = number
        place = now
        self.facts = facts
        return end
    }

    /// Judges a line that starts with a control or a blank.
    ///
    /// - Parameters:
    ///   - octets: The message.
    ///   - index: The line's first octet.
    /// - Returns: True for the empty line, false while its LF has not arrived.
    /// - Throws: What else it is.
    private static func isEmptyLine(
        _ octets: Span<UInt8>,
        at index: Int
    ) throws(HTTP1Error) -> Bool {
        switch octets[index] {
        case carriageReturn:
            guard index + 1 < octets.count else { return false }
            guard octets[index + 1] == lineFeed else { throw .bareCarriageReturn }
            return true
        case lineFeed: throw .bareLineFeed
        case space, horizontalTab: throw .lineFolding
        default: throw .fieldNameInvalid
        }
    }

    /// Finds the colon and the name before it.
    ///
    /// - Parameters:
    ///   - octets: The message.
    ///   - now: Where reading stands; moved past the colon, or to the end of the octets.
    /// - Returns: False while the colon has not arrived.
    /// - Throws: The first octet that cannot be in a name.
    @inline(__always)
    private static func scanName(
        _ octets: Span<UInt8>,
        _ now: inout Place
    ) throws(HTTP1Error) -> Bool {
        let start = now.lineStart
        if start + 16 <= octets.count, now.cursor == start {
            let first = octets.word(at: start)
            var found = marks(of: colon, in: first)
            if found != 0 {
                now.colonAt = start + firstMarked(found)
                // The octets below the mark, whose bit is the top one of its octet.
                let below = (found & (0 &- found)) >> 7 &- 1
                // A NUL would pass for the padding of a shorter name: it makes none that is known.
                if marksOfZero(first) & below == 0 {
                    now.name = FieldName.find(short: asciiLowercased(first & below))
                } else {
                    now.name = .other
                }
            } else {
                found = marks(of: colon, in: octets.word(at: start + 8))
                if found != 0 {
                    now.colonAt = start + 8 + firstMarked(found)
                    if marksOfZero(first) == 0 {
                        now.name = FieldName.find(
                            count: now.colonAt - start,
                            asciiLowercased(first),
                            asciiLowercased(octets.word(at: now.colonAt - 8))
                        )
                    } else {
                        now.name = .other
                    }
                } else {
                    return try scanLongName(octets, &now)
                }
            }
            now.nameEnd = now.colonAt
            if case .other = now.name { try checkUnknownName(octets, &now) }
            now.cursor = now.colonAt + 1
            return true
        }
        return try scanLongName(octets, &now)
    }

    private static func scanLongName(
        _ octets: Span<UInt8>,
        _ now: inout Place
    ) throws(HTTP1Error) -> Bool {
        let end = octets.firstIndex(of: colon, from: now.cursor, to: octets.count)
        guard end < octets.count else {
            try checkPartialName(octets, now)
            now.cursor = end
            return false
        }
        now.colonAt = end
        now.nameEnd = end
        now.name = FieldName.find(in: octets, now.lineStart..<end)
        if case .other = now.name { try checkUnknownName(octets, &now) }
        now.cursor = end + 1
        return true
    }

    /// Judges the part of a name that is there, so that a line without a colon is refused at once.
    private static func checkPartialName(
        _ octets: Span<UInt8>,
        _ now: Place
    ) throws(HTTP1Error) {
        let odd = OctetSet.token.firstIndexOutside(octets, now.cursor..<octets.count)
        guard odd < octets.count else { return }
        throw nameError(octets, at: odd)
    }

    private static func nameError(_ octets: Span<UInt8>, at index: Int) -> HTTP1Error {
        switch octets[index] {
        case lineFeed: .bareLineFeed
        case carriageReturn: .colonMissing
        case space, horizontalTab: .whitespaceBeforeColon
        default: .fieldNameInvalid
        }
    }

    private static func checkUnknownName(
        _ octets: Span<UInt8>,
        _ now: inout Place
    ) throws(HTTP1Error) {
        let name = now.lineStart..<now.colonAt
        guard !name.isEmpty else { throw .fieldNameEmpty }
        // Most names are letters, digits and hyphens; others are looked at again.
        let sign = OctetSet.plainName.firstIndexOutside(octets, name)
        now.hasOddSigns = sign < name.upperBound
        if now.hasOddSigns {
            let odd = OctetSet.token.firstIndexOutside(octets, sign..<name.upperBound)
            guard odd == name.upperBound else { throw nameError(octets, at: odd) }
        }
        guard now.nameEnd - now.lineStart <= Int(UInt16.max) else { throw .fieldSectionTooLarge }
    }

    /// What an unknown name is to readers that take `_`, `.` and all other signs for `-`, or all of them for `_`, such as
    /// gateways to CGI and what came after (RFC 3875 §4.1.18).
    ///
    /// - Parameters:
    ///   - octets: The message.
    ///   - name: The name's octets.
    /// - Returns: The field that it would pass for, or `other`.
    private static func nameInDisguise(_ octets: Span<UInt8>, _ name: Range<Int>) -> FieldName {
        let dashed = name.map { OctetSet.plainName.contains(octets[$0]) ? octets[$0] : hyphen }
        return FieldName.find(dashed.span)
    }

    /// Finds the CR that ends the value.
    ///
    /// - Parameters:
    ///   - octets: The message.
    ///   - start: Where to look on.
    /// - Returns: The index of the CR, or the count of octets when it has not arrived.
    /// - Throws: `fieldValueInvalid` for a control or a NUL, `bareLineFeed`.
    @inline(__always)
    private static func scanValue(_ octets: Span<UInt8>, from start: Int) throws(HTTP1Error) -> Int
    {
        var index = octets.firstIndexOfControl(from: start)
        while index < octets.count {
            let octet = octets[index]
            if octet == carriageReturn { return index }
            if octet != horizontalTab { throw valueError(octet) }
            index = octets.firstIndexOfControl(from: index + 1)
        }
        return index
    }

    private static func valueError(_ octet: UInt8) -> HTTP1Error {
        octet == lineFeed ? .bareLineFeed : .fieldValueInvalid
    }
}

// MARK: What is not believed

extension FieldSection {
    /// Marks lines as ones that end here, so that nothing is decided by them.
    ///
    /// - Parameter isDisbelieved: Whether a line is such a one.
    mutating func disbelieve(_ isDisbelieved: (FieldLine) -> Bool) {
        for number in lines.indices where isDisbelieved(lines[number]) {
            lines.storage[number].isHopByHop = true
        }
    }
}

// MARK: Connection

extension FieldSection {
    /// Marks the lines that Connection nominates as hop-by-hop (RFC 9110 §7.6.1).
    ///
    /// Host and Content-Length are not marked: they concern every recipient, and dropping them is what
    /// an attacker wants. So it is with what proxies say of whom they ask for: it ends at no connection.
    mutating func markNominated(_ octets: Span<UInt8>) throws(HTTP1Error) {
        guard facts.connection.contains(.other) else { return }
        var optionCount = 0
        for number in lines.indices where lines[number].name == .connection {
            var list = ElementList(lines[number].valueRange)
            while let option = list.next(octets) {
                if option.isEmpty { continue }
                optionCount += 1
                // The bound keeps options times lines small.
                guard optionCount <= HTTP1Limits.connectionOptionsMax else {
                    throw .connectionInvalid
                }
                markLines(named: option, octets)
            }
        }
    }

    private mutating func markLines(named option: Range<Int>, _ octets: Span<UInt8>) {
        let known = FieldName.find(in: octets, option)
        if known == .host || known == .contentLength { return }
        if known.isOfForwarding, known != .xRequestID { return }
        for number in lines.indices where lines[number].name == known {
            if known == .other {
                let own = octets.extracting(lines[number].nameRange)
                guard own.equalsIgnoringCase(octets.extracting(option)) else { continue }
            }
            lines.storage[number].isHopByHop = true
        }
    }
}
