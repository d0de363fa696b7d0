import Structures
import Testing

@Suite("CounterCells")
struct CounterCellsTests {
    @Test("Numbers are added to, taken from and replaced on their own")
    func arithmetic() {
        let cells = CounterCells(count: 3)
        cells.add(0)
        cells.add(0, 41)
        cells.add(1, 5)
        cells.subtract(1, 2)
        cells.set(2, 7)
        #expect((cells[0], cells[1], cells[2]) == (42, 3, 7))
    }
}
