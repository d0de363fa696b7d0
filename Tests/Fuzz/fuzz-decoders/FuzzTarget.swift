import Bytes
import Certificates
import DNS
import FleetModel
import FleetProtocol
import HTTP1
import HTTP2
import HTTPSemantics
import ProxyProtocol
import SnapshotCompiler
import TLSHello
import Upstreams

/// A decoder of foreign octets, and what must hold whatever they are.
///
/// `WEIR_FUZZ` names the one that a run feeds. A broken rule traps, which the fuzzer reports with the input.
enum FuzzTarget: String, CaseIterable {
    /// A request's head: the same reading whether it comes at once or in two pieces.
    case request
    /// A response's head, likewise.
    case response
    /// The chunked coding, likewise, and never more content than octets.
    case chunked
    /// Paths: what is normal stays as it is, and so does what has been normalised.
    case path
    /// Frames of the fleet protocol and the messages in them.
    case frames
    /// The public part of material, as nodes are sent it: what is read is written again to the same.
    case material
    /// Files of a version.
    case snapshot
    /// A JSON document as a configuration: what is accepted is read back from its canonical form.
    case configuration
    /// Field blocks of one HTTP/2 connection, each behind an octet with its length: what they say is encoded and
    /// decoded to the same.
    case hpack
    /// Frames of a peer to either end of an HTTP/2 connection: the same reading whether they come at once or in two
    /// pieces, and no trap whatever the caller does.
    case http2
    /// Headers of the PROXY protocol: the same reading whether they come at once or octet by octet, and what is told is
    /// told again by the encoder.
    case proxy
    /// ClientHellos that are passed through: the same reading whether they come at once or octet by octet.
    case hello
    /// A pattern, a template and a text, a line each: no trap, groups lie within the text, and the ways to match agree.
    case pattern
    /// Answers of the gRPC health protocol: no trap, and none that is longer than one may be.
    case grpc
    /// Answers of name servers to each kind of question: no trap, no more records than allowed, and names that fit.
    case names

    /// Feeds the octets.
    func run(_ octets: [UInt8]) {
        switch self {
        case .request: Self.request(octets)
        case .response: Self.response(octets)
        case .chunked: Self.chunked(octets)
        case .path: Self.path(octets)
        case .frames: Self.frames(octets)
        case .material: Self.material(octets)
        case .snapshot: Self.snapshot(octets)
        case .configuration: Self.configuration(octets)
        case .hpack: HPACKConnection.run(octets)
        case .http2: HTTP2Ends.run(octets)
        case .proxy: Self.proxy(octets)
        case .hello: Self.hello(octets)
        case .pattern: PatternTexts.run(octets)
        case .grpc:
            precondition(
                GRPCHealth.answer(octets.span) == nil || octets.count <= GRPCHealth.answerBytesMax
            )
        case .names: Self.names(octets)
        }
    }

    /// What came of reading a head.
    private enum Reading: Equatable {
        case head(length: Int)
        case incomplete
        case refused
    }

    private static func request(_ octets: [UInt8]) {
        func read(_ places: [Int]) -> (Reading, String) {
            var head = RequestHead()
            for place in places {
                do {
                    let span = octets.span.extracting(first: place)
                    if let length = try head.decode(span, limits: HTTP1Limits()) {
                        let said = "\(head.method) \(head.framing) \(head.isPersistent)"
                        return (.head(length: length), said)
                    }
                } catch {
                    return (.refused, "")
                }
            }
            return (.incomplete, "")
        }
        let whole = read([octets.count])
        let half = read([octets.count / 2, octets.count])
        precondition(whole.0 == half.0 && whole.1 == half.1, "\(whole) at once, \(half) in two")
        if case .head(let length) = whole.0 { precondition(length <= octets.count) }
    }

    private static func response(_ octets: [UInt8]) {
        func read(_ places: [Int]) -> Reading {
            var head = ResponseHead()
            for place in places {
                do {
                    let span = octets.span.extracting(first: place)
                    if let length = try head.decode(span, limits: HTTP1Limits()) {
                        precondition((100...999).contains(head.status))
                        return .head(length: length)
                    }
                } catch {
                    return .refused
                }
            }
            return .incomplete
        }
        let whole = read([octets.count])
        precondition(whole == read([octets.count / 2, octets.count]))
    }

