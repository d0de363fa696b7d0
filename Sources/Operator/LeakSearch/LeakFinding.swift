/// Something that a response tells of the inside.
package struct LeakFinding: Hashable, Sendable {
    /// What it tells.
    package enum Kind: String, Sendable {
        /// An endpoint's address or host, another internal name, or an upstream's.
        case name
        /// The port of an endpoint, at a host that is not known.
        case port
        /// A product.
        case product
        /// The inside of a program: a stack trace.
        case trace
    }

    /// The request's method.
    package let method: String
    /// The URL that was asked for.
    package let url: String
    /// The status of the response; 0 where it was not HTTP.
    package let status: Int
    /// Where it stands: `status line`, `field NAME`, `trailer NAME`, `interim field NAME`, `content`.
    package let place: String
    /// What it tells.
    package let kind: Kind
    /// What stands there, shortened.
    package let text: String
    /// What cures it.
    package let hint: String
}
