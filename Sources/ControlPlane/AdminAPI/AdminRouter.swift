import AdminMessages
import Cryptography
import HTTPTypes
package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore

/// What a request carries through the router.
package struct AdminContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The connection, to end one that is too slow.
    let channel: any Channel
    /// 16 random hexadecimal digits: our own, so that no client can forge lines of the log.
    let requestID: String

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        requestID = encodeHex(randomBytes(8))
    }
}

/// Builds the router of the admin API from its table of endpoints.
package struct AdminRouter: Sendable {
    /// Everything that is served, the description included.
    package let endpoints: [Endpoint]
    private let service: AdminService
    private let gate: AdminGate

    /// Serves `service` to whoever has the token.
    ///
    /// - Parameters:
    ///   - service: Does the work.
    ///   - tokenDigest: SHA-256 of the admin token.
    ///   - logger: Gets a line for every change and every failure.
    package init(_ service: AdminService, tokenDigest: [UInt8], logger: Logger) {
        self.service = service
        let described = service.endpoints
        // The description describes itself too; a placeholder breaks the circle.
        let document = OpenAPIDocument.document(
            of: described + [OpenAPIDocument.endpoint { [] }]
        )
        // A tree of strings and numbers can always be written.
        let octets = (try? encodeJSON(document)) ?? []
        endpoints = described + [OpenAPIDocument.endpoint { octets }]
        gate = AdminGate(
            endpoints: endpoints,
            tokenDigest: tokenDigest,
            requests: service.requests,
            logger: logger
        )
    }

    /// The router, for an application or a test.
    package func router() -> Router<AdminContext> {
        let router = Router(
            context: AdminContext.self,
            options: [.autoGenerateHeadEndpoints]
        )
        router.add(middleware: gate)
        for endpoint in endpoints {
            router.on(RouterPath(endpoint.path), method: endpoint.method) { request, context in
                let admitted = try await Self.admit(request, context, to: endpoint)
                return Self.response(try await endpoint.handler(admitted))
            }
        }
        return router
    }

    // MARK: Requests

    private static func admit(
        _ request: Request,
        _ context: AdminContext,
        to endpoint: Endpoint
    ) async throws -> AdminRequest {
        var path: [String: String] = [:]
        for name in endpoint.pathParameters {
            path[name] = context.parameters.get(name).flatMap(percentDecoded) ?? ""
        }
        let query = try AdminRequest.query(request.uri.query, known: endpoint.query.map(\.name))
        return AdminRequest(
            requestID: context.requestID,
            body: try await body(of: request, context, for: endpoint),
            path: path,
            query: query,
            ifMatch: endpoint.takesIfMatch ? joined(request, .ifMatch) : nil,
            ifNoneMatch: joined(request, .ifNoneMatch)
        )
    }

    private static func joined(_ request: Request, _ name: HTTPField.Name) -> String? {
        let values = request.headers[values: name]
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    /// The whole body, within the endpoint's limits of size and time.
    private static func body(
        of request: Request,
        _ context: AdminContext,
        for endpoint: Endpoint
    ) async throws -> [UInt8] {
        let bytesMax = endpoint.body == nil ? 0 : endpoint.bodyBytesMax
        let refusal =
            endpoint.body == nil
            ? AdminError.badRequest("this endpoint takes no body")
            : AdminError.tooLarge(bytesMax)
        if let declared = request.headers[.contentLength].flatMap(decimal), declared > bytesMax {
            throw refusal
        }
        if endpoint.body != nil, let type = request.headers[.contentType] {
            let essence = type.prefix { $0 != ";" && $0 != " " }.lowercased()
            guard essence == "application/json" else {
                throw AdminError(
                    .unsupportedMediaType,
                    .unsupportedMediaType,
                    "the body must be application/json"
                )
            }
        }
        let channel = context.channel
        let deadline = channel.eventLoop.scheduleTask(in: AdminLimits.bodyTime) {
            channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        do {
            let buffer = try await request.body.collect(upTo: bytesMax)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw refusal
        } catch {
            // The client went away, or was too slow and its connection was closed.
            throw AdminError(.requestTimeout, .timeout, "the body did not arrive")
        }
    }

    // MARK: Answers

    private static func response(_ answer: AdminAnswer) -> Response {
        var response = Response(status: answer.status)
        switch answer.content {
        case .none: break
        case .json(let octets):
            response.headers[.contentType] = "application/json"
            response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: octets))
        case .text(let text, let mediaType):
            response.headers[.contentType] = mediaType
            response.body = ResponseBody(byteBuffer: ByteBuffer(string: text))
        }
        if let version = answer.version { response.headers[.eTag] = "\"\(version)\"" }
        if let location = answer.location { response.headers[.location] = location }
        return response
    }
}

/// Stands before every endpoint: checks the token, turns errors into answers, and writes the log.
struct AdminGate: RouterMiddleware {
    typealias Context = AdminContext

    let endpoints: [Endpoint]
    let tokenDigest: [UInt8]
    let requests: RequestCounters
    let logger: Logger

