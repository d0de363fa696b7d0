internal import SystemCalls

/// What `proxy-node upgrade` asks of the node that runs in a directory; blocks until the answer is there.
package struct UpgradeRequest {
    /// How an upgrade ended without one.
    package enum Failure: Error, Equatable {
        /// No node runs in the directory.
        case notRunning(String)
        /// Another upgrade is under way.
        case busy
        /// The node goes on as before, for this reason.
        case failed(String)
    }

    /// What has become of the node.
    package struct Outcome: Equatable, Sendable {
        package let oldProcess: String
        package let newProcess: String
        /// What the new process was built from.
        package let build: String
        /// How many listeners went over.
        package let listenerCount: Int
        /// The first of them, with their addresses.
        package let listeners: [String]
    }

    private let directory: String
    private let order: UpgradeOrder

    /// Prepares a request.
    ///
    /// - Parameters:
    ///   - directory: The node's.
    ///   - order: What is asked; no arguments: those of the running process.
    package init(directory: String, order: UpgradeOrder) {
        (self.directory, self.order) = (directory, order)
    }

    /// Asks, and waits until the new process serves or the old one goes on.
    ///
    /// - Parameter started: Called with the new process's number when it has been started.
    /// - Returns: What has become of the node.
    /// - Throws: `Failure`; the node goes on as before, unless it has ended.
    package func run(started: (String) -> Void) throws(Failure) -> Outcome {
        let socket = try connect()
        let milliseconds =
            order.timeout.components.seconds * 1000
            + order.timeout.components.attoseconds / 1_000_000_000_000_000
        // The node keeps to the time; this is for one that does not answer at all.
        LocalSocket.setTimeout(socket.number, milliseconds: Int(milliseconds) + 5000)
        let fields = [HandoverMessage.version, order.program, "\(max(milliseconds, 1))"]
        do throws(SystemCallError) {
            try LocalSocket.send(
                socket.number,
                HandoverMessage(.upgrade, fields + order.arguments).octets
            )
        } catch {
            throw .failed("the node cannot be asked: \(error.errno.message)")
        }
        while true {
            let message = try receive(socket.number)
            switch message.word {
            case .started: started(message.fields.first ?? "")
            case .busy: throw .busy
            case .failed: throw .failed(message.fields.first ?? "it does not say why")
            case .done:
                guard message.fields.count >= 4 else { throw .failed("its answer is cut") }
                return Outcome(
                    oldProcess: message.fields[0],
                    newProcess: message.fields[1],
                    build: message.fields[2],
                    listenerCount: Int(message.fields[3]) ?? 0,
                    listeners: message.listeners(from: 4).map { "\($0.name)=\($0.address)" }
                )
            default: break
            }
        }
    }

    private func connect() throws(Failure) -> FileDescriptor {
        do throws(SystemCallError) {
            return try LocalSocket.connect(folder: directory, name: UpgradeDesk.socketName)
        } catch {
            switch error.errno {
            case .noSuchFile, .connectionRefused, .notDirectory:
                throw .notRunning("no node runs in \(directory): start one with 'proxy-node run'")
            case .permissionDenied:
                throw .failed(
                    "the node in \(directory) is another user's: ask as that user or as root"
                )
            default:
                throw .failed("the node in \(directory) cannot be asked: \(error.errno.message)")
            }
        }
    }

    private func receive(_ socket: Int32) throws(Failure) -> HandoverMessage {
        let received: LocalSocket.Received
        do throws(SystemCallError) {
            received = try LocalSocket.receive(socket, octetsMax: Limits.upgradeMessageBytesMax)
        } catch {
            throw .failed("the node's answer cannot be read: \(error.errno.message)")
        }
        switch received {
        case .message(let octets, _):
            guard let message = HandoverMessage(octets: octets) else {
                throw .failed("the running node is of another build: restart it")
            }
            return message
        case .wouldBlock:
            throw .failed("the node does not answer; its log says what it does")
        case .end:
            throw .failed(
                "the node ended during the upgrade; its log says whether the new process serves"
            )
        }
    }
}
