package import LeakSearch

/// What responses tell of the inside.
package struct LeakReport: Sendable {
    private let result: LeakCrawl.Result

    /// A report on a search.
    package init(_ result: LeakCrawl.Result) {
        self.result = result
    }

    /// A row for each finding.
    package func rendered(_ palette: Palette) -> [String] {
        if result.findings.isEmpty {
            return ["nothing leaks in \(result.answerCount) responses"]
        }
        var table = Table([
            .init("METHOD"), .init("URL"), .init("STATUS", leansRight: true), .init("WHERE"),
            .init("KIND"), .init("WHAT"), .init("CURE"),
        ])
        for finding in result.findings {
            table.append([
                .init(finding.method), .init(finding.url, .strong),
                .init(finding.status == 0 ? "" : String(finding.status)), .init(finding.place),
                .init(finding.kind.rawValue), .init(finding.text, .bad), .init(finding.hint),
            ])
        }
        return table.rendered(palette)
    }

    /// `requests, skipped, failures, leaks`: each leak is `method, url, status, where, kind, what, cure`.
    package var value: OutputValue {
        [
            "requests": OutputValue(result.answerCount as Int?),
            "skipped": OutputValue(result.skippedCount as Int?),
            "failures": .array(
                result.failures.map { ["url": .string($0.url), "reason": .string($0.reason)] }
            ),
            "leaks": .array(
                result.findings.map { finding in
                    [
                        "method": .string(finding.method), "url": .string(finding.url),
                        "status": OutputValue(finding.status as Int?),
                        "where": .string(finding.place), "kind": .string(finding.kind.rawValue),
                        "what": .string(finding.text), "cure": .string(finding.hint),
                    ]
                }
            ),
        ]
    }
}
