internal import CLinux
internal import Glibc

/// pipe(2): where octets lie in the kernel on their way from one socket to another (splice(2)).
package struct Pipe: ~Copyable {
    private let readingEnd: FileDescriptor
    private let writingEnd: FileDescriptor

    /// Makes an empty pipe.
    ///
    /// - Parameter bytes: About how much it is to hold; the system may give less.
    /// - Throws: `SystemCallError` when descriptors have run out.
    package init(bytes: Int32) throws(SystemCallError) {
        var ends: (Int32, Int32) = (-1, -1)
        // SAFETY: the two numbers live for the call, which writes both.
        try check("pipe2") {
            unsafe withUnsafeMutablePointer(to: &ends) { pair in
                unsafe pair.withMemoryRebound(to: Int32.self, capacity: 2) { numbers in
                    unsafe weir_pipe(numbers, bytes)
                }
            }
        }
        readingEnd = FileDescriptor(owning: ends.0)
        writingEnd = FileDescriptor(owning: ends.1)
    }

    /// Moves octets from a socket into the pipe.
    ///
    /// - Parameters:
    ///   - socket: A non-blocking socket.
    ///   - count: At most how many.
    /// - Returns: What came; with octets in the pipe, `wouldBlock` may mean that it is full.
    package borrowing func fill(from socket: Int32, count: Int) -> IOResult {
        result { weir_splice(socket, writingEnd.number, count) }
    }

    /// Moves octets from the pipe to a socket.
    ///
    /// - Parameters:
    ///   - socket: A non-blocking socket.
    ///   - count: At most how many; what the pipe holds.
    /// - Returns: How many moved.
    package borrowing func drain(to socket: Int32, count: Int) -> IOResult {
        result { weir_splice(readingEnd.number, socket, count) }
    }
}
