internal import FleetModel
internal import Upstreams

/// What is said on the connection of a check: octets in, octets and a verdict out.
///
/// Does no I/O. Confined to the loop of its check.
class CheckDialogue {
    /// What is to be written, in order.
    final var output: [UInt8] = []

    /// Takes what the endpoint has sent.
    ///
    /// - Parameters:
    ///   - octets: What came.
    ///   - now: Monotonic nanoseconds.
    /// - Returns: What the check came to, once that is known.
    func received(_ octets: Span<UInt8>, now: UInt64) -> CheckVerdict? { nil }

    /// The endpoint sends no more.
    func ended() -> CheckVerdict { .failed("the connection ended before there was an answer") }

    /// Puts what has to be said at the end behind `output`.
    func leave() {}
}

/// What a check came to.
enum CheckVerdict: Equatable {
    case passed
    /// In words, and of what kind that is.
    case failed(String, CheckResult.Failure = .wrong)
    /// Nothing: what was missing is missing here.
    case undecided
}

/// What must come in answer to a check's request, as it comes.
struct ExpectedAnswer {
    private let probe: HealthCheck.HTTPProbe
    private let wanted: [UInt8]
    private var content: [UInt8] = []

    /// Octets of content in which the wanted text must stand.
    static let contentBytesMax = ModelLimits.checkContentBytes

    init(_ probe: HealthCheck.HTTPProbe) {
        self.probe = probe
        wanted = Array(probe.body.utf8)
    }

    /// The final response's head has come.
    ///
    /// - Parameter status: Its status code.
    /// - Returns: What the check came to, where no content can change it.
    func verdict(on status: Int) -> CheckVerdict? {
        guard probe.statuses.contains(where: { $0.contains(status) }) else {
            return .failed("status \(status)")
        }
        return wanted.isEmpty ? .passed : nil
    }

    /// Content has come.
    ///
    /// - Returns: What the check came to, once that is known.
    mutating func take(_ octets: Span<UInt8>) -> CheckVerdict? {
        let first = max(0, content.count - wanted.count + 1)
        let room = Self.contentBytesMax - content.count
        let taken = octets.extracting(first: room)
        content.reserveCapacity(content.count + taken.count)
        for index in taken.indices { content.append(taken[index]) }
        if Self.find(wanted.span, in: content.span, from: first) { return .passed }
        return content.count >= Self.contentBytesMax ? lacking : nil
    }

    /// What it means that no content follows.
    var lacking: CheckVerdict { .failed("the content lacks what it should contain") }

    private static func find(_ wanted: Span<UInt8>, in octets: Span<UInt8>, from first: Int) -> Bool
    {
        guard wanted.count <= octets.count else { return false }
        var start = first
        while start <= octets.count - wanted.count {
            var index = 0
            while index < wanted.count, octets[start + index] == wanted[index] { index += 1 }
            if index == wanted.count { return true }
            start += 1
        }
        return false
    }
}
