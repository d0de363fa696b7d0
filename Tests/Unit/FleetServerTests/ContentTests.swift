import FleetMessages
import FleetModel
import NIOCore
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

@Suite("Contents that nodes ask for")
struct ContentTests {
    let bench = FleetBench()

    /// A session of a node that lacks everything of `version`.
    private func session(
        _ version: SignedManifest,
        takes bytesMax: Int = .max
    ) async throws -> TestPeer {
        try await bench.remember("edge-1")
        try await bench.commit(version)
        let peer = try await bench.session("edge-1", takes: bytesMax)
        guard case .manifest = try await peer.next() else {
            Issue.record("no manifest")
            return peer
        }
        return peer
    }

    /// Digests of the parts of a chunk, and its octets of contents.
    private func parts(_ frame: Frame) throws -> (digests: [Digest], bytes: Int) {
        guard case .blobChunk(let chunk)? = try FleetMessage(frame) else {
            Issue.record("not a chunk: \(frame.type)")
            return ([], 0)
        }
        return (
            chunk.parts.compactMap { Digest(octets: octets($0.digest)) },
            chunk.parts.reduce(0) { $0 + $1.octets.count }
        )
    }

    @Test("a content named 8,192 times in one request is read and sent once")
    func repeats() async throws {
        let peer = try await session(try signed(try manifest(routes: 1), version: 1))
        let large = [UInt8](repeating: 7, count: 1 << 20)
        let digest = bench.store.keep([large])[0]
        try await peer.want([Digest](repeating: digest, count: 8_192), correlation: 9)
        var bytes = 0
        while bytes < large.count { bytes += try parts(try await peer.nextFrame()).bytes }
        #expect(bytes == large.count)
        try await peer.send(.heartbeat(WireHeartbeat()))
        guard case .heartbeatAnswer = try await peer.next() else {
            Issue.record("more chunks came")
            return
        }
        #expect(bench.store.state.withLock { $0.readings } == [[digest]])
    }

    @Test("a peer that takes nothing has no more read for it than a little ahead")
    func readsAhead() async throws {
        let version = try signed(try manifest(routes: 1), version: 1)
        let peer = try await session(version, takes: 600 << 10)
        let contents = (0..<16).map { [UInt8](repeating: $0, count: 512 << 10) }
        let digests = bench.store.keep(contents)
        try await peer.want(digests, correlation: 9)
        let first = try await peer.nextFrame()
        #expect(first.correlation == 9)
        for _ in 0..<20 { try await peer.send(.heartbeat(WireHeartbeat())) }
        var answers = 0
        while answers < 20 {
            let frame = try await peer.nextFrame()
            if frame.type == FrameType.heartbeatAnswer.rawValue { answers += 1 }
        }
        #expect(bench.store.state.withLock { $0.readings.count } == 1)
    }

    @Test("all contents of a request larger than what is read ahead arrive, in order and once")
    func whole() async throws {
        let peer = try await session(try signed(try manifest(routes: 1), version: 1))
        let contents = (0..<16).map { [UInt8](repeating: $0, count: 512 << 10) }
        let digests = bench.store.keep(contents)
        try await peer.want(digests, correlation: 9)
        var bytes = 0
        var seen: [Digest] = []
        while bytes < 8 << 20 {
            let chunk = try parts(try await peer.nextFrame())
            bytes += chunk.bytes
            for digest in chunk.digests where seen.last != digest { seen.append(digest) }
        }
        #expect(seen == digests)
        #expect(bench.store.state.withLock { $0.readings.count } == 8)
    }

    @Test("a newer request takes the place of the one before")
    func replaced() async throws {
        let peer = try await session(try signed(try manifest(routes: 1), version: 1))
        let contents = (0..<16).map { [UInt8](repeating: $0, count: 512 << 10) }
        let digests = bench.store.keep(contents)
        try await peer.setWritable(false)
        try await peer.want(digests, correlation: 9)
        try await peer.want([digests[3]], correlation: 10)
        try await peer.setWritable(true)
        var bytes = 0
        while bytes < 512 << 10 {
            let frame = try await peer.nextFrame()
            if frame.correlation == 10 { bytes += try parts(frame).bytes }
        }
        let rest = try await peer.pending().filter { $0.correlation == 9 }
        #expect(rest.isEmpty)
    }

    @Test("a request does not take away the chunks of a newer offer")
    func offerStays() async throws {
        let peer = try await session(try signed(try manifest(routes: 1), version: 1))
        let digest = bench.store.keep([content(0)])[0]
        try await peer.setWritable(true)
        let second = try signed(try manifest(routes: 9_000), version: 2)
        try await bench.commit(second)
        guard case .manifest(let announced) = try await peer.next(),
            case .chunked(let reference)? = announced.content
        else {
            Issue.record("the manifest is not announced in chunks")
            return
        }
        try await peer.want([digest], correlation: 9)
        var manifestBytes = 0
        var contentBytes = 0
        while manifestBytes < Int(reference.size) || contentBytes < content(0).count {
            let frame = try await peer.nextFrame()
            let bytes = try parts(frame).bytes
            if frame.correlation == 9 { contentBytes += bytes } else { manifestBytes += bytes }
        }
        #expect(manifestBytes == Int(reference.size))
    }

    @Test("a content that is not stored ends the session")
    func unknown() async throws {
        let peer = try await session(try signed(try manifest(routes: 1), version: 1))
        try await peer.want([Digest(hashing: [1, 2, 3])], correlation: 9)
        #expect(try await peer.goodbye().reason == .messageInvalid)
    }

    @Test("nodes that ask for the same are sent the same octets, read once")
    func shared() async throws {
        try await bench.remember("edge-1", "edge-2", "edge-3")
        let version = try signed(try manifest(routes: 3), version: 1)
        let digests = bench.store.keep((0..<3).map { content($0) })
        try await bench.commit(version)
        for name in ["edge-1", "edge-2", "edge-3"] {
            let peer = try await bench.session(name)
            guard case .manifest = try await peer.next() else {
                Issue.record("no manifest")
                return
            }
            try await peer.want(digests, correlation: 9)
            #expect(try parts(try await peer.nextFrame()).digests == digests)
        }
        #expect(bench.store.state.withLock { $0.readings.count } == 1)
    }
}
