package import AdminMessages
import Authority
import ControlStore
import FleetServer
package import HTTPTypes

/// Why a request is refused, or failed.
package struct AdminError: Error, Sendable {
    /// A stable word for programs.
    package enum Code: String, Sendable, CaseIterable {
        case unauthorised
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        /// The body is not JSON.
        case badJSON = "bad_json"
        /// A field of the body, a parameter or a header field is missing, unknown or wrong.
        case badRequest = "bad_request"
        case timeout
        case tooLarge = "too_large"
        case unsupportedMediaType = "unsupported_media_type"
        /// The head is not the version that the change was based on.
        case conflict
        /// The configuration is wrong; `details.problems` says where.
        case invalidConfiguration = "invalid_configuration"
        /// A certificate, its key or a bundle of authorities is wrong; `details.problems` says where.
        case invalidCertificate = "invalid_certificate"
        case nodeRevoked = "node_revoked"
        /// The head's configuration names the secret.
        case secretInUse = "secret_in_use"
        /// There is no room for another adjustment of an endpoint.
        case adjustmentsFull = "adjustments_full"
        /// The CA cannot be retired: none follows it, or nodes would be cut off.
        case authorityNeeded = "authority_needed"
        case busy
        case storeFull = "store_full"
        case internalError = "internal"
    }

    /// The status of the answer.
    package let status: HTTPResponse.Status
    /// The stable word.
    package let code: Code
    /// One sentence for people.
    package let message: String
    /// What some refusals add.
    package var details: ErrorDetails?
    /// Methods that the resource has, with 405.
    var allowed: [String] = []
    /// What goes to the log and not to the client.
    var logDetail: String?

    init(
        _ status: HTTPResponse.Status,
        _ code: Code,
        _ message: String,
        details: ErrorDetails? = nil
    ) {
        (self.status, self.code, self.message) = (status, code, message)
        self.details = details
    }

    static func notFound(_ message: String) -> AdminError {
        AdminError(.notFound, .notFound, message)
    }

    static func badRequest(_ message: String) -> AdminError {
        AdminError(.badRequest, .badRequest, message)
    }

    static func tooLarge(_ bytesMax: Int) -> AdminError {
        AdminError(.contentTooLarge, .tooLarge, "the body is longer than \(bytesMax) octets")
    }

    /// A failure whose reason is for the log only.
    static func failure(_ detail: String) -> AdminError {
        var error = AdminError(
            .internalServerError,
            .internalError,
            "the control plane failed; its log has the reason under the request id"
        )
        error.logDetail = detail
        return error
    }
}

// MARK: - What the parts below throw

extension AdminError {
    /// What an error of the store, the authority or the fleet means for the request.
    init(_ error: any Error) {
        switch error {
        case let error as AdminError: self = error
        case let error as StoreError: self.init(store: error)
        case let error as AuthorityError: self.init(authority: error)
        case let error as FleetCommandError: self.init(fleet: error)
        case is CancellationError:
            self.init(.serviceUnavailable, .busy, "the control plane is stopping")
        default: self = .failure("\(error)")
        }
    }

    private init(store error: StoreError) {
        switch error {
        case .versionUnknown, .nodeUnknown, .tokenUnknown, .secretUnknown, .upstreamUnknown,
            .endpointUnknown:
            self = .notFound(error.description)
        case .adjustmentsFull: self.init(.conflict, .adjustmentsFull, error.description)
        case .nodeRevoked: self.init(.conflict, .nodeRevoked, error.description)
        case .storeFull: self.init(.insufficientStorage, .storeFull, error.description)
        case .busy, .cancelled: self.init(.serviceUnavailable, .busy, error.description)
        default: self = .failure(error.description)
        }
    }

    private init(authority error: AuthorityError) {
        switch error {
        case .store(let error): self.init(store: error)
        case .rotationMissing: self.init(.conflict, .authorityNeeded, error.description)
        case .tokenLifetimeInvalid, .labelsInvalid: self = .badRequest(error.description)
        default: self = .failure(error.description)
        }
    }

    private init(fleet error: FleetCommandError) {
        switch error {
        case .nodeUnknown(let name): self = .notFound("there is no node \(name)")
        case .nodeRevoked(let name):
            self.init(.conflict, .nodeRevoked, "the node \(name) was revoked")
        case .versionUnknown(let number): self = .notFound("there is no version \(number)")
        case .storeFailed(let detail): self = .failure(detail)
        }
    }
}

extension HTTPResponse.Status {
    /// 507 (RFC 4918 §11.5).
    static let insufficientStorage = HTTPResponse.Status(
        code: 507,
        reasonPhrase: "Insufficient Storage"
    )
}
