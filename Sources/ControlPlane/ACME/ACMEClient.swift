package import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

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
        let body = try await answer.body.collect(upTo: ACMELimits.answerBytesMax)
        return ACMEResponse(
            status: Int(answer.status.code),
            fields: fields,
            body: Array(body.readableBytesView)
        )
    }
}
