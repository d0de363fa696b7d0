import Bytes
import FleetModel
import Structures

/// The path patterns of a route table, by host node.
///
/// A path's hash is taken segment by segment, so one walk along it gives the hash of every prefix.
struct PathIndex: ~Copyable, Sendable {
    /// A pattern, in 64 octets.
    struct Node: BitwiseCopyable {
        /// The pattern; of a prefix without a slash at its end, so `/` is empty.
        var path: TextKey
        /// Where in `text` it begins.
        var pathStart: UInt32
        var host: Int32
        /// The longest prefix that also holds, or -1.
        var parent: Int32 = -1
        /// The routes with this pattern.
        var candidates = CandidateList()
        var isExact: Bool
    }

    private var nodes = AlignedArray<Node>()
    /// The hash of each; only building needs them.
    private var hashes: [UInt64] = []
    private var text: [UInt8] = []
    private var exact = HashIndex()
    private var prefixes = HashIndex()

    // MARK: Building

    /// The node of a pattern, made if it is new.
    ///
    /// - Parameters:
    ///   - path: The pattern, starting with a slash.
    ///   - isExact: Whether the whole path must be equal.
    ///   - host: The host's node.
    /// - Returns: The node, and its number of segments.
    mutating func insert(
        _ path: String,
        isExact: Bool,
        host: Int
    ) -> (node: Int, depth: Int) {
        let octets = path.utf8.span
        var end = octets.count
        if !isExact, end > 0, octets[end - 1] == 0x2f { end -= 1 }
        let pattern = octets.extracting(0..<end)
        var hash = Self.seed(host: host)
        var depth = 0
        var index = 0
        while index < end {
            let next = pattern.firstIndex(of: 0x2f, from: index + 1, to: end)
            hash = Self.mix(pattern, index + 1..<next, into: hash)
            depth += 1
            index = next
        }
        let known =
            isExact
            ? find(exact, octets, 0..<end, hash, host)
            : find(prefixes, octets, 0..<end, hash, host)
        if let known { return (known, depth) }
        let node = nodes.count
        nodes.append(
            Node(
                path: TextKey(pattern, 0..<end),
                pathStart: UInt32(text.count),
                host: Int32(host),
                isExact: isExact
            )
        )
        for index in pattern.indices { text.append(pattern[index]) }
        hashes.append(hash)
        if isExact {
            exact.insert(node, hash) { hashes[$0] }
        } else {
            prefixes.insert(node, hash) { hashes[$0] }
        }
        return (node, depth)
    }

    /// Notes the routes with a node's pattern.
    mutating func setCandidates(_ candidates: CandidateList, of node: Int) {
        nodes[node].candidates = candidates
    }

    /// Finds every node's parent and gives back what only building needed, when all patterns are in.
    mutating func finish() {
        hashes = []
        let patterns = text
        for node in 0..<nodes.count {
            let path = patterns.span.extracting(pathRange(of: node))
            // Of a prefix, one that is shorter.
            let depthMax = nodes[node].isExact ? Int.max : depth(of: path) - 1
            let (parent, _) = findPrefix(
                path,
                host: Int(nodes[node].host),
                depths: (0, depthMax),
                toEnd: false
            )
            nodes[node].parent = Int32(parent)
        }
    }

    /// Number of segments.
    private func depth(of path: Span<UInt8>) -> Int {
        var depth = 0
        for index in path.indices where path[index] == 0x2f { depth += 1 }
        return depth
    }

    // MARK: Looking up

    /// The node of the path itself or else of its longest prefix.
    ///
    /// - Parameters:
    ///   - path: A normalised path.
    ///   - host: The host's node.
    ///   - depths: Segments of the host's shortest and longest prefix; others are not looked for.
    /// - Returns: The node, or -1.
    func find(
        _ path: Span<UInt8>,
        host: Int,
        depths: (min: Int, max: Int)
    ) -> Int {
        let (best, hash) = findPrefix(path, host: host, depths: depths, toEnd: !exact.isEmpty)
        guard !exact.isEmpty else { return best }
        return find(exact, path, 0..<path.count, hash, host) ?? best
    }

    /// The node of the longest prefix of a path, or -1, and the hash of as much of the path as was walked along.
    ///
    /// - Parameters:
    ///   - path: A normalised path.
    ///   - host: The host's node.
    ///   - depths: How many segments the prefix may have.
    ///   - toEnd: Whether the hash of the whole path is wanted.
    /// - Returns: Both.
    @inline(__always)
    private func findPrefix(
        _ path: Span<UInt8>,
        host: Int,
        depths: (min: Int, max: Int),
        toEnd: Bool
    ) -> (node: Int, hash: UInt64) {
        var best = -1
        var hash = Self.seed(host: host)
        if depths.min <= 0, depths.max >= 0,
            let node = find(prefixes, path, 0..<0, hash, host)
        {
            best = node
        }
        var depth = 0
        var index = 0
        while index < path.count, toEnd || depth < depths.max {
            let next = path.firstIndex(of: 0x2f, from: index + 1, to: path.count)
            hash = Self.mix(path, index + 1..<next, into: hash)
            depth += 1
            index = next
            if depth >= depths.min, depth <= depths.max,
                let node = find(prefixes, path, 0..<next, hash, host)
            {
                best = node
            }
        }
        return (best, hash)
    }

    /// The routes of a node.
    @inline(__always)
    func candidates(of node: Int) -> CandidateList { nodes[node].candidates }

    /// The longest prefix that holds where a node does, or -1.
    @inline(__always)
    func parent(of node: Int) -> Int { Int(nodes[node].parent) }

    /// The pattern of a node.
    func pattern(of node: Int) -> PathPattern {
        let path = String(decoding: text[pathRange(of: node)], as: UTF8.self)
        if nodes[node].isExact { return .exact(path) }
        return .prefix(path.isEmpty || path.hasSuffix("/") ? path + "/" : path)
    }

    @inline(__always)
    private func find(
        _ index: borrowing HashIndex,
        _ path: Span<UInt8>,
        _ stretch: Range<Int>,
        _ hash: UInt64,
        _ host: Int
    ) -> Int? {
        let key = TextKey(path, stretch)
        var slot = index.start(hash)
        while let node = index.next(hash, &slot) {
            guard nodes[node].host == Int32(host), nodes[node].path == key else { continue }
            if !key.isCut { return node }
            let pattern = text.span.extracting(pathRange(of: node))
            if pattern.equals(path.extracting(stretch)) { return node }
        }
        return nil
    }

    /// Where in `text` a node's pattern lies.
    private func pathRange(of node: Int) -> Range<Int> {
        let start = Int(nodes[node].pathStart)
        return start..<start + Int(nodes[node].path.count)
    }

    @inline(__always)
    private static func seed(host: Int) -> UInt64 {
        HashIndex.mix(UInt64(host), into: 0x5eed)
    }

    /// Takes one segment into a hash.
    @inline(__always)
    private static func mix(
        _ path: Span<UInt8>,
        _ segment: Range<Int>,
        into hash: UInt64
    ) -> UInt64 {
        var hash = hash ^ UInt64(segment.count)
        var index = segment.lowerBound
        repeat {
            let count = max(0, min(8, segment.upperBound - index))
            hash = HashIndex.mix(path.word(at: index, count: count), into: hash)
            index += 8
        } while index < segment.upperBound
        return hash
    }
}
