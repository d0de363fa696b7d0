import SystemCalls
import Testing

@Suite("SystemCalls")
struct SystemCallsTests {
    @Test(
        "An address prints as it was read",
        arguments: ["192.0.2.1:80", "[2001:db8::1]:8443", "127.0.0.1:0", "[::]:9"]
    )
    func addressRoundTrip(text: String) {
        #expect(SocketAddress(text)?.description == text)
    }

    @Test(
        "What is no address with a port is refused",
        arguments: [
            "", ":80", "1.2.3.4", "1.2.3:80", "::1:80", "[1.2.3.4]:80", "1.2.3.4:65536", "x:1",
        ]
    )
    func badAddress(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test("Loopback addresses of both families are known")
    func loopback() {
        #expect(SocketAddress("127.1.2.3:1")?.isLoopback == true)
        #expect(SocketAddress("[::1]:1")?.isLoopback == true)
        #expect(SocketAddress("[::ffff:127.0.0.1]:1")?.isLoopback == true)
        #expect(SocketAddress("192.0.2.1:1")?.isLoopback == false)
    }

    @Test("A look takes nothing, and octets cross a pipe from one socket to the other")
    func pipe() throws {
        let any = try #require(SocketAddress("127.0.0.1:0"))
        let listener = try bindStreamSocket(any, reusePort: false)
        try listen(listener.number, backlog: 8)
        let poller = try Poller(eventCountMax: 8)
        let client = try connectStream(to: localAddress(listener.number))
        try poller.addLevelTriggered(listener.number, token: 7)
        _ = poller.wait(timeoutMilliseconds: 5000)
        guard case .accepted(let number, _) = accept(listener.number) else {
            Issue.record("nothing was accepted")
            return
        }
        let server = FileDescriptor(owning: number)
        let pipe = try Pipe(bytes: 65_536)
        #expect(peek(server.number) == .wouldBlock)
        #expect(pipe.fill(from: server.number, count: 10) == .wouldBlock)
        let word: [UInt8] = [1, 2, 3]
        #expect(send(client.number, word.span) == .count(3))
        try poller.addLevelTriggered(server.number, token: 8)
        _ = poller.wait(timeoutMilliseconds: 5000)
        #expect(peek(server.number) == .count(1))
        #expect(pipe.fill(from: server.number, count: 2) == .count(2))
        #expect(peek(server.number) == .count(1))
        #expect(pipe.drain(to: server.number, count: 2) == .count(2))
        try poller.addLevelTriggered(client.number, token: 9)
        _ = poller.wait(timeoutMilliseconds: 5000)
        var buffer = [UInt8](repeating: 0, count: 8)
        var span = buffer.mutableSpan
        #expect(receive(client.number, into: &span) == .count(2))
        #expect(buffer[0] == 1 && buffer[1] == 2)
    }

    @Test("Octets cross a connection, and the end of the stream reads as zero octets")
    func connection() throws {
        let any = try #require(SocketAddress("127.0.0.1:0"))
        let listener = try bindStreamSocket(any, reusePort: false)
        try listen(listener.number, backlog: 8)
        let poller = try Poller(eventCountMax: 8)
        try poller.addLevelTriggered(listener.number, token: 7)
        let client = try connectStream(to: localAddress(listener.number))
        #expect(poller.wait(timeoutMilliseconds: 5000) == 1)
        #expect(poller.event(at: 0).token == 7)
        guard case .accepted(let number, let peer) = accept(listener.number) else {
            Issue.record("nothing was accepted")
            return
        }
        let server = FileDescriptor(owning: number)
        #expect(peer.isLoopback)
        #expect(try peer == localAddress(client.number))
        let word: [UInt8] = [1, 2, 3]
        #expect(send(client.number, word.span) == .count(3))
        poller.remove(listener.number)
        try poller.add(server.number, token: 9)
        #expect(poller.wait(timeoutMilliseconds: 5000) == 1)
        #expect(poller.event(at: 0).readiness.contains(.readable))
        var buffer = [UInt8](repeating: 0, count: 8)
        var span = buffer.mutableSpan
        #expect(receive(server.number, into: &span) == .count(3))
        #expect(receive(server.number, into: &span) == .wouldBlock)
        shutdownWrite(client.number)
        _ = poller.wait(timeoutMilliseconds: 5000)
        #expect(receive(server.number, into: &span) == .count(0))
    }

    @Test("A port that is taken fails with the call and the reason")
    func addressInUse() throws {
        let any = try #require(SocketAddress("127.0.0.1:0"))
        let first = try bindStreamSocket(any, reusePort: false)
        try listen(first.number, backlog: 1)
        let taken = try localAddress(first.number)
        let failure = #expect(throws: SystemCallError.self) {
            _ = try bindStreamSocket(taken, reusePort: false)
        }
        #expect(failure?.errno == .addressInUse)
        #expect(failure?.description == "bind: Address already in use (EADDRINUSE)")
    }

