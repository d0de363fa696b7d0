internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics

/// A response out of the configuration, with its texts cut into literals and variables.
struct LocalResponse {
    let status: UInt16
    /// Names with colon and space behind them, and values.
    let fields: [(name: [UInt8], value: [Piece])]
    let content: [Piece]

    /// A piece of a text.
    enum Piece {
        case literal([UInt8])
        case variable(Template.Variable)
        /// A group of the route's regular expression.
        case capture(String)
    }

    init(_ response: FixedResponse) {
        status = UInt16(clamping: response.status)
        fields = response.headers.map { field in
            (Array("\(field.name): ".utf8), Self.pieces(field.value))
        }
        content = Self.pieces(response.body)
    }

    init(_ redirect: Redirect) {
        status = UInt16(clamping: redirect.status)
        fields = [(Array("location: ".utf8), Self.pieces(redirect.location))]
        content = []
    }

    private static func pieces(_ template: Template) -> [Piece] {
        template.segments.map { segment in
            switch segment {
            case .literal(let text): .literal(Array(text.utf8))
            case .variable(let variable): .variable(variable)
            case .capture(let group): .capture(group)
            }
        }
    }
}

extension Exchange {
    /// Writes a text with the values of its variables.
    ///
    /// - Parameters:
    ///   - pieces: The text.
    ///   - octets: The client's buffer, from the request's head on.
    /// - Returns: The octets. What comes from the client is free of CR, LF and NUL: the parser saw to it.
    func expand(_ pieces: [LocalResponse.Piece], _ octets: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .literal(let text): result += text
            case .variable(let variable): append(variable, octets, to: &result)
            case .capture: continue
            }
        }
        return result
    }

    private func append(
        _ variable: Template.Variable,
        _ octets: Span<UInt8>,
        to result: inout [UInt8]
    ) {
        switch variable {
        case .client: result += client?.peerText ?? []
        case .scheme: result += Array("\(client?.scheme ?? "http")".utf8)
        case .host: append(octets, request.authority.host.indices, to: &result)
        case .port:
            let usual: UInt16 = client?.security == nil ? 80 : 443
            let port = request.authority.port
            result += Array(String(port == 0 ? usual : port).utf8)
        case .path:
            if !isPathNormalised {
                result += normalisedPath
            } else if request.path.isEmpty {
                result.append(UInt8(ascii: "/"))
            } else {
                append(octets, request.path.indices, to: &result)
            }
        case .query: append(octets, request.query.indices, to: &result)
        case .route: result += routeLabel
        case .requestID, .upstream, .subject, .fingerprint, .tlsVersion: break
        }
    }

    private func append(_ octets: Span<UInt8>, _ range: Range<Int>, to result: inout [UInt8]) {
        for index in range { result.append(octets[index]) }
    }
}
