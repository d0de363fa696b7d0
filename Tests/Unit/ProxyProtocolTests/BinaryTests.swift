import ProxyProtocol
import Testing

@Suite("Version 2 of the PROXY protocol")
struct BinaryTests {
    @Test("addresses of both families are read, and what follows is left alone")
    func readsAddresses() {
        let v4 = binary(0x21, 0x11, addressesV4)
        #expect(read(v4) == .read(.complete(toldV4, byteCount: 28)))
        #expect(read(v4 + Array("GET".utf8)) == .read(.complete(toldV4, byteCount: 28)))
        let v6 = binary(0x21, 0x21, addressesV6)
        #expect(read(v6) == .read(.complete(toldV6, byteCount: 52)))
    }

    @Test("a proxy that speaks for itself, or of what is no TCP connection, tells nothing")
    func readsUnspecified() {
        let paths = [UInt8](repeating: 0, count: 216)
        for header in [
            binary(0x20, 0x00, []), binary(0x20, 0x11, addressesV4), binary(0x20, 0xFF, [1, 2]),
            binary(0x21, 0x00, []), binary(0x21, 0x00, [1, 2, 3]), binary(0x21, 0x12, addressesV4),
            binary(0x21, 0x22, addressesV6), binary(0x21, 0x31, paths), binary(0x21, 0x32, paths),
        ] {
            #expect(read(header) == .read(.complete(.unspecified, byteCount: header.count)))
        }
    }

    @Test("fields behind the addresses are passed over")
    func passesFields() {
        let fields = field(0x01, Array("h2".utf8)) + field(0x04, []) + field(0xEA, [1, 2, 3])
        let header = binary(0x21, 0x11, addressesV4 + fields)
        #expect(read(header) == .read(.complete(toldV4, byteCount: header.count)))
    }

    @Test("a checksum that is there must be right")
    func verifiesChecksum() {
        #expect(checksum(Array("123456789".utf8)) == [0xE3, 0x06, 0x92, 0x83])
        let zeroed = binary(
            0x21,
            0x11,
            addressesV4 + field(0x02, [7]) + field(0x03, [0, 0, 0, 0]) + field(0x04, [0])
        )
        var header = zeroed
        let place = 16 + 12 + 4 + 3
        header.replaceSubrange(place..<place + 4, with: checksum(zeroed))
        #expect(read(header) == .read(.complete(toldV4, byteCount: header.count)))
        #expect(readByOctets(header) == read(header))
        #expect(read(zeroed) == .refused(.checksumMismatch))
        // Where the field is of another type there is no checksum.
        for index in 16..<header.count where index != place - 3 {
            var broken = header
            broken[index] ^= 0x40
            if case .read(.complete) = read(broken) { Issue.record("octet \(index) may be wrong") }
        }
        let twice = field(0x03, [0, 0, 0, 0]) + field(0x03, [0, 0, 0, 0])
        #expect(read(binary(0x21, 0x11, addressesV4 + twice)) == .refused(.checksumRepeated))
        let short = binary(0x21, 0x11, addressesV4 + field(0x03, [0, 0, 0]))
        #expect(read(short) == .refused(.checksumLengthInvalid))
    }

    @Test(
        "what is not as it must be is refused",
        arguments: [
            (binary(0x11, 0x11, addressesV4), .versionUnsupported),
            (binary(0x31, 0x11, addressesV4), .versionUnsupported),
            (binary(0x22, 0x11, addressesV4), .commandUnknown),
            (binary(0x2F, 0x11, addressesV4), .commandUnknown),
            (binary(0x21, 0x41, addressesV4), .familyUnknown),
            (binary(0x21, 0x13, addressesV4), .transportUnknown),
            (binary(0x21, 0x10, addressesV4), .transportUnknown),
            (binary(0x21, 0x01, []), .transportUnknown),
            (binary(0x21, 0x11, Array(addressesV4.dropLast())), .addressesTruncated),
            (binary(0x21, 0x11, []), .addressesTruncated),
            (binary(0x21, 0x21, Array(addressesV6.dropLast())), .addressesTruncated),
            (binary(0x21, 0x31, addressesV6), .addressesTruncated),
            (binary(0x21, 0x11, addressesV4 + [0x04]), .fieldTruncated),
            (binary(0x21, 0x11, addressesV4 + [0x04, 0x00]), .fieldTruncated),
            (binary(0x21, 0x11, addressesV4 + [0x04, 0x00, 0x01]), .fieldTruncated),
            (binary(0x21, 0x11, addressesV4 + field(4, [1], length: 65535)), .fieldTruncated),
            (binary(0x21, 0x11, addressesV4 + field(4, [1]) + [0]), .fieldTruncated),
            (binary(0x21, 0x11, addressesV4, length: 4081), .headerTooLong),
            (binary(0x20, 0x00, [], length: 65535), .headerTooLong),
        ] as [([UInt8], ProxyProtocolError)]
    )
    func refuses(header: [UInt8], error: ProxyProtocolError) {
        #expect(read(header) == .refused(error))
        #expect(readByOctets(header) == .refused(error))
    }

    @Test("4096 octets are the most that a header may have")
    func boundsHeaders() {
        let longest = binary(0x21, 0x11, addressesV4 + field(4, Array(repeating: 0, count: 4065)))
        #expect(longest.count == 4096)
        #expect(read(longest) == .read(.complete(toldV4, byteCount: 4096)))
        #expect(read(Array(longest.dropLast())) == .read(.incomplete))
    }

    @Test("the same comes of a header however it is cut")
    func readsPieces() {
        for header in [
            binary(0x21, 0x11, addressesV4 + field(4, [1, 2])), binary(0x21, 0x21, addressesV6),
            binary(0x20, 0x00, []), binary(0x21, 0x31, Array(repeating: 1, count: 216)),
        ] {
            for count in header.indices {
                #expect(read(Array(header[..<count])) == .read(.incomplete), "\(count) octets")
            }
            #expect(readByOctets(header) == read(header))
        }
    }
}

@Suite("Writing PROXY protocol headers")
struct EncodingTests {
    @Test("version 1 is one line, with all groups of an IPv6 address")
    func writesLines() {
        func text(_ header: ProxyHeader) -> String {
            String(decoding: header.encoded(as: .v1), as: UTF8.self)
        }
        #expect(text(toldV4) == "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n")
        #expect(text(toldV6) == "PROXY TCP6 2001:db8:0:0:0:0:0:1 2001:db8:0:0:0:0:0:2 1 65535\r\n")
        #expect(text(.unspecified) == "PROXY UNKNOWN\r\n")
    }

    @Test("version 2 is the signature and the addresses")
    func writesBinary() {
        #expect(toldV4.encoded(as: .v2) == binary(0x21, 0x11, addressesV4))
        #expect(toldV6.encoded(as: .v2) == binary(0x21, 0x21, addressesV6))
        #expect(ProxyHeader.unspecified.encoded(as: .v2) == binary(0x20, 0x00, []))
    }

    @Test("what is written is read as it was, and two families tell nothing")
    func reads() {
        let mixed = ProxyHeader.addresses(
            source: ProxyAddress(v4: 1, port: 1),
            destination: ProxyAddress(high: 0, low: 1, port: 1)
        )
        for version in [ProxyProtocolVersion.v1, .v2] {
            for header in [toldV4, toldV6, .unspecified] {
                let written = header.encoded(as: version)
                #expect(read(written) == .read(.complete(header, byteCount: written.count)))
            }
            #expect(mixed.encoded(as: version) == ProxyHeader.unspecified.encoded(as: version))
        }
    }
}
