/// The streams of a connection by identifier: open addressing, one array, nothing allocated when warm.
///
/// Identifiers of one side go up by two, so half of one is a hash without collisions for streams that
/// follow each other. A peer that chooses them to collide makes look-ups as long as it has streams open,
/// which is bounded.
struct StreamTable: Sendable {
    /// The places; those with the identifier 0 are free, which are half of them or more.
    var slots = ContiguousArray<Stream>()
    /// Streams in the table.
    private(set) var count = 0

    /// Makes an empty table without memory.
    init() {}

    /// Finds a stream.
    ///
    /// - Parameter id: Its identifier; not 0.
    /// - Returns: Its place until a stream is inserted or removed, or `nil`.
    func find(_ id: UInt32) -> Int? {
        guard count > 0 else { return nil }
        var slot = home(id)
        while slots[slot].id != 0 {
            if slots[slot].id == id { return slot }
            slot = next(slot)
        }
        return nil
    }

    /// Adds a stream that is not in the table.
    mutating func insert(_ stream: Stream) {
        if (count + 1) * 2 > slots.count { grow() }
        place(stream)
        count += 1
    }

    /// Removes the stream at a place; those behind it that it kept from their home move up.
    mutating func remove(at slot: Int) {
        var hole = slot
        var slot = next(hole)
        while slots[slot].id != 0 {
            // Distance around the table from a stream's home to where it is and to the hole.
            let mask = slots.count - 1
            let wanted = home(slots[slot].id)
            if (slot - wanted) & mask >= (slot - hole) & mask {
                slots[hole] = slots[slot]
                hole = slot
            }
            slot = next(slot)
        }
        slots[hole] = .none
        count -= 1
    }

    /// Gives back the memory, if no stream is there.
    mutating func releaseStorage() {
        if count == 0 { slots = [] }
    }

    private func home(_ id: UInt32) -> Int { Int(id >> 1) & (slots.count - 1) }

    private func next(_ slot: Int) -> Int { (slot + 1) & (slots.count - 1) }

    private mutating func place(_ stream: Stream) {
        var slot = home(stream.id)
        while slots[slot].id != 0 { slot = next(slot) }
        slots[slot] = stream
    }

    /// Doubles the places, a power of two.
    private mutating func grow() {
        let before = slots
        slots = ContiguousArray(repeating: .none, count: max(8, before.count * 2))
        for stream in before where stream.id != 0 { place(stream) }
    }
}
