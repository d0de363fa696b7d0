internal import SystemCalls

/// Elements side by side, the first one at the start of a line of the processor's cache.
///
/// For large tables of which each request finds another element in memory: one of 64 octets is fetched as one line,
/// where an array's, which begin anywhere, are two.
// SAFETY: `elements` is allocated with room for `capacity` of them, of which the first `count` are initialized, and
// freed in deinit; every index is checked; there is one owner, and elements are plain octets.
@safe
public struct AlignedArray<Element: BitwiseCopyable & Sendable>: ~Copyable, @unchecked Sendable {
    @usableFromInline var elements: UnsafeMutablePointer<Element>
    /// How many elements there are.
    public private(set) var count = 0
    private var capacity: Int

    /// Makes an array without elements.
    ///
    /// - Parameter capacity: How many it has room for until it moves.
    public init(capacity: Int = 0) {
        self.capacity = max(capacity, 1)
        // SAFETY: nothing is read before it is initialized.
        unsafe elements = Self.allocate(self.capacity)
    }

    deinit {
        // SAFETY: allocated in init or append; nobody has the pointer any more.
        unsafe Self.deallocate(elements, capacity)
    }

    /// Adds an element at the end.
    ///
    /// - Complexity: O(1), averaged over many.
    public mutating func append(_ element: Element) {
        if count == capacity { grow() }
        // SAFETY: there is room behind `count` elements.
        unsafe (elements + count).initialize(to: element)
        count += 1
    }

    /// One element.
    ///
    /// - Parameter index: Less than `count`.
    @inlinable
    public subscript(index: Int) -> Element {
        @inline(__always)
        get {
            precondition(index >= 0 && index < count, "no element with this index")
            // SAFETY: the index is within the initialized elements.
            return unsafe elements[index]
        }
        set {
            precondition(index >= 0 && index < count, "no element with this index")
            // SAFETY: the index is within the initialized elements.
            unsafe elements[index] = newValue
        }
    }

    private mutating func grow() {
        // SAFETY: the new memory has room for what is moved, and is no part of the old, which nobody uses any more.
        let larger = unsafe Self.allocate(capacity * 2)
        unsafe larger.moveInitialize(from: elements, count: count)
        unsafe Self.deallocate(elements, capacity)
        unsafe elements = larger
        capacity *= 2
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Element> {
        // SAFETY: the memory is bound to its one type here; a line's start suits every type.
        unsafe TableMemory.allocate(byteCount: capacity * MemoryLayout<Element>.stride)
            .bindMemory(to: Element.self, capacity: capacity)
    }

    private static func deallocate(_ elements: UnsafeMutablePointer<Element>, _ capacity: Int) {
        // SAFETY: the callers give what `allocate` has given, with its capacity.
        unsafe TableMemory.deallocate(
            elements,
            byteCount: capacity * MemoryLayout<Element>.stride
        )
    }
}
