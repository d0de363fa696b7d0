import AdminMessages
import ControlStore
import FleetModel
import FleetProtocol
import FleetServer
import Foundation

// How what the parts below know becomes the messages of the admin API.

/// JSON with sorted keys, so that equal answers are equal octets.
func encodeJSON(_ message: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(message))
}

/// RFC 3339 in UTC with milliseconds.
func timestamp(_ milliseconds: Int64) -> String {
    let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
    // Formatted apart: a Date is a Double, and loses a millisecond now and then.
    let whole = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    let digits = String(rest)
    return whole.dropLast() + "." + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
        + "Z"
}

extension VersionAnswer {
    init(_ version: StoredVersion) {
        self.init(
            version: version.number,
            digest: version.digest.hex,
            author: version.author,
            time: timestamp(version.createdMilliseconds),
            message: version.message,
            parent: version.parent
        )
    }
}

extension AuditAnswer {
    init(_ entry: AuditEntry) {
        self.init(
            id: UInt64(clamping: entry.id),
            time: timestamp(entry.timeMilliseconds),
            actor: entry.author,
            action: entry.action,
            target: entry.subject,
            detail: entry.detail,
            requestID: entry.requestID
        )
    }
}

extension TokenAnswer {
    init(_ token: StoredToken, now: Int64) {
        let state =
            if token.revokedMilliseconds != nil {
                "revoked"
            } else if token.usedBy != nil {
                "used"
            } else if token.expiresMilliseconds < now {
                "expired"
            } else {
                "usable"
            }
        self.init(
            id: token.id,
            labels: token.labels,
            createdAt: timestamp(token.createdMilliseconds),
            expiresAt: timestamp(token.expiresMilliseconds),
            state: state,
            usedBy: token.usedBy
        )
    }
}

extension ResourceError {
    init(_ problem: Problem) {
        self.init(
            kind: problem.kind?.rawValue ?? "",
            name: problem.name,
            field: problem.field,
            message: problem.message
        )
    }
}

extension ConfigurationProblem {
    init(_ problem: Problem) {
        self.init(
            kind: problem.kind?.rawValue ?? "",
            name: problem.name,
            field: problem.field,
            message: problem.message,
            line: problem.line > 0 ? problem.line : nil,
            column: problem.line > 0 ? problem.column : nil
        )
    }
}

extension NodeAnswer {
    init(_ node: NodeStatus) {
        var errors = node.problems.map { ResourceError($0) }
        if errors.isEmpty, node.failed != nil {
            errors.append(
                ResourceError(kind: "", name: "", field: "", message: "rejected without a reason")
            )
        }
        if let problem = node.lastGoodProblem {
            // It serves, but could not after a restart without the control plane: an operator must know.
            errors.append(
                ResourceError(kind: "node", name: node.name, field: "lastGood", message: problem)
            )
        }
        self.init(
            name: node.name,
            state: node.state.rawValue,
            version: node.active?.version,
            digest: node.active?.digest.hex,
            desired: node.desired?.version,
            error: errors.isEmpty ? nil : errors,
            labels: node.labels,
            build: node.build,
            seenAt: node.seenAtMilliseconds.map(timestamp)
        )
    }
}

extension RolloutAnswer {
    init(_ rollout: RolloutStatus) {
        self.init(
            version: rollout.version.version,
            digest: rollout.version.digest.hex,
            nodes: rollout.nodes.map { node in
                Node(
                    name: node.name,
                    state: State(node.state),
                    reason: node.state == .excluded ? node.nodeState.rawValue : nil,
                    errors: node.problems.map { ResourceError($0) }
                )
            }
        )
    }

    private typealias State = Node.State
}

extension RolloutAnswer.Node.State {
    init(_ state: RolloutStatus.State) {
        switch state {
        case .applied: self = .applied
        case .pending: self = .pending
        case .rejected: self = .rejected
        case .excluded: self = .excluded
        }
    }
}

extension StatusAnswer {
    init(_ status: FleetStatus) {
        let states = status.countByState.map { ($0.key.rawValue, $0.value) }
        self.init(
            head: status.head?.version,
            digest: status.head?.digest.hex,
            states: Dictionary(uniqueKeysWithValues: states),
            // Version 0 stands for nodes that serve nothing.
            versions: status.countByVersion.filter { $0.key > 0 }
                .sorted { $0.key > $1.key }
                .map { VersionCount(version: $0.key, nodes: $0.value) },
            rejections: status.rejections.map { NodeAnswer($0) },
            requestsPerSecond: status.traffic.requestsPerSecond,
            errorShare: status.traffic.errorShare,
            p50Seconds: status.traffic.p50Seconds,
            p99Seconds: status.traffic.p99Seconds
        )
    }
}

