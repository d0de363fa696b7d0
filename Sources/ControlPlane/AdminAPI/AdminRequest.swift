import AdminMessages
import FleetModel
import Foundation
import HTTPTypes

/// A request as an endpoint sees it: checked in form, with its whole body.
struct AdminRequest: Sendable {
    let requestID: String
    let body: [UInt8]
    /// Parameters of the path.
    let path: [String: String]
    /// Parameters of the query.
    let query: [String: String]
    let ifMatch: String?
    let ifNoneMatch: String?

    /// A number in the path; another text names nothing that exists.
    func number(_ name: String) throws -> UInt64 {
        guard let number = path[name].flatMap(decimal), number > 0 else {
            throw AdminError.notFound("there is no version \(shown(path[name] ?? ""))")
        }
        return number
    }

    /// A name in the path.
    func name(_ name: String) throws -> String {
        guard let text = path[name], !text.isEmpty else { throw AdminError.notFound("no name") }
        return text
    }

    /// A number in the query.
    func queryNumber(_ name: String, in range: ClosedRange<UInt64>) throws -> UInt64? {
        guard let text = query[name] else { return nil }
        guard let number = decimal(text), range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "of at least \(range.lowerBound)"
                : "between \(range.lowerBound) and \(range.upperBound)"
            throw AdminError.badRequest("the parameter \(name) must be a number \(bounds)")
        }
        return number
    }

    /// `limit` of a page.
    func pageLimit() throws -> Int {
        let limit = try queryNumber("limit", in: 1...UInt64(AdminLimits.pageRowsMax))
        return limit.map { Int($0) } ?? AdminLimits.pageRowsDefault
    }

    /// `before` of a page.
    func pageBefore() throws -> UInt64? {
        try queryNumber("before", in: 1...UInt64(Int64.max))
    }

    /// What `If-Match` demands of the head.
    func expectation() throws -> Expectation {
        guard let ifMatch else { return .none }
        return try Expectation(ifMatch)
    }

    /// Whether `If-None-Match` names the version (RFC 9110 §13.1.2, weak comparison).
    func hasAlready(_ version: UInt64) -> Bool {
        guard let ifNoneMatch else { return false }
        return ifNoneMatch.split(separator: ",").contains { part in
            let tag = part.trimmingCharacters(in: .whitespaces)
            return tag == "*" || tag == "\"\(version)\"" || tag == "W/\"\(version)\""
        }
    }

    /// The parameters of a query, each at most once and none but `known`.
    static func query(_ text: String?, known: [String]) throws -> [String: String] {
        var values: [String: String] = [:]
        for pair in (text ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0]).removingPercentEncoding ?? String(parts[0])
            guard known.contains(name) else {
                throw AdminError.badRequest("unknown parameter \(shown(name)) in the query")
            }
            guard let value = String(parts.count > 1 ? parts[1] : "").removingPercentEncoding else {
                throw AdminError.badRequest("the parameter \(name) is not percent-encoded UTF-8")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw AdminError.badRequest("the parameter \(name) stands in the query twice")
            }
        }
        return values
    }
}

/// What a change demands of the head before it (RFC 9110 §13.1.1).
enum Expectation: Sendable, Equatable {
    /// Nothing.
    case none
    /// That there is one: `*`.
    case any
    /// That it is one of these; 0 stands for "no version yet".
    case versions([UInt64])

    /// Reads the value of `If-Match`.
    ///
    /// A weak tag never matches (strong comparison); it is kept as a version that no head has.
    init(_ text: String) throws {
        let text = text.trimmingCharacters(in: .whitespaces)
        if text == "*" {
            self = .any
            return
        }
        let versions = try text.split(separator: ",").map { part in
            let tag = part.trimmingCharacters(in: .whitespaces)
            let isWeak = tag.hasPrefix("W/")
            let quoted = isWeak ? tag.dropFirst(2) : tag[...]
            guard quoted.count >= 2, quoted.hasPrefix("\""), quoted.hasSuffix("\"") else {
                throw AdminError.badRequest(
                    "If-Match must be a version in double quotes, such as \"7\""
                )
            }
            let number = decimal(String(quoted.dropFirst().dropLast()))
            return isWeak ? UInt64.max : number ?? .max
        }
        guard !versions.isEmpty else { throw AdminError.badRequest("If-Match is empty") }
        self = .versions(versions)
    }
}

