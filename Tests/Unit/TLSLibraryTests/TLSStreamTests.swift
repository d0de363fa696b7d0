import Cryptography
import Glibc
import TLSLibrary
import Testing

/// A server's stream on one end of a socket, and a client's session whose octets are carried to the other.
private final class Wire {
    let client: TLSSession
    let server: TLSStream
    let workspace = TLSWorkspace(recordCount: 4)
    private var ends: [Int32] = [-1, -1]

    init(_ edge: TLSEdge, _ client: TLSContext) throws {
        self.client = try TLSSession(client)
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw TLSError.libraryFailed
        }
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        server = try TLSStream(accepting: edge, workspace, descriptor: ends[0])
    }

    deinit {
        for end in ends { close(end) }
    }

    /// Carries what the client has said, or `count` octets of it.
    func carry(_ count: Int = .max) {
        let octets = client.drain()
        var sent = 0
        while sent < min(count, octets.count) {
            let moved = unsafe octets.withUnsafeBytes {
                unsafe send(ends[1], $0.baseAddress?.advanced(by: sent), octets.count - sent, 0)
            }
            guard moved > 0 else { return }
            sent += moved
        }
    }

    /// Carries what the server has gathered.
    func answer() throws {
        let octets = workspace.withOutput { Array(copying: $0) }
        workspace.clear()
        try client.feed(octets.span)
    }

    func handshake() throws {
        var isDone = (client: false, server: false)
        for _ in 0..<10 where !isDone.client || !isDone.server {
            isDone.client = try client.handshake()
            carry()
            isDone.server = try server.handshake()
            try answer()
        }
        try #require(isDone == (true, true))
    }

    func read(_ count: Int = 65_536) throws -> (TLSStream.ReadResult, [UInt8]) {
        var octets = [UInt8](repeating: 0, count: count)
        let result = try unsafe octets.withUnsafeMutableBytes { try unsafe server.read(into: $0) }
        guard case .content(let read) = result else { return (result, []) }
        return (result, Array(octets[..<read]))
    }

    func endOfClient() {
        shutdown(ends[1], Int32(SHUT_WR))
    }
}

extension [UInt8] {
    fileprivate init(copying span: Span<UInt8>) {
        self = span.indices.map { span[$0] }
    }
}

private func edge(
    isStrict: Bool = false,
    protocols: [String] = ["h2", "http/1.1"],
    authentication: TLSClientAuthentication = .none
) throws -> TLSEdge {
    try TLSEdge(
        TLSEdgeOptions(
            hosts: [
                .init(
                    names: ["elsewhere.weir"],
                    identities: [elsewhereFixture.identity(caFixture)]
                ),
                .init(names: ["control.weir"], identities: [serverFixture.identity(caFixture)]),
            ],
            isStrict: isStrict,
            protocols: protocols,
            clientAuthentication: authentication
        )
    )
}

private func client(_ name: String, protocols: [String] = ["http/1.1"]) throws -> TLSContext {
    try TLSContext(
        client: TLSClientOptions(
            serverName: name,
            trust: .authorities([caFixture.der()]),
            protocols: protocols
        )
    )
}

