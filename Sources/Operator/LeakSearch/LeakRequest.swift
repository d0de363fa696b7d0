/// One request of a search.
package struct LeakRequest: Sendable {
    /// The method.
    package let method: String
    /// Whether it goes over TLS.
    package let isSecure: Bool
    /// Where the connection goes.
    package let place: LeakPlace
    /// What Host says; empty for a request of HTTP/1.0 without one.
    package let authority: String
    /// The target, as it is sent.
    package let target: String
    /// Fields besides.
    let fields: [String]
    /// How many links away from where the search began.
    let depth: Int

    /// Makes a request.
    package init(
        method: String = "GET",
        place: LeakPlace,
        authority: String,
        target: String,
        fields: [String] = [],
        depth: Int = 0
    ) {
        (self.method, self.place, self.authority) = (method, place, authority)
        (self.target, self.fields, self.depth) = (target, fields, depth)
        isSecure = place.isSecure
    }

    /// The URL as people read it; a long target is cut.
    package var shownURL: String {
        let target = target.utf8.count > 120 ? target.prefix(100) + "…" : target[...]
        return
            "\(isSecure ? "https" : "http")://\(authority.isEmpty ? place.description : authority)\(target)"
    }

    /// What tells it from other requests.
    var key: String { "\(method) \(place) \(authority) \(target) \(fields)" }

    /// The request as it is sent.
    var octets: [UInt8] {
        var lines = place.expectsProxyHeader ? ["PROXY UNKNOWN"] : []
        if authority.isEmpty {
            lines.append("\(method) \(target) HTTP/1.0")
        } else {
            lines += ["\(method) \(target) HTTP/1.1", "Host: \(authority)"]
        }
        lines += [
            "User-Agent: proxyctl-leaks", "Accept: */*", "Accept-Encoding: identity",
            "TE: trailers",
            "Connection: close, TE",
        ]
        return Array((lines + fields).joined(separator: "\r\n").utf8) + [13, 10, 13, 10]
    }
}

/// Where connections of a search go.
package struct LeakPlace: Hashable, Sendable, CustomStringConvertible {
    /// An address or a name.
    package let host: String
    /// The port.
    package let port: Int
    /// Whether TLS is spoken there.
    package let isSecure: Bool
    /// Whether connections begin with a PROXY header.
    package let expectsProxyHeader: Bool

    /// Names a place.
    package init(host: String, port: Int, isSecure: Bool, expectsProxyHeader: Bool = false) {
        (self.host, self.port) = (host, port)
        (self.isSecure, self.expectsProxyHeader) = (isSecure, expectsProxyHeader)
    }

    /// `host:port`.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
