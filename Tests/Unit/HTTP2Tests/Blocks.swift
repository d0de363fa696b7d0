import Bytes
import HTTPSemantics

@testable import HTTP2

/// A field line as text: pseudo-header fields with their colon.
struct Field: Equatable, CustomStringConvertible {
    var name: String
    var value: String

    init(_ name: String, _ value: String) {
        (self.name, self.value) = (name, value)
    }

    var description: String { "\(name): \(value)" }

    var pseudo: PseudoField? {
        PseudoField.allCases.first { "\($0.text)" == name }
    }
}

extension FieldBlock {
    /// All that is stored: the pseudo-header fields in the order of their cases, then the lines.
    var all: [Field] {
        var found: [Field] = []
        for field in PseudoField.allCases {
            guard let range = self[field] else { continue }
            found.append(Field("\(field.text)", text(pseudoOctets[range.indices])))
        }
        for line in lines {
            let (name, value) = (line.nameRange.indices, line.valueRange.indices)
            found.append(Field(text(octets[name]), text(octets[value])))
        }
        return found
    }

    /// Whether `octets` are the lines of `lines` one after the other and nothing else.
    var isWhole: Bool {
        var written = ""
        for line in all where !line.name.hasPrefix(":") {
            written += "\(line.name): \(line.value)\r\n"
        }
        let isKnown = lines.allSatisfy {
            $0.name == FieldName.find(in: octets.span, $0.nameRange.indices)
        }
        return written == text(octets[...]) && isKnown
    }
}

/// Octets as text, one character of Latin-1 for each.
func text(_ octets: ArraySlice<UInt8>) -> String {
    String(String.UnicodeScalarView(octets.map { Unicode.Scalar($0) }))
}

/// The octets of text of Latin-1.
func octets(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8($0.value) }
}

/// The octets that hexadecimal digits say; blanks between them do not count.
func hex(_ digits: String) -> [UInt8] {
    let values = digits.compactMap(\.hexDigitValue)
    return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
}

/// A literal line without Huffman coding that names no index.
func literal(_ name: String, _ value: String, pattern: UInt8 = 0) -> [UInt8] {
    var block: [UInt8] = []
    HPACKInteger.append(0, prefixBitCount: 4, pattern: pattern, to: &block)
    for part in [name, value] {
        HPACKInteger.append(part.unicodeScalars.count, prefixBitCount: 7, pattern: 0, to: &block)
        block += octets(part)
    }
    return block
}

/// Decodes one block with a new decoder.
func decoded(
    _ block: [UInt8],
    limits: FieldBlockLimits = FieldBlockLimits()
) throws(HPACKError) -> FieldBlock {
    var decoder = HPACKDecoder()
    var fields = FieldBlock()
    try decoder.decode(block.span, into: &fields, limits: limits)
    return fields
}

extension HPACKEncoder {
    /// Writes lines as one block.
    mutating func block(_ lines: [Field], sensitive: Bool = false) -> [UInt8] {
        var block: [UInt8] = []
        begin(&block)
        for line in lines {
            let (name, value) = (octets(line.name), octets(line.value))
            if let pseudo = line.pseudo {
                append(pseudo: pseudo, value: value.span, to: &block)
            } else {
                append(
                    name: name.span,
                    value: value.span,
                    known: FieldName.find(name.span),
                    isSensitive: sensitive,
                    to: &block
                )
            }
        }
        return block
    }
}

/// Numbers that are the same in each run.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
