import EventLoop
import Testing

@testable import ProxyCore

@Suite("Who waits for a connection, and whose turn it is")
struct WaitingLineTests {
    private final class Place: WaitsInLine {
        let number: Int
        var isInLine = true
        var deadline: LoopInstant

        init(_ number: Int, deadline: LoopInstant = .never) {
            (self.number, self.deadline) = (number, deadline)
        }
    }

    /// A line that expectations can ask.
    private final class Line {
        private var line = WaitingLine<Place>()

        var count: Int { line.count }
        var isEmpty: Bool { line.isEmpty }
        var next: Place? { line.next() }

        func append(_ place: Place, at now: LoopInstant) { line.append(place, at: now) }
        func putBack(_ place: Place) { line.putBack(place) }
        func takeFirst() -> Place? { line.takeFirst() }
        func moved() { line.moved() }

        func leave(_ place: Place) {
            place.isInLine = false
            line.left()
        }

        func isHopeless(within timeout: UInt64, at now: LoopInstant) -> Bool {
            line.isHopeless(within: timeout, at: now)
        }

        func hopelessLast(within timeout: UInt64, at now: LoopInstant) -> Place? {
            line.hopelessLast(within: timeout, at: now)
        }

        func drain() -> [Int] {
            var found: [Int] = []
            while let place = line.takeFirst() { found.append(place.number) }
            return found
        }
    }

    private let millisecond: UInt64 = 1_000_000
    private let timeout: UInt64 = 800_000_000

    private func at(_ milliseconds: UInt64) -> LoopInstant {
        LoopInstant(nanoseconds: (1_000_000 + milliseconds) * millisecond)
    }

    private func line(_ places: [Place]) -> Line {
        let line = Line()
        for place in places { line.append(place, at: at(0)) }
        return line
    }

    @Test("In the order in which they came, without those who have left")
    func order() {
        let places = (0..<6).map { Place($0) }
        let line = line(places)
        #expect(line.count == 6)
        #expect(line.next === places[0])
        line.leave(places[0])
        line.leave(places[3])
        line.leave(places[5])
        #expect(line.count == 3)
        #expect(line.next === places[1])
        #expect(line.drain() == [1, 2, 4])
        #expect(line.isEmpty)
        #expect(line.next == nil)
        #expect(line.takeFirst() == nil)
    }

    @Test("Who found no connection after all is the first again")
    func comesBack() throws {
        let line = line((0..<3).map { Place($0) })
        for _ in 0..<2 { line.putBack(try #require(line.takeFirst())) }
        #expect(line.count == 3)
        #expect(line.drain() == [0, 1, 2])
        let last = Place(3)
        line.putBack(last)
        #expect(line.count == 1)
        #expect(line.takeFirst() === last)
    }

    @Test("Every history keeps the order and the count")
    func histories() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let line = Line()
            var model: [Place] = []
            for number in 0..<500 {
                switch Int.random(in: 0..<8, using: &random) {
                case 0...3:
                    let place = Place(number)
                    line.append(place, at: at(0))
                    model.append(place)
                case 4, 5:
                    let taken = line.takeFirst()
                    #expect(taken === model.first)
                    guard let taken else { break }
                    if Bool.random(using: &random) {
                        line.putBack(taken)
                    } else {
                        taken.isInLine = false
                        model.removeFirst()
                    }
                default:
                    guard let place = model.randomElement(using: &random) else { break }
                    line.leave(place)
                    model.removeAll { $0 === place }
                }
                #expect(line.count == model.count && line.isEmpty == model.isEmpty)
                #expect(line.next === model.first)
            }
            #expect(line.drain() == model.map(\.number))
        }
    }

    @Test("A few may always wait, and more while nobody knows how fast it moves")
    func few() {
        let line = line((0..<4).map { Place($0) })
        #expect(!line.isHopeless(within: timeout, at: at(50)), "the first span is not over")
        #expect(!line.isHopeless(within: timeout, at: at(100)), "answers may take longer")
        #expect(!line.isHopeless(within: timeout, at: at(399)))
        #expect(
            line.isHopeless(within: timeout, at: at(400)),
            "nobody has gone on in half the time"
        )
        _ = line.takeFirst()
        #expect(!line.isHopeless(within: timeout, at: at(400)))
    }

    @Test("Between the answers of endpoints that give many at once, after some time, there is hope")
    func bursts() {
        let line = line((0..<120).map { Place($0) })
        // Every 300 ms 20 go on, which is 20 or 40 in the time that is remembered.
        for time in stride(from: UInt64(0), through: 1_790, by: 10) {
            if time > 0, time % 300 == 0 {
                for _ in 0..<20 where line.takeFirst() != nil { line.moved() }
            }
            let isHopeless = line.isHopeless(within: timeout, at: at(time))
            if line.count <= 20 || time < 300 { #expect(!isHopeless, "\(line.count) at \(time)") }
            if line.count >= 60, time >= 400 { #expect(isHopeless, "\(line.count) at \(time)") }
        }
        #expect(line.count == 20)
    }

    @Test("Nobody is let in whose turn would not come within three quarters of the time")
    func hopeless() {
        // Ten go on in a span of 100 ms: the sixtieth in 600 ms.
        func moved(_ count: Int) -> Line {
            let line = line((0..<count + 10).map { Place($0) })
            for _ in 0..<10 where line.takeFirst() != nil { line.moved() }
            return line
        }
        let short = moved(59)
        #expect(!short.isHopeless(within: timeout, at: at(100)))
        let long = moved(60)
        #expect(long.isHopeless(within: timeout, at: at(100)))
        // What is known is of the last span, however long nobody has asked.
        #expect(long.isHopeless(within: timeout, at: at(150)))
        let rested = moved(20)
        #expect(rested.isHopeless(within: timeout, at: at(1000)), "one in a span, of late")
    }

    @Test("The last one leaves when its turn will not come in time")
    func last() {
        let places = (0..<30).map { Place($0, deadline: at(400)) }
        let line = line(places)
        for _ in 0..<5 where line.takeFirst() != nil { line.moved() }
        // 25 take 500 ms now; 15 would take as long as there is left.
        line.leave(places[29])
        #expect(line.hopelessLast(within: timeout, at: at(100)) === places[28])
        for place in places[20...28] { line.leave(place) }
        #expect(line.count == 15)
        #expect(line.hopelessLast(within: timeout, at: at(100)) == nil)
        for place in places[9..<20] { line.leave(place) }
        #expect(line.count == 4)
        #expect(line.hopelessLast(within: timeout, at: at(399)) == nil)
    }

    @Test("A line that was empty begins anew")
    func begins() throws {
        let line = line((0..<5).map { Place($0) })
        #expect(line.isHopeless(within: timeout, at: at(400)))
        _ = line.drain()
        for number in 0..<5 { line.append(Place(number), at: at(450)) }
        #expect(!line.isHopeless(within: timeout, at: at(849)))
    }
}