@Suite struct TLSStreamTests {
    @Test func contentGoesBothWays() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        try wire.handshake()
        #expect(wire.server.negotiatedProtocol == "http/1.1")
        #expect(wire.server.serverName == "control.weir")
        #expect(try wire.read().0 == .wouldBlock)
        try wire.client.write(Array("hello".utf8).span)
        wire.carry()
        #expect(try wire.read().1 == Array("hello".utf8))
        #expect(wire.server.isDrained)
        let answer = [UInt8](repeating: 7, count: 40_000)
        #expect(try wire.server.write(answer.span) == answer.count)
        try wire.answer()
        var got: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while got.count < answer.count {
            var span = buffer.mutableSpan
            guard case .content(let count) = try wire.client.read(into: &span) else { break }
            got += buffer[..<count]
        }
        #expect(got == answer)
    }

    @Test func aRecordInPiecesIsAwaited() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        try wire.handshake()
        try wire.client.write(Array("hello".utf8).span)
        wire.carry(7)
        #expect(try wire.read().0 == .content(5) || wire.read().0 == .wouldBlock)
    }

    @Test func aReadOfLessThanARecordLeavesTheRest() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        try wire.handshake()
        try wire.client.write(Array("hello".utf8).span)
        wire.carry()
        #expect(try wire.read(2).1 == Array("he".utf8))
        #expect(!wire.server.isDrained)
        #expect(try wire.read().1 == Array("llo".utf8))
    }

    @Test func whatIsWrittenStopsWithTheWorkspace() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        try wire.handshake()
        let content = [UInt8](repeating: 1, count: 1_000_000)
        #expect(try wire.server.write(content.span) == 4 * 16_384)
        #expect(try wire.server.write(content.span) == 0)
        wire.workspace.clear()
        #expect(try wire.server.write(content.span) > 0)
    }

    @Test func theEndIsToldFromACut() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        try wire.handshake()
        wire.client.shutdown()
        wire.carry()
        #expect(try wire.read().0 == .closed(isNotified: true))

        let cut = try Wire(try edge(), try client("control.weir"))
        try cut.handshake()
        cut.endOfClient()
        #expect(try cut.read().0 == .closed(isNotified: false))
    }

    @Test func contentIsReadAfterOurEndHoweverOftenThatIsTold() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        try wire.handshake()
        wire.server.shutdown()
        try wire.answer()
        try wire.client.write(Array("after".utf8).span)
        wire.carry()
        wire.server.shutdown()
        #expect(try wire.read().1 == Array("after".utf8))
    }

    @Test func aLookTakesNothing() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        try wire.handshake()
        #expect(try wire.server.look() == .wouldBlock)
        try wire.client.write(Array("here".utf8).span)
        wire.carry()
        #expect(try wire.server.look() == .content(1))
        #expect(try wire.read().1 == Array("here".utf8))
        wire.client.shutdown()
        wire.carry()
        #expect(try wire.server.look() == .closed(isNotified: true))
    }

    @Test func aHostOfOtherCertificatesIsNotServed() throws {
        let edge = try edge()
        #expect(edge.serves("control.weir", toConnectionFor: "control.weir"))
        #expect(edge.serves("nobody.weir", toConnectionFor: "elsewhere.weir"))
        #expect(!edge.serves("control.weir", toConnectionFor: "elsewhere.weir"))
        #expect(!edge.serves("elsewhere.weir", toConnectionFor: nil))
        #expect(edge.serves("control.weir", toConnectionFor: nil))
    }

    @Test(arguments: ["control.weir", "elsewhere.weir"])
    func theNameChoosesTheCertificate(name: String) throws {
        // The fixture for elsewhere is for another name: verification by name is what tells them apart.
        let wire = try Wire(try edge(), try client(name))
        if name == "control.weir" {
            try wire.handshake()
        } else {
            #expect(throws: TLSError.certificateRefused(.nameMismatch)) { try wire.handshake() }
        }
    }

    @Test func anUnknownNameIsRefusedWhereItMustBe() throws {
        let lax = try Wire(try edge(), try client("unknown.weir"))
        #expect(throws: TLSError.certificateRefused(.nameMismatch)) { try lax.handshake() }
        let strict = try Wire(try edge(isStrict: true), try client("unknown.weir"))
        #expect(throws: TLSError.self) { try strict.handshake() }
        try strict.answer()
        #expect(throws: TLSError.alertReceived(TLSAlert(number: 112))) {
            _ = try strict.client.handshake()
        }
    }

    @Test func protocolsThatNobodySpeaksAreRefused() throws {
        let wire = try Wire(try edge(), try client("control.weir", protocols: ["weir/1"]))
        #expect(throws: TLSError.protocolNotNegotiated) { try wire.handshake() }
    }

    @Test func theServersOrderOfProtocolsCounts() throws {
        let wire = try Wire(try edge(), try client("control.weir", protocols: ["http/1.1", "h2"]))
        try wire.handshake()
        #expect(wire.server.negotiatedProtocol == "h2")
    }

    @Test func aClientsCertificateIsDemanded() throws {
        let authority = try caFixture.der()
        let wire = try Wire(
            try edge(authentication: .required([authority])),
            try client("control.weir")
        )
        #expect(throws: TLSError.certificateMissing) { try wire.handshake() }
    }

    @Test func rubbishIsNoHandshake() throws {
        let wire = try Wire(try edge(), try client("control.weir"))
        _ = try wire.client.handshake()
        _ = wire.client.drain()
        #expect(try !wire.server.handshake())
        wire.endOfClient()
        #expect(throws: TLSError.peerFault(reason: "closed during the handshake")) {
            _ = try wire.server.handshake()
        }
        #expect(throws: TLSError.sessionUnusable) { _ = try wire.server.handshake() }
    }
}
