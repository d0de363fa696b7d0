internal import RegularExpressions

/// Checks of text fields.
enum Texts {
    static func text(_ text: String, allowsLines: Bool) throws(Complaint) -> String {
        if text.utf8.count > ModelLimits.textBytesMax {
            throw Complaint("longer than \(ModelLimits.textBytesMax) octets")
        }
        for scalar in text.unicodeScalars where scalar.value < 0x20 || scalar.value == 0x7F {
            let isSpace = scalar == "\n" || scalar == "\t" || scalar == "\r"
            if !(allowsLines && isSpace) {
                throw Complaint("\(quoted(text)) has a control character in it")
            }
        }
        return text
    }

    /// The rule for names: `[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`.
    static func name(_ text: String) throws(Complaint) -> String {
        let octets = Array(text.utf8)
        if octets.isEmpty { throw Complaint("a name must not be empty") }
        if octets.count > ModelLimits.nameBytesMax {
            throw Complaint("\(quoted(text)) is longer than \(ModelLimits.nameBytesMax) characters")
        }
        let isMade = octets.allSatisfy { isAlphanumeric($0) || ".-_".utf8.contains($0) }
        guard isMade, isAlphanumeric(octets[0]), isAlphanumeric(octets[octets.count - 1]) else {
            throw Complaint(
                "\(quoted(text)) is not a name: letters, digits, and . - _ between them"
            )
        }
        return text
    }

    static func title(_ text: String) throws(Complaint) -> String {
        if text.isEmpty { throw Complaint("a name must not be empty") }
        if text.utf8.count > ModelLimits.nameBytesMax {
            throw Complaint("\(quoted(text)) is longer than \(ModelLimits.nameBytesMax) octets")
        }
        return try Self.text(text, allowsLines: false)
    }

    /// RFC 9110 §5.6.2.
    static func token(_ text: String, noun: String) throws(Complaint) -> String {
        guard !text.isEmpty, text.utf8.count <= 255, text.utf8.allSatisfy(isTokenOctet) else {
            throw Complaint(
                "\(quoted(text)) is not a \(noun): letters, digits and !#$%&'*+-.^_`|~"
            )
        }
        return text
    }

    static func fieldNamePattern(_ text: String) throws(Complaint) -> String {
        let isPrefix = text.utf8.last == UInt8(ascii: "*")
        let name = isPrefix ? String(text.dropLast()) : text
        if name.utf8.contains(UInt8(ascii: "*")) || name.isEmpty {
            throw Complaint("\(quoted(text)): * may only stand at the end of a field name")
        }
        return try token(name, noun: "field name").lowercased() + (isPrefix ? "*" : "")
    }

    /// A method that reaches routes, in upper case as all registered ones.
    static func method(_ text: String) throws(Complaint) -> String {
        let method = try token(text, noun: "method")
        if ["CONNECT", "TRACE"].contains(method.uppercased()) {
            throw Complaint(
                "\(method) is answered with 405 before any route, so this never matches"
            )
        }
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
        if !known.contains(method), known.contains(method.uppercased()) {
            throw Complaint(
                "methods are case-sensitive: did you mean \(method.uppercased()) in place of \(method)?"
            )
        }
        return method
    }

    static func regex(_ text: String) throws(Complaint) -> String {
        let pattern = try Self.text(text, allowsLines: false)
        do {
            _ = try RegularExpression(pattern: pattern)
        } catch {
            throw Complaint("\(quoted(text)) is no regular expression of RE2: \(error.description)")
        }
        return pattern
    }

    static func namePattern(_ text: String) throws(Complaint) -> String {
        let name = text.utf8.last == UInt8(ascii: "*") ? text.dropLast() : text[...]
        if name.utf8.contains(UInt8(ascii: "*")) || name.isEmpty {
            throw Complaint("\(quoted(text)): * may only stand at the end of a name")
        }
        return try Self.text(text, allowsLines: false)
    }

