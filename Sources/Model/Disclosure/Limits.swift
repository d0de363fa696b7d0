/// Limits of the search for names; each names its unit, its reason and what happens at the limit.
enum DisclosureLimits {
    /// Octets of userinfo before a host that are looked at: more than any URL has; a host behind more of them is found,
    /// as one outside of a URL.
    static let userinfoBytesMax = 256
    /// Looks at a field's value for internal names: what is taken out may bring two halves of another one together; a
    /// value in which there is one still after these goes.
    static let scrubPassesMax = 3
    /// Octets of a field's value with public names in place of internal ones.
    ///
    /// A client's authority has up to 260 octets, and a name of the inside may have one. No line comes that is longer; one
    /// that becomes so is left out.
    static let publicValueBytesMax = 64 << 10
    /// Octets of digits and colons in a row that are looked at for an IPv6 address: the longest one, a port, and a short
    /// name before it; a longer row is the digest of something.
    static let groupsBytesMax = 64
}
