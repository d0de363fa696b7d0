/// What came back for one request, as it came.
struct RawAnswer {
    /// A head, of an interim response or the final one.
    struct Head {
        let startLine: String
        /// Names in lower case.
        let fields: [(name: String, value: [UInt8])]

        /// The status; 0 where there is none.
        var status: Int {
            let words = startLine.split(separator: " ", maxSplits: 2)
            return words.count > 1 ? Int(words[1]) ?? 0 : 0
        }

        /// The reason phrase.
        var reason: String {
            let words = startLine.split(
                separator: " ",
                maxSplits: 2,
                omittingEmptySubsequences: false
            )
            return words.count > 2 ? String(words[2]) : ""
        }

        func values(_ name: String) -> [String] {
            fields.filter { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
        }
    }

    private(set) var interim: [Head] = []
    private(set) var head: Head?
    private(set) var content: [UInt8] = []
    private(set) var trailers: [(name: String, value: [UInt8])] = []

    /// Reads the octets of a connection that had one request, from the first to the last.
    init(_ octets: [UInt8], method: String) {
        var rest = octets[...]
        while let end = Self.endOfHead(rest) {
            let head = Self.head(rest[rest.startIndex..<end])
            rest = rest[(end + 4)...]
            if (100..<200).contains(head.status), head.status != 101 {
                interim.append(head)
                continue
            }
            self.head = head
            break
        }
        guard let head, method != "HEAD", head.status != 204, head.status != 304 else { return }
        if head.values("transfer-encoding").contains(where: { $0.lowercased().contains("chunked") })
        {
            readChunks(rest)
        } else {
            content = Array(rest)
        }
    }

    private static func endOfHead(_ octets: ArraySlice<UInt8>) -> Int? {
        var index = octets.startIndex
        while index + 4 <= octets.endIndex {
            if octets[index] == 0x0D,
                octets[index..<index + 4].elementsEqual([0x0D, 0x0A, 0x0D, 0x0A])
            {
                return index
            }
            index += 1
        }
        return nil
    }

    private static func head(_ octets: ArraySlice<UInt8>) -> Head {
        var lines = octets.split(separator: 0x0A).map { $0.last == 0x0D ? $0.dropLast() : $0 }[...]
        let start = String(decoding: lines.popFirst() ?? [], as: UTF8.self)
        return Head(startLine: start, fields: lines.compactMap(field))
    }

    private static func field(_ line: ArraySlice<UInt8>) -> (name: String, value: [UInt8])? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        return (name, Array(line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }))
    }

    /// Takes the content out of its chunks, and reads the trailer section; what is broken ends it.
    private mutating func readChunks(_ octets: ArraySlice<UInt8>) {
        var rest = octets
        while let line = rest.firstIndex(of: 0x0A) {
            let digits = rest[..<line].prefix { $0 != 0x3B && $0 != 0x0D }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0
            else {
                return
            }
            rest = rest[(line + 1)...]
            if size == 0 {
                let lines = rest.split(separator: 0x0A).map { $0.last == 0x0D ? $0.dropLast() : $0 }
                trailers = lines.compactMap(Self.field)
                return
            }
            content += rest.prefix(size)
            rest = rest.dropFirst(size).dropFirst(2)
        }
    }

    /// Whether the content is text that people read.
    var isText: Bool {
        guard let type = head?.values("content-type").last?.lowercased() else { return true }
        return ["text", "json", "xml", "javascript", "html", "form"].contains { type.contains($0) }
    }
}
