import Bytes
import HTTPSemantics

/// Decodes the field blocks of one direction of a connection (RFC 7541).
///
/// Every line is decoded, also those that are malformed or beyond the limits, as the dynamic table has to stay the
/// same as the peer's. An entry that is indexed again and again costs its octets only while they are stored. What has
/// to be copied although it is not stored, a long name for each two octets of the block, has a bound.
package struct HPACKDecoder: ~Copyable {
    private var table: DynamicTable
    private let tableBytesMax: Int
    /// Octets of names that were looked up for lines of this block that are not stored.
    private var excessBytes = 0

    /// Makes the decoder of a new connection.
    ///
    /// - Parameter tableBytesMax: Our SETTINGS_HEADER_TABLE_SIZE. Until the peer has seen it, it may use 4096 octets, so
    ///   so much is held at least.
    package init(tableBytesMax: Int = 4096) {
        self.init(tableBytesMax: tableBytesMax, tableBytes: HPACKLimits.tableBytesInitial)
    }

    init(tableBytesMax: Int, tableBytes: Int) {
        self.tableBytesMax = tableBytesMax
        table = DynamicTable(bytesMax: tableBytes, ringCount: max(tableBytesMax, tableBytes))
    }

    /// Size of the entries of the dynamic table (RFC 7541 §4.1).
    var tableBytes: Int { table.bytes }

    /// Number of entries of the dynamic table.
    var tableCount: Int { table.count }

    /// Decodes a field block.
    ///
    /// - Parameters:
    ///   - block: The fragments of HEADERS or PUSH_PROMISE and all its CONTINUATION frames, joined.
    ///   - fields: Gets the section; what it held is dropped.
    ///   - limits: What of it may be stored.
    /// - Throws: The first violation; the decoder cannot be used again, and `fields` holds nothing to be read.
    /// - Complexity: O(octets of the block and of what is stored); allocates only when `fields` has no room.
    package mutating func decode(
        _ block: Span<UInt8>,
        into fields: inout FieldBlock,
        limits: FieldBlockLimits
    ) throws(HPACKError) {
        fields.clear()
        excessBytes = 0
        var index = 0
        try readSizeUpdates(block, at: &index)
        while index < block.count {
            switch block[index] {
            case 0x80...:
                let number = try HPACKInteger.read(block, at: &index, prefixBitCount: 7)
                try takeIndexed(number, into: &fields, limits: limits)
            case 0x40...:
                try takeLiteral(block, at: &index, .incremental, into: &fields, limits: limits)
            case 0x20...:
                throw .sizeUpdateMisplaced
            case 0x10...:
                try takeLiteral(block, at: &index, .neverIndexed, into: &fields, limits: limits)
            default:
                try takeLiteral(block, at: &index, .withoutIndexing, into: &fields, limits: limits)
            }
        }
        fields.joinCookies()
    }

    // MARK: Leaves

    private mutating func readSizeUpdates(
        _ block: Span<UInt8>,
        at index: inout Int
    ) throws(HPACKError) {
        var updateCount = 0
        while index < block.count, block[index] & 0xe0 == 0x20 {
            updateCount += 1
            guard updateCount <= HPACKLimits.sizeUpdatesMax else { throw .sizeUpdatesTooMany }
            let bytesMax = try HPACKInteger.read(block, at: &index, prefixBitCount: 5)
            guard bytesMax <= tableBytesMax else { throw .sizeUpdateAboveLimit }
            table.resize(bytesMax: bytesMax)
        }
    }

    /// Takes a line that a table has (§6.1).
    private func takeIndexed(
        _ index: Int,
        into fields: inout FieldBlock,
        limits: FieldBlockLimits
    ) throws(HPACKError) {
        let entry = try entry(at: index)
        guard fields.admit(entry, limits: limits) else { return }
        if let pseudo = entry.pseudo {
            let value = entry.valueOffset..<entry.valueOffset + Int(entry.valueCount)
            copy(value, of: entry, at: index, to: &fields.pseudoOctets)
            fields.keepPseudo(pseudo, valueCount: entry.valueCount)
        } else {
            copy(0..<entry.lineCount, of: entry, at: index, to: &fields.octets)
            fields.keepLine(entry, isNeverIndexed: false)
        }
    }

    /// Takes a line that is spelled out, at least its value (§6.2).
    private mutating func takeLiteral(
        _ block: Span<UInt8>,
        at index: inout Int,
        _ representation: HPACKRepresentation,
        into fields: inout FieldBlock,
        limits: FieldBlockLimits
    ) throws(HPACKError) {
        let nameIndex = try HPACKInteger.read(
            block,
            at: &index,
            prefixBitCount: representation.prefixBitCount
        )
        let start = fields.octets.count
        var entry: TableEntry
        if nameIndex == 0 {
            try Self.readString(block, at: &index, to: &fields.octets)
            entry = FieldRules.judge(name: fields.octets.span.extracting(start...))
        } else {
            entry = try takeName(nameIndex, into: &fields)
        }
        fields.octets.append(colon)
        fields.octets.append(space)
        let valueStart = fields.octets.count
        try Self.readString(block, at: &index, to: &fields.octets)
        FieldRules.judge(value: fields.octets.span.extracting(valueStart...), of: &entry)
        fields.octets.append(carriageReturn)
        fields.octets.append(lineFeed)
        if representation == .incremental {
            table.insert(entry, fields.octets.span.extracting(start...), Span())
        }
        let isAdmitted = fields.admit(entry, limits: limits)
        if isAdmitted, entry.pseudo == nil {
            fields.keepLine(entry, isNeverIndexed: representation == .neverIndexed)
            return
        }
        if isAdmitted, let pseudo = entry.pseudo {
            let valueEnd = valueStart + Int(entry.valueCount)
            copyOctets(valueStart..<valueEnd, of: fields.octets, to: &fields.pseudoOctets)
            fields.keepPseudo(pseudo, valueCount: entry.valueCount)
        }
        fields.octets.removeSubrange(start...)
    }

    /// Takes the name of a line that a table has.
    private mutating func takeName(
        _ index: Int,
        into fields: inout FieldBlock
    ) throws(HPACKError) -> TableEntry {
        let named = try entry(at: index)
        if fields.isOversized {
            excessBytes += Int(named.nameCount)
            guard excessBytes <= HPACKLimits.excessBytesMax else { throw .expansionTooLarge }
        }
        copy(0..<Int(named.nameCount), of: named, at: index, to: &fields.octets)
        return TableEntry(
            nameCount: named.nameCount,
            name: named.name,
            pseudo: named.pseudo,
            nameFault: named.nameFault,
            fault: named.nameFault
        )
    }

    /// Reads a string (§5.2).
    private static func readString(
        _ block: Span<UInt8>,
        at index: inout Int,
        to output: inout [UInt8]
    ) throws(HPACKError) {
        guard index < block.count else { throw .integerTruncated }
        let isHuffmanCoded = block[index] & 0x80 != 0
        let octetCount = try HPACKInteger.read(block, at: &index, prefixBitCount: 7)
        guard octetCount <= block.count - index else { throw .stringTruncated }
        let octets = block.extracting(index..<index + octetCount)
        index += octetCount
        if isHuffmanCoded {
            try HuffmanCode.decode(octets, into: &output)
        } else {
            output.append(copying: octets)
        }
    }

    private func entry(at index: Int) throws(HPACKError) -> TableEntry {
        guard index > 0 else { throw .indexZero }
        if index <= StaticTable.count { return StaticTable.entries[index - 1] }
        let age = index - StaticTable.count
        guard age <= table.count else { throw .indexOutOfRange }
        return table[age: age]
    }

    /// Appends octets of the line that a table has.
    private func copy(
        _ range: Range<Int>,
        of entry: TableEntry,
        at index: Int,
        to output: inout [UInt8]
    ) {
        guard index <= StaticTable.count else {
            table.copy(range, of: entry, to: &output)
            return
        }
        let start = Int(entry.offset)
        let place = start + range.lowerBound..<start + range.upperBound
        copyOctets(place, of: StaticTable.octets, to: &output)
    }
}