    func handle(
        _ request: Request,
        context: AdminContext,
        next: (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        var failure: AdminError?
        do {
            try authorise(request)
            response = try await next(request, context)
        } catch {
            let refusal = refusal(for: error, request)
            failure = refusal
            response = Self.response(refusal, requestID: context.requestID)
            endIfUnread(request, context, &response)
        }
        response.headers[Self.requestIDField] = context.requestID
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        requests.count(status: response.status.code)
        log(request, context, response.status.code, failure, start.duration(to: .now))
        return response
    }

    // MARK: Admission

    private func authorise(_ request: Request) throws {
        let path = request.uri.path
        if endpoints.contains(where: { $0.access == .open && $0.matches(path) }) { return }
        let scheme = "bearer "
        let field = request.headers[.authorization] ?? ""
        guard field.lowercased().hasPrefix(scheme) else {
            throw AdminError(
                .unauthorized,
                .unauthorised,
                "the admin token is missing: send it as 'Authorization: Bearer TOKEN'"
            )
        }
        let token = field.dropFirst(scheme.count).drop { $0 == " " }
        // Digests are compared, so that neither time nor length tells anything of the token.
        guard equalInConstantTime(sha256(Array(token.utf8)), tokenDigest) else {
            throw AdminError(.unauthorized, .unauthorised, "the admin token is not the right one")
        }
    }

    /// What is answered for an error; 404 becomes 405 where other methods are served.
    private func refusal(for error: any Error, _ request: Request) -> AdminError {
        guard let error = error as? HTTPError, error.status == .notFound else {
            return AdminError(error)
        }
        let path = request.uri.path
        var methods = Set(endpoints.filter { $0.matches(path) }.map(\.method.rawValue))
        guard !methods.isEmpty else {
            return .notFound("there is nothing at \(shown(path))")
        }
        if methods.contains("GET") { methods.insert("HEAD") }
        var refusal = AdminError(
            .methodNotAllowed,
            .methodNotAllowed,
            "\(shown(Self.logged(path))) takes \(methods.sorted().joined(separator: ", "))"
        )
        refusal.allowed = methods.sorted()
        return refusal
    }

    /// A body that nobody reads must not keep the connection: the answer is sent, then it is closed.
    private func endIfUnread(
        _ request: Request,
        _ context: AdminContext,
        _ response: inout Response
    ) {
        let declared = request.headers[.contentLength].flatMap(decimal) ?? 0
        guard declared > 0 || request.headers[.transferEncoding] != nil else { return }
        let status = response.status
        let leavesBodyUnread =
            status == .unauthorized || status == .notFound || status == .methodNotAllowed
            || status == .contentTooLarge || status == .unsupportedMediaType
        guard leavesBodyUnread else { return }
        response.headers[.connection] = "close"
        let channel = context.channel
        channel.eventLoop.scheduleTask(in: AdminLimits.lingerTime) { channel.close(promise: nil) }
    }

    // MARK: Answers and the log

    private static func response(_ error: AdminError, requestID: String) -> Response {
        let answer = ErrorAnswer(
            code: error.code.rawValue,
            message: error.message,
            requestID: requestID,
            details: error.details
        )
        var response = Response(status: error.status)
        response.headers[.contentType] = "application/json"
        // A message of strings and numbers can always be written.
        response.body = ResponseBody(
            byteBuffer: ByteBuffer(bytes: (try? encodeJSON(answer)) ?? [])
        )
        switch error.status {
        case .unauthorized: response.headers[.wwwAuthenticate] = "Bearer realm=\"weir\""
        case .methodNotAllowed: response.headers[.allow] = error.allowed.joined(separator: ", ")
        case .serviceUnavailable: response.headers[.retryAfter] = "1"
        case .preconditionFailed:
            if let current = error.details?.current, current > 0 {
                response.headers[.eTag] = "\"\(current)\""
            }
        default: break
        }
        return response
    }

    private func log(
        _ request: Request,
        _ context: AdminContext,
        _ status: Int,
        _ failure: AdminError?,
        _ duration: Duration
    ) {
        let isRead = request.method == .get || request.method == .head
        let level: Logger.Level =
            switch status {
            case 401, 503: .warning
            case 500...: .error
            default: isRead ? .debug : .info
            }
        guard logger.logLevel <= level else { return }
        let milliseconds = duration / .milliseconds(1)
        var metadata: Logger.Metadata = [
            "method": "\(request.method.rawValue)",
            "path": "\(Self.logged(request.uri.path))",
            "status": "\(status)",
            "milliseconds": "\(Int(milliseconds.rounded()))",
            "request_id": "\(context.requestID)",
            "client": "\(context.channel.remoteAddress?.ipAddress ?? "-")",
        ]
        if let failure {
            metadata["code"] = "\(failure.code.rawValue)"
            if let detail = failure.logDetail { metadata["error"] = "\(detail)" }
        }
        let event: Logger.Message =
            status == 401 ? "admin.unauthorised" : status >= 500 ? "admin.failed" : "admin.request"
        logger.log(level: level, event, metadata: metadata)
    }

    /// A path without what stands in the place of a token's identity: it may be the token itself by mistake.
    private static func logged(_ path: String) -> String {
        let tokens = "/v1/tokens/"
        return path.hasPrefix(tokens) ? tokens + "{id}" : path
    }

    private static let requestIDField = HTTPField.Name("x-request-id") ?? .contentType
}
