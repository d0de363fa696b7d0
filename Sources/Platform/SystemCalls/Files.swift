internal import CLinux
internal import Glibc

/// What open(2) is asked for.
package enum FileAccess: Sendable {
    case read
    /// Created if missing, and written at its end.
    case append
    /// Created, and cut to nothing if it was there.
    case replace
    /// Opened for reading and writing, and created if missing.
    case update

    var flags: Int32 {
        switch self {
        case .read: O_RDONLY
        case .append: O_WRONLY | O_CREAT | O_APPEND
        case .replace: O_WRONLY | O_CREAT | O_TRUNC
        case .update: O_RDWR | O_CREAT
        }
    }
}

/// open(2), close-on-exec; `mode` is for a file that is created.
package func openFile(
    _ path: String,
    _ access: FileAccess,
    mode: UInt32 = 0o600
) throws(SystemCallError) -> FileDescriptor {
    guard !path.utf8.contains(0) else {
        throw SystemCallError(call: "open", errno: .invalidArgument)
    }
    // SAFETY: the call gets NUL-terminated copies that live as long as it does.
    let number = try check("open") { unsafe weir_open(path, access.flags | O_CLOEXEC, mode) }
    return FileDescriptor(owning: number)
}

/// open(2) of a regular file for reading, close-on-exec.
///
/// Nothing else is waited for, as a FIFO without a writer would be; it fails with EINVAL, a directory with EISDIR.
package func openRegularFile(_ path: String) throws(SystemCallError) -> FileDescriptor {
    guard !path.utf8.contains(0) else {
        throw SystemCallError(call: "open", errno: .invalidArgument)
    }
    // SAFETY: the call gets NUL-terminated copies that live as long as it does.
    let number = try check("open") {
        unsafe weir_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0)
    }
    let file = FileDescriptor(owning: number)
    var status = stat()
    // SAFETY: fstat fills the structure it is given and keeps no pointer to it.
    try check("fstat") { unsafe fstat(file.number, &status) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return file
    case S_IFDIR: throw SystemCallError(call: "open", errno: .isDirectory)
    default: throw SystemCallError(call: "open", errno: .invalidArgument)
    }
}

/// Reads a whole file of at most `octetsMax` octets; a longer one fails with EFBIG.
package func readFile(_ path: String, octetsMax: Int) throws(SystemCallError) -> [UInt8] {
    let file = try openFile(path, .read)
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        var span = chunk.mutableSpan
        switch SystemCalls.read(file.number, into: &span) {
        case .count(0):
            return content
        case .count(let count):
            guard content.count <= octetsMax - count else {
                throw SystemCallError(call: "read", errno: .fileTooLarge)
            }
            content.append(contentsOf: chunk[..<count])
        case .wouldBlock:
            throw SystemCallError(call: "read", errno: .wouldBlock)
        case .failed(let errno):
            throw SystemCallError(call: "read", errno: errno)
        }
    }
}

/// Writes all of `content` at the file's position.
package func writeAll(_ descriptor: Int32, _ content: Span<UInt8>) throws(SystemCallError) {
    var done = 0
    while done < content.count {
        let rest = content.extracting(done..<content.count)
        switch SystemCalls.write(descriptor, rest) {
        case .count(let count): done += count
        case .wouldBlock: throw SystemCallError(call: "write", errno: .wouldBlock)
        case .failed(let errno): throw SystemCallError(call: "write", errno: errno)
        }
    }
}

/// Replaces the file at `path` so that after a crash it holds the old content or the new, whole.
///
/// Writes a temporary name beside it, fsync(2), rename(2), and fsync(2) of the directory.
///
/// - Parameters:
///   - path: The file.
///   - content: All of its octets.
///   - mode: For a file that is created.
///   - previous: A path in the same directory under which the old file, if there is one, stays; it replaces
///     what is there.
/// - Throws: What failed; both files are then as they were.
package func replaceFile(
    _ path: String,
    with content: Span<UInt8>,
    mode: UInt32 = 0o600,
    keepingOldAs previous: String? = nil
) throws(SystemCallError) {
    let temporary = path + ".new"
    do throws(SystemCallError) {
        let file = try openFile(temporary, .replace, mode: mode)
        try writeAll(file.number, content)
        try check("fsync") { fsync(file.number) }
        // A link first, so that there is a file at `path` at every moment.
        if let previous, fileExists(path) {
            try removeFile(previous + ".new")
            // SAFETY: the call gets NUL-terminated copies that live as long as it does.
            try check("link") { unsafe link(path, previous + ".new") }
            try renameFile(previous + ".new", to: previous)
        }
        try renameFile(temporary, to: path)
    } catch {
        // SAFETY: the call gets NUL-terminated copies that live as long as it does.
        _ = unsafe unlink(temporary)
        throw error
    }
    try syncDirectory(containing: path)
}

