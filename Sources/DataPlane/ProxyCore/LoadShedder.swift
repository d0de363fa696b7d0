/// Decides which share of new requests a worker refuses because it has more to do than it can.
///
/// The lag of its loop, how long what became ready waits until it is seen, is the measure: it grows with the work that
/// queues up, and a slow tick alone does not make it stay. Samples are smoothed over about eight, and one counts as twice
/// the limit at most, so that no single pause is taken for overload. While the smoothed lag is above three quarters of the
/// limit the share grows, so that refusals come within it, and below half of it the share shrinks, each time by a
/// sixteenth; between the two it stays.
///
///     sample ─▶ smoothed ─┬─ above 3/4 of the limit ─▶ share + 1/16, up to 3/8
///                         └─ below 1/2 of it ────────▶ share - 1/16
///
/// Refusing takes time too, two fifths of what proxying takes: mostly that of the system. With a share of 3/8 a fifth of
/// the time goes into refusals; clients that come again at once would take all of it, were all of them refused.
struct LoadShedder {
    /// In nanoseconds.
    private let limit: UInt64
    private var smoothed: UInt64 = 0
    /// Which share is refused, in parts of `whole`.
    private(set) var share: UInt32 = 0
    private var due: UInt32 = 0

    static let whole: UInt32 = 64
    private static let step: UInt32 = 4
    private static let shareMax: UInt32 = 24

    /// Begins with no lag.
    ///
    /// - Parameter limit: The lag above which requests are refused, in nanoseconds.
    init(limit: UInt64) {
        self.limit = limit
    }

    /// Takes up how long something has waited, in nanoseconds; 0 when the loop had nothing to do.
    mutating func note(lag: UInt64) {
        let bound = limit.multipliedReportingOverflow(by: 2)
        let sample = min(lag, bound.overflow ? .max : bound.partialValue)
        smoothed = lag == 0 ? smoothed / 2 : smoothed - smoothed / 8 + sample / 8
        if smoothed > limit - limit / 4 {
            share = min(share + Self.step, Self.shareMax)
        } else if smoothed < limit - limit / 2 {
            share -= min(share, Self.step)
        }
    }

    /// Whether the next request is refused; refusals are spread evenly.
    mutating func sheds() -> Bool {
        due += share
        guard due >= Self.whole else { return false }
        due -= Self.whole
        return true
    }
}
