internal import CLinux
internal import Glibc

/// Memory for tables in which each request finds another place.
public enum TableMemory {
    /// The size of a line of the processor's cache, in octets.
    private static let lineBytes = 64

    /// Allocates memory that begins with a line of the processor's cache.
    ///
    /// Large memory is of huge pages where the kernel has them: the processor keeps the addresses of some thousand pages
    /// at hand, and a look-up in a large table would mostly miss those, too.
    ///
    /// - Parameter byteCount: How many octets, at least 1.
    /// - Returns: The memory, which nobody has initialized.
    public static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        if isLarge(byteCount) {
            // SAFETY: nobody else has the memory.
            return unsafe weir_map_huge_pages(mappedBytes(byteCount))
        }
        return .allocate(byteCount: byteCount, alignment: lineBytes)
    }

    /// Gives memory back.
    ///
    /// - Parameters:
    ///   - memory: What `allocate` has given; nothing in it is used any more.
    ///   - byteCount: As it was allocated.
    public static func deallocate(_ memory: UnsafeMutableRawPointer, byteCount: Int) {
        if isLarge(byteCount) {
            // SAFETY: the range is one that was mapped, as a whole.
            _ = unsafe munmap(memory, mappedBytes(byteCount))
        } else {
            // SAFETY: allocated with `allocate`, with the same size.
            unsafe memory.deallocate()
        }
    }

    /// Has the processor fetch the line of its cache that an address lies in, to write there.
    ///
    /// - Parameter address: Any.
    public static func prefetch(_ address: UnsafeRawPointer) {
        // SAFETY: nothing is read or written, whatever the address.
        unsafe weir_prefetch(address)
    }

    private static func isLarge(_ byteCount: Int) -> Bool { byteCount >= weir_huge_page_bytes / 2 }

    /// The size of so many octets in whole huge pages.
    private static func mappedBytes(_ byteCount: Int) -> Int {
        (byteCount + weir_huge_page_bytes - 1) / weir_huge_page_bytes * weir_huge_page_bytes
    }
}
