import Certificates
import Cryptography
import Foundation
import Testing

@testable import ACME

/// A server of RFC 8555 in memory, as far as an order goes; it checks every signature's place and nonce.
private final class Server {
    static let base = "https://acme.test"

    var nonces: Set<String> = []
    var nonceCount = 0
    var refusedNonces = 0
    /// How often each URL was posted to.
    var counts: [String: Int] = [:]
    var orderStatus = "pending"
    var authorizationStatus: [String: String] = [:]
    /// How many looks a server takes after the challenges, and after finalize.
    var pollsLeft = 0
    var outcome = "valid"
    var kinds = ["http-01", "tls-alpn-01", "dns-01"]
    var failures: [String: ACMEResponse] = [:]
    let hosts: [String]

    init(hosts: [String]) {
        self.hosts = hosts
        for host in hosts { authorizationStatus[host] = "pending" }
    }

    func answer(_ request: ACMERequest) throws -> ACMEResponse {
        let path = String(request.url.dropFirst(Self.base.count))
        counts[path, default: 0] += 1
        if let failure = failures.removeValue(forKey: path) { return failure }
        switch request.method {
        case .get: return respond(path == "/dir" ? 200 : 404, directory)
        case .head: return respond(200, "")
        case .post: break
        }
        let (head, payload) = try decode(request)
        #expect(head["url"] as? String == request.url)
        #expect(head["alg"] as? String == "ES256")
        #expect((head["jwk"] == nil) == (path != "/account"))
        guard let nonce = head["nonce"] as? String, nonces.remove(nonce) != nil, refusedNonces == 0
        else {
            refusedNonces = max(0, refusedNonces - 1)
            return problem(400, "badNonce", "again")
        }
        switch path {
        case "/account": return respond(201, "{}", ["location": "\(Self.base)/account/1"])
        case "/order": return respond(201, order, ["location": "\(Self.base)/order/1"])
        case "/order/1":
            if pollsLeft > 0 { pollsLeft -= 1 } else { advance() }
            return respond(200, order)
        case "/finalize":
            #expect(payload.contains("csr"))
            orderStatus = "processing"
            return respond(200, order, ["retry-after": "3"])
        case "/certificate": return respond(200, "-----BEGIN CERTIFICATE-----")
        default: return try challenge(path)
        }
    }

    private func challenge(_ path: String) throws -> ACMEResponse {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 2, parts[0] != "order" else {
            return problem(404, "malformed", "no such thing")
        }
        if parts[0] == "authorization" { return respond(200, authorization(parts[1])) }
        authorizationStatus[parts[1]] = outcome
        return respond(200, "{}")
    }

    private func advance() {
        let statuses = Set(authorizationStatus.values)
        switch orderStatus {
        case "pending" where statuses.contains("invalid"): orderStatus = "invalid"
        case "pending" where statuses == ["valid"]: orderStatus = "ready"
        case "processing": orderStatus = "valid"
        default: break
        }
    }

    private var directory: String {
        """
        {"newNonce": "\(Self.base)/nonce", "newAccount": "\(Self.base)/account",
         "newOrder": "\(Self.base)/order", "meta": {"termsOfService": "x"}}
        """
    }

    private var order: String {
        let authorizations = hosts.map { "\"\(Self.base)/authorization/\($0)\"" }
        return """
            {"status": "\(orderStatus)", "authorizations": [\(authorizations.joined(separator: ","))],
             "finalize": "\(Self.base)/finalize", "certificate": "\(Self.base)/certificate"}
            """
    }

    private func authorization(_ host: String) -> String {
        let status = authorizationStatus[host] ?? "pending"
        let challenges = kinds.map { kind in
            """
            {"type": "\(kind)", "url": "\(Self.base)/challenge/\(host)", "token": "token-\(kind)-\(host.count)",
             "status": "\(status)", "error": {"type": "urn:x:unauthorized", "detail": "wrong file"}}
            """
        }
        return """
            {"identifier": {"type": "dns", "value": "\(host)"}, "status": "\(status)",
             "challenges": [\(challenges.joined(separator: ","))]}
            """
    }

    private func respond(
        _ status: Int,
        _ body: String,
        _ fields: [String: String] = [:]
    ) -> ACMEResponse {
        nonceCount += 1
        nonces.insert("nonce-\(nonceCount)")
        return ACMEResponse(
            status: status,
            fields: fields.merging(["replay-nonce": "nonce-\(nonceCount)"]) { one, _ in one },
            body: Array(body.utf8)
        )
    }

