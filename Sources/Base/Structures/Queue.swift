/// A first-in, first-out queue in a ring that doubles when it is full.
///
///     [ . . first … last . ]   or, wrapped,   [ … last . . first … ]
///
/// Appending and taking are O(1); nothing is moved but when the ring grows. Not thread-safe.
package struct Queue<Element> {
    private var ring: [Element?] = []
    private var start = 0
    /// How many elements wait.
    package private(set) var count = 0

    /// Makes an empty queue without memory.
    package init() {}

    /// Whether nothing waits.
    package var isEmpty: Bool { count == 0 }

    /// The element that waits longest.
    package var first: Element? { count == 0 ? nil : ring[start] }

    /// Puts `element` behind the others.
    package mutating func append(_ element: Element) {
        if count == ring.count { grow() }
        ring[place(count)] = element
        count += 1
    }

    /// Takes the element that waits longest, or `nil` when the queue is empty.
    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = ring[start]
        ring[start] = nil
        start = place(1)
        count -= 1
        return element
    }

    /// Drops all elements and keeps the memory.
    package mutating func removeAll() {
        while popFirst() != nil {}
    }

    private func place(_ offset: Int) -> Int {
        (start + offset) & (ring.count - 1)  // the size is a power of two
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(8, ring.count * 2))
        for offset in 0..<count { larger.append(ring[place(offset)]) }
        while larger.count < max(8, ring.count * 2) { larger.append(nil) }
        ring = larger
        start = 0
    }
}
