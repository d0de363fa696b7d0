/// Where a control plane is and how it is trusted: one entry of a contexts file.
package struct AdminContext: Sendable, Equatable {
    /// Where the bearer token comes from.
    package enum Token: Sendable, Equatable {
        /// The token stands in the contexts file.
        case text(String)
        /// The token is the first line of this file, as written in the contexts file.
        case file(String)
    }

    /// The name by which `--context` chooses it.
    package let name: String
    /// The admin address: `https://HOST:PORT`, without a path.
    package let server: String
    /// Path of the PEM file with the only authority that is trusted, as written in the contexts file.
    package let authority: String
    /// The operator's token.
    package let token: Token

    /// A context of its parts.
    package init(name: String, server: String, authority: String, token: Token) {
        (self.name, self.server, self.authority, self.token) = (name, server, authority, token)
    }
}
