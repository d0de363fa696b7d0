internal import Bytes
internal import FleetModel
internal import HTTPSemantics

/// Recognises what names an endpoint in the fields of a response, and says it in public names.
///
/// An endpoint's host and port become the authority that the client asked for; a cookie's Domain that names an
/// endpoint's host goes, so that the cookie is for the host that the client asked for. Everything else stays as it
/// is, octet for octet.
struct PublicNames {
    /// `host:port` of all endpoints, in lower case.
    private let authorities: Set<[UInt8]>
    /// The hosts of all endpoints, in lower case.
    private let hosts: Set<[UInt8]>
    private let rewritesLocations: Bool
    private let rewritesCookies: Bool

    /// Makes the set of what names an endpoint; `nil` when nothing is to be rewritten.
    init?(_ hiding: Hiding, _ upstreams: [Upstream]) {
        // The path of a unix socket stands in no URL.
        let addresses = upstreams.flatMap(\.endpoints).map(\.address).filter { $0.path == nil }
        guard hiding.rewriteLocation || hiding.rewriteCookies, !addresses.isEmpty else {
            return nil
        }
        authorities = Set(addresses.map { Array($0.description.utf8) })
        hosts = Set(addresses.map { Array($0.hostText.utf8) })
        rewritesLocations = hiding.rewriteLocation
        rewritesCookies = hiding.rewriteCookies
    }

    /// Whether values of a field may have to be rewritten.
    @inline(__always)
    func concerns(_ name: FieldName) -> Bool {
        switch name {
        case .location, .contentLocation, .refresh: rewritesLocations
        case .setCookie: rewritesCookies
        default: false
        }
    }

    /// Rewrites the value of a field that `concerns` names.
    ///
    /// - Parameters:
    ///   - name: The field.
    ///   - value: Its value.
    ///   - authority: What the client asked for; empty when it did not say.
    /// - Returns: The new value, or `nil` when the old one may pass.
    func rewrite(_ name: FieldName, _ value: [UInt8], authority: [UInt8]) -> [UInt8]? {
        switch name {
        case .location, .contentLocation: rewrite(url: value, from: 0, authority)
        case .refresh: rewrite(refresh: value, authority)
        case .setCookie: rewrite(cookie: value)
        default: nil
        }
    }

    // MARK: URLs

    /// Rewrites an absolute URL, or one that begins with `//` (RFC 3986 §4.2), from an offset to the end.
    private func rewrite(url value: [UInt8], from start: Int, _ authority: [UInt8]) -> [UInt8]? {
        let span = value.span.extracting(start...)
        var authorityStart = start
        var defaultPort = ":80"
        if span.count > 7, span.extracting(0..<7).equalsIgnoringCase(Array("http://".utf8).span) {
            authorityStart += 7
        } else if span.count > 8,
            span.extracting(0..<8).equalsIgnoringCase(Array("https://".utf8).span)
        {
            authorityStart += 8
            defaultPort = ":443"
        } else if span.count > 2, span[0] == UInt8(ascii: "/"), span[1] == UInt8(ascii: "/") {
            authorityStart += 2
        } else {
            return nil
        }
        let end =
            value[authorityStart...].firstIndex { "/?#\"' ".utf8.contains($0) } ?? value.count
        // Userinfo is no part of the name.
        let nameStart =
            value[authorityStart..<end].lastIndex(of: UInt8(ascii: "@")).map { $0 + 1 }
            ?? authorityStart
        var name = value[nameStart..<end].map(asciiLowercased)
        if !hasPort(name) { name += Array(defaultPort.utf8) }
        guard authorities.contains(name) else { return nil }
        var result = Array(value[..<start])
        if !authority.isEmpty { result += Array("http://".utf8) + authority }
        if end == value.count, authority.isEmpty { result.append(UInt8(ascii: "/")) }
        return result + value[end...]
    }

    private func hasPort(_ name: [UInt8]) -> Bool {
        guard let colon = name.lastIndex(of: UInt8(ascii: ":")) else { return false }
        return !name[colon...].contains(UInt8(ascii: "]"))
    }

    /// `5; url=http://…`, with or without quotation marks.
    private func rewrite(refresh value: [UInt8], _ authority: [UInt8]) -> [UInt8]? {
        let mark = Array("url=".utf8)
        guard value.count > mark.count else { return nil }
        for index in 0..<value.count - mark.count
        where value.span.extracting(index..<index + mark.count).equalsIgnoringCase(mark.span) {
            var start = index + mark.count
            if value[start] == UInt8(ascii: "\"") || value[start] == UInt8(ascii: "'") {
                start += 1
            }
            return rewrite(url: value, from: start, authority)
        }
        return nil
    }

    // MARK: Cookies

    /// RFC 6265 §4.1.1: drops the attributes Domain that name an endpoint.
    private func rewrite(cookie value: [UInt8]) -> [UInt8]? {
        var parts = value.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        let count = parts.count
        guard count > 1 else { return nil }
        parts = [parts[0]] + parts[1...].filter { !namesEndpoint($0) }
        guard parts.count < count else { return nil }
        return Array(parts.joined(separator: [UInt8(ascii: ";")]))
    }

    private func namesEndpoint(_ attribute: ArraySlice<UInt8>) -> Bool {
        guard let equals = attribute.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let name = trimmed(attribute[..<equals])
        guard Array(name).span.equalsIgnoringCase(Array("domain".utf8).span) else { return false }
        var host = trimmed(attribute[(equals + 1)...])
        if host.first == UInt8(ascii: ".") { host = host.dropFirst() }
        return hosts.contains(host.map(asciiLowercased))
    }

    private func trimmed(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = octets
        while let first = rest.first, first == 0x20 || first == 0x09 { rest = rest.dropFirst() }
        while let last = rest.last, last == 0x20 || last == 0x09 { rest = rest.dropLast() }
        return rest
    }
}
