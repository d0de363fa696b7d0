package import FleetModel
internal import HTTPSemantics

/// What a route does to messages besides to take them somewhere, all of its policies in one: the same on nodes and for
/// `explain`.
package struct RoutePlan: Sendable {
    /// Changes of the request's fields.
    package let request: FieldChanges
    /// Changes of the response's fields.
    package let response: FieldChanges
    /// Pages in the place of errors; `nil` where there is none.
    package let pages: PageTable?
    /// What is answered in place of the route's action, for as long as the maintenance holds.
    package let maintenance: LocalAnswer?

    /// Puts together what a route's policies do.
    ///
    /// - Parameters:
    ///   - route: The route.
    ///   - policies: The configuration's policies, by name.
    package init(_ route: Route, _ policies: [String: Policy]) {
        var request: [FieldEdits] = []
        var response: [FieldEdits] = []
        var pages: [(policy: String, pages: [ErrorPage])] = []
        for name in route.policies {
            switch policies[name]?.step {
            case .headers(let onRequest, let onResponse)?:
                if !onRequest.isEmpty { request.append(onRequest) }
                if !onResponse.isEmpty { response.append(onResponse) }
            case .errorPages(let some)?: pages.append((name, some))
            case nil: continue
            }
        }
        self.request = FieldChanges(request)
        self.response = FieldChanges(response)
        self.pages = pages.isEmpty ? nil : PageTable(pages)
        maintenance = route.maintenance.flatMap { $0.isEnabled ? LocalAnswer($0) : nil }
    }
}

/// Changes of a message's fields, those of several policies in one.
///
/// What a policy removes or sets it takes out of what policies before it have added, so that one look at the lines
/// that came, and one run of lines behind them, do what all would do one after the other.
package struct FieldChanges: Sendable {
    /// Names of fields that came and do not go on, in the order of the policies.
    package let dropped: [NamePattern]
    /// Lines that come behind those that go on.
    package let added: [FieldLine]
    /// Of the names that do not go on, those that are removed and not set anew.
    package let removed: [NamePattern]

    /// Puts changes together, in their order.
    package init(_ edits: [FieldEdits]) {
        var dropped: [NamePattern] = []
        var removed: [NamePattern] = []
        var added: [FieldLine] = []
        for edit in edits {
            for pattern in edit.remove + edit.set.map({ NamePattern(exactly: $0.name) }) {
                dropped.append(pattern)
                added.removeAll { pattern.matches($0.name) }
            }
            removed += edit.remove
            added += edit.set + edit.add
        }
        (self.dropped, self.removed, self.added) = (dropped, removed, added)
    }

    /// Takes fields out.
    init(removing names: [String]) {
        dropped = names.map { NamePattern(exactly: $0) }
        (removed, added) = (dropped, [])
    }

    /// Whether nothing is changed.
    package var isEmpty: Bool { dropped.isEmpty && added.isEmpty }

    /// Whether a request's field does not go on; all signs are one, as in what back ends make of names (RFC 3875 §4.1.18).
    ///
    /// - Parameter name: A name in lower case.
    /// - Returns: Whether it is one of those that are dropped.
    func drops(requestField name: String) -> Bool {
        let folded = Self.folded(name)
        return dropped.contains { pattern in
            let other = Self.folded(pattern.name)
            return pattern.isPrefix ? folded.starts(with: other) : folded == other
        }
    }

    private static func folded(_ name: String) -> [UInt8] {
        name.utf8.map { OctetSet.plainName.contains($0) ? $0 : UInt8(ascii: "-") }
    }

    /// The lines of a response that is not sent over TLS: it has no Strict-Transport-Security (RFC 6797 §7.2).
    package var addedInClear: [FieldLine] {
        added.filter { $0.name != "strict-transport-security" }
    }
}

/// Pages in the place of errors, those of several policies in one.
///
/// The first policy that has a page for a status counts, and in a policy the page for the fewest statuses.
package struct PageTable: Sendable {
    /// The pages that may be asked for, each with the name of its policy.
    package let pages: [(policy: String, page: ErrorPage)]
    /// For each status from 400 on: the index of its page, or -1.
    package let indices: [Int]

    /// Takes the pages of policies, in their order.
    package init(_ policies: [(policy: String, pages: [ErrorPage])]) {
        var indices = [Int](repeating: -1, count: 200)
        var pages: [(policy: String, page: ErrorPage)] = []
        for (policy, some) in policies.reversed() {
            for page in some.sorted(by: { $0.statuses.count > $1.statuses.count }) {
                for status in page.statuses where (400...599).contains(status) {
                    indices[status - 400] = pages.count
                }
                pages.append((policy, page))
            }
        }
        (self.indices, self.pages) = (indices, pages)
    }

    /// The page of a status; `nil` where it has none.
    package func page(for status: Int) -> ErrorPage? {
        guard (400...599).contains(status), indices[status - 400] >= 0 else { return nil }
        return pages[indices[status - 400]].page
    }

    /// Runs of statuses that have one page, in their order.
    package var runs: [(statuses: ClosedRange<Int>, policy: String, page: ErrorPage)] {
        var runs: [(statuses: ClosedRange<Int>, policy: String, page: ErrorPage)] = []
        var start = 0
        for (offset, index) in indices.enumerated() {
            if offset + 1 < indices.count, indices[offset + 1] == index { continue }
            if index >= 0 {
                let statuses = 400 + start...400 + offset
                runs.append((statuses, pages[index].policy, pages[index].page))
            }
            start = offset + 1
        }
        return runs
    }
}
