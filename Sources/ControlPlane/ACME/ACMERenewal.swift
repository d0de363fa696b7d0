import Cryptography
import Foundation

/// When a certificate is to be renewed, and when to try again what failed.
package struct ACMERenewal: Hashable, Sendable {
    /// When the authority suggests it (RFC 9773 §4.2), in seconds since 1970-01-01 UTC.
    package struct Window: Hashable, Sendable {
        package let startSeconds: Int64
        package let endSeconds: Int64

        /// Joins both; `nil` if it ends before it begins.
        package init?(startSeconds: Int64, endSeconds: Int64) {
            guard startSeconds <= endSeconds else { return nil }
            (self.startSeconds, self.endSeconds) = (startSeconds, endSeconds)
        }

        /// Reads the answer of the authority.
        ///
        /// - Throws: `answerMalformed`.
        package init(_ response: ACMEResponse) throws(ACMEError) {
            struct Document: Decodable {
                struct Window: Decodable {
                    let start: String
                    let end: String
                }

                let suggestedWindow: Window
            }
            let document: Document = try ACMEDocument.read(response, as: "renewal information")
            func seconds(_ text: String) throws(ACMEError) -> Int64 {
                let styles: [Date.ISO8601FormatStyle] = [
                    .iso8601, Date.ISO8601FormatStyle(includingFractionalSeconds: true),
                ]
                for style in styles {
                    // The other one may read it.
                    if let date = try? style.parse(text) {
                        return Int64(date.timeIntervalSince1970)
                    }
                }
                throw .answerMalformed("renewal information")
            }
            let start = try seconds(document.suggestedWindow.start)
            let end = try seconds(document.suggestedWindow.end)
            guard let window = Self(startSeconds: start, endSeconds: end) else {
                throw .answerMalformed("renewal information")
            }
            self = window
        }
    }

    /// First moment of the certificate, in seconds since 1970-01-01 UTC.
    package let notBeforeSeconds: Int64
    /// Last moment.
    package let notAfterSeconds: Int64
    /// From 0 to 1, the same for a certificate whenever it is asked: spreads renewals out.
    private let share: Double

    /// The plan of a certificate.
    ///
    /// - Parameters:
    ///   - name: Its name in the configuration.
    ///   - notBeforeSeconds: From when it is valid.
    ///   - notAfterSeconds: Until when.
    package init(name: String, notBeforeSeconds: Int64, notAfterSeconds: Int64) {
        (self.notBeforeSeconds, self.notAfterSeconds) = (notBeforeSeconds, notAfterSeconds)
        let seed = sha256(Array("\(name)\0\(notAfterSeconds)".utf8)).prefix(4)
            .reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        share = Double(seed) / Double(UInt32.max)
    }

    /// When it is due: at a moment of the authority's window, or at two thirds of its life and up to a thirtieth later.
    package func dueSeconds(_ window: Window?) -> Int64 {
        if let window {
            return Self.moment(window.startSeconds, share, to: window.endSeconds)
        }
        let (life, overflows) = notAfterSeconds.subtractingReportingOverflow(notBeforeSeconds)
        guard !overflows, life > 0 else { return notBeforeSeconds }
        let first = notBeforeSeconds + life / 3 * 2
        return Self.moment(first, share, to: first + life / 30)
    }

    /// A share of the way from one moment to another.
    private static func moment(_ start: Int64, _ share: Double, to end: Int64) -> Int64 {
        let (length, overflows) = end.subtractingReportingOverflow(start)
        // In steps that a floating-point number has exactly, so that no rounding leads beyond the end.
        guard !overflows, length > 0 else { return start }
        return start + length / 65_536 * Int64(share * 65_535)
            + length % 65_536 * Int64(share * 65_535) / 65_536
    }

    /// How long to wait after some failures in a row, in seconds: twice as long each time, spread out, and never
    /// before the authority wants it.
    ///
    /// - Parameters:
    ///   - failures: At least 1.
    ///   - askedSeconds: What the authority asked for.
    /// - Returns: Seconds.
    package func retrySeconds(failures: Int, askedSeconds: Int64?) -> Int64 {
        let doublings = min(max(failures, 1) - 1, 16)
        let first = ACMELimits.retrySecondsMin << Int64(doublings)
        let base = min(first, ACMELimits.retrySecondsMax)
        let spread = base + Int64(Double(base / 4) * share)
        return max(spread, min(askedSeconds ?? 0, 7 * 86_400))
    }
}
