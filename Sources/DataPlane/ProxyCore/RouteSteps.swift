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
