import Bytes
import HTTPSemantics

/// What RFC 9113 §8.2 and §8.3 say about names and values.
///
/// What passes can be written into a message of HTTP/1.1: no name holds a colon or a blank, no value a line end.
enum FieldRules {
    /// Judges a name.
    ///
    /// - Parameter name: The octets as they came.
    /// - Returns: An entry without a value.
    static func judge(name: Span<UInt8>) -> TableEntry {
        var entry = TableEntry(nameCount: UInt32(name.count))
        if name.isEmpty {
            entry.nameFault = .fieldNameEmpty
        } else if hasUppercase(name) {
            entry.nameFault = .fieldNameUppercase
        } else if name[0] == colon {
            entry.pseudo = pseudoField(name)
            if entry.pseudo == nil { entry.nameFault = .pseudoFieldUnknown }
        } else {
            entry.name = FieldName.find(name)
            entry.nameFault = fault(of: entry.name, name)
        }
        entry.fault = entry.nameFault
        return entry
    }

    /// Judges the value of a line whose name was judged.
    ///
    /// - Parameters:
    ///   - value: The octets as they came.
    ///   - entry: What is known of the line; gets the verdict.
    @inline(__always)
    static func judge(value: Span<UInt8>, of entry: inout TableEntry) {
        entry.valueCount = UInt32(value.count)
        guard entry.fault == nil else { return }
        if let pseudo = entry.pseudo {
            if !isValid(value, pseudo) { entry.fault = .pseudoFieldValueInvalid }
        } else {
            entry.fault = fault(ofValue: value, name: entry.name)
        }
    }

    private static func fault(of known: FieldName, _ name: Span<UInt8>) -> Malformation? {
        switch known {
        case .connection, .proxyConnection, .keepAlive, .transferEncoding, .upgrade:
            return .connectionSpecificField
        case .other:
            let end = OctetSet.token.firstIndexOutside(name, 0..<name.count)
            return end == name.count ? nil : .fieldNameInvalid
        default:
            return nil
        }
    }

    private static func fault(ofValue value: Span<UInt8>, name: FieldName) -> Malformation? {
        guard value.count > 0 else { return name == .te ? .teInvalid : nil }
        var index = value.firstIndexOfControl(from: 0)
        while index < value.count {
            guard value[index] == horizontalTab else { return .fieldValueInvalid }
            index = value.firstIndexOfControl(from: index + 1)
        }
        if isBlank(value[0]) || isBlank(value[value.count - 1]) { return .fieldValueBlankAtEdge }
        // RFC 9113 §8.2.2.
        if name == .te, !value.matches("trailers") { return .teInvalid }
        return nil
    }

    /// Whether there is an upper-case letter of ASCII in a name.
    ///
    /// - Parameter name: The octets.
    /// - Returns: True when there is one.
    static func hasUppercase(_ name: Span<UInt8>) -> Bool {
        var index = 0
        while index + 8 <= name.count {
            let word = name.word(at: index)
            if asciiLowercased(word) != word { return true }
            index += 8
        }
        let rest = name.word(at: index, count: name.count - index)
        return asciiLowercased(rest) != rest
    }

    private static func pseudoField(_ name: Span<UInt8>) -> PseudoField? {
        let found: PseudoField
        switch name.count {
        case 5: found = .path
        case 7: found = name[1] == 0x6d ? .method : name[2] == 0x63 ? .scheme : .status
        case 9: found = .protocol
        case 10: found = .authority
        default: return nil
        }
        return name.matches(found.text) ? found : nil
    }

    /// Whether a value of a pseudo-header field can stand where HTTP/1.1 has it: in the start-line.
    ///
    /// An empty `:path` or `:authority` passes; whether it may be empty depends on the others.
    private static func isValid(_ value: Span<UInt8>, _ pseudo: PseudoField) -> Bool {
        let all = 0..<value.count
        switch pseudo {
        case .method, .protocol:
            return !value.isEmpty && OctetSet.token.firstIndexOutside(value, all) == value.count
        case .scheme:
            guard value.count > 0, asciiLowercased(value[0]) &- 0x61 < 26 else { return false }
            return schemeOctets.firstIndexOutside(value, all) == value.count
        case .authority, .path:
            return value.firstIndexOutsideTarget(from: 0, stop: numberSign) == value.count
        case .status:
            guard value.count == 3, let status = value.decimal(in: all) else { return false }
            return status >= 100
        }
    }

    private static let schemeOctets = OctetSet(
        "+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
}
