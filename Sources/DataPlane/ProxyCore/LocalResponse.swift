internal import FleetModel
internal import Routing

/// A response out of the configuration, as the request path needs it.
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

    init(_ answer: LocalAnswer) {
        status = UInt16(clamping: answer.status)
        fields = answer.fields.map { field in
            (name: Array("\(field.name): ".utf8), value: CompiledTemplate(field.value))
        }
        content = CompiledTemplate(answer.content)
        let type = answer.fields.first { $0.name == "content-type" }?.value
        // A type that is made of variables may turn out to be HTML.
        escaping = type.map { $0.constant.map(TextSink.Escaping.init) ?? .markup } ?? .none
        yieldsToPages = answer.yieldsToPages
        namesHost = zip(answer.fields, fields).contains { field, compiled in
            field.name == "location" && compiled.value.needs.contains(.host)
        }
    }

    /// What its texts need of a request's head.
    var needs: KeptParts {
        fields.reduce(into: content.needs) { needs, field in needs.formUnion(field.value.needs) }
    }
}
