internal import Bytes
internal import Disclosure
package import FleetModel

/// Says what a response tells of the inside of a configuration.
package struct LeakRules: Sendable {
    private let names: InternalNames
    private let hiding: Hiding
    private let ports: Set<String>
    private let upstreams: Set<String>

    /// Takes what is inside from a configuration.
    ///
    /// - Parameters:
    ///   - configuration: The configuration.
    ///   - discovered: Endpoints that nodes have found, as `host:port`.
    package init(_ configuration: Configuration, discovered: [String] = []) {
        let found = discovered.compactMap { HostPort($0) }.map { place in
            let address = IPAddress(place.host)
            return NetworkAddress(
                host: address.map { .ip($0) } ?? .name(place.host.lowercased()),
                port: UInt16(clamping: place.port)
            )
        }
        names = InternalNames(configuration).adding(found)
        hiding = configuration.hiding
        let listening = Set(configuration.listeners.map(\.address.port))
        let places = configuration.upstreams.flatMap(\.endpoints).map(\.address) + found
        ports = Set(
            places.map(\.port).filter { $0 > 1023 && !listening.contains($0) }.map { ":\($0)" }
        )
        upstreams = Set(configuration.upstreams.map { $0.name.lowercased() })
    }

    /// Looks at all that came back for a request.
    ///
    /// - Parameters:
    ///   - octets: What came, from the first octet of the connection to its last.
    ///   - request: What was asked.
    /// - Returns: What it tells, each once.
    package func findings(_ octets: [UInt8], for request: LeakRequest) -> [LeakFinding] {
        let answer = RawAnswer(octets, method: request.method)
        var found = Gathering(
            request: request,
            view: PublicView(authority: Array(request.authority.utf8), isSecure: request.isSecure),
            status: answer.head?.status ?? 0
        )
        for head in answer.interim {
            look(at: Array(head.reason.utf8), "interim status line", &found)
            for field in head.fields { look(at: field, "interim field", &found) }
        }
        if let head = answer.head {
            look(at: Array(head.reason.utf8), "status line", &found)
            for field in head.fields { look(at: field, "field", &found) }
        }
        for field in answer.trailers { look(at: field, "trailer", &found) }
        if answer.isText { look(atContent: Array(answer.content.prefix(contentMax)), &found) }
        return found.findings
    }

    private var contentMax: Int { LeakSearchLimits.contentBytesMax }

    /// The findings of one response.
    private struct Gathering {
        let request: LeakRequest
        let view: PublicView
        let status: Int
        var findings: [LeakFinding] = []

        mutating func add(_ kind: LeakFinding.Kind, _ place: String, _ text: String, _ hint: String)
        {
            let finding = LeakFinding(
                method: request.method,
                url: request.shownURL,
                status: status,
                place: place,
                kind: kind,
                text: String(text.prefix(LeakSearchLimits.excerptCountMax)),
                hint: hint
            )
            if !findings.contains(finding) { findings.append(finding) }
        }
    }

    // MARK: Fields

    private func look(
        at field: (name: String, value: [UInt8]),
        _ section: String,
        _ found: inout Gathering
    ) {
        let place = "\(section) \(field.name)"
        let text = String(decoding: field.value, as: UTF8.self)
        look(at: field.value, place, &found)
        let isOurs = field.name == "server" && hiding.server == .replace(text)
        let lower = text.lowercased()
        let words = Products.fields.contains(field.name) ? Products.named : []
        if !isOurs, let word = (Products.versioned + words).first(where: { contains(lower, $0) }) {
            found.add(.product, place, excerpt(lower, text, word), fieldHint(field.name))
        } else if !isOurs, field.name == "server" || isProductField(field.name) {
            found.add(.product, place, text, fieldHint(field.name))
        }
        guard field.name == "proxy-status" || field.name.hasPrefix("x-") else { return }
        let tokens = lower.split {
            !$0.isLetter && !$0.isNumber && $0 != "-" && $0 != "_" && $0 != "."
        }
        for token in tokens where upstreams.contains(String(token)) {
            found.add(.name, place, String(token), fieldHint(field.name))
        }
    }

    /// Whether a word stands in a text, and not within another word.
    private func contains(_ text: String, _ word: String) -> Bool {
        guard let range = text.firstRange(of: word) else { return false }
        guard range.lowerBound > text.startIndex else { return true }
        return !text[text.index(before: range.lowerBound)].isLetter
    }

    private func isProductField(_ name: String) -> Bool {
        (hiding.productHeaders + hiding.responseHeaders).contains { pattern in
            pattern.isPrefix ? name.hasPrefix(pattern.name) : name == pattern.name
        }
    }

    // MARK: Text

    /// Looks for names and ports in any text.
    private func look(at value: [UInt8], _ place: String, _ found: inout Gathering) {
        for sighting in names.sightings(in: value.span, from: found.view) {
            let text = String(decoding: value[sighting.range], as: UTF8.self)
            found.add(.name, place, text, hint(place))
        }
        let text = String(decoding: value, as: UTF8.self)
        for port in ports {
            guard let range = text.firstRange(of: port), range.lowerBound > text.startIndex,
                text[range.upperBound...].first?.isNumber != true
            else { continue }
            let before = text[..<range.lowerBound]
            guard let last = before.last, last.isLetter || last.isNumber || last == "]" else {
                continue
            }
            let start = before.lastIndex { !$0.isLetter && !$0.isNumber && $0 != "." && $0 != "-" }
            let host = before[(start.map { text.index(after: $0) } ?? text.startIndex)...]
            if host.allSatisfy(\.isNumber) { continue }
            if found.findings.contains(where: { $0.place == place && $0.text.hasSuffix(port) }) {
                continue
            }
            found.add(.port, place, host + port, hint(place))
        }
    }

    private func look(atContent content: [UInt8], _ found: inout Gathering) {
        look(at: content, "content", &found)
        let text = String(decoding: content, as: UTF8.self)
        let lower = text.lowercased()
        for (kind, words) in [
            (LeakFinding.Kind.product, Products.versioned + Products.pages),
            (.trace, Products.traces),
        ] {
            for word in words where contains(lower, word) && !isPlainWord(lower, word) {
                found.add(kind, "content", excerpt(lower, text, word), contentHint(found.status))
            }
        }
        if isTrace(lower) {
            found.add(.trace, "content", "stack frames", contentHint(found.status))
        }
    }

    /// Whether a product's name without a version stands in a page: as a word it tells nothing.
    private func isPlainWord(_ text: String, _ word: String) -> Bool {
        guard Products.versioned.contains(word) else { return false }
        guard word.hasSuffix("/") || word.hasSuffix("(") else { return true }
        guard let range = text.firstRange(of: word) else { return true }
        return text[range.upperBound...].first?.isNumber != true
    }

    /// `at name(file:12)`, `file.py", line 12`, `file.rb:12:in`.
    private func isTrace(_ text: String) -> Bool {
        for mark in [
            ".java:", ".kt:", ".rb:", ".cs:line ", ".go:", ".js:", ".ts:", ".php:", ".py\", line ",
        ] {
            guard let range = text.firstRange(of: mark) else { continue }
            if text[range.upperBound...].first?.isNumber == true { return true }
        }
        return false
    }

    /// A word with what follows it.
    private func excerpt(_ lower: String, _ text: String, _ word: String) -> String {
        guard let range = lower.firstRange(of: word) else { return text }
        let offset = lower.distance(from: lower.startIndex, to: range.lowerBound)
        let rest = text.dropFirst(offset).prefix { $0 != "\n" && $0 != "\r" && $0 != "<" }
        return rest.isEmpty ? word : String(rest)
    }

    // MARK: Hints

    private func hint(_ place: String) -> String {
        guard let name = place.split(separator: " ").last,
            place.contains("field") || place.contains("trailer")
        else {
            return place == "content"
                ? contentHint(200)
                : hiding.rewriteFields ? "a defect of the proxy" : "hiding.rewriteFields: true"
        }
        return fieldHint(String(name))
    }

    private func fieldHint(_ name: String) -> String {
        switch name {
        case "server": return "hiding.server: remove"
        case "location", "content-location", "refresh", "link":
            return hiding.rewriteLocation
                ? "hiding.responseHeaders: [\(name)]" : "hiding.rewriteLocation: true"
        case "set-cookie":
            return hiding.rewriteCookies
                ? "another cookie of the origin" : "hiding.rewriteCookies: true"
        case "via":
            return hiding.rewriteFields ? "hiding.via: a pseudonym" : "hiding.rewriteFields: true"
        case "proxy-status":
            return hiding.names ? "hiding.names: false" : "hiding.rewriteFields: true"
        default:
            return hiding.rewriteFields || isProductField(name)
                ? "hiding.responseHeaders: [\(name)]" : "hiding.rewriteFields: true"
        }
    }

    private func contentHint(_ status: Int) -> String {
        status >= 400
            ? "a policy with errorPages for \(status)"
            : "content is the origin's: have it use X-Forwarded-Host, or relative URLs"
    }
}
