internal import Bytes
internal import Disclosure
internal import FleetModel
internal import HTTPSemantics

/// Says in public names what the fields of a response say in internal ones (InternalNames.swift).
///
/// A URL whose authority is internal gets the scheme and the authority that the client asked for, and the path that
/// the client knows; so does a URL that names the client's own authority, and a path alone. What is left then of
/// internal names becomes the client's authority in fields that a client acts on, and in URLs; a field that says
/// such a name otherwise goes. Everything else stays as it is, octet for octet.
final class PublicNames {
    let names: InternalNames
    let rewritesLocations: Bool
    private let rewritesCookies: Bool
    let rewritesOthers: Bool
    /// The pseudonym in Via; empty where none is sent.
    private let via: [UInt8]

    /// What a response shows of a field's value.
    enum Shown: Equatable {
        /// It as it is.
        case same
        /// Another value.
        case replaced([UInt8])
        /// Nothing: the line goes.
        case nothing
    }

    /// Makes what a configuration needs; `nil` when everything may pass as it is.
    init?(_ configuration: Configuration) {
        let hiding = configuration.hiding
        guard hiding.rewriteLocation || hiding.rewriteCookies || hiding.rewriteFields else {
            return nil
        }
        names = InternalNames(configuration)
        if names.isEmpty { return nil }
        rewritesLocations = hiding.rewriteLocation
        rewritesCookies = hiding.rewriteCookies
        rewritesOthers = hiding.rewriteFields
        via = Array((hiding.via ?? "").utf8)
    }

    /// Names of fields whose values need no look: their grammar has no room for a host.
    var unconcerned: KnownFieldSet {
        var set = KnownFieldSet.withoutHosts
        for name in FieldName.allCases {
            switch name {
            case .location, .contentLocation, .refresh, .link:
                if !rewritesLocations { set.insert(name) }
            case .setCookie: if !rewritesCookies, !rewritesOthers { set.insert(name) }
            default: if !rewritesOthers { set.insert(name) }
            }
        }
        return set
    }

    /// Whether a value needs a look, of a field that is not unconcerned.
    @inline(__always)
    static func concerns(_ name: FieldName, _ octets: Span<UInt8>, _ value: Range<Int>) -> Bool {
        switch name {
        case .location, .contentLocation, .refresh, .link, .setCookie, .via, .altSvc, .proxyStatus:
            true
        default: InternalNames.mayStand(in: octets, value)
        }
    }

    /// Settles what a client sees of a value.
    ///
    /// - Parameters:
    ///   - name: The field; one that is not unconcerned.
    ///   - value: Its value.
    ///   - view: What the client asked for.
    ///   - inverse: The way back from the upstream's paths.
    /// - Returns: The value in public names, or that the line goes.
    func show(
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
        guard result.count <= Limits.publicValueBytesMax else { return .nothing }
        return scrub(name, result, value, view)
    }

    /// Whether a line that is not rewritten, of a trailer section, may pass.
    func mayPass(
        _ name: FieldName,
        _ octets: Span<UInt8>,
        _ value: Range<Int>,
        to view: () -> PublicView
    ) -> Bool {
        switch name {
        case .location, .contentLocation, .refresh, .link, .setCookie, .via, .altSvc, .proxyStatus:
            false
        default:
            !InternalNames.mayStand(in: octets, value)
                || names.sightings(in: octets.extracting(value), from: view()).isEmpty
        }
    }

    /// Whether a reason phrase names nothing: clients ignore it (RFC 9110 §15), but people see it.
    ///
    /// Letters, blanks, hyphens and apostrophes say no address and no version.
    @inline(__always)
    static func isPlain(_ octets: Span<UInt8>, _ phrase: Range<Int>) -> Bool {
        for index in phrase {
            let octet = octets[index]
            guard (octet | 0x20) &- 0x61 < 26 || octet == 0x20 || octet == 0x2D || octet == 0x27
            else { return false }
        }
        return true
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
        for _ in 0..<Limits.scrubPassesMax {
            let found = names.sightings(in: text.span, from: view)
            if found.isEmpty { return text == value ? .same : .replaced(text) }
            guard Self.isActedOn(name) || found.allSatisfy(\.isURL) else { return .nothing }
            // Who did not say an authority can be given none, but a field that names a place stays a place.
            if view.authority.isEmpty, !Self.isActedOn(name) { return .nothing }
            text = replace(found, in: text, view)
            guard text.count <= Limits.publicValueBytesMax else { return .nothing }
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
            if result.count > Limits.publicValueBytesMax { return result }
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
