import Bytes
import HTTPSemantics

/// What a table knows of an entry beside its octets: 16 octets, no reference.
struct TableEntry: Sendable {
    /// Where the octets of the entry start.
    var offset: UInt32
    /// Number of octets of the name.
    var nameCount: UInt32
    /// Number of octets of the value.
    var valueCount: UInt32
    /// The name, when it is a known one of a regular field.
    var name: FieldName
    /// Which pseudo-header field it is, if one.
    var pseudo: PseudoField?
    /// What is wrong with the name alone.
    var nameFault: Malformation?
    /// What is wrong with the line wherever it stands.
    var fault: Malformation?

    init(
        offset: UInt32 = 0,
        nameCount: UInt32,
        valueCount: UInt32 = 0,
        name: FieldName = .other,
        pseudo: PseudoField? = nil,
        nameFault: Malformation? = nil,
        fault: Malformation? = nil
    ) {
        self.offset = offset
        self.nameCount = nameCount
        self.valueCount = valueCount
        self.name = name
        self.pseudo = pseudo
        self.nameFault = nameFault
        self.fault = fault
    }

    /// What the entry counts (RFC 7541 §4.1, and the same in RFC 9113 §6.5.2).
    var bytes: Int { Int(nameCount) + Int(valueCount) + HPACKLimits.entryOverheadBytes }

    /// How many octets it has as a line of HTTP/1.1: colon, space, CR and LF with it.
    var lineCount: Int { Int(nameCount) + Int(valueCount) + 4 }

    /// Where the value starts in that line.
    var valueOffset: Int { Int(nameCount) + 2 }
}

/// The dynamic table of RFC 7541 §2.3.2: a queue of entries, their octets in one ring.
///
///     octets   | ...newest | free | oldest...   |      an entry may go over the end
///     entries  by number of insertion, modulo a power of two
///
/// Which octets an entry has is for its owner: the decoder keeps whole lines, the encoder what it compares. They are
/// at most four more than name and value; as an entry counts 32 more, octets never run into each other.
struct DynamicTable: ~Copyable {
    /// Size of all entries (§4.1).
    private(set) var bytes = 0
    /// Largest size (§4.2).
    private(set) var bytesMax: Int
    /// Number of entries.
    private(set) var count = 0
    /// Number of entries ever inserted, modulo 2^32.
    private(set) var insertedCount: UInt32 = 0

    private let ringCount: Int
    private var octets: [UInt8] = []
    private var head = 0
    private var entries: [TableEntry] = []

    /// Makes an empty table; memory comes with the first entry.
    ///
    /// - Parameters:
    ///   - bytesMax: Largest size now.
    ///   - ringCount: Largest size ever.
    init(bytesMax: Int, ringCount: Int) {
        precondition(bytesMax >= 0 && bytesMax <= ringCount, "\(bytesMax) of \(ringCount) octets")
        self.bytesMax = bytesMax
        self.ringCount = ringCount
    }

    /// Changes the largest size, and evicts what is above it (§4.3).
    ///
    /// - Parameter bytesMax: At most what the table was made for.
    mutating func resize(bytesMax: Int) {
        precondition(bytesMax >= 0 && bytesMax <= ringCount, "\(bytesMax) of \(ringCount) octets")
        self.bytesMax = bytesMax
        evict(to: bytesMax)
    }

    /// Inserts an entry; one that is too large empties the table (§4.4).
    ///
    /// - Parameters:
    ///   - entry: The entry; its offset is set here.
    ///   - first: Octets of it.
    ///   - second: Octets that follow.
    /// - Returns: Whether it is in the table.
    @discardableResult
    mutating func insert(_ entry: TableEntry, _ first: Span<UInt8>, _ second: Span<UInt8>) -> Bool {
        let size = entry.bytes
        precondition(first.count + second.count <= entry.lineCount, "more octets than counted")
        guard size <= bytesMax else {
            evict(to: 0)
            return false
        }
        evict(to: bytesMax - size)
        if octets.isEmpty { octets = [UInt8](repeating: 0, count: ringCount) }
        if count == entries.count { growEntries() }
        var placed = entry
        placed.offset = UInt32(head)
        write(first)
        write(second)
        entries[slot(insertedCount)] = placed
        insertedCount &+= 1  // modulo 2^32 by design
        count += 1
        bytes += size
        return true
    }

    /// The entry that was inserted some time ago.
    ///
    /// - Parameter age: 1 for the newest, at most `count`.
    subscript(age age: Int) -> TableEntry {
        precondition(age > 0 && age <= count, "entry \(age) of \(count)")
        return entries[slot(insertedCount &- UInt32(age))]  // modulo 2^32 by design
    }

    /// Appends octets of an entry.
    ///
    /// - Parameters:
    ///   - range: Indices within the octets that the entry was inserted with.
    ///   - entry: An entry of this table.
    ///   - output: Gets the octets.
    func copy(_ range: Range<Int>, of entry: TableEntry, to output: inout [UInt8]) {
        let (front, back) = places(range, of: entry)
        output.append(copying: octets.span.extracting(front))
        if !back.isEmpty { output.append(copying: octets.span.extracting(back)) }
    }

    /// Whether octets of an entry are those of `other`.
    ///
    /// - Parameters:
    ///   - range: Indices within the octets that the entry was inserted with.
    ///   - entry: An entry of this table.
    ///   - other: The octets to compare with.
    /// - Returns: True when count and octets are equal.
    func equals(_ range: Range<Int>, of entry: TableEntry, _ other: Span<UInt8>) -> Bool {
        guard range.count == other.count else { return false }
        let (front, back) = places(range, of: entry)
        return octets.span.extracting(front).equals(other.extracting(first: front.count))
            && octets.span.extracting(back).equals(other.extracting(last: back.count))
    }

    // MARK: Leaves

    private mutating func evict(to bytesLeft: Int) {
        while bytes > bytesLeft {
            bytes -= self[age: count].bytes
            count -= 1
        }
    }

    private func slot(_ number: UInt32) -> Int {
        Int(number) & (entries.count - 1)
    }

    private mutating func growEntries() {
        var grown = [TableEntry](
            repeating: TableEntry(nameCount: 0),
            count: Swift.max(16, 2 * entries.count)
        )
        for age in stride(from: count, to: 0, by: -1) {
            grown[Int(insertedCount &- UInt32(age)) & (grown.count - 1)] = self[age: age]
        }
        entries = grown
    }

    /// Where a range of an entry lies in the ring: to its end, and from its start.
    private func places(_ range: Range<Int>, of entry: TableEntry) -> (Range<Int>, Range<Int>) {
        var start = Int(entry.offset) + range.lowerBound
        if start >= ringCount { start -= ringCount }
        let end = start + range.count
        guard end > ringCount else { return (start..<end, 0..<0) }
        return (start..<ringCount, 0..<end - ringCount)
    }

    private mutating func write(_ source: Span<UInt8>) {
        let frontCount = Swift.min(source.count, ringCount - head)
        octets.replace(at: head, copying: source.extracting(first: frontCount))
        octets.replace(at: 0, copying: source.extracting(droppingFirst: frontCount))
        head = frontCount < source.count ? source.count - frontCount : head + frontCount
        if head == ringCount { head = 0 }
    }
}
