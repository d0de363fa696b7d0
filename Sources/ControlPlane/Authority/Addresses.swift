/// The octets of an IP address in the forms `127.0.0.1`, `::1` and `[::1]`, or nil for a name.
func parseAddress(_ text: String) -> [UInt8]? {
    var text = Substring(text)
    if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
    return text.contains(":") ? parseIPv6(text) : parseIPv4(text)
}

private func parseIPv4(_ text: Substring) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var octets: [UInt8] = []
    for part in parts {
        guard part.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let octet = UInt8(part) else {
            return nil
        }
        octets.append(octet)
    }
    return octets
}

/// RFC 4291 §2.2, forms 1 and 2.
private func parseIPv6(_ text: Substring) -> [UInt8]? {
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    guard halves.count <= 2, let front = groups(halves[0]) else { return nil }
    guard halves.count == 2 else { return front.count == 16 ? front : nil }
    guard let back = groups(halves[1]), front.count + back.count <= 14 else { return nil }
    return front + [UInt8](repeating: 0, count: 16 - front.count - back.count) + back
}

private func groups(_ text: Substring) -> [UInt8]? {
    if text.isEmpty { return [] }
    var octets: [UInt8] = []
    for group in text.split(separator: ":", omittingEmptySubsequences: false) {
        guard group.utf8.count <= 4, let value = UInt16(group, radix: 16), group.first != "+" else {
            return nil
        }
        octets.append(UInt8(value >> 8))
        octets.append(UInt8(truncatingIfNeeded: value))
    }
    return octets
}
