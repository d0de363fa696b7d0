package import Bytes
package import FleetModel
import HTTPSemantics

/// What a route's `rewrite` makes of a query, the same on nodes and for `explain`.
///
/// Names compare after one percent-decoding, in which `+` is a space. What stays is kept octet for octet, in its order;
/// what is set and added comes behind it.
package struct QueryEditor: Sendable {
    private let dropped: [Pattern]
    /// What comes behind, joined by `&`.
    ///
    /// Literals are percent-encoded; values of variables are to be.
    package let appended: Template

    private struct Pattern: Sendable {
        let name: [UInt8]
        let isPrefix: Bool
    }

    /// Compiles changes; `nil` where there are none.
    package init?(_ edits: QueryEdits) {
        if edits.isEmpty { return nil }
        dropped =
            edits.remove.map { Pattern(name: Array($0.name.utf8), isPrefix: $0.isPrefix) }
            + edits.set.map { Pattern(name: Array($0.name.utf8), isPrefix: false) }
        var segments: [Template.Segment] = []
        for parameter in edits.set + edits.add {
            let start = (segments.isEmpty ? "" : "&") + Self.encode(parameter.name) + "="
            segments.append(.literal(start))
            for segment in parameter.value.segments {
                if case .literal(let text) = segment {
                    segments.append(.literal(Self.encode(text)))
                } else {
                    segments.append(segment)
                }
            }
        }
        appended = Template(segments: segments)
    }

    /// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
    static func encode(_ text: String) -> String {
        var octets: [UInt8] = []
        for octet in text.utf8 {
            if OctetSet.unreserved.contains(octet) {
                octets.append(octet)
            } else {
                octets += [
                    UInt8(ascii: "%"), hexadecimalUpper(octet >> 4), hexadecimalUpper(octet),
                ]
            }
        }
        return String(decoding: octets, as: UTF8.self)
    }

    /// Appends the parameters that stay, and a question mark before them.
    ///
    /// - Parameters:
    ///   - query: A query without its question mark.
    ///   - output: Has room for it.
    /// - Returns: Whether anything was appended.
    /// - Complexity: O(length), times the names that are dropped; allocates nothing.
    package func appendKept(_ query: Span<UInt8>, to output: inout Buffer) -> Bool {
        var hasKept = false
        var start = 0
        while start < query.count {
            let end = query.firstIndex(of: UInt8(ascii: "&"), from: start, to: query.count)
            let equals = query.firstIndex(of: UInt8(ascii: "="), from: start, to: end)
            if !drops(query, start..<equals) {
                output.append(hasKept ? UInt8(ascii: "&") : UInt8(ascii: "?"))
                output.append(query.extracting(start..<end))
                hasKept = true
            }
            start = end + 1
        }
        return hasKept
    }

    private func drops(_ query: Span<UInt8>, _ name: Range<Int>) -> Bool {
        for pattern in dropped {
            let text = query.extracting(name)
            let plain = pattern.name.span
            let isDropped =
                pattern.isPrefix
                ? QueryText.begins(text, with: plain) : QueryText.equals(text, plain)
            if isDropped { return true }
        }
        return false
    }
}
