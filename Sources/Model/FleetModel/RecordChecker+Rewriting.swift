import RegularExpressions

extension RecordChecker {
    // MARK: Rewrites

    /// A path is rewritten in one way, and only for somebody who sees it.
    mutating func checkRewrite(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let rewrite = value["rewrite"], let part = node["rewrite"] else { return }
        for action in ["redirect", "respond"] where value[action] != nil {
            complain(
                "does nothing with \(action): no upstream sees the request",
                field: "rewrite",
                at: part.place
            )
        }
        let ways = ["prefix", "path", "regex"].filter { rewrite[$0] != nil }
        if ways.count > 1 {
            complain(
                "has \(ways.joined(separator: ", ")), of which it may have only one",
                field: "rewrite",
                at: part[ways[1]]?.place ?? part.place
            )
        }
        if rewrite["prefix"] != nil, value["match"]?["path"]?["prefix"] == nil {
            let hasExact = value["match"]?["path"]?["exact"] != nil
            complain(
                hasExact
                    ? "replaces a prefix, and match.path is exact: take rewrite.path"
                    : "replaces the prefix that match.path.prefix names, which is missing",
                field: "rewrite.prefix",
                at: part["prefix"]?.place ?? part.place
            )
        }
        for way in ["prefix", "path"] {
            guard let path = rewrite[way]?.scalarText, path.hasPrefix("//") else { continue }
            complain(
                "\(quoted(path)) begins with two slashes, behind which some readers see a host: begin with one",
                field: "rewrite.\(way)",
                at: part[way]?.place ?? part.place
            )
        }
        checkSubstitution(rewrite, part)
        checkQueryEdits(rewrite, part)
    }

    private mutating func checkSubstitution(_ rewrite: SettingValue, _ part: ConfigurationNode) {
        guard let pattern = rewrite["regex"]?["pattern"]?.scalarText,
            let text = rewrite["regex"]?["substitution"]?.scalarText
        else { return }
        let place = part["regex"]?.place ?? part.place
        let expression: RegularExpression
        do {
            expression = try RegularExpression(pattern: pattern)
        } catch {
            return complain(
                "\(quoted(pattern)): \(error)",
                field: "rewrite.regex.pattern",
                at: part["regex"]?["pattern"]?.place ?? place
            )
        }
        let textPlace = part["regex"]?["substitution"]?.place ?? place
        let field = "rewrite.regex.substitution"
        do {
            _ = try Substitution(text, for: expression)
        } catch {
            return complain("\(quoted(text)): \(error)", field: field, at: textPlace)
        }
        if text.utf8.contains(where: { "?#".utf8.contains($0) }) {
            complain(
                "\(quoted(text)): a path has no query and no fragment; rewrite.query changes the query",
                field: field,
                at: textPlace
            )
        }
    }

    private mutating func checkQueryEdits(_ rewrite: SettingValue, _ part: ConfigurationNode) {
        guard let query = rewrite["query"], let edits = part["query"] else { return }
        for side in ["set", "add"] {
            guard case .record(let parameters)? = query[side] else { continue }
            for parameter in parameters where parameter.name.isEmpty {
                complain(
                    "a parameter needs a name",
                    field: "rewrite.query.\(side)",
                    at: edits[side]?.place ?? edits.place
                )
            }
        }
        checkSize(of: query, edits, field: "rewrite.query")
    }

    /// RFC 9110 §15.3.5, §15.3.6, §15.4.5: some responses have no content.
    mutating func checkMaintenance(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let maintenance = value["maintenance"], let part = node["maintenance"],
            case .integer(let status)? = maintenance["status"], [204, 205, 304].contains(status),
            case .template(_, let body)? = maintenance["body"], !body.isEmpty
        else { return }
        complain(
            "a response with status \(status) has no content",
            field: "maintenance.body",
            at: part["body"]?.place ?? part.place
        )
    }

    // MARK: Fields

    /// Fields of the connection, of its framing or of the proxy cannot be edited.
    mutating func checkFieldEdits(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let headers = value["headers"], let part = node["headers"] else { return }
        for message in ["request", "response"] {
            guard let edits = headers[message], let side = part[message] else { continue }
            let field = "headers.\(message)"
            for edit in ["set", "add"] {
                guard case .record(let lines)? = edits[edit] else { continue }
                for line in lines {
                    guard let reason = Self.refusal(of: line.name, in: message) else { continue }
                    complain(
                        reason,
                        field: "\(field).\(edit)[\(line.name)]",
                        at: Self.place(of: line.name, in: side[edit]) ?? side.place
                    )
                }
            }
            checkRemovals(edits, side, message)
            checkSize(of: edits, side, field: field)
        }
    }

