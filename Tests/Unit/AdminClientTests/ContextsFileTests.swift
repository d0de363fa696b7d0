import AdminClient
import Testing

@Suite struct ContextsFileTests {
    private static let text = """
        contexts:
          - name: local
            server: https://127.0.0.1:7443
            ca: ca.pem
            tokenFile: admin.token
          - {name: prod, server: "https://control:7443", ca: /etc/weir/ca.pem, token: "secret"}
        current: local

        """

    private func file(_ text: String, path: String = "conf/config.yaml") throws -> ContextsFile {
        try ContextsFile(path: path, octets: Array(text.utf8))
    }

    @Test("the current context is used unless another one is named")
    func choice() throws {
        let file = try file(Self.text)
        #expect(try file.context(named: nil).name == "local")
        #expect(try file.context(named: "prod").token == .text("secret"))
        #expect(try file.context(named: nil).token == .file("admin.token"))
    }

    @Test("an unknown context is an error that names those that there are")
    func unknown() throws {
        let file = try file(Self.text)
        let fault = #expect(throws: ContextsFile.Fault.self) { try file.context(named: "test") }
        #expect(fault?.description.contains("local, prod") == true)
    }

    @Test("relative paths are relative to the file")
    func paths() throws {
        #expect(try file(Self.text).resolved("ca.pem") == "conf/ca.pem")
        #expect(try file(Self.text, path: "config.yaml").resolved("ca.pem") == "ca.pem")
        #expect(try file(Self.text).resolved("/ca.pem") == "/ca.pem")
    }

    @Test("what is written reads as the same")
    func roundTrip() throws {
        var contexts = try file(Self.text)
        contexts.add(
            AdminContext(
                name: "odd \"name\"\\",
                server: "https://[::1]:1",
                authority: "a: b",
                token: .text("# no comment\u{1}")
            )
        )
        try contexts.use("prod")
        #expect(try file(contexts.text) == contexts)
    }

    @Test(
        "a faulty file is refused, never half used",
        arguments: [
            "contexts: [{name: a, server: https://a:1}]",
            "contexts: [{name: a, server: https://a:1, ca: c, token: t, tokenFile: f}]",
            "contexts: [{name: a, server: https://a:1, ca: c}]",
            "contexts: [{name: a, server: https://a:1, ca: c, token: t, colour: red}]",
            "contexts: []\ncurrent: a",
            "context: []",
        ]
    )
    func faults(_ text: String) {
        #expect(throws: (any Error).self) { try file(text) }
    }

    @Test("the file is that of the option, then the environment's, then the home folder's")
    func location() {
        #expect(ContextsFile.path(option: "x", environment: ["PROXYCTL_CONFIG": "y"]) == "x")
        #expect(ContextsFile.path(option: nil, environment: ["PROXYCTL_CONFIG": "y"]) == "y")
        #expect(
            ContextsFile.path(option: nil, environment: ["HOME": "/home/a"])
                == "/home/a/.config/proxyctl/config.yaml"
        )
    }
}
