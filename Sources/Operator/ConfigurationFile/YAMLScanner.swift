import FleetModel

/// Looks through YAML text before libyaml does, in linear time, and refuses what we do not take.
///
/// It follows libyaml's own rules for indentation, quotes and scalars closely enough to know where a
/// token starts, and nothing more. Refused are anchors, aliases and tags (so no alias bomb exists),
/// complex keys, directives, a second document, line separators other than CR and LF, and text over
/// the limits of `YAMLLimits`. Everything else is left to libyaml.
struct YAMLScanner {
    private let octets: [UInt8]
    private let file: String
    private var index = 0
    private var line = 1
    /// Where the line starts, moved forward by one for each continuation octet on it.
    private var lineStart = 0
    /// Columns of the open block collections, as libyaml keeps them.
    private var indents: [Int] = []
    private var flowDepth = 0
    private var valueCount = 0
    private var hasContent = false
    private var hasDocumentMark = false
    /// Where the last node outside brackets started: a colon on the same line makes it a key.
    private var nodeStart: (line: Int, column: Int)?

    private init(octets: [UInt8], file: String) {
        (self.octets, self.file) = (octets, file)
    }

    /// Checks a whole text.
    ///
    /// - Throws: One problem with its place.
    static func check(_ octets: [UInt8], file: String) throws(ConfigurationProblems) {
        var scanner = YAMLScanner(octets: octets, file: file)
        while scanner.skipToToken() { try scanner.token() }
    }

    // MARK: Tokens

    private mutating func token() throws(ConfigurationProblems) {
        if flowDepth == 0 {
            while let last = indents.last, last > column { indents.removeLast() }
            if try documentMark() { return }
        }
        let octet = octets[index]
        switch octet {
        case UInt8(ascii: "["), UInt8(ascii: "{"):
            startNode()
            try count()
            flowDepth += 1
            try checkNesting()
            index += 1
        case UInt8(ascii: "]"), UInt8(ascii: "}"):
            flowDepth = max(flowDepth - 1, 0)
            index += 1
        case UInt8(ascii: ",") where flowDepth > 0: index += 1
        case UInt8(ascii: "-") where isBlank(at: index + 1):
            if flowDepth == 0 { try rollIndent(to: column) }
            nodeStart = nil
            index += 1
        case UInt8(ascii: ":") where flowDepth > 0 || isBlank(at: index + 1):
            if flowDepth == 0 {
                let key = nodeStart.flatMap { $0.line == line ? $0.column : nil }
                try rollIndent(to: key ?? column)
            }
            nodeStart = nil
            index += 1
        case UInt8(ascii: "?") where flowDepth > 0 || isBlank(at: index + 1):
            throw refusal("a key that is marked with ? is not supported")
        default: try node(octet)
        }
    }

    private mutating func node(_ octet: UInt8) throws(ConfigurationProblems) {
        startNode()
        try count()
        switch octet {
        case UInt8(ascii: "&"):
            throw refusal("anchors are not supported; text that starts with & stands in quotes")
        case UInt8(ascii: "*"):
            throw refusal("aliases are not supported; text that starts with * stands in quotes")
        case UInt8(ascii: "!"):
            throw refusal("tags are not supported; text that starts with ! stands in quotes")
        case UInt8(ascii: "'"): try singleQuoted()
        case UInt8(ascii: "\""): try doubleQuoted()
        case UInt8(ascii: "|") where flowDepth == 0, UInt8(ascii: ">") where flowDepth == 0:
            try blockScalar()
        default: try plain()
        }
    }

    /// `---` and `...` at the start of a line; directives in front of them.
    private mutating func documentMark() throws(ConfigurationProblems) -> Bool {
        guard column == 1 else { return false }
        if octets[index] == UInt8(ascii: "%") { throw refusal("directives are not supported") }
        let rest = octets[index...]
        let isStart = rest.starts(with: "---".utf8) && isBlank(at: index + 3)
        let isEnd = rest.starts(with: "...".utf8) && isBlank(at: index + 3)
        guard isStart || isEnd else { return false }
        if isStart && (hasContent || hasDocumentMark) {
            throw refusal("a file holds one document; give several files instead")
        }
        hasDocumentMark = true
        index += 3
        return true
    }

    private mutating func startNode() {
        hasContent = true
        if flowDepth == 0 { nodeStart = (line, column) }
    }

    private mutating func count() throws(ConfigurationProblems) {
        valueCount += 1
        if valueCount > YAMLLimits.valueCountMax {
            throw refusal("more than \(YAMLLimits.valueCountMax) values; split it, or use JSON")
        }
    }

    private mutating func rollIndent(to column: Int) throws(ConfigurationProblems) {
        if column > indents.last ?? 0 { indents.append(column) }
        try checkNesting()
    }

    private func checkNesting() throws(ConfigurationProblems) {
        if indents.count + flowDepth > YAMLLimits.nestingMax {
            throw refusal("nested deeper than \(ModelLimits.depthMax) levels")
        }
    }

    // MARK: Scalars

    private mutating func singleQuoted() throws(ConfigurationProblems) {
        let start = place
        index += 1
        while index < octets.count {
            if octets[index] == UInt8(ascii: "'") {
                index += 1
                if index == octets.count || octets[index] != UInt8(ascii: "'") { return }
            }
            try advance()
        }
        throw refusal("the quoted text that starts here has no end", at: start)
    }

