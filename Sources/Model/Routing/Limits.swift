/// Bounds of what is made of requests and of routes.
enum Limits {
    /// Octets of a path that a pattern and its substitution make: what a request target may have at most; such a request
    /// is answered with 500.
    static let rewrittenPathBytesMax = 64 << 10
    /// Routes of one host and path, by the first value that they ask for, that others are compared with in the search for
    /// those that are never taken: behind them only routes with the same conditions are found, and a warning says so.
    static let shadowComparisonsMax = 200
}
