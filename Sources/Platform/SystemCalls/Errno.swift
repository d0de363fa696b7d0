internal import CLinux
internal import Glibc

/// An error number of Linux, as a call left it in `errno`.
package struct Errno: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32

    /// Wraps the number `rawValue`.
    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// What the last call of this thread left.
    static var last: Errno { Errno(rawValue: errno) }

    package static let wouldBlock = Errno(rawValue: EAGAIN)
    package static let interrupted = Errno(rawValue: EINTR)
    package static let inProgress = Errno(rawValue: EINPROGRESS)
    package static let brokenPipe = Errno(rawValue: EPIPE)
    package static let connectionReset = Errno(rawValue: ECONNRESET)
    package static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    package static let connectionAborted = Errno(rawValue: ECONNABORTED)
    package static let timedOut = Errno(rawValue: ETIMEDOUT)
    package static let hostUnreachable = Errno(rawValue: EHOSTUNREACH)
    package static let networkUnreachable = Errno(rawValue: ENETUNREACH)
    package static let addressInUse = Errno(rawValue: EADDRINUSE)
    package static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
    package static let permissionDenied = Errno(rawValue: EACCES)
    package static let notPermitted = Errno(rawValue: EPERM)
    package static let tooManyOpenFiles = Errno(rawValue: EMFILE)
    package static let tooManyOpenFilesInSystem = Errno(rawValue: ENFILE)
    package static let noBufferSpace = Errno(rawValue: ENOBUFS)
    package static let noMemory = Errno(rawValue: ENOMEM)
    package static let noSuchFile = Errno(rawValue: ENOENT)
    package static let fileExists = Errno(rawValue: EEXIST)
    package static let noSpace = Errno(rawValue: ENOSPC)
    package static let quotaExceeded = Errno(rawValue: EDQUOT)
    package static let readOnlyFileSystem = Errno(rawValue: EROFS)
    package static let notDirectory = Errno(rawValue: ENOTDIR)
    package static let isDirectory = Errno(rawValue: EISDIR)
    package static let notSocket = Errno(rawValue: ENOTSOCK)
    package static let invalidArgument = Errno(rawValue: EINVAL)
    package static let fileTooLarge = Errno(rawValue: EFBIG)
    package static let nameTooLong = Errno(rawValue: ENAMETOOLONG)

    /// The system's sentence for this number ("Address already in use").
    package var message: String {
        // SAFETY: the string is static, or NULL for a number that Linux does not know.
        guard let text = unsafe weir_error_message(rawValue) else { return "error \(rawValue)" }
        return unsafe String(cString: text)
    }

    /// The symbolic name ("EADDRINUSE"), as logs show it.
    package var name: String {
        // SAFETY: the string is static, or NULL for a number that Linux does not know.
        guard let name = unsafe weir_error_name(rawValue) else { return "E\(rawValue)" }
        return unsafe String(cString: name)
    }
}

/// A system call that failed: which, and why.
package struct SystemCallError: Error, Sendable, CustomStringConvertible {
    package let call: StaticString
    package let errno: Errno

    /// Describes the failure of `call`.
    package init(call: StaticString, errno: Errno) {
        self.call = call
        self.errno = errno
    }

    /// For people: `bind: Address already in use (EADDRINUSE)`.
    package var description: String { "\(call): \(errno.message) (\(errno.name))" }
}

/// Runs `body` until it does not fail with EINTR, and throws what else it fails with.
///
/// - Throws: `SystemCallError` with the name `call` when `body` returns a negative number.
@discardableResult
func check<Value: SignedInteger>(
    _ call: StaticString,
    _ body: () -> Value
) throws(SystemCallError) -> Value {
    while true {
        let value = body()
        if value >= 0 { return value }
        let failure = Errno.last
        if failure == .interrupted { continue }
        throw SystemCallError(call: call, errno: failure)
    }
}
