extension SettingType {
    /// Reads the text of a scalar.
    ///
    /// Lists and maps are read too, as far as defaults need it: `[]`, `[a, b]` and `{}`.
    func read(_ text: String) throws(Complaint) -> SettingValue {
        switch self {
        case .boolean:
            guard text == "true" || text == "false" else {
                throw Complaint("\(quoted(text)) is neither true nor false")
            }
            return .boolean(text == "true")
        case .integer(let range):
            let number = try Quantity.integer(text)
            guard range.contains(number) else {
                throw Complaint("must be \(range.lowerBound) to \(range.upperBound)")
            }
            return .integer(number)
        case .duration(let range, let allowsZero):
            let number = try Quantity.duration(text)
            guard range.contains(number) || number == 0 && allowsZero else {
                let least = Quantity.durationText(range.lowerBound)
                let most = Quantity.durationText(range.upperBound)
                throw Complaint("must be \(least) to \(most)\(allowsZero ? ", or 0" : "")")
            }
            return .duration(number)
        case .size(let range, let allowsZero):
            let number = try Quantity.size(text)
            guard range.contains(number) || number == 0 && allowsZero else {
                let least = Quantity.sizeText(range.lowerBound)
                let most = Quantity.sizeText(range.upperBound)
                throw Complaint("must be \(least) to \(most)\(allowsZero ? ", or 0" : "")")
            }
            return .size(number)
        case .percentage: return .percentage(try Quantity.percentage(text))
        case .word(let built, let unbuilt):
            if built.contains(text) { return .text(text) }
            if unbuilt.contains(text) {
                throw Complaint("\(quoted(text)) is not supported by this build")
            }
            var suggester = Suggester()
            let hint = suggester.hint(for: text, among: built + unbuilt)
            let known = (built + unbuilt).joined(separator: ", ")
            throw Complaint("\(quoted(text)) is not one of \(known)\(hint)")
        case .text(let format): return try format.parse(text)
        case .reference: return .text(try Texts.name(text))
        case .either(let words, let type):
            return words.contains(text) ? .text(text) : try type.read(text)
        case .list(let item, _):
            guard text.hasPrefix("["), text.hasSuffix("]") else {
                throw Complaint("must be a list")
            }
            var items: [SettingValue] = []
            for part in text.dropFirst().dropLast().split(separator: ",") {
                items.append(try item.read(String(part.drop { $0 == " " })))
            }
            return .list(items)
        case .map, .record:
            guard text == "{}" else { throw Complaint("must be a map") }
            return .record([])
        }
    }

    /// What a value of the type is called in an error.
    var noun: String {
        switch self {
        case .list: "a list"
        case .map, .record: "a map"
        case .either(let words, let type): "\(words.joined(separator: ", ")) or \(type.noun)"
        case .boolean, .integer, .duration, .size, .percentage, .word, .text, .reference:
            "a single value"
        }
    }

    /// Whether values are read from one text.
    var isScalar: Bool {
        switch self {
        case .list, .map, .record: false
        case .either(_, let type): type.isScalar
        case .boolean, .integer, .duration, .size, .percentage, .word, .text, .reference: true
        }
    }
}
