/// A key that session tickets are sealed with (RFC 5077 §4, RFC 8446 §4.6.1).
///
/// The fleet's nodes share them.
package struct TicketKey: Sendable, CustomStringConvertible {
    /// 16 octets that a ticket begins with, and that tell the key.
    package let name: [UInt8]
    /// 64 octets: 32 for AES-256, 32 for HMAC-SHA-256; secret.
    let octets: [UInt8]

    /// Makes a key; `nil` when a part has another length.
    ///
    /// - Parameters:
    ///   - name: 16 octets, random.
    ///   - octets: 64 octets, random and secret.
    package init?(name: [UInt8], octets: [UInt8]) {
        guard name.count == 16, octets.count == 64 else { return nil }
        (self.name, self.octets) = (name, octets)
    }

    /// The secret is never part of it.
    package var description: String { "TicketKey" }
}

/// The keys of one moment: tickets are made with the first, and taken with any.
///
/// One that a client brings under another key than the first is replaced.
package struct TicketKeys: Sendable {
    private let keys: [TicketKey]

    /// No keys: nothing is resumed, and no tickets are made.
    package static let none = TicketKeys([])

    /// Makes a set of keys.
    ///
    /// - Parameter keys: The one for new tickets first.
    package init(_ keys: [TicketKey]) {
        self.keys = keys
    }

    /// Whether there are none.
    package var isEmpty: Bool { keys.isEmpty }
    var first: TicketKey? { keys.first }

    /// The key with a name, and whether it is the first.
    func find(_ name: Span<UInt8>) -> (key: TicketKey, isFirst: Bool)? {
        for (index, key) in keys.enumerated() where Self.equal(key.name.span, name) {
            return (key, index == 0)
        }
        return nil
    }

    private static func equal(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
        guard one.count == other.count else { return false }
        for index in one.indices where one[index] != other[index] { return false }
        return true
    }
}
