package import FleetModel

/// How a node is to run.
package struct NodeSettings: Sendable {
    /// Where its versions come from.
    package enum Source: Sendable {
        /// A file that `proxyctl compile` made.
        case snapshot(String)
        /// A control plane.
        case fleet(FleetSettings)
    }

    package let source: Source
    /// Where `/metrics` and the rest are served; port 0 lets the system choose.
    package let admin: HostPort
    /// Threads that serve; at least 1.
    package let workerCount: Int
    /// What it is labelled with; a fleet's node has those of its token too.
    ///
    /// `zone` is the zone of the endpoints that it prefers.
    package let labels: [String: String]
    /// How long exchanges may go on when the node drains.
    package let drainTimeout: Duration
    /// Whether debug events are logged.
    package let showsDebug: Bool
    /// Where a node alone has its certificates; `nil` without any.
    package let certificates: String?
    /// What the process was called with, for the one that replaces it: all but its name and `takeOverOption`.
    package let arguments: [String]
    /// Whether it takes over from the process that runs in the directory.
    package let takesOver: Bool

    /// The option of a process that was started by the one that it is to replace.
    package static let takeOverOption = "--take-over"

    package init(
        source: Source,
        admin: HostPort,
        workerCount: Int,
        drainTimeout: Duration,
        showsDebug: Bool,
        labels: [String: String] = [:],
        certificates: String? = nil,
        arguments: [String] = [],
        takesOver: Bool = false
    ) {
        (self.source, self.admin, self.workerCount) = (source, admin, workerCount)
        (self.drainTimeout, self.showsDebug) = (drainTimeout, showsDebug)
        (self.labels, self.certificates) = (labels, certificates)
        self.arguments = arguments.filter { $0 != Self.takeOverOption }
        self.takesOver = takesOver
    }
}

extension NodeSettings {
    /// The file that keeps what names led to for the next process, beside what was served last.
    var memoryPath: String? {
        guard case .fleet(let fleet) = source else { return nil }
        return "\(fleet.directory)/names"
    }
}

/// How a node finds its control plane, and who it is.
package struct FleetSettings: Sendable {
    /// Where it keeps what it needs for its next start.
    package let directory: String
    /// At least one; tried in turn.
    package let controls: [HostPort]
    /// Needed to join; the file may be missing afterwards.
    package let tokenFile: String?
    /// `nil`: the name that it joined with, or the host's.
    package let name: String?

    package init(
        directory: String,
        controls: [HostPort],
        tokenFile: String?,
        name: String?
    ) {
        precondition(!controls.isEmpty, "no control plane")
        (self.directory, self.controls, self.tokenFile) = (directory, controls, tokenFile)
        self.name = name
    }
}
