internal import HTTPSemantics

/// Checks of path patterns.
///
/// Requests are matched by their normalised path (RFC 3986 §6.2.2), so a pattern is normalised as
/// far as that has one meaning, and what no normalised path can have is refused. What depends on `paths`
/// is checked and settled when the whole configuration is there.
enum Paths {
    /// Why no path fits a pattern by the rules of `paths`; `nil` if one may.
    static func unmatchable(_ path: String, _ rules: PathSettings) -> String? {
        if path.utf8.contains(UInt8(ascii: "%")), let reason = unmatchable(encoded: path, rules) {
            return reason
        }
        let octets = path.utf8.span
        let isPath =
            PathNormaliser.normalise(octets, octets.indices, rules: PathRules(rules)) != nil
        return isPath
            ? nil
            : "\(quoted(path)): such paths are rejected, as readers differ on them, so this never matches"
    }

    private static func unmatchable(encoded path: String, _ rules: PathSettings) -> String? {
        let hasSlash = path.contains("%2F")
        if rules.encodedSlash == .reject, hasSlash || path.contains("%5C") {
            let what = hasSlash ? "slash" : "backslash"
            return "\(quoted(path)): paths with an encoded \(what) are rejected, so this never "
                + "matches: leave it out, or say `encodedSlash: keep` in paths"
        }
        let pieces = path.split(separator: "%2F").flatMap { $0.split(separator: "%5C") }
            .flatMap { $0.split(separator: "/") }
        if pieces.contains(".") || pieces.contains("..") {
            return "\(quoted(path)): paths with a dot segment at an encoded slash are rejected, so "
                + "this never matches"
        }
        return nil
    }

    /// A pattern as paths are by the rules of `paths`.
    static func settled(_ path: String, _ rules: PathSettings, isPrefix: Bool) -> String {
        var result = path
        if rules.encodedSlash == .decode {
            result = result.split(separator: "%2F", omittingEmptySubsequences: false)
                .joined(separator: "/")
        }
        guard rules.mergesSlashes || result != path else { return path }
        if rules.mergesSlashes {
            var merged: [UInt8] = []
            for octet in result.utf8 where octet != slash || merged.last != slash {
                merged.append(octet)
            }
            result = String(decoding: merged, as: UTF8.self)
        }
        if isPrefix, result.hasSuffix("/"), !result.hasSuffix("//"), result != "/" {
            result.removeLast()
        }
        return result
    }

    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    static func prefix(_ text: String) throws(Complaint) -> String {
        var path = try normalised(text)
        // In `/a//` it ends an empty segment, and makes a difference.
        if path.hasSuffix("/") && !path.hasSuffix("//") && path.utf8.count > 1 { path.removeLast() }
        return path
    }

    static func normalised(_ text: String) throws(Complaint) -> String {
        guard text.hasPrefix("/") else {
            let hint = text.isEmpty ? "" : "; did you mean /\(text)?"
            throw Complaint("\(quoted(text)): a path starts with /\(hint)")
        }
        if text.utf8.count > 8192 { throw Complaint("longer than 8192 octets") }
        let path = try decodeNeedless(text)
        for segment in path.utf8.split(separator: slash) where segment.first == dot {
            let name = segment.prefix { $0 != UInt8(ascii: ";") }
            guard name.count <= 2, name.last == dot else { continue }
            throw Complaint(
                "\(quoted(text)): no normalised path has \(Substring(segment)) as a segment"
            )
        }
        return path
    }

    /// Decodes percent-encoded unreserved characters; puts the other encodings into upper case.
    private static func decodeNeedless(_ text: String) throws(Complaint) -> String {
        let octets = Array(text.utf8)
        var path: [UInt8] = []
        path.reserveCapacity(octets.count)
        var index = 0
        while index < octets.count {
            let octet = octets[index]
            switch octet {
            case UInt8(ascii: "%"):
                let end = index + 3
                guard end <= octets.count,
                    let code = UInt8(hexadecimal: octets[(index + 1)..<end])
                else {
                    throw Complaint("\(quoted(text)): % must start two hexadecimal digits")
                }
                if code < 0x20 || code == 0x7F {
                    throw Complaint(
                        "\(quoted(text)): paths with control characters are rejected, so this never "
                            + "matches"
                    )
                }
                if isUnreserved(code) {
                    path.append(code)
                } else {
                    let digits = String(code, radix: 16, uppercase: true)
                    path.append(contentsOf: (digits.utf8.count == 1 ? "%0" : "%").utf8)
                    path.append(contentsOf: digits.utf8)
                }
                index = end
                continue
            case UInt8(ascii: "?"), UInt8(ascii: "#"):
                throw Complaint("\(quoted(text)): a path has no query and no fragment")
            case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"),
                UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{")...UInt8(ascii: "}"),
                0x7F...,
                ...0x20:
                throw Complaint(
                    "\(quoted(text)) has characters that a path must percent-encode"
                )
            default: path.append(octet)
            }
            index += 1
        }
        return String(decoding: path, as: UTF8.self)
    }

    private static func isUnreserved(_ octet: UInt8) -> Bool {
        Texts.isAlphanumeric(octet) || "-._~".utf8.contains(octet)
    }
}

extension UInt8 {
    /// Reads exactly two hexadecimal digits.
    fileprivate init?(hexadecimal digits: ArraySlice<UInt8>) {
        var value = 0
        for digit in digits {
            guard let part = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
            value = value << 4 | part
        }
        self = UInt8(truncatingIfNeeded: value)
    }
}