/// The text without percent-encoding; nil if that is not UTF-8.
func percentDecoded(_ text: String) -> String? { text.removingPercentEncoding }

/// Digits only: no sign, no space, no underscore.
func decimal(_ text: String) -> UInt64? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return UInt64(text)
}

/// A text of the client in a message: in quotes, without control characters, and not too long.
func shown(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(60) {
        let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        result.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    return "\"\(result)\(text.unicodeScalars.count > 60 ? "…" : "")\""
}

// MARK: - Bodies

/// Reads the fields of a JSON body with FleetModel's strict reader, and refuses those that nobody asked for.
struct BodyReader {
    private var fields: [String: ConfigurationNode] = [:]

    /// - Throws: `bad_json` naming the place, or `bad_request` if it is no object.
    init(_ octets: [UInt8]) throws {
        let node: ConfigurationNode
        do throws(ConfigurationProblems) {
            node = try JSONReader.read(octets, bytesMax: AdminLimits.configurationBytesMax)
        } catch {
            let problem = error.problems[0]
            throw AdminError(
                .badRequest,
                .badJSON,
                "the body is not JSON: line \(max(1, problem.line)), column \(max(1, problem.column)): "
                    + problem.message
            )
        }
        guard let entries = node.entries else {
            throw AdminError.badRequest("the body must be a JSON object")
        }
        for entry in entries { fields[entry.key] = entry.value }
    }

    /// A part as it stands; it must be there.
    mutating func node(_ name: String) throws -> ConfigurationNode {
        guard let node = fields.removeValue(forKey: name) else {
            throw AdminError.badRequest("the field \(name) is missing")
        }
        return node
    }

    /// A string of at most `bytesMax` octets; nothing if it is not there or null.
    mutating func string(_ name: String, bytesMax: Int) throws -> String? {
        guard let scalar = try scalar(name, .quoted, "a string") else { return nil }
        guard scalar.utf8.count <= bytesMax else {
            throw AdminError.badRequest("the field \(name) is longer than \(bytesMax) octets")
        }
        return scalar
    }

    /// A number without sign or fraction; nothing if it is not there or null.
    mutating func number(_ name: String) throws -> UInt64? {
        guard let text = try scalar(name, .number, "a number") else { return nil }
        guard let number = decimal(text) else {
            throw AdminError.badRequest("the field \(name) must be a whole number from 0")
        }
        return number
    }

    /// `true` or `false`; nothing if it is not there or null.
    mutating func bool(_ name: String) throws -> Bool? {
        try scalar(name, .boolean, "true or false").map { $0 == "true" }
    }

    /// An object of strings; empty if it is not there or null.
    mutating func strings(_ name: String) throws -> [String: String] {
        guard let node = fields.removeValue(forKey: name), !Self.isNull(node) else { return [:] }
        guard let entries = node.entries else {
            throw AdminError.badRequest("the field \(name) must be an object of strings")
        }
        var values: [String: String] = [:]
        for entry in entries {
            guard case .scalar(let scalar) = entry.value.value, scalar.style == .quoted else {
                throw AdminError.badRequest(
                    "the field \(name).\(shown(entry.key)) must be a string"
                )
            }
            values[entry.key] = scalar.text
        }
        return values
    }

    /// Refuses what is left.
    func finish() throws {
        guard let unknown = fields.keys.min() else { return }
        throw AdminError.badRequest("unknown field \(shown(unknown))")
    }

    private mutating func scalar(
        _ name: String,
        _ style: ConfigurationNode.Style,
        _ noun: String
    ) throws -> String? {
        guard let node = fields.removeValue(forKey: name), !Self.isNull(node) else { return nil }
        guard case .scalar(let scalar) = node.value, scalar.style == style else {
            throw AdminError.badRequest("the field \(name) must be \(noun)")
        }
        return scalar.text
    }

    private static func isNull(_ node: ConfigurationNode) -> Bool {
        guard case .scalar(let scalar) = node.value else { return false }
        return scalar.style == .null
    }
}
