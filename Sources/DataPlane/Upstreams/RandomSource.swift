/// Random numbers for choices that need no secrecy.
///
/// SplitMix64 (Steele, Lea, Flood 2014): one addition and three multiplications for each number.
package struct RandomSource: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins a sequence.
    ///
    /// - Parameter seed: The same seed gives the same sequence.
    package init(seed: UInt64) {
        state = seed
    }

    /// The next number.
    package mutating func next() -> UInt64 {
        // The generator is defined modulo 2^64.
        state &+= 0x9E37_79B9_7F4A_7C15
        return mixed(state)
    }

    /// A number below a bound that is above 0; each is as likely but for a part in 2^32.
    ///
    /// Bounds are far below 2^32, so that the product does not pass 2^64.
    mutating func index(below bound: Int) -> Int {
        Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(truncatingIfNeeded: bound)) >> 32)
    }
}

/// Spreads the bits of a number over all of another: a bijection, the same on every machine.
func mixed(_ number: UInt64) -> UInt64 {
    // SplitMix64's finalizer, which is defined modulo 2^64.
    var word = number
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
}
