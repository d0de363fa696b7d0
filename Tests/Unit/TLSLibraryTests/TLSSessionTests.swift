import Cryptography
import TLSLibrary
import Testing

/// What both ends came to.
private struct Outcome {
    var client: TLSError?
    var server: TLSError?
    var isComplete = false
}

/// A client and a server whose octets are carried in memory, in pieces of a chosen size.
private final class Pair {
    let client: TLSSession
    let server: TLSSession
    let pieceBytes: Int

    init(_ client: TLSContext, _ server: TLSContext, pieceBytes: Int = 1 << 20) throws {
        self.client = try TLSSession(client)
        self.server = try TLSSession(server)
        self.pieceBytes = pieceBytes
    }

    /// Carries octets one way, and lets the receiver look after each piece.
    func carry(_ from: TLSSession, _ to: TLSSession, _ look: () throws -> Void) throws {
        let octets = from.drain()
        for start in stride(from: 0, to: octets.count, by: pieceBytes) {
            let piece = Array(octets[start..<min(start + pieceBytes, octets.count)])
            try to.feed(piece.span)
            try look()
        }
    }

    func handshake() -> Outcome {
        var outcome = Outcome()
        var clientDone = false
        var serverDone = false
        var buffer = [UInt8](repeating: 0, count: 64)
        for _ in 0..<10 {
            do {
                clientDone = try client.handshake()
                try carry(server, client) { clientDone = try client.handshake() }
                if clientDone {
                    // In TLS 1.3 the client is done before the server has judged its certificate.
                    var span = buffer.mutableSpan
                    _ = try client.read(into: &span)
                }
            } catch let error as TLSError {
                if outcome.client == nil { outcome.client = error }
            } catch {}
            do {
                serverDone = try server.handshake()
                try carry(client, server) { serverDone = try server.handshake() }
            } catch let error as TLSError {
                if outcome.server == nil { outcome.server = error }
            } catch {}
        }
        outcome.isComplete =
            clientDone && serverDone && outcome.client == nil && outcome.server == nil
        return outcome
    }
}

private func clientContext(
    trust: TLSTrust? = nil,
    name: String = "control.weir",
    protocols: [String] = ["weir/1"],
    identity: TLSIdentity? = nil
) throws -> TLSContext {
    try TLSContext(
        client: TLSClientOptions(
            serverName: name,
            trust: try trust ?? .authorities([caFixture.der()]),
            protocols: protocols,
            identity: identity
        )
    )
}

private func serverContext(
    _ identity: TLSIdentity? = nil,
    protocols: [String] = ["weir/1"],
    clients: TLSClientAuthentication = .none
) throws -> TLSContext {
    try TLSContext(
        server: TLSServerOptions(
            identity: try identity ?? serverFixture.identity(caFixture),
            protocols: protocols,
            clientAuthentication: clients
        )
    )
}

@Suite("TLS sessions without I/O")
struct TLSSessionTests {
    @Test(
        "both ends agree, at every size of the pieces in which octets come",
        arguments: [1, 7, 1 << 20]
    )
    func handshake(pieceBytes: Int) throws {
        let pair = try Pair(
            clientContext(identity: nodeFixture.identity()),
            serverContext(clients: .required([caFixture.der()])),
            pieceBytes: pieceBytes
        )
        let outcome = pair.handshake()
        #expect(outcome.isComplete, "\(outcome)")
        #expect(pair.client.negotiatedProtocol == "weir/1")
        #expect(pair.server.negotiatedProtocol == "weir/1")
        #expect(try pair.server.peerCertificate == nodeFixture.der())
        #expect(try pair.client.peerCertificate == serverFixture.der())
        #expect(try pair.client.verifiedChain == [serverFixture.der(), caFixture.der()])
    }

    @Test("content arrives whole and in order, then the end of it")
    func content() throws {
        let pair = try Pair(clientContext(), serverContext(), pieceBytes: 1000)
        #expect(pair.handshake().isComplete)
        let content = randomBytes(100_000)
        try pair.client.write(content.span)
        pair.client.shutdown()
        var received: [UInt8] = []
        var isClosed = false
        var buffer = [UInt8](repeating: 0, count: 5000)
        try pair.carry(pair.client, pair.server) {
            while true {
                var span = buffer.mutableSpan
                let result = try pair.server.read(into: &span)
                if result == .closed { isClosed = true }
                guard case .content(let count) = result else { break }
                received += buffer[..<count]
            }
        }
        #expect(received == content)
        #expect(isClosed)
        #expect(pair.client.drainableCount == 0)
    }

