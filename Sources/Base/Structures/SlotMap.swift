/// Elements that are found by a key which goes out of use with its element.
///
///     key = generation (high 32 bits, never 0) | place (low 32 bits)
///
/// A place that is used again has a new generation, so a key that somebody still holds finds nothing
/// in place of a stranger. A place whose generations are used up is retired. Insertion, lookup and
/// removal are O(1); keys are stable. Not thread-safe.
package struct SlotMap<Element> {
    @usableFromInline
    struct Place {
        @usableFromInline var element: Element?
        @usableFromInline var generation: UInt32

        @usableFromInline
        init(element: Element?, generation: UInt32) {
            self.element = element
            self.generation = generation
        }
    }

    @usableFromInline var places: [Place] = []
    @usableFromInline var free: [UInt32] = []
    /// How many elements there are.
    package private(set) var count = 0

    /// Makes an empty map.
    package init() {}

    /// Whether there is no element.
    package var isEmpty: Bool { count == 0 }

    /// Takes `element` in.
    ///
    /// - Parameter element: The new element.
    /// - Returns: Its key, never 0.
    package mutating func insert(_ element: Element) -> UInt64 {
        let index: UInt32
        if let reused = free.popLast() {
            index = reused
        } else {
            precondition(places.count < Int(UInt32.max), "\(places.count) places are in use")
            index = UInt32(places.count)
            places.append(Place(element: nil, generation: 1))
        }
        places[Int(index)].element = element
        count += 1
        return UInt64(places[Int(index)].generation) << 32 | UInt64(index)
    }

    /// Takes the element of `key` out.
    ///
    /// - Parameter key: What `insert` returned.
    /// - Returns: The element, or `nil` when it was taken out before.
    @discardableResult
    package mutating func remove(_ key: UInt64) -> Element? {
        guard let index = place(of: key), let element = places[index].element else { return nil }
        places[index].element = nil
        count -= 1
        if places[index].generation == .max {
            places[index].generation = 0  // no key has this generation
        } else {
            places[index].generation += 1
            free.append(UInt32(index))
        }
        return element
    }

    /// The element of a key, or `nil` when it was taken out.
    ///
    /// - Parameter key: What `insert` returned. Assigning to a key that is out of use is a mistake
    ///   and has no effect.
    @inlinable
    package subscript(key: UInt64) -> Element? {
        get {
            guard let index = place(of: key) else { return nil }
            return places[index].element
        }
        set {
            guard let newValue, let index = place(of: key), places[index].element != nil else {
                return
            }
            places[index].element = newValue
        }
    }

    /// Calls `body` with each key and element, in the order of their places.
    ///
    /// - Parameter body: Gets them.
    package func forEach(_ body: (UInt64, Element) -> Void) {
        for (index, place) in places.enumerated() {
            guard let element = place.element else { continue }
            body(UInt64(place.generation) << 32 | UInt64(index), element)
        }
    }

    @inlinable
    func place(of key: UInt64) -> Int? {
        let index = Int(key & 0xFFFF_FFFF)
        guard index < places.count, places[index].generation == UInt32(key >> 32) else {
            return nil
        }
        return index
    }
}
