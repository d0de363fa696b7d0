internal import Bytes
package import FleetModel
package import HTTPSemantics

/// Says in public names what the fields of a response say in internal ones (InternalNames.swift).
///
/// A URL whose authority is internal gets the scheme and the authority that the client asked for, and the path that
/// the client knows; so does a URL that names the client's own authority, and a path alone. What is left then of
/// internal names becomes the client's authority in fields that a client acts on, and in URLs; a field that says
/// such a name otherwise goes. Everything else stays as it is, octet for octet.
package final class PublicNames {
    /// What is internal.
    package private(set) var names: InternalNames
    /// What the configuration says of it.
    private let configured: InternalNames
    /// Where endpoints have been found, by upstream.
    private var found: [String: [NetworkAddress]] = [:]
    /// Whether fields that name places are rewritten.
    package let rewritesLocations: Bool
    /// Whether cookies are.
    package let rewritesCookies: Bool
    /// Whether others are.
    package let rewritesOthers: Bool
    /// The pseudonym in Via; empty where none is sent.
    private let via: [UInt8]

    /// What a response shows of a field's value.
    package enum Shown: Equatable {
        /// It as it is.
        case same
        /// Another value.
        case replaced([UInt8])
        /// Nothing: the line goes.
        case nothing
    }

    /// Makes what a configuration needs; `nil` when everything may pass as it is.
    package init?(_ configuration: Configuration) {
        let hiding = configuration.hiding
        guard hiding.rewriteLocation || hiding.rewriteCookies || hiding.rewriteFields else {
            return nil
        }
        configured = InternalNames(configuration)
        if configured.isEmpty { return nil }
        names = configured
        rewritesLocations = hiding.rewriteLocation
        rewritesCookies = hiding.rewriteCookies
        rewritesOthers = hiding.rewriteFields
        via = Array((hiding.via ?? "").utf8)
    }

    /// Takes note of where an upstream's endpoints are, where they are found: the configuration does not say it.
    ///
    /// - Complexity: O(internal names) when any of it is new.
    package func take(_ addresses: [NetworkAddress], of upstream: String) {
        guard found[upstream] != addresses else { return }
        found[upstream] = addresses
        names = configured.adding(found.values.joined())
    }

    /// Settles what a client sees of a value.
    ///
    /// - Parameters:
    ///   - name: The field; one that is not unconcerned.
    ///   - value: Its value.
    ///   - view: What the client asked for.
    ///   - inverse: The way back from the upstream's paths.
    /// - Returns: The value in public names, or that the line goes.
    package func show(
        _ name: FieldName,
        _ value: [UInt8],
        to view: PublicView,
        _ inverse: InversePath?
    ) -> Shown {
        var result = value
        switch name {
        case .via: return via.isEmpty ? .nothing : .replaced(Self.withoutNames(via: value))
        case .altSvc, .proxyStatus: return .nothing
        case .location, .contentLocation:
            rewrite(url: &result, 0..<value.count, view, inverse)
        case .refresh: rewrite(refresh: &result, view, inverse)
        case .link: rewrite(link: &result, view, inverse)
        case .setCookie: if rewritesCookies { rewrite(cookie: &result, view, inverse) }
        default: break
        }
        guard result.count <= DisclosureLimits.publicValueBytesMax else { return .nothing }
        return scrub(name, result, value, view)
    }

    // MARK: What is left

    /// Takes out what still names something internal.
    private func scrub(
        _ name: FieldName,
        _ text: [UInt8],
        _ value: [UInt8],
        _ view: PublicView
    ) -> Shown {
        var text = text
        for _ in 0..<DisclosureLimits.scrubPassesMax {
            let found = names.sightings(in: text.span, from: view)
            if found.isEmpty { return text == value ? .same : .replaced(text) }
            guard Self.isActedOn(name) || found.allSatisfy(\.isURL) else { return .nothing }
            // Who did not say an authority can be given none, but a field that names a place stays a place.
            if view.authority.isEmpty, !Self.isActedOn(name) { return .nothing }
            text = replace(found, in: text, view)
            guard text.count <= DisclosureLimits.publicValueBytesMax else { return .nothing }
        }
        return .nothing
    }

    /// Puts the client's authority, and its scheme, in the place of names; ends where the result is too long.
    private func replace(_ found: [Sighting], in text: [UInt8], _ view: PublicView) -> [UInt8] {
        let encoded = Self.encoded(view.authority)
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var start = 0
        for sighting in found {
            if let scheme = sighting.scheme {
                let isSocket = asciiLowercased(text[scheme.lowerBound]) == UInt8(ascii: "w")
                result += text[start..<scheme.lowerBound]
                result += Self.scheme(view, isSocket: isSocket)
                start = scheme.upperBound
            }
            result += text[start..<sighting.range.lowerBound]
            result += sighting.isEncoded ? encoded : view.authority
            start = sighting.range.upperBound
            if result.count > DisclosureLimits.publicValueBytesMax { return result }
        }
        result += text[start...]
        return result
    }

    /// Whether clients do something that they would not do without the field.
    private static func isActedOn(_ name: FieldName) -> Bool {
        switch name {
        case .location, .contentLocation, .refresh, .link, .wwwAuthenticate,
            .proxyAuthenticate, .contentSecurityPolicy, .accessControlAllowOrigin,
            .contentDisposition, .contentType:
            true
        // Without them a response could be stored, shown or read as it must not be.
        case .cacheControl, .pragma, .vary, .contentEncoding, .contentRange, .allow,
            .strictTransportSecurity, .xContentTypeOptions, .xFrameOptions, .referrerPolicy,
            .permissionsPolicy:
            true
        default: false
        }
    }

    private static func scheme(_ view: PublicView, isSocket: Bool) -> [UInt8] {
        Array((isSocket ? (view.isSecure ? "wss" : "ws") : view.isSecure ? "https" : "http").utf8)
    }

    private static func encoded(_ authority: [UInt8]) -> [UInt8] {
        authority.flatMap { octet -> [UInt8] in
            switch octet {
            case UInt8(ascii: ":"): Array("%3A".utf8)
            case UInt8(ascii: "["): Array("%5B".utf8)
            case UInt8(ascii: "]"): Array("%5D".utf8)
            default: [octet]
            }
        }
    }

    /// RFC 9110 §7.6.3: what a portal tells of those behind it has pseudonyms, and no comments.
    private static func withoutNames(via value: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var depth = 0
        var element: [UInt8] = []
        for octet in value + [UInt8(ascii: ",")] {
            switch octet {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth = max(0, depth - 1)
            case UInt8(ascii: ",") where depth == 0:
                let version = element.drop { $0 == 0x20 || $0 == 0x09 }
                    .prefix { $0 != 0x20 && $0 != 0x09 }
                element = []
                guard isVersion(version) else { continue }
                if !result.isEmpty { result += Array(", ".utf8) }
                result += version + Array(" backend".utf8)
            default: if depth == 0 { element.append(octet) }
            }
        }
        return result
    }

    /// `2`, `1.1` or `HTTP/1.1`: nothing that could be a name.
    private static func isVersion(_ text: ArraySlice<UInt8>) -> Bool {
        let name = Array("HTTP/".utf8)
        let number = text.starts(with: name) ? text.dropFirst(name.count) : text
        switch number.count {
        case 1: return number.allSatisfy(isDigit)
        case 3:
            let parts = number.split(separator: 0x2E)
            return parts.count == 2 && parts.allSatisfy { $0.count == 1 && $0.allSatisfy(isDigit) }
        default: return false
        }
    }

    private static func isDigit(_ octet: UInt8) -> Bool {
        (0x30...0x39).contains(octet)
    }
}
