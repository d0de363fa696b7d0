import Cryptography
import Foundation

/// One order from the directory to the certificate (RFC 8555 §7.1.6).
///
///     directory ─▶ account ─▶ order ─pending─▶ authorizations ─▶ present ─▶ respond ─▶ look again ─┐
///                               ▲                                                                  │
///                               └──────────────────────────────────────────────────────────────────┘
///                             ready ─▶ finalize ─▶ processing ─▶ valid ─▶ download ─▶ finished
///
/// A state machine without I/O and without a clock. What it asks to be remembered is enough to go on after a restart:
/// the state of an order is the server's, and is looked at first.
package struct ACMEOrder: ~Copyable {
    /// What is ordered, and by whom.
    package struct Settings: Sendable {
        package let directory: String
        package let hosts: [String]
        package let challenge: ACMEChallenge.Kind
        package let contact: String?
        package let key: ACMEAccountKey
        package let binding: ACMEBinding?
        /// PKCS #10 in DER for the same hosts.
        package let certificateRequest: [UInt8]
        /// RFC 9773 §5: the certificate that it replaces, as `ACMERenewal.identifier` names it.
        package let replaces: String?

        /// Joins its parts.
        package init(
            directory: String,
            hosts: [String],
            challenge: ACMEChallenge.Kind,
            contact: String?,
            key: ACMEAccountKey,
            binding: ACMEBinding? = nil,
            certificateRequest: [UInt8],
            replaces: String? = nil
        ) {
            (self.directory, self.hosts, self.challenge) = (directory, hosts, challenge)
            (self.contact, self.key, self.binding) = (contact, key, binding)
            (self.certificateRequest, self.replaces) = (certificateRequest, replaces)
        }
    }

    /// What the caller is to do.
    package enum Action: Sendable, Equatable {
        /// Make it, and call `received` or `failed`.
        case send(ACMERequest)
        /// Store it durably before anything else.
        case remember(ACMEProgress)
        /// Have every node answer these, then call `presented`.
        case present([ACMEChallenge])
        /// Call `waited` after so many seconds.
        case wait(seconds: Int64)
        /// The chain in PEM; the order is done and its challenges can be taken back.
        case finished(chain: [UInt8])
        /// It came to nothing; `isLasting`: trying the same again soon has no use.
        case failed(ACMEError, isLasting: Bool)
    }

    /// What is under way.
    private enum Step {
        case directory
        case account
        case newOrder
        case order
        case authorization(rest: [String], found: [ACMEChallenge])
        case respond(rest: [ACMEChallenge])
        /// An order that came to nothing: looks for the host that was not proved.
        case reason(rest: [String], detail: String)
        case finalize
        case download
    }

    private enum State {
        case idle
        /// A nonce is fetched for the step.
        case fetchingNonce(Step, url: String, payload: String)
        case sent(Step, url: String, payload: String)
        case presenting([ACMEChallenge])
        case waiting
        case over
    }

    private let settings: Settings
    private var progress: ACMEProgress
    private var state = State.idle
    private var directory: ACMEDocument.Directory?
    private var nonce: String?
    private var finalizeURL = ""
    private var nonceRepeats = 0
    private var polls = 0
    private var hasResponded = false

    /// An order that begins, or goes on where it was.
    ///
    /// - Parameters:
    ///   - settings: What is ordered.
    ///   - progress: What was remembered.
    package init(_ settings: Settings, progress: ACMEProgress) {
        (self.settings, self.progress) = (settings, progress)
    }

    /// Whether nothing more comes of it.
    package var isOver: Bool {
        if case .over = state { true } else { false }
    }

    // MARK: Events

    /// Begins.
    package mutating func begin() -> [Action] {
        guard case .idle = state else { return [] }
        return attempt { order throws(ACMEError) in
            let url = try Self.secure(order.settings.directory)
            order.state = .sent(.directory, url: url, payload: "")
            return [.send(ACMERequest(method: .get, url: url, body: []))]
        }
    }

    /// An answer came.
    package mutating func received(_ response: ACMEResponse) -> [Action] {
        if let fresh = response.fields["replay-nonce"], Self.isToken(fresh) { nonce = fresh }
        let current = state
        return attempt { order throws(ACMEError) in
            switch current {
            case .fetchingNonce(let step, let url, let payload):
                guard order.nonce != nil else {
                    throw .fieldMissing("Replay-Nonce", of: "answer to newNonce")
                }
                return try order.post(step, to: url, payload)
            case .sent(let step, let url, let payload):
                if try order.wasNonceRefused(response) {
                    return try order.post(step, to: url, payload)
                }
                return try order.received(response, of: step)
            case .idle, .presenting, .waiting, .over: return []
            }
        }
    }

    /// There was no answer.
    package mutating func failed(_ reason: String) -> [Action] {
        guard !isOver else { return [] }
        return end(.unreachable(reason))
    }

    /// Every node answers the challenges.
    package mutating func presented() -> [Action] {
        guard case .presenting(let challenges) = state else { return [] }
        return attempt { order throws(ACMEError) in try order.respond(challenges) }
    }

    /// The time has passed.
    package mutating func waited() -> [Action] {
        guard case .waiting = state else { return [] }
        return attempt { order throws(ACMEError) in try order.look() }
    }

    // MARK: Requests

    private mutating func post(
        _ step: Step,
        to url: String,
        _ payload: String
    ) throws(ACMEError) -> [Action] {
        let url = try Self.secure(url)
        guard let directory else { throw .answerMalformed("directory") }
        guard let once = nonce.take() else {
            state = .fetchingNonce(step, url: url, payload: payload)
            let source = try Self.secure(directory.newNonce)
            return [.send(ACMERequest(method: .head, url: source, body: []))]
        }
        state = .sent(step, url: url, payload: payload)
        var account = progress.account
        if case .account = step { account = nil }
        let body = try settings.key.sign(
            Array(payload.utf8),
            url: url,
            nonce: once,
            account: account
        )
        return [.send(ACMERequest(method: .post, url: url, body: body))]
    }

    /// Whether the same is to be sent again, with the nonce of the answer (RFC 8555 §6.5).
    private mutating func wasNonceRefused(_ response: ACMEResponse) throws(ACMEError) -> Bool {
        guard response.status == 400, Self.problem(response).type?.hasSuffix(":badNonce") == true
        else {
            nonceRepeats = 0
            return false
        }
        nonceRepeats += 1
        guard nonceRepeats <= ACMELimits.nonceRepeatsMax else { throw .nonceRefused }
        return true
    }

    // MARK: Answers

    private mutating func received(
        _ response: ACMEResponse,
        of step: Step
    ) throws(ACMEError) -> [Action] {
        if case .order = step, response.status == 404 || response.status == 403 {
            // The order of before a restart is gone: another one is made.
            progress.order = nil
            return [.remember(progress)] + (try placeOrder())
        }
        if case .account = step {
        } else if Self.problem(response).type?.hasSuffix(":accountDoesNotExist") == true {
            progress = ACMEProgress()
            return [.remember(progress)] + (try register())
        }
        try Self.check(response)
        switch step {
        case .directory:
            let found: ACMEDocument.Directory = try ACMEDocument.read(response, as: "directory")
            directory = found
            return progress.account == nil ? try register() : try goOn()
        case .account:
            progress.account = try Self.location(response, of: "account")
            return [.remember(progress)] + (try goOn())
        case .newOrder:
            progress.order = try Self.location(response, of: "order")
            let order: ACMEDocument.Order = try ACMEDocument.read(response, as: "order")
            return [.remember(progress)] + (try follow(order, response))
        case .order, .finalize:
            return try follow(try ACMEDocument.read(response, as: "order"), response)
        case .authorization(let rest, let found):
            return try collect(response, rest, found)
        case .respond(let rest):
            return try respond(rest)
        case .reason(let rest, let detail):
            return try explain(response, rest, detail)
        case .download:
            state = .over
            return [.finished(chain: response.body)]
        }
    }

    private mutating func register() throws(ACMEError) -> [Action] {
        guard let url = directory?.newAccount else { throw .answerMalformed("directory") }
        var payload = #"{"termsOfServiceAgreed":true"#
        if let contact = settings.contact {
            payload += #","contact":[\#(JSONText.string("mailto:\(contact)"))]"#
        }
        if let binding = settings.binding {
            payload += #","externalAccountBinding":\#(settings.key.bind(binding, url: url))"#
        }
        return try post(.account, to: url, payload + "}")
    }

    private mutating func goOn() throws(ACMEError) -> [Action] {
        progress.order == nil ? try placeOrder() : try look()
    }

    private mutating func placeOrder() throws(ACMEError) -> [Action] {
        guard let directory else { throw .answerMalformed("directory") }
        let names = settings.hosts.map { #"{"type":"dns","value":\#(JSONText.string($0))}"# }
        var payload = #"{"identifiers":[\#(names.joined(separator: ","))]"#
        if let replaces = settings.replaces, directory.renewalInfo != nil {
            payload += #","replaces":\#(JSONText.string(replaces))"#
        }
        return try post(.newOrder, to: directory.newOrder, payload + "}")
    }

    /// Looks at the order.
    private mutating func look() throws(ACMEError) -> [Action] {
        guard let url = progress.order else { return try placeOrder() }
        return try post(.order, to: url, "")
    }

    /// Goes on by what the server says of the order.
    private mutating func follow(
        _ order: ACMEDocument.Order,
        _ response: ACMEResponse
    ) throws(ACMEError) -> [Action] {
        finalizeURL = order.finalize
        switch order.status {
        case "pending" where hasResponded: return try wait(response)
        case "pending": return try authorize(order.authorizations, [])
        case "ready":
            let request = encodeBase64URL(settings.certificateRequest)
            return try post(.finalize, to: finalizeURL, #"{"csr":"\#(request)"}"#)
        case "processing": return try wait(response)
        case "valid":
            guard let url = order.certificate else {
                throw .fieldMissing("certificate", of: "order")
            }
            return try post(.download, to: url, "")
        case "invalid":
            // Another one is made the next time.
            progress.order = nil
            let detail = order.error?.detail ?? "the server does not say why"
            let next = try reason(order.authorizations, detail)
            return [.remember(progress)] + next
        default: throw .answerMalformed("order")
        }
    }

    private mutating func wait(_ response: ACMEResponse) throws(ACMEError) -> [Action] {
        polls += 1
        guard polls <= ACMELimits.pollsMax else { throw .tooSlow }
        state = .waiting
        let asked = response.fields["retry-after"].flatMap { Int64($0) } ?? min(Int64(polls), 10)
        let seconds = min(max(asked, ACMELimits.pollSecondsMin), ACMELimits.pollSecondsMax)
        return [.wait(seconds: seconds)]
    }

    // MARK: Challenges

    private mutating func authorize(
        _ urls: [String],
        _ found: [ACMEChallenge]
    ) throws(ACMEError) -> [Action] {
        guard let next = urls.first else {
            hasResponded = true
            guard !found.isEmpty else { return try look() }
            state = .presenting(found)
            return [.present(found)]
        }
        guard urls.count <= ACMELimits.hostsMax else { throw .answerMalformed("order") }
        return try post(
            .authorization(rest: Array(urls.dropFirst()), found: found),
            to: next,
            ""
        )
    }

    private mutating func collect(
        _ response: ACMEResponse,
        _ rest: [String],
        _ found: [ACMEChallenge]
    ) throws(ACMEError) -> [Action] {
        let authorization: ACMEDocument.Authorization = try ACMEDocument.read(
            response,
            as: "authorization"
        )
        let host = authorization.identifier.value
        switch authorization.status {
        case "valid": return try authorize(rest, found)
        case "pending": break
        default: throw Self.unproved(host, authorization)
        }
        let offered = authorization.challenges.first { $0.type == settings.challenge.rawValue }
        guard let offered, let token = offered.token else {
            throw .challengeMissing(host: host, kind: settings.challenge.rawValue)
        }
        guard Self.isToken(token) else { throw .answerMalformed("challenge") }
        // One that the server is looking at already is shown all the same, and not asked for again.
        let challenge = ACMEChallenge(
            kind: settings.challenge,
            host: host,
            token: token,
            authorization: settings.key.authorization(of: token),
            url: offered.status == "pending" || offered.status == nil ? offered.url : ""
        )
        return try authorize(rest, found + [challenge])
    }

    private mutating func respond(_ challenges: [ACMEChallenge]) throws(ACMEError) -> [Action] {
        let open = challenges.drop { $0.url.isEmpty }
        guard let next = open.first else { return try look() }
        return try post(.respond(rest: Array(open.dropFirst())), to: next.url, "{}")
    }

    /// Looks for the host that was not proved, to be able to say it.
    private mutating func reason(
        _ urls: [String],
        _ detail: String
    ) throws(ACMEError) -> [Action] {
        guard let next = urls.first else { throw .orderInvalid(detail: detail) }
        return try post(.reason(rest: Array(urls.dropFirst()), detail: detail), to: next, "")
    }

    private mutating func explain(
        _ response: ACMEResponse,
        _ rest: [String],
        _ detail: String
    ) throws(ACMEError) -> [Action] {
        let authorization: ACMEDocument.Authorization = try ACMEDocument.read(
            response,
            as: "authorization"
        )
        guard authorization.status == "invalid" else { return try reason(rest, detail) }
        throw Self.unproved(authorization.identifier.value, authorization)
    }

    private static func unproved(
        _ host: String,
        _ authorization: ACMEDocument.Authorization
    ) -> ACMEError {
        let problem = authorization.challenges.lazy.compactMap(\.error).first
        return .hostUnproved(
            host: host,
            type: problem?.type ?? "",
            detail: problem?.detail ?? "it is \(authorization.status)"
        )
    }

    // MARK: Ends

    private mutating func attempt(
        _ body: (inout ACMEOrder) throws(ACMEError) -> [Action]
    ) -> [Action] {
        do throws(ACMEError) {
            return try body(&self)
        } catch {
            return end(error)
        }
    }

    private mutating func end(_ error: ACMEError) -> [Action] {
        state = .over
        let isLasting =
            switch error {
            case .unreachable, .serverFailed, .rateLimited, .tooSlow, .nonceRefused: false
            default: true
            }
        return [.failed(error, isLasting: isLasting)]
    }

    private static func problem(_ response: ACMEResponse) -> ACMEDocument.Problem {
        let isProblem = response.fields["content-type"]?.hasPrefix("application/problem+json")
        guard isProblem == true,
            let problem = try? JSONDecoder().decode(
                ACMEDocument.Problem.self,
                from: Data(response.body)
            )
        else { return ACMEDocument.Problem(type: nil, detail: nil) }  // Its status has to do.
        return problem
    }

    private static func check(_ response: ACMEResponse) throws(ACMEError) {
        if (200...299).contains(response.status) { return }
        let problem = problem(response)
        let detail = problem.detail ?? ""
        let asked = response.fields["retry-after"].flatMap { Int64($0) }
        if response.status == 429 || problem.type?.hasSuffix(":rateLimited") == true {
            throw .rateLimited(detail: detail, retryAfterSeconds: asked)
        }
        guard response.status < 500 else {
            throw .serverFailed(status: response.status, retryAfterSeconds: asked)
        }
        throw .refused(type: problem.type ?? "", detail: detail, status: response.status)
    }

    private static func location(
        _ response: ACMEResponse,
        of what: String
    ) throws(ACMEError) -> String {
        guard let url = response.fields["location"] else {
            throw .fieldMissing("Location", of: what)
        }
        return try secure(url)
    }

    private static func secure(_ url: String) throws(ACMEError) -> String {
        guard url.hasPrefix("https://"), url.utf8.count <= 2048 else { throw .urlInsecure(url) }
        return url
    }

    /// Characters of base64url: what nonces and tokens are made of (RFC 8555 §6.5.1, §8.3).
    private static func isToken(_ text: String) -> Bool {
        let allowed = text.utf8.allSatisfy { octet in
            switch octet {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return allowed && !text.isEmpty && text.utf8.count <= ACMELimits.tokenBytesMax
    }
}
