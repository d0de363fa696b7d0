import Bytes
import HTTP2
import HTTPSemantics

/// Two directions of a connection: the peer's blocks come in, what they say goes out and is read again.
struct HPACKConnection: ~Copyable {
    private var decoder = HPACKDecoder()
    private var encoder = HPACKEncoder()
    private var reader = HPACKDecoder()
    private var fields = FieldBlock()
    private var again = FieldBlock()
    private let limits = FieldBlockLimits(fieldSectionBytesMax: 2000, fieldLinesMax: 20)

    /// Feeds blocks, each behind an octet with its length.
    static func run(_ octets: [UInt8]) {
        var connection = HPACKConnection()
        var rest = octets[...]
        while let length = rest.popFirst() {
            // Now and then the peer changes its mind about the table.
            if length % 16 == 15 { connection.encoder.setTableBytesMax(Int(length) * 20) }
            let block = Array(rest.prefix(Int(length)))
            rest = rest.dropFirst(Int(length))
            guard connection.take(block) else { return }
        }
    }

    /// Takes one block.
    ///
    /// - Parameter block: The block.
    /// - Returns: Whether the connection goes on.
    private mutating func take(_ block: [UInt8]) -> Bool {
        do {
            try decoder.decode(block.span, into: &fields, limits: limits)
        } catch {
            return false
        }
        check(fields)
        guard fields.malformation == nil else { return true }
        let written = encoded()
        do {
            try reader.decode(written.span, into: &again, limits: limits)
        } catch {
            preconditionFailure("\(error) in what the encoder wrote")
        }
        precondition(again.malformation == nil && !again.isOversized)
        precondition(again.octets == fields.octets && again.lines.count == fields.lines.count)
        for (old, new) in zip(fields.lines, again.lines) {
            precondition(old.name == new.name && old.valueRange == new.valueRange)
            precondition(new.isNeverIndexed || !old.isNeverIndexed)
        }
        for field in PseudoField.allCases {
            let value = fields[field].map { fields.pseudoOctets[$0.indices] }
            precondition(value == again[field].map { again.pseudoOctets[$0.indices] })
        }
        return true
    }

    private mutating func encoded() -> [UInt8] {
        var output: [UInt8] = []
        encoder.begin(&output)
        for field in PseudoField.allCases {
            guard let range = fields[field] else { continue }
            let value = Array(fields.pseudoOctets[range.indices])
            encoder.append(pseudo: field, value: value.span, to: &output)
        }
        for line in fields.lines {
            let name = Array(fields.octets[line.nameRange.indices])
            let value = Array(fields.octets[line.valueRange.indices])
            encoder.append(
                name: name.span,
                value: value.span,
                known: line.name,
                isSensitive: line.isNeverIndexed,
                to: &output
            )
        }
        return output
    }

    /// Checks that the lines are what HTTP/1.1 takes for the same lines, one after the other.
    private func check(_ fields: FieldBlock) {
        precondition(fields.bytes <= limits.fieldSectionBytesMax)
        precondition(fields.lines.count <= limits.fieldLinesMax)
        var place = 0
        for line in fields.lines {
            let value = line.valueRange
            precondition(line.nameRange.lowerBound == place && !line.nameRange.isEmpty)
            precondition(value.lowerBound == line.nameRange.upperBound + 2)
            precondition(fields.octets[value.lowerBound - 2..<value.lowerBound] == [0x3a, 0x20])
            place = value.upperBound + 2
            precondition(fields.octets[value.upperBound..<place] == [0x0d, 0x0a])
            let inside = fields.octets[value.indices]
            precondition(inside.allSatisfy { $0 == 0x09 || $0 > 0x1f && $0 != 0x7f })
        }
        precondition(place == fields.octets.count)
    }
}
