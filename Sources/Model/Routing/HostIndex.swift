import Bytes
import FleetModel

/// The host patterns of a route table, each with its less specific parent; node 0 is any host.
struct HostIndex: Sendable {
    private enum Kind: UInt8 {
        case any, exact, wildcard
    }

    private struct Node {
        var kind: Kind
        /// The name or, of a wildcard, what follows its `*.`, within `text`.
        var name: OctetRange
        /// The longest wildcard that also holds, or 0; -1 for any host.
        var parent: Int32 = -1
        /// The routes without a path condition.
        var anyPath = CandidateList()
        /// The number of the list of regular expressions, or -1.
        var expressions: Int32 = -1
        /// Segments of the shortest and of the longest prefix.
        var depthMin = Int32.max
        var depthMax: Int32 = -1
    }

    private var nodes = [Node(kind: .any, name: OctetRange())]
    /// The hash of each; only building needs them.
    private var hashes: [UInt64] = [0]
    private var text: [UInt8] = []
    private var exact = HashIndex()
    private var wildcards = HashIndex()

    // MARK: Building

    /// The node of a pattern, made if it is new.
    mutating func insert(_ pattern: HostPattern?) -> Int {
        let isExact: Bool
        let name: String
        switch pattern {
        case nil: return 0
        case .exact(let host): (name, isExact) = (host, true)
        case .wildcard(let suffix): (name, isExact) = (suffix, false)
        }
        let octets = name.utf8.span
        let range = 0..<octets.count
        let hash = Self.hash(octets, range)
        if let node = find(isExact ? exact : wildcards, octets, range, hash) { return node }
        let start = text.count
        for index in range { text.append(asciiLowercased(octets[index])) }
        let node = nodes.count
        nodes.append(
            Node(
                kind: isExact ? .exact : .wildcard,
                name: OctetRange(start, text.count)
            )
        )
        hashes.append(hash)
        if isExact {
            exact.insert(node, hash) { hashes[$0] }
        } else {
            wildcards.insert(node, hash) { hashes[$0] }
        }
        return node
    }

    /// Notes a prefix of `depth` segments.
    mutating func noteDepth(_ depth: Int, of node: Int) {
        nodes[node].depthMin = min(nodes[node].depthMin, Int32(clamping: depth))
        nodes[node].depthMax = max(nodes[node].depthMax, Int32(clamping: depth))
    }

    /// Notes the routes without a path condition.
    mutating func setAnyPath(_ candidates: CandidateList, of node: Int) {
        nodes[node].anyPath = candidates
    }

    /// Notes the number of the list of regular expressions.
    mutating func setExpressions(_ list: Int, of node: Int) {
        nodes[node].expressions = Int32(list)
    }

    /// Finds every node's parent and gives back what only building needed, when all patterns are in.
    mutating func finish() {
        hashes = []
        let names = text
        for node in nodes.indices.dropFirst() {
            nodes[node].parent = Int32(findWildcard(names.span, nodes[node].name.indices))
        }
    }

    // MARK: Looking up

    /// The most specific node that holds for a host.
    func find(_ host: Span<UInt8>) -> Int {
        var end = host.count
        if end > 0, host[end - 1] == 0x2e { end -= 1 }
        guard end > 0 else { return 0 }
        if let node = find(exact, host, 0..<end, Self.hash(host, 0..<end)) { return node }
        return findWildcard(host, 0..<end)
    }

    /// The less specific node that also holds.
    func parent(of node: Int) -> Int? {
        let parent = nodes[node].parent
        return parent < 0 ? nil : Int(parent)
    }

    /// The routes without a path condition.
    func anyPath(of node: Int) -> CandidateList { nodes[node].anyPath }

    /// The number of the list of regular expressions.
    func expressions(of node: Int) -> Int? {
        let list = nodes[node].expressions
        return list < 0 ? nil : Int(list)
    }

    /// Segments of the shortest and of the longest prefix; the latter is -1 when there is none.
    func depths(of node: Int) -> (min: Int, max: Int) {
        (Int(nodes[node].depthMin), Int(nodes[node].depthMax))
    }

    /// The pattern of a node.
    func pattern(of node: Int) -> HostPattern? {
        let name = String(decoding: text[nodes[node].name.indices], as: UTF8.self)
        return switch nodes[node].kind {
        case .any: nil
        case .exact: .exact(name)
        case .wildcard: .wildcard(name)
        }
    }

    /// The longest wildcard that holds for a host, or 0: one whose name follows a dot in it.
    private func findWildcard(_ host: Span<UInt8>, _ range: Range<Int>) -> Int {
        guard !wildcards.isEmpty, host[range.lowerBound] != 0x5b else { return 0 }
        var index = range.lowerBound
        while true {
            let dot = host.firstIndex(of: 0x2e, from: index, to: range.upperBound)
            guard dot + 1 < range.upperBound else { return 0 }
            index = dot + 1
            let suffix = index..<range.upperBound
            if let node = find(wildcards, host, suffix, Self.hash(host, suffix)) { return node }
        }
    }

    @inline(__always)
    private func find(
        _ index: HashIndex,
        _ host: Span<UInt8>,
        _ range: Range<Int>,
        _ hash: UInt64
    ) -> Int? {
        var slot = index.start(hash)
        while let node = index.next(hash, &slot) {
            let name = text.span.extracting(nodes[node].name.indices)
            if name.equalsIgnoringCase(host.extracting(range)) { return node }
        }
        return nil
    }

    /// The hash of a host, case aside.
    private static func hash(_ host: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash = UInt64(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let count = min(8, range.upperBound - index)
            hash = HashIndex.mix(asciiLowercased(host.word(at: index, count: count)), into: hash)
            index += 8
        }
        return hash
    }
}
