internal import AdminMessages
internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOFoundationCompat
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// Calls the admin API of one control plane.
///
/// The only authority that is trusted is the one that the context names: no system roots, so that nobody but
/// the control plane can receive the token.
package struct AdminClient: Sendable {
    /// The context that the client uses.
    package let context: AdminContext

    private let httpClient: HTTPClient
    private let token: String
    private let timeout: Duration

    /// Runs `body` with a client of `context`, whose relative paths `file` resolves, and closes its connections.
    ///
    /// - Throws: `ContextsFile.Fault` if the context's files cannot be used; what `body` throws.
    package static func with<Value>(
        _ context: AdminContext,
        of file: ContextsFile,
        timeout: Duration = Limits.callDuration,
        _ body: (AdminClient) async throws -> Value
    ) async throws -> Value {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try tlsConfiguration(of: context, file: file)
        configuration.timeout.connect = .seconds(Limits.connectSeconds)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        let token = try token(of: context, file: file)
        return try await HTTPClient.withHTTPClient(configuration: configuration) { httpClient in
            try await body(
                AdminClient(
                    context: context,
                    httpClient: httpClient,
                    token: token,
                    timeout: timeout
                )
            )
        }
    }

    private static func tlsConfiguration(
        of context: AdminContext,
        file: ContextsFile
    ) throws -> TLSConfiguration {
        guard context.server.hasPrefix("https://") else {
            throw ContextsFile.Fault(
                "the context '\(context.name)' needs a server of the form https://HOST:PORT"
            )
        }
        let path = file.resolved(context.authority)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(path)
            guard !certificates.isEmpty else {
                throw ContextsFile.Fault("\(path): holds no certificate")
            }
            tls.trustRoots = .certificates(certificates)
        } catch is NIOSSLError {
            throw ContextsFile.Fault("\(path): holds no certificate that can be read")
        } catch let error as IOError {
            throw ContextsFile.Fault("\(path): cannot be read: \(reason(of: error))")
        }
        return tls
    }

    private static func token(of context: AdminContext, file: ContextsFile) throws -> String {
        switch context.token {
        case .text(let text): return try checked(text, "the token of the context '\(context.name)'")
        case .file(let name):
            let path = file.resolved(name)
            guard let octets = FileManager.default.contents(atPath: path) else {
                throw ContextsFile.Fault("\(path): cannot be read")
            }
            let text = String(decoding: octets, as: UTF8.self)
            return try checked(text.trimmingCharacters(in: .whitespacesAndNewlines), path)
        }
    }

    /// A token that can stand in a field; the message does not show it.
    private static func checked(_ token: String, _ place: String) throws -> String {
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ContextsFile.Fault("\(place): not a token: one word of visible ASCII is expected")
        }
        return token
    }
}

// MARK: Calls

extension AdminClient {
    /// Calls `path` (with its query, without `/v1`) and decodes the answer.
    ///
    /// - Throws: `AdminClientError`.
    func call<Value: Decodable & Sendable>(
        _ method: HTTPMethod,
        _ path: String,
        body: (any Encodable & Sendable)? = nil,
        ifMatch: UInt64? = nil,
        as type: Value.Type = Value.self
    ) async throws -> Value {
        let content = try body.map { ByteBuffer(data: try JSONEncoder().encode($0)) }
        let octets = try await call(method, path, content: content, ifMatch: ifMatch)
        do {
            let answer = octets.readableBytes == 0 ? Data("{}".utf8) : Data(buffer: octets)
            return try JSONDecoder().decode(type, from: answer)
        } catch {
            throw unintelligible(path, "\(error)")
        }
    }

    /// Calls `path` with JSON that is encoded already, and returns the answer as it came.
    func call(
        _ method: HTTPMethod,
        _ path: String,
        content: ByteBuffer?,
        ifMatch: UInt64? = nil
    ) async throws -> ByteBuffer {
        var request = HTTPClientRequest(url: context.server + "/v1/" + path)
        request.method = method
        request.headers.add(name: "authorization", value: "Bearer \(token)")
        request.headers.add(name: "accept", value: "application/json")
        if let ifMatch {
            request.headers.add(name: "if-match", value: "\"\(ifMatch)\"")
        }
        if let content {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(content)
        }
        let (response, octets) = try await send(request)
        let status = Int(response.status.code)
        guard (200..<300).contains(status) else {
            throw refusal(status: status, octets: octets)
        }
        return octets
    }

    /// The error for an answer to `path` that this build cannot read.
    func unintelligible(_ path: String, _ reason: String) -> AdminClientError {
        .unintelligible(
            server: context.server,
            reason: "the answer about /v1/\(path) is not of this API: \(reason)"
        )
    }

    private func send(
        _ request: HTTPClientRequest
    ) async throws -> (HTTPClientResponse, ByteBuffer) {
        let seconds = timeout.components.seconds
        do {
            let response = try await httpClient.execute(
                request,
                deadline: .now() + .seconds(seconds)
            )
            return (response, try await response.body.collect(upTo: Limits.answerBytesMax))
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Self.failure(error, server: context.server, seconds: Int(seconds))
        }
    }

    /// What an operator should think of a failure below HTTP.
    private static func failure(_ error: any Error, server: String, seconds: Int)
        -> AdminClientError
    {
        switch error {
        case let error as HTTPClientError
        where error == .connectTimeout || error == .readTimeout || error == .deadlineExceeded:
            return .timedOut(server: server, seconds: seconds)
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return .unreachable(
                server: server,
                reason: "the connection was closed before the answer"
            )
        case is HTTPClientError:
            return .unreachable(server: server, reason: "\(error)")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return .untrusted(server: server, reason: "\(error)")
        case is NIOTooManyBytesError:
            return .unintelligible(
                server: server,
                reason: "the answer is larger than \(Limits.answerBytesMax) octets"
            )
        default:
            return .unreachable(server: server, reason: reason(of: error))
        }
    }

    /// The cause of a connection that failed, without the addresses that the message names anyway.
    private static func reason(of error: any Error) -> String {
        if let error = error as? NIOConnectionError {
            if let first = error.connectionErrors.first {
                return reason(of: first.error)
            }
            return "the name of the server is not known"
        }
        if let error = error as? IOError {
            return String(
                decoding: error.description.utf8.prefix { $0 != UInt8(ascii: "(") },
                as: UTF8.self
            )
            .trimmingCharacters(in: .whitespaces)
        }
        return "\(error)"
    }

    private func refusal(status: Int, octets: ByteBuffer) -> AdminClientError {
        // A refusal by something else than a control plane (a proxy on the way) has no such body.
        let answer = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(buffer: octets))
        guard let answer else {
            return .unintelligible(
                server: context.server,
                reason: "status \(status) without an explanation"
            )
        }
        switch status {
        case 401, 403: return .unauthorised(answer)
        case 412: return .conflict(answer)
        case 422: return .invalid(answer)
        case 500...: return .failed(status: status, answer)
        default: return .refused(status: status, answer)
        }
    }
}
