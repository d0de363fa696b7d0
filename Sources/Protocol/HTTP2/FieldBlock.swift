package import Bytes
package import HTTPSemantics

/// The field lines of one field section as HTTP/1.1 writes them: `name: value` and CRLF, one after the other, so
/// that a run of lines can be copied whole.
///
///     octets        accept: */*␍␊cookie: a=b; c=d␍␊
///     pseudoOctets  GET/index.html
///
/// Pseudo-header fields are kept apart. Cookie lines are joined into one (RFC 9113 §8.2.3). What is malformed is not
/// stored, so all that is here may be written into a message. The memory is used again for the next section.
package struct FieldBlock: Sendable {
    /// The regular lines.
    package internal(set) var octets: [UInt8] = []
    /// Where each of them lies in `octets`, in order.
    package private(set) var lines: [Line] = []
    /// The values of the pseudo-header fields.
    package internal(set) var pseudoOctets: [UInt8] = []
    /// The value of `:method` in `pseudoOctets`.
    package private(set) var method: OctetRange?
    /// The value of `:scheme` in `pseudoOctets`.
    package private(set) var scheme: OctetRange?
    /// The value of `:authority` in `pseudoOctets`; it may be empty.
    package private(set) var authority: OctetRange?
    /// The value of `:path` in `pseudoOctets`; it may be empty.
    package private(set) var path: OctetRange?
    /// The value of `:protocol` in `pseudoOctets`.
    package private(set) var `protocol`: OctetRange?
    /// The value of `:status` in `pseudoOctets`: three digits from 100 on.
    package private(set) var status: OctetRange?
    /// Size of what is stored, as RFC 9113 §6.5.2 counts it.
    package private(set) var bytes = 0
    /// Whether the section went over the limits: the line that did and all after it are not stored.
    package private(set) var isOversized = false
    /// The first reason for which the message is malformed.
    package private(set) var malformation: Malformation?

    private var cookieCount = 0
    private var hasRegularLine = false
    private var spare: [UInt8] = []

    /// One field line.
    package struct Line: Sendable {
        /// The name, when it is a known one.
        package var name: FieldName
        /// Whether it must not be put into a table on its way on (RFC 7541 §6.2.3).
        package var isNeverIndexed: Bool
        /// The name in `octets`.
        package var nameRange: OctetRange
        /// The value in `octets`.
        package var valueRange: OctetRange
    }

    /// Makes an empty block.
    package init() {}

    /// Forgets the section, and keeps the memory unless it is much.
    package mutating func clear() {
        empty(&octets)
        empty(&pseudoOctets)
        empty(&spare)
        if lines.capacity > HPACKLimits.linesKept {
            lines = []
        } else {
            lines.removeAll(keepingCapacity: true)
        }
        (method, scheme, authority, path, `protocol`, status) = (nil, nil, nil, nil, nil, nil)
        (bytes, cookieCount) = (0, 0)
        (isOversized, hasRegularLine, malformation) = (false, false, nil)
    }

    private func empty(_ storage: inout [UInt8]) {
        if storage.capacity > HPACKLimits.octetsKept {
            storage = []
        } else {
            storage.removeAll(keepingCapacity: true)
        }
    }

    /// Whether there is any pseudo-header field: a trailer section may have none (RFC 9113 §8.1).
    package var hasPseudoFields: Bool {
        PseudoField.allCases.contains { self[$0] != nil }
    }

    /// The value of a pseudo-header field in `pseudoOctets`.
    package subscript(_ field: PseudoField) -> OctetRange? {
        switch field {
        case .method: method
        case .scheme: scheme
        case .authority: authority
        case .path: path
        case .protocol: `protocol`
        case .status: status
        }
    }

    // MARK: Inputs of the decoder

    /// Decides whether a line is to be stored, and notes why it is not.
    ///
    /// - Parameters:
    ///   - entry: The line.
    ///   - limits: Bounds of the section.
    /// - Returns: Whether to call `keepLine` or `keepPseudo` with it.
    @inline(__always)
    mutating func admit(_ entry: TableEntry, limits: FieldBlockLimits) -> Bool {
        if let fault = entry.fault ?? faultOfPlace(entry) {
            if malformation == nil { malformation = fault }
            return false
        }
        if entry.pseudo == nil { hasRegularLine = true }
        guard !isOversized, entry.bytes <= limits.fieldSectionBytesMax - bytes,
            !isNewLine(entry) || lines.count - max(0, cookieCount - 1) < limits.fieldLinesMax
        else {
            isOversized = true
            return false
        }
        bytes += entry.bytes
        return true
    }

    /// Whether a line stays one: cookies come in pieces, often one for each, and are joined.
    private func isNewLine(_ entry: TableEntry) -> Bool {
        entry.pseudo == nil && (entry.name != .cookie || cookieCount == 0)
    }

    private func faultOfPlace(_ entry: TableEntry) -> Malformation? {
        guard let pseudo = entry.pseudo else { return nil }
        if hasRegularLine { return .pseudoFieldAfterRegular }
        return self[pseudo] == nil ? nil : .pseudoFieldRepeated
    }

    /// Stores a regular line whose octets are the last ones of `octets`.
    @inline(__always)
    mutating func keepLine(_ entry: TableEntry, isNeverIndexed: Bool) {
        let start = octets.count - entry.lineCount
        let valueStart = start + entry.valueOffset
        lines.append(
            Line(
                name: entry.name,
                isNeverIndexed: isNeverIndexed,
                nameRange: OctetRange(start, start + Int(entry.nameCount)),
                valueRange: OctetRange(valueStart, valueStart + Int(entry.valueCount))
            )
        )
        if entry.name == .cookie { cookieCount += 1 }
    }

    /// Stores a pseudo-header field whose octets are the last ones of `pseudoOctets`.
    mutating func keepPseudo(_ pseudo: PseudoField, valueCount: UInt32) {
        let end = pseudoOctets.count
        let range = OctetRange(end - Int(valueCount), end)
        switch pseudo {
        case .method: method = range
        case .scheme: scheme = range
        case .authority: authority = range
        case .path: path = range
        case .protocol: `protocol` = range
        case .status: status = range
        }
    }

    // MARK: Cookies

    /// Joins the cookie lines into the first of them (RFC 9113 §8.2.3).
    mutating func joinCookies() {
        guard cookieCount > 1, let first = lines.firstIndex(where: { $0.name == .cookie }) else {
            return
        }
        let start = lines[first].nameRange.lowerBound
        spare.removeAll(keepingCapacity: true)
        copyOctets(start..<octets.count, of: octets, to: &spare)
        octets.removeSubrange(lines[first].valueRange.lowerBound...)
        var isNeverIndexed = false
        for line in lines[first...] where line.name == .cookie && !line.valueRange.isEmpty {
            if octets.count > lines[first].valueRange.lowerBound { octets += [semicolon, space] }
            let value = line.valueRange
            let range = value.lowerBound - start..<value.upperBound - start
            copyOctets(range, of: spare, to: &octets)
            isNeverIndexed = isNeverIndexed || line.isNeverIndexed
        }
        lines[first].valueRange = OctetRange(lines[first].valueRange.lowerBound, octets.count)
        lines[first].isNeverIndexed = isNeverIndexed
        octets += [carriageReturn, lineFeed]
        moveOtherLines(after: first, from: start)
        cookieCount = 1
    }

    /// Puts the lines behind the joined cookie back from `spare`.
    private mutating func moveOtherLines(after first: Int, from start: Int) {
        var kept = first + 1
        for number in first + 1..<lines.count where lines[number].name != .cookie {
            var line = lines[number]
            let lineStart = line.nameRange.lowerBound - start
            let lineEnd = line.valueRange.upperBound + 2 - start
            let newStart = octets.count
            copyOctets(lineStart..<lineEnd, of: spare, to: &octets)
            let moved = newStart - line.nameRange.lowerBound
            line.nameRange = OctetRange(newStart, newStart + Int(line.nameRange.count))
            line.valueRange = OctetRange(
                line.valueRange.lowerBound + moved,
                line.valueRange.upperBound + moved
            )
            lines[kept] = line
            kept += 1
        }
        lines.removeSubrange(kept...)
    }
}

/// Appends octets of one array to another.
///
/// - Parameters:
///   - range: Indices of `source`.
///   - source: Where the octets are.
///   - target: Gets them.
func copyOctets(_ range: Range<Int>, of source: [UInt8], to target: inout [UInt8]) {
    target.append(copying: source.span.extracting(range))
}
