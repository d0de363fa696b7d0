import Testing
import Upstreams

@Suite("ClientCounts")
struct ClientCountsTests {
    private func client(_ low: UInt64) -> ClientCounts.Client {
        ClientCounts.Client(high: 0, low: 0xFFFF_0000_0000 | low)
    }

    @Test("A client begins so many things in a second, and each has its own count")
    func limitsBeginnings() {
        let counts = ClientCounts()
        for _ in 0..<3 { #expect(counts.begin(client(1), limit: 3, second: 10)) }
        #expect(!counts.begin(client(1), limit: 3, second: 10))
        #expect(counts.begin(client(2), limit: 3, second: 10))
        #expect(counts.begin(client(1), limit: 3, second: 11))
        // A worker whose clock is behind does not begin the second anew.
        for _ in 0..<2 { #expect(counts.begin(client(1), limit: 3, second: 10)) }
        #expect(!counts.begin(client(1), limit: 3, second: 10))
    }

    @Test("An IPv6 client has all of its /64, in beginnings as in connections")
    func countsPrefixes() {
        let counts = ClientCounts()
        let (first, second) = (
            ClientCounts.Client(high: 7, low: 1), ClientCounts.Client(high: 7, low: 2)
        )
        #expect(
            counts.begin(first, limit: 1, second: 1) && !counts.begin(second, limit: 1, second: 1)
        )
        #expect(counts.add(first, limit: 1) && !counts.add(second, limit: 1))
        counts.remove(second)
        #expect(counts.add(first, limit: 1))
    }
}
