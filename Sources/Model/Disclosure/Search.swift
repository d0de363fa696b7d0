internal import Bytes
internal import FleetModel
internal import HTTPSemantics

/// A walk over a text that was decoded once, from one octet at which a host may begin to the next.
struct Search {
    let names: InternalNames
    let view: PublicView
    /// Where the octets of the text begin in what it was decoded from, and its end; empty where it was not.
    let starts: [Int]
    private var sightings: [Sighting] = []
    /// Up to where digits and colons are known to be no IPv6 address.
    private var groupsEnd = 0
    /// The end of the last sighting.
    private var foundEnd = 0

    init(names: InternalNames, view: PublicView, starts: [Int]) {
        (self.names, self.view, self.starts) = (names, view, starts)
    }

    mutating func run(_ text: Span<UInt8>) -> [Sighting] {
        let first = names.firstOctets
        let asked = view.firstOctet
        let hasParents = names.hasParents
        var index = 0
        var before: UInt8 = 0
        while index < text.count {
            let octet = text[index]
            // A dot in front is no part of a host: of a cookie's Domain, say.
            if octet == dot, !OctetSet.hostName.contains(before) {
                index += 1
                continue
            }
            var end: Int?
            if octet == colon, index >= groupsEnd {
                end = groups(text, around: index)
            } else if first.contains(octet) || lowercased(octet) == asked {
                if isDigit(octet), !isDigit(before), before != dot { end = quad(text, at: index) }
                if end == nil, !OctetSet.hostName.contains(before) || isBehindEscape(text, index) {
                    end = name(text, at: index)
                }
            } else if hasParents, OctetSet.hostName.contains(octet),
                !OctetSet.hostName.contains(before) || isBehindEscape(text, index)
            {
                end = nameBelow(text, at: index)
            }
            if let end {
                before = text[end - 1]
                index = end
            } else {
                before = octet
                index += 1
            }
        }
        return sightings
    }

    // MARK: Hosts

    /// An IPv4 address in dotted decimal; returns its end when that is a sighting.
    private mutating func quad(_ text: Span<UInt8>, at start: Int) -> Int? {
        var word: UInt32 = 0
        var index = start
        for part in 0..<4 {
            if part > 0 {
                guard index < text.count, text[index] == dot else { return nil }
                index += 1
            }
            var value: UInt32 = 0
            let partStart = index
            while index < text.count, isDigit(text[index]), index - partStart < 3 {
                value = value * 10 + UInt32(text[index] - 0x30)
                index += 1
            }
            guard index > partStart, value < 256 else { return nil }
            word = word << 8 | value
        }
        if index < text.count, isDigit(text[index]) { return nil }
        if index + 1 < text.count, text[index] == dot {
            if isDigit(text[index + 1]) { return nil }
            // Before a port or a path, a dot belongs to the host.
            if text[index + 1] == colon || isSlash(text[index + 1]) { index += 1 }
        }
        return judge(.address(.v4(word)), start..<index, text)
    }

    /// A name, and all other spellings of IPv4 that a URL may have.
    private mutating func name(_ text: Span<UInt8>, at start: Int) -> Int? {
        let end = OctetSet.hostName.firstIndexOutside(text, start..<text.count)
        guard end - start <= Authority.hostBytesMax else { return nil }
        // A word is a host only in a URL, or with a port.
        let isWord = text.firstIndex(of: dot, from: start, to: end) == end
        let isBound =
            start > 0 && isSlash(text[start - 1]) || end < text.count && text[end] == colon
        guard !isWord || isBound else { return nil }
        var host: [UInt8] = []
        host.append(copying: text.extracting(start..<end))
        guard let identity = HostIdentity(host[...]) else { return nil }
        return judge(identity, start..<end, text)
    }

    /// A name that may be below another one.
    private mutating func nameBelow(_ text: Span<UInt8>, at start: Int) -> Int? {
        let end = OctetSet.hostName.firstIndexOutside(text, start..<text.count)
        return PrivateDomains.hold(text, start..<end) ? name(text, at: start) : nil
    }

    /// An IPv6 address around a colon, with its brackets.
    ///
    /// Without brackets, a port may follow it (`fd00::1:8080`), and a name come before it (`peer:fd00::1`).
    private mutating func groups(_ text: Span<UInt8>, around index: Int) -> Int? {
        var start = index
        var end = index
        while start > groupsEnd, isOfGroups(text[start - 1]) { start -= 1 }
        while end < text.count, isOfGroups(text[end]) { end += 1 }
        groupsEnd = end
        guard end - start >= 2, end - start <= DisclosureLimits.groupsBytesMax,
            isAddress(text, start..<end)
        else { return nil }
        // A dot at the end ends a sentence.
        while end > start, text[end - 1] == dot { end -= 1 }
        // Of `node:fd00::1`, `de` is no group.
        if start > 0, isLetter(text[start - 1]) {
            start = text.firstIndex(of: colon, from: start, to: end) + 1
        }
        while start < end {
            var isWhole = false
            for stop in addressEnds(text, start..<end) {
                guard let address = address(text, start..<stop) else { continue }
                if let found = judge(address, bracketed(text, start..<stop), text) { return found }
                isWhole = true
            }
            if isWhole { return nil }
            let next = text.firstIndex(of: colon, from: start, to: end)
            start = next + 1
        }
        return nil
    }

