/// A reusable step on requests or responses.
package struct Policy: Hashable, Sendable {
    /// Unique among policies.
    package let name: String
    /// What it does.
    package let step: Step

    /// What a policy does.
    package enum Step: Hashable, Sendable {
        /// Changes fields.
        case headers(request: FieldEdits, response: FieldEdits)
        /// Puts pages in the place of responses.
        case errorPages([ErrorPage])
    }

    /// Its texts with variables.
    var templates: [Template] {
        switch step {
        case .headers(let request, let response):
            (request.set + request.add + response.set + response.add).map(\.value)
        case .errorPages(let pages): pages.map(\.body)
        }
    }
}

/// A page in the place of a response's content.
package struct ErrorPage: Hashable, Sendable {
    /// The status codes that it is for.
    package let statuses: ClosedRange<Int>
    /// The value of Content-Type.
    package let contentType: String
    /// The content.
    package let body: Template
}
