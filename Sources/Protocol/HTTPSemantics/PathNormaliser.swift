import Bytes

/// What normalisation does with a path; the defaults are those of fleet.yaml `paths`.
package struct PathRules: Equatable, Sendable {
    /// What becomes of `%2F`, which some readers take for a separator and others do not.
    ///
    /// A backslash, encoded or not, is a separator to some readers too: it is refused with `reject`, and otherwise
    /// stays, encoded.
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
/// not hold are encoded, dot segments are removed. Refused is what some origin reads as another path:
///
/// - broken percent-encoding, and `%u002f` with it;
/// - control characters, `%00` first of all;
/// - paths that climb above the root: RFC 3986 §5.2.4 would drop the excess, but who sends it is lost or attacks;
/// - dot segments with parameters (`..;x`): servlet containers drop the parameter before they look;
/// - overlong UTF-8 (`%c0%af`, `%c0%ae`): lenient decoders make a slash or a dot of it (RFC 3629 §3);
/// - encoded slashes and backslashes, unless the rules keep them; and then those between which a dot segment stands.
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
            if octet < 0x20 || octet == 0x7F { return false }
            if octet == slash || octet == backslash {
                switch rules.encodedSlash {
                case .reject: return false
                case .decode where octet == slash: return endSegment(withSlash: true)
                case .keep, .decode: break
                }
            }
            appendEncoded(octet)
            return true
        }

        /// Ends a segment; false when it climbs above the root, or has more than one meaning.
        mutating func endSegment(withSlash: Bool) -> Bool {
            guard isPlain(segmentStart..<octets.count) else { return false }
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

        /// Whether no reader takes the segment for something else than one segment of this name.
        private func isPlain(_ segment: Range<Int>) -> Bool {
            var index = segment.lowerBound
            // Dots since the last octet that some reader takes for a separator; -1 once something else has come.
            var dots = 0
            var before: UInt8 = 0
            var isDivided = false
            while index < segment.upperBound {
                var octet = octets[index]
                index += 1
                if octet == percent, index + 1 < segment.upperBound,
                    let high = hexadecimalDigit(octets[index]),
                    let low = hexadecimalDigit(octets[index + 1])
                {
                    octet = high << 4 | low
                    index += 2
                }
                if isOverlong(before, octet) { return false }
                before = octet
                switch octet {
                case dot:
                    if dots >= 0 { dots += 1 }
                case semicolon:
                    if dots == 1 || dots == 2 { return false }
                    dots = -1
                case slash, backslash:
                    if dots == 1 || dots == 2 { return false }
                    (dots, isDivided) = (0, true)
                default: dots = -1
                }
            }
            return !isDivided || dots != 1 && dots != 2
        }

        /// RFC 3629 §3: whether two octets begin an encoding that is longer than its character needs.
        private func isOverlong(_ first: UInt8, _ second: UInt8) -> Bool {
            switch first {
            case 0xC0, 0xC1: (0x80...0xBF).contains(second)
            case 0xE0: (0x80...0x9F).contains(second)
            case 0xF0: (0x80...0x8F).contains(second)
            case 0xF8: (0x80...0x87).contains(second)
            case 0xFC: (0x80...0x83).contains(second)
            default: false
            }
        }
    }

    private static let slash: UInt8 = 0x2f
    private static let backslash: UInt8 = 0x5c
    private static let dot: UInt8 = 0x2e
    private static let percent: UInt8 = 0x25
    private static let semicolon: UInt8 = 0x3b
}
