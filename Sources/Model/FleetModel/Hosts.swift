/// Checks of hosts and addresses.
enum Hosts {
    /// A name or address without a port, in lower case; an IPv6 address stands in brackets.
    static func host(_ text: String) throws(Complaint) -> String {
        if text.hasPrefix("[") {
            guard text.hasSuffix("]"), case .v6? = IPAddress(text.dropFirst().dropLast()) else {
                throw Complaint("\(quoted(text)) is not an IPv6 address in brackets")
            }
            return IPAddress(text.dropFirst().dropLast()).map { "[\($0)]" } ?? text
        }
        if case .v6? = IPAddress(text) {
            throw Complaint("an IPv6 address stands in brackets; did you mean [\(text)]?")
        }
        if let address = IPAddress(text) { return address.description }
        return try hostName(text)
    }

    static func pattern(_ text: String) throws(Complaint) -> HostPattern {
        guard text.utf8.contains(UInt8(ascii: "*")) else { return .exact(try host(text)) }
        let suffix = text.dropFirst(2)
        guard text.hasPrefix("*."), !suffix.utf8.contains(UInt8(ascii: "*")) else {
            throw Complaint(
                "\(quoted(text)): a wildcard stands for whole labels in front, as in *.example.com"
            )
        }
        if IPAddress(suffix) != nil {
            throw Complaint("\(quoted(text)): an address has no labels in front")
        }
        return .wildcard(try hostName(String(suffix)))
    }

    /// RFC 1123 §2.1 and underscores, in lower case, without a final dot.
    static func hostName(_ text: String) throws(Complaint) -> String {
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        if name.isEmpty { throw Complaint("a host must not be empty") }
        if name.utf8.contains(where: { $0 >= 0x80 }) {
            throw Complaint(
                "\(quoted(text)): write an international name in its xn-- form, as proxyctl does when it reads a file"
            )
        }
        if let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")),
            Quantity.isDigits(name[colon...].dropFirst())
        {
            throw Complaint(
                "\(quoted(text)): a port has no place here; did you mean \(name[..<colon])?"
            )
        }
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let dash = UInt8(ascii: "-")
        let isMade = labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != dash && label.last != dash
                && label.allSatisfy {
                    Texts.isAlphanumeric($0) || $0 == dash || $0 == UInt8(ascii: "_")
                }
        }
        guard isMade, name.utf8.count <= 253 else {
            throw Complaint("\(quoted(text)) is not a host name")
        }
        // A last label of digits would be taken for an IPv4 address (WHATWG URL §3.5).
        if let last = labels.last, Quantity.isDigits(String(decoding: last, as: UTF8.self)) {
            throw Complaint("\(quoted(text)) is neither a host name nor an IPv4 address")
        }
        return name.lowercased()
    }

    static func listenAddress(_ text: String) throws(Complaint) -> NetworkAddress {
        if text.hasPrefix("unix:") {
            throw Complaint(
                "\(quoted(text)): unix: listeners are not supported by this build; "
                    + "a listener binds to an IP address"
            )
        }
        let port = text.hasPrefix("*:") ? text.dropFirst(2) : text.dropFirst()
        if text.hasPrefix("*:") || text.hasPrefix(":") && Quantity.isDigits(port) {
            throw Complaint(
                "\(quoted(text)) names no IP address; did you mean 0.0.0.0:\(port)?"
            )
        }
        if Quantity.isDigits(text) {
            throw Complaint("\(quoted(text)) is only a port; did you mean 0.0.0.0:\(text)?")
        }
        let address = try self.address(text, portMin: 0)
        guard case .ip = address.host else {
            let hint = address.hostText == "localhost" ? "127.0.0.1" : "0.0.0.0"
            throw Complaint(
                "\(quoted(text)): a listener binds to an IP address; did you mean "
                    + "\(hint):\(address.port)?"
            )
        }
        return address
    }

    static func endpointAddress(_ text: String) throws(Complaint) -> NetworkAddress {
        if text.hasPrefix("unix:") { return try socketPath(text) }
        if text.contains("://") {
            throw Complaint("\(quoted(text)) is a URL; an address is host:port")
        }
        return try address(text, portMin: 1)
    }

    /// `unix:` and an absolute path that sun_path (unix(7)) has room for.
    private static func socketPath(_ text: String) throws(Complaint) -> NetworkAddress {
        let path = String(text.dropFirst("unix:".count))
        guard path.hasPrefix("/"), !path.hasPrefix("//") else {
            throw Complaint(
                "\(quoted(text)): the path of a unix socket is absolute, as in unix:/run/app.sock"
            )
        }
        let countMax = ModelLimits.socketPathBytesMax
        guard path.utf8.count <= countMax else {
            throw Complaint(
                "\(quoted(text)): the path of a unix socket has at most \(countMax) octets"
            )
        }
        guard !path.hasSuffix("/"), path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw Complaint("\(quoted(text)): \(quoted(path)) is no path of a socket")
        }
        return NetworkAddress(path: path)
    }

    private static func address(_ text: String, portMin: Int) throws(Complaint) -> NetworkAddress {
        if case .v6? = IPAddress(text) {
            throw Complaint("\(quoted(text)) has no port; did you mean [\(text)]:80?")
        }
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            throw Complaint("\(quoted(text)) has no port; an address is host:port or [v6]:port")
        }
        let hostText = String(text[..<colon])
        let portText = text[text.index(after: colon)...]
        guard Quantity.isDigits(portText), portText.count <= 5, let number = Int(portText),
            (portMin...65535).contains(number)
        else {
            throw Complaint("\(quoted(text)): the port must be \(portMin) to 65535")
        }
        let port = UInt16(number)
        let host = try host(hostText)
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        if let ip = IPAddress(bare) { return NetworkAddress(host: .ip(ip), port: port) }
        return NetworkAddress(host: .name(host), port: port)
    }

    static func block(_ text: String) throws(Complaint) -> AddressBlock {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(parts[0]) else {
            throw Complaint("\(quoted(text)) is not an address or a block such as 10.0.0.0/8")
        }
        guard parts.count == 2 else {
            return AddressBlock(address: address, prefixBits: address.bitCount)
        }
        guard Quantity.isDigits(parts[1]), parts[1].count <= 3, let bits = Int(parts[1]),
            bits <= address.bitCount
        else {
            throw Complaint("\(quoted(text)): the prefix must be 0 to \(address.bitCount) bits")
        }
        let block = AddressBlock(address: address, prefixBits: bits)
        if block.address != address {
            throw Complaint("\(quoted(text)) has bits after its prefix; did you mean \(block)?")
        }
        return block
    }
}
