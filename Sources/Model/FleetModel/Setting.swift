/// One field of the configuration: the single place that says what it is.
///
/// Validation, defaults, "not supported by this build", suggestions, the JSON Schema and the
/// reference page all come from the table of these.
package final class Setting: Sendable {
    /// The field's name.
    package let name: String
    /// What it holds.
    package let type: SettingType
    /// Whether it must stand there, and what holds if it does not.
    package let presence: Presence
    /// One line of help, without a full stop.
    package let help: String
    /// Whether this build carries it out.
    package let support: Support
    /// What `presence` says holds without the field, read by the field's type.
    package let defaultValue: SettingValue?

    /// Whether a field must be given.
    package enum Presence: Hashable, Sendable {
        /// It must be given.
        case required
        /// Nothing holds without it.
        case optional
        /// This holds without it, as a user would write it.
        case defaultsTo(String)
    }

    /// Whether this build carries a field out.
    package enum Support: Hashable, Sendable {
        /// It does.
        case built
        /// It does not, and refuses the field by name unless its value is one of these, which state
        /// what the build does anyway.
        case unbuilt(accepting: [String])
        /// It takes this value alone, for good: why, and what to do in the place of another.
        case only(String, because: String)
    }

    /// Declares a field.
    init(
        _ name: String,
        _ type: SettingType,
        _ presence: Presence,
        _ help: String,
        _ support: Support = .built
    ) {
        (self.name, self.type, self.presence) = (name, type, presence)
        (self.help, self.support) = (help, support)
        guard case .defaultsTo(let text) = presence else {
            defaultValue = nil
            return
        }
        do {
            defaultValue = try type.read(text)
        } catch {
            preconditionFailure("the default of \(name): \(error.message)")
        }
    }
}

extension Setting.Support {
    /// Refused with every value.
    static var unbuilt: Setting.Support { .unbuilt(accepting: []) }
}

/// What a field holds.
package indirect enum SettingType: Sendable {
    /// `true` or `false`.
    case boolean
    /// A whole number in a range.
    case integer(ClosedRange<Int>)
    /// A duration of at least and at most so many milliseconds; `allowsZero` where 0 is no limit.
    case duration(ClosedRange<Int64>, allowsZero: Bool)
    /// A size in a range of octets; `allowsZero` where 0 is no limit.
    case size(ClosedRange<Int>, allowsZero: Bool)
    /// A share from 0% to 100%.
    case percentage
    /// One of some words; the second list is of those that this build refuses.
    case word([String], unbuilt: [String])
    /// Text.
    case text(TextFormat)
    /// The name of a resource.
    case reference(ResourceKind)
    /// Values in order.
    case list(SettingType, countMin: Int)
    /// Keys of a format with values of a type.
    case map(TextFormat, SettingType)
    /// Fields.
    case record(RecordType)
    /// One of some words in place of the type's values.
    case either([String], SettingType)
}

/// The fields of a record.
package struct RecordType: Sendable {
    /// The fields, in the order of the reference.
    package let settings: [Setting]
    /// Names of fields of which exactly one must be given.
    package let exactlyOneOf: [[String]]
    /// Names of fields that must be given.
    let required: [String]
    private let byName: [String: Setting]

    /// Lists fields.
    init(_ settings: [Setting], exactlyOneOf: [[String]] = []) {
        (self.settings, self.exactlyOneOf) = (settings, exactlyOneOf)
        required = settings.filter { $0.presence == .required }.map(\.name)
        byName = Dictionary(settings.map { ($0.name, $0) }) { first, _ in first }
    }

    /// The field of that name.
    package subscript(name: String) -> Setting? { byName[name] }
}

extension SettingType {
    /// A record of these fields.
    static func fields(_ settings: [Setting], exactlyOneOf: [String] = []) -> SettingType {
        .record(RecordType(settings, exactlyOneOf: exactlyOneOf.isEmpty ? [] : [exactlyOneOf]))
    }

    /// A list that may be empty.
    static func list(_ type: SettingType) -> SettingType { .list(type, countMin: 0) }

    /// One of some words, all built.
    static func word(_ words: String...) -> SettingType { .word(words, unbuilt: []) }

    /// From a millisecond to a day.
    static var timeout: SettingType { .duration(1...86_400_000, allowsZero: false) }

    /// From a millisecond to a day, or 0 for no limit.
    static var timeoutOrNone: SettingType { .duration(1...86_400_000, allowsZero: true) }

    /// Up to ten years.
    static var span: SettingType { .duration(1...315_576_000_000, allowsZero: true) }

    /// 0 is no limit.
    static var countOrNone: SettingType { .integer(0...1_000_000_000) }

    /// Any size; 0 is no limit.
    static var sizeOrNone: SettingType { .size(1...(1 << 50), allowsZero: true) }
}

/// The table of one kind of resource.
package struct ResourceSettings: Sendable {
    /// The kind.
    package let kind: ResourceKind
    /// One line about the kind.
    package let help: String
    /// Its fields.
    package let record: RecordType
    /// Whether this build has resources of the kind at all.
    package let isBuilt: Bool

    init(_ kind: ResourceKind, _ help: String, _ record: RecordType, isBuilt: Bool = true) {
        (self.kind, self.help, self.record, self.isBuilt) = (kind, help, record, isBuilt)
    }
}

/// The table of all settings.
package enum Settings {
    /// Every kind, in the order of the reference.
    package static let all: [ResourceSettings] = [
        listeners, certificates, upstreams, routes, policies, consumers, apis, hiding, requestID,
        overload, paths, logging, tracing, metrics, tests, groups,
    ]

    /// The table of a kind.
    package static func settings(of kind: ResourceKind) -> ResourceSettings {
        guard let found = byKind[kind] else { preconditionFailure("\(kind) is not in the table") }
        return found
    }

    private static let byKind: [ResourceKind: ResourceSettings] =
        Dictionary(uniqueKeysWithValues: all.map { ($0.kind, $0) })
}