// MARK: - Differences

/// What differs between two lists of resources, each in manifest order.
///
/// Values are the canonical text of scalars, and JSON of lists and maps. Resources beyond
/// `AdminLimits.differenceFieldsMax` fields are told without fields.
func resourceChanges(_ old: [Resource], _ new: [Resource]) -> [ResourceChange] {
    var changes: [ResourceChange] = []
    var fieldCount = 0
    for difference in FieldDifference.between(old, new) {
        let (kind, name) = (difference.kind.rawValue, difference.name)
        let isWhole = difference.field.isEmpty && (difference.old == nil) != (difference.new == nil)
        if isWhole {
            let isNew = difference.old == nil
            var fields: [FieldChange] = []
            if fieldCount < AdminLimits.differenceFieldsMax {
                fields = allFields(difference.new ?? difference.old ?? "", isNew: isNew)
            }
            fieldCount += fields.count
            changes.append(
                ResourceChange(
                    kind: kind,
                    name: name,
                    change: isNew ? .added : .removed,
                    fields: fields
                )
            )
            continue
        }
        let isMove = difference.field == "(order)"
        if changes.last.map({ ($0.kind, $0.name) == (kind, name) }) != true {
            changes.append(
                ResourceChange(
                    kind: kind,
                    name: name,
                    change: isMove ? .moved : .changed,
                    fields: []
                )
            )
        } else if !isMove {
            changes[changes.count - 1].change = .changed
        }
        guard fieldCount < AdminLimits.differenceFieldsMax else { continue }
        fieldCount += 1
        changes[changes.count - 1].fields.append(
            FieldChange(
                field: difference.field,
                from: difference.old.map(fieldValue),
                to: difference.new.map(fieldValue)
            )
        )
    }
    return changes
}

/// Every field of a resource's content but its name.
private func allFields(_ content: String, isNew: Bool) -> [FieldChange] {
    // Content was written by JSONWriter; what cannot be read is told without fields.
    guard let entries = (try? JSONReader.read(Array(content.utf8)))?.entries else { return [] }
    return entries.filter { $0.key != "name" }.map { entry in
        let value = entry.value.text.map { JSONValue.string($0) } ?? JSONValue(entry.value)
        return FieldChange(
            field: entry.key,
            from: isNew ? nil : value,
            to: isNew ? value : nil
        )
    }
}

/// A list or map as JSON, and any other text as it is.
private func fieldValue(_ text: String) -> JSONValue {
    guard text.hasPrefix("[") || text.hasPrefix("{"),
        // An IPv6 address in brackets is no JSON, and stays a text.
        let node = try? JSONReader.read(Array(text.utf8))
    else { return .string(text) }
    return JSONValue(node)
}

extension JSONValue {
    init(_ node: ConfigurationNode) {
        switch node.value {
        case .list(let items): self = .array(items.map { JSONValue($0) })
        case .map(let entries):
            self = .object(Dictionary(entries.map { ($0.key, JSONValue($0.value)) }) { $1 })
        case .scalar(let scalar):
            switch scalar.style {
            case .null: self = .null
            case .boolean: self = .bool(scalar.text == "true")
            case .number:
                self =
                    Int64(scalar.text).map { .integer($0) } ?? .number(Double(scalar.text) ?? 0)
            case .plain, .quoted: self = .string(scalar.text)
            }
        }
    }
}

/// A configuration document of resources in manifest order, put together from their stored content.
///
/// Nothing is read or checked again, so a version that a newer build would refuse can still be exported.
func documentOctets(_ resources: [Resource]) -> [UInt8] {
    var octets = [UInt8(ascii: "{")]
    octets.reserveCapacity(resources.reduce(64) { $0 + $1.content.count + 1 })
    var last: ResourceKind?
    for resource in resources {
        if resource.kind != last {
            if let last {
                octets += last.isSingleton ? [UInt8(ascii: ",")] : Array("],".utf8)
            }
            octets += JSONWriter.string(resource.kind.section)
            octets += resource.kind.isSingleton ? [UInt8(ascii: ":")] : Array(":[".utf8)
            last = resource.kind
        } else {
            octets.append(UInt8(ascii: ","))
        }
        octets += resource.content
    }
    if let last, !last.isSingleton { octets.append(UInt8(ascii: "]")) }
    octets.append(UInt8(ascii: "}"))
    return octets
}
