/// Bounds of name servers' messages, each with its reason.
package enum Limits {
    /// The longest name with its lengths (RFC 1035 §2.3.4); the steps to read one are at most as many.
    static let nameOctetsMax = 255
    /// How many names an alias may lead through: more are a mistake of the zone, or a loop.
    static let aliasesMax = 16
    /// Addresses or services of an answer that are used.
    ///
    /// A message of 64 KiB has room for some 4,000; an upstream of as
    /// many endpoints is more likely to be somebody's mistake, which is not to cost every worker its memory.
    package static let recordsMax = 1000
}