    @Test("A wake-up is seen once")
    func wakeUp() throws {
        let wakeUp = try WakeUp()
        let poller = try Poller(eventCountMax: 4)
        try poller.addLevelTriggered(wakeUp.number, token: 1)
        wakeUp.signal()
        wakeUp.signal()
        #expect(poller.wait(timeoutMilliseconds: 5000) == 1)
        wakeUp.clear()
        #expect(poller.wait(timeoutMilliseconds: 0) == 0)
    }

    @Test("A file is replaced whole, and a file over the limit is not read")
    func files() throws {
        let folder = "/tmp/weir-test-\(randomNumber())"
        try makeDirectory(folder)
        try makeDirectory(folder)
        let path = folder + "/file"
        try replaceFile(path, with: [1, 2, 3].span)
        try replaceFile(path, with: [4, 5].span)
        #expect(try readFile(path, octetsMax: 2) == [4, 5])
        #expect(throws: SystemCallError.self) { try readFile(path, octetsMax: 1) }
        let lock = try openFile(folder + "/lock", .update)
        let other = try openFile(folder + "/lock", .update)
        #expect(try lockFile(lock.number))
        #expect(try lockFile(other.number) == false)
        for name in ["/file", "/lock", "/absent"] { try removeFile(folder + name) }
        try removeDirectory(folder)
    }

    @Test("Civil time agrees with known dates")
    func civilTime() {
        let leap = CivilTime(unixSeconds: 951_782_399)  // 2000-02-28T23:59:59Z
        #expect((leap.year, leap.month, leap.day) == (2000, 2, 28))
        #expect((leap.hour, leap.minute, leap.second, leap.weekday) == (23, 59, 59, 1))
        let next = CivilTime(unixSeconds: 951_782_400)
        #expect((next.month, next.day) == (2, 29))
        let epoch = CivilTime(unixSeconds: 0)
        #expect((epoch.year, epoch.month, epoch.day, epoch.weekday) == (1970, 1, 1, 4))
        let before = CivilTime(unixSeconds: -1)
        #expect((before.year, before.month, before.day, before.weekday) == (1969, 12, 31, 3))
    }

    @Test("A thread runs its body before join returns")
    func threads() throws {
        let wakeUp = try WakeUp()
        let poller = try Poller(eventCountMax: 1)
        let thread = try Thread.start(name: "weir-test") { wakeUp.signal() }
        thread.join()
        try poller.addLevelTriggered(wakeUp.number, token: 1)
        #expect(poller.wait(timeoutMilliseconds: 0) == 1)
    }

    @Test("localhost resolves to a loopback address with the port that was asked for")
    func resolution() throws {
        let found = try resolve(host: "localhost", port: 8080)
        #expect(found.allSatisfy { $0.isLoopback && $0.port == 8080 })
        #expect(throws: ResolutionError.self) { try resolve(host: "no such host", port: 1) }
    }
}
