internal import CAres

/// What a name server was asked.
package enum QuestionType: UInt16, Hashable, Sendable {
    /// IPv4 addresses (RFC 1035 §3.4.1).
    case a = 1
    /// IPv6 addresses (RFC 3596).
    case aaaa = 28
    /// Services (RFC 2782).
    case srv = 33
}

/// What came of a question.
package struct NameServerAnswer: Sendable {
    /// The number that `ask` has returned.
    package let number: UInt64
    /// What came.
    package let outcome: Outcome

    /// What can come.
    package enum Outcome: Sendable {
        /// A server's message, with the records or saying that there are none; nothing in it has been checked but that
        /// it answers the question.
        case message([UInt8])
        /// No server has answered, or none that would.
        case failed(String)
    }
}

/// Name servers that cannot be used.
package struct NameServerError: Error, Sendable, CustomStringConvertible {
    package let description: String

    /// Says what is wrong with them.
    package init(description: String) {
        self.description = description
    }
}

/// The name servers of the system, or others: takes questions, and has their answers some turns later.
///
/// c-ares sends and repeats the questions, over one UDP socket for each server, takes a truncated answer over TCP, and
/// asks the next server where one fails. All its sockets are behind one descriptor, so that any loop can drive it.
///
///     ask ─▶ … descriptor is readable, or wait is over ─▶ turn ─▶ takeAnswers
///
/// Used by one thread at a time.
// SAFETY: the pointer is set once and freed in deinit only; c-ares calls back within our own calls alone.
@safe package final class NameServers {
    private var resolver: OpaquePointer?
    private var answers: [NameServerAnswer] = []
    private var lastNumber: UInt64 = 0
    /// Questions without an answer.
    package private(set) var pendingCount = 0

    /// Opens what is needed to ask.
    ///
    /// - Parameter servers: Such as `127.0.0.1:5353,[::1]:53`; `nil` for those that resolv.conf(5) names.
    /// - Throws: `NameServerError` when the text is none, or there is no descriptor or memory left.
    package init(_ servers: String?) throws(NameServerError) {
        var status: Int32 = 0
        // SAFETY: the object outlives the resolver, which it frees in deinit; the text lives for the call.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        func make(_ text: UnsafePointer<CChar>?) -> OpaquePointer? {
            unsafe weir_resolver_new(
                text,
                Limits.answerMilliseconds,
                Limits.triesPerServer,
                { unsafe NameServers.take($0, $1, $2, $3, $4) },
                context,
                &status
            )
        }
        if let servers {
            unsafe resolver = servers.withCString { unsafe make($0) }
        } else {
            unsafe resolver = unsafe make(nil)
        }
        if unsafe resolver == nil {
            throw NameServerError(description: Self.message(status))
        }
    }

    deinit {
        // SAFETY: nothing uses the resolver any more, and it calls back no more.
        if let resolver = unsafe resolver { unsafe weir_resolver_free(resolver) }
    }

    /// Readable when there is a turn to take; it stays the same.
    package var descriptor: Int32 {
        // SAFETY: the resolver lives until deinit.
        unsafe resolver.map { unsafe weir_resolver_descriptor($0) } ?? -1
    }

    /// Nanoseconds until a turn is due though nothing has come; `nil` when nothing is under way.
    package var waitNanoseconds: UInt64? {
        if !answers.isEmpty { return 0 }
        // SAFETY: the resolver lives until deinit.
        let milliseconds = unsafe resolver.map { unsafe weir_resolver_wait($0) } ?? -1
        guard milliseconds >= 0 else { return nil }
        return UInt64(milliseconds).multipliedReportingOverflow(by: 1_000_000).partialValue
    }

    /// Asks for the records of a name, as it stands: without the search list.
    ///
    /// - Parameters:
    ///   - name: At most 253 characters of letters, digits, hyphens, underscores and dots.
    ///   - type: Which records.
    /// - Returns: The number that the answer will have.
    package func ask(_ name: String, _ type: QuestionType) -> UInt64 {
        lastNumber += 1
        let number = lastNumber
        pendingCount += 1
        guard Self.isPlain(name) else {
            finish(NameServerAnswer(number: number, outcome: .failed("not a host name")))
            return number
        }
        // SAFETY: c-ares copies the name during the call.
        let status = unsafe name.withCString { text in
            unsafe resolver.map { unsafe weir_resolver_query($0, text, type.rawValue, number) }
        }
        if status != 0 {
            finish(NameServerAnswer(number: number, outcome: .failed("out of memory")))
        }
        return number
    }

    /// Takes what has come, and asks again where nothing has come in time.
    package func turn() {
        // SAFETY: the resolver lives until deinit.
        if let resolver = unsafe resolver { unsafe weir_resolver_turn(resolver) }
    }

    /// The answers that have come since the last call.
    package func takeAnswers() -> [NameServerAnswer] {
        defer { answers = [] }
        return answers
    }

    /// The system's search list: domains to be tried behind a name, and how many dots a name needs to be tried as it
    /// stands first.
    package var search: (domains: [String], dots: Int) {
        // SAFETY: the texts live as long as the resolver, and the index is below the count.
        guard let resolver = unsafe resolver else { return ([], 1) }
        let count = unsafe min(weir_resolver_domain_count(resolver), Limits.searchDomainsMax)
        let domains = (0..<count).compactMap { index in
            unsafe weir_resolver_domain(resolver, index).map { unsafe String(cString: $0) }
        }
        return (domains.filter(Self.isPlain), Int(unsafe weir_resolver_dots(resolver)))
    }

    // MARK: Leaves

    /// c-ares would take a backslash for an escape, and a NUL for the end.
    private static func isPlain(_ name: String) -> Bool {
        (1...Limits.nameBytesMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { octet in
                switch octet {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    private func finish(_ answer: NameServerAnswer) {
        answers.append(answer)
        pendingCount -= 1
    }

    private static func message(_ status: Int32) -> String {
        // SAFETY: the message is a static string.
        unsafe weir_resolver_message(status).map { unsafe String(cString: $0) } ?? "error \(status)"
    }

    /// What c-ares calls with an answer.
    // SAFETY: the context is the object that made the resolver, and lives; c-ares lends `length` octets for the call.
    private static func take(
        _ context: UnsafeMutableRawPointer?,
        _ number: UInt64,
        _ status: Int32,
        _ octets: UnsafePointer<UInt8>?,
        _ length: Int
    ) {
        guard let context = unsafe context else { return }
        let servers = unsafe Unmanaged<NameServers>.fromOpaque(context).takeUnretainedValue()
        let hasAnswer = [
            WEIR_RESOLVER_SUCCESS, WEIR_RESOLVER_NO_DATA, WEIR_RESOLVER_NOT_FOUND,
        ].contains { Int($0) == Int(status) }
        let outcome: NameServerAnswer.Outcome
        if hasAnswer, let octets = unsafe octets {
            outcome = unsafe .message(Array(UnsafeBufferPointer(start: octets, count: length)))
        } else {
            outcome = .failed(message(status))
        }
        servers.finish(NameServerAnswer(number: number, outcome: outcome))
    }
}
