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
        let plan = RoutePlan(route, policies)
        mirror = Mirror(route.mirror, upstreamIndices: indices)
        guard
            mirror != nil || route.rewrite != nil || !plan.request.isEmpty
                || !plan.response.isEmpty || plan.pages != nil || plan.maintenance != nil
        else { return nil }
        pathRewriter = PathRewriter(route, rules: paths)
        queryEditor = route.rewrite.flatMap { QueryEditor($0.query) }
        queryEnd = CompiledTemplate(queryEditor?.appended ?? Template(segments: []))
        host = Array((route.rewrite?.host ?? "").utf8)
        rewrites = pathRewriter != nil || queryEditor != nil || !host.isEmpty
        request = MessageEdits(plan.request, foldsSigns: true)
        response = MessageEdits(plan.response, foldsSigns: false)
        pages = plan.pages.map { ErrorPages($0) }
        maintenance = plan.maintenance.map { LocalResponse($0) }
        var needs = queryEnd.needs
        for part in [
            request.needs, response.needs, pages?.needs, maintenance?.needs,
        ] {
            needs.formUnion(part ?? [])
        }
        self.needs = needs
    }
}

/// Changes of a message's fields as the request path needs them.
struct MessageEdits {
    /// Fields that came and do not go on.
    let dropped: FieldNameSet?
    /// Which fields may be such.
    let filter: FieldNameFilter
    /// Lines that come behind those that go on.
    let lines: CompiledTemplate
    /// The same without Strict-Transport-Security, which a response without TLS must not have (RFC 6797 §7.2).
    let clearLines: CompiledTemplate
    /// What becomes of values in content that we answer with, as it is the changes that settle its type; `nil` where
    /// they leave that.
    let escaping: TextSink.Escaping?
    /// Whether nothing is changed.
    let isEmpty: Bool

    init(_ changes: FieldChanges, foldsSigns: Bool) {
        escaping = Self.escaping(changes)
        isEmpty = changes.isEmpty
        dropped =
            changes.dropped.isEmpty
            ? nil : FieldNameSet(changes.dropped, foldsSigns: foldsSigns)
        filter = dropped?.filter ?? FieldNameFilter()
        lines = Self.joined(changes.added)
        clearLines = Self.joined(changes.addedInClear)
    }

    var needs: KeptParts { lines.needs }

    /// Without a type a browser guesses, and of several it takes the one that it likes: it may be HTML.
    private static func escaping(_ changes: FieldChanges) -> TextSink.Escaping? {
        let types = changes.added.filter { $0.name == "content-type" }
        let isReplaced = changes.dropped.contains { $0.matches("content-type") }
        guard isReplaced, types.count == 1 else {
            return isReplaced || !types.isEmpty ? .markup : nil
        }
        return types[0].value.constant.map(TextSink.Escaping.init) ?? .markup
    }

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
    private let indices: [Int]
    private let pages: [Page]
    let needs: KeptParts

    struct Page {
        /// Content-Type, with its end of line.
        let fields: [UInt8]
        let content: CompiledTemplate
        let escaping: TextSink.Escaping
    }

    init(_ table: PageTable) {
        indices = table.indices
        pages = table.pages.map { _, page in
            Page(
                fields: Array("content-type: \(page.contentType)\r\n".utf8),
                content: CompiledTemplate(page.body),
                escaping: TextSink.Escaping(contentType: page.contentType)
            )
        }
        needs = pages.reduce(into: KeptParts()) { $0.formUnion($1.content.needs) }
    }

    /// The page of a status; `nil` where it has none.
    func page(for status: UInt16) -> Page? {
        guard status >= 400, status < 600 else { return nil }
        let index = indices[Int(status) - 400]
        return index < 0 ? nil : pages[index]
    }
}
