/// Bounds of looking names up, each with its reason.
package enum Limits {
    /// How long a lookup may take from its first question on: whoever waits for it has other things to do by then.
    static let lookupNanoseconds: UInt64 = 5_000_000_000
    /// Lookups that are under way at the same time; others wait.
    ///
    /// So many questions at once are what a server's socket
    /// has room for without losing any.
    static let lookupsAtOnce = 64
    /// How often the system's files, resolv.conf(5) and hosts(5), are looked at for changes, at most.
    static let filesNanoseconds: UInt64 = 1_000_000_000
    /// The largest hosts file that is read; a larger one is taken for none.
    static let hostsOctetsMax = 4 * 1024 * 1024
    /// How long what a hosts file says holds: it has no times of its own, and is looked at for changes.
    static let hostsSeconds: UInt32 = 30
    /// The shortest time between two lookups of a name, whatever its records say: a time of 0 is for those that ask
    /// once for each connection, and this asks for all of them.
    static let refreshSecondsMin: UInt32 = 1
    /// The longest: a mistake in a zone is mended within it.
    static let refreshSecondsMax: UInt32 = 300
    /// How long after a failed lookup the next one is; it doubles with every one up to the longest.
    static let retryNanosecondsMin: UInt64 = 1_000_000_000
    /// The longest of them: a name that is there again is found within it.
    static let retryNanosecondsMax: UInt64 = 10_000_000_000
    /// The largest file of what names led to that is read: some 10,000 names, or so many addresses.
    package static let memoryOctetsMax = 4 * 1024 * 1024
    /// How many answers in a row must say that a name has no records, beyond the first, for its last ones to be given
    /// up: one may be a server's mistake, or a zone that is being changed.
    static let negativeAnswersMin = 3
    /// And how long they must have said so.
    static let negativeNanosecondsMin: UInt64 = 30_000_000_000
}