    private static func chunked(_ octets: [UInt8]) {
        func read(_ places: [Int]) -> [UInt8]? {
            var decoder = ChunkedDecoder()
            var content: [UInt8] = []
            var index = 0
            for place in places {
                let span = octets.span.extracting(first: place)
                reading: while true {
                    do {
                        switch try decoder.next(span, at: &index, limits: HTTP1Limits()) {
                        case .content(let range): content += octets[range]
                        case .lastChunk: continue
                        case .end: return content
                        case .needsMore: break reading
                        }
                    } catch {
                        return nil
                    }
                }
            }
            precondition(content.count <= octets.count)
            return content
        }
        precondition(read([octets.count]) == read([octets.count / 2, octets.count]))
    }

    private static func path(_ octets: [UInt8]) {
        let range = 0..<octets.count
        guard let normal = PathNormaliser.normalise(octets.span, range) else { return }
        let again = PathNormaliser.normalise(normal.span, 0..<normal.count)
        precondition(again == normal, "\(normal) becomes \(again ?? [])")
        if PathNormaliser.isNormal(octets.span, range) { precondition(normal == octets) }
    }

    private static func frames(_ octets: [UInt8]) {
        var decoder = FrameDecoder()
        var offset = 0
        do {
            while let frame = try decoder.next(octets.span, offset: &offset) {
                guard let message = try FleetMessage(frame) else { continue }
                let again = try FleetMessage(message.frame(correlation: frame.correlation))
                precondition(again == message)
            }
        } catch {
            return
        }
        precondition(offset == octets.count)
    }

    private static func material(_ octets: [UInt8]) {
        if let list = try? ChainCoding.decode(octets) {
            precondition(ChainCoding.encode(list) == octets)
        }
        if let bundle = try? AuthorityBundle(content: octets) {
            precondition(bundle.content == octets)
        }
        if let facts = try? CertificateFacts(publicContent: octets) {
            precondition(facts.names.texts.allSatisfy { facts.names.covers($0) })
        }
    }

    private static func snapshot(_ octets: [UInt8]) {
        // A checksum that must be right would keep the fuzzer out: it is put on here.
        let sealed = octets + Digest(hashing: octets).octets
        guard let file = try? SnapshotFile(octets: sealed) else { return }
        precondition(file.encoded() == sealed)
    }

    private static func configuration(_ octets: [UInt8]) {
        guard let text = String(validating: octets, as: UTF8.self),
            let configuration = try? Configuration(json: text)
        else { return }
        let again = try? Configuration(json: configuration.documentJSON)
        precondition(again == configuration, "the export is another configuration")
    }

    private static func hello(_ octets: [UInt8]) {
        func read(_ places: [Int]) -> Result<ClientHello, ClientHelloError>? {
            for place in places {
                do throws(ClientHelloError) {
                    let found = try ClientHello.read(octets.span.extracting(first: place))
                    if let found { return .success(found) }
                } catch {
                    return .failure(error)
                }
            }
            return nil
        }
        let whole = read([octets.count])
        precondition(whole == read(Array(0...octets.count)), "octet by octet it is read otherwise")
        guard case .success(let hello)? = whole, let name = hello.serverName else { return }
        precondition((1...255).contains(name.utf8.count) && name == name.lowercased())
    }

    private static func names(_ octets: [UInt8]) {
        for kind in [DNSRecordKind.a, .aaaa, .srv] {
            guard let response = try? DNSResponse(octets.span, answering: kind) else { continue }
            precondition(response.addresses.count <= DNS.Limits.recordsMax)
            precondition(response.services.count <= DNS.Limits.recordsMax)
            precondition(kind == .srv ? response.addresses.isEmpty : response.services.isEmpty)
            for service in response.services {
                precondition(service.target.labels.reduce(1) { $0 + 1 + $1.count } <= 255)
                precondition((service.target.hostName?.utf8.count ?? 1) <= 253)
            }
        }
    }

    private static func proxy(_ octets: [UInt8]) {
        func read(_ places: [Int]) -> ProxyHeaderReading? {
            for place in places {
                do {
                    let reading = try ProxyHeader.decode(octets.span.extracting(first: place))
                    if reading != .incomplete { return reading }
                } catch {
                    return nil
                }
            }
            return .incomplete
        }
        let whole = read([octets.count])
        precondition(whole == read(Array(0...octets.count)), "octet by octet it is read otherwise")
        guard case .complete(let header, let byteCount)? = whole else { return }
        precondition(byteCount <= octets.count)
        for version in [ProxyProtocolVersion.v1, .v2] {
            let written = header.encoded(as: version)
            let again = try? ProxyHeader.decode(written.span)
            precondition(again == .complete(header, byteCount: written.count))
        }
    }
}
