/// Status codes of which pages are made: `404`, or `502-504`.
enum StatusRange {
    /// Reads a range; `nil` if it is none.
    static func parse(_ text: String) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let codes = ends.compactMap { Quantity.isDigits($0) ? Int($0) : nil }
        guard codes.count == ends.count, let first = codes.first, let last = codes.last,
            first <= last, (400...599).contains(first), (400...599).contains(last)
        else { return nil }
        return first...last
    }

    /// Checks a range and gives it its one spelling.
    static func text(_ text: String) throws(Complaint) -> String {
        guard let range = parse(text) else {
            throw Complaint(
                "\(quoted(text)) is neither an error's status code, 400 to 599, nor a range such as 502-504"
            )
        }
        let isOne = range.lowerBound == range.upperBound
        return isOne ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }

    /// Reads ranges of any final or interim status with commas between them; `nil` if they are none.
    static func parseList(_ text: String) -> [ClosedRange<Int>]? {
        var ranges: [ClosedRange<Int>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
                .map { $0.filter { $0 != " " } }
            let codes = ends.compactMap { Quantity.isDigits($0) ? Int($0) : nil }
            guard codes.count == ends.count, let first = codes.first, let last = codes.last,
                first <= last, (200...599).contains(first), (200...599).contains(last)
            else { return nil }
            ranges.append(first...last)
        }
        return ranges
    }

    /// Checks ranges and gives them their one spelling.
    static func textList(_ text: String) throws(Complaint) -> String {
        guard let ranges = parseList(text) else {
            throw Complaint(
                "\(quoted(text)) is not a list of status codes, 200 to 599, and ranges, such as 200-299,404"
            )
        }
        return ranges.map { range in
            range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
        }.joined(separator: ",")
    }
}

extension Retry {
    /// Checks a condition and gives it its one spelling.
    static func condition(_ text: String) throws(Complaint) -> String {
        if Conditions.words[text] != nil { return text }
        guard Quantity.isDigits(text), let code = Int(text), (400...599).contains(code) else {
            throw Complaint(
                "\(quoted(text)) is not something to try again after: connect, reset, timeout, or an error's "
                    + "status code, 400 to 599"
            )
        }
        return "\(code)"
    }
}

/// A name to resolve and a port, as a configuration writes them.
struct DiscoveryName {
    /// In lower case, without a final dot.
    let name: String
    /// `nil` where none is given.
    let port: Int?

    /// Reads `name:port` or `name`; `nil` if it is neither.
    init?(_ text: String) {
        guard let found = try? Self.parse(text) else { return nil }
        self = found
    }

    private init(name: String, port: Int?) {
        (self.name, self.port) = (name, port)
    }

    /// The one spelling.
    var text: String { port.map { "\(name):\($0)" } ?? name }

    static func parse(_ text: String) throws(Complaint) -> DiscoveryName {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, IPAddress(first) == nil else {
            throw Complaint(
                "\(quoted(text)) is not a name to resolve: an address stands under endpoints"
            )
        }
        let name = try Hosts.hostName(String(first))
        guard parts.count == 2 else { return DiscoveryName(name: name, port: nil) }
        guard Quantity.isDigits(parts[1]), let port = Int(parts[1]), (1...65_535).contains(port)
        else { throw Complaint("\(quoted(text)): the port is not a number from 1 to 65535") }
        return DiscoveryName(name: name, port: port)
    }
}
