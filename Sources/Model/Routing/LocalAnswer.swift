package import FleetModel
internal import HTTPSemantics

/// A response that no upstream gives, before its variables have values: the same on nodes and for `explain`.
package struct LocalAnswer: Sendable {
    /// The status code.
    package let status: Int
    /// Its field lines.
    package let fields: [FieldLine]
    /// Its content.
    package let content: Template
    /// Whether an error page takes the place of the content, because the configuration gives none.
    package let yieldsToPages: Bool

    /// A fixed response.
    package init(_ response: FixedResponse) {
        status = response.status
        content = response.body
        yieldsToPages = response.body.segments.isEmpty
        let hasType = response.headers.contains { $0.name == "content-type" }
        // Without a type a browser may take it for HTML.
        let type = Self.line("content-type", "text/plain; charset=utf-8")
        fields = response.headers + (hasType || yieldsToPages ? [] : [type])
    }

    /// A redirect.
    package init(_ redirect: Redirect) {
        status = redirect.status
        fields = [FieldLine(name: "location", value: redirect.location)]
        (content, yieldsToPages) = (Template(segments: []), false)
    }

    /// Maintenance.
    package init(_ maintenance: Maintenance) {
        status = maintenance.status
        yieldsToPages = maintenance.body.segments.isEmpty
        let hasContent = ![204, 205, 304].contains(maintenance.status)
        var body = maintenance.body
        if yieldsToPages, hasContent {
            let phrase = StatusPhrase.of(UInt16(clamping: maintenance.status))
            body = Template(segments: [.literal("\(maintenance.status) \(phrase)\n")])
        }
        content = body
        var isMarkup = false
        if case .literal(let text)? = body.segments.first { isMarkup = text.hasPrefix("<") }
        var fields: [FieldLine] = []
        if let wait = maintenance.retryAfter {
            // RFC 9110 §10.2.3 has whole seconds: a client that comes back too early comes in vain.
            let seconds = wait.components.seconds + (wait.components.attoseconds > 0 ? 1 : 0)
            fields.append(Self.line("retry-after", "\(seconds)"))
        }
        if hasContent {
            let type = "text/\(isMarkup ? "html" : "plain"); charset=utf-8"
            fields.append(Self.line("content-type", type))
        }
        self.fields = fields
    }

    private static func line(_ name: String, _ value: String) -> FieldLine {
        FieldLine(name: name, value: Template(segments: [.literal(value)]))
    }
}