/// rename(2).
package func renameFile(_ path: String, to target: String) throws(SystemCallError) {
    // SAFETY: the call gets NUL-terminated copies that live as long as it does.
    try check("rename") { unsafe rename(path, target) }
}

/// fsync(2) of the directory that holds `path`, so that a rename in it is durable.
package func syncDirectory(containing path: String) throws(SystemCallError) {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let directory = try openFile(folder.isEmpty ? "/" : folder, .read)
    try check("fsync") { fsync(directory.number) }
}

/// unlink(2); a file that is not there is no error.
package func removeFile(_ path: String) throws(SystemCallError) {
    do throws(SystemCallError) {
        // SAFETY: the call gets NUL-terminated copies that live as long as it does.
        try check("unlink") { unsafe unlink(path) }
    } catch  where error.errno == .noSuchFile {
        return
    }
}

/// mkdir(2); a directory that is there already is no error.
package func makeDirectory(_ path: String, mode: UInt32 = 0o700) throws(SystemCallError) {
    do throws(SystemCallError) {
        // SAFETY: the call gets NUL-terminated copies that live as long as it does.
        try check("mkdir") { unsafe mkdir(path, mode) }
    } catch  where error.errno == .fileExists {
        return
    }
}

/// rmdir(2).
package func removeDirectory(_ path: String) throws(SystemCallError) {
    // SAFETY: the call gets NUL-terminated copies that live as long as it does.
    try check("rmdir") { unsafe rmdir(path) }
}

/// realpath(3): the path from the root, without links; what it names must be there.
package func absolutePath(_ path: String) throws(SystemCallError) -> String {
    // SAFETY: the call gets a NUL-terminated copy that lives as long as it does, and allocates what it returns.
    guard let found = unsafe realpath(path, nil) else {
        throw SystemCallError(call: "realpath", errno: .last)
    }
    defer { unsafe free(found) }
    return unsafe String(cString: found)
}

/// access(2) with F_OK.
package func fileExists(_ path: String) -> Bool {
    // SAFETY: the call gets NUL-terminated copies that live as long as it does.
    unsafe access(path, F_OK) == 0
}

/// stat(2): the permission bits of a file, such as 0o600.
package func filePermissions(_ path: String) throws(SystemCallError) -> UInt32 {
    var status = stat()
    // SAFETY: the call gets a NUL-terminated copy and a structure that live as long as it does.
    try check("stat") { unsafe stat(path, &status) }
    return status.st_mode & 0o7777
}

/// What tells whether a file has changed since it was read.
package struct FileStamp: Hashable, Sendable {
    private let modified: Int64
    private let size: Int64
    private let inode: UInt64

    /// stat(2); `nil` for a file that is not there.
    package init?(_ path: String) {
        var stamp = weir_file_stamp()
        // SAFETY: the call gets a NUL-terminated copy and a structure that live as long as it does.
        guard unsafe weir_file_stamp(path, &stamp) == 0 else { return nil }
        (modified, size, inode) = (stamp.modified, stamp.size, stamp.inode)
    }
}

/// Gives a lock of flock(2) back, even if a process that was forked in this moment still holds the descriptor.
package func unlockFile(_ descriptor: Int32) {
    flock(descriptor, LOCK_UN)
}

/// flock(2), exclusive and at once: whether the lock is ours now.
///
/// It ends with the descriptor.
package func lockFile(_ descriptor: Int32) throws(SystemCallError) -> Bool {
    do throws(SystemCallError) {
        try check("flock") { flock(descriptor, LOCK_EX | LOCK_NB) }
        return true
    } catch  where error.errno == .wouldBlock {
        return false
    }
}
