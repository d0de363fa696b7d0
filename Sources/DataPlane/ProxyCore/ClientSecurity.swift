internal import Bytes
internal import Cryptography
internal import TLSLibrary

/// What a handshake has settled about a client's connection.
///
/// Confined to its worker's loop.
final class ClientSecurity {
    let version: TLSVersion
    /// Whether the client speaks HTTP/2 (RFC 7301); else HTTP/1.1.
    let speaksHTTP2: Bool
    /// The subject of the client's certificate, which was verified, and its SHA-256 in hexadecimal; empty without one.
    let subject: [UInt8]
    let fingerprint: [UInt8]
    /// Field lines that tell upstreams of the client's certificate.
    let certificateLines: [UInt8]
    private let edge: TLSEdge
    /// The name that the ClientHello asked for, in lower case and without a final dot.
    private let askedName: String?
    /// The host that was last found to be served on this connection, as it was written.
    private var servedHost: [UInt8]

    init(_ stream: TLSStream, _ edge: TLSEdge, _ table: ListenerTable) {
        version = stream.version
        speaksHTTP2 = stream.negotiatedProtocol == "h2"
        self.edge = edge
        askedName = stream.serverName.map(Self.normalised)
        servedHost = Array((askedName ?? "").utf8)
        if let certificate = stream.peerCertificate {
            subject = stream.peerSubject ?? []
            fingerprint = Array(encodeHex(sha256(certificate)).utf8)
            certificateLines = table.certificateLines(subject: subject, fingerprint: fingerprint)
        } else {
            (subject, fingerprint, certificateLines) = ([], [], [])
        }
    }

    /// How the log calls the version.
    var versionName: StaticString { version == .tls13 ? "TLSv1.3" : "TLSv1.2" }

    /// Whether a request for this host may come on this connection: no other certificate is meant for it.
    ///
    /// - Complexity: A comparison, unless the host is another one than before.
    func serves(_ host: Span<UInt8>) -> Bool {
        let served = servedHost
        if host.equalsIgnoringCase(served.span) { return true }
        var octets: [UInt8] = []
        octets.append(copying: host)
        let name = Self.normalised(String(decoding: octets, as: UTF8.self))
        guard edge.serves(name, toConnectionFor: askedName) else { return false }
        servedHost = octets
        return true
    }

    /// Whether a listener still asks of clients what it asked when the connection was opened.
    ///
    /// - Complexity: O(1), once other certificates have come a comparison of some hundred octets.
    func suffices(_ listener: ListenerTable) -> Bool {
        listener.edge === edge || listener.edge?.scope == edge.scope
    }

    private static func normalised(_ name: String) -> String {
        let lowered = name.lowercased()
        return lowered.hasSuffix(".") ? String(lowered.dropLast()) : lowered
    }
}

/// Request fields that only the node may set, whatever a back end takes for them: `_`, and what else is neither a letter
/// nor a digit, counts as `-`, as it does where fields become variables of an environment.
struct PrivateFields {
    private let names: [[UInt8]]

    /// Takes names in lower case.
    init(_ names: [String]) {
        self.names = Set(names).sorted().map { Array($0.utf8.map(Self.folded)) }
    }

    var isEmpty: Bool { names.isEmpty }

    func contains(_ octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for name in names where name.count == range.count {
            var index = 0
            while index < name.count,
                Self.folded(octets[range.lowerBound + index]) == name[index]
            { index += 1 }
            if index == name.count { return true }
        }
        return false
    }

    private static func folded(_ octet: UInt8) -> UInt8 {
        switch octet {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): octet | 0x20
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): octet
        default: UInt8(ascii: "-")
        }
    }
}
