import Bytes
package import HTTPSemantics

/// Encodes the field blocks of one direction of a connection (RFC 7541).
///
/// Entries of the dynamic table are found by a hash in groups of four slots, where an insertion takes the place of the
/// oldest. An entry that was pushed out so is missed, which costs octets and nothing else: a search is four steps at most.
package struct HPACKEncoder: ~Copyable {
    private var table: DynamicTable
    private let tableBytesMax: Int
    /// The smallest size since the last block, when the peer has to be told of a change (§4.2).
    private var smallestBytesMax: Int?
    /// Each has 32 bits of a hash above what `table.insertedCount` was with the entry.
    private var slots: [UInt64] = []
    private var lowercased: [UInt8] = []
    /// Whether strings are Huffman-coded when that makes them no longer; tests turn it off.
    var usesHuffman = true

    /// What stands for a name in the tables.
    private struct Key {
        var known = FieldName.other
        var pseudo: PseudoField?
        var nameCount: Int
        /// The name's index in the static table, or 0.
        var staticIndex: Int

        /// Whether the octets of the name have to be compared.
        var isUnknown: Bool { known == .other && pseudo == nil }
    }

    /// Makes the encoder of a new connection.
    ///
    /// - Parameter tableBytesMax: Most octets for the dynamic table, whatever the peer allows.
    package init(tableBytesMax: Int = 4096) {
        self.init(
            tableBytesMax: tableBytesMax,
            tableBytes: min(tableBytesMax, HPACKLimits.tableBytesInitial)
        )
        // The peer takes it for 4096 until told.
        if tableBytesMax < HPACKLimits.tableBytesInitial { smallestBytesMax = tableBytesMax }
    }

    init(tableBytesMax: Int, tableBytes: Int) {
        self.tableBytesMax = tableBytesMax
        table = DynamicTable(bytesMax: tableBytes, ringCount: tableBytesMax)
    }

    /// Size of the entries of the dynamic table (RFC 7541 §4.1).
    var tableBytes: Int { table.bytes }

    /// Takes the peer's SETTINGS_HEADER_TABLE_SIZE; the next block tells of the change.
    ///
    /// - Parameter peer: The setting; not negative.
    package mutating func setTableBytesMax(_ peer: Int) {
        let bytesMax = max(0, min(peer, tableBytesMax))
        guard bytesMax != table.bytesMax else { return }
        smallestBytesMax = min(smallestBytesMax ?? bytesMax, bytesMax)
        table.resize(bytesMax: bytesMax)
    }

    /// Starts a field block: writes what the peer has to know of the table's size.
    ///
    /// - Parameter output: Gets the octets.
    package mutating func begin(_ output: inout [UInt8]) {
        guard let smallest = smallestBytesMax else { return }
        if smallest < table.bytesMax {
            HPACKInteger.append(smallest, prefixBitCount: 5, pattern: 0x20, to: &output)
        }
        HPACKInteger.append(table.bytesMax, prefixBitCount: 5, pattern: 0x20, to: &output)
        smallestBytesMax = nil
    }

    /// Writes a field line.
    ///
    /// - Parameters:
    ///   - name: The name; upper-case letters are sent in lower case (RFC 9113 §8.2).
    ///   - value: The value, without white space around it.
    ///   - known: What `FieldName.find` says of the name.
    ///   - isSensitive: Whether no table may hold the line.
    ///   - output: Gets the octets.
    package mutating func append(
        name: Span<UInt8>,
        value: Span<UInt8>,
        known: FieldName,
        isSensitive: Bool,
        to output: inout [UInt8]
    ) {
        let representation = HPACKRepresentation(
            name: known,
            valueCount: value.count,
            isSensitive: isSensitive
        )
        append(name: name, value: value, known: known, representation, to: &output)
    }

    /// Whether a line came never indexed, and would be indexed here if that were not told.
    ///
    /// - Parameter line: A line of a field section that was received.
    /// - Returns: Whether to say so when it is sent on (RFC 7541 §6.2.3).
    package static func mustBeTold(_ line: FieldBlock.Line) -> Bool {
        guard line.isNeverIndexed else { return false }
        let own = HPACKRepresentation(
            name: line.name,
            valueCount: Int(line.valueRange.count),
            isSensitive: false
        )
        return own != .neverIndexed
    }

    /// Writes a field line in a given way.
    mutating func append(
        name: Span<UInt8>,
        value: Span<UInt8>,
        known: FieldName,
        _ representation: HPACKRepresentation,
        to output: inout [UInt8]
    ) {
        let nameIndex = StaticTable.index(of: known)
        if representation != .neverIndexed, known == .acceptEncoding,
            StaticTable.hasValue(value, at: nameIndex)
        {
            HPACKInteger.append(nameIndex, prefixBitCount: 7, pattern: 0x80, to: &output)
            return
        }
        let key = Key(known: known, nameCount: name.count, staticIndex: nameIndex)
        guard nameIndex == 0, FieldRules.hasUppercase(name) else {
            write(key, name, value, representation, to: &output)
            return
        }
        // Taken out for the call, as it cannot be read while the rest of the encoder changes.
        var lower: [UInt8] = []
        swap(&lower, &lowercased)
        lower.removeAll(keepingCapacity: true)
        for index in name.indices { lower.append(asciiLowercased(name[index])) }
        write(key, lower.span, value, representation, to: &output)
        swap(&lower, &lowercased)
    }

    /// Writes a pseudo-header field; they come before all others.
    ///
    /// - Parameters:
    ///   - pseudo: Which one.
    ///   - value: Its value.
    ///   - output: Gets the octets.
    package mutating func append(
        pseudo: PseudoField,
        value: Span<UInt8>,
        to output: inout [UInt8]
    ) {
        let representation: HPACKRepresentation = pseudo == .path ? .withoutIndexing : .incremental
        append(pseudo: pseudo, value: value, representation, to: &output)
    }

    /// Writes a pseudo-header field in a given way.
    mutating func append(
        pseudo: PseudoField,
        value: Span<UInt8>,
        _ representation: HPACKRepresentation,
        to output: inout [UInt8]
    ) {
        for index in pseudo.staticIndices where StaticTable.hasValue(value, at: index) {
            HPACKInteger.append(index, prefixBitCount: 7, pattern: 0x80, to: &output)
            return
        }
        let key = Key(
            pseudo: pseudo,
            nameCount: pseudo.text.utf8CodeUnitCount,
            staticIndex: pseudo.staticIndices.first ?? 0
        )
        write(key, Self.protocolName.span, value, representation, to: &output)
    }

    /// The one name of a pseudo-header field that the static table lacks.
    private static let protocolName: [UInt8] = [
        0x3a, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x63, 0x6f, 0x6c,
    ]

    // MARK: Leaves

    /// Writes a line that the static table does not have as a whole.
    ///
    /// - Parameters:
    ///   - key: What stands for the name.
    ///   - name: The name in lower case; looked at only where `key` needs it.
    ///   - value: The value.
    ///   - wanted: How to write it; what would fill half of the table or more is not put there.
    ///   - output: Gets the octets.
    private mutating func write(
        _ key: Key,
        _ name: Span<UInt8>,
        _ value: Span<UInt8>,
        _ wanted: HPACKRepresentation,
        to output: inout [UInt8]
    ) {
        let entry = TableEntry(
            nameCount: UInt32(key.nameCount),
            valueCount: UInt32(value.count),
            name: key.known,
            pseudo: key.pseudo
        )
        let isTooLarge = entry.bytes > table.bytesMax / 2
        let representation = wanted == .incremental && isTooLarge ? .withoutIndexing : wanted
        let nameHash = Self.hash(key, name)
        var lineHash: UInt64 = 0
        if representation == .incremental {
            lineHash = Self.hash(value, from: nameHash)
            if let age = age(of: key, name, value, hash: lineHash) {
                let index = StaticTable.count + age
                HPACKInteger.append(index, prefixBitCount: 7, pattern: 0x80, to: &output)
                return
            }
        }
        var nameIndex = key.staticIndex
        if nameIndex == 0, let age = age(of: key, name, nil, hash: nameHash) {
            nameIndex = StaticTable.count + age
        }
        HPACKInteger.append(
            nameIndex,
            prefixBitCount: representation.prefixBitCount,
            pattern: representation.pattern,
            to: &output
        )
        if nameIndex == 0 { writeString(name, to: &output) }
        writeString(value, to: &output)
        guard representation == .incremental else { return }
        insert(entry, key.isUnknown ? name : Span(), value)
        note(lineHash)
        if key.staticIndex == 0 { note(nameHash) }
    }

    private mutating func insert(_ entry: TableEntry, _ name: Span<UInt8>, _ value: Span<UInt8>) {
        table.insert(entry, name, value)
        guard slots.isEmpty else { return }
        // An entry counts 32 octets at least, and most of them more: two slots for each are plenty.
        var slotCount = 16
        while slotCount < tableBytesMax / 16, slotCount < 4096 { slotCount *= 2 }
        slots = [UInt64](repeating: 0, count: slotCount)
    }

    /// The four slots for a hash.
    private func group(_ hash: UInt64) -> Range<Int> {
        let first = Int(truncatingIfNeeded: hash) & (slots.count - 1) & ~3
        return first..<first + 4
    }

    /// Puts the newest entry under a hash.
    private mutating func note(_ hash: UInt64) {
        let group = group(hash)
        var place = group.lowerBound
        for slot in group {
            if slots[slot] >> 32 == hash >> 32 {
                place = slot
                break
            }
            if age(at: slot) > age(at: place) { place = slot }
        }
        slots[place] = hash & 0xffff_ffff_0000_0000 | UInt64(table.insertedCount)
    }

    /// How old the entry of a slot is, 1 for the newest; more than `table.count` when it was evicted.
    private func age(at slot: Int) -> Int {
        // Modulo 2^32 by design.
        Int(table.insertedCount &- UInt32(truncatingIfNeeded: slots[slot])) + 1
    }

    /// Looks for an entry.
    ///
    /// - Parameters:
    ///   - key: What stands for the name.
    ///   - name: The name in lower case.
    ///   - value: The value, or nothing when any will do.
    ///   - hash: What the entry was put under.
    /// - Returns: Its age, 1 for the newest; `nil` when it is not there or it was pushed out.
    private func age(
        of key: Key,
        _ name: Span<UInt8>,
        _ value: Span<UInt8>?,
        hash: UInt64
    ) -> Int? {
        guard !slots.isEmpty else { return nil }
        for slot in group(hash) where slots[slot] >> 32 == hash >> 32 {
            let age = age(at: slot)
            if age <= table.count, isEntry(age, key, name, value) { return age }
        }
        return nil
    }

    private func isEntry(
        _ age: Int,
        _ key: Key,
        _ name: Span<UInt8>,
        _ value: Span<UInt8>?
    ) -> Bool {
        let entry = table[age: age]
        guard entry.name == key.known, entry.pseudo == key.pseudo else { return false }
        var valueStart = 0
        if key.isUnknown {
            valueStart = Int(entry.nameCount)
            guard table.equals(0..<valueStart, of: entry, name) else { return false }
        }
        guard let value else { return true }
        let range = valueStart..<valueStart + Int(entry.valueCount)
        return table.equals(range, of: entry, value)
    }

    private func writeString(_ octets: Span<UInt8>, to output: inout [UInt8]) {
        if usesHuffman, !octets.isEmpty {
            let encodedCount = HuffmanCode.encodedCount(octets)
            if encodedCount <= octets.count {
                HPACKInteger.append(encodedCount, prefixBitCount: 7, pattern: 0x80, to: &output)
                HuffmanCode.encode(octets, encodedCount: encodedCount, to: &output)
                return
            }
        }
        HPACKInteger.append(octets.count, prefixBitCount: 7, pattern: 0, to: &output)
        output.append(copying: octets)
    }

    private static func hash(_ key: Key, _ name: Span<UInt8>) -> UInt64 {
        if let pseudo = key.pseudo { return mixed(0x100 + UInt64(pseudo.rawValue)) }
        if key.known != .other { return mixed(UInt64(key.known.rawValue)) }
        return hash(name, from: 0)
    }

    private static func hash(_ octets: Span<UInt8>, from seed: UInt64) -> UInt64 {
        var hash = seed ^ UInt64(octets.count)
        var index = 0
        while index + 8 <= octets.count {
            hash = mixed(hash ^ octets.word(at: index))
            index += 8
        }
        return mixed(hash ^ octets.word(at: index, count: octets.count - index))
    }

    /// Spreads the bits of a word over all of it.
    private static func mixed(_ word: UInt64) -> UInt64 {
        // Wrapping by design: multiplication modulo 2^64 by an odd number loses nothing.
        let product = word &* 0x9e37_79b9_7f4a_7c15
        return product ^ product >> 29
    }
}
