extension Route {
    init(_ fields: FieldReader) {
        let match = fields.record("match")
        self.init(
            name: fields.text("name"),
            listeners: fields.has("listeners")
                ? fields.list("listeners").compactMap(\.scalarText) : nil,
            hosts: fields.has("hosts")
                ? fields.list("hosts").compactMap { value in
                    guard case .host(let host) = value else { return nil }
                    return host
                } : nil,
            conditions: RouteConditions(match),
            exceptions: RouteConditions(match.record("not")),
            action: RouteAction(fields),
            rewrite: fields.has("rewrite") ? Rewrite(fields.record("rewrite")) : nil,
            policies: fields.list("policies").compactMap(\.scalarText),
            cohort: fields.has("cohort") ? Cohort(fields.record("cohort")) : nil,
            mirror: fields.has("mirror") ? Mirroring(fields.record("mirror")) : nil,
            maintenance: fields.has("maintenance")
                ? Maintenance(fields.record("maintenance")) : nil,
            totalTimeout: fields.record("timeouts").durationLimit("total")
        )
    }
}

extension RouteConditions {
    fileprivate init(_ fields: FieldReader) {
        let path = fields.record("path")
        let pattern: PathPattern? =
            if let exact = path.optionalText("exact") {
                .exact(exact)
            } else if let prefix = path.optionalText("prefix") {
                .prefix(prefix)
            } else {
                path.optionalText("regex").map { .regex($0) }
            }
        self.init(
            path: pattern,
            methods: fields.list("methods").compactMap(\.scalarText),
            headers: fields.records("headers").map { field in
                ValueCondition(name: field.text("name").lowercased(), test: .init(field))
            },
            query: fields.records("query").map { field in
                ValueCondition(name: field.text("name"), test: .init(field))
            },
            cookies: fields.records("cookies").map { field in
                ValueCondition(name: field.text("name"), test: .init(field))
            },
            clients: fields.list("clients").compactMap { value in
                guard case .block(let block) = value else { return nil }
                return block
            }
        )
    }
}

extension ValueCondition.Test {
    fileprivate init(_ fields: FieldReader) {
        self =
            if let exact = fields.optionalText("exact") {
                .exact(exact)
            } else if let prefix = fields.optionalText("prefix") {
                .prefix(prefix)
            } else if let regex = fields.optionalText("regex") {
                .regex(regex)
            } else {
                .present(fields.flag("present"))
            }
    }
}

extension RouteAction {
    fileprivate init(_ fields: FieldReader) {
        if fields.has("upstream") {
            self = .upstream(fields.text("upstream"))
        } else if fields.has("split") {
            self = .split(
                fields.records("split").map { side in
                    WeightedUpstream(
                        upstream: side.text("upstream"),
                        weight: side.integer("weight")
                    )
                }
            )
        } else if fields.has("redirect") {
            let redirect = fields.record("redirect")
            self = .redirect(
                Redirect(
                    status: redirect.integer("status"),
                    location: redirect.template("location")
                )
            )
        } else {
            let response = fields.record("respond")
            self = .respond(
                FixedResponse(
                    status: response.integer("status"),
                    headers: response.lines("headers"),
                    body: response.template("body")
                )
            )
        }
    }
}

extension Rewrite {
    fileprivate init(_ fields: FieldReader) {
        let path: PathRewrite? =
            if let prefix = fields.optionalText("prefix") {
                .prefix(prefix)
            } else if let whole = fields.optionalText("path") {
                .path(whole)
            } else if fields.has("regex") {
                .regex(
                    pattern: fields.record("regex").text("pattern"),
                    substitution: fields.record("regex").text("substitution")
                )
            } else {
                nil
            }
        let query = fields.record("query")
        func parameters(_ name: String) -> [QueryEdits.Parameter] {
            query.lines(name).map { QueryEdits.Parameter(name: $0.name, value: $0.value) }
        }
        self.init(
            path: path,
            host: fields.optionalText("host"),
            query: QueryEdits(
                remove: query.namePatterns("remove"),
                set: parameters("set"),
                add: parameters("add")
            )
        )
    }
}

extension Cohort {
    fileprivate init(_ fields: FieldReader) {
        self =
            if let cookie = fields.optionalText("cookie") {
                .cookie(cookie)
            } else if let header = fields.optionalText("header") {
                .header(header)
            } else {
                .clientAddress
            }
    }
}

extension Mirroring {
    fileprivate init(_ fields: FieldReader) {
        self.init(upstream: fields.text("upstream"), share: fields.percentage("share"))
    }
}

extension Maintenance {
    fileprivate init(_ fields: FieldReader) {
        self.init(
            isEnabled: fields.flag("enabled"),
            status: fields.integer("status"),
            retryAfter: fields.has("retryAfter") ? fields.duration("retryAfter") : nil,
            body: fields.template("body")
        )
    }
}

extension Policy {
    init(_ fields: FieldReader) {
        let step: Step
        if fields.has("errorPages") {
            step = .errorPages(
                fields.recordMap("errorPages").compactMap { statuses, page in
                    guard let range = StatusRange.parse(statuses) else { return nil }
                    return ErrorPage(
                        statuses: range,
                        contentType: page.text("contentType"),
                        body: page.template("body")
                    )
                }
            )
        } else {
            let headers = fields.record("headers")
            step = .headers(
                request: FieldEdits(headers.record("request")),
                response: FieldEdits(headers.record("response"))
            )
        }
        self.init(name: fields.text("name"), step: step)
    }
}

extension FieldEdits {
    fileprivate init(_ fields: FieldReader) {
        self.init(
            remove: fields.namePatterns("remove"),
            set: fields.lines("set"),
            add: fields.lines("add")
        )
    }
}

extension RouteTest {
    init(_ fields: FieldReader) {
        let request = fields.record("request")
        let expected = fields.record("expect")
        self.init(
            name: fields.text("name"),
            method: request.text("method"),
            url: request.text("url"),
            headers: request.map("headers").compactMap { field in
                field.value.scalarText.map { Header(name: field.name, value: $0) }
            },
            client: request.optionalText("client"),
            route: expected.optionalText("route"),
            upstream: expected.optionalText("upstream"),
            path: expected.optionalText("path"),
            status: expected.has("status") ? expected.integer("status") : nil
        )
    }
}
