import Testing

@testable import TLSHello

@Suite("ClientHello")
struct ClientHelloTests {
    /// An extension, with its length.
    private func `extension`(_ kind: Int, _ content: [UInt8]) -> [UInt8] {
        number(kind, 2) + number(content.count, 2) + content
    }

    private func number(_ value: Int, _ width: Int) -> [UInt8] {
        (0..<width).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    private func serverName(_ name: String) -> [UInt8] {
        let octets = Array(name.utf8)
        let entry = [0] + number(octets.count, 2) + octets
        return `extension`(0, number(entry.count, 2) + entry)
    }

    private func hello(_ extensions: [UInt8]?, kind: UInt8 = 1) -> [UInt8] {
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [2, 1, 2]
        body += number(4, 2) + [0x13, 1, 0x13, 2] + [1, 0]
        if let extensions { body += number(extensions.count, 2) + extensions }
        return [kind] + number(body.count, 3) + body
    }

    private func records(_ message: [UInt8], fragmentBytes: Int = 16_384) -> [UInt8] {
        stride(from: 0, to: message.count, by: fragmentBytes).flatMap { start in
            let fragment = message[start..<min(start + fragmentBytes, message.count)]
            return [22, 3, 1] + number(fragment.count, 2) + fragment
        }
    }

    private func read(_ octets: [UInt8]) throws -> ClientHello? {
        try ClientHello.read(octets.span)
    }

    @Test("RFC 6066 §3: the name is found among other extensions, in lower case")
    func findsName() throws {
        let extensions =
            `extension`(43, [2, 3, 4]) + serverName("DB.Example.com.") + `extension`(9, [])
        #expect(try read(records(hello(extensions)))?.serverName == "db.example.com")
        #expect(try read(records(hello(`extension`(43, [2, 3, 4]))))?.serverName == nil)
        #expect(try read(records(hello(nil))) == ClientHello(serverName: nil))
    }

    @Test(
        "it is the same in records of any size, and whatever follows it",
        arguments: [1, 2, 5, 64]
    )
    func readsFragments(fragmentBytes: Int) throws {
        let octets = records(hello(serverName("a.test")), fragmentBytes: fragmentBytes)
        #expect(try read(octets)?.serverName == "a.test")
        #expect(try read(octets + [23, 3, 3, 0, 1, 0])?.serverName == "a.test")
    }

    @Test("every beginning of it is incomplete, split at every octet")
    func isIncomplete() throws {
        for fragmentBytes in [3, 16_384] {
            let octets = records(hello(serverName("a.test")), fragmentBytes: fragmentBytes)
            for count in 0..<octets.count {
                #expect(try read(Array(octets[..<count])) == nil, "\(count)")
            }
        }
    }

    @Test("what is no ClientHello is refused as soon as it shows")
    func refusesOthers() {
        #expect(throws: ClientHelloError.recordUnexpected) {
            try read(Array("GET / HTTP/1.1".utf8))
        }
        #expect(throws: ClientHelloError.recordUnexpected) { try read([22, 2]) }
        #expect(throws: ClientHelloError.recordUnexpected) { try read([22, 3, 1, 0, 0]) }
        #expect(throws: ClientHelloError.recordUnexpected) { try read([22, 3, 1, 0x40, 1]) }
        #expect(throws: ClientHelloError.messageUnexpected) { try read([22, 3, 1, 0, 9, 2]) }
        #expect(throws: ClientHelloError.messageUnexpected) {
            try read(records(hello(nil, kind: 11)))
        }
    }

    @Test("lengths that do not fit, repeated extensions and names that are none are refused")
    func refusesBroken() {
        let name = serverName("a.test")
        #expect(throws: ClientHelloError.extensionRepeated) {
            try read(records(hello(name + name)))
        }
        for wrong in [
            serverName(""), serverName("a b"), serverName("."), `extension`(0, [0, 3, 1, 0, 0]),
        ] {
            #expect(throws: ClientHelloError.self) { try read(records(hello(wrong))) }
        }
        let whole = hello(name)
        for index in 4..<whole.count {
            for value: UInt8 in [0, 1, 0x7F, 0xFF] {
                var changed = whole
                changed[index] = value
                // Whatever comes of it, nothing traps.
                _ = try? read(records(changed))
            }
        }
    }

    @Test("one that takes too long is refused")
    func refusesLong() {
        let long = hello(`extension`(21, [UInt8](repeating: 0, count: 17_000)))
        #expect(throws: ClientHelloError.tooLong) { try read(Array(records(long)[..<20])) }
        let short = hello(`extension`(21, [UInt8](repeating: 0, count: 8_000)))
        let scattered = Array(records(short, fragmentBytes: 1)[..<ClientHelloLimits.bytesMax])
        #expect(throws: ClientHelloError.tooLong) { try read(scattered) }
    }
}
