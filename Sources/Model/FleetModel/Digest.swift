/// A SHA-256 digest: the identity of a resource's content and of a version.
///
/// Stored as four words, most significant octet first, so that comparing and hashing two digests
/// costs four integer operations and no allocation.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Length of a digest in octets.
    public static let octetCount = 32

    private let word0: UInt64
    private let word1: UInt64
    private let word2: UInt64
    private let word3: UInt64

    /// Takes exactly 32 octets; anything else is no digest.
    ///
    /// Inlinable, because messages and manifests name thousands of digests, and generic code that
    /// another module calls costs microseconds for each.
    @inlinable
    public init?(octets: some Collection<UInt8>) {
        guard octets.count == Self.octetCount else { return nil }
        var words: InlineArray<4, UInt64> = .init(repeating: 0)
        for (index, octet) in octets.enumerated() {
            words[index / 8] = words[index / 8] << 8 | UInt64(octet)
        }
        self.init(words: words)
    }

    /// Joins four words, the most significant first.
    @usableFromInline
    init(words: InlineArray<4, UInt64>) {
        (word0, word1, word2, word3) = (words[0], words[1], words[2], words[3])
    }

    /// Reads 64 hexadecimal digits, in either case.
    package init?(hex: String) {
        var octets: [UInt8] = []
        octets.reserveCapacity(Self.octetCount)
        var high: UInt8?
        for digit in hex.utf8 {
            guard let value = Self.hexValue(digit), octets.count < Self.octetCount else {
                return nil
            }
            if let first = high {
                octets.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        guard high == nil else { return nil }
        self.init(octets: octets)
    }

    /// The 32 octets.
    package var octets: [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(Self.octetCount)
        append(to: &octets)
        return octets
    }

    /// The octet at `index`, counted from the most significant.
    package subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < Self.octetCount, "a digest has no octet \(index)")
        let words: InlineArray<4, UInt64> = [word0, word1, word2, word3]
        return UInt8(truncatingIfNeeded: words[index / 8] >> UInt64(56 - index % 8 * 8))
    }

    /// Appends the 32 octets.
    package func append(to octets: inout [UInt8]) {
        Self.append(word0, to: &octets)
        Self.append(word1, to: &octets)
        Self.append(word2, to: &octets)
        Self.append(word3, to: &octets)
    }

    private static func append(_ word: UInt64, to octets: inout [UInt8]) {
        for index in 0..<UInt64(8) {
            octets.append(UInt8(truncatingIfNeeded: word >> (56 - index * 8)))
        }
    }

    /// Feeds a quarter of the digest: it is as good as random already.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(word0)
    }

    /// 64 lower-case hexadecimal digits.
    package var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * Self.octetCount)
        for octet in octets {
            text.append(digits[Int(octet >> 4)])
            text.append(digits[Int(octet & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The first 12 hexadecimal digits, as people see it.
    package var short: String { String(hex.prefix(12)) }

    /// All 64 digits.
    public var description: String { hex }

    /// Orders digests by their octets.
    public static func < (left: Digest, right: Digest) -> Bool {
        (left.word0, left.word1, left.word2, left.word3)
            < (right.word0, right.word1, right.word2, right.word3)
    }

    private static func hexValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
