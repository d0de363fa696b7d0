internal import CLinux
internal import Glibc

/// A process that this one has started as another child of its own parent.
///
/// So whoever supervises this process supervises that one too, from its first moment on, and not only once this one
/// has ended.
package struct SiblingProcess: ~Copyable {
    /// Its process number.
    package let number: Int32
    private let watch: FileDescriptor

    /// Starts a program with this process's environment, directory, standard streams and limits.
    ///
    /// - Parameters:
    ///   - path: The program's file.
    ///   - arguments: What it is called with; the first one is its name.
    /// - Throws: Why it could not be started. EINVAL: this process is the first one of its PID namespace, which has
    ///   no siblings.
    package init(_ path: String, arguments: [String]) throws(SystemCallError) {
        guard !path.utf8.contains(0) else {
            throw SystemCallError(call: "execv", errno: .invalidArgument)
        }
        // SAFETY: the copies are NUL-terminated and live until they are freed below; the call
        // keeps nothing of the list, which a null pointer ends.
        var list = unsafe arguments.map { unsafe strdup($0) }
        unsafe list.append(nil)
        defer { unsafe list.forEach { unsafe free($0) } }
        var watch: Int32 = -1
        let process = unsafe weir_start_sibling(path, list, &watch)
        guard process > 0 else { throw SystemCallError(call: "execv", errno: .last) }
        number = process
        self.watch = FileDescriptor(owning: watch)
    }

    /// A number to register with a `Poller`: readable once the process has ended.
    package var watchNumber: Int32 { watch.number }

    /// Ends it at once.
    ///
    /// One that has ended already is no error, and no other process is ever hit.
    package borrowing func kill() {
        _ = weir_signal_process(watch.number, SIGKILL)
    }
}

/// readlink(2) of /proc/self/exe: the file that this process runs.
package func programPath() throws(SystemCallError) -> String {
    var text = [CChar](repeating: 0, count: 4096)
    // SAFETY: at most one octet less than the array has is written, so that a NUL stays.
    let count = try check("readlink") { unsafe readlink("/proc/self/exe", &text, text.count - 1) }
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
