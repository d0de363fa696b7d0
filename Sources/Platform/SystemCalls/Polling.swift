internal import CLinux
internal import Glibc

/// What became possible on a descriptor, as epoll(7) reports it.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32

    /// Wraps the bits `rawValue` of epoll_ctl(2).
    @inlinable
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// EPOLLIN: octets, a connection or the end of the stream can be read.
    @inlinable public static var readable: Readiness { Readiness(rawValue: 0x001) }
    /// EPOLLOUT: octets can be written.
    @inlinable public static var writable: Readiness { Readiness(rawValue: 0x004) }
    /// EPOLLERR: an error waits in SO_ERROR.
    @inlinable public static var error: Readiness { Readiness(rawValue: 0x008) }
    /// EPOLLHUP: both directions are closed.
    @inlinable public static var hangUp: Readiness { Readiness(rawValue: 0x010) }
    /// EPOLLRDHUP: the peer has sent its FIN.
    @inlinable public static var peerClosed: Readiness { Readiness(rawValue: 0x2000) }

    // Bits are tested as numbers: a literal of several makes an array first.

    /// Whether a read may bring something: octets, the end, or an error.
    @inlinable public var promisesReading: Bool { rawValue & 0x2019 != 0 }
    /// Whether a write may do something, failing included.
    @inlinable public var promisesWriting: Bool { rawValue & 0x001C != 0 }
    /// Whether the peer has sent its FIN, or the connection is gone.
    @inlinable public var endIsNear: Bool { rawValue & 0x2018 != 0 }
    /// Whether both directions are gone, or an error waits.
    @inlinable public var isBroken: Bool { rawValue & 0x0018 != 0 }
}

/// An epoll(7) instance and the array that it fills.
///
/// Every descriptor is registered once, edge-triggered, for reading and writing; the kernel reports
/// writability only after a write came up short, so the second costs nothing.
// SAFETY: the array lives from init to deinit, and every index into it is checked.
@safe
package struct Poller: ~Copyable {
    private let descriptor: FileDescriptor
    private let events: UnsafeMutableBufferPointer<weir_event>

    /// EPOLLET, which Glibc declares as a value that overflows its type.
    private static let edgeTriggered: UInt32 = 1 << 31

    /// Makes an instance that takes up to `eventCountMax` events from the kernel at once.
    package init(eventCountMax: Int) throws(SystemCallError) {
        descriptor = FileDescriptor(owning: try check("epoll_create1") { weir_poller() })
        // SAFETY: freed in deinit; the structure is trivial, and only what the kernel wrote is read.
        unsafe events = .allocate(capacity: eventCountMax)
    }

    deinit {
        // SAFETY: allocated in init, and nobody else has the pointer.
        unsafe events.deallocate()
    }

    /// Registers `descriptor` edge-triggered for its life; events carry `token`.
    package borrowing func add(_ descriptor: Int32, token: UInt64) throws(SystemCallError) {
        let readiness: Readiness = [.readable, .writable, .peerClosed]
        try add(descriptor, Self.edgeTriggered | readiness.rawValue, token)
    }

    /// Registers `descriptor` level-triggered for reading, so that an accept loop may stop early.
    package borrowing func addLevelTriggered(
        _ descriptor: Int32,
        token: UInt64
    ) throws(SystemCallError) {
        try add(descriptor, Readiness.readable.rawValue, token)
    }

    private borrowing func add(
        _ added: Int32,
        _ events: UInt32,
        _ token: UInt64
    ) throws(SystemCallError) {
        let poller = descriptor.number
        try check("epoll_ctl") { weir_poller_add(poller, added, events, token) }
    }

    /// Takes `descriptor` out; closing it does the same.
    package borrowing func remove(_ descriptor: Int32) {
        _ = weir_poller_remove(self.descriptor.number, descriptor)
    }

    /// Waits for events (epoll_wait(2)), which `event(at:)` then gives.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever, 0 not at all.
    /// - Returns: The number of events; 0 too when a signal interrupted the wait.
    package borrowing func wait(timeoutMilliseconds: Int32) -> Int {
        // SAFETY: the kernel writes at most `events.count` events.
        let count = unsafe weir_poller_wait(
            descriptor.number,
            events.baseAddress,
            Int32(events.count),
            timeoutMilliseconds
        )
        if count >= 0 { return Int(count) }
        precondition(Errno.last == .interrupted, "epoll_wait failed: \(Errno.last.message)")
        return 0
    }

    /// The event at `index`, which is less than what `wait` returned.
    package borrowing func event(at index: Int) -> (token: UInt64, readiness: Readiness) {
        // SAFETY: the index is within the allocation, and the kernel wrote this event.
        unsafe precondition(index >= 0 && index < events.count, "event \(index)")
        let event = unsafe events[index]
        return (event.token, Readiness(rawValue: event.readiness))
    }
}

/// eventfd(2): wakes a loop from another thread.
package struct WakeUp: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Makes a non-blocking eventfd.
    package init() throws(SystemCallError) {
        descriptor = FileDescriptor(owning: try check("eventfd") { weir_wake_up() })
    }

    /// The number to register with a `Poller`.
    package var number: Int32 { descriptor.number }

    /// Makes the descriptor readable.
    ///
    /// A counter that is full wakes all the same.
    package borrowing func signal() {
        var one: UInt64 = 1
        // SAFETY: eight octets of a local value.
        _ = unsafe Glibc.write(descriptor.number, &one, 8)
    }

    /// Makes the descriptor unreadable until the next `signal`.
    package borrowing func clear() {
        var count: UInt64 = 0
        // SAFETY: eight octets into a local value.
        _ = unsafe Glibc.read(descriptor.number, &count, 8)
    }
}
