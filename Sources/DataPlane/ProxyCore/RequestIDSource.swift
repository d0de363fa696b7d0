internal import SystemCalls

/// Makes identifiers of requests: 128 bits each, unlikely to repeat over all nodes, and no secret.
///
/// SplitMix64 (Steele, Lea, Flood 2014) from a seed of the kernel's, one for each worker.
struct RequestIDSource {
    private var state = randomNumber()
    private let salt = randomNumber()

    /// The next identifier, in two halves.
    mutating func next() -> (UInt64, UInt64) {
        let first = nextWord()
        return (first, nextWord() ^ salt)
    }

    private mutating func nextWord() -> UInt64 {
        // The generator is defined modulo 2^64.
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
