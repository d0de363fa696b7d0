import InternationalNames
import Testing

@Suite("InternationalName")
struct InternationalNameTests {
    @Test(
        "UTS 46 §4: a name becomes what clients ask for",
        arguments: [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.Example", "xn--bcher-kva.example"),
            // Not transitional: it is another name than "strasse.de".
            ("straße.de", "xn--strae-oqa.de"), ("faß.de", "xn--fa-hia.de"),
            ("βόλος.com", "xn--nxasmm1c.com"), ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"), ("президент.рф", "xn--d1abbgf6aiiy.xn--p1ai"),
            // An umlaut in two parts is the same in one (NFC).
            ("bu\u{308}cher.example", "xn--bcher-kva.example"), ("ｅｘａｍｐｌｅ.com", "example.com"),
            ("xn--bcher-kva.ü.test", "xn--bcher-kva.xn--tda.test"),
            ("_dmarc.ü.test", "_dmarc.xn--tda.test"),
            ("ü.", "xn--tda."), ("Example.COM", "example.com"), ("a\u{AD}ü", "xn--a-eha"),
        ]
    )
    func converts(name: String, ascii: String) throws {
        #expect(try InternationalName.ascii(name) == ascii)
    }

    @Test(
        "what is no name is refused, and says why",
        arguments: [
            "ü..test", ".ü", "-ü.test", "ü-.test", "ü b.test", "ü／b.test", "ü：80", "ü\u{0}.test",
            "\u{301}a.test", "xn--ü.test", "a\u{200D}ü", "אa.test", "ü@x", "＊.ü",
            String(repeating: "ü", count: 64) + ".test",
            String(repeating: "ü.", count: 100) + "test", String(repeating: "ü", count: 513),
        ]
    )
    func refuses(name: String) throws {
        let error = #expect(throws: InternationalNameError.self) {
            try InternationalName.ascii(name)
        }
        #expect(error?.description.isEmpty == false)
    }
}
