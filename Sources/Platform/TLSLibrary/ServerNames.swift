/// Which of several things answers to a server name: exact names before wildcards, which stand for one label.
struct ServerNames {
    private var exact: [String: Int] = [:]
    private var wildcards: [String: Int] = [:]

    /// Takes names in, as far as nobody has them.
    ///
    /// - Parameters:
    ///   - names: In lower case; `*.example.com` is a wildcard.
    ///   - index: What answers to them.
    mutating func add(_ names: [String], for index: Int) {
        for name in names {
            if name.hasPrefix("*.") {
                let parent = String(name.dropFirst(2))
                if wildcards[parent] == nil { wildcards[parent] = index }
            } else if exact[name] == nil {
                exact[name] = index
            }
        }
    }

    /// What answers to a name.
    ///
    /// - Parameter name: In lower case, without a final dot.
    /// - Returns: What it was added for, or `nil`.
    func find(_ name: String) -> Int? {
        if let found = exact[name] { return found }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return nil }
        return wildcards[String(name[name.index(after: dot)...])]
    }

    /// The host name in an extension server_name (RFC 6066 §3), in lower case and without a final dot.
    ///
    /// - Parameter data: The extension's data, of a stranger.
    /// - Returns: `nil` when it is not one name of a host.
    static func hostName(_ data: Span<UInt8>) -> String? {
        guard data.count > 5, number(data, at: 0) == data.count - 2, data[2] == 0,
            number(data, at: 3) == data.count - 5
        else { return nil }
        var octets: [UInt8] = []
        for index in 5..<data.count {
            let octet = data[index]
            guard (0x21...0x7E).contains(octet) else { return nil }
            octets.append((0x41...0x5A).contains(octet) ? octet | 0x20 : octet)
        }
        if octets.last == 0x2E { octets.removeLast() }
        guard !octets.isEmpty, octets.count <= 255 else { return nil }
        return String(decoding: octets, as: UTF8.self)
    }

    private static func number(_ data: Span<UInt8>, at index: Int) -> Int {
        Int(data[index]) << 8 | Int(data[index + 1])
    }
}
