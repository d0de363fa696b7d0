/// Bounds of logs, in octets unless the name says otherwise.
enum Limits {
    /// A block of access-log records: large, so that a write(2) carries hundreds of them.
    static let logBlockBytes = 131_072
    /// Blocks that wait for the writer, over all workers.
    ///
    /// A disk that is behind costs this much memory (8 MiB); then records are dropped and counted,
    /// and no loop waits.
    static let logBlocksQueuedMax = 64
    /// Blocks that are kept for use again.
    static let logBlocksSpareMax = 8
    /// A field of a record; what is longer is cut, so that a record always fits a block: six times
    /// the sum of all fields of strangers is below `logBlockBytes`.
    static let logFieldBytesMax = 1024
    /// The path of a record.
    static let logPathBytesMax = 8192
    /// Records of one event and subject in `eventWindowSeconds`; what is more is counted and told later.
    static let eventRepeatsMax = 5
    static let eventWindowSeconds: UInt64 = 10
    /// Events and subjects whose repeats are counted at once; beyond, the oldest counts are told early.
    static let eventKeysMax = 512
    /// A value of a program log's field; what is longer is cut.
    static let eventValueBytesMax = 2048
}
