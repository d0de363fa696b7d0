/// A value of a resource after it was read by its field's type.
package indirect enum SettingValue: Hashable, Sendable {
    /// `true` or `false`.
    case boolean(Bool)
    /// A whole number.
    case integer(Int)
    /// Text, in the canonical spelling of its format.
    case text(String)
    /// A duration in milliseconds.
    case duration(Int64)
    /// A size in octets.
    case size(Int)
    /// A share in thousandths of a percent.
    case percentage(Int)
    /// A host and port.
    case address(NetworkAddress)
    /// A block of addresses.
    case block(AddressBlock)
    /// A host or wildcard.
    case host(HostPattern)
    /// Text with variables, and how it was written.
    case template(Template, String)
    /// Values in order.
    case list([SettingValue])
    /// Fields of a record or entries of a map, sorted by the octets of their names.
    case record([Field])

    /// A named value.
    package struct Field: Hashable, Sendable {
        /// The field's or key's name.
        package let name: String
        /// Its value.
        package let value: SettingValue
    }

    /// Makes a record of fields in any order.
    package static func record(sorting fields: [Field]) -> SettingValue {
        .record(fields.sorted { Manifest.isName($0.name, before: $1.name) })
    }

    /// The field of that name, if this is a record that has it.
    package subscript(name: String) -> SettingValue? {
        guard case .record(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }

    /// The value as canonical JSON has it.
    package var canonical: ConfigurationNode {
        switch self {
        case .boolean(let flag): ConfigurationNode(flag ? "true" : "false", style: .boolean)
        case .integer(let number): ConfigurationNode(String(number), style: .number)
        case .list(let items): ConfigurationNode(.list(items.map(\.canonical)))
        case .record(let fields): .map(fields.map { ($0.name, $0.value.canonical) })
        case .text, .duration, .size, .percentage, .address, .block, .host, .template:
            ConfigurationNode(scalarText ?? "", style: .quoted)
        }
    }

    /// The canonical spelling, if this is a scalar.
    package var scalarText: String? {
        switch self {
        case .boolean(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .text(let text), .template(_, let text): text
        case .duration(let milliseconds): Quantity.durationText(milliseconds)
        case .size(let octets): Quantity.sizeText(octets)
        case .percentage(let thousandths): Quantity.percentageText(thousandths)
        case .address(let address): address.description
        case .block(let block): block.description
        case .host(let host): host.description
        case .list, .record: nil
        }
    }
}
