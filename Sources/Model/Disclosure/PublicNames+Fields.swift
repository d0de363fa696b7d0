internal import Bytes
internal import HTTPSemantics

/// The fields whose grammar says where URLs, hosts and paths stand.
extension PublicNames {
    // MARK: URLs

    /// Rewrites the URL that fills a range: absolute, with `//` in front (RFC 3986 §4.2), or a path alone.
    ///
    /// Read as browsers read it (WHATWG URL §4.4): a backslash is a slash, and any number of them begins an authority
    /// behind a scheme. A path that is relative to the request's stays: it is so outside as well.
    func rewrite(
        url value: inout [UInt8],
        _ range: Range<Int>,
        _ view: PublicView,
        _ inverse: InversePath?
    ) {
        let text = value[range].drop { $0 <= 0x20 }
        let scheme = KnownScheme(text)
        let rest = text.dropFirst(scheme?.octetCount ?? 0)
        let slashes = rest.prefix { $0 == slash || $0 == backslash }.count
        guard scheme != nil || slashes >= 2 else {
            if rest.first == slash { replacePath(in: &value, rest, inverse) }
            return
        }
        let place = rest.dropFirst(slashes)
        let end = place.firstIndex { Self.endsAuthority($0) } ?? place.endIndex
        let authority = URLAuthority(place[..<end])
        guard let host = authority.host else { return }
        let isSecure = scheme?.isSecure ?? view.isSecure
        let port = authority.port ?? (isSecure ? 443 : 80)
        let isOwn =
            host == view.host
            && (port == view.port || authority.port == nil && !view.hasPort)
        guard isOwn || names.hides(host, port: port, isURL: true, from: view) else { return }
        var target = Array(value[end..<range.upperBound])
        replacePath(in: &target, target[...], inverse)
        var start: [UInt8] = []
        if !view.authority.isEmpty {
            // A scheme with TLS is never taken away from a URL that is public already.
            let secured = isOwn ? isSecure || view.isSecure : view.isSecure
            let isSocket = scheme?.isSocket ?? false
            start += Array((isSocket ? "ws" : "http").utf8) + Array((secured ? "s://" : "://").utf8)
            start += isOwn ? Array(value[place.startIndex..<end]) : view.authority
        } else {
            if target.first != slash, target.first != backslash { target.insert(slash, at: 0) }
            target = InversePath.withoutHost(target)
        }
        value.replaceSubrange(range, with: start + target)
    }

    /// Puts the path that clients know in the place of the upstream's.
    private func replacePath(
        in value: inout [UInt8],
        _ target: ArraySlice<UInt8>,
        _ inverse: InversePath?
    ) {
        guard let inverse else { return }
        let end = target.firstIndex { $0 == 0x3F || $0 == 0x23 } ?? target.endIndex
        let path = target[target.startIndex..<end]
        guard path.isEmpty || path.first == slash else { return }
        guard let outer = inverse.outer(path.isEmpty ? [slash] : path) else { return }
        value.replaceSubrange(path.startIndex..<end, with: outer)
    }

    private static func endsAuthority(_ octet: UInt8) -> Bool {
        switch octet {
        case slash, backslash, 0x3F, 0x23, 0x20, 0x22, 0x27, 0x3C, 0x3E: true
        default: false
        }
    }

    /// `5; url=http://…`, with or without quotation marks, as browsers read it (HTML §4.2.5.3): `url=` may be left out.
    func rewrite(refresh value: inout [UInt8], _ view: PublicView, _ inverse: InversePath?) {
        let isBlank = { (octet: UInt8) in octet == 0x20 || octet == 0x09 }
        var rest = value.drop { isBlank($0) || $0 == 0x2E || (0x30...0x39).contains($0) }
        rest = rest.drop { isBlank($0) || $0 == 0x3B || $0 == 0x2C }
        if rest.prefix(3).map(asciiLowercased) == Array("url".utf8) {
            let behind = rest.dropFirst(3).drop(while: isBlank)
            if behind.first == UInt8(ascii: "=") { rest = behind.dropFirst().drop(while: isBlank) }
        }
        var end = value.count
        if let mark = rest.first, mark == 0x22 || mark == 0x27 {
            rest = rest.dropFirst()
            end = rest.firstIndex(of: mark) ?? end
        }
        guard rest.startIndex < end else { return }
        rewrite(url: &value, rest.startIndex..<end, view, inverse)
    }

