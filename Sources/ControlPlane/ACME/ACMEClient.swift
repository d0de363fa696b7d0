package import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// Carries an order's requests to the authority's server.
package struct ACMEClient: Sendable {
    private let http: HTTPClient

    /// Uses a client whose TLS settings say whom to trust: the system's authorities, or a bundle.
    package init(_ http: HTTPClient) {
        self.http = http
    }

    /// Runs an order to its end.
    ///
    /// - Parameters:
    ///   - order: One that has not begun.
    ///   - remember: Stores what is needed to go on after a restart; the order goes on when it returns.
    ///   - present: Has every node answer the challenges; the server is told to look when it returns.
    /// - Returns: The chain in PEM.
    /// - Throws: `ACMEError`, and what `remember` and `present` throw.
    package func run(
        _ order: consuming ACMEOrder,
        remember: (ACMEProgress) async throws -> Void,
        present: ([ACMEChallenge]) async throws -> Void
    ) async throws -> [UInt8] {
        var actions = order.begin()
        while !actions.isEmpty {
            var next: [ACMEOrder.Action] = []
            for action in actions {
                switch action {
                case .send(let request):
                    do {
                        next = order.received(try await send(request))
                    } catch {
                        next = order.failed("\(error)")
                    }
                case .remember(let progress): try await remember(progress)
                case .present(let challenges):
                    try await present(challenges)
                    next = order.presented()
                case .wait(let seconds):
                    try await Task.sleep(for: .seconds(seconds))
                    next = order.waited()
                case .finished(let chain): return chain
                case .failed(let error, _): throw error
                }
            }
            actions = next
        }
        throw ACMEError.answerMalformed("order")
    }

    /// When the authority suggests to renew a certificate (RFC 9773 §4).
    ///
    /// - Parameters:
    ///   - identifier: As `ACMECertificates.renewalIdentifier` names it.
    ///   - directory: URL of the authority's directory.
    /// - Returns: The window, and in how many seconds to ask again; `nil` where the authority suggests nothing.
    /// - Throws: `ACMEError`, and what the client throws.
    package func renewalWindow(
        of identifier: String,
        directory: String
    ) async throws -> (window: ACMERenewal.Window, againSeconds: Int64?)? {
        let known = try await send(ACMERequest(method: .get, url: directory, body: []))
        guard known.status == 200 else { throw ACMEError.serverFailed(status: known.status) }
        let document: ACMEDocument.Directory = try ACMEDocument.read(known, as: "directory")
        guard let base = document.renewalInfo else { return nil }
        guard base.hasPrefix("https://"), base.utf8.count <= 2_048 else {
            throw ACMEError.urlInsecure(base)
        }
        let url = (base.hasSuffix("/") ? base : base + "/") + identifier
        let answer = try await send(ACMERequest(method: .get, url: url, body: []))
        guard answer.status == 200 else { throw ACMEError.serverFailed(status: answer.status) }
        return (
            try ACMERenewal.Window(answer), answer.fields["retry-after"].flatMap { Int64($0) }
        )
    }

    /// Lends a client that trusts these authorities.
    ///
    /// - Parameters:
    ///   - authorities: Certificates in PEM; empty for the system's authorities.
    ///   - body: Runs with the client, which is shut down afterwards.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, and `libraryFailed` where the authorities cannot be read.
    package static func withClient<Result: Sendable>(
        trusting authorities: [UInt8],
        _ body: @Sendable (ACMEClient) async throws -> Result
    ) async throws -> Result {
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        if !authorities.isEmpty {
            guard let certificates = try? NIOSSLCertificate.fromPEMBytes(authorities) else {
                throw ACMEError.libraryFailed("the directory's authorities cannot be read")
            }
            tls.trustRoots = .certificates(certificates)
        }
        configuration.tlsConfiguration = tls
        // Requests are signed for their URLs, and answers elsewhere are not the authority's.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        return try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            try await body(ACMEClient(http))
        }
    }

    /// Makes one request.
    ///
    /// - Throws: What the client throws.
    package func send(_ request: ACMERequest) async throws -> ACMEResponse {
        var message = HTTPClientRequest(url: request.url)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        message.headers.add(name: "user-agent", value: "weir")
        if request.method == .post {
            message.headers.add(name: "content-type", value: "application/jose+json")
            message.body = .bytes(ByteBuffer(bytes: request.body))
        }
        let answer = try await http.execute(
            message,
            timeout: .seconds(ACMELimits.requestSeconds)
        )
        var fields: [String: String] = [:]
        for field in answer.headers { fields[field.name.lowercased()] = field.value }
        fields["retry-after"] = fields["retry-after"].flatMap {
            Self.waitSeconds($0, now: Date()).map { String($0) }
        }
        let body = try await answer.body.collect(upTo: ACMELimits.answerBytesMax)
        return ACMEResponse(
            status: Int(answer.status.code),
            fields: fields,
            body: Array(body.readableBytesView)
        )
    }

    /// What Retry-After asks for, seconds or a moment (RFC 9110 §10.2.3), in seconds; nil if it is neither.
    static func waitSeconds(_ value: String, now: Date) -> Int64? {
        if let seconds = Int64(value) { return max(0, seconds) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        guard let moment = format.date(from: value) else { return nil }
        return Int64(max(0, moment.timeIntervalSince(now).rounded(.up)))
    }
}
