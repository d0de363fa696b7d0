import Testing

@testable import FleetModel

@Suite("Mirrors of routes")
struct MirrorTests {
    private func problems(_ fields: String) -> [String] {
        let upstreams = ["u", "v"].map {
            #"{"name":"\#($0)","endpoints":[{"address":"\#($0):80"}]}"#
        }
        let json = """
            {"upstreams":[\(upstreams.joined(separator: ","))],"routes":[{"name":"r",\(fields)}]}
            """
        do {
            _ = try Configuration(json: json)
            return []
        } catch {
            return error.problems.map { "\($0.path): \($0.message)" }
        }
    }

    @Test("a mirror has an upstream, and a share that is all unless it is said")
    func reads() throws {
        let json = #"""
            {"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}]},
                          {"name":"v","endpoints":[{"address":"b:80"}]}],
             "routes":[{"name":"a","hosts":["a"],"upstream":"u","mirror":{"upstream":"v"}},
                       {"name":"b","hosts":["b"],"upstream":"u","mirror":{"upstream":"v","share":"0.5%"}},
                       {"name":"c","hosts":["c"],"upstream":"u"}]}
            """#
        let configuration = try Configuration(json: json)
        #expect(
            configuration.routes.map(\.mirror) == [
                Mirroring(upstream: "v", share: 100_000), Mirroring(upstream: "v", share: 500), nil,
            ]
        )
    }

    @Test(
        "a copy goes to another upstream than the request",
        arguments: [
            (#""upstream":"u","mirror":{"upstream":"v","share":"0%"}"#, ""),
            (#""split":[{"upstream":"u"},{"upstream":"v"}],"mirror":{"upstream":"v"}"#, ""),
            (
                #""upstream":"u","mirror":{"upstream":"u"}"#,
                "routes[r].mirror.upstream: \"u\" gets the requests themselves: name another upstream"
            ),
            (
                #""split":[{"upstream":"u"},{"upstream":"v","weight":0}],"mirror":{"upstream":"u"}"#,
                "routes[r].mirror.upstream: \"u\" gets all requests themselves: name another upstream"
            ),
            (
                #""respond":{},"mirror":{"upstream":"u"}"#,
                "routes[r].mirror: does nothing without upstream or split"
            ),
            (
                #""redirect":{"location":"/"},"mirror":{"upstream":"u"}"#,
                "routes[r].mirror: does nothing without upstream or split"
            ),
        ]
    )
    func checks(fields: String, problem: String) {
        #expect(problems(fields) == (problem.isEmpty ? [] : [problem]))
    }

    @Test(
        "what is no mirror is refused with its reason",
        arguments: [
            (#""upstream":"u","mirror":{}"#, "upstream is missing"),
            (#""upstream":"u","mirror":{"upstream":"w"}"#, "there is no upstream \"w\""),
            (#""upstream":"u","mirror":{"upstream":"v","share":"101%"}"#, "mirror.share"),
            (#""upstream":"u","mirror":{"upstream":"v","shares":"1%"}"#, "did you mean share?"),
        ]
    )
    func refuses(fields: String, message: String) {
        let found = problems(fields)
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }
}
