import Presentation
import Testing

@Suite struct DisplayTextTests {
    @Test("wide characters and emoji take two columns, combining marks none")
    func widths() {
        #expect(displayWidth("") == 0)
        #expect(displayWidth("weir") == 4)
        #expect(displayWidth("naïve") == 5)
        #expect(displayWidth("nai\u{308}ve") == 5)
        #expect(displayWidth("堰") == 2)
        #expect(displayWidth("👍🏽") == 2)
        #expect(displayWidth("ｗ") == 2)
    }

    @Test("control characters of a value become visible, so that it cannot steer the terminal")
    func controls() {
        #expect(visible("plain ✓") == "plain ✓")
        #expect(visible("a\nb\tc\r") == "a\\nb\\tc\\r")
        #expect(visible("\u{1B}[31mred") == "\\u{1b}[31mred")
        #expect(visible("\u{9B}x\u{202E}y") == "\\u{9b}x\\u{202e}y")
    }

    @Test("colour needs a terminal, no NO_COLOR and one that is not dumb")
    func colour() {
        #expect(Palette(isTerminal: true, environment: [:]).isColoured)
        #expect(Palette(isTerminal: true, environment: ["NO_COLOR": ""]).isColoured)
        #expect(!Palette(isTerminal: true, environment: ["NO_COLOR": "1"]).isColoured)
        #expect(!Palette(isTerminal: true, environment: ["TERM": "dumb"]).isColoured)
        #expect(!Palette(isTerminal: false, environment: [:]).isColoured)
    }
}

@Suite struct TableTests {
    @Test("columns are as wide as their widest value, and nothing is cut")
    func columns() {
        var table = Table([.init("NAME"), .init("VERSION", leansRight: true), .init("STATE")])
        table.append(["edge-堰", "7", "steady"])
        table.append(["n", "1200", ""])
        #expect(
            table.rendered(Palette(isColoured: false)) == [
                "NAME     VERSION  STATE",
                "edge-堰        7  steady",
                "n           1200  -",
            ]
        )
    }

    @Test("colour does not count as width")
    func painted() {
        var table = Table([.init("A"), .init("B")])
        table.append([.init("x", .bad), "y"])
        let lines = table.rendered(Palette(isColoured: true))
        #expect(lines[1] == "\u{1B}[31mx\u{1B}[0m  y")
    }

    @Test("a line break in a value cannot forge a row")
    func forged() {
        var table = Table([.init("MESSAGE")])
        table.append(["ok\nfake row"])
        #expect(table.rendered(Palette(isColoured: false)).last == "ok\\nfake row")
    }
}
