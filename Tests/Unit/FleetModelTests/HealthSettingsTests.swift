import FleetModel
import Testing

@Suite("Settings of checks and ejections")
struct HealthSettingsTests {
    /// What is wrong with an upstream that has these settings.
    private func problems(_ json: String) -> [String] {
        do {
            _ = try Configuration(json: json, file: "fleet.json")
            return []
        } catch {
            return error.problems.map { "\($0.path): \($0.message)" }
        }
    }

    @Test(
        "checks that cannot be made, and ejections of nobody, are refused",
        arguments: [
            (#""health":{"http":{"path":"healthz"}}"#, "health.http.path", "begin with /"),
            (#""health":{"http":{"path":"/a b"}}"#, "health.http.path", "percent-encode"),
            (#""health":{"http":{"path":"/a#b"}}"#, "health.http.path", "percent-encode"),
            (
                #""health":{"http":{"path":"/","expect":""}}"#, "health.http.expect",
                "not a list of status codes"
            ),
            (
                #""health":{"http":{"path":"/","expect":"101"}}"#, "health.http.expect",
                "not a list of status codes"
            ),
            (
                #""health":{"http":{"path":"/","expect":"204,304","body":"ok"}}"#,
                "health.http.body", "come without content"
            ),
            (
                #""health":{"http":{"path":"/","body":"\#(String(repeating: "x", count: 65_537))"}}"#,
                "health.http.body", "the first 64 KiB"
            ),
            (#""health":{"interval":"1s"}"#, "health", "http"),
            (#""health":{"tcp":{},"grpc":{}}"#, "health", "only one"),
            (#""outliers":{"maximumEjected":"0%"}"#, "outliers.maximumEjected", "no endpoint"),
            (#""outliers":{"successRate":"101%"}"#, "outliers.successRate", "100%"),
        ]
    )
    func refusesChecks(field: String, path: String, message: String) {
        let found = problems(
            #"{"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],\#(field)}]}"#
        )
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix("upstreams[u].\(path)") == true, "\(found)")
        #expect(found.first?.contains(message) == true, "\(found)")
    }

    @Test(
        "checks that may be made are accepted",
        arguments: [
            #""health":{"grpc":{}}"#, #""health":{"tcp":{},"interval":"1s","timeout":"2s"}"#,
            #""health":{"http":{"path":"/up?x=1","expect":"200,204,301-399"}}"#,
            #""health":{"http":{"path":"/","expect":"200,204","body":"ok"}}"#,
            #""outliers":{}"#, #""outliers":{"consecutiveErrors":0,"maximumEjected":"100%"}"#,
        ]
    )
    func acceptsChecks(field: String) {
        let json = #"{"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],\#(field)}]}"#
        #expect(problems(json) == [])
    }
}
