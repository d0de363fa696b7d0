package import FleetModel

/// Which host is meant, however it is spelled.
package enum HostIdentity: Hashable, Sendable {
    /// An address; one that is IPv4-mapped (RFC 4291 §2.5.5.2) is its IPv4 address.
    case address(IPAddress)
    /// A name, in lower case and without dots at its end.
    case name([UInt8])

    /// Identifies an address.
    package init(_ address: IPAddress) {
        if case .v6(let high, let low) = address, high == 0, low >> 32 == 0xFFFF {
            self = .address(.v4(UInt32(truncatingIfNeeded: low)))
        } else {
            self = .address(address)
        }
    }

    /// Identifies what stands for the host in a URL, as browsers read it (WHATWG URL §3.5).
    ///
    /// Percent-encoding, upper case, tabs, dots at the end and the many spellings of IPv4 (`0x7f.1`, `2130706433`)
    /// make no difference. Fails when there are no octets, or when brackets hold no IPv6 address.
    ///
    /// - Parameter spelled: The octets, an IPv6 address with its brackets.
    package init?(_ spelled: ArraySlice<UInt8>) {
        var name = Self.decoded(spelled)
        if name.first == UInt8(ascii: "[") {
            guard name.last == UInt8(ascii: "]") else { return nil }
            let text = String(decoding: name.dropFirst().dropLast(), as: UTF8.self)
            guard let address = IPAddress(text) else { return nil }
            self.init(address)
            return
        }
        while name.last == UInt8(ascii: ".") { name.removeLast() }
        guard !name.isEmpty else { return nil }
        self = Self.number(name).map { .address(.v4($0)) } ?? .name(name)
    }

    /// Identifies the host of an endpoint; `nil` for a unix socket.
    package init?(_ host: NetworkAddress.Host) {
        switch host {
        case .ip(let address): self.init(address)
        case .name(let name): self = .name(Array(name.utf8))
        case .path: return nil
        }
    }

    /// Whether it is a name of one label, which may be a word like any other.
    var isWord: Bool {
        guard case .name(let name) = self else { return false }
        return !name.contains(UInt8(ascii: "."))
    }

    /// A name, or an IPv4 address in dotted decimal; `nil` for others, which can be spelled in several ways.
    var plainText: [UInt8]? {
        switch self {
        case .name(let name): name
        case .address(.v4(let word)): Array(IPAddress.v4(word).description.utf8)
        case .address(.v6): nil
        }
    }

    private static func decoded(_ spelled: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(spelled.count)
        var rest = spelled
        while let octet = rest.popFirst() {
            if octet == UInt8(ascii: "%"), rest.count >= 2,
                let high = digit(rest[rest.startIndex]), high < 16,
                let low = digit(rest[rest.startIndex + 1]), low < 16
            {
                result.append(lowercased(UInt8(high << 4 | low)))
                rest = rest.dropFirst(2)
            } else if octet != 0x09 {
                result.append(lowercased(octet))
            }
        }
        return result
    }

    /// The address that a name is as a number, in one to four parts, each decimal, octal or hexadecimal.
    private static func number(_ name: [UInt8]) -> UInt32? {
        let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 4, let last = parts.last, let tail = part(last) else { return nil }
        var value: UInt64 = 0
        for text in parts.dropLast() {
            guard let octet = part(text), octet < 256 else { return nil }
            value = value << 8 | octet
        }
        let tailBits = UInt64(8 * (5 - parts.count))
        guard tail < 1 << tailBits else { return nil }
        return UInt32(truncatingIfNeeded: value << tailBits | tail)
    }

    private static func part(_ text: ArraySlice<UInt8>) -> UInt64? {
        var digits = text
        var radix: UInt64 = 10
        if digits.first == UInt8(ascii: "0"), digits.count > 1 {
            digits = digits.dropFirst()
            radix = 8
            if digits.first == UInt8(ascii: "x") {
                digits = digits.dropFirst()
                radix = 16
            }
        }
        if digits.isEmpty { return radix == 16 ? 0 : nil }
        guard digits.count <= 16 else { return nil }
        var value: UInt64 = 0
        for octet in digits {
            guard let digit = digit(octet), digit < radix else { return nil }
            value = value * radix + digit
            guard value <= UInt64(UInt32.max) else { return nil }
        }
        return value
    }
}

/// The value of a digit, hexadecimal ones too.
func digit(_ octet: UInt8) -> UInt64? {
    switch octet {
    case 0x30...0x39: UInt64(octet - 0x30)
    case 0x41...0x46: UInt64(octet - 0x41 + 10)
    case 0x61...0x66: UInt64(octet - 0x61 + 10)
    default: nil
    }
}

func lowercased(_ octet: UInt8) -> UInt8 {
    (0x41...0x5A).contains(octet) ? octet | 0x20 : octet
}
