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
    package private(set) var lines = ContiguousArray<FieldLine>()
    /// The options of all Connection fields.
    package private(set) var connection: ConnectionOptions = []
    /// The value of Content-Length.
    package private(set) var contentLength: Int?
    /// Whether the message is chunked.
    package private(set) var isChunked = false
    /// Whether `Expect: 100-continue` was sent.
    package private(set) var expectsContinue = false
    /// The number of the Host line, or -1.
    package private(set) var hostLine = -1

    private var phase = Phase.lineStart
    private var cursor = 0
    private var lineStart = 0
    private var nameEnd = 0
    private var colonAt = 0
    private var name = FieldName.other
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
        if lines.capacity > HTTP1Limits.fieldLinesKept {
            lines = ContiguousArray()
        } else {
            lines.removeAll(keepingCapacity: true)
        }
        connection = []
        contentLength = nil
        isChunked = false
        expectsContinue = false
        hostLine = -1
        phase = .lineStart
        cursor = start
        lineStart = start
        sectionStart = start
    }

    /// Gives back the memory of the lines, for a connection that rests.
    package mutating func releaseStorage() {
        lines = ContiguousArray()
    }

    /// Reads on.
    ///
    /// - Parameters:
    ///   - octets: The message from its start.
    ///   - limits: Bounds of the section.
    /// - Returns: The index after the empty line, or `nil` while it has not arrived.
    /// - Throws: The first violation.
    /// - Complexity: O(octets not seen before); allocates only when there are more lines than ever.
    package mutating func decode(
        _ octets: Span<UInt8>,
        limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Int? {
        let count = octets.count
        while cursor < count {
            switch phase {
            case .lineStart:
                let first = octets[cursor]
                if first == carriageReturn {
                    guard cursor + 1 < count else { return try needMore(count, limits) }
                    guard octets[cursor + 1] == lineFeed else { throw .bareCarriageReturn }
                    let end = cursor + 2
                    try checkSize(end, limits)
                    try markNominated(octets)
                    return end
                }
                if first == space || first == horizontalTab { throw .lineFolding }
                if first == lineFeed { throw .bareLineFeed }
                guard lines.count < limits.fieldLinesMax else { throw .fieldLinesTooMany }
                lineStart = cursor
                phase = .name
            case .name:
                let end = octets.firstIndex(of: colon, from: cursor, to: count)
                if end == count {
                    try checkPartialName(octets)
                    cursor = count
                    return try needMore(count, limits)
                }
                try settleName(octets, end: end)
                colonAt = end
                cursor = end + 1
                phase = .value
            case .value:
                let end = try scanValue(octets)
                guard end + 1 < count else { return try needMore(count, limits) }
                guard octets[end + 1] == lineFeed else { throw .bareCarriageReturn }
                try finishLine(octets, end: end)
                cursor = end + 2
                phase = .lineStart
            }
        }
        return try needMore(count, limits)
    }

    // MARK: Leaves

    private func needMore(
        _ count: Int,
        _ limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Int? {
        try checkSize(count, limits)
        return nil
    }

    @inline(__always)
    private func checkSize(
        _ end: Int,
        _ limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) {
        if end - sectionStart > limits.fieldSectionBytesMax { throw .fieldSectionTooLarge }
    }

    /// Judges the part of a name that is there, so that a line without a colon is refused at once.
    private func checkPartialName(_ octets: Span<UInt8>) throws(HTTP1Error) {
        let odd = OctetSet.token.firstIndexOutside(octets, cursor..<octets.count)
        guard odd < octets.count else { return }
        // In a response, white space may stand before a colon that has yet to come.
        if role == .response, odd > lineStart {
            var index = odd
            while index < octets.count, isBlank(octets[index]) { index += 1 }
            if index == octets.count { return }
        }
        throw nameError(octets, at: odd)
    }

    private func nameError(_ octets: Span<UInt8>, at index: Int) -> HTTP1Error {
        switch octets[index] {
        case lineFeed: .bareLineFeed
        case carriageReturn: .colonMissing
        case space, horizontalTab: .whitespaceBeforeColon
        default: .fieldNameInvalid
        }
    }

    @inline(__always)
    private mutating func settleName(_ octets: Span<UInt8>, end: Int) throws(HTTP1Error) {
        name = FieldName.find(in: octets, lineStart..<end)
        nameEnd = end
        if name == .other { try checkUnknownName(octets, end: end) }
    }

    private mutating func checkUnknownName(
        _ octets: Span<UInt8>,
        end: Int
    ) throws(HTTP1Error) {
        guard end > lineStart else { throw .fieldNameEmpty }
        let odd = OctetSet.token.firstIndexOutside(octets, lineStart..<end)
        if odd < end {
            // RFC 9112 §5.1: a proxy removes white space before the colon from a response.
            guard role == .response, odd > lineStart else { throw nameError(octets, at: odd) }
            for index in odd..<end where !isBlank(octets[index]) {
                throw nameError(octets, at: odd)
            }
            nameEnd = odd
            name = FieldName.find(in: octets, lineStart..<odd)
        }
        guard nameEnd - lineStart <= Int(UInt16.max) else { throw .fieldSectionTooLarge }
    }

    /// Finds the CR that ends the value, from `cursor` on, which it moves.
    ///
    /// - Parameter octets: The message.
    /// - Returns: The index of the CR, or the count of octets when it has not arrived.
    /// - Throws: `fieldValueInvalid` for a control or a NUL, `bareLineFeed`.
    @inline(__always)
    private mutating func scanValue(_ octets: Span<UInt8>) throws(HTTP1Error) -> Int {
        let count = octets.count
        var index = cursor
        while index + 8 <= count {
            let word = octets.word(at: index)
            let found = marks(below: space, in: word) | marks(of: delete, in: word)
            if found == 0 {
                index += 8
                continue
            }
            index += firstMarked(found)
            let octet = octets[index]
            if octet == carriageReturn {
                cursor = index
                return index
            }
            if octet != horizontalTab { throw valueError(octet) }
            index += 1
        }
        while index < count {
            let octet = octets[index]
            if octet == carriageReturn { break }
            if octet < space && octet != horizontalTab || octet == delete {
                throw valueError(octet)
            }
            index += 1
        }
        cursor = index
        return index
    }

    private func valueError(_ octet: UInt8) -> HTTP1Error {
        octet == lineFeed ? .bareLineFeed : .fieldValueInvalid
    }

    /// Takes the line whose CR is at `end`.
    ///
    /// - Parameters:
    ///   - octets: The message.
    ///   - end: Index of the CR; the LF is there too.
    /// - Throws: What the field's own rules say.
    @inline(__always)
    private mutating func finishLine(
        _ octets: Span<UInt8>,
        end: Int
    ) throws(HTTP1Error) {
        var start = colonAt + 1
        while start < end, isBlank(octets[start]) { start += 1 }
        var last = end
        while last > start, isBlank(octets[last - 1]) { last -= 1 }
        var line = FieldLine(
            name: name,
            nameAt: lineStart,
            nameEnd: nameEnd,
            valueAt: start,
            valueEnd: last
        )
        if name.isFraming {
            line.isHopByHop = name.isHopByHop
            if role != .trailer {
                try settle(name, octets, start..<last)
            }
        }
        if role == .trailer, name.isForbiddenInTrailers { line.isHopByHop = true }
        lines.append(line)
    }
}

// MARK: What single fields say

extension FieldSection {
    /// Takes what one framing field says.
    private mutating func settle(
        _ name: FieldName,
        _ octets: Span<UInt8>,
        _ value: Range<Int>
    ) throws(HTTP1Error) {
        switch name {
        case .host:
            if role == .request, hostLine >= 0 { throw .hostRepeated }
            hostLine = lines.count
        case .contentLength:
            try settleContentLength(octets, value)
        case .transferEncoding:
            try settleTransferEncoding(octets, value)
        case .connection:
            try settleConnection(octets, value)
        case .expect:
            guard role == .request else { return }
            guard octets.matches("100-continue", in: value) else { throw .expectationUnknown }
            expectsContinue = true
        default:
            break
        }
    }

    /// RFC 9112 §6.3: stricter than the clause, which lets a list of equal numbers pass: no sender in
    /// use writes one, and readers differ on it. Leading zeros are refused for the same reason.
    private mutating func settleContentLength(
        _ octets: Span<UInt8>,
        _ value: Range<Int>
    ) throws(HTTP1Error) {
        guard contentLength == nil else { throw .contentLengthRepeated }
        for index in value where octets[index] &- 0x30 >= 10 { throw .contentLengthInvalid }
        guard let first = value.first else { throw .contentLengthInvalid }
        guard octets[first] != 0x30 || value.count == 1 else { throw .contentLengthInvalid }
        guard let length = octets.decimal(in: value) else { throw .contentLengthOverflow }
        contentLength = length
    }

    /// RFC 9112 §6.1: `chunked`, once and alone, is the only coding that is understood here.
    private mutating func settleTransferEncoding(
        _ octets: Span<UInt8>,
        _ value: Range<Int>
    ) throws(HTTP1Error) {
        guard !isChunked else { throw .transferEncodingInvalid }
        if octets.matches("chunked", in: value) {
            isChunked = true
            return
        }
        // Well-formed codings before a final "chunked" could be understood, but are not (501);
        // everything else leaves the length of the message open (400).
        var list = ElementList(value)
        var codingCount = 0
        var endsChunked = false
        while let element = list.next(octets) {
            if endsChunked { throw .transferEncodingInvalid }
            let end = OctetSet.token.firstIndexOutside(octets, element)
            guard end == element.upperBound, !element.isEmpty else {
                throw .transferEncodingInvalid
            }
            codingCount += 1
            endsChunked = octets.matches("chunked", in: element)
        }
        throw endsChunked && codingCount > 1 ? .transferCodingUnsupported : .transferEncodingInvalid
    }

    private mutating func settleConnection(
        _ octets: Span<UInt8>,
        _ value: Range<Int>
    ) throws(HTTP1Error) {
        var list = ElementList(value)
        while let element = list.next(octets) {
            if element.isEmpty { continue }
            guard OctetSet.token.firstIndexOutside(octets, element) == element.upperBound else {
                throw .connectionInvalid
            }
            if octets.matches("keep-alive", in: element) {
                connection.insert(.keepAlive)
            } else if octets.matches("close", in: element) {
                connection.insert(.close)
            } else if octets.matches("upgrade", in: element) {
                connection.insert(.upgrade)
            } else if octets.matches("te", in: element) {
                connection.insert(.te)
            } else {
                connection.insert(.other)
            }
        }
    }

    /// Marks the lines that Connection nominates as hop-by-hop (RFC 9110 §7.6.1).
    ///
    /// Host and Content-Length are not marked: they concern every recipient, and dropping them is what
    /// an attacker wants.
    mutating func markNominated(_ octets: Span<UInt8>) throws(HTTP1Error) {
        guard connection.contains(.other) else { return }
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
        for number in lines.indices where lines[number].name == known {
            if known == .other {
                let own = octets.extracting(lines[number].nameRange)
                guard own.equalsIgnoringCase(octets.extracting(option)) else { continue }
            }
            lines[number].isHopByHop = true
        }
    }
}
