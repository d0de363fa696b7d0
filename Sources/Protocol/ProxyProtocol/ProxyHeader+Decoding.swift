internal import Bytes

extension ProxyHeader {
    /// Reads a header at the front of a connection's octets.
    ///
    /// The PROXY protocol, versions 1 and 2, as HAProxy's `proxy-protocol.txt` has them. Octets that can only be
    /// something else are `absent` at once, so that a caller may pass them on; once a signature is whole, what breaks
    /// the rules is an error.
    ///
    /// - Parameter octets: All that the connection has brought so far. Nothing is consumed.
    /// - Returns: What they came to.
    /// - Throws: Any case of `ProxyProtocolError`; the caller closes the connection.
    /// - Complexity: O(header) per call: at most `ProxyProtocolLimits.headerBytesMax` octets are looked at.
    package static func decode(
        _ octets: Span<UInt8>
    ) throws(ProxyProtocolError) -> ProxyHeaderReading {
        guard octets.count > 0 else { return .incomplete }
        let isLine = octets[0] == ProxySignature.line[0]
        let signature = isLine ? ProxySignature.line : ProxySignature.binary
        for index in 0..<min(octets.count, signature.count) where octets[index] != signature[index]
        {
            return .absent
        }
        guard octets.count >= signature.count else { return .incomplete }
        return isLine ? try decodeLine(octets) : try decodeBinary(octets)
    }

    // MARK: Version 1

    /// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443` and CRLF.
    private static func decodeLine(
        _ octets: Span<UInt8>
    ) throws(ProxyProtocolError) -> ProxyHeaderReading {
        guard let end = try lineEnd(octets) else { return .incomplete }
        let byteCount = end + 2
        var fields = FieldCursor(at: ProxySignature.line.count, end: end)
        let name = try fields.next(octets, or: .protocolUnknown)
        if octets.equals("UNKNOWN", in: name) {
            // Whatever stands before the CRLF is to be ignored.
            return .complete(.unspecified, byteCount: byteCount)
        }
        let isIPv6: Bool
        if octets.equals("TCP4", in: name) {
            isIPv6 = false
        } else if octets.equals("TCP6", in: name) {
            isIPv6 = true
        } else {
            throw .protocolUnknown
        }
        let sourceText = try fields.next(octets, or: .addressInvalid)
        let destinationText = try fields.next(octets, or: .addressInvalid)
        let sourcePort = try port(octets, try fields.next(octets, or: .portInvalid))
        let destinationPort = try port(octets, try fields.next(octets, or: .portInvalid))
        // Nothing follows the last port but the CRLF.
        guard fields.isAtEnd else { throw .portInvalid }
        let source = ProxyAddress(octets, sourceText, isIPv6: isIPv6, port: sourcePort)
        let destination = ProxyAddress(
            octets,
            destinationText,
            isIPv6: isIPv6,
            port: destinationPort
        )
        guard let source, let destination else { throw .addressInvalid }
        let header = ProxyHeader.addresses(source: source, destination: destination)
        return .complete(header, byteCount: byteCount)
    }

    /// The index of the CRLF, or `nil` while it has not come.
    private static func lineEnd(_ octets: Span<UInt8>) throws(ProxyProtocolError) -> Int? {
        let count = min(octets.count, ProxyProtocolLimits.lineBytesMax)
        for index in 0..<count {
            switch octets[index] {
            case 0x0D:
                guard index + 1 < count else { break }
                guard octets[index + 1] == 0x0A else { throw .lineEndInvalid }
                return index
            case 0x0A: throw .lineEndInvalid
            default: continue
            }
        }
        guard octets.count < ProxyProtocolLimits.lineBytesMax else { throw .lineTooLong }
        return nil
    }

    /// 0 to 65535 without leading zeros.
    private static func port(
        _ octets: Span<UInt8>,
        _ range: Range<Int>
    ) throws(ProxyProtocolError) -> UInt16 {
        guard let number = octets.decimal(in: range, digitsMax: 5), number <= 65535 else {
            throw .portInvalid
        }
        return UInt16(truncatingIfNeeded: number)
    }

    // MARK: Version 2

    /// Octets before the addresses: signature, version and command, family and transport, length.
    private static let fixedBytes = 16