    func problem(_ status: Int, _ type: String, _ detail: String) -> ACMEResponse {
        respond(
            status,
            #"{"type": "urn:ietf:params:acme:error:\#(type)", "detail": "\#(detail)"}"#,
            ["content-type": "application/problem+json"]
        )
    }

    private func decode(_ request: ACMERequest) throws -> (head: [String: Any], payload: String) {
        let body = try #require(
            try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: String]
        )
        let head = try #require(decodeBase64URL(body["protected"] ?? ""))
        let object = try JSONSerialization.jsonObject(with: Data(head)) as? [String: Any]
        let payload = decodeBase64URL(body["payload"] ?? "") ?? []
        #expect(decodeBase64URL(body["signature"] ?? "")?.count == 64)
        return (object ?? [:], String(decoding: payload, as: UTF8.self))
    }
}

/// What came of running an order.
private struct Run {
    var remembered: [ACMEProgress] = []
    var presented: [[ACMEChallenge]] = []
    var waits: [Int64] = []
    var chain: [UInt8]?
    var failure: ACMEError?
    var isLasting: Bool?
}

@Suite("Orders of ACME")
struct OrderTests {
    private let key = ACMEAccountKey()

    private func settings(
        _ hosts: [String],
        _ kind: ACMEChallenge.Kind = .http
    ) -> ACMEOrder.Settings {
        .init(
            directory: "\(Server.base)/dir",
            hosts: hosts,
            challenge: kind,
            contact: "ops@example.com",
            key: key,
            certificateRequest: [0x30, 0]
        )
    }

    /// Runs an order; `stopsAfter` so many requests, as a control plane does that is killed.
    private func run(
        _ server: Server,
        _ progress: ACMEProgress = ACMEProgress(),
        kind: ACMEChallenge.Kind = .http,
        stopsAfter: Int = .max
    ) throws -> Run {
        var run = Run()
        var order = ACMEOrder(settings(server.hosts, kind), progress: progress)
        var actions = order.begin()
        var count = 0
        while !actions.isEmpty {
            var next: [ACMEOrder.Action] = []
            for action in actions {
                switch action {
                case .send(let request):
                    count += 1
                    if count > stopsAfter { return run }
                    next = order.received(try server.answer(request))
                case .remember(let progress): run.remembered.append(progress)
                case .present(let challenges):
                    run.presented.append(challenges)
                    next = order.presented()
                case .wait(let seconds):
                    run.waits.append(seconds)
                    next = order.waited()
                case .finished(let chain): run.chain = chain
                case .failed(let error, let isLasting):
                    (run.failure, run.isLasting) = (error, isLasting)
                }
            }
            actions = next
        }
        let isOver = order.isOver
        #expect(isOver)
        return run
    }

    @Test(
        "an order goes from the directory to the chain, and shows each host's challenge before it is asked for"
    )
    func succeeds() throws {
        let server = Server(hosts: ["a.example", "bb.example"])
        let run = try run(server)
        #expect(run.chain == Array("-----BEGIN CERTIFICATE-----".utf8))
        #expect(run.presented.count == 1)
        let challenges = try #require(run.presented.first)
        #expect(challenges.map(\.host) == ["a.example", "bb.example"])
        #expect(challenges.map(\.token) == ["token-http-01-9", "token-http-01-10"])
        #expect(challenges[0].authorization == "token-http-01-9.\(key.thumbprint)")
        #expect(run.remembered.last?.account == "\(Server.base)/account/1")
        #expect(run.remembered.last?.order == "\(Server.base)/order/1")
        #expect(run.waits == [3])
        #expect(server.counts["/order"] == 1 && server.counts["/account"] == 1)
    }

