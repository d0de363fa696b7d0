internal import CLinux
internal import Glibc

/// Owns one descriptor of the kernel and closes it when it goes away.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The number, for calls; valid while this value lives.
    package let number: Int32

    /// Takes over `number`, which nobody else may close.
    package init(owning number: Int32) {
        self.number = number
    }

    deinit {
        closeDescriptor(number)
    }

    /// Gives the number up: the caller closes it from now on.
    package consuming func release() -> Int32 {
        let number = self.number
        discard self
        return number
    }
}

/// close(2).
///
/// Linux releases the number even when the call is interrupted, so it is never repeated.
package func closeDescriptor(_ number: Int32) {
    _ = Glibc.close(number)
}

/// Makes reads and writes of `descriptor` return at once.
package func setNonBlocking(_ descriptor: Int32) throws(SystemCallError) {
    try check("fcntl") { weir_set_nonblocking(descriptor) }
}
