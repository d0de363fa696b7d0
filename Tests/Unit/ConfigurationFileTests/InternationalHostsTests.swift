import FleetModel
import Testing

@testable import ConfigurationFile

@Suite("Hosts in any script")
struct InternationalHostsTests {
    private func read(_ text: String) throws -> (ConfigurationNode, [Problem]) {
        let document = try readYAML(Array(text.utf8), file: "f.yaml")
        return ConfigurationFile.convertingHosts(document)
    }

    @Test("hosts are converted wherever the table has one, and nothing else is")
    func converts() throws {
        let (document, problems) = try read(
            """
            listeners:
              - {name: web, address: "0.0.0.0:80"}
              - {name: edge, address: "0.0.0.0:443", protocol: tls-passthrough, serverNames: {"*.bücher.example": u}}
            certificates:
              - {name: own, selfSigned: {hosts: [Bücher.example]}}
            upstreams:
              - {name: u, endpoints: [{address: "bücher.intern:80"}, {address: "unix:/run/ü.sock"}]}
            routes:
              - name: r
                hosts: ["*.bücher.example", straße.de]
                match: {headers: [{name: x, exact: ü}]}
                rewrite: {host: ü.intern}
                upstream: u
              - {name: s, respond: {body: "ü.example"}}
            tests:
              - {name: t, request: {url: "https://a.bücher.example:8443/?q=ü"}, expect: {route: r}}
            """
        )
        #expect(problems == [])
        let listener = document["listeners"]?.items?[1]
        #expect(listener?["serverNames"]?.entries?.map(\.key) == ["*.xn--bcher-kva.example"])
        let certificate = document["certificates"]?.items?[0]
        let own = certificate?["selfSigned"]?["hosts"]?.items?.map { $0.text ?? "" }
        #expect(own == ["xn--bcher-kva.example"])
        let endpoints = document["upstreams"]?.items?[0]["endpoints"]?.items ?? []
        #expect(
            endpoints.map { $0["address"]?.text ?? "" } == [
                "xn--bcher-kva.intern:80", "unix:/run/ü.sock",
            ]
        )
        let route = document["routes"]?.items?[0]
        let hosts = route?["hosts"]?.items?.map { $0.text ?? "" }
        #expect(hosts == ["*.xn--bcher-kva.example", "xn--strae-oqa.de"])
        #expect(route?["match"]?["headers"]?.items?[0]["exact"]?.text == "ü")
        #expect(route?["rewrite"]?["host"]?.text == "xn--tda.intern")
        #expect(document["routes"]?.items?[1]["respond"]?["body"]?.text == "ü.example")
        #expect(
            document["tests"]?.items?[0]["request"]?["url"]?.text
                == "https://a.xn--bcher-kva.example:8443/?q=ü"
        )
    }

    @Test("what is no name is told with its place")
    func refuses() throws {
        let (_, problems) = try read(
            """
            routes:
              - name: r
                hosts: [fine.example, "ü..example",
                        "*.ü／a"]
                respond: {}
            """
        )
        #expect(problems.map(\.place.description) == ["f.yaml:3:27", "f.yaml:4:13"])
        #expect(problems.map(\.field) == ["hosts[1]", "hosts[2]"])
        #expect(
            problems.first?.message.hasPrefix("\"ü..example\" is no international name: ") == true
        )
    }

    @Test(
        "the host of a URL is converted, and no other part of it",
        arguments: [
            ("https://Bücher.example/ü?ü#ü", "https://xn--bcher-kva.example/ü?ü#ü"),
            ("http://bücher.example:81", "http://xn--bcher-kva.example:81"),
            ("http://A.example/ü", "http://A.example/ü"), ("http://[::1]:80/", "http://[::1]:80/"),
            ("ü.example", "ü.example"), ("http://", "http://"), ("", ""),
        ]
    )
    func convertsURLs(url: String, converted: String) throws {
        #expect(try ConfigurationFile.convertingHost(ofURL: url) == converted)
    }
}
