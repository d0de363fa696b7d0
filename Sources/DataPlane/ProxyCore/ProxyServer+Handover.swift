package import EventLoop
package import SystemCalls

/// How listeners go from one process to another.
///
///     old process                                   new process
///     duplicateListeners ─── descriptors ─────────▶ inherit, activate: nothing is accepted
///     holdListeners      ─── "go" ────────────────▶ openInherited: accepts
///     releaseListeners   ◀── "serving" ────────────
///
/// Both have the same sockets with the same queues, so what comes in between waits, and none is refused or reset.
/// All methods may be called from any thread; completions come on the activator's.
extension ProxyServer {
    /// Another descriptor of every listening socket, or why there is none.
    package typealias DuplicatedListeners = Result<[ListenerSockets], SystemCallError>

    /// Makes another descriptor of every listening socket, for another process.
    ///
    /// - Parameter completion: Gets them, or why there are none: descriptors have run out.
    package func duplicateListeners(
        completion: @escaping @Sendable (Handover<DuplicatedListeners>) -> Void
    ) {
        let activator = activator
        control.post { activator.value.duplicateListeners { completion(Handover($0)) } }
    }

    /// Accepts nothing: what comes waits in the sockets' queues.
    ///
    /// - Parameter completion: Called when no worker accepts any more.
    package func holdListeners(completion: @escaping @Sendable () -> Void) {
        let activator = activator
        control.post { activator.value.holdListeners(true, completion: completion) }
    }

    /// Accepts again after `holdListeners`.
    package func resumeListeners() {
        let activator = activator
        control.post { activator.value.holdListeners(false) {} }
    }

    /// Leaves the listeners to another process, and lets exchanges end.
    ///
    /// - Parameters:
    ///   - names: Those that the other process serves; others are closed as by `drain`.
    ///   - completion: Called when no connection is left, however long that takes.
    package func releaseListeners(
        _ names: Set<String>,
        completion: @escaping @Sendable () -> Void
    ) {
        let activator = activator
        control.post { activator.value.releaseListeners(names, completion: completion) }
    }

    /// Takes listeners that another process hands over; the next version uses them in place of new ones.
    ///
    /// Call it before the first `activate`. Listeners of that version accept nothing before `openInherited`.
    package func inherit(_ listeners: [ListenerSockets]) {
        let (activator, message) = (activator, Handover(listeners))
        control.post { activator.value.inherit(message.value) }
    }

    /// Accepts on what was inherited.
    ///
    /// - Parameter completion: Called when every worker accepts.
    package func openInherited(completion: @escaping @Sendable () -> Void) {
        let activator = activator
        control.post { activator.value.openInherited(completion: completion) }
    }
}