    /// The first octets, and then as many as they say.
    private static func decodeBinary(
        _ octets: Span<UInt8>
    ) throws(ProxyProtocolError) -> ProxyHeaderReading {
        guard octets.count > 12 else { return .incomplete }
        if octets[12] >> 4 != 2 { throw .versionUnsupported }
        if octets[12] & 0x0F > 1 { throw .commandUnknown }
        let isLocal = octets[12] & 0x0F == 0
        guard octets.count > 13 else { return .incomplete }
        let (family, transport) = (octets[13] >> 4, octets[13] & 0x0F)
        if !isLocal {
            if family > 3 { throw .familyUnknown }
            if transport > 2 || (family == 0) != (transport == 0) { throw .transportUnknown }
        }
        guard octets.count >= fixedBytes else { return .incomplete }
        let byteCount = fixedBytes + Int(octets.bigEndian16(at: 14))
        guard byteCount <= ProxyProtocolLimits.headerBytesMax else { throw .headerTooLong }
        // What a header says of a connection of the proxy's own, or of none, is to be ignored (§2.2).
        let isIgnored = isLocal || family == 0
        let addressBytes = isIgnored ? 0 : [0, 12, 36, 216][Int(family)]
        guard byteCount >= fixedBytes + addressBytes else { throw .addressesTruncated }
        guard octets.count >= byteCount else { return .incomplete }
        if isIgnored { return .complete(.unspecified, byteCount: byteCount) }
        let header = octets.extracting(0..<byteCount)
        try checkFields(header, from: fixedBytes + addressBytes)
        guard transport == 1, family != 3 else {
            return .complete(.unspecified, byteCount: byteCount)
        }
        return .complete(addresses(header, isIPv6: family == 2), byteCount: byteCount)
    }

    private static func addresses(_ octets: Span<UInt8>, isIPv6: Bool) -> ProxyHeader {
        func v4(_ index: Int, port: Int) -> ProxyAddress {
            let word = octets.bigEndian64(from: index, count: 4)
            return ProxyAddress(
                v4: UInt32(truncatingIfNeeded: word),
                port: octets.bigEndian16(at: port)
            )
        }
        func v6(_ index: Int, port: Int) -> ProxyAddress {
            ProxyAddress(
                high: octets.bigEndian64(from: index, count: 8),
                low: octets.bigEndian64(from: index + 8, count: 8),
                port: octets.bigEndian16(at: port)
            )
        }
        return isIPv6
            ? .addresses(source: v6(16, port: 48), destination: v6(32, port: 50))
            : .addresses(source: v4(16, port: 24), destination: v4(20, port: 26))
    }

    /// Passes over the fields behind the addresses (type, length, value), of which a checksum is verified.
    private static func checkFields(
        _ header: Span<UInt8>,
        from start: Int
    ) throws(ProxyProtocolError) {
        var index = start
        var checksum: Int?
        while index < header.count {
            guard header.count - index >= 3 else { throw .fieldTruncated }
            let length = Int(header.bigEndian16(at: index + 1))
            let value = index + 3
            guard length <= header.count - value else { throw .fieldTruncated }
            if header[index] == ProxyField.checksum {
                guard length == 4 else { throw .checksumLengthInvalid }
                guard checksum == nil else { throw .checksumRepeated }
                checksum = value
            }
            index = value + length
        }
        guard let checksum else { return }
        let told = UInt32(truncatingIfNeeded: header.bigEndian64(from: checksum, count: 4))
        guard CRC32C.checksum(header, zeroing: checksum..<checksum + 4) == told else {
            throw .checksumMismatch
        }
    }
}

/// Types of the fields behind the addresses of version 2 that mean something here.
enum ProxyField {
    /// CRC32c of the whole header, with four zeros in its own place.
    static let checksum: UInt8 = 0x03
}

/// Splits a line at its single spaces.
private struct FieldCursor {
    private var index: Int
    private let end: Int
    private(set) var isAtEnd = false

    init(at index: Int, end: Int) {
        (self.index, self.end) = (index, end)
    }

    /// The next field, which may be empty.
    mutating func next(
        _ octets: Span<UInt8>,
        or error: ProxyProtocolError
    ) throws(ProxyProtocolError) -> Range<Int> {
        guard !isAtEnd else { throw error }
        let start = index
        while index < end, octets[index] != UInt8(ascii: " ") { index += 1 }
        let field = start..<index
        if index == end { isAtEnd = true } else { index += 1 }
        return field
    }
}

extension Span where Element == UInt8 {
    fileprivate func equals(_ text: StaticString, in range: Range<Int>) -> Bool {
        extracting(range).copied() == Array("\(text)".utf8)
    }

    fileprivate func bigEndian16(at index: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: bigEndian64(from: index, count: 2))
    }

    fileprivate func bigEndian64(from start: Int, count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in start..<start + count { value = value << 8 | UInt64(self[index]) }
        return value
    }
}
