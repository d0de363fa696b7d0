import Testing

@testable import ProxyCore

@Suite("PrivateFields")
struct PrivateFieldsTests {
    private func contains(_ fields: PrivateFields, _ name: String) -> Bool {
        let octets = Array("a: b\r\n\(name): c".utf8)
        return fields.contains(octets.span, 6..<6 + name.utf8.count)
    }

    @Test("A name is known in every spelling that a back end could take for it")
    func knowsSpellings() {
        let fields = PrivateFields(["x-client-subject", "x-print"])
        for name in [
            "x-client-subject", "X-Client-Subject", "X_CLIENT-subject", "x_print", "X-PRINT",
            "x.client.subject", "X~Print",
        ] {
            #expect(contains(fields, name), "\(name)")
        }
        for name in ["x-client-subjec", "x-client-subjects", "xclient-subject", "x", "x-prinT2"] {
            #expect(!contains(fields, name), "\(name)")
        }
        #expect(!fields.isEmpty && PrivateFields([]).isEmpty)
        #expect(!contains(PrivateFields([]), "x-print"))
    }
}
