/// An address to listen on, as operators write it: `127.0.0.1:7443`, `[::1]:7443`, `control.example.com:0`.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// An address without brackets, or a name.
    package let host: String
    /// 0 lets the system choose.
    package let port: Int

    /// Joins both.
    package init(host: String, port: Int) {
        (self.host, self.port) = (host, port)
    }

    /// Reads the form with a colon; nil if the text is none.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]),
            text[text.index(after: colon)...].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        let isPlain = host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
        guard !host.isEmpty, isPlain else { return nil }
        self.init(host: String(host), port: Int(port))
    }

    /// The form with a colon, IPv6 addresses in brackets.
    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Where a client on this machine finds it: a wildcard address is none.
    package var local: HostPort {
        switch host {
        case "0.0.0.0": HostPort(host: "127.0.0.1", port: port)
        case "::": HostPort(host: "::1", port: port)
        default: self
        }
    }
}
