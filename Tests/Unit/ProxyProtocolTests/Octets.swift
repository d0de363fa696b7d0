import ProxyProtocol

/// What came of reading a header: a reading, or an error.
enum Outcome: Equatable {
    case read(ProxyHeaderReading)
    case refused(ProxyProtocolError)
}

/// Reads octets given at once.
func read(_ octets: [UInt8]) -> Outcome {
    do throws(ProxyProtocolError) {
        return .read(try ProxyHeader.decode(octets.span))
    } catch {
        return .refused(error)
    }
}

func read(_ text: String) -> Outcome { read(Array(text.utf8)) }

/// Reads octets that come one after the other, up to the first answer.
func readByOctets(_ octets: [UInt8]) -> Outcome {
    for count in 0...octets.count {
        let outcome = read(Array(octets[..<count]))
        if outcome != .read(.incomplete) { return outcome }
    }
    return .read(.incomplete)
}

let signature: [UInt8] = [
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
]

/// A header of version 2.
func binary(_ command: UInt8, _ family: UInt8, _ content: [UInt8], length: Int? = nil) -> [UInt8] {
    let count = length ?? content.count
    return signature + [command, family, UInt8(count >> 8), UInt8(count & 0xFF)] + content
}

/// A field behind the addresses.
func field(_ type: UInt8, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
    let count = length ?? value.count
    return [type, UInt8(count >> 8), UInt8(count & 0xFF)] + value
}

/// CRC32c, bit by bit, written apart from the one that is tested.
func checksum(_ octets: [UInt8]) -> [UInt8] {
    var value = UInt32.max
    for octet in octets {
        value ^= UInt32(octet)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }
    value = ~value
    return (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
}

/// 192.0.2.1:56324 to 198.51.100.1:443.
let addressesV4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB]
let toldV4 = ProxyHeader.addresses(
    source: ProxyAddress(v4: 0xC000_0201, port: 56324),
    destination: ProxyAddress(v4: 0xC633_6401, port: 443)
)
/// [2001:db8::1]:1 to [2001:db8::2]:65535.
let addressesV6: [UInt8] =
    [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1]
    + [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [2] + [0, 1, 0xFF, 0xFF]
let toldV6 = ProxyHeader.addresses(
    source: ProxyAddress(high: 0x2001_0DB8_0000_0000, low: 1, port: 1),
    destination: ProxyAddress(high: 0x2001_0DB8_0000_0000, low: 2, port: 65535)
)
