import Bytes

/// The field traceparent (W3C Trace Context §3.2).
package enum TraceParent {
    /// Whether somebody who takes part in the trace could read the value.
    ///
    ///     version "-" trace-id "-" parent-id "-" flags
    ///        2           32           16           2     digits, a-f in lower case
    ///
    /// Later versions may have more behind that; ff is none. An identifier of zeros alone is none.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the value; looked at only within `range`.
    ///   - range: The value's octets.
    /// - Returns: False where the next one has to begin another trace.
    package static func isValid(_ octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count >= 55 else { return false }
        let start = range.lowerBound
        let isFirstVersion =
            octets[start] == UInt8(ascii: "0") && octets[start + 1] == UInt8(ascii: "0")
        let isNoVersion =
            octets[start] == UInt8(ascii: "f") && octets[start + 1] == UInt8(ascii: "f")
        guard !isNoVersion else { return false }
        if range.count > 55, isFirstVersion || octets[start + 55] != UInt8(ascii: "-") {
            return false
        }
        var (isTraceZero, isParentZero) = (true, true)
        for place in 0..<55 {
            let octet = octets[start + place]
            switch place {
            case 2, 35, 52:
                guard octet == UInt8(ascii: "-") else { return false }
            default:
                guard octet < UInt8(ascii: "A") || octet > UInt8(ascii: "F"),
                    hexadecimalDigit(octet) != nil
                else { return false }
                if octet == UInt8(ascii: "0") { continue }
                if (3..<35).contains(place) { isTraceZero = false }
                if (36..<52).contains(place) { isParentZero = false }
            }
        }
        return !isTraceZero && !isParentZero
    }
}
