import FleetModel
import Routing
import Testing

@Suite("Tests of a configuration")
struct RouteTestsTests {
    private static func problems(_ tests: String) throws -> [String] {
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:80"}],
                 "upstreams": [{"name": "main", "endpoints": [{"address": "127.0.0.1:9001"}]}],
                 "routes": [
                    {"name": "items", "hosts": ["a.test"], "upstream": "main",
                     "match": {"path": {"prefix": "/items"}, "methods": ["GET"], "clients": ["192.0.2.0/24"]}},
                    {"name": "gone", "hosts": ["a.test"], "respond": {"status": 410}, "match": {"path": {"exact": "/old"}}}],
                 "tests": [\(tests)]}
                """
        )
        return RouteTests.problems(of: configuration).map(\.description)
    }

    private static let client = #""client":"192.0.2.9""#

    @Test("expectations that are met say nothing")
    func passes() throws {
        let tests = [
            #"{"name":"an item","request":{"url":"http://a.test/items/./7?x=1",\#(Self.client)},"expect":{"route":"items","upstream":"main","path":"/items/7"}}"#,
            #"{"name":"with its query","request":{"url":"http://a.test/items?x=1",\#(Self.client)},"expect":{"path":"/items?x=1"}}"#,
            #"{"name":"an answer","request":{"url":"http://a.test/old"},"expect":{"route":"gone","status":410,"upstream":"none"}}"#,
            #"{"name":"no route","request":{"url":"http://a.test/items"},"expect":{"route":"none","status":404}}"#,
            #"{"name":"refused","request":{"url":"http://a.test/%2e%2e/"},"expect":{"status":400}}"#,
            #"{"name":"a field","request":{"url":"http://10.0.0.1/old","headers":{"Host":"a.test"}},"expect":{"route":"gone"}}"#,
        ]
        #expect(try Self.problems(tests.joined(separator: ",")) == [])
    }

    @Test("expectations that are not met are problems, each with its field and what came out")
    func fails() throws {
        let problems = try Self.problems(
            #"{"name":"an item","request":{"url":"http://a.test/items/7","method":"POST",\#(Self.client)},"expect":{"route":"items","status":200}},"#
                + #"{"name":"bad","request":{"url":"ftp://a.test/"},"expect":{"route":"gone"}},"#
                + #"{"name":"who","request":{"url":"http://a.test/","client":"me"},"expect":{"status":404}}"#
        )
        #expect(problems.count == 4)
        #expect(problems[0].hasPrefix("tests[an item].expect.route: it is none, not \"items\": "))
        #expect(problems[1].hasPrefix("tests[an item].expect.status: it is \"404\", not \"200\""))
        #expect(problems[2].hasPrefix("tests[bad].request: \"ftp://a.test/\" is not of the form"))
        #expect(problems[3].hasPrefix("tests[who].request.client: \"me\" is no IP address"))
    }
}
