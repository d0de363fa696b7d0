/// Limits of the search for names; each names its unit, its reason and what happens at the limit.
enum DisclosureLimits {
    /// Octets of userinfo before a host that are looked at: more than any URL has; a host behind more of them is found,
    /// as one outside of a URL.
    static let userinfoBytesMax = 256
}
