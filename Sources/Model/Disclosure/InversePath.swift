package import FleetModel

/// The way back from the paths of an upstream to those that clients know, where a route replaces a prefix.
///
///     match.path.prefix  /products       ◀──  rewrite.prefix  /api/v1/items
///                        /products/7     ◀──                  /api/v1/items/7
///
/// A fixed path and a regular expression have no way back.
package struct InversePath: Sendable {
    /// What clients say, without a slash at its end: empty for `/`.
    private let outer: [UInt8]
    /// What the upstream gets in its place, likewise.
    private let inner: [UInt8]

    /// The way back of a route; `nil` where it has none, or where the paths are the same.
    package init?(_ route: Route) {
        guard case .prefix(let inner)? = route.rewrite?.path,
            case .prefix(let outer)? = route.conditions.path
        else { return nil }
        self.init(outer: outer, inner: inner)
    }

    /// The way back from one prefix to another; `nil` where they are the same.
    package init?(outer: String, inner: String) {
        guard inner != outer else { return nil }
        self.outer = Array(PathPattern.stem(ofPrefix: outer).utf8)
        self.inner = Array(PathPattern.stem(ofPrefix: inner).utf8)
    }

    /// The path that clients know.
    ///
    /// - Parameter path: A path as the upstream has it, without a query; it starts with a slash.
    /// - Returns: A path that names no host; `nil` where it is not below what the route replaces.
    package func outer(_ path: ArraySlice<UInt8>) -> [UInt8]? {
        replaced(path).map(Self.withoutHost)
    }

    private func replaced(_ path: ArraySlice<UInt8>) -> [UInt8]? {
        guard let rest = Self.rest(of: path, below: inner) else { return nil }
        let found = outer + rest
        return found.isEmpty ? Self.root : found
    }

    /// A path as it stands where a URL may: with `/.` before two slashes, which would begin an authority.
    ///
    /// RFC 3986 §4.2, and as browsers read it (WHATWG URL §4.4), to which a backslash is a slash and a tab is nothing.
    /// `/api//evil.test/` of an upstream behind `/` would lead to another host than `/.//evil.test/` does.
    static func withoutHost(_ path: [UInt8]) -> [UInt8] {
        let next = path.dropFirst().first { $0 != 0x09 }
        guard next == slash || next == UInt8(ascii: "\\") else { return path }
        return [slash, UInt8(ascii: ".")] + path
    }

    /// The path of a cookie that clients know; one above what the route replaces is for all of it.
    package func outer(cookie path: ArraySlice<UInt8>) -> [UInt8]? {
        var path = path
        if path.count > 1, path.last == Self.slash { path = path.dropLast() }
        let all = outer.isEmpty ? Self.root : outer
        if path == Self.root[...] { return inner.isEmpty ? all : nil }
        if let found = replaced(path) { return found }
        return Self.rest(of: inner[...], below: Array(path)) == nil ? nil : all
    }

    /// What follows a prefix, from a slash on; `nil` where the path is not below it.
    private static func rest(
        of path: ArraySlice<UInt8>,
        below prefix: [UInt8]
    ) -> ArraySlice<UInt8>? {
        guard path.starts(with: prefix) else { return nil }
        let rest = path.dropFirst(prefix.count)
        return rest.isEmpty || rest.first == slash ? rest : nil
    }

    private static let slash = UInt8(ascii: "/")
    private static let root = [slash]
}