    /// RFC 9110 §5.5, without obs-text.
    static func fieldValue(_ text: String) throws(Complaint) -> String {
        if text.utf8.count > 8192 { throw Complaint("longer than 8192 octets") }
        let isVisible = text.utf8.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x09 }
        guard isVisible else {
            throw Complaint("\(quoted(text)) is not a field value: visible ASCII and spaces only")
        }
        if text.hasPrefix(" ") || text.hasPrefix("\t") || text.hasSuffix(" ")
            || text.hasSuffix("\t")
        {
            throw Complaint("\(quoted(text)): a field value has no space at its ends")
        }
        return text
    }

    /// RFC 3986 §4.1 once the variables are replaced.
    static func location(_ text: String) throws(Complaint) -> Template {
        if text.utf8.count > 8192 { throw Complaint("longer than 8192 octets") }
        let template = try Template(parsing: text)
        guard let first = template.segments.first else {
            throw Complaint("a location must not be empty")
        }
        for case .literal(let part) in template.segments {
            let isURI = part.utf8.allSatisfy {
                (0x21...0x7E).contains($0) && !#""<>\^`{|}"#.utf8.contains($0)
            }
            if !isURI {
                throw Complaint("\(quoted(text)) has characters that a URI must percent-encode")
            }
        }
        // A location that starts with the client's path could start with `//` and name another host.
        let isAbsolute: Bool
        switch first {
        case .literal(let start):
            let schemes = ["http://", "https://"]
            let hasScheme = schemes.contains { start.lowercased().hasPrefix($0) }
            let isPath = start.hasPrefix("/") && (start != "/" || template.segments.count == 1)
            isAbsolute = hasScheme || isPath
        case .variable(let variable):
            isAbsolute = variable == .scheme && outline(of: template).hasPrefix("s://")
        case .capture: isAbsolute = false
        }
        guard isAbsolute else {
            throw Complaint(
                "\(quoted(text)) must start with https://, http://, ${scheme}:// or a path"
            )
        }
        guard let authority = authority(of: template) else { return template }
        guard hasHost(authority) else {
            throw Complaint(
                "\(quoted(text)) names no host before its path: browsers take what follows for one"
            )
        }
        // A client's octets must not reach into the host.
        guard !authority.contains("\u{0}") else {
            throw Complaint(
                "\(quoted(text)): before the path, only ${scheme}, ${host} and ${port} may stand; what a "
                    + "client sends could name another host"
            )
        }
        return template
    }

    /// The outline of the authority that a location names; `nil` for a path alone.
    private static func authority(of template: Template) -> Substring? {
        let text = outline(of: template)
        let start: String.Index
        if text.hasPrefix("//") {
            start = text.index(text.startIndex, offsetBy: 2)
        } else if !text.hasPrefix("/"), let mark = text.firstRange(of: "://") {
            start = mark.upperBound
        } else {
            return nil
        }
        return text[start...].prefix { !"/?#".contains($0) }
    }

    /// Whether an authority has more than userinfo and a port.
    private static func hasHost(_ authority: Substring) -> Bool {
        let userinfo = authority.lastIndex(of: "@").map { authority[...$0].count } ?? 0
        let place = authority.dropFirst(userinfo)
        return !place.isEmpty && place.first != ":"
    }

    /// A template's text with one character for each variable: a slash for the path, which starts with one, and NUL for
    /// what may be anything.
    private static func outline(of template: Template) -> String {
        var text = ""
        for segment in template.segments {
            switch segment {
            case .literal(let part): text += part
            case .variable(.scheme): text += "s"
            case .variable(.host): text += "h"
            case .variable(.port): text += "1"
            case .variable(.path): text += "/"
            case .variable, .capture: text += "\u{0}"
            }
        }
        return text
    }

    static func logTarget(_ text: String) throws(Complaint) -> String {
        if text == "stdout" { return text }
        let path = try Self.text(text, allowsLines: false)
        guard path.hasPrefix("/"), !path.hasSuffix("/"), path.utf8.count <= 4095 else {
            throw Complaint("\(quoted(text)) is neither stdout nor the absolute path of a file")
        }
        return path
    }

    static func isAlphanumeric(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    private static func isTokenOctet(_ octet: UInt8) -> Bool {
        isAlphanumeric(octet) || "!#$%&'*+-.^_`|~".utf8.contains(octet)
    }
}

extension Template {
    /// Splits text at its `${...}`; `$${` stands for `${` itself.
    init(parsing text: String) throws(Complaint) {
        var segments: [Segment] = []
        var literal = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            literal += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                literal += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let end = rest.firstIndex(of: "}") else {
                    throw Complaint("\(quoted(String(rest))): a variable without its }")
                }
                let name = String(rest[rest.index(rest.startIndex, offsetBy: 2)..<end])
                if !literal.isEmpty { segments.append(.literal(literal)) }
                literal = ""
                segments.append(try Self.segment(name))
                rest = rest[rest.index(after: end)...]
            } else {
                literal += "$"
                rest = rest.dropFirst()
            }
        }
        literal += rest
        if !literal.isEmpty { segments.append(.literal(literal)) }
        self.init(segments: segments)
    }

    private static func segment(_ name: String) throws(Complaint) -> Segment {
        if let variable = Variable(rawValue: name) { return .variable(variable) }
        if name.hasPrefix("capture."), name != "capture." {
            return .capture(String(name.dropFirst("capture.".count)))
        }
        var suggester = Suggester()
        let known = Variable.allCases.map(\.rawValue)
        let hint = suggester.hint(for: name, among: known) { "${\($0)}" }
        throw Complaint("unknown variable ${\(quoted(name).dropFirst().dropLast())}\(hint)")
    }
}
