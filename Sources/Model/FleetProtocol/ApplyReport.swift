package import FleetMessages
package import FleetModel

/// How far a version has come on a node.
package struct ApplyReport: Sendable, Equatable {
    /// A step of applying, or its failure.
    package enum Outcome: Sendable, Equatable {
        case received
        case prepared
        case active
        /// Serving, and stored as last good; or the reason why it could not be stored.
        case confirmed(lastGoodProblem: String?)
        /// It was never served.
        case rejected(Cause, [Problem])
        /// It was served and taken back.
        case reverted(Cause, [Problem])
    }

    /// Whether trying the same content again could help.
    package enum Cause: Sendable, Equatable {
        /// It could not: the digest is quarantined.
        case content
        /// It could: a port, a permission, a disk.
        ///
        /// The node tries again by itself.
        case environment
    }

    /// The version reported on.
    package let subject: Holding
    package let outcome: Outcome
    /// What the node serves now.
    package let active: Holding?

    package init(subject: Holding, outcome: Outcome, active: Holding?) {
        (self.subject, self.outcome, self.active) = (subject, outcome, active)
    }

    /// Reads a message that has been checked.
    ///
    /// - Throws: `fieldInvalid` if the state, the cause or the digest is none.
    package init(_ message: WireApplyStatus) throws(FleetProtocolError) {
        guard let digest = Digest(octets: octets(message.digest)) else {
            throw .fieldInvalid(.applyStatus, field: "digest")
        }
        subject = Holding(epoch: message.epoch, version: message.version, digest: digest)
        active = Holding(message.active)
        let problems = message.problems.map(Problem.init)
        let cause: Cause = message.cause == .environment ? .environment : .content
        switch message.state {
        case .received: outcome = .received
        case .prepared: outcome = .prepared
        case .active: outcome = .active
        case .confirmed:
            let problem = message.lastGoodProblem
            outcome = .confirmed(lastGoodProblem: problem.isEmpty ? nil : problem)
        case .rejected: outcome = .rejected(cause, problems)
        case .reverted: outcome = .reverted(cause, problems)
        case .unspecified, .UNRECOGNIZED: throw .fieldInvalid(.applyStatus, field: "state")
        }
    }

    /// The message that says so, with lists and texts cut to the limits.
    package var message: WireApplyStatus {
        var message = WireApplyStatus()
        message.epoch = subject.epoch
        message.version = subject.version
        message.digest = wireOctets(subject.digest.octets)
        if let active { message.active = active.message }
        switch outcome {
        case .received: message.state = .received
        case .prepared: message.state = .prepared
        case .active: message.state = .active
        case .confirmed(let problem):
            message.state = .confirmed
            message.lastGoodProblem = cut(problem ?? "")
        case .rejected(let cause, let problems):
            message.state = .rejected
            message.set(cause, problems)
        case .reverted(let cause, let problems):
            message.state = .reverted
            message.set(cause, problems)
        }
        return message
    }
}

extension WireApplyStatus {
    fileprivate mutating func set(_ cause: ApplyReport.Cause, _ problems: [Problem]) {
        self.cause = cause == .content ? .content : .environment
        self.problems = problems.prefix(Limits.problemCountMax).map(\.wire)
    }
}

extension Problem {
    /// Reads a problem; a kind that this build does not know becomes part of the field's path.
    init(_ message: WireResourceProblem) {
        let kind = ResourceKind(rawValue: message.kind)
        let prefix = kind == nil && !message.kind.isEmpty ? "\(message.kind)." : ""
        self.init(
            kind: kind,
            name: message.name,
            field: prefix + message.field,
            message: message.message
        )
    }

    /// The message that says so, with texts cut to the limit.
    var wire: WireResourceProblem {
        var message = WireResourceProblem()
        message.kind = kind?.rawValue ?? ""
        message.name = cut(name)
        message.field = cut(field)
        message.message = cut(self.message)
        return message
    }
}

/// The text's beginning, at most `Limits.problemTextBytesMax` octets of it, ending at a character.
package func cut(_ text: String, to bytesMax: Int = Limits.problemTextBytesMax) -> String {
    guard text.utf8.count > bytesMax else { return text }
    var beginning = ""
    var bytes = 0
    for scalar in text.unicodeScalars {
        bytes += UTF8.width(scalar)
        if bytes > bytesMax { break }
        beginning.unicodeScalars.append(scalar)
    }
    return beginning
}
