internal import CLinux
internal import Glibc

/// Descriptors that nobody has taken over yet, and that are closed if nobody does.
///
/// Confined to one thread at a time.
package final class DescriptorBundle {
    private var numbers: [Int32]

    /// Takes over `numbers`, which nobody else may close.
    package init(owning numbers: [Int32] = []) {
        self.numbers = numbers
    }

    deinit {
        for number in numbers { closeDescriptor(number) }
    }

    package var count: Int { numbers.count }

    /// The numbers, for calls; valid while the bundle has them.
    package var lent: [Int32] { numbers }

    /// Takes over one more.
    package func add(_ descriptor: consuming FileDescriptor) {
        numbers.append(descriptor.release())
    }

    /// Takes over all of another bundle.
    package func add(_ other: DescriptorBundle) {
        numbers += other.take()
    }

    /// Gives all numbers up: the caller closes them from now on.
    package func take() -> [Int32] {
        defer { numbers = [] }
        return numbers
    }

    /// Gives one descriptor up, or `nil` when none is left.
    package func takeFirst() -> FileDescriptor? {
        guard !numbers.isEmpty else { return nil }
        return FileDescriptor(owning: numbers.removeFirst())
    }
}

/// A socket of this machine for messages that carry descriptors: SOCK_SEQPACKET of unix(7).
package enum LocalSocket {
    /// Descriptors that one message may carry.
    package static let descriptorsMax = 253

    /// Who is at the other end, as the kernel saw it when the connection was made.
    package struct Peer: Sendable {
        package let user: UInt32
        package let process: Int32
    }

    /// What came of a look for a message.
    package enum Received {
        case message([UInt8], DescriptorBundle)
        /// Nothing is there now, or not in time.
        case wouldBlock
        /// The other end has closed, or the connection is broken.
        case end
    }

    /// Listens at `name` in the directory `folder`, non-blocking, with mode 0600.
    ///
    /// What a process that crashed has left there is replaced.
    package static func listen(
        folder: String,
        name: String,
        backlog: Int32
    ) throws(SystemCallError) -> FileDescriptor {
        try removeFile("\(folder)/\(name)")
        return try withAddress(folder, name) { path throws(SystemCallError) in
            // SAFETY: the call gets a NUL-terminated copy that lives as long as it does.
            try check("listen") { unsafe weir_local_listen(path, backlog) }
        }
    }

    /// Connects to `name` in the directory `folder`; the socket blocks.
    package static func connect(
        folder: String,
        name: String
    ) throws(SystemCallError) -> FileDescriptor {
        try withAddress(folder, name) { path throws(SystemCallError) in
            // SAFETY: the call gets a NUL-terminated copy that lives as long as it does.
            try check("connect") { unsafe weir_local_connect(path) }
        }
    }

    /// An address has 107 octets at most; a longer path is named by way of its directory's descriptor.
    private static func withAddress(
        _ folder: String,
        _ name: String,
        _ body: (String) throws(SystemCallError) -> Int32
    ) throws(SystemCallError) -> FileDescriptor {
        let path = "\(folder)/\(name)"
        if path.utf8.count <= 107 { return FileDescriptor(owning: try body(path)) }
        let directory = try openFile(folder, .read)
        return FileDescriptor(owning: try body("/proc/self/fd/\(directory.number)/\(name)"))
    }

    /// SO_PEERCRED.
    package static func peer(of descriptor: Int32) throws(SystemCallError) -> Peer {
        var (user, process): (UInt32, Int32) = (0, 0)
        // SAFETY: the two numbers live for the call.
        try check("getsockopt") { unsafe weir_local_peer(descriptor, &user, &process) }
        return Peer(user: user, process: process)
    }

    /// sendmsg(2): all of one message, or nothing.
    package static func send(
        _ descriptor: Int32,
        _ octets: [UInt8],
        descriptors: [Int32] = []
    ) throws(SystemCallError) {
        let count = Int32(clamping: descriptors.count)
        // SAFETY: both arrays live for the call and their counts are given.
        try check("sendmsg") {
            unsafe weir_local_send(descriptor, octets, octets.count, descriptors, count)
        }
    }

    /// recvmsg(2): the next message, of at most `octetsMax` octets.
    ///
    /// - Throws: `SystemCallError`, also for a message that is longer than that.
    package static func receive(
        _ descriptor: Int32,
        octetsMax: Int
    ) throws(SystemCallError) -> Received {
        var octets = [UInt8](repeating: 0, count: octetsMax)
        var descriptors = [Int32](repeating: -1, count: descriptorsMax)
        var descriptorCount = Int32(descriptorsMax)
        do throws(SystemCallError) {
            // SAFETY: both arrays live for the call, which writes no more than the counts that are given.
            let count = try check("recvmsg") {
                descriptorCount = Int32(descriptorsMax)
                return unsafe weir_local_receive(
                    descriptor,
                    &octets,
                    octetsMax,
                    &descriptors,
                    &descriptorCount
                )
            }
            let bundle = DescriptorBundle(owning: Array(descriptors.prefix(Int(descriptorCount))))
            // Messages here are never empty.
            return count == 0 ? .end : .message(Array(octets.prefix(count)), bundle)
        } catch  where error.errno == .wouldBlock {
            return .wouldBlock
        } catch  where error.errno == .connectionReset {
            return .end
        }
    }

    /// SO_RCVTIMEO and SO_SNDTIMEO, for a socket that blocks.
    package static func setTimeout(_ descriptor: Int32, milliseconds: Int) {
        _ = weir_set_timeout(descriptor, Int32(clamping: milliseconds))
    }
}

/// Another descriptor, close-on-exec, of what `descriptor` is one of.
package func duplicate(_ descriptor: Int32) throws(SystemCallError) -> FileDescriptor {
    FileDescriptor(owning: try check("fcntl") { weir_duplicate(descriptor) })
}

/// geteuid(2).
package func effectiveUserID() -> UInt32 { geteuid() }
