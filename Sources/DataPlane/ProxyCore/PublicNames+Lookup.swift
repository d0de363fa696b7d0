internal import Bytes
internal import Disclosure
internal import HTTPSemantics

/// Which parts of a response need a look at all: asked of each line of each response.
extension PublicNames {
    /// Names of fields whose values need no look.
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
        case .date, .lastModified, .expires:
            !isDate(octets, value) && InternalNames.mayStand(in: octets, value)
        default: InternalNames.mayStand(in: octets, value)
        }
    }

    /// Whether a value has the form of a date (RFC 9110 §5.6.7), whose colons name nothing.
    @inline(__always)
    private static func isDate(_ octets: Span<UInt8>, _ value: Range<Int>) -> Bool {
        value.count == 29 && octets[value.lowerBound + 3] == UInt8(ascii: ",")
            && octets[value.upperBound - 4] == 0x20
            && octets[value.upperBound - 3] == UInt8(ascii: "G")
            && octets[value.upperBound - 1] == UInt8(ascii: "T")
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
}
