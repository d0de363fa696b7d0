import FleetModel
import Testing

@Suite("Groups of listeners")
struct GroupTests {
    /// Two regions with a certificate each, an upstream that only the east reaches, and a listener for all.
    private let sections = """
        "listeners": [
            {"name": "web", "address": "0.0.0.0:80"},
            {"name": "east", "address": "0.0.0.0:443", "protocol": "https", "tls": {"certificates": ["e"]}},
            {"name": "west", "address": "0.0.0.0:443", "protocol": "https", "tls": {"certificates": ["w"],
                "clientCertificate": {"mode": "require", "authorities": ["ca"], "forward": {"subject": "x-who"}}}}],
        "certificates": [{"name": "e", "selfSigned": {"hosts": ["e.example"]}},
                         {"name": "w", "selfSigned": {"hosts": ["w.example"]}},
                         {"name": "client", "selfSigned": {"hosts": ["c.example"]}},
                         {"name": "idle", "selfSigned": {"hosts": ["i.example"]}},
                         {"name": "ca", "authority": {"file": "ca.pem"}}],
        "upstreams": [
            {"name": "deep", "endpoints": [{"address": "10.0.0.1:80"}], "tls": {"clientCertificate": "client"}},
            {"name": "unused", "endpoints": [{"address": "10.0.0.2:80"}], "tls": {"clientCertificate": "idle"}},
            {"name": "plain", "endpoints": [{"address": "10.0.0.3:80"}]}],
        "routes": [{"name": "a", "listeners": ["east"], "hosts": ["e.example"], "upstream": "plain",
                    "mirror": {"upstream": "deep", "share": "1%"}},
                   {"name": "b", "upstream": "plain"}]
        """

    private func configuration(
        _ groups: String
    ) throws(ConfigurationProblems) -> Configuration {
        try Configuration(json: "{\(sections), \"groups\": [\(groups)]}")
    }

    private let regions = """
        {"name": "e", "nodes": {"region": "east"}, "listeners": ["east"]},
        {"name": "w", "nodes": {"region": "west", "tier": "1"}, "listeners": ["west"]}
        """

    private func problems(_ groups: String) -> [String] {
        do {
            _ = try configuration(groups)
            return []
        } catch {
            return error.problems.map { "\($0.path): \($0.message)" }
        }
    }

    @Test("a node takes the listeners of its groups, and those that are in none")
    func takes() throws {
        let whole = try configuration(regions)
        func names(_ labels: [String: String]) -> [String] {
            whole.share(of: labels).listeners.map(\.name)
        }
        #expect(names([:]) == ["web"])
        #expect(names(["region": "east"]) == ["east", "web"])
        #expect(names(["region": "west"]) == ["web"])
        #expect(names(["region": "west", "tier": "1", "other": "x"]) == ["web", "west"])
        let share = whole.share(of: ["region": "east"])
        #expect(share.listenersElsewhere.map(\.name) == ["west"])
        #expect(share.manifest.digest == whole.manifest.digest)
        #expect(share.routes.map(\.name) == whole.routes.map(\.name))
        #expect(whole.groups(of: ["region": "east", "tier": "1"]) == ["e"])
        let back = try Configuration(resources: whole.resources)
        #expect(back == whole && back.groups == whole.groups)
    }

    @Test("a listener that two groups have is taken by the nodes of either")
    func takesByEither() throws {
        let whole = try configuration(
            regions + #", {"name": "c", "nodes": {"canary": "yes"}, "listeners": ["web"]},"#
                + #"{"name": "d", "nodes": {"region": "east"}, "listeners": ["web"]}"#
        )
        func takesWeb(_ labels: [String: String]) -> Bool {
            whole.share(of: labels).listeners.contains { $0.name == "web" }
        }
        #expect(takesWeb(["canary": "yes"]) && takesWeb(["region": "east"]))
        #expect(!takesWeb(["region": "west", "canary": "no"]))
    }