    @Test("a pin is met by the authority at the end of the chain that the server sends")
    func pin() throws {
        let pin = sha256(try caFixture.der())
        let good = try Pair(clientContext(trust: .pinnedAuthority(pin)), serverContext())
        #expect(good.handshake().isComplete)
        #expect(try good.client.verifiedChain.last == caFixture.der())

        let pins = [sha256(try otherFixture.der()), pin]
        for pins in [pins, pins.reversed()] {
            let pair = try Pair(clientContext(trust: .pinnedAuthorities(pins)), serverContext())
            #expect(pair.handshake().isComplete)
        }

        let withoutAuthority = try Pair(
            clientContext(trust: .pinnedAuthority(pin)),
            serverContext(serverFixture.identity())
        )
        #expect(withoutAuthority.handshake().client == .certificateRefused(.untrusted))

        let other = try Pair(
            clientContext(trust: .pinnedAuthority(sha256(otherFixture.der()))),
            serverContext()
        )
        #expect(other.handshake().client == .certificateRefused(.untrusted))
    }

    @Test("a pin of the server's own certificate, or of one beside the chain, is not met")
    func pinOfOthers() throws {
        let leaf = try Pair(
            clientContext(trust: .pinnedAuthority(sha256(serverFixture.der()))),
            serverContext()
        )
        #expect(leaf.handshake().client == .certificateRefused(.untrusted))
        // The attacker's leaf is issued by another authority, and the pinned one is merely sent along.
        let beside = try Pair(
            clientContext(trust: .pinnedAuthority(sha256(caFixture.der()))),
            serverContext(foreignFixture.identity(caFixture))
        )
        #expect(beside.handshake().client == .certificateRefused(.untrusted))
    }

    @Test("a pin does not replace the checks of name, time and purpose")
    func pinAndChecks() throws {
        let trust = TLSTrust.pinnedAuthority(sha256(try caFixture.der()))
        let cases: [(Fixture, CertificateFault)] = [
            (elsewhereFixture, .nameMismatch), (wildcardFixture, .nameMismatch),
            (expiredFixture, .expired), (posingFixture, .purposeNotAllowed),
        ]
        for (fixture, fault) in cases {
            let pair = try Pair(
                clientContext(trust: trust),
                serverContext(fixture.identity(caFixture))
            )
            #expect(pair.handshake().client == .certificateRefused(fault))
        }
    }

    @Test("a server certificate is refused for its authority, name, time or purpose, with an alert")
    func serverRefused() throws {
        let cases: [(Fixture, CertificateFault, UInt8)] = [
            (elsewhereFixture, .nameMismatch, 42), (wildcardFixture, .nameMismatch, 42),
            (expiredFixture, .expired, 45), (posingFixture, .purposeNotAllowed, 43),
            (nodeFixture, .purposeNotAllowed, 43),
        ]
        for (fixture, fault, alert) in cases {
            let pair = try Pair(clientContext(), serverContext(fixture.identity()))
            let outcome = pair.handshake()
            #expect(outcome.client == .certificateRefused(fault))
            #expect(outcome.server == .alertReceived(TLSAlert(number: alert)), "\(fault)")
            #expect(!outcome.isComplete)
        }
        let other = try Pair(
            clientContext(trust: .authorities([otherFixture.der()])),
            serverContext()
        )
        #expect(other.handshake().client == .certificateRefused(.untrusted))
    }

    @Test("a client is refused without a certificate, and with one of another cluster")
    func clientRefused() throws {
        let required = try TLSClientAuthentication.required([caFixture.der()])
        let missing = try Pair(clientContext(), serverContext(clients: required)).handshake()
        #expect(missing.server == .certificateMissing)
        #expect(missing.client == .alertReceived(TLSAlert(number: 116)))
        for clients in [required, .optional([try caFixture.der()])] {
            let pair = try Pair(
                clientContext(identity: foreignFixture.identity()),
                serverContext(clients: clients)
            )
            let outcome = pair.handshake()
            #expect(outcome.server == .certificateRefused(.untrusted))
            #expect(outcome.client == .alertReceived(TLSAlert(number: 48)))
        }
        let server = try Pair(
            clientContext(identity: serverFixture.identity()),
            serverContext(clients: required)
        )
        #expect(server.handshake().server == .certificateRefused(.purposeNotAllowed))
        let optional = try Pair(
            clientContext(),
            serverContext(clients: .optional([caFixture.der()]))
        )
        #expect(optional.handshake().isComplete)
        #expect(optional.server.peerCertificate == nil)
    }

