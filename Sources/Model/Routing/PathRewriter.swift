package import Bytes
package import FleetModel
package import HTTPSemantics
import RegularExpressions

/// What a route's `rewrite` makes of a path, the same on nodes and for `explain`.
///
///     prefix   /products → /api:   /products/7 ─▶ /api/7      /products ─▶ /api      /products/ ─▶ /api/
///     regex    ^/v(\d+)/ → /$1/:   /v2/items   ─▶ /2/items    and the result is normalised again
///
/// It works in memory of its own: each thread has one of its own.
package final class PathRewriter {
    private let way: Way
    private let rules: PathRules
    private var captures = Captures()
    private var made: [UInt8] = []

    private enum Way {
        /// So many octets at the front are replaced by these, which end without a slash.
        case prefix(count: Int, replacement: [UInt8])
        case whole([UInt8])
        case regex(RegularExpression, Substitution)
        /// What was checked cannot be compiled here, for want of memory: no path is rewritten by mistake.
        case impossible
    }

    /// Compiles a route's rewriting; `nil` where its paths stay as they are.
    ///
    /// - Parameters:
    ///   - route: A route.
    ///   - rules: What a path may be that comes out of a regular expression.
    package init?(_ route: Route, rules: PathRules = PathRules()) {
        self.rules = rules
        switch route.rewrite?.path {
        case nil: return nil
        case .path(let path): way = .whole(Array(path.utf8))
        case .prefix(let replacement):
            guard case .prefix(let matched)? = route.conditions.path else { return nil }
            way = .prefix(
                count: PathPattern.stem(ofPrefix: matched).utf8.count,
                replacement: Array(PathPattern.stem(ofPrefix: replacement).utf8)
            )
        case .regex(let pattern, let substitution):
            do {
                let expression = try RegularExpression(pattern: pattern)
                way = .regex(expression, try Substitution(substitution, for: expression))
            } catch {
                way = .impossible
            }
        }
    }

    /// Whether a path that was rewritten may be refused: what a pattern makes of it may be none.
    package var mayFail: Bool {
        switch way {
        case .prefix, .whole: false
        case .regex, .impossible: true
        }
    }

    /// Appends what becomes of a path.
    ///
    /// - Parameters:
    ///   - path: A normalised path that the route matched.
    ///   - output: Has room for it.
    /// - Returns: `false` where no path comes out, and then nothing was appended: the request goes nowhere.
    /// - Complexity: O(length), times the number of matches of a pattern. A pattern's result is allocated only where it
    ///   is not normal already.
    package func append(_ path: Span<UInt8>, to output: inout Buffer) -> Bool {
        switch way {
        case .whole(let replacement): return output.append(replacement)
        case .prefix(let count, let replacement):
            guard count <= path.count else { return false }
            let rest = path.extracting(count...)
            guard replacement.isEmpty else {
                return output.append(replacement) && output.append(rest)
            }
            return rest.isEmpty ? output.append(slash) : Self.append(rooted: rest, to: &output)
        case .regex(let expression, let substitution):
            return replace(expression, substitution, in: path, to: &output)
        case .impossible: return false
        }
    }

    private func replace(
        _ expression: RegularExpression,
        _ substitution: Substitution,
        in path: Span<UInt8>,
        to output: inout Buffer
    ) -> Bool {
        made.removeAll(keepingCapacity: true)
        do throws(MatchError) {
            let count = try expression.replaceMatches(
                in: path,
                with: substitution,
                captures: &captures,
                into: &made,
                octetsMax: Limits.rewrittenPathBytesMax
            )
            if count == 0 { return output.append(path) }
        } catch {
            return false
        }
        let path = made
        guard path.first == slash else { return false }
        if PathNormaliser.isNormal(path.span, path.indices, rules: rules) {
            return Self.append(rooted: path.span, to: &output)
        }
        guard let normal = PathNormaliser.normalise(path.span, path.indices, rules: rules) else {
            return false
        }
        return Self.append(rooted: normal.span, to: &output)
    }

    /// Appends a path with one slash at its front: what starts with two of them names a host to some readers.
    private static func append(rooted path: Span<UInt8>, to output: inout Buffer) -> Bool {
        var start = 0
        while start + 1 < path.count, path[start] == slash, path[start + 1] == slash { start += 1 }
        return output.append(path.extracting(start...))
    }
}

private let slash = UInt8(ascii: "/")
