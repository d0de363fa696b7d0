internal import FleetModel
internal import HTTP1
internal import Routing
internal import Upstreams

/// What of requests to an upstream has a say in the choice of their endpoint.
struct Affinity {
    /// What is hashed; the client's address where it is absent, or where nothing else is named.
    let part: RequestPart?
    /// Whether the path is hashed.
    let hashesPath: Bool
    /// Whether anything is hashed.
    let hashes: Bool
    /// The name of the cookie that keeps clients at their endpoints; `nil` for none.
    let stickyCookie: [UInt8]?
    /// What follows the cookie's value.
    let stickyAttributes: [UInt8]
    /// The endpoints by what stands for them in the cookie.
    var marks: [EndpointMark: EndpointPool] = [:]

    /// Reads the settings; `nil` where requests have no say.
    init?(_ upstream: Upstream) {
        guard upstream.hash != nil || upstream.sticky != nil else { return nil }
        part = upstream.hash.flatMap { RequestPart($0) }
        hashesPath = upstream.hash == .path
        hashes = upstream.hash != nil
        stickyCookie = upstream.sticky.map { Array($0.cookie.utf8) }
        var attributes = "; Path=/; HttpOnly; SameSite=Lax"
        if let ttl = upstream.sticky?.ttl {
            attributes += "; Max-Age=\(max(1, ttl.components.seconds))"
        }
        stickyAttributes = Array(attributes.utf8)
    }
}
