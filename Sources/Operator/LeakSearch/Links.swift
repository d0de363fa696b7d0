/// Finds where a response leads to on the same host.
enum Links {
    /// The targets that an answer links to.
    ///
    /// - Parameters:
    ///   - answer: What came.
    ///   - request: What was asked, against which they are resolved (RFC 3986 §5.2, as far as paths go).
    /// - Returns: Targets in origin-form, each once, in their order.
    static func targets(of answer: RawAnswer, for request: LeakRequest) -> [String] {
        var found: [String] = []
        for head in answer.interim + (answer.head.map { [$0] } ?? []) {
            found += head.values("location") + head.values("content-location")
            for value in head.values("link") {
                found += value.split(separator: "<").dropFirst().map {
                    String($0.prefix { $0 != ">" })
                }
            }
        }
        let isPage =
            answer.head?.values("content-type").last?.lowercased().contains("html") ?? false
        if isPage {
            let text = String(
                decoding: answer.content.prefix(LeakSearchLimits.contentBytesMax),
                as: UTF8.self
            )
            for name in ["href=", "src=", "action="] { found += attributes(name, in: text) }
        }
        var targets: [String] = []
        for link in found {
            guard let target = resolve(link, request), !targets.contains(target) else { continue }
            targets.append(target)
        }
        return targets
    }

    private static func attributes(_ name: String, in text: String) -> [String] {
        text.ranges(of: name).compactMap { range in
            let rest = text[range.upperBound...]
            guard let mark = rest.first, mark == "\"" || mark == "'" else {
                return String(rest.prefix { !$0.isWhitespace && $0 != ">" })
            }
            return String(rest.dropFirst().prefix { $0 != mark })
        }
    }

    private static func resolve(_ link: String, _ request: LeakRequest) -> String? {
        var text = link.prefix { $0 != "#" }
        for scheme in ["http:", "https:"] where text.lowercased().hasPrefix(scheme) {
            text = text.dropFirst(scheme.count)
            guard text.hasPrefix("//") else { return nil }
        }
        if text.hasPrefix("//") {
            text = text.dropFirst(2)
            let end = text.firstIndex { "/?".contains($0) } ?? text.endIndex
            guard text[..<end].lowercased() == request.authority.lowercased() else { return nil }
            text = text[end...]
            if !text.hasPrefix("/") { text = "/" + text }
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        if text.hasPrefix("/") { return String(text) }
        // Another scheme: mailto, data, javascript.
        guard !text.prefix(while: { $0 != "/" && $0 != "?" }).contains(":") else { return nil }
        let path = request.target.prefix { $0 != "?" }
        if text.hasPrefix("?") { return String(path) + String(text) }
        return String(path[...(path.lastIndex(of: "/") ?? path.startIndex)]) + String(text)
    }
}
