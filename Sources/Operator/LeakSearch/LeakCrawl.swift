package import FleetModel

/// Asks a fleet what a plan says, follows links, and gathers what the answers tell.
package struct LeakCrawl: Sendable {
    /// What came of a search.
    package struct Result: Sendable {
        /// Everything that was found, in the order in which it was.
        package var findings: [LeakFinding] = []
        /// How many requests were answered.
        package var answerCount = 0
        /// Requests that were not answered, and why.
        package var failures: [(url: String, reason: String)] = []
        /// How many requests were left out because there were too many.
        package var skippedCount = 0
    }

    private let rules: LeakRules
    private let requestsMax: Int
    private let depthMax: Int

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - configuration: What is inside.
    ///   - discovered: Endpoints that nodes have found, as `host:port`.
    ///   - requestsMax: Most requests.
    ///   - depthMax: How many links away from the plan it looks.
    package init(
        _ configuration: Configuration,
        discovered: [String],
        requestsMax: Int,
        depthMax: Int
    ) {
        rules = LeakRules(configuration, discovered: discovered)
        (self.requestsMax, self.depthMax) = (requestsMax, depthMax)
    }

    /// Runs the search, one request after the other.
    ///
    /// A place that no connection can be made to is not asked again.
    package func run(_ plan: LeakPlan) async throws -> Result {
        var result = Result()
        var queue = plan.requests[...]
        var seen = Set(queue.map(\.key))
        var silent: Set<LeakPlace> = []
        var known: Set<LeakFinding> = []
        while let request = queue.popFirst() {
            if silent.contains(request.place) { continue }
            guard result.answerCount < requestsMax else {
                result.skippedCount = queue.count + 1
                break
            }
            let octets: [UInt8]
            do throws(RawClient.Fault) {
                octets = try await RawClient.exchange(request)
            } catch {
                result.failures.append((request.shownURL, error.description))
                if error.isUnreachable { silent.insert(request.place) }
                continue
            }
            try Task.checkCancellation()
            result.answerCount += 1
            for finding in rules.findings(octets, for: request) where known.insert(finding).inserted
            {
                result.findings.append(finding)
            }
            guard request.depth < depthMax, !request.authority.isEmpty else { continue }
            let answer = RawAnswer(octets, method: request.method)
            for target in Links.targets(of: answer, for: request) {
                let next = LeakRequest(
                    place: request.place,
                    authority: request.authority,
                    target: target,
                    depth: request.depth + 1
                )
                if seen.insert(next.key).inserted { queue.append(next) }
            }
        }
        return result
    }
}
