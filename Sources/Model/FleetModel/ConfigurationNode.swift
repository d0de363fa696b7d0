/// A configuration document as it was read, whatever its notation: scalars as text, lists, and maps
/// in file order, each with its place.
package struct ConfigurationNode: Hashable, Sendable {
    /// What it is.
    package var value: Value
    /// Where it starts.
    package var place: Place

    /// The three forms of a value.
    package indirect enum Value: Hashable, Sendable {
        /// Text; the field's type decides what it means.
        case scalar(Scalar)
        /// Values in order.
        case list([ConfigurationNode])
        /// Keys and values in file order, without duplicates.
        case map([Entry])
    }

    /// A scalar's text and how it was written.
    package struct Scalar: Hashable, Sendable {
        /// The text, without quotes and with escapes resolved.
        package var text: String
        /// How it was written.
        package var style: Style

        /// Joins both.
        package init(text: String, style: Style) {
            (self.text, self.style) = (text, style)
        }
    }

    /// How a scalar was written.
    package enum Style: Hashable, Sendable {
        /// YAML without quotes: nothing is known but the text.
        case plain
        /// YAML with quotes or as a block, or a JSON string.
        case quoted
        /// A JSON number.
        case number
        /// JSON `true` or `false`.
        case boolean
        /// JSON `null`.
        case null
    }

    /// A key with its value.
    package struct Entry: Hashable, Sendable {
        /// The key's text.
        package var key: String
        /// Where the key starts.
        package var keyPlace: Place
        /// Its value.
        package var value: ConfigurationNode

        /// Joins a key and its value.
        package init(key: String, keyPlace: Place, value: ConfigurationNode) {
            (self.key, self.keyPlace, self.value) = (key, keyPlace, value)
        }
    }

    /// Puts a value at a place.
    package init(_ value: Value, at place: Place = .none) {
        (self.value, self.place) = (value, place)
    }

    /// Makes a scalar.
    package init(_ text: String, style: Style, at place: Place = .none) {
        self.init(.scalar(Scalar(text: text, style: style)), at: place)
    }

    /// Makes a map without places.
    package static func map(_ pairs: [(String, ConfigurationNode)]) -> ConfigurationNode {
        ConfigurationNode(
            .map(pairs.map { Entry(key: $0.0, keyPlace: .none, value: $0.1) })
        )
    }

    /// The entries, if this is a map.
    package var entries: [Entry]? {
        guard case .map(let entries) = value else { return nil }
        return entries
    }

    /// The items, if this is a list.
    package var items: [ConfigurationNode]? {
        guard case .list(let items) = value else { return nil }
        return items
    }

    /// The text, if this is a scalar.
    package var text: String? {
        guard case .scalar(let scalar) = value else { return nil }
        return scalar.text
    }

    /// The value of a key, if this is a map that has it.
    package subscript(key: String) -> ConfigurationNode? {
        entries?.first { $0.key == key }?.value
    }

    /// What an error calls it.
    var noun: String {
        switch value {
        case .list: "a list"
        case .map: "a map"
        case .scalar(let scalar):
            switch scalar.style {
            case .null: "null"
            case .plain where scalar.text.isEmpty: "nothing"
            case .plain, .quoted, .number, .boolean: "a single value"
            }
        }
    }
}
