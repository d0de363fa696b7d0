/// Bounds of the questions to name servers, each with its reason.
enum Limits {
    /// How long a server has for a question, and twice as long when it is asked again: two seconds lost to a datagram
    /// that got lost are the most that a lookup should take longer.
    static let answerMilliseconds: Int32 = 1000
    /// How often each server is asked.
    static let triesPerServer: Int32 = 2
    /// Domains of the system's search list that are used; resolv.conf(5) has no bound of its own any more.
    static let searchDomainsMax = 16
    /// The longest name (RFC 1035 §2.3.4), in characters.
    static let nameBytesMax = 253
}
