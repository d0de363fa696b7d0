import Bytes
import FleetModel
import Structures

/// The host patterns of a route table, each with its less specific parent; node 0 is any host.
struct HostIndex: ~Copyable, Sendable {
    /// A pattern, in 64 octets.
    struct Node: BitwiseCopyable {
        /// The name or, of a wildcard, what follows its `*.`; in lower case.
        var name: TextKey
        /// Where in `text` it begins.
        var nameStart: UInt32
        /// The longest wildcard that also holds, or 0; -1 for any host.
        var parent: Int32 = -1
        /// The routes without a path condition.
        var anyPath = CandidateList()
        /// The number of the list of regular expressions, or -1.
        var expressions: Int32 = -1
        /// Segments of the shortest and of the longest prefix; the greatest number is that and more.
        var depthMin = Int16.max
        var depthMax: Int16 = -1
    }

    private var nodes = AlignedArray<Node>()
    /// Which of them are wildcards.
    private var isWildcard = [false]
    /// The hash of each; only building needs them.
    private var hashes: [UInt64] = [0]
    private var text: [UInt8] = []
    private var exact = HashIndex()
    private var wildcards = HashIndex()

    init() {
        let none: [UInt8] = []
        nodes.append(Node(name: TextKey(none.span, 0..<0), nameStart: 0))
    }

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
        let octets = name.utf8.map(asciiLowercased)
        let range = 0..<octets.count
        let key = TextKey(octets.span, range)
        let hash = Self.hash(key, octets.span, range)
        let known =
            isExact
            ? find(exact, key, octets.span, range, hash)
            : find(wildcards, key, octets.span, range, hash)
        if let known { return known }
        let node = nodes.count
        nodes.append(Node(name: key, nameStart: UInt32(text.count)))
        isWildcard.append(!isExact)
        text += octets
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
        nodes[node].depthMin = min(nodes[node].depthMin, Int16(clamping: depth))
        nodes[node].depthMax = max(nodes[node].depthMax, Int16(clamping: depth))
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
        for node in 1..<nodes.count {
            nodes[node].parent = Int32(findWildcard(names.span, nameRange(of: node)))
        }
    }

    // MARK: Looking up

    /// The most specific node that holds for a host.
    ///
    /// - Parameters:
    ///   - octets: Where the host lies.
    ///   - host: Which of them it is.
    /// - Returns: The node.
    func find(_ octets: Span<UInt8>, _ host: Range<Int>) -> Int {
        var end = host.upperBound
        if end > host.lowerBound, octets[end - 1] == 0x2e { end -= 1 }
        guard end > host.lowerBound else { return 0 }
        let host = host.lowerBound..<end
        return find(exact, octets, host) ?? findWildcard(octets, host)
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
        let (min, max) = (nodes[node].depthMin, nodes[node].depthMax)
        return (Int(min), max == .max ? .max : Int(max))
    }

    /// The pattern of a node.
    func pattern(of node: Int) -> HostPattern? {
        if node == 0 { return nil }
        let name = String(decoding: text[nameRange(of: node)], as: UTF8.self)
        return isWildcard[node] ? .wildcard(name) : .exact(name)
    }

    /// The longest wildcard that holds for a host, or 0: one whose name follows a dot in it.
    private func findWildcard(_ octets: Span<UInt8>, _ host: Range<Int>) -> Int {
        guard !wildcards.isEmpty, octets[host.lowerBound] != 0x5b else { return 0 }
        var index = host.lowerBound
        while true {
            let dot = octets.firstIndex(of: 0x2e, from: index, to: host.upperBound)
            guard dot + 1 < host.upperBound else { return 0 }
            index = dot + 1
            let suffix = index..<host.upperBound
            if let node = find(wildcards, octets, suffix) { return node }
        }
    }

    @inline(__always)
    private func find(_ index: borrowing HashIndex, _ octets: Span<UInt8>, _ host: Range<Int>)
        -> Int?
    {
        let key = TextKey(octets, host).lowercased
        return find(index, key, octets, host, Self.hash(key, octets, host))
    }

    @inline(__always)
    private func find(
        _ index: borrowing HashIndex,
        _ key: TextKey,
        _ octets: Span<UInt8>,
        _ host: Range<Int>,
        _ hash: UInt64
    ) -> Int? {
        var slot = index.start(hash)
        while let node = index.next(hash, &slot) {
            guard nodes[node].name == key else { continue }
            if !key.isCut { return node }
            let name = text.span.extracting(nameRange(of: node))
            if name.equalsIgnoringCase(octets.extracting(host)) { return node }
        }
        return nil
    }

    /// Where in `text` a node's name lies.
    private func nameRange(of node: Int) -> Range<Int> {
        let start = Int(nodes[node].nameStart)
        return start..<start + Int(nodes[node].name.count)
    }

    /// The hash of a host whose key is in lower case.
    @inline(__always)
    private static func hash(_ key: TextKey, _ octets: Span<UInt8>, _ host: Range<Int>) -> UInt64 {
        key.isCut ? hash(behind: key, octets, host) : key.hash
    }

    private static func hash(
        behind key: TextKey,
        _ octets: Span<UInt8>,
        _ host: Range<Int>
    ) -> UInt64 {
        var hash = key.hash
        for index in stride(from: host.lowerBound + 24, to: host.upperBound, by: 8) {
            let word = octets.word(at: index, count: min(8, host.upperBound - index))
            hash = HashIndex.mix(asciiLowercased(word), into: hash)
        }
        return hash
    }
}
