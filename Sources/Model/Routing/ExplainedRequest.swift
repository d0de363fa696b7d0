internal import Bytes
package import FleetModel
internal import HTTP1
internal import HTTPSemantics

/// A request that `proxyctl explain` or a test of a configuration asks about: its octets as a node would read them.
package struct ExplainedRequest: Sendable {
    /// Why a request cannot be explained.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        /// One clause for the operator.
        package let description: String
        /// What a node answers; `nil` where the fault is in the question.
        package private(set) var status: Int?

        init(description: String, status: Int? = nil) {
            (self.description, self.status) = (description, status)
        }
    }

    /// Whether the URL is one of https.
    let isSecure: Bool
    /// The port that the URL leads to.
    let port: UInt16
    /// The other end of the connection, or, where a listener trusts proxies and this is none, for whom one of them asks.
    let client: IPAddress
    /// The head as HTTP/1.1 has it.
    private let octets: [UInt8]

    /// Puts a request together.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - url: `http://HOST[:PORT][/PATH][?QUERY]`, or https.
    ///   - fields: Field lines; a Host among them overrides the URL's authority.
    ///   - client: The client's address; `nil` is 127.0.0.1.
    /// - Throws: `Fault`, if the URL is none, or a node would refuse the request.
    package init(
        method: String = "GET",
        url: String,
        fields: [(name: String, value: String)] = [],
        client: IPAddress? = nil
    ) throws(Fault) {
        let scheme = ["http://", "https://"].first { url.lowercased().hasPrefix($0) }
        guard let scheme else {
            throw Fault(
                description:
                    "\(quoted(url)) is not of the form http://HOST[:PORT]/PATH or https://…"
            )
        }
        isSecure = scheme == "https://"
        self.client = client ?? .v4(0x7F00_0001)
        let rest = url.dropFirst(scheme.count)
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let target = rest[end...].prefix { $0 != "#" }
        let authority = Array(rest[..<end].utf8)
        guard let parsed = Authority.parse(authority.span, 0..<authority.count) else {
            throw Fault(
                description: "\(quoted(String(rest[..<end]))) is not a host: a node answers 400"
            )
        }
        port = parsed.port == 0 ? (isSecure ? 443 : 80) : parsed.port
        var head = "\(method) \(target.hasPrefix("/") ? "" : "/")\(target) HTTP/1.1\r\n"
        if !fields.contains(where: { $0.name.lowercased() == "host" }) {
            head += "host: \(rest[..<end])\r\n"
        }
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        octets = Array((head + "\r\n").utf8)
        var read = RequestHead()
        try decode(&read)
    }

    /// Reads the head; whether its path may stand depends on a configuration.
    private func decode(_ head: inout RequestHead) throws(Fault) {
        let length: Int?
        do {
            length = try head.decode(octets.span, limits: HTTP1Limits())
        } catch {
            throw Fault(
                description: "a node answers \(error.requestStatus): \(error)",
                status: Int(error.requestStatus)
            )
        }
        guard length == octets.count else {
            throw Fault(description: "a node would read something else than one request")
        }
    }

    /// Reads the request as a node does.
    ///
    /// - Parameters:
    ///   - rules: What paths mean.
    ///   - isDisbelieved: Whether no route is taken for a field line, as a proxy alone may send it.
    ///   - body: Is given the head, the octets and the normalised path.
    /// - Returns: What `body` does.
    /// - Throws: `Fault`, if a node would refuse the request.
    func withHead<Result>(
        _ rules: PathRules,
        disbelieving isDisbelieved: (HTTP1.FieldLine, Span<UInt8>) -> Bool,
        _ body: (borrowing RequestHead, Span<UInt8>, [UInt8]) throws(Fault) -> Result
    ) throws(Fault) -> Result {
        var head = RequestHead()
        try decode(&head)
        let span = octets.span
        head.disbelieve { isDisbelieved($0, span) }
        guard let path = PathNormaliser.normalise(span, head.path.indices, rules: rules) else {
            let text = String(decoding: octets[head.path.indices], as: UTF8.self)
            throw Fault(
                description: "a node refuses the path \(quoted(text)): it answers 400",
                status: 400
            )
        }
        return try body(head, span, path)
    }
}