    private mutating func doubleQuoted() throws(ConfigurationProblems) {
        let start = place
        index += 1
        while index < octets.count {
            switch octets[index] {
            case UInt8(ascii: "\""):
                index += 1
                return
            case UInt8(ascii: "\\"):
                index += 1
                if index < octets.count { try advance() }
            default: try advance()
            }
        }
        throw refusal("the quoted text that starts here has no end", at: start)
    }

    /// Text without quotes, over lines as long as they are indented.
    private mutating func plain() throws(ConfigurationProblems) {
        while index < octets.count {
            if column == 1 && isDocumentMark { return }
            if octets[index] == UInt8(ascii: "#") { return }
            while index < octets.count, !isBlank(at: index) {
                let octet = octets[index]
                if octet == UInt8(ascii: ":") && isBlank(at: index + 1) { return }
                if flowDepth > 0 && Self.flowIndicators.contains(octet) { return }
                try advance()
            }
            let lineBefore = line
            while index < octets.count, isBlank(at: index) { try advance() }
            if index == octets.count { return }
            // libyaml's columns count from 0, ours from 1; its text needs indent + 1.
            if line != lineBefore && flowDepth == 0 && column <= indents.last ?? 0 { return }
        }
    }

    /// `|` and `>`: lines indented by at least the first one, or by what the header says.
    private mutating func blockScalar() throws(ConfigurationProblems) {
        index += 1
        var increment = 0
        while index < octets.count, !isBreak(octets[index]) {
            let octet = octets[index]
            if increment == 0, (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(octet) {
                increment = Int(octet - UInt8(ascii: "0"))
            }
            if octet == 0x20 || octet == 0x09 || octet == UInt8(ascii: "#") { break }
            index += 1
        }
        while index < octets.count, !isBreak(octets[index]) { try advance() }
        if index < octets.count { try advance() }
        // Columns from 0 here, as the number of spaces in front.
        let parent = (indents.last ?? 0) - 1
        var indent = increment == 0 ? nil : max(parent, 0) + increment
        var widest = 0
        while index < octets.count {
            var spaces = 0
            while index < octets.count, octets[index] == 0x20, spaces < indent ?? .max {
                spaces += 1
                index += 1
            }
            widest = max(widest, spaces)
            if index < octets.count, isBreak(octets[index]) {
                try advance()
                continue
            }
            let needed = indent ?? max(widest, parent + 1, 1)
            indent = needed
            if spaces < needed { return }
            while index < octets.count, !isBreak(octets[index]) { try advance() }
            if index < octets.count { try advance() }
        }
    }

    private static let flowIndicators = Set(",[]{}".utf8)

    // MARK: Octets

    /// Passes white space and comments; false at the end of the text.
    private mutating func skipToToken() -> Bool {
        while index < octets.count {
            switch octets[index] {
            case 0x20, 0x09: index += 1
            case UInt8(ascii: "#"):
                while index < octets.count, !isBreak(octets[index]) {
                    if octets[index] & 0xC0 == 0x80 { lineStart += 1 }
                    index += 1
                }
            case 0x0A, 0x0D: passBreak()
            default: return true
            }
        }
        return false
    }

    /// Passes one octet of text, or one line end.
    private mutating func advance() throws(ConfigurationProblems) {
        let octet = octets[index]
        if isBreak(octet) { return passBreak() }
        if octet & 0xC0 == 0x80 { lineStart += 1 }
        if octet == 0xC2 || octet == 0xE2, isOddSeparator {
            throw refusal("a line separator other than CR and LF must be written as an escape")
        }
        if octet < 0x20 && octet != 0x09 || octet == 0x7F {
            throw refusal("a control character must be written as an escape")
        }
        index += 1
    }

    /// NEL, LS and PS end a line for libyaml and for hardly anything else.
    private var isOddSeparator: Bool {
        let rest = octets[index...]
        return rest.starts(with: [0xC2, 0x85]) || rest.starts(with: [0xE2, 0x80, 0xA8])
            || rest.starts(with: [0xE2, 0x80, 0xA9])
    }

    private mutating func passBreak() {
        let isPair = octets[index] == 0x0D && index + 1 < octets.count && octets[index + 1] == 0x0A
        index += isPair ? 2 : 1
        line += 1
        lineStart = index
    }

    private func isBreak(_ octet: UInt8) -> Bool { octet == 0x0A || octet == 0x0D }

    /// White space, a line end, or the end of the text.
    private func isBlank(at index: Int) -> Bool {
        guard index < octets.count else { return true }
        return octets[index] == 0x20 || octets[index] == 0x09 || isBreak(octets[index])
    }

    private var isDocumentMark: Bool {
        let rest = octets[index...]
        return (rest.starts(with: "---".utf8) || rest.starts(with: "...".utf8))
            && isBlank(at: index + 3)
    }

    /// The column in characters, from 1.
    private var column: Int { index - lineStart + 1 }

    private var place: Place { Place(file: file, line: line, column: column) }

    private func refusal(_ message: String, at place: Place? = nil) -> ConfigurationProblems {
        .one(message, at: place ?? self.place)
    }
}

extension ConfigurationProblems {
    /// A single problem of a document.
    static func one(_ message: String, at place: Place) -> ConfigurationProblems {
        ConfigurationProblems([
            Problem(kind: nil, name: "", field: "", message: message, place: place)
        ])
    }
}
