internal import Bytes
internal import Disclosure
internal import HTTPSemantics

/// What most redirects of endpoints look like, which can be told without a search.
///
/// The answer is always the one that `show` gives: what is not plain in every octet is left to it.
extension PublicNames {
    /// What becomes of a plain Location.
    enum PlainLocation: Equatable {
        /// The client's authority stands before the path, and what follows it, that lie here; the path may be mapped.
        case internalPlace(Range<Int>)
        /// A path alone, which may be mapped.
        case path
    }

    /// Writes the value of a plain Location in public names.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the value.
    ///   - value: The value.
    ///   - asked: The authority that the client asked for.
    ///   - isSecure: Whether it asked over TLS.
    ///   - inverse: The way back from the upstream's paths.
    ///   - start: What comes before the value.
    ///   - head: Has room for it.
    /// - Returns: `false` where a search has to tell; then nothing was written.
    func appendPlain(
        _ octets: Span<UInt8>,
        _ value: Range<Int>,
        asked: Span<UInt8>,
        isSecure: Bool,
        _ inverse: InversePath?,
        after start: (inout Buffer) -> Void,
        to head: inout Buffer
    ) -> Bool {
        guard let found = plainLocation(octets, value, asked: asked, isSecure: isSecure)
        else { return false }
        start(&head)
        switch found {
        case .path: Self.append(path: value, octets, inverse, to: &head)
        case .internalPlace(let target):
            head.append(isSecure ? "https://" : "http://" as StaticString)
            head.append(asked)
            Self.append(path: target, octets, inverse, to: &head)
        }
        return true
    }

    /// A path with its query, as clients know it.
    private static func append(
        path target: Range<Int>,
        _ octets: Span<UInt8>,
        _ inverse: InversePath?,
        to head: inout Buffer
    ) {
        guard let inverse else {
            head.append(octets.extracting(target))
            return
        }
        let start = target.lowerBound
        let query = octets.firstIndex(of: UInt8(ascii: "?"), from: start, to: target.upperBound)
        let end = octets.firstIndex(of: UInt8(ascii: "#"), from: start, to: query)
        var path: [UInt8] = []
        path.append(copying: octets.extracting(start..<end))
        if path.isEmpty { path.append(UInt8(ascii: "/")) }
        guard let outer = inverse.outer(path[...]) else {
            head.append(octets.extracting(target))
            return
        }
        head.append(outer)
        head.append(octets.extracting(end..<target.upperBound))
    }

    /// Judges a value of Location or Content-Location.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the value.
    ///   - value: The value.
    ///   - asked: The authority that the client asked for.
    ///   - isSecure: Whether it asked over TLS.
    /// - Returns: `nil` where a search has to tell.
    func plainLocation(
        _ octets: Span<UInt8>,
        _ value: Range<Int>,
        asked: Span<UInt8>,
        isSecure: Bool
    ) -> PlainLocation? {
        guard let schemeCount = Self.schemeCount(octets, value) else { return nil }
        if schemeCount == 0 { return Self.isPlainTarget(octets, value) ? .path : nil }
        let start = value.lowerBound + schemeCount
        let end = octets.firstIndex(of: UInt8(ascii: "/"), from: start, to: value.upperBound)
        guard Self.isPlainTarget(octets, end..<value.upperBound), !asked.isEmpty,
            let place = PlainAuthority(octets, start..<end),
            let own = PlainAuthority(asked, asked.indices)
        else { return nil }
        let host = octets.extracting(place.host)
        if host.equals(asked.extracting(own.host)) {
            // Another port of the host that the client asked for: only an endpoint's is internal.
            let ownPort = own.port.map { asked.decimal(in: $0) } ?? (isSecure ? 443 : 80)
            guard let port = place.port, octets.decimal(in: port) != ownPort,
                names.isPlainEndpoint(octets.extracting(start..<end))
            else { return nil }
            return .internalPlace(end..<value.upperBound)
        }
        // Two spellings of one address are only told apart by a search.
        if place.isNumeric, own.isNumeric { return nil }
        return names.isPlainHost(host) ? .internalPlace(end..<value.upperBound) : nil
    }

    /// Octets of `http://` or `https://`; 0 for a path alone, `nil` for anything else.
    private static func schemeCount(_ octets: Span<UInt8>, _ value: Range<Int>) -> Int? {
        guard let first = value.first else { return nil }
        if octets[first] == UInt8(ascii: "/") { return 0 }
        // Seven or eight octets are one word.
        guard value.count > 8 else { return nil }
        let word = octets.word(at: first)
        if word & 0x00FF_FFFF_FFFF_FFFF == httpWord { return 7 }
        return word == httpsWord ? 8 : nil
    }

    /// `http://` and `https://`, the first octet lowest.
    private static let httpWord: UInt64 = 0x002F_2F3A_7074_7468
    private static let httpsWord: UInt64 = 0x2F2F_3A73_7074_7468

    /// Whether a path with its query holds nothing that a name could be made of: no dot, colon or percent sign, and no
    /// two slashes in a row.
    private static func isPlainTarget(_ octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var before: UInt8 = 0
        for index in range {
            let octet = octets[index]
            let isPlain =
                switch octet {
                case UInt8(ascii: "/"): before != octet
                case UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "%"), UInt8(ascii: "@"):
                    false
                case UInt8(ascii: "?"), UInt8(ascii: "#"): true
                default: OctetSet.path.contains(octet)
                }
            guard isPlain else { return false }
            before = octet
        }
        return true
    }
}

/// An authority of lower-case letters, digits, dots and hyphens, which is spelled in one way alone.
struct PlainAuthority {
    let host: Range<Int>
    /// Digits of a port, without a zero in front; `nil` where there is none.
    let port: Range<Int>?
    /// Whether the host may be an address.
    let isNumeric: Bool

    /// Reads an authority; `nil` where it is not plain.
    init?(_ octets: Span<UInt8>, _ range: Range<Int>) {
        let colon = octets.firstIndex(
            of: UInt8(ascii: ":"),
            from: range.lowerBound,
            to: range.upperBound
        )
        host = range.lowerBound..<colon
        guard let first = host.first, let last = host.last, octets[last] != UInt8(ascii: ".") else {
            return nil
        }
        var label = first
        for index in host {
            switch octets[index] {
            case 0x61...0x7A, 0x30...0x39, UInt8(ascii: "-"): continue
            case UInt8(ascii: "."): label = index + 1
            default: return nil
            }
        }
        // The last label says whether it is a number (WHATWG URL §3.5).
        isNumeric = (0x30...0x39).contains(octets[label])
        guard colon < range.upperBound else {
            port = nil
            return
        }
        let digits = colon + 1..<range.upperBound
        guard let digit = digits.first, digits.count <= 5, octets[digit] != UInt8(ascii: "0") else {
            return nil
        }
        for index in digits where !(0x30...0x39).contains(octets[index]) { return nil }
        port = digits
    }
}
