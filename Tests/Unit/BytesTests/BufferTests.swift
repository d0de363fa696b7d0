import Bytes
import Testing

@Suite("Buffer")
struct BufferTests {
    private func text(_ buffer: borrowing Buffer) -> String {
        buffer.withReadable { octets in
            var copy: [UInt8] = []
            for index in octets.indices { copy.append(octets[index]) }
            return String(decoding: copy, as: UTF8.self)
        }
    }

    @Test("What is appended is read in order, and consumed from the front")
    func appendAndConsume() {
        var buffer = Buffer(capacity: 32)
        buffer.append("GET ")
        buffer.append(UInt8(ascii: "/"))
        buffer.append(decimal: 18_446_744_073_709_551_615)
        #expect(text(buffer) == "GET /18446744073709551615")
        buffer.consume(4)
        #expect(text(buffer) == "/18446744073709551615")
        let overflowing: StaticString = "0123456789"
        let overflowed = buffer.append(overflowing)
        #expect(!overflowed)
        buffer.append(hexadecimal: 0xFFF)
        #expect(text(buffer) == "/18446744073709551615fff")
    }

    @Test("Sixteen digits are the number in hexadecimal, with zeros in front")
    func appendsSixteenDigits() {
        for number: UInt64 in [0, 1, 9, 10, 15, 16, 0x0123_4567_89AB_CDEF, .max, 0xFEDC << 40] {
            var buffer = Buffer(capacity: 16)
            buffer.append(sixteenDigits: number)
            let digits = String(number, radix: 16)
            #expect(text(buffer) == String(repeating: "0", count: 16 - digits.count) + digits)
            let overflowed = buffer.append(sixteenDigits: number)
            #expect(!overflowed)
        }
    }

    @Test("A head is put before a body only where it fits")
    func prepend() {
        var buffer = Buffer(capacity: 64)
        buffer.clear(headroom: 8)
        buffer.append("body")
        var head = Buffer(capacity: 16)
        head.append("12345678")
        let fits = buffer.prepend(head)
        #expect(fits)
        #expect(text(buffer) == "12345678body")
        head.clear()
        head.append("x")
        let again = buffer.prepend(head)
        #expect(!again)
        #expect(text(buffer) == "12345678body")
    }

    @Test("Octets move, are overwritten and removed within the readable part")
    func editing() {
        var buffer = Buffer(capacity: 64)
        buffer.append("a--bc")
        buffer.move(3..<5, to: 1)
        #expect(text(buffer) == "abcbc")
        buffer.remove(3..<5)
        #expect(text(buffer) == "abc")
        let inserted = buffer.insert("zz", at: 1)
        #expect(inserted)
        #expect(text(buffer) == "azzbc")
    }

    @Test("A pool lends the block that came back last and counts what is out")
    func pool() {
        let pool = BufferPool()
        var buffer = pool.lend(.small, headroom: 100)
        #expect(buffer.headroom == 100 && buffer.writableCount == 3996)
        buffer.append("kept")
        pool.grow(&buffer, to: .medium, headroom: 10)
        #expect(text(buffer) == "kept" && buffer.blockSize == 16_384)
        #expect(pool.lentCount == 1)
        pool.reclaim(&buffer)
        #expect(pool.lentCount == 0 && !buffer.hasBlock && buffer.isEmpty)
        pool.reclaim(&buffer)
        #expect(pool.lentCount == 0)
    }

    @Test("A pool frees what has not been needed between two looks, and keeps what has")
    func trimmedPool() {
        let pool = BufferPool()
        var first = pool.lend(.large, headroom: 0)
        var second = pool.lend(.large, headroom: 0)
        pool.reclaim(&first)
        pool.reclaim(&second)
        pool.trim()
        #expect(pool.freeOctets == 2 * 65_536, "both were needed")
        var third = pool.lend(.large, headroom: 0)
        pool.reclaim(&third)
        pool.trim()
        #expect(pool.freeOctets == 65_536)
        pool.trim()
        #expect(pool.freeOctets == 0)
    }
}
