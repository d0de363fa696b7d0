import FleetModel

/// Limits of what is read from files.
///
/// JSON files have the limits of `ModelLimits`. YAML goes through libyaml, whose cost grows with the
/// square of the nesting, so these are checked before libyaml sees the text.
package enum YAMLLimits {
    /// Octets of one YAML file; larger configurations are split or written as JSON.
    package static let documentBytesMax = ModelLimits.yamlBytesMax
    /// Scalars, lists and maps of one YAML file.
    package static let valueCountMax = 400_000
    /// Open brackets and indentations, a little more than `ModelLimits.depthMax`, which is then
    /// checked exactly.
    package static let nestingMax = 64
}
