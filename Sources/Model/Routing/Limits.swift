/// Bounds of what is made of requests.
enum Limits {
    /// Octets of a path that a pattern and its substitution make: what a request target may have at most; such a request
    /// is answered with 500.
    static let rewrittenPathBytesMax = 64 << 10
}
