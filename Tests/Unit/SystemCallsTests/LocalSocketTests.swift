import SystemCalls
import Testing

@Suite("LocalSocket")
struct LocalSocketTests {
    /// Two ends of a connection in a directory that is gone afterwards.
    private func withConnection(
        below folder: String = "/tmp",
        _ body: (_ client: Int32, _ server: Int32) throws -> Void
    ) throws {
        let folder = "\(folder)/weir-local-test-\(processID())-\(randomNumber())"
        try makeDirectory(folder)
        defer {
            try? removeFile("\(folder)/s")
            try? removeDirectory(folder)
        }
        let listener = try LocalSocket.listen(folder: folder, name: "s", backlog: 4)
        let client = try LocalSocket.connect(folder: folder, name: "s")
        guard case .accepted(let number, _) = accept(listener.number) else {
            Issue.record("nothing to accept")
            return
        }
        let server = FileDescriptor(owning: number)
        try body(client.number, server.number)
    }

    @Test("A message and its descriptors arrive together, and what was sent stays open")
    func descriptors() throws {
        let any = try #require(SocketAddress("127.0.0.1:0"))
        let socket = try bindStreamSocket(any, reusePort: true)
        let address = try localAddress(socket.number)
        try withConnection { client, server in
            try LocalSocket.send(client, [1, 2], descriptors: [socket.number, socket.number])
            let received = try LocalSocket.receive(server, octetsMax: 8)
            guard case .message(let octets, let bundle) = received else {
                Issue.record("no message")
                return
            }
            #expect(octets == [1, 2])
            #expect(bundle.count == 2)
            for number in bundle.lent {
                let place = try localAddress(number)
                #expect(place == address)
            }
        }
    }

    @Test("The other end is known by its user and process")
    func peer() throws {
        try withConnection { _, server in
            let peer = try LocalSocket.peer(of: server)
            #expect(peer.user == effectiveUserID())
            #expect(peer.process == processID())
        }
    }

    @Test("A message that does not fit is an error, and its descriptors do not leak")
    func tooLong() throws {
        try withConnection { client, server in
            try LocalSocket.send(client, [1, 2, 3], descriptors: [client])
            #expect(throws: SystemCallError.self) {
                _ = try LocalSocket.receive(server, octetsMax: 2)
            }
            guard case .wouldBlock = try LocalSocket.receive(server, octetsMax: 2) else {
                Issue.record("something is left")
                return
            }
        }
    }

    @Test("A path longer than an address is reached by way of its directory")
    func longPath() throws {
        let deep = "/tmp/weir-\(processID())-\(String(repeating: "d", count: 120))"
        try makeDirectory(deep)
        defer { try? removeDirectory(deep) }
        try withConnection(below: deep) { client, server in
            try LocalSocket.send(client, [9])
            guard case .message([9], _) = try LocalSocket.receive(server, octetsMax: 8) else {
                Issue.record("no message")
                return
            }
        }
    }

    @Test("A program that cannot be started is an error, and leaves no process behind")
    func noProgram() {
        let failure = #expect(throws: SystemCallError.self) {
            _ = try SiblingProcess("/nonexistent/program", arguments: ["program"])
        }
        #expect(failure?.errno == .noSuchFile)
    }
}
