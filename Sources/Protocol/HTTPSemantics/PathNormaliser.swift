import Bytes

/// What normalisation does with a path; the defaults are those of fleet.yaml `paths`.
package struct PathRules: Equatable, Sendable {
    /// What becomes of `%2F`, which some readers take for a separator and others do not.
    package enum EncodedSlash: UInt8, Sendable {
        /// The path is refused.
        case reject
        /// It stays encoded, within its segment.
        case keep
        /// It becomes a slash, and separates.
        case decode
    }

    /// Whether several slashes in a row become one.
    package var mergesSlashes: Bool
    /// What becomes of `%2F`.
    package var encodedSlash: EncodedSlash

    /// Makes rules.
    ///
    /// - Parameters:
    ///   - mergesSlashes: Whether several slashes in a row become one.
    ///   - encodedSlash: What becomes of `%2F`.
    package init(mergesSlashes: Bool = false, encodedSlash: EncodedSlash = .reject) {
        self.mergesSlashes = mergesSlashes
        self.encodedSlash = encodedSlash
    }
}

/// Gives a path its one spelling for matching, policies and the upstream (RFC 3986 §6.2.2).
///
/// Unreserved characters are decoded, other percent-encoding is in upper case, octets that a path may
/// not hold are encoded, dot segments are removed. Refused are broken percent-encoding, `%00`, and
/// paths that climb above the root: RFC 3986 §5.2.4 would drop the excess, but who sends it is lost or
/// attacks.
package enum PathNormaliser {
    /// Whether the path is surely in its normal form; false means that `normalise` has to look.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the path.
    ///   - range: The path, without query.
    ///   - rules: What to do with slashes.
    /// - Returns: True when the path can be used as it is.
    /// - Complexity: O(length); allocates nothing.
    package static func isNormal(
        _ octets: Span<UInt8>,
        _ range: Range<Int>,
        rules: PathRules = PathRules()
    ) -> Bool {
        guard !range.isEmpty, octets[range.lowerBound] == slash else { return false }
        let plain = OctetSet.path
        var before: UInt8 = 0
        for index in range {
            let octet = octets[index]
            guard plain.contains(octet) else { return false }
            if before == slash {
                // A dot may start a plain name, but then `normalise` finds out.
                if octet == dot || octet == slash && rules.mergesSlashes { return false }
            }
            before = octet
        }
        return true
    }

    /// Writes the normal form.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the path.
    ///   - range: The path, without query; empty stands for `/`.
    ///   - rules: What to do with slashes.
    /// - Returns: The normal form, or `nil` when the path is refused.
    /// - Complexity: O(length); allocates the result.
    package static func normalise(
        _ octets: Span<UInt8>,
        _ range: Range<Int>,
        rules: PathRules = PathRules()
    ) -> [UInt8]? {
        guard !range.isEmpty else { return [slash] }
        guard octets[range.lowerBound] == slash else { return nil }
        var output = Output(capacity: range.count + 8, mergesSlashes: rules.mergesSlashes)
        var index = range.lowerBound
        while index < range.upperBound {
            let octet = octets[index]
            index += 1
            if octet == slash {
                guard output.endSegment(withSlash: true) else { return nil }
            } else if octet != percent {
                if OctetSet.path.contains(octet) {
                    output.octets.append(octet)
                } else {
                    // A NUL that is not encoded is refused like one that is.
                    guard output.appendDecoded(octet, rules) else { return nil }
                }
            } else {
                guard index + 2 <= range.upperBound,
                    let high = hexadecimalDigit(octets[index]),
                    let low = hexadecimalDigit(octets[index + 1])
                else { return nil }
                index += 2
                guard output.appendDecoded(high << 4 | low, rules) else { return nil }
            }
        }
        guard output.endSegment(withSlash: false) else { return nil }
        return output.octets
    }

    /// The normal form so far, and where its last segment starts.
    private struct Output {
        var octets: [UInt8] = []
        private var segmentStart = 0
        private let mergesSlashes: Bool

        init(capacity: Int, mergesSlashes: Bool) {
            self.mergesSlashes = mergesSlashes
            octets.reserveCapacity(capacity)
        }

        mutating func appendEncoded(_ octet: UInt8) {
            octets.append(percent)
            octets.append(hexadecimalUpper(octet >> 4))
            octets.append(hexadecimalUpper(octet))
        }

        /// Takes an octet that was percent-encoded; false when that refuses the path.
        mutating func appendDecoded(_ octet: UInt8, _ rules: PathRules) -> Bool {
            if OctetSet.unreserved.contains(octet) {
                octets.append(octet)
                return true
            }
            if octet == 0 { return false }
            if octet == slash {
                switch rules.encodedSlash {
                case .reject: return false
                case .keep: break
                case .decode: return endSegment(withSlash: true)
                }
            }
            appendEncoded(octet)
            return true
        }

        /// Ends a segment; false when it climbs above the root.
        mutating func endSegment(withSlash: Bool) -> Bool {
            let length = octets.count - segmentStart
            if length == 1, octets[segmentStart] == dot {
                octets.removeLast()
                return true
            }
            if length == 2, octets[segmentStart] == dot, octets[segmentStart + 1] == dot {
                octets.removeLast(3)
                guard let parent = octets.lastIndex(of: slash) else { return false }
                octets.removeLast(octets.count - parent - 1)
                segmentStart = octets.count
                return true
            }
            guard withSlash else { return true }
            if length == 0, mergesSlashes, !octets.isEmpty { return true }
            octets.append(slash)
            segmentStart = octets.count
            return true
        }
    }

    private static let slash: UInt8 = 0x2f
    private static let dot: UInt8 = 0x2e
    private static let percent: UInt8 = 0x25
}