    @Test("a control plane that is killed after any request goes on with the same order")
    func survives() throws {
        for stop in 1...20 {
            let server = Server(hosts: ["a.example"])
            server.pollsLeft = 1
            let first = try run(server, stopsAfter: stop)
            let second = try run(server, first.remembered.last ?? ACMEProgress())
            #expect(
                first.chain != nil || second.chain != nil,
                "\(stop): \(String(describing: second.failure))"
            )
            // The answer to newOrder may be lost with the process, and nothing else.
            #expect(server.counts["/order"] ?? 0 <= (first.remembered.last?.order == nil ? 2 : 1))
        }
    }

    @Test("a refused nonce is replaced by the answer's, not for ever")
    func nonces() throws {
        let server = Server(hosts: ["a.example"])
        server.refusedNonces = 2
        #expect(try run(server).chain != nil)
        let stubborn = Server(hosts: ["a.example"])
        stubborn.refusedNonces = 100
        let failed = try run(stubborn)
        #expect(failed.failure == .nonceRefused && failed.isLasting == false)
    }

    @Test("what has gone wrong with a host is said, and the next order is another one")
    func unproved() throws {
        let server = Server(hosts: ["a.example", "bb.example"])
        server.outcome = "invalid"
        let run = try run(server)
        #expect(
            run.failure
                == .hostUnproved(
                    host: "a.example",
                    type: "urn:x:unauthorized",
                    detail: "wrong file"
                )
        )
        #expect(run.isLasting == true)
        #expect(run.remembered.last?.order == nil && run.remembered.last?.account != nil)
    }

    @Test("an authority without the wanted challenge, in haste, or failing")
    func refusals() throws {
        let other = Server(hosts: ["a.example"])
        other.kinds = ["dns-01"]
        #expect(
            try run(other, kind: .tlsALPN).failure
                == .challengeMissing(host: "a.example", kind: "tls-alpn-01")
        )
        let limited = Server(hosts: ["a.example"])
        limited.failures["/order"] = ACMEResponse(
            status: 429,
            fields: [
                "content-type": "application/problem+json", "retry-after": "120",
            ],
            body: Array(
                #"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "slow"}"#.utf8
            )
        )
        let run = try run(limited)
        #expect(run.failure == .rateLimited(detail: "slow", retryAfterSeconds: 120))
        #expect(run.isLasting == false)
        let broken = Server(hosts: ["a.example"])
        broken.failures["/dir"] = ACMEResponse(status: 502, fields: [:], body: [])
        #expect(try self.run(broken).failure == .serverFailed(status: 502))
        broken.failures["/dir"] = ACMEResponse(
            status: 503,
            fields: ["retry-after": "7200"],
            body: []
        )
        #expect(try self.run(broken).failure?.retryAfterSeconds == 7_200)
        let slow = Server(hosts: ["a.example"])
        slow.pollsLeft = 1_000
        #expect(try self.run(slow).failure == .tooSlow)
    }

    @Test("an order and an account that the server has forgotten are made anew")
    func forgotten() throws {
        let server = Server(hosts: ["a.example"])
        var progress = ACMEProgress()
        (progress.account, progress.order) = ("\(Server.base)/account/1", "\(Server.base)/order/0")
        #expect(try run(server, progress).chain != nil)
        let wiped = Server(hosts: ["a.example"])
        wiped.failures["/order/1"] = wiped.problem(400, "accountDoesNotExist", "who?")
        progress.order = "\(Server.base)/order/1"
        #expect(try run(wiped, progress).chain != nil)
        #expect(wiped.counts["/account"] == 1)
    }

    @Test("no answer can make it trap, or go where it is not safe")
    func hostile() throws {
        let bodies = [
            "", "{", "[]", "null", #"{"status": 1}"#, String(repeating: "[", count: 50_000),
            #"{"newNonce": "http://x/", "newAccount": "ftp://x", "newOrder": ""}"#,
        ]
        for body in bodies {
            for path in [
                "/dir", "/account", "/order", "/order/1", "/authorization/a.example", "/finalize",
            ] {
                let server = Server(hosts: ["a.example"])
                server.failures[path] = ACMEResponse(
                    status: 200,
                    fields: ["replay-nonce": "\"\\ \u{7}", "location": "http://x/"],
                    body: Array(body.utf8)
                )
                let run = try run(server)
                #expect(run.failure != nil || run.chain != nil, "\(path) \(body.prefix(20))")
            }
        }
    }
}

@Suite("Renewal and challenges of ACME")
struct RenewalTests {
    @Test("RFC 7638 §3.1 form: the thumbprint is of the key's required members in their order")
    func thumbprints() throws {
        let key = ACMEAccountKey()
        let back = try ACMEAccountKey(der: key.der)
        #expect(back.thumbprint == key.thumbprint && key.thumbprint.utf8.count == 43)
        #expect(!"\(key)".contains(encodeBase64(key.der.withOctets { $0 }).prefix(20)))
    }

