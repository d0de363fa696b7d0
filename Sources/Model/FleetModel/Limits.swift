/// Limits of what this target reads.
///
/// All guard against hostile or broken input; at a limit the document is refused with a problem that
/// names it, before what exceeds it is built in memory.
package enum ModelLimits {
    /// Octets of one JSON document: ten times the configuration of 50,000 plain routes.
    package static let documentBytesMax = 16 << 20
    /// Octets of one YAML file: about 20,000 routes.
    ///
    /// YAML costs several times what JSON does.
    package static let yamlBytesMax = 4 << 20
    /// Nesting of lists and maps.
    ///
    /// The deepest field of the contract stands at 9.
    package static let depthMax = 32
    /// Scalars, lists, maps and keys of one document, so that 16 MiB of `0,` stay affordable.
    package static let valueCountMax = 1_000_000
    /// Problems reported at once; what follows is summed up in one line.
    package static let problemCountMax = 1_000
    /// Cells of edit-distance tables computed for suggestions per document: about 20 ms.
    package static let suggestionCellsMax = 4_000_000
    /// Octets of a resource's name.
    package static let nameBytesMax = 63
    /// Labels of a node, and of a group of listeners.
    package static let labelCountMax = 32
    /// Octets of a label's name, or of its value.
    package static let labelBytesMax = 128
    /// Listeners with one address, kept apart by groups, each of which is compared with the others; more are refused.
    package static let addressSharersMax = 64
    /// Names of an acme certificate: what public authorities take.
    package static let acmeHostsMax = 100
    /// Octets of what an authority calls the key of an account binding.
    package static let bindingKeyBytesMax = 256
    /// Octets of a unix socket's path: what sun_path (unix(7)) holds before its NUL.
    package static let socketPathBytesMax = 107
    /// Longest time after which an adjustment of an endpoint ends by itself, in seconds; 400 above.
    ///
    /// What is to last longer belongs in the configuration.
    package static let adjustmentSecondsMax = 366 * 86_400
    /// Octets of a health check's answer in which the wanted text must stand.
    package static let checkContentBytes = 64 << 10
    /// Octets of a text field such as a response's body.
    package static let textBytesMax = 1 << 20
    /// Changes of the fields of one message, or of a query, in one place.
    package static let editCountMax = 200
    /// Octets that one place writes into each head, before its variables are replaced: heads have some 64 KiB.
    package static let editBytesMax = 16 << 10
    /// The same for all policies of a route.
    package static let routeEditBytesMax = 32 << 10
    /// Octets of an error page's file: what a page without its images needs, and nodes keep one copy a worker.
    package static let errorPageBytesMax = 256 << 10
    /// Entries of one list or map within a resource.
    package static let listCountMax = 10_000
    /// Octets of one resource as it is stored and sent.
    ///
    /// The largest are certificate chains and inline bodies.
    package static let contentBytesMax = 4 << 20
    /// Resources of one configuration: far above any fleet's.
    package static let resourceCountMax = 200_000
    /// Octets of all resources of one configuration, as in a snapshot file.
    package static let configurationBytesMax = 256 << 20
}
