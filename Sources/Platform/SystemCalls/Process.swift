internal import CLinux
internal import Glibc

/// getpid(2).
package func processID() -> Int32 { getpid() }

/// An environment variable, or `nil`.
package func environmentVariable(_ name: String) -> String? {
    // SAFETY: the string is copied at once; nothing here changes the environment.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

/// gethostname(2).
package func hostName() -> String {
    // SAFETY: at most 255 octets are written, and the last one stays NUL.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
        unsafe text.initialize(repeating: 0)
        guard let base = text.baseAddress, unsafe gethostname(base, 255) == 0 else {
            return "localhost"
        }
        return unsafe String(cString: base)
    }
}

/// Octets from getrandom(2).
package func fillWithRandom(_ span: inout MutableSpan<UInt8>) {
    // SAFETY: getrandom writes at most the count; up to 256 octets come in one piece.
    unsafe span.withUnsafeMutableBytes { buffer in
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe weir_random(rest.baseAddress, Int(min(rest.count, 256)))
            if count > 0 { done += count }
        }
    }
}

/// A random number from the kernel.
package func randomNumber() -> UInt64 {
    var number: UInt64 = 0
    // SAFETY: eight octets into a local value, which getrandom gives in one piece.
    while unsafe weir_random(&number, 8) != 8 {}
    return number
}

/// Raises RLIMIT_NOFILE to its hard limit, and says what the limit is now.
package func raiseDescriptorLimit() throws(SystemCallError) -> Int {
    var limit = rlimit()
    // SAFETY: the structure lives for the calls.
    try check("getrlimit") { unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max
        try check("setrlimit") {
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
    }
    return Int(clamping: limit.rlim_cur)
}

/// Octets of memory that are resident (/proc/self/statm), or 0 when /proc is missing.
package func residentOctets() -> Int {
    // An unreadable /proc leaves the gauge at zero, which is all that depends on it.
    guard let text = try? readFile("/proc/self/statm", octetsMax: 4096) else { return 0 }
    let fields = text.split(separator: UInt8(ascii: " "))
    guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else {
        return 0
    }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
}

/// Gives memory that was freed back to the system, of all threads.
///
/// Threads that allocate wait meanwhile: some milliseconds for each 100 MB that are free.
package func returnFreeMemory() {
    weir_return_free_memory()
}

/// The CPUs that this process may use: its affinity mask, cut by the cgroup's quota; at least 1.
package func availableCPUCount() -> Int {
    let affinity = max(1, Int(weir_affinity_count()))
    guard let quota = cgroupQuota() else { return affinity }
    return min(affinity, max(1, Int(quota.rounded(.up))))
}

/// CPUs that the cgroup grants (cgroup v2 `cpu.max`), or `nil` without a limit.
private func cgroupQuota() -> Double? {
    // A machine without cgroup v2 has no such file, and then no limit.
    guard let groups = try? readFile("/proc/self/cgroup", octetsMax: 65_536) else { return nil }
    var path = ""
    for line in String(decoding: groups, as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("0::") {
        path = String(line.dropFirst(3))
    }
    // Every group up to the root may set a limit; the smallest counts.
    var smallest: Double?
    while true {
        if let quota = quota(file: "/sys/fs/cgroup\(path)/cpu.max") {
            smallest = min(smallest ?? quota, quota)
        }
        guard let slash = path.lastIndex(of: "/") else { return smallest }
        path = String(path[..<slash])
    }
}

private func quota(file: String) -> Double? {
    // The root group has no such file.
    guard let content = try? readFile(file, octetsMax: 256) else { return nil }
    let fields = String(decoding: content, as: UTF8.self).split { $0 == " " || $0 == "\n" }
    guard fields.count == 2, let share = Double(fields[0]), let period = Double(fields[1]),
        share > 0, period > 0
    else { return nil }
    return share / period
}

/// Tells systemd (sd_notify(3)) `state`, such as `READY=1`; does nothing when no one listens.
package func notifyServiceManager(_ state: String) {
    guard let path = environmentVariable("NOTIFY_SOCKET"), !path.isEmpty else { return }
    // SAFETY: the strings are NUL-terminated copies that live for the call.
    _ = unsafe weir_send_datagram(path, state)
}
