internal import Bytes

/// A name as messages have it, in lower case: labels of octets.
package struct DNSName: Hashable, Sendable {
    /// The labels from the left; none is the root.
    package let labels: [[UInt8]]

    /// Joins labels.
    package init(labels: [[UInt8]]) {
        self.labels = labels
    }

    /// The name's text, without a final dot; `nil` when it is the root, or has labels that a host name has not: they
    /// are left to nobody to misread.
    package var hostName: String? {
        guard !labels.isEmpty else { return nil }
        let isPlain = labels.allSatisfy { label in
            label.allSatisfy { octet in
                switch octet {
                case 0x30...0x39, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
        }
        guard isPlain else { return nil }
        return labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
    }

    /// Reads a name (RFC 1035 §4.1.4), following its pointers.
    ///
    /// A pointer leads to before the place where the labels behind the last one began, so that no name has an end that
    /// is never reached.
    ///
    /// - Parameters:
    ///   - message: All of the message.
    ///   - offset: Where the name begins; then the index behind it.
    /// - Returns: The name.
    /// - Throws: `DNSError`.
    /// - Complexity: O(255).
    static func read(
        _ message: Span<UInt8>,
        at offset: inout Int
    ) throws(DNSError) -> DNSName {
        var labels: [[UInt8]] = []
        var octetCount = 1
        var place = offset
        var start = offset
        var end: Int?
        while true {
            guard place < message.count else { throw .truncated }
            let length = Int(message[place])
            switch length >> 6 {
            case 0:
                guard length > 0 else {
                    offset = end ?? place + 1
                    return DNSName(labels: labels)
                }
                guard length < message.count - place else { throw .truncated }
                octetCount += 1 + length
                guard octetCount <= Limits.nameOctetsMax else { throw .nameTooLong }
                let octets = message.extracting(place + 1..<place + 1 + length).copied()
                labels.append(octets.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 })
                place += 1 + length
            case 3:
                guard message.count - place >= 2 else { throw .truncated }
                let target = (length & 0x3F) << 8 | Int(message[place + 1])
                if end == nil { end = place + 2 }
                guard target < start else { throw .pointerInvalid }
                // A pointer counts as the least label: chains of nothing but pointers come to an end, too.
                octetCount += 1
                guard octetCount <= Limits.nameOctetsMax else { throw .nameTooLong }
                (place, start) = (target, target)
            default:
                throw .labelTypeInvalid
            }
        }
    }
}
