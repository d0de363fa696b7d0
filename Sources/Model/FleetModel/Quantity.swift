/// Spelling of durations, sizes and shares.
enum Quantity {
    private static let durationUnits: [(String, Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
    ]
    private static let sizeUnits: [(String, Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1),
    ]

    /// Milliseconds of `250ms`, `5s`, `10m`, `24h`, `30d` or `0`.
    static func duration(_ text: String) throws(Complaint) -> Int64 {
        let (digits, unit) = split(text)
        guard let number = Int64(digits) else {
            throw Complaint("\(quoted(text)) is not a duration such as 250ms, 5s, 10m, 24h or 30d")
        }
        if number == 0 && unit.isEmpty { return 0 }
        guard let factor = durationUnits.first(where: { $0.0 == unit })?.1 else {
            let hint =
                unit.isEmpty
                ? "a unit is missing; did you mean \(digits)s?"
                : "not a duration such as 250ms, 5s, 10m, 24h or 30d"
            throw Complaint("\(quoted(text)): \(hint)")
        }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor)
        if overflow { throw Complaint("\(quoted(text)) is too long a duration") }
        return milliseconds
    }

    /// The largest unit that says it exactly.
    static func durationText(_ milliseconds: Int64) -> String {
        if milliseconds == 0 { return "0s" }
        for (unit, factor) in durationUnits where milliseconds % factor == 0 {
            return "\(milliseconds / factor)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    /// Octets of `64KiB`, `1MiB` or a bare number.
    static func size(_ text: String) throws(Complaint) -> Int {
        let (digits, unit) = split(text)
        guard let number = Int(digits) else {
            throw Complaint("\(quoted(text)) is not a size such as 1000, 64KiB or 1MiB")
        }
        guard let factor = sizeUnits.first(where: { $0.0 == unit })?.1 else {
            let letter = unit.first.map { String($0).uppercased() } ?? ""
            let isKnown = ["K", "M", "G", "T"].contains(letter)
            let hint =
                isKnown ? "did you mean \(digits)\(letter)iB?" : "not a size such as 64KiB or 1MiB"
            throw Complaint("\(quoted(text)): \(hint)")
        }
        let (octets, overflow) = number.multipliedReportingOverflow(by: factor)
        if overflow { throw Complaint("\(quoted(text)) is too large a size") }
        return octets
    }

    /// The largest unit that says it exactly.
    static func sizeText(_ octets: Int) -> String {
        if octets == 0 { return "0" }
        for (unit, factor) in sizeUnits where octets % factor == 0 {
            return "\(octets / factor)\(unit)"
        }
        return String(octets)
    }

    /// Thousandths of a percent of `10%` or `0.5%`.
    static func percentage(_ text: String) throws(Complaint) -> Int {
        let complaint = Complaint("\(quoted(text)) is not a share such as 10%")
        guard text.utf8.last == UInt8(ascii: "%") else { throw complaint }
        let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), isDigits(parts[0]), let whole = Int(parts[0]) else {
            throw complaint
        }
        var thousandths = 0
        if parts.count == 2 {
            guard isDigits(parts[1]), parts[1].count <= 3,
                let fraction = Int((parts[1] + "000").prefix(3))
            else { throw complaint }
            thousandths = fraction
        }
        guard whole <= 100, whole < 100 || thousandths == 0 else {
            throw Complaint("\(quoted(text)) is more than 100%")
        }
        return whole * 1000 + thousandths
    }

    /// Without trailing zeros.
    static func percentageText(_ thousandths: Int) -> String {
        let fraction = thousandths % 1000
        if fraction == 0 { return "\(thousandths / 1000)%" }
        var digits = String(String(1000 + fraction).dropFirst())
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(thousandths / 1000).\(digits)%"
    }

    /// A decimal number without sign, leading zeros or fraction; a sign is allowed for the message.
    static func integer(_ text: String) throws(Complaint) -> Int {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.dropFirst() : text[...]
        let hasLeadingZero = digits.utf8.count > 1 && digits.utf8.first == UInt8(ascii: "0")
        guard isDigits(digits), !hasLeadingZero else {
            throw Complaint("\(quoted(text)) is not a whole number")
        }
        guard let number = Int(text) else {
            throw Complaint("\(quoted(text)) is out of range")
        }
        return number
    }

    static func isDigits(_ text: some StringProtocol) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func split(_ text: String) -> (digits: Substring, unit: String) {
        let end =
            text.utf8.firstIndex { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ?? text.endIndex
        let digits = text[..<end]
        // Eighteen digits fit every type; more say nothing.
        if digits.utf8.count > 18 { return ("", text) }
        return (digits, String(text[end...]))
    }
}

/// Why a text is not a value of its type.
struct Complaint: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
