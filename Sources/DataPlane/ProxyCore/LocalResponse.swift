internal import FleetModel

/// A response out of the configuration.
struct LocalResponse {
    let status: UInt16
    /// Names with colon and space behind them, and values.
    let fields: [(name: [UInt8], value: CompiledTemplate)]
    let content: CompiledTemplate

    init(_ response: FixedResponse) {
        status = UInt16(clamping: response.status)
        fields = response.headers.map { field in
            (Array("\(field.name): ".utf8), CompiledTemplate(field.value))
        }
        content = CompiledTemplate(response.body)
    }

    init(_ redirect: Redirect) {
        status = UInt16(clamping: redirect.status)
        fields = [(Array("location: ".utf8), CompiledTemplate(redirect.location))]
        content = CompiledTemplate(Template(segments: []))
    }

    /// What its texts need of a request's head.
    var needs: KeptParts {
        fields.reduce(into: content.needs) { needs, field in needs.formUnion(field.value.needs) }
    }
}
