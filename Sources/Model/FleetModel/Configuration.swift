/// A validated configuration: immutable, complete, with defaults filled in.
///
/// Listeners and upstreams stand in the order of their names, routes in file order. One made from a
/// document and one made from its resources are equal.
package struct Configuration: Hashable, Sendable {
    /// Where nodes listen.
    package let listeners: [Listener]
    /// Where requests go.
    package let upstreams: [Upstream]
    /// Which request goes where, in file order.
    package let routes: [Route]
    /// What back ends may reveal.
    package let hiding: Hiding
    /// What is logged.
    package let logging: Logging
    /// The same as it is stored and sent, in manifest order.
    package let resources: [Resource]
    /// The list of the resources; its digest is the version's.
    package let manifest: Manifest
}
