/// The messages of `grpc.health.v1.Health/Check`, with gRPC's framing around them.
///
///     0 (not compressed) │ length, 4 octets │ HealthCheckRequest { string service = 1 }
///                                           │ HealthCheckResponse { ServingStatus status = 1 }
package enum GRPCHealth {
    /// Where checks are asked.
    package static let path = "/grpc.health.v1.Health/Check"

    /// What a server says of a service.
    package enum Answer: Equatable, Sendable {
        case unknown
        case serving
        case notServing
        case serviceUnknown
    }

    /// Writes a question.
    ///
    /// - Parameter service: The service's name; empty is the whole server.
    /// - Returns: The content of the request.
    package static func question(_ service: String) -> [UInt8] {
        let name = Array(service.utf8)
        let message = name.isEmpty ? [] : [0x0A] + varint(name.count) + name
        let length = (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) }
        return [0] + length + message
    }

    private static func varint(_ number: Int) -> [UInt8] {
        var rest = UInt64(clamping: number)
        var octets: [UInt8] = []
        while rest > 0x7F {
            octets.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        octets.append(UInt8(truncatingIfNeeded: rest))
        return octets
    }

    /// The most content that an answer has.
    package static var answerBytesMax: Int { Limits.healthAnswerBytes }

    /// Reads an answer: one message, whole and not compressed.
    ///
    /// - Parameter octets: The content of the response.
    /// - Returns: What it says, or `nil` where it is no such message.
    package static func answer(_ octets: Span<UInt8>) -> Answer? {
        guard octets.count >= 5, octets.count <= answerBytesMax, octets[0] == 0 else { return nil }
        var length = 0
        for index in 1..<5 { length = length << 8 | Int(octets[index]) }
        guard length == octets.count - 5 else { return nil }
        // An absent field has its default.
        var status: UInt64 = 0
        var index = 5
        while index < octets.count {
            guard let key = varint(octets, &index) else { return nil }
            switch key & 7 {
            case 0:
                guard let value = varint(octets, &index) else { return nil }
                if key >> 3 == 1 { status = value }
            case 1: index += 8
            case 2:
                guard let count = varint(octets, &index), count <= UInt64(octets.count - index)
                else { return nil }
                index += Int(count)
            case 5: index += 4
            default: return nil
            }
        }
        guard index == octets.count else { return nil }
        switch status {
        case 1: return .serving
        case 2: return .notServing
        case 3: return .serviceUnknown
        default: return .unknown
        }
    }

    /// Reads a number of at most ten octets.
    private static func varint(_ octets: Span<UInt8>, _ index: inout Int) -> UInt64? {
        var value: UInt64 = 0
        for position in 0..<10 {
            guard index < octets.count else { return nil }
            let octet = octets[index]
            index += 1
            let bits = UInt64(octet & 0x7F)
            // The tenth octet has room for one bit.
            guard position < 9 || bits <= 1 else { return nil }
            value |= bits << UInt64(7 * position)
            if octet & 0x80 == 0 { return value }
        }
        return nil
    }
}
