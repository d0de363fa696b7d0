internal import Bytes
internal import FleetModel
internal import HTTPSemantics
internal import Routing

/// What a route does besides to take requests somewhere, as the request path needs it: few routes have any.
///
/// Made for each worker and shared with no other.
final class RouteSteps {
    /// What becomes of the path; `nil` leaves it.
    let pathRewriter: PathRewriter?
    /// What becomes of the query; `nil` leaves it.
    let queryEditor: QueryEditor?
    /// What comes behind the query; its values are percent-encoded.
    let queryEnd: CompiledTemplate
    /// What Host says; empty leaves it.
    let host: [UInt8]
    /// Whether the request line is another than the client's.
    let rewrites: Bool
    let request: MessageEdits
    let response: MessageEdits
    /// What stands in the place of errors.
    let pages: ErrorPages?
    /// What is answered in place of the route's action.
    let maintenance: LocalResponse?
    /// Where a copy of requests goes, if anywhere.
    let mirror: Mirror?
    /// What its texts need of a request's head.
    let needs: KeptParts

    /// Compiles what a route does; `nil` where that is nothing.
    init?(
        _ route: Route,
        _ policies: [String: Policy],
        paths: PathRules = PathRules(),
        upstreamIndices indices: [String: Int] = [:]
    ) {
        var request: [FieldEdits] = []
        var response: [FieldEdits] = []
        var pages: [[ErrorPage]] = []
        for name in route.policies {
            switch policies[name]?.step {
            case .headers(let onRequest, let onResponse)?:
                if !onRequest.isEmpty { request.append(onRequest) }
                if !onResponse.isEmpty { response.append(onResponse) }
            case .errorPages(let some)?: pages.append(some)
            case nil: continue
            }
        }
        let maintenance = route.maintenance.flatMap { $0.isEnabled ? LocalResponse($0) : nil }
        mirror = Mirror(route.mirror, upstreamIndices: indices)
        guard
            mirror != nil || route.rewrite != nil || !request.isEmpty || !response.isEmpty
                || !pages.isEmpty
                || maintenance != nil
        else { return nil }
        pathRewriter = PathRewriter(route, rules: paths)
        queryEditor = route.rewrite.flatMap { QueryEditor($0.query) }
        queryEnd = CompiledTemplate(queryEditor?.appended ?? Template(segments: []))
        host = Array((route.rewrite?.host ?? "").utf8)
        rewrites = pathRewriter != nil || queryEditor != nil || !host.isEmpty
        self.request = MessageEdits(request, foldsUnderscores: true)
        self.response = MessageEdits(response, foldsUnderscores: false)
        self.pages = pages.isEmpty ? nil : ErrorPages(pages)
        self.maintenance = maintenance
        var needs = queryEnd.needs
        for part in [
            self.request.needs, self.response.needs, self.pages?.needs, maintenance?.needs,
        ] {
            needs.formUnion(part ?? [])
        }
        self.needs = needs
    }
}

/// Changes of a message's fields, those of all policies of a route in one.
///
/// What a policy removes or sets it takes out of what policies before it have added, so that one look at the lines
/// that came, and one run of lines behind them, do what all would do one after the other.
struct MessageEdits {
    /// Fields that came and do not go on.
    let dropped: FieldNameSet?
    /// Which fields may be such.
    let filter: FieldNameFilter
    /// Lines that come behind those that go on.
    let lines: CompiledTemplate
    /// The same without Strict-Transport-Security, which a response without TLS must not have (RFC 6797 §7.2).
    let clearLines: CompiledTemplate
    /// Whether nothing is changed.
    let isEmpty: Bool

    init(_ edits: [FieldEdits], foldsUnderscores: Bool) {
        var dropped: [NamePattern] = []
        var added: [FieldLine] = []
        for edit in edits {
            for pattern in edit.remove + edit.set.map({ NamePattern(exactly: $0.name) }) {
                dropped.append(pattern)
                added.removeAll { pattern.matches($0.name) }
            }
            added += edit.set + edit.add
        }
        isEmpty = dropped.isEmpty && added.isEmpty
        self.dropped =
            dropped.isEmpty ? nil : FieldNameSet(dropped, foldsUnderscores: foldsUnderscores)
        filter = self.dropped?.filter ?? FieldNameFilter()
        lines = Self.joined(added)
        clearLines = Self.joined(added.filter { $0.name != "strict-transport-security" })
    }

