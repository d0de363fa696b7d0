/// Limits of international names; each names its unit, its reason and what happens at the limit.
enum Limits {
    /// Octets of a name as a person writes it: it has at most 253 in the DNS, and up to 4 a character here; refused above.
    static let nameBytesMax = 1024
}