    private mutating func checkRemovals(
        _ edits: SettingValue,
        _ side: ConfigurationNode,
        _ message: String
    ) {
        guard case .list(let removed)? = edits["remove"] else { return }
        let items = side["remove"]?.items ?? []
        for (index, name) in removed.compactMap(\.scalarText).enumerated() {
            guard let reason = Self.refusal(of: name, in: message) else { continue }
            complain(
                reason,
                field: "headers.\(message).remove[\(index)]",
                at: index < items.count && items.count == removed.count
                    ? items[index].place : side.place
            )
        }
    }

    /// Where a key of a map stands, whatever its case.
    private static func place(of name: String, in node: ConfigurationNode?) -> Place? {
        node?.entries?.first { $0.key.lowercased() == name }?.keyPlace
    }

    /// Why a field cannot be edited; `nil` if it can.
    ///
    /// Of requests, `_` and other signs are `-` too: to back ends in the manner of CGI (RFC 3875 §4.1.18) both are one field.
    private static func refusal(of name: String, in message: String) -> String? {
        let name = message == "request" ? dashed(name) : name
        if connectionFields.contains(name) {
            return "\(name) belongs to the connection, and the proxy writes it"
        }
        if message == "request" {
            if name == "host" { return "the upstream's Host is changed by rewrite.host" }
            if actedOnFields.contains(name) { return "\(name) is acted on by the proxy itself" }
            return writtenFields.contains(name) ? "\(name) is written by the proxy itself" : nil
        }
        switch name {
        case "server": return "Server is changed by hiding.server"
        case "date", "via", "proxy-status": return "\(name) is written by the proxy itself"
        default: return nil
        }
    }

    /// A field's name with hyphens for all signs.
    static func dashed(_ name: String) -> String {
        String(name.map { $0.isLetter || $0.isNumber ? $0 : "-" })
    }

    /// RFC 9110 §7.6.1, §8.6; RFC 9112 §6.1.
    private static let connectionFields: Set<String> = [
        "connection", "content-length", "http2-settings", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    ]
    /// RFC 9110 §7.6.2, §10.1.1.
    private static let actedOnFields: Set<String> = ["expect", "max-forwards"]
    private static let writtenFields: Set<String> = [
        "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    ]

    /// Heads have little room: what is written into each must be little.
    private mutating func checkSize(
        of edits: SettingValue,
        _ node: ConfigurationNode,
        field: String
    ) {
        var count = 0
        var byteCount = 0
        for edit in ["set", "add"] {
            guard case .record(let lines)? = edits[edit] else { continue }
            count += lines.count
            for line in lines {
                byteCount += line.name.utf8.count + (line.value.scalarText?.utf8.count ?? 0)
            }
        }
        if case .list(let names)? = edits["remove"] { count += names.count }
        if count > ModelLimits.editCountMax {
            complain(
                "has \(count) changes; at most \(ModelLimits.editCountMax) are allowed",
                field: field,
                at: node.place
            )
        }
        if byteCount > ModelLimits.editBytesMax {
            complain(
                "writes \(byteCount) octets into each head; at most \(ModelLimits.editBytesMax) are allowed",
                field: field,
                at: node.place
            )
        }
    }

    // MARK: Error pages

    /// A page has content, or a file that proxyctl reads.
    mutating func checkErrorPages(_ value: SettingValue, _ node: ConfigurationNode) {
        guard case .record(let pages)? = value["errorPages"],
            let entries = node["errorPages"]?.entries
        else { return }
        if entries.isEmpty {
            complain(
                "has no page: name status codes, such as \"502-504\"",
                field: "errorPages",
                at: node["errorPages"]?.place ?? node.place
            )
        }
        for page in pages where page.value["body"] == nil {
            let entry = entries.first { (try? StatusRange.text($0.key)) == page.name }
            // A body that was given and is wrong has its own problem.
            guard entry?.value["body"] == nil else { continue }
            let hasFile = page.value["file"]?.scalarText?.isEmpty == false
            // The contract's own example names files that nobody has read.
            if hasFile, acceptsUnbuilt { continue }
            complain(
                hasFile
                    ? "a file is read by proxyctl at apply; here, body must hold its text"
                    : "needs a file or a body",
                field: "errorPages[\(page.name)]",
                at: entry?.keyPlace ?? node.place
            )
        }
    }
}
