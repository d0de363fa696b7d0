internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import RegularExpressions

/// A text of the configuration as the request path needs it: octets and variables in turn.
struct CompiledTemplate {
    let pieces: [Piece]
    /// The whole text, if no variable is in it.
    let constant: [UInt8]?
    /// What must be kept of a request's head for it.
    let needs: KeptParts

    /// A piece of a text.
    enum Piece {
        case literal([UInt8])
        case variable(Template.Variable)
        /// A group of the route's regular expression.
        case capture(String)
    }

    init(_ template: Template) {
        var needs = KeptParts()
        pieces = template.segments.map { segment in
            switch segment {
            case .literal(let text): return .literal(Array(text.utf8))
            case .variable(let variable):
                needs.formUnion(KeptParts(variable))
                return .variable(variable)
            case .capture(let group):
                needs.formUnion([.path, .captures])
                return .capture(group)
            }
        }
        self.needs = needs
        constant = template.constant.map { Array($0.utf8) }
    }
}

/// Parts of a request's head that variables stand for: it is gone when a response comes.
struct KeptParts: OptionSet {
    let rawValue: UInt8

    static let host = KeptParts(rawValue: 1)
    static let path = KeptParts(rawValue: 2)
    static let query = KeptParts(rawValue: 4)
    /// Where the groups of the route's regular expression lie in the path.
    static let captures = KeptParts(rawValue: 8)
}

extension KeptParts {
    /// What a variable needs.
    fileprivate init(_ variable: Template.Variable) {
        switch variable {
        case .host: self = .host
        case .path: self = .path
        case .query: self = .query
        case .client, .scheme, .port, .route, .requestID, .upstream, .subject, .fingerprint,
            .tlsVersion:
            self = []
        }
    }
}

/// Where the octets of an expanded text go.
protocol OctetSink: ~Copyable {
    /// Takes octets; `false` when they do not fit.
    mutating func take(_ octets: Span<UInt8>) -> Bool
    mutating func take(_ text: StaticString) -> Bool
    mutating func take(decimal number: UInt64) -> Bool
}

extension OctetSink where Self: ~Copyable {
    mutating func take(_ octets: [UInt8]) -> Bool { take(octets.span) }
}

extension Buffer: OctetSink {
    mutating func take(_ octets: Span<UInt8>) -> Bool { append(octets) }
    mutating func take(_ text: StaticString) -> Bool { append(text) }
    mutating func take(decimal number: UInt64) -> Bool { append(decimal: number) }
}

extension [UInt8]: OctetSink {
    mutating func take(_ octets: Span<UInt8>) -> Bool {
        append(copying: octets)
        return true
    }

    mutating func take(_ text: StaticString) -> Bool {
        self += Array(text.description.utf8)
        return true
    }

    mutating func take(decimal number: UInt64) -> Bool {
        self += Array(String(number).utf8)
        return true
    }
}

extension Exchange {
    /// Keeps what the texts of the route need of the head, before other octets take its place.
    func keep(_ needs: KeptParts, of client: Client) {
        client.buffer.withReadable { octets in
            if needs.contains(.host) {
                note.keptHost = note.add(octets.extracting(request.authority.host.indices))
            }
            if needs.contains(.path) { note.keptPath = keepPath(octets) }
            if needs.contains(.query) {
                let query = octets.extracting(request.query.indices)
                note.keptQuery = note.add(query, bytesMax: .max)
            }
        }
        if needs.contains(.captures) { keepCaptures() }
    }

    /// Finds the groups of the route's regular expression once more: the search for a route asks for none.
    private func keepCaptures() {
        guard let route, let expression = served?.tables.expressions[route] else { return }
        do throws(MatchError) {
            _ = try note.withOctets(of: note.keptPath) { path throws(MatchError) in
                try expression.captures(whole: path, into: &captures)
            }
        } catch {
            // It has just matched; if memory is short now, the groups are empty.
            captures = Captures()
        }
    }

    /// Writes what a group matched: nothing where it took no part.
    private func expand(
        capture group: String,
        to sink: inout some OctetSink & ~Copyable
    ) -> Bool {
        guard let route, let expression = served?.tables.expressions[route],
            let number = Int(group) ?? expression.groupNames[group],
            let range = captures[number]
        else { return true }
        let start = note.keptPath.lowerBound
        return note.give(start + range.lowerBound..<start + range.upperBound, to: &sink)
    }

    private func keepPath(_ octets: Span<UInt8>) -> Range<Int> {
        if !isPathNormalised {
            let path = normalisedPath
            return note.add(path.span, bytesMax: .max)
        }
        if request.path.isEmpty {
            let root: [UInt8] = [UInt8(ascii: "/")]
            return note.add(root.span)
        }
        return note.add(octets.extracting(request.path.indices), bytesMax: .max)
    }

    /// Writes a text with the values of its variables, at any time between the route's choice and the exchange's end.
    ///
    /// What comes from the client, its certificate's subject too, is free of CR, LF and NUL.
    ///
    /// - Parameters:
    ///   - template: A text of the route, whose `needs` were kept.
    ///   - sink: Where it goes, behind what is there.
    /// - Returns: `false` when it does not fit, and then a part of it may be there.
    func expand(_ template: CompiledTemplate, to sink: inout some OctetSink & ~Copyable) -> Bool {
        for piece in template.pieces {
            guard expand(piece, to: &sink) else { return false }
        }
        return true
    }

    /// Writes a piece of a text.
    func expand(
        _ piece: CompiledTemplate.Piece,
        to sink: inout some OctetSink & ~Copyable
    ) -> Bool {
        switch piece {
        case .literal(let text): sink.take(text)
        case .variable(let variable): expand(variable, to: &sink)
        case .capture(let group): expand(capture: group, to: &sink)
        }
    }

    private func expand(
        _ variable: Template.Variable,
        to sink: inout some OctetSink & ~Copyable
    ) -> Bool {
        switch variable {
        case .client:
            if !note.client.isEmpty { return note.give(note.client, to: &sink) }
            return sink.take(client?.peerText ?? [])
        case .scheme: return sink.take(isClientHTTPS ? "https" : "http")
        case .host: return note.give(note.keptHost, to: &sink)
        case .port:
            let usual: UInt16 = isClientHTTPS ? 443 : 80
            let port = request.authority.port
            return sink.take(decimal: UInt64(port == 0 ? usual : port))
        case .path: return note.give(note.keptPath, to: &sink)
        case .query: return note.give(note.keptQuery, to: &sink)
        case .route: return sink.take(routeLabel)
        case .requestID:
            let identifier = note.identifierText()
            return note.give(identifier, to: &sink)
        case .upstream: return sink.take(upstream?.label ?? [])
        case .subject: return sink.take(client?.security?.subject ?? [])
        case .fingerprint: return sink.take(client?.security?.fingerprint ?? [])
        case .tlsVersion: return sink.take(client?.security?.versionName ?? "")
        }
    }
}
