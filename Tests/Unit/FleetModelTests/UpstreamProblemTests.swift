import FleetModel
import Testing

@Suite("What is wrong with an upstream")
struct UpstreamProblemTests {
    @Test(
        "an upstream has endpoints, or a name to find them by that says enough",
        arguments: [
            (#""protocol":"http1""#, ": endpoints is missing: an upstream has endpoints, or a"),
            (#""discovery":{"dns":"a.test"}"#, ".discovery.dns: \"a.test\" has no port"),
            (#""discovery":{"dns":"a.test:0"}"#, ".discovery.dns: \"a.test:0\": the port is not"),
            (#""discovery":{"dns":"192.0.2.1:80"}"#, ".discovery.dns: \"192.0.2.1:80\" is"),
            (#""discovery":{"dns":"a b:80"}"#, ".discovery.dns: \"a b\" is not a host name"),
            (#""discovery":{"type":"srv"}"#, ".discovery: dns is missing"),
            (#""discovery":{"dns":"a:1","refresh":"10ms"}"#, ".discovery.refresh: "),
            (
                #""discovery":{"dns":"a","type":"srv"},"tls":{}"#,
                ".tls: tls.serverName is missing: the hosts that SRV records name"
            ),
        ]
    )
    func checksDiscovery(field: String, message: String) {
        let found = problems(#"{"upstreams":[{"name":"u",\#(field)}]}"#)
        #expect(found.first?.hasPrefix("upstreams[u]" + message) == true, "\(found)")
        #expect(found.count == 1, "\(found)")
    }

    @Test("discovery is read, and stands beside endpoints of which none has a weight")
    func readsDiscovery() throws {
        let json = """
            {"upstreams":[
             {"name":"a","discovery":{"dns":"A.test.:80"}},
             {"name":"b","discovery":{"dns":"_x._tcp.test:1","type":"srv","refresh":"2s"},
              "endpoints":[{"address":"h:1","weight":0}]}]}
            """
        let upstreams = try Configuration(json: json).upstreams
        #expect(upstreams.map(\.endpoints.count) == [0, 1])
        #expect(upstreams.map { $0.discovery?.name } == ["a.test", "_x._tcp.test"])
        #expect(upstreams.map { $0.discovery?.port } == [80, 1])
        #expect(upstreams.map { $0.discovery?.type } == [.a, .srv])
        #expect(upstreams.map { $0.discovery?.refresh } == [nil, .seconds(2)])
        let found = Endpoint(address: NetworkAddress(host: .ip(.v4(1)), port: 80))
        #expect(upstreams.first?.name(of: found) == "a.test")
        #expect(upstreams.last?.name(of: found) == "0.0.0.1")
    }

    @Test(
        "an upstream needs endpoints that differ, with ports and some weight",
        arguments: [
            (#"{"address":"a:80"},{"address":"A:80"}"#, "already endpoints[0]"),
            (#"{"address":"a:0"}"#, "port"), (#"{"address":"http://a"}"#, "URL"),
            (#"{"address":"a"}"#, "port"), (#"{"weight":1}"#, "address is missing"),
            (#"{"address":"a:80","weight":0}"#, "every weight is 0; give one at least 1"),
            (#"{"address":"a:80","weight":-1}"#, "0 to 10000"),
            (#"{"address":"a:80","tier":101}"#, "0 to 100"),
            (#"{"address":"a b:80"}"#, "not a host name"), (#""a:80""#, "must be a map"),
            (#"{"address":"unix:run/app"}"#, "absolute"), (#"{"address":"unix:"}"#, "absolute"),
            (#"{"address":"unix://run/app"}"#, "absolute"),
            (#"{"address":"unix:@app"}"#, "absolute"),
            (#"{"address":"unix:/run/"}"#, "no path of a socket"),
            (#"{"address":"unix:/run/a\u0000b"}"#, "no path of a socket"),
            (#"{"address":"unix:/a"},{"address":"unix:/a"}"#, "already endpoints[0]"),
            (
                #"{"address":"unix:/\#(String(repeating: "x", count: 107))"}"#,
                "at most 107 octets"
            ),
        ]
    )
    func refusesEndpoints(endpoints: String, message: String) {
        let found = problems(#"{"upstreams":[{"name":"u","endpoints":[\#(endpoints)]}]}"#)
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test(
        "what is hashed has a name where it is one of several",
        arguments: [
            (#"{"on":"header"}"#, "hash.on: name is missing: which field?"),
            (#"{"on":"cookie"}"#, "hash.on: name is missing: which cookie?"),
            (#"{"on":"query"}"#, "hash.on: name is missing: which parameter?"),
            (#"{"on":"path","name":"x"}"#, "hash.name: there is only one path: leave name out"),
            (#"{"on":"header","name":"a b"}"#, "hash.name: \"a b\" is not a field name"),
            (#"{"on":"query","name":""}"#, "hash.name: must not be empty"),
            (#"{"on":"body"}"#, "hash.on: \"body\" is not one of"),
        ]
    )
    func refusesHashes(hash: String, message: String) {
        let found = problems(
            #"{"upstreams":[{"name":"u","balance":"hash","hash":\#(hash),"endpoints":[{"address":"a:80"}]}]}"#
        )
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test(
        "TLS to an upstream fits its protocol, and endpoints have a name to verify",
        arguments: [
            (#""protocol":"h2""#, ".protocol: h2 is spoken over TLS"),
            (#""protocol":"auto""#, ".protocol: auto is spoken over TLS"),
            (#""protocol":"h2c","tls":{}"#, ".tls: h2c is spoken without TLS"),
            (#""tls":{"authority":"c"}"#, ".tls.authority: \"c\" is a certificate to show"),
            (#""tls":{"clientCertificate":"ca"}"#, ".tls.clientCertificate: \"ca\" holds"),
            (#""tls":{"authority":"cb"}"#, ".tls.authority: there is no certificate \"cb\""),
            (#""protocol":"h2","tls":{},"proxyProtocol":"v1""#, ".proxyProtocol: v1 needs"),
        ]
    )
    func checksUpstreamTLS(fields: String, message: String) {
        let found = problems(
            #"{"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],\#(fields)}],"#
                + "\(ProblemTests.certificates)}"
        )
        #expect(found.count == 1 && found[0].hasPrefix("upstreams[u]\(message)"), "\(found)")
        let relayed = #"""
            {"listeners":[{"name":"db","address":"0.0.0.0:5432","protocol":"tcp","upstream":"u"}],
             "upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],"tls":{}}]}
            """#
        #expect(
            problems(relayed) == [
                "listeners[db].upstream: \"u\" has tls, which a relay does not speak"
            ]
        )
        let passed = #"""
            {"listeners":[{"name":"edge","address":"0.0.0.0:443","protocol":"tls-passthrough",
              "serverNames":{"a.test":"u"}}],
             "upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],"tls":{}}]}
            """#
        #expect(problems(passed) == [])
        let local = #"{"upstreams":[{"name":"u","endpoints":[{"address":"unix:/a"}],"tls":{}}]}"#
        #expect(
            problems(local) == [
                "upstreams[u].endpoints[0].address: unix:/a has no name to verify: set serverName"
            ]
        )
    }

    @Test("a PROXY header tells of one client, and HTTP/2 connections have many")
    func refusesProxyProtocolOnShared() {
        func upstream(_ fields: String) -> String {
            #"{"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],\#(fields)}]}"#
        }
        #expect(
            problems(upstream(#""protocol":"h2c","proxyProtocol":"v2""#)) == [
                "upstreams[u].proxyProtocol: v2 needs protocol: http1; "
                    + "clients share connections of h2c"
            ]
        )
        #expect(problems(upstream(#""protocol":"h2c","proxyProtocol":"off""#)) == [])
        #expect(problems(upstream(#""proxyProtocol":"v1""#)) == [])
        #expect(problems(upstream(#""proxyProtocol":"v3""#)).count == 1)
    }
}