    @Test("a request is for the hosts and signed by its key, and never the same twice")
    func requests() throws {
        let (key, request) = try ACMECertificates.request(hosts: ["a.example", "b.example"])
        let other = try ACMECertificates.request(hosts: ["a.example", "b.example"])
        #expect(key != other.key)
        let text = String(decoding: request, as: UTF8.self)
        #expect(text.contains("a.example") && text.contains("b.example"))
    }

    @Test(
        "RFC 8737 §3: the certificate of a challenge is for its host and has the digest of the authorization"
    )
    func challengeCertificates() throws {
        let challenge = ACMEChallenge(
            kind: .tlsALPN,
            host: "a.example",
            token: "t",
            authorization: "t.thumb",
            url: ""
        )
        let material = try ACMECertificates.answer(challenge, atSeconds: 1_800_000_000)
        #expect(material.facts.names.dnsNames == ["a.example"])
        let mark = [0x04, 0x20] + sha256(Array("t.thumb".utf8))
        let der = material.chain[0]
        #expect(der.indices.contains { der[$0...].starts(with: mark) })
    }

    @Test("renewal is at two thirds of life, spread out, or within the authority's window")
    func due() throws {
        let day: Int64 = 86_400
        let names = (0..<50).map { "certificate-\($0)" }
        let dues = names.map { name in
            ACMERenewal(name: name, notBeforeSeconds: 0, notAfterSeconds: 90 * day).dueSeconds(nil)
        }
        #expect(dues.allSatisfy { (60 * day...63 * day).contains($0) })
        #expect(Set(dues).count > 40)
        let window = try #require(ACMERenewal.Window(startSeconds: 100, endSeconds: 200))
        for name in names {
            let plan = ACMERenewal(name: name, notBeforeSeconds: 0, notAfterSeconds: 90 * day)
            #expect((100...200).contains(plan.dueSeconds(window)))
        }
        let extreme = try #require(ACMERenewal.Window(startSeconds: .min, endSeconds: .max))
        let plan = ACMERenewal(name: "x", notBeforeSeconds: .min / 4, notAfterSeconds: .max / 4)
        _ = (plan.dueSeconds(extreme), plan.dueSeconds(nil))
        #expect(ACMERenewal.Window(startSeconds: 2, endSeconds: 1) == nil)
    }

    @Test("RFC 9773 §4.2: the window is read with and without fractions of seconds")
    func windows() throws {
        func window(_ start: String, _ end: String) throws -> ACMERenewal.Window {
            try .init(
                ACMEResponse(
                    status: 200,
                    fields: [:],
                    body: Array(
                        #"{"suggestedWindow": {"start": "\#(start)", "end": "\#(end)"}}"#.utf8
                    )
                )
            )
        }
        let found = try window("2026-01-02T04:00:00Z", "2026-01-03T04:00:00.5Z")
        #expect(found.endSeconds - found.startSeconds == 86_400)
        #expect(throws: ACMEError.self) {
            try window("2026-01-03T04:00:00Z", "2026-01-02T04:00:00Z")
        }
        #expect(throws: ACMEError.self) { try window("soon", "later") }
    }

    @Test("failures are tried again ever later, never before the authority wants it")
    func retries() {
        let plan = ACMERenewal(name: "x", notBeforeSeconds: 0, notAfterSeconds: 1)
        let waits = (1...30).map { plan.retrySeconds(failures: $0, askedSeconds: nil) }
        #expect(waits[0] >= 900 && zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(waits.allSatisfy { $0 <= 86_400 * 5 / 4 })
        #expect(plan.retrySeconds(failures: 1, askedSeconds: 50_000) == 50_000)
        #expect(plan.retrySeconds(failures: 1, askedSeconds: .max) == 7 * 86_400)
        #expect(plan.retrySeconds(failures: .max, askedSeconds: nil) > 0)
    }

    @Test("Retry-After is seconds or a moment")
    func waits() {
        let now = Date(timeIntervalSince1970: 1_445_412_400)
        for (value, seconds) in [
            ("120", 120), ("0", 0), ("-5", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 80),
            ("Wed, 21 Oct 2015 07:26:00 GMT", 0), ("soon", nil), ("", nil),
        ] as [(String, Int64?)] {
            #expect(ACMEClient.waitSeconds(value, now: now) == seconds, "\(value)")
        }
    }
}
