package import FleetModel

/// Carries out a configuration's `tests` on the matcher of the nodes.
package enum RouteTests {
    /// What is wrong with a configuration by its own tests.
    ///
    /// - Parameter configuration: A checked configuration.
    /// - Returns: One problem for each expectation that is not met, in the order of the tests.
    package static func problems(of configuration: Configuration) -> [Problem] {
        let tables = RouteTables(configuration)
        return configuration.tests.flatMap { test in
            failures(of: test, tables).map { failure in
                Problem(kind: .test, name: test.name, field: failure.field, message: failure.text)
            }
        }
    }

    private struct Failure {
        let field: String
        let text: String
    }

    private static func failures(
        of test: RouteTest,
        _ tables: RouteTables
    ) -> [Failure] {
        var client: IPAddress?
        if let text = test.client {
            guard let address = IPAddress(text) else {
                return [Failure(field: "request.client", text: "\(quoted(text)) is no IP address")]
            }
            client = address
        }
        do throws(ExplainedRequest.Fault) {
            let request = try ExplainedRequest(
                method: test.method,
                url: test.url,
                fields: test.headers.map { ($0.name, $0.value) },
                client: client
            )
            let found = try Explanation(request, tables, listener: nil)
            return failures(of: test, found)
        } catch {
            // A request that a node refuses may be just what is expected.
            if let status = test.status, status == error.status { return [] }
            return [Failure(field: "request", text: error.description)]
        }
    }

    private static func failures(of test: RouteTest, _ found: Explanation) -> [Failure] {
        var failures: [Failure] = []
        func expect(_ field: String, _ wanted: String?, _ actual: String?) {
            guard let wanted, wanted != actual ?? "none" else { return }
            let shown = actual.map { quoted($0) } ?? "none"
            failures.append(
                Failure(
                    field: "expect.\(field)",
                    text: "it is \(shown), not \(quoted(wanted)): \(found.why)"
                )
            )
        }
        expect("route", test.route, found.route)
        expect("upstream", test.upstream, found.upstream)
        let target = found.query.map { "\(found.path)?\($0)" } ?? found.path
        expect("path", test.path, test.path?.contains("?") == true ? target : found.path)
        expect("status", test.status.map(String.init), found.status.map(String.init))
        return failures
    }
}
