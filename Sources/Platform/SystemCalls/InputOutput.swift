internal import CLinux
internal import Glibc

/// What a read or write on a non-blocking descriptor came to.
package enum IOResult: Equatable, Sendable {
    /// So many octets moved.
    ///
    /// A read of 0 octets is the end of the stream.
    case count(Int)
    /// Nothing can move now; readiness will be reported.
    case wouldBlock
    /// The call failed for good.
    case failed(Errno)
}

/// Turns a call's return value into an `IOResult`, repeating it while it is interrupted.
@inline(__always)
func result(_ body: () -> Int) -> IOResult {
    while true {
        let count = body()
        if count >= 0 { return .count(count) }
        switch Errno.last {
        case .wouldBlock: return .wouldBlock
        case .interrupted: continue
        case let failure: return .failed(failure)
        }
    }
}

/// recv(2) into `buffer`.
@unsafe
package func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
    // SAFETY: the kernel writes at most `buffer.count` octets before the call returns.
    result { unsafe weir_receive(descriptor, buffer.baseAddress, buffer.count) }
}

/// recv(2) of one octet that stays where it is.
package func peek(_ descriptor: Int32) -> IOResult {
    result { weir_peek(descriptor) }
}

/// send(2) from `buffer`, without SIGPIPE.
///
/// - Parameters:
///   - descriptor: A socket.
///   - buffer: What to write.
///   - isFollowed: Whether more follows at once, or the end, so that what is left of a segment waits for it.
/// - Returns: How many octets the kernel took.
@unsafe
package func send(
    _ descriptor: Int32,
    _ buffer: UnsafeRawBufferPointer,
    isFollowed: Bool = false
) -> IOResult {
    // SAFETY: the kernel reads at most `buffer.count` octets before the call returns.
    result { unsafe weir_send(descriptor, buffer.baseAddress, buffer.count, isFollowed ? 1 : 0) }
}

/// sendmsg(2) from two pieces in one call, without SIGPIPE.
@unsafe
package func send(
    _ descriptor: Int32,
    _ first: UnsafeRawBufferPointer,
    _ second: UnsafeRawBufferPointer
) -> IOResult {
    // SAFETY: the vector and the message live on this stack for the call; the kernel only reads
    // the two buffers, within their counts.
    unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces in
        unsafe pieces[0] = unsafe iovec(
            iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress),
            iov_len: first.count
        )
        unsafe pieces[1] = unsafe iovec(
            iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress),
            iov_len: second.count
        )
        var message = unsafe msghdr()
        unsafe message.msg_iov = pieces.baseAddress
        unsafe message.msg_iovlen = 2
        return result { unsafe sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL)) }
    }
}

/// read(2) into `buffer`, for descriptors that are not sockets.
@unsafe
package func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
    // SAFETY: the kernel writes at most `buffer.count` octets before the call returns.
    result { unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
}

/// write(2) from `buffer`, for descriptors that are not sockets.
@unsafe
package func write(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> IOResult {
    // SAFETY: the kernel reads at most `buffer.count` octets before the call returns.
    result { unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count) }
}

/// recv(2) into the memory of `span`.
package func receive(_ descriptor: Int32, into span: inout MutableSpan<UInt8>) -> IOResult {
    // SAFETY: the pointer does not leave the closure.
    unsafe span.withUnsafeMutableBytes { unsafe receive(descriptor, into: $0) }
}

/// recv(2) into the memory of `span` of octets that stay where they are.
package func peek(_ descriptor: Int32, into span: inout MutableSpan<UInt8>) -> IOResult {
    // SAFETY: the pointer does not leave the closure; the kernel writes at most `count` octets before it returns.
    unsafe span.withUnsafeMutableBytes { buffer in
        result { unsafe weir_look(descriptor, buffer.baseAddress, buffer.count) }
    }
}

/// send(2) from `span`.
package func send(
    _ descriptor: Int32,
    _ span: Span<UInt8>,
    isFollowed: Bool = false
) -> IOResult {
    // SAFETY: the pointer does not leave the closure.
    unsafe span.withUnsafeBytes { unsafe send(descriptor, $0, isFollowed: isFollowed) }
}

/// read(2) into the memory of `span`.
package func read(_ descriptor: Int32, into span: inout MutableSpan<UInt8>) -> IOResult {
    // SAFETY: the pointer does not leave the closure.
    unsafe span.withUnsafeMutableBytes { unsafe read(descriptor, into: $0) }
}

/// write(2) from `span`.
package func write(_ descriptor: Int32, _ span: Span<UInt8>) -> IOResult {
    // SAFETY: the pointer does not leave the closure.
    unsafe span.withUnsafeBytes { unsafe write(descriptor, $0) }
}
