internal import FleetModel

/// A response out of the configuration.
struct LocalResponse {
    let status: UInt16
    /// Names with colon and space behind them, and values.
    let fields: [(name: [UInt8], value: CompiledTemplate)]
    let content: CompiledTemplate
    /// What becomes of values in the content.
    let escaping: TextSink.Escaping
    /// Whether an error page takes the place of the content, because the configuration gives none.
    let yieldsToPages: Bool
    /// Whether it leads to the host that was asked for.
    let namesHost: Bool

    init(_ response: FixedResponse) {
        status = UInt16(clamping: response.status)
        var fields = response.headers.map { field in
            (name: Array("\(field.name): ".utf8), value: CompiledTemplate(field.value))
        }
        content = CompiledTemplate(response.body)
        let type = response.headers.first { $0.name == "content-type" }?.value
        // A type that is made of variables may turn out to be HTML.
        escaping = type.map { $0.constant.map(TextSink.Escaping.init) ?? .markup } ?? .none
        yieldsToPages = response.body.segments.isEmpty
        if type == nil, !yieldsToPages {
            // Without a type a browser may take it for HTML.
            let plain = Template(segments: [.literal("text/plain; charset=utf-8")])
            fields.append((Array("content-type: ".utf8), CompiledTemplate(plain)))
        }
        self.fields = fields
        namesHost = false
    }

    init(_ redirect: Redirect) {
        status = UInt16(clamping: redirect.status)
        fields = [(Array("location: ".utf8), CompiledTemplate(redirect.location))]
        content = CompiledTemplate(Template(segments: []))
        (escaping, yieldsToPages) = (.none, false)
        namesHost = fields[0].value.needs.contains(.host)
    }

    init(_ maintenance: Maintenance) {
        status = UInt16(clamping: maintenance.status)
        yieldsToPages = maintenance.body.segments.isEmpty
        let hasContent = ![204, 205, 304].contains(maintenance.status)
        var body = maintenance.body
        if yieldsToPages, hasContent {
            let text = "\(maintenance.status) \(StatusPhrase.of(status))\n"
            body = Template(segments: [.literal(text)])
        }
        content = CompiledTemplate(body)
        var isMarkup = false
        if case .literal(let text)? = body.segments.first { isMarkup = text.hasPrefix("<") }
        escaping = isMarkup ? .markup : .none
        var lines: [(String, String)] = []
        if let wait = maintenance.retryAfter {
            // RFC 9110 §10.2.3 has whole seconds: a client that comes back too early comes in vain.
            let seconds = wait.components.seconds + (wait.components.attoseconds > 0 ? 1 : 0)
            lines.append(("retry-after", "\(seconds)"))
        }
        if hasContent {
            lines.append(("content-type", "text/\(isMarkup ? "html" : "plain"); charset=utf-8"))
        }
        fields = lines.map { name, value in
            (Array("\(name): ".utf8), CompiledTemplate(Template(segments: [.literal(value)])))
        }
        namesHost = false
    }

    /// What its texts need of a request's head.
    var needs: KeptParts {
        fields.reduce(into: content.needs) { needs, field in needs.formUnion(field.value.needs) }
    }
}
