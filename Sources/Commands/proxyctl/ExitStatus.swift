import AdminClient
import AdminMessages
import ArgumentParser
import FleetModel
import Presentation

/// How proxyctl ends: the numbers are documented and scripts rely on them.
enum ExitStatus: Int32 {
    case done = 0
    case failure = 1
    case usage = 2
    case differences = 3
    case conflict = 4
    case rejected = 5
    case timedOut = 6
    case unauthorised = 7
    case unreachable = 8
}

/// The reason to end with something else than 0.
struct Failure: Error {
    let status: ExitStatus
    /// What to print after `error:`; nothing if all was said.
    let message: String?

    /// A failure that is explained by `message`.
    init(_ status: ExitStatus, _ message: String?) {
        (self.status, self.message) = (status, message)
    }

    /// The failure that an error of the libraries is; `nil` for those of the argument parser.
    init?(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as AdminClientError: self.init(error)
        case let problems as ConfigurationProblems: self.init(problems.problems)
        case let fault as ContextsFile.Fault: self.init(.failure, fault.description)
        case is CancellationError: self.init(.failure, "interrupted")
        default: return nil
        }
    }

    private init(_ problems: [Problem]) {
        let lines = ProblemReport(problems).rendered(Output.errorPalette)
        self.init(.failure, "the configuration is not valid\n" + lines.joined(separator: "\n"))
    }

    private init(_ error: AdminClientError) {
        switch error {
        case .unreachable(let server, let reason):
            self.init(.unreachable, "cannot reach \(server): \(reason)")
        case .untrusted(let server, let reason):
            self.init(
                .unreachable,
                "the certificate of \(server) is not of the authority that the context trusts: \(reason)\n"
                    + "If the CA was changed ('proxyctl ca'), copy ca.pem of the control plane's directory to the "
                    + "context's ca file."
            )
        case .timedOut(let server, let seconds):
            self.init(
                .unreachable,
                "no answer from \(server) within \(seconds) s; whether a change took effect is not known, "
                    + "see 'proxyctl versions'"
            )
        case .unauthorised(let answer):
            self.init(.unauthorised, "unauthorised: " + Self.text(of: answer))
        case .conflict(let answer): self.init(.conflict, Self.conflictText(answer))
        case .invalid(let answer): self.init(.failure, Self.problemText(answer))
        case .refused(_, let answer): self.init(.failure, Self.text(of: answer))
        case .failed(let status, let answer):
            self.init(.failure, "the control plane failed (\(status)): " + Self.text(of: answer))
        case .unintelligible(let server, let reason):
            self.init(.failure, "\(server) does not answer as a control plane: \(reason)")
        }
    }

    /// The message, and the request id that finds it in the server's log.
    private static func text(of answer: ErrorAnswer) -> String {
        visible(answer.message) + " (request id \(visible(answer.requestID)))"
    }

    private static func conflictText(_ answer: ErrorAnswer) -> String {
        var lines = [text(of: answer)]
        if let current = answer.details?.current {
            lines.append("the head is now version \(current)")
        }
        if let changes = answer.details?.changes {
            lines.append("what changed meanwhile:")
            lines += ChangeReport(changes).rendered(Output.errorPalette)
        }
        return lines.joined(separator: "\n")
    }

    private static func problemText(_ answer: ErrorAnswer) -> String {
        let problems = (answer.details?.problems ?? []).map { problem in
            Problem(
                kind: ResourceKind(rawValue: problem.kind),
                name: problem.name,
                field: problem.field,
                message: problem.message
            )
        }
        let lines = problems.isEmpty ? [] : ProblemReport(problems).rendered(Output.errorPalette)
        return ([text(of: answer)] + lines).joined(separator: "\n")
    }
}
