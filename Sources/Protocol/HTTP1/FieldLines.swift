import HTTPSemantics

/// The field lines of one head, in order, in storage that is used again for each message.
package struct FieldLines: RandomAccessCollection, Sendable {
    var storage = ContiguousArray<FieldLine>()
    /// Number of lines.
    package internal(set) var count = 0

    init() {}

    /// The number of the first line.
    package var startIndex: Int { 0 }

    /// The number after the last line.
    package var endIndex: Int { count }

    /// The line with a number.
    ///
    /// - Parameter number: Below `count`.
    package subscript(number: Int) -> FieldLine {
        precondition(number < count, "line \(number) of \(count)")
        return storage[number]
    }

    /// Makes room for more lines than ever; the storage is filled with blank ones.
    mutating func grow() {
        let blank = FieldLine(name: .other, nameAt: 0, nameEnd: 0, valueAt: 0, valueEnd: 0)
        let wanted = Swift.max(16, storage.count * 2)
        storage.reserveCapacity(wanted)
        while storage.count < wanted { storage.append(blank) }
    }
}
