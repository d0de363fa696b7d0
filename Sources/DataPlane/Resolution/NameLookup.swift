internal import DNS
internal import FleetModel
internal import NameResolution

/// One lookup of a name, from its first question to what came of it; without a socket or a clock.
///
///     name, or name.domain … ─▶ questions of the candidate ─▶ all answered ─┬─ records ─▶ found
///          ▲                                                               ├─ no server answers ─▶ failed
///          └────────────────── another candidate is left ──────────────────┴─ nothing there
///
/// Where no server answers for a name, its other candidates are not tried: they would lead somebody who shares the
/// search list with us to another host, as long as the right one's server is down.
struct NameLookup {
    private let wanted: RecordsWanted
    private var candidates: ArraySlice<String>
    private var missing: Set<QuestionType> = []
    private var addresses: [IPAddress] = []
    private var services: [NameAnswer.Service] = []
    private var droppedCount = 0
    private var seconds: UInt32?
    private var unanswered: String?
    private var hasName = false
    private var negativeSeconds: UInt32?

    /// What is to be done next.
    enum Step: Equatable {
        /// These questions are to be asked, each about the same name.
        case ask(String, [QuestionType])
        /// Answers are still to come.
        case wait
        /// The lookup has ended.
        case finished(Result<NameAnswer, LookupFailure>)
    }

    /// Begins a lookup.
    ///
    /// - Parameters:
    ///   - name: A host name in lower case, without a final dot.
    ///   - wanted: What of it.
    ///   - domains: The search list; empty for a name that is looked up as it stands.
    ///   - dots: How many dots a name needs to be tried as it stands first.
    init(_ name: String, _ wanted: RecordsWanted, domains: [String], dots: Int) {
        self.wanted = wanted
        let longer = domains.map { "\(name).\($0)" }.filter { $0.utf8.count <= 253 }
        let dotCount = name.utf8.count { $0 == UInt8(ascii: ".") }
        let list = dotCount >= dots ? [name] + longer : longer + [name]
        candidates = list[...]
    }

    /// What is to be asked first, or about the next candidate.
    mutating func next() -> Step {
        guard let name = candidates.popFirst() else {
            return .finished(
                .failure(
                    hasName
                        ? .noRecords(seconds: negativeSeconds)
                        : .noSuchName(seconds: negativeSeconds)
                )
            )
        }
        let types: [QuestionType] = wanted == .addresses ? [.a, .aaaa] : [.srv]
        missing = Set(types)
        return .ask(name, types)
    }

    /// Takes an answer.
    ///
    /// - Parameters:
    ///   - outcome: What came.
    ///   - type: What was asked.
    /// - Returns: What is to be done now.
    mutating func received(_ outcome: NameServerAnswer.Outcome, _ type: QuestionType) -> Step {
        guard missing.remove(type) != nil else { return .wait }
        switch outcome {
        case .failed(let reason): unanswered = unanswered ?? reason
        case .message(let octets): take(octets, type)
        }
        guard missing.isEmpty else { return .wait }
        guard addresses.isEmpty, services.isEmpty else {
            return .finished(
                .success(
                    NameAnswer(
                        addresses: addresses,
                        services: services,
                        seconds: seconds ?? 0,
                        droppedCount: droppedCount
                    )
                )
            )
        }
        if let unanswered { return .finished(.failure(.unanswered(unanswered))) }
        return next()
    }

    // MARK: Leaves

    private mutating func take(_ octets: [UInt8], _ type: QuestionType) {
        let kind: DNSRecordKind =
            switch type {
            case .a: .a
            case .aaaa: .aaaa
            case .srv: .srv
            }
        let response: DNSResponse
        do throws(DNSError) {
            response = try DNSResponse(octets.span, answering: kind)
        } catch {
            unanswered = unanswered ?? "a name server's answer cannot be read (\(error))"
            return
        }
        guard response.code == 0 || response.code == 3 else {
            unanswered = unanswered ?? "a name server refuses (code \(response.code))"
            return
        }
        let found = response.services.compactMap { service -> NameAnswer.Service? in
            // A target of "." says that there is no such service (RFC 2782).
            guard let host = service.target.hostName, service.port > 0 else { return nil }
            return NameAnswer.Service(
                host: host,
                port: service.port,
                priority: service.priority,
                weight: service.weight
            )
        }
        if response.code == 0 { hasName = true }
        guard !response.addresses.isEmpty || !found.isEmpty else {
            if let held = response.seconds { negativeSeconds = min(negativeSeconds ?? held, held) }
            return
        }
        addresses += response.addresses.map { IPAddress($0) }
        services += found
        droppedCount += response.droppedCount
        let held = response.seconds ?? 0
        seconds = min(seconds ?? held, held)
    }
}
