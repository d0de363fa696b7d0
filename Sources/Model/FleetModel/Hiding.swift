/// What back ends may reveal.
package struct Hiding: Hashable, Sendable {
    /// What becomes of the Server field.
    package let server: ServerField
    /// Response fields that are removed.
    package let responseHeaders: [NamePattern]
    /// Response fields that are removed because they tell of products and machines.
    package let productHeaders: [NamePattern]
    /// Whether Location, Content-Location, Refresh and Link that name an endpoint become public URLs.
    package let rewriteLocation: Bool
    /// Whether Domain and Path of Set-Cookie become public, and Secure is added over TLS.
    package let rewriteCookies: Bool
    /// Whether other response fields are freed of endpoints' names.
    package let rewriteFields: Bool
    /// The pseudonym in Via; `nil` sends none.
    package let via: String?
    /// Which responses carry Proxy-Status (RFC 9209).
    package let proxyStatus: ProxyStatusMode
    /// Whether Proxy-Status names upstreams.
    package let names: Bool
}

/// What becomes of the Server field of a response.
package enum ServerField: Hashable, Sendable {
    /// It is removed.
    case remove
    /// It passes.
    case keep
    /// It is replaced by this value.
    case replace(String)
}

/// Which responses carry Proxy-Status.
package enum ProxyStatusMode: String, Hashable, Sendable {
    /// Those that the proxy made because something failed.
    case errors
    /// All.
    case all
    /// None.
    case off
}
