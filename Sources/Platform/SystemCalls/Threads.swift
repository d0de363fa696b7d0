internal import CLinux
internal import Glibc

/// A thread of the kernel that runs one function.
package final class Thread: Sendable {
    private let handle: pthread_t

    private init(handle: pthread_t) {
        self.handle = handle
    }

    private final class Start {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.body = body
        }
    }

    /// Of threads in the background: about a third of a processor for which another thread waits too.
    private static let backgroundNiceness: Int32 = 5

    /// Starts a thread that runs `body`.
    ///
    /// - Parameters:
    ///   - name: 15 octets are kept.
    ///   - isBackground: Whether it stands back behind other threads for a processor: what serves requests comes
    ///     first.
    ///   - body: Ends the thread with itself.
    /// - Returns: The thread, to wait for.
    /// - Throws: `SystemCallError` when there can be no further thread.
    package static func start(
        name: String,
        isBackground: Bool = false,
        _ body: @escaping @Sendable () -> Void
    ) throws(SystemCallError) -> Thread {
        let niceness: Int32 = isBackground ? backgroundNiceness : 0
        var handle = pthread_t()
        // SAFETY: the retain that is made here is taken over by the new thread, or released below.
        let start = unsafe Unmanaged.passRetained(
            Start(name: name, niceness: niceness, body: body)
        )
        let code = unsafe pthread_create(
            &handle,
            nil,
            { argument in
                if let argument = unsafe argument {
                    let start =
                        unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                    _ = unsafe weir_name_thread(String(start.name.prefix(15)))
                    // Of a thread, on Linux; it works as well, if later, without.
                    if start.niceness > 0 { _ = weir_stand_back(start.niceness) }
                    start.body()
                }
                return nil
            },
            start.toOpaque()
        )
        guard code == 0 else {
            unsafe start.release()
            throw SystemCallError(call: "pthread_create", errno: Errno(rawValue: code))
        }
        return Thread(handle: handle)
    }

    /// Waits for the end of the thread.
    ///
    /// Call it once.
    package func join() {
        _ = pthread_join(handle, nil)
    }
}

/// A number for the calling thread, to assert that a loop's state is touched by that loop alone.
package func currentThreadNumber() -> UInt {
    UInt(pthread_self())
}
