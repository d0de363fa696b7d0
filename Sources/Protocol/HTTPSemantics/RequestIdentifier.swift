/// What identifies a request for those who carry it on.
package enum RequestIdentifier {
    /// Whether somebody else's identifier can go on: visible ASCII, and not too long.
    package static func mayPass(_ value: Span<UInt8>) -> Bool {
        guard (1...128).contains(value.count) else { return false }
        for index in value.indices where !(0x21...0x7E).contains(value[index]) { return false }
        return true
    }
}