    /// Where an address may end: with the groups, or before a port, or before colons that are no part of it.
    private func addressEnds(_ text: Span<UInt8>, _ range: Range<Int>) -> [Int] {
        var ends = [range.upperBound]
        var digits = range.upperBound
        while digits > range.lowerBound, isDigit(text[digits - 1]) { digits -= 1 }
        if range.upperBound - digits <= 5, digits > range.lowerBound, text[digits - 1] == colon {
            ends.append(digits - 1)
        }
        return ends
    }

    private func address(_ text: Span<UInt8>, _ range: Range<Int>) -> HostIdentity? {
        guard range.count >= 2 else { return nil }
        var digits: [UInt8] = []
        digits.append(copying: text.extracting(range))
        return IPAddress(String(decoding: digits, as: UTF8.self)).map { HostIdentity($0) }
    }

    /// The address with the brackets around it, where there are such.
    private func bracketed(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        guard range.lowerBound > 0, range.upperBound < text.count,
            text[range.lowerBound - 1] == openBracket, text[range.upperBound] == closeBracket
        else { return range }
        return range.lowerBound - 1..<range.upperBound + 1
    }

    /// Whether groups may be an IPv6 address, and not a time of day.
    private func isAddress(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var colons = 0
        var before: UInt8 = 0
        for index in range {
            if text[index] == colon {
                if before == colon { return true }
                colons += 1
            }
            before = text[index]
        }
        return colons >= 6
    }

    // MARK: What is around

    /// Notes a host that is internal where it stands; returns its end then.
    private mutating func judge(
        _ host: HostIdentity,
        _ range: Range<Int>,
        _ text: Span<UInt8>
    ) -> Int? {
        var end = range.upperBound
        var port: Int?
        if end + 1 < text.count, text[end] == colon, isDigit(text[end + 1]) {
            var number = 0
            end += 1
            while end < text.count, isDigit(text[end]) {
                number = min(number * 10 + Int(text[end] - 0x30), 65536)
                end += 1
            }
            port = number
        }
        let url = urlStart(text, before: range.lowerBound)
        let usual = url?.scheme.map { isSecure(text, $0) ? 443 : 80 }
        guard names.hides(host, port: port ?? usual, isURL: url != nil, from: view) else {
            return nil
        }
        // What stands in the place of userinfo may be a sighting itself.
        let start = max(url?.authority ?? range.lowerBound, foundEnd)
        let scheme = url?.scheme.flatMap { $0.lowerBound < foundEnd ? nil : $0 }
        foundEnd = end
        sightings.append(
            Sighting(
                range: source(start)..<source(end),
                scheme: scheme.map { source($0.lowerBound)..<source($0.upperBound) },
                isURL: url != nil,
                isEncoded: start > 0 && source(start) - source(start - 1) > 1
            )
        )
        return end
    }

    /// Where the authority begins that a host stands in, and the scheme before it; `nil` where it is none of a URL.
    private func urlStart(
        _ text: Span<UInt8>,
        before host: Int
    ) -> (authority: Int, scheme: Range<Int>?)? {
        var start = host
        if start > 0, text[start - 1] == UInt8(ascii: "@") {
            let floor = max(0, start - DisclosureLimits.userinfoBytesMax)
            while start > floor, !isSlash(text[start - 1]) { start -= 1 }
        }
        guard start >= 2, isSlash(text[start - 1]), isSlash(text[start - 2]) else { return nil }
        let slashes = start - 2
        if slashes > 0, text[slashes - 1] == colon {
            var letters = slashes - 1
            while letters > 0, slashes - letters <= 6, isLetter(text[letters - 1]) { letters -= 1 }
            let scheme = letters..<slashes - 1
            for known in ["http", "https", "ws", "wss"] where equals(text, scheme, known) {
                return (start, scheme)
            }
            return (start, nil)
        }
        // Two slashes within a path are two slashes.
        guard slashes > 0 else { return (start, nil) }
        switch text[slashes - 1] {
        case 0x20, 0x09, 0x22, 0x27, 0x28, 0x2C, 0x3B, 0x3C, 0x3D, 0x7C: return (start, nil)
        default: return nil
        }
    }

    private func isSecure(_ text: Span<UInt8>, _ scheme: Range<Int>) -> Bool {
        text[scheme.upperBound - 1] | 0x20 == UInt8(ascii: "s") && scheme.count != 2
    }

    private func equals(_ text: Span<UInt8>, _ range: Range<Int>, _ word: String) -> Bool {
        guard range.count == word.utf8.count else { return false }
        return zip(range, word.utf8).allSatisfy { lowercased(text[$0]) == $1 }
    }

    /// Whether an escape stands before an octet: what was encoded twice.
    private func isBehindEscape(_ text: Span<UInt8>, _ index: Int) -> Bool {
        index >= 3 && text[index - 3] == UInt8(ascii: "%")
    }

    private func source(_ index: Int) -> Int { starts.isEmpty ? index : starts[index] }

    private func isDigit(_ octet: UInt8) -> Bool { (0x30...0x39).contains(octet) }

    private func isLetter(_ octet: UInt8) -> Bool { (0x61...0x7A).contains(octet | 0x20) }

    private func isSlash(_ octet: UInt8) -> Bool { octet == 0x2F || octet == 0x5C }

    private func isOfGroups(_ octet: UInt8) -> Bool {
        octet == colon || octet == dot || hexadecimalDigit(octet) != nil
    }
}

private let colon = UInt8(ascii: ":")
private let dot = UInt8(ascii: ".")
private let openBracket = UInt8(ascii: "[")
private let closeBracket = UInt8(ascii: "]")
