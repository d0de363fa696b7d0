import Bytes
import Structures

/// Node numbers by hash, in open addressing with at most half of the slots taken.
///
/// The caller compares the keys: a slot holds only a part of the hash. What requests ask for cannot
/// lengthen the runs, as only the configuration inserts.
struct HashIndex: ~Copyable, Sendable {
    struct Slot: BitwiseCopyable {
        var tag: UInt32
        var node: Int32
    }

    /// A power of two of them.
    private var slots = HashIndex.slots(count: 2)
    private var nodeCount = 0

    /// Whether nothing was inserted.
    var isEmpty: Bool { nodeCount == 0 }

    /// The slot where a search for `hash` begins.
    @inline(__always)
    func start(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash) & (slots.count &- 1)
    }

    /// The next node whose tag is that of `hash`.
    ///
    /// - Parameters:
    ///   - hash: The hash searched for.
    ///   - slot: Where to look on; moved behind the slot of the node.
    /// - Returns: The node, whose key is to be compared, or `nil` when there is none.
    @inline(__always)
    func next(_ hash: UInt64, _ slot: inout Int) -> Int? {
        let tag = UInt32(truncatingIfNeeded: hash >> 32)
        while true {
            let found = slots[slot]
            if found.node < 0 { return nil }
            slot = (slot &+ 1) & (slots.count &- 1)
            if found.tag == tag { return Int(found.node) }
        }
    }

    /// Inserts a node that is not there.
    ///
    /// - Parameters:
    ///   - node: Its number.
    ///   - hash: Its hash.
    ///   - hashOf: The hash of any node inserted before, to spread them over more slots.
    mutating func insert(_ node: Int, _ hash: UInt64, hashOf: (Int) -> UInt64) {
        nodeCount += 1
        if nodeCount * 2 > slots.count {
            var old = Self.slots(count: slots.count * 4)
            swap(&slots, &old)
            for index in 0..<old.count where old[index].node >= 0 {
                place(old[index], hashOf(Int(old[index].node)))
            }
        }
        place(Slot(tag: UInt32(truncatingIfNeeded: hash >> 32), node: Int32(node)), hash)
    }

    private static func slots(count: Int) -> AlignedArray<Slot> {
        var slots = AlignedArray<Slot>(capacity: count)
        for _ in 0..<count { slots.append(Slot(tag: 0, node: -1)) }
        return slots
    }

    private mutating func place(_ slot: Slot, _ hash: UInt64) {
        var index = start(hash)
        while slots[index].node >= 0 { index = (index + 1) & (slots.count - 1) }
        slots[index] = slot
    }

    /// Takes eight octets into a hash.
    ///
    /// - Parameters:
    ///   - word: The octets.
    ///   - hash: The hash so far.
    /// - Returns: The hash with them.
    @inline(__always)
    static func mix(_ word: UInt64, into hash: UInt64) -> UInt64 {
        let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return product.low ^ product.high
    }
}
