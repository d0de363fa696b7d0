internal import Cryptography

/// What stands for an endpoint in a sticky cookie: 128 bits that tell nothing to whom has not the fleet's key.
///
/// HMAC-SHA-256 of the upstream's name and the endpoint's address, under a key that all nodes of a fleet share.
struct EndpointMark: Hashable {
    private let high: UInt64
    private let low: UInt64

    /// Hexadecimal digits of a mark.
    static let digits = 32

    /// Makes the mark of an endpoint.
    ///
    /// - Parameters:
    ///   - endpoint: Its address.
    ///   - upstream: The upstream's name.
    ///   - key: The fleet's.
    init(of endpoint: [UInt8], in upstream: [UInt8], key: [UInt8]) {
        let digest = hmacSHA256(upstream + [0] + endpoint, key: key)
        func word(_ octets: ArraySlice<UInt8>) -> UInt64 {
            octets.reduce(0) { $0 << 8 | UInt64($1) }
        }
        (high, low) = (word(digest[0..<8]), word(digest[8..<16]))
    }

    /// Reads the value of a cookie; `nil` where it can be no mark.
    init?(_ value: Span<UInt8>) {
        guard value.count == Self.digits else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for index in value.indices {
            let digit: UInt8
            switch value[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = value[index] - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                digit = value[index] - UInt8(ascii: "a") + 10
            default: return nil
            }
            words = (words.0 << 4 | words.1 >> 60, words.1 << 4 | UInt64(digit))
        }
        (high, low) = words
    }

    /// The value of a cookie.
    var text: [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(Self.digits)
        for word in [high, low] {
            for shift in stride(from: 60, through: 0, by: -4) {
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift) & 15)
                octets.append(
                    digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                )
            }
        }
        return octets
    }
}