    @Test("a node needs the certificates of its listeners, and of the upstreams that those reach")
    func needs() throws {
        let whole = try configuration(regions)
        #expect(whole.neededCertificates == ["e", "w", "client", "idle", "ca"])
        #expect(whole.share(of: [:]).neededCertificates.isEmpty)
        #expect(whole.share(of: ["region": "east"]).neededCertificates == ["e", "client"])
        let west = ["region": "west", "tier": "1"]
        #expect(whole.share(of: west).neededCertificates == ["w", "ca"])
        #expect(whole.share(of: west).upstreamsInUse.map(\.name) == ["plain"])
        #expect(
            whole.share(of: ["region": "east"]).upstreamsInUse.map(\.name) == ["deep", "plain"]
        )
    }

    @Test("without groups everything is for every node, used or not")
    func withoutGroups() throws {
        let whole = try Configuration(
            json: #"{"listeners": [{"name": "web", "address": "0.0.0.0:80"}],"#
                + #""upstreams": [{"name": "unused", "endpoints": [{"address": "10.0.0.2:80"}]}]}"#
        )
        #expect(whole.share(of: [:]).upstreamsInUse.map(\.name) == ["unused"])
    }

    @Test("groups that name what is not there, or what no node can have, are refused")
    func refuses() {
        #expect(
            problems(regions.replacing("\"west\"]", with: "\"wst\"]")).contains(
                "groups[w].listeners[0]: there is no listener \"wst\"; did you mean west?"
            )
        )
        let cases = [
            ("{}", "groups[w].nodes: names no label"),
            (#"{"": "x"}"#, "groups[w].nodes[]: no node can"),
            (#"{"a=b": "x"}"#, "groups[w].nodes[a=b]: no node can"),
            (#"{"a": ""}"#, "groups[w].nodes[a]: has no value"),
            (
                #"{"a": "\#(String(repeating: "x", count: 129))"}"#,
                "groups[w].nodes[a]: no node can"
            ),
        ]
        for (labels, expected) in cases {
            let found = problems(
                regions.replacing(#"{"region": "west", "tier": "1"}"#, with: labels)
            )
            #expect(found.contains { $0.hasPrefix(expected) }, "\(labels): \(found)")
        }
        #expect(
            problems(regions.replacing(#"["west"]"#, with: "[]")).contains {
                $0.hasPrefix("groups[w].listeners: must not be empty")
            }
        )
    }

    @Test("listeners share an address only where no node can take both")
    func sharesAddresses() {
        #expect(problems(regions).isEmpty)
        let found = problems(regions.replacing("\"region\": \"west\"", with: "\"zone\": \"west\""))
        #expect(
            found == [
                "listeners[west].address: 0.0.0.0:443 is already the address of \"east\", and a node could take "
                    + "both: let their groups ask for other values of one label"
            ]
        )
        #expect(problems(String(regions.split(separator: "\n")[0].dropLast())).count == 1)
    }

    @Test(
        "listeners that no node takes are known, and certificates that are not proved where they are served"
    )
    func warns() throws {
        let whole = try configuration(regions)
        let none = whole.listenersWithoutNode(among: [["region": "east"], [:]])
        #expect(none.map(\.listener) == ["west"])
        #expect(none.first?.groups.map(\.labelText) == ["region=west, tier=1"])
        #expect(whole.groupWarnings.isEmpty)
        let ordered = sections.replacing(
            #"{"name": "e", "selfSigned": {"hosts": ["e.example"]}}"#,
            with:
                #"{"name": "e", "hosts": ["e.example"], "acme": {"directory": "https://ca.example/d"}}"#
        )
        func warnings(_ more: String) throws -> [String] {
            try Configuration(json: "{\(ordered), \"groups\": [\(regions)\(more)]}").groupWarnings
        }
        #expect(try warnings("").isEmpty)
        let found = try warnings(
            #", {"name": "x", "nodes": {"edge": "yes"}, "listeners": ["web"]}"#
        )
        #expect(found.count == 1 && found[0].contains("nodes of the group e serve it"))
    }
}
