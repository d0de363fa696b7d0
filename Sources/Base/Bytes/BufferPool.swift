/// Sizes of the blocks that buffers borrow.
package enum BlockSize: Int, CaseIterable, Comparable, Sendable {
    /// A request head, or a small request.
    case small = 4096
    /// A response head with the start of its content.
    case medium = 16_384
    /// Content that is known to be long.
    case large = 65_536
    /// The longest head that the limits allow, as it was received.
    case huge = 131_072
    /// The same as it is sent on: escapes that a path lacked make it longer.
    case giant = 524_288

    package static func < (left: BlockSize, right: BlockSize) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One block that no buffer holds.
// SAFETY: the block is owned by the free list that holds this value; only the pool reads it.
@safe
private struct FreeBlock {
    let memory: UnsafeMutablePointer<UInt8>
}

/// Blocks of memory that a loop's buffers borrow while they hold octets.
///
/// Last in, first out, so that the block lent next is the one that is warm in the cache. Confined
/// to one loop.
package final class BufferPool {
    private var small: [FreeBlock] = []
    private var medium: [FreeBlock] = []
    private var large: [FreeBlock] = []

    /// The fewest blocks that were free since the last `trim`, of each size: so many were not needed.
    private var unused = (small: 0, medium: 0, large: 0)

    /// Blocks lent at this moment; tests expect 0 at the end.
    package private(set) var lentCount = 0

    /// Free octets kept for each size; what comes back above that is freed.
    private static let keptOctetsMax = 4 << 20

    /// Makes an empty pool.
    package init() {}

    deinit {
        // SAFETY: the free blocks belong to the pool alone.
        for block in small + medium + large { unsafe block.memory.deallocate() }
    }

    /// Lends a block as an empty buffer.
    ///
    /// - Parameters:
    ///   - size: Size of the block.
    ///   - headroom: Octets to leave free in front.
    /// - Returns: The buffer; give it back with `reclaim`.
    package func lend(_ size: BlockSize, headroom: Int) -> Buffer {
        lentCount += 1
        let free: FreeBlock?
        switch size {
        case .small:
            free = small.popLast()
            unused.small = min(unused.small, small.count)
        case .medium:
            free = medium.popLast()
            unused.medium = min(unused.medium, medium.count)
        case .large:
            free = large.popLast()
            unused.large = min(unused.large, large.count)
        case .huge, .giant: free = nil
        }
        let capacity = size.rawValue
        // SAFETY: a free block is in no buffer, and a new one in none yet.
        return unsafe Buffer(
            block: free?.memory ?? .allocate(capacity: capacity),
            capacity: capacity,
            headroom: min(headroom, capacity)
        )
    }

    /// Takes the block of `buffer` back, which is empty and without a block afterwards.
    ///
    /// - Parameter buffer: A buffer that this pool lent, or one without a block.
    package func reclaim(_ buffer: inout Buffer) {
        let capacity = buffer.blockSize
        // SAFETY: the block leaves the buffer and is kept or freed here.
        guard let memory = unsafe buffer.takeBlock() else { return }
        lentCount -= 1
        let block = unsafe FreeBlock(memory: memory)
        switch BlockSize(rawValue: capacity) {
        case .small where small.count < Self.keptOctetsMax / BlockSize.small.rawValue:
            small.append(block)
        case .medium where medium.count < Self.keptOctetsMax / BlockSize.medium.rawValue:
            medium.append(block)
        case .large where large.count < Self.keptOctetsMax / BlockSize.large.rawValue:
            large.append(block)
        default:
            unsafe memory.deallocate()
        }
    }

    /// Octets in blocks that are free.
    package var freeOctets: Int {
        small.count * BlockSize.small.rawValue + medium.count * BlockSize.medium.rawValue
            + large.count * BlockSize.large.rawValue
    }

    /// Frees what has not been needed since the last call, so that a burst does not keep its memory.
    package func trim() {
        // SAFETY: the free blocks belong to the pool alone; each leaves its list here.
        for block in small.prefix(unused.small) { unsafe block.memory.deallocate() }
        for block in medium.prefix(unused.medium) { unsafe block.memory.deallocate() }
        for block in large.prefix(unused.large) { unsafe block.memory.deallocate() }
        small.removeFirst(unused.small)
        medium.removeFirst(unused.medium)
        large.removeFirst(unused.large)
        unused = (small.count, medium.count, large.count)
    }

    /// Moves what `buffer` holds into a larger block.
    ///
    /// - Parameters:
    ///   - buffer: A buffer that this pool lent.
    ///   - size: A size that holds `headroom` and the buffer's octets.
    ///   - headroom: Octets to leave free in front.
    package func grow(_ buffer: inout Buffer, to size: BlockSize, headroom: Int) {
        var larger = lend(size, headroom: headroom)
        let fits = buffer.withReadable { larger.append($0) }
        precondition(fits, "\(buffer.count) octets do not fit in \(size)")
        reclaim(&buffer)
        swap(&buffer, &larger)
    }
}
