import EventLoop
import Testing

@testable import ProxyCore

@Suite("Whose TLS handshake is answered next")
struct HandshakeQueueTests {
    private final class Client: WaitsForHandshake {
        let number: Int
        var isWaiting = true
        let waitingSince: LoopInstant

        init(_ number: Int, since nanoseconds: UInt64) {
            self.number = number
            waitingSince = LoopInstant(nanoseconds: nanoseconds)
        }
    }

    /// Who is taken out in which order, at one moment.
    private func order(_ clients: [Client], at nanoseconds: UInt64, patience: UInt64?) -> [Int] {
        var queue = HandshakeQueue<Client>()
        for client in clients { queue.append(client) }
        var taken: [Int] = []
        let now = LoopInstant(nanoseconds: nanoseconds)
        while let client = queue.takeNext(at: now, patience: patience) {
            taken.append(client.number)
            client.isWaiting = false
        }
        #expect(queue.count == 0)
        return taken
    }

    private func clients(_ count: Int) -> [Client] {
        (0..<count).map { Client($0, since: UInt64($0)) }
    }

    @Test("the first one comes first while nobody has waited long")
    func inOrder() {
        #expect(order(clients(100), at: 100, patience: 100) == Array(0..<100))
        #expect(order(clients(100), at: 1_000_000, patience: nil) == Array(0..<100))
    }

    @Test("the last one comes first while the first one has waited too long")
    func latestFirst() {
        #expect(order(clients(5), at: 100, patience: 99) == [4, 3, 2, 1, 0])
    }

    @Test("those that have gone are passed over, at either end")
    func gone() {
        let some = clients(7)
        for index in [0, 1, 3, 6] { some[index].isWaiting = false }
        #expect(order(some, at: 10, patience: 1000) == [2, 4, 5])
        let others = clients(7)
        for index in [0, 1, 3, 6] { others[index].isWaiting = false }
        #expect(order(others, at: 1000, patience: 10) == [5, 4, 2])
        let none = clients(3)
        for client in none { client.isWaiting = false }
        #expect(order(none, at: 1000, patience: 10) == [])
    }

    @Test("whoever comes between two turns keeps the order")
    func comingAndGoing() {
        var queue = HandshakeQueue<Client>()
        var taken: [Int] = []
        for number in 0..<1000 {
            queue.append(Client(number, since: 0))
            let now = LoopInstant(nanoseconds: 1)
            guard number % 3 != 0, let next = queue.takeNext(at: now, patience: 5) else { continue }
            next.isWaiting = false
            taken.append(next.number)
        }
        #expect(taken == Array(0..<taken.count) && taken.count == 666)
    }

    @Test("those that have gone are let go, while somebody always waits too long")
    func gonePlaces() {
        var queue = HandshakeQueue<Client>()
        var waiting: [Client] = []
        for number in 0..<10_000 {
            let client = Client(number, since: UInt64(number))
            queue.append(client)
            waiting.append(client)
            // Fifty wait; the first of them has always waited too long, and gives up when the next one comes.
            if waiting.count > 50 { waiting.removeFirst().isWaiting = false }
            guard number % 5 == 0 else { continue }
            let taken = queue.takeNext(at: LoopInstant(nanoseconds: UInt64(number)), patience: 10)
            taken?.isWaiting = false
            waiting.removeAll { $0 === taken }
            #expect(queue.count <= 2 * 51 + 64)
        }
    }
}