    /// RFC 8288 §3: the target of each link, and its `anchor`.
    func rewrite(link value: inout [UInt8], _ view: PublicView, _ inverse: InversePath?) {
        var result: [UInt8] = []
        result.reserveCapacity(value.count)
        var start = 0
        for range in Self.targets(ofLink: value) {
            result += value[start..<range.lowerBound]
            var target = Array(value[range])
            rewrite(url: &target, target.indices, view, inverse)
            result += target
            start = range.upperBound
            // It does not pass anyway.
            if result.count > DisclosureLimits.publicValueBytesMax { break }
        }
        result += value[start...]
        value = result
    }

    /// Where the URLs of a Link field stand.
    private static func targets(ofLink value: [UInt8]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var index = 0
        while index < value.count {
            switch value[index] {
            case UInt8(ascii: "<"):
                let end = value[index...].firstIndex(of: UInt8(ascii: ">")) ?? value.count
                found.append(index + 1..<end)
                index = end
            case UInt8(ascii: "\""):
                let end = endOfString(value, from: index + 1)
                if isAnchor(value[..<index]) { found.append(index + 1..<end) }
                index = end + 1
            case UInt8(ascii: "=") where isAnchor(value[...index]):
                let start = index + 1
                guard start < value.count, value[start] != 0x22, value[start] != 0x20 else {
                    index += 1
                    continue
                }
                let end =
                    value[start...].firstIndex { $0 == 0x3B || $0 == 0x2C || $0 == 0x20 }
                    ?? value.count
                found.append(start..<end)
                index = end
            default: index += 1
            }
        }
        return found
    }

    private static func endOfString(_ value: [UInt8], from start: Int) -> Int {
        var index = start
        while index < value.count, value[index] != 0x22 {
            index += value[index] == backslash ? 2 : 1
        }
        return min(index, value.count)
    }

    /// Whether what stands before a parameter's value is `anchor=`.
    private static func isAnchor(_ before: ArraySlice<UInt8>) -> Bool {
        var rest = before
        while rest.last == 0x20 || rest.last == 0x09 { rest = rest.dropLast() }
        guard rest.last == UInt8(ascii: "=") else { return false }
        rest = rest.dropLast()
        while rest.last == 0x20 || rest.last == 0x09 { rest = rest.dropLast() }
        return rest.suffix(6).map(asciiLowercased) == Array("anchor".utf8)
    }

    // MARK: Cookies

    /// RFC 6265 §4.1.1: drops a Domain that is internal, says Path as clients know it, and adds Secure over TLS.
    ///
    /// A cookie whose name begins with `__Host-` keeps its Path: it has none but `/`.
    func rewrite(cookie value: inout [UInt8], _ view: PublicView, _ inverse: InversePath?) {
        let parts = value.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard let pair = parts.first else { return }
        let prefix = Array("__host-".utf8)
        let isHostOnly = trimmed(pair).prefix(prefix.count).map(asciiLowercased) == prefix
        var kept = [Array(pair)]
        var isSecure = false
        for part in parts.dropFirst() {
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let text = equals < part.endIndex ? trimmed(part[(equals + 1)...]) : []
            switch String(decoding: trimmed(part[..<equals]).map(asciiLowercased), as: UTF8.self) {
            case "domain" where names.hides(domain: text, from: view): continue
            case "path" where !isHostOnly && text.first == slash:
                guard let path = inverse?.outer(cookie: text) else { break }
                kept.append(Array(part[..<text.startIndex]) + path)
                continue
            case "secure": isSecure = true
            default: break
            }
            kept.append(Array(part))
        }
        if view.isSecure, !isSecure { kept.append(Array(" Secure".utf8)) }
        value = Array(kept.joined(separator: [UInt8(ascii: ";")]))
    }

    private func trimmed(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = octets
        while let first = rest.first, first == 0x20 || first == 0x09 { rest = rest.dropFirst() }
        while let last = rest.last, last == 0x20 || last == 0x09 { rest = rest.dropLast() }
        return rest
    }
}

/// The scheme of a URL that leads to a host over HTTP, with the colon behind it.
private struct KnownScheme {
    let octetCount: Int
    let isSecure: Bool
    let isSocket: Bool

    init?(_ text: ArraySlice<UInt8>) {
        let front = text.prefix(6).map(asciiLowercased)
        for (name, isSecure, isSocket) in [
            ("https:", true, false), ("http:", false, false), ("wss:", true, true),
            ("ws:", false, true),
        ] where front.starts(with: name.utf8) {
            (octetCount, self.isSecure, self.isSocket) = (name.utf8.count, isSecure, isSocket)
            return
        }
        return nil
    }
}

private let slash = UInt8(ascii: "/")
private let backslash = UInt8(ascii: "\\")
