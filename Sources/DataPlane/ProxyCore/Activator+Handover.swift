internal import EventLoop
internal import FleetModel
internal import SystemCalls

/// The activator's part in handing listeners over, and in being handed them.
extension Activator {
    // MARK: Giving

    /// Collects another descriptor of every listening socket.
    ///
    /// - Parameter completion: Called on this loop.
    func duplicateListeners(
        completion: @escaping (Result<[ListenerSockets], SystemCallError>) -> Void
    ) {
        let listeners = bound.map { name, listener in
            ListenerSockets(
                name: name,
                configured: listener.configured.description,
                actual: listener.actual,
                sockets: DescriptorBundle()
            )
        }
        var failure: SystemCallError?
        askWorkers({ worker -> Result<[String: DescriptorBundle], SystemCallError> in
            do throws(SystemCallError) {
                return .success(try worker.duplicateSockets())
            } catch {
                return .failure(error)
            }
        }) { answer in
            switch answer {
            case .success(let sockets):
                for listener in listeners {
                    if let more = sockets[listener.name] { listener.sockets.add(more) }
                }
            case .failure(let error): failure = error
            }
        } completion: {
            completion(failure.map(Result.failure) ?? .success(listeners))
        }
    }

    /// Has every worker accept nothing, or accept again.
    ///
    /// - Parameters:
    ///   - isHeld: Whether what comes is to wait in the queues.
    ///   - completion: Called on this loop when all have done so.
    func holdListeners(_ isHeld: Bool, completion: @escaping () -> Void) {
        askWorkers({ isHeld ? $0.holdPorts() : $0.resumePorts() }) { _ in
        } completion: {
            completion()
        }
    }

    /// Leaves listeners to another process, and ends connections.
    ///
    /// - Parameters:
    ///   - names: Those that the other process serves; others are closed as in a drain.
    ///   - completion: Called on this loop when no connection is left.
    func releaseListeners(_ names: Set<String>, completion: @escaping () -> Void) {
        endConnections({ $0.releasePorts(names, $1) }, completion: completion)
    }

    // MARK: Taking

    /// Keeps what was handed over for the first version that has such listeners; nothing is accepted before
    /// `openInherited`.
    func inherit(_ listeners: [ListenerSockets]) {
        inherited = Dictionary(listeners.map { ($0.name, $0) }) { first, _ in first }
        for worker in workers {
            let message = Handover(worker)
            worker.loop.mailbox.post { message.value.holdsNewPorts = true }
        }
    }

    /// What was handed over for a listener, if it is the same one.
    func takeInherited(_ listener: Listener) -> ListenerSockets? {
        guard let handed = inherited[listener.name],
            handed.configured == listener.address.description
        else { return nil }
        inherited[listener.name] = nil
        return handed
    }

    /// Begins to accept on every worker.
    ///
    /// - Parameter completion: Called on this loop when all have begun.
    func openInherited(completion: @escaping () -> Void) {
        inherited = [:]
        askWorkers({ $0.openHeldPorts() }) { _ in
        } completion: {
            completion()
        }
    }

    // MARK: Workers

    /// Runs `question` on every worker's loop.
    ///
    /// - Parameters:
    ///   - question: Runs there.
    ///   - answered: Gets each answer, on this loop.
    ///   - completion: Called on this loop after the last answer.
    private func askWorkers<Answer>(
        _ question: @escaping (Worker) -> Answer,
        answered: @escaping (Answer) -> Void,
        completion: @escaping () -> Void
    ) {
        var waiting = workers.count
        let done = Handover { (answer: Answer) in
            answered(answer)
            waiting -= 1
            if waiting == 0 { completion() }
        }
        let (mailbox, asked) = (loop.mailbox, Handover(question))
        for worker in workers {
            let message = Handover(worker)
            worker.loop.mailbox.post {
                let answer = Handover(asked.value(message.value))
                mailbox.post { done.value(answer.value) }
            }
        }
    }
}
