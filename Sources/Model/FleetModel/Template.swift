/// Text with variables of the exchange in it, such as `https://${host}${path}`.
package struct Template: Hashable, Sendable {
    /// Literals and variables in turn; empty for an empty text.
    package let segments: [Segment]

    /// A piece of a template.
    package enum Segment: Hashable, Sendable {
        /// Text as it stands; never empty.
        case literal(String)
        /// The value of a variable in the exchange at hand.
        case variable(Variable)
        /// What a group of the route's regular expression matched, by its number or name.
        case capture(String)
    }

    /// The variables that this build knows.
    package enum Variable: String, Hashable, Sendable, CaseIterable {
        /// The client's address, without a port.
        case client
        /// `http` or `https`, as the client used it.
        case scheme
        /// The request's host, without a port.
        case host
        /// The port of the request's authority, or the scheme's default.
        case port
        /// The normalised path, encoded, without the query.
        case path
        /// The query, without its question mark; empty where there is none.
        case query
        /// The route's name.
        case route
        /// The request's identifier.
        case requestID
        /// The upstream's name; empty without one.
        case upstream
        /// The subject of the client's certificate; empty without one that was verified.
        case subject = "tls.subject"
        /// The SHA-256 of the client's certificate in hexadecimal; empty without one that was verified.
        case fingerprint = "tls.fingerprint"
        /// The version of TLS, such as `TLSv1.3`; empty without TLS.
        case tlsVersion = "tls.version"
    }

    /// Joins segments.
    package init(segments: [Segment]) {
        self.segments = segments
    }

    /// The groups of the route's regular expression that it names.
    package var captures: [String] {
        segments.compactMap { segment in
            if case .capture(let group) = segment { group } else { nil }
        }
    }

    /// Octets of its literals.
    var byteCount: Int {
        segments.reduce(0) { count, segment in
            if case .literal(let text) = segment { count + text.utf8.count } else { count }
        }
    }

    /// The whole text, if no variable is in it.
    package var constant: String? {
        switch segments.count {
        case 0: return ""
        case 1:
            guard case .literal(let text) = segments[0] else { return nil }
            return text
        default: return nil
        }
    }
}