    @Test("RFC 7301 §3.2: without a protocol in common there is no session")
    func noProtocol() throws {
        let pair = try Pair(clientContext(protocols: ["weir/2"]), serverContext())
        let outcome = pair.handshake()
        #expect(outcome.server == .protocolNotNegotiated)
        #expect(outcome.client == .alertReceived(TLSAlert(number: 120)))
        let silentClient = try Pair(clientContext(protocols: []), serverContext())
        #expect(silentClient.handshake().server == .protocolNotNegotiated)
        let silentServer = try Pair(clientContext(), serverContext(protocols: []))
        #expect(silentServer.handshake().client == .protocolNotNegotiated)
    }

    @Test(
        "octets that are not TLS, and flipped ones at any place of the hello, are errors and no trap"
    )
    func garbage() throws {
        let context = try serverContext()
        for start in [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), randomBytes(600), [22, 3, 1, 255, 255],
        ] {
            let session = try TLSSession(context)
            try session.feed(start.span)
            var isDone = false
            do { isDone = try session.handshake() } catch { #expect(error != .libraryFailed) }
            #expect(!isDone)
        }
        let client = try TLSSession(try clientContext())
        _ = try client.handshake()
        let hello = client.drain()
        for index in hello.indices {
            let session = try TLSSession(context)
            var changed = hello
            changed[index] ^= 0xff
            try session.feed(changed.span)
            do {
                let isDone = try session.handshake()
                #expect(!isDone)
            } catch {
                #expect(throws: TLSError.sessionUnusable) { try session.handshake() }
            }
        }
    }

    @Test("a changed record ends the session with an alert for the peer")
    func changedRecord() throws {
        let pair = try Pair(clientContext(), serverContext())
        #expect(pair.handshake().isComplete)
        try pair.client.write([1, 2, 3].span)
        var record = pair.client.drain()
        record[record.count - 1] ^= 1
        try pair.server.feed(record.span)
        var buffer = [UInt8](repeating: 0, count: 10)
        #expect(throws: TLSError.self) {
            var span = buffer.mutableSpan
            return try pair.server.read(into: &span)
        }
        try pair.client.feed(pair.server.drain().span)
        #expect(throws: TLSError.alertReceived(TLSAlert(number: 20))) {
            var span = buffer.mutableSpan
            return try pair.client.read(into: &span)
        }
    }

    @Test("content before the handshake is complete is refused")
    func outOfOrder() throws {
        let session = try TLSSession(try clientContext())
        #expect(throws: TLSError.sessionUnusable) { try session.write([1].span) }
        session.shutdown()
        #expect(session.drainableCount == 0)
    }

    @Test("parts of a context that do not fit are named")
    func contexts() throws {
        let key = try nodeFixture.identity().privateKey
        let cases: [(ConfigurationFault, () throws -> TLSContext)] = [
            (
                .privateKey,
                { try serverContext(TLSIdentity(chain: [serverFixture.der()], privateKey: key)) }
            ),
            (
                .privateKey,
                { try serverContext(TLSIdentity(chain: [serverFixture.der()], privateKey: [])) }
            ),
            (.certificate, { try serverContext(TLSIdentity(chain: [], privateKey: key)) }),
            (.certificate, { try serverContext(TLSIdentity(chain: [[1, 2]], privateKey: key)) }),
            (.authority, { try clientContext(trust: .authorities([])) }),
            (.authority, { try clientContext(trust: .authorities([[0]])) }),
            (.pin, { try clientContext(trust: .pinnedAuthority([1])) }),
            (.serverName, { try clientContext(name: "") }),
            (.serverName, { try clientContext(name: "a\0") }),
            (.protocolName, { try clientContext(protocols: [""]) }),
        ]
        for (fault, make) in cases {
            #expect(throws: TLSError.configurationInvalid(fault)) { _ = try make() }
        }
    }
}
