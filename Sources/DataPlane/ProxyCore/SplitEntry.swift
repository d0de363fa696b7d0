internal import Bytes
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import Routing
internal import Structures
internal import Upstreams

/// A route's split as the request path needs it.
struct SplitEntry {
    let split: Split
    /// In the order of the configuration.
    private let sides: [Side]

    private struct Side {
        let upstream: Int
        /// Limit of the whole exchange that the upstream sets, `.max` for none.
        let totalNanoseconds: UInt64
    }

    init(
        _ route: Route,
        _ sides: [WeightedUpstream],
        _ upstreams: [SharedUpstream],
        upstreamIndices indices: [String: Int]
    ) {
        split = Split(sides, cohort: route.cohort)
        self.sides = sides.map { side in
            let index = indices[side.upstream] ?? -1
            var total = UInt64.max
            if route.totalTimeout == nil, upstreams.indices.contains(index) {
                total = upstreams[index].upstream.timeouts.total?.nanoseconds ?? .max
            }
            return Side(upstream: index, totalNanoseconds: total)
        }
    }

    /// The upstream of a side, and the limit of the whole exchange that it sets.
    func upstream(of side: Int) -> (index: Int, totalNanoseconds: UInt64) {
        (sides[side].upstream, sides[side].totalNanoseconds)
    }
}

extension Exchange {
    /// Chooses the upstream of a request whose route is split.
    func chooseSide(of entry: SplitEntry, _ client: Client) -> (
        index: Int, totalNanoseconds: UInt64
    ) {
        let address =
            entry.split.looksAtClient ? clientAddress(client) : ClientAddress(high: 0, low: 0)
        let side = client.buffer.withReadable { octets in
            entry.split.side(request, octets, client: address)
        }
        switch side {
        case .kept(let side): return entry.upstream(of: side)
        case .open: return entry.upstream(of: entry.split.side(of: worker.requestIDs.next().0))
        case .openForCookie:
            var mark: UInt64 = 0
            while mark == 0 { mark = worker.requestIDs.next().0 }
            cohortMark = mark
            return entry.upstream(of: entry.split.side(of: Self.markText(mark).span))
        }
    }

    private static func markText(_ mark: UInt64) -> [UInt8] {
        let digits = String(mark, radix: 16)
        return Array((String(repeating: "0", count: 16 - digits.utf8.count) + digits).utf8)
    }

    /// The cookie that keeps a client on its side of a split: a random mark that says nothing but to the split.
    func appendCohortCookie(_ tables: WorkerTables, to head: inout Buffer) {
        guard cohortMark != 0, let route,
            case .split(let index) = tables.routes[route].action,
            let name = tables.splits[Int(index)].split.cookieName
        else { return }
        head.append("set-cookie: " as StaticString)
        head.append(name)
        head.append(UInt8(ascii: "="))
        head.append(Self.markText(cohortMark))
        head.append("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax" as StaticString)
        if isClientHTTPS { head.append("; Secure" as StaticString) }
        head.append("\r\n" as StaticString)
    }
}
