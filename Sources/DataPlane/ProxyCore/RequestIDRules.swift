internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics

/// Which field carries the identifier of a request, and whose is taken over.
struct RequestIDRules {
    /// Whether X-Request-ID is the field, and not one like others.
    let isUsual: Bool
    /// The beginning of the field's line where it is another, from the end of the line before it on.
    private let lineStart: [UInt8]
    /// The field, where its name is not the usual one: only the node sets it then, in any spelling.
    ///
    /// The usual one has its place among the known names.
    let fields: PrivateFields
    /// Its name as text; empty for the usual one.
    let ownNames: [String]
    private let name: [UInt8]
    private let acceptance: RequestIDSettings.Acceptance

    init(_ settings: RequestIDSettings) {
        let name = Array(settings.header.utf8)
        self.name = name
        lineStart = Array("\r\n\(settings.header): ".utf8)
        acceptance = settings.acceptance
        isUsual = FieldName.find(name.span) == .xRequestID
        ownNames = isUsual ? [] : [settings.header]
        fields = PrivateFields(ownNames)
    }

    /// Begins the field's line behind one that has no end yet.
    @inline(__always)
    func appendLineStart(to head: inout Buffer) {
        if isUsual {
            head.append("\r\nx-request-id: " as StaticString)
        } else {
            head.append(lineStart)
        }
    }

    /// Whether a peer's identifier is taken over.
    func accepts(isTrusted: Bool) -> Bool {
        switch acceptance {
        case .trusted: isTrusted
        case .always: true
        case .never: false
        }
    }

    /// Whether a line carries the identifier.
    func isField(_ line: HTTP1.FieldLine, _ octets: Span<UInt8>) -> Bool {
        if isUsual { return line.name == .xRequestID }
        return octets.extracting(line.nameRange).equalsIgnoringCase(name.span)
    }
}
