/// Reads the fields of a checked record, with the table's defaults where a field is absent.
///
/// The table decides each field's type, so a mismatch is a mistake in this target and a trap.
struct FieldReader {
    private let value: SettingValue?
    private let type: RecordType

    init(_ value: SettingValue?, _ type: RecordType) {
        (self.value, self.type) = (value, type)
    }

    /// Whether the field was given.
    func has(_ name: String) -> Bool { value?[name] != nil }

    /// The fields of a record within; all defaults where it is absent.
    func record(_ name: String) -> FieldReader {
        switch setting(name).type {
        case .record(let inner), .either(_, .record(let inner)):
            FieldReader(value?[name], inner)
        default: mismatch(name)
        }
    }

    func integer(_ name: String) -> Int {
        guard case .integer(let number)? = found(name) else { mismatch(name) }
        return number
    }

    /// A count of which 0 is no limit.
    func limit(_ name: String) -> Int? {
        switch found(name) {
        case .integer(let number)?: number == 0 ? nil : number
        case .size(let octets)?: octets == 0 ? nil : octets
        default: mismatch(name)
        }
    }

    func size(_ name: String) -> Int {
        guard case .size(let octets)? = found(name) else { mismatch(name) }
        return octets
    }

    func duration(_ name: String) -> Duration {
        guard case .duration(let milliseconds)? = found(name) else { mismatch(name) }
        return .milliseconds(milliseconds)
    }

    /// A duration of which 0 is no limit.
    func durationLimit(_ name: String) -> Duration? {
        let duration = duration(name)
        return duration == .zero ? nil : duration
    }

    /// A duration that a word may stand in the place of: `nil` then.
    func durationUnlessWord(_ name: String) -> Duration? {
        if case .text? = found(name) { nil } else { duration(name) }
    }

    func flag(_ name: String) -> Bool {
        guard case .boolean(let flag) = found(name) else { mismatch(name) }
        return flag
    }

    func text(_ name: String) -> String {
        guard case .text(let text)? = found(name) else { mismatch(name) }
        return text
    }

    /// A text that may be absent.
    func optionalText(_ name: String) -> String? {
        has(name) ? text(name) : nil
    }

    /// One of the words of an enumeration.
    func word<Word: RawRepresentable<String>>(_ name: String, as: Word.Type) -> Word {
        guard let word = Word(rawValue: text(name)) else { mismatch(name) }
        return word
    }

    func address(_ name: String) -> NetworkAddress {
        guard case .address(let address)? = found(name) else { mismatch(name) }
        return address
    }

    func template(_ name: String) -> Template {
        guard case .template(let template, _)? = found(name) else { mismatch(name) }
        return template
    }

    /// The items of a list; none where it is absent.
    func list(_ name: String) -> [SettingValue] {
        guard let value = found(name) else { return [] }
        guard case .list(let items) = value else { mismatch(name) }
        return items
    }

    /// The records of a list.
    func records(_ name: String) -> [FieldReader] {
        guard case .list(.record(let inner), _) = setting(name).type else { mismatch(name) }
        return list(name).map { FieldReader($0, inner) }
    }

    /// The entries of a map of templates, sorted by key.
    func lines(_ name: String) -> [FieldLine] {
        map(name).compactMap { field in
            guard case .template(let value, _) = field.value else { return nil }
            return FieldLine(name: field.name, value: value)
        }
    }

    /// The entries of a map of records, sorted by key.
    func recordMap(_ name: String) -> [(key: String, fields: FieldReader)] {
        guard case .map(_, .record(let inner)) = setting(name).type else { mismatch(name) }
        return map(name).map { ($0.name, FieldReader($0.value, inner)) }
    }

    /// The items of a list of names that may end in `*`.
    func namePatterns(_ name: String) -> [NamePattern] {
        list(name).compactMap(\.scalarText).map { NamePattern($0) }
    }

    /// A share in thousandths of a percent.
    func percentage(_ name: String) -> Int {
        guard case .percentage(let share)? = found(name) else { mismatch(name) }
        return share
    }

    /// The entries of a map, sorted by key.
    func map(_ name: String) -> [SettingValue.Field] {
        guard case .record(let fields)? = found(name) else { mismatch(name) }
        return fields
    }

    private func found(_ name: String) -> SettingValue? {
        value?[name] ?? setting(name).defaultValue
    }

    private func setting(_ name: String) -> Setting {
        guard let setting = type[name] else { preconditionFailure("no setting \(name)") }
        return setting
    }

    private func mismatch(_ name: String) -> Never {
        preconditionFailure("setting \(name) has another type, or neither value nor default")
    }
}