    var needs: KeptParts { lines.needs }

    /// Joins lines to one text with as few pieces as there can be.
    private static func joined(_ lines: [FieldLine]) -> CompiledTemplate {
        var segments: [Template.Segment] = []
        var literal = ""
        for line in lines {
            literal += line.name + ": "
            for segment in line.value.segments {
                if case .literal(let text) = segment {
                    literal += text
                    continue
                }
                segments += [.literal(literal), segment]
                literal = ""
            }
            literal += "\r\n"
        }
        if !literal.isEmpty { segments.append(.literal(literal)) }
        return CompiledTemplate(Template(segments: segments))
    }
}

/// What most names are seen by at one look not to be in a set; it holds no reference to be counted for each line.
struct FieldNameFilter {
    /// The first letters of all names, and the lengths of those that are whole, a bit each; beginnings have any length.
    private var firstLetters: UInt32 = 0
    private var lengths: UInt64 = 0

    /// Takes a name in.
    mutating func insert(_ name: [UInt8], isPrefix: Bool, hasAnyFirst: Bool) {
        firstLetters |= hasAnyFirst ? .max : name.first.map(Self.bit) ?? .max
        lengths |= isPrefix ? .max : Self.bit(length: name.count)
    }

    private static func bit(_ octet: UInt8) -> UInt32 { 1 << UInt32((octet | 0x20) & 31) }

    private static func bit(length: Int) -> UInt64 { 1 << UInt64(min(length, 63)) }

    /// Whether the set is empty.
    var isEmpty: Bool { firstLetters == 0 }

    /// Whether a name may be in the set.
    @inline(__always)
    func mayHold(_ octets: Span<UInt8>, _ name: Range<Int>) -> Bool {
        !name.isEmpty && firstLetters & Self.bit(octets[name.lowerBound]) != 0
            && lengths & Self.bit(length: name.count) != 0
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
    /// Whether `_` and `-` are one: back ends that read fields as CGI does (RFC 3875 §4.1.18) see no difference.
    private let foldsUnderscores: Bool

    init(_ names: [NamePattern], foldsUnderscores: Bool) {
        self.foldsUnderscores = foldsUnderscores
        var text: [UInt8] = []
        var patterns: [Pattern] = []
        var filter = FieldNameFilter()
        for name in names {
            let octets = Array(name.name.utf8)
            patterns.append(
                Pattern(start: text.count, count: octets.count, isPrefix: name.isPrefix)
            )
            text += octets
            let hasAnyFirst = foldsUnderscores && octets.first.map(Self.isFolded) == true
            filter.insert(octets, isPrefix: name.isPrefix, hasAnyFirst: hasAnyFirst)
        }
        (self.text, self.patterns, self.filter) = (text, patterns, filter)
    }

    private static func isFolded(_ octet: UInt8) -> Bool {
        octet == UInt8(ascii: "-") || octet == UInt8(ascii: "_")
    }

    /// Whether a field's name is one of them.
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
            if foldsUnderscores, Self.equalsFolding(front, wanted) { return true }
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

/// Pages in the place of errors.
final class ErrorPages {
    /// For each status from 400 on: the index of its page, or -1.
    private var indices = [Int](repeating: -1, count: 200)
    private var pages: [Page] = []
    let needs: KeptParts

    struct Page {
        /// Content-Type, with its end of line.
        let fields: [UInt8]
        let content: CompiledTemplate
        let escaping: TextSink.Escaping
    }

    /// The first policy that has a page for a status counts, and in a policy the page for the fewest statuses.
    init(_ policies: [[ErrorPage]]) {
        var needs = KeptParts()
        for policy in policies.reversed() {
            for page in policy.sorted(by: { $0.statuses.count > $1.statuses.count }) {
                for status in page.statuses where (400...599).contains(status) {
                    indices[status - 400] = pages.count
                }
                let content = CompiledTemplate(page.body)
                needs.formUnion(content.needs)
                pages.append(
                    Page(
                        fields: Array("content-type: \(page.contentType)\r\n".utf8),
                        content: content,
                        escaping: TextSink.Escaping(contentType: page.contentType)
                    )
                )
            }
        }
        self.needs = needs
    }

    /// The page of a status; `nil` where it has none.
    func page(for status: UInt16) -> Page? {
        guard status >= 400, status < 600 else { return nil }
        let index = indices[Int(status) - 400]
        return index < 0 ? nil : pages[index]
    }
}
