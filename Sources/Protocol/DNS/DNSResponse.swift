internal import Bytes

/// An address of a record.
package enum DNSAddress: Hashable, Sendable {
    /// Four octets, the first most significant.
    case v4(UInt32)
    /// Sixteen octets, the first of `high` most significant.
    case v6(high: UInt64, low: UInt64)
}

/// A service of a record (RFC 2782).
package struct DNSService: Hashable, Sendable {
    /// Lower ones are tried first.
    package let priority: UInt16
    /// The share among those of one priority.
    package let weight: UInt16
    /// Where the target listens.
    package let port: UInt16
    /// The host; the root means that there is no such service.
    package let target: DNSName

    /// Joins the fields.
    package init(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName) {
        (self.priority, self.weight) = (priority, weight)
        (self.port, self.target) = (port, target)
    }
}

/// Which records a question was about.
package enum DNSRecordKind: UInt16, Sendable {
    case a = 1
    case aaaa = 28
    case srv = 33
}

/// What a name server says to a question.
///
///     header (12) | question | answers | authorities | additional records
///
/// RFC 1035 §4.1. Of the answers, those count that belong to the name that was asked for, or to one that its aliases
/// (CNAME) lead to.
package struct DNSResponse: Equatable, Sendable {
    /// The response code: 0 is success, 2 a failure of the server, 3 says that there is no such name.
    package private(set) var code: UInt8 = 0
    /// What `a` and `aaaa` questions ask for, in the message's order, without repetition.
    package private(set) var addresses: [DNSAddress] = []
    /// What `srv` questions ask for, likewise.
    package private(set) var services: [DNSService] = []
    /// Records beyond the limit, which were left out.
    package private(set) var droppedCount = 0
    /// How long the answer holds: the least of the records that led to it, in seconds; for one without records what
    /// RFC 2308 §5 says, and `nil` where the message does not.
    package private(set) var seconds: UInt32?

    private enum RecordType {
        static let alias: UInt16 = 5
        static let authority: UInt16 = 6
    }

    /// A record, its content not yet read.
    private struct Record {
        let owner: DNSName
        let type: UInt16
        let seconds: UInt32
        let content: Range<Int>
    }

    /// Reads a message.
    ///
    /// - Parameters:
    ///   - message: All of it.
    ///   - kind: What was asked for.
    /// - Throws: `DNSError`: the answer is of no use then.
    /// - Complexity: O(`message.count`), some 255 times that where names are made of pointers.
    package init(_ message: Span<UInt8>, answering kind: DNSRecordKind) throws(DNSError) {
        var offset = 0
        let (_, flags) = try Self.integers(message, at: &offset)
        let (questions, answers) = try Self.integers(message, at: &offset)
        let (authorities, _) = try Self.integers(message, at: &offset)
        try read(message, kind, flags, (questions, answers, authorities), at: offset)
    }

    private mutating func read(
        _ message: Span<UInt8>,
        _ kind: DNSRecordKind,
        _ flags: UInt16,
        _ counts: (questions: UInt16, answers: UInt16, authorities: UInt16),
        at start: Int
    ) throws(DNSError) {
        // The response bit, and the kind of question in the four behind it.
        guard flags & 0xF800 == 0x8000 else { throw .notAResponse }
        guard counts.questions == 1 else { throw .questionCountInvalid }
        code = UInt8(truncatingIfNeeded: flags & 0xF)
        var offset = start
        let question = try DNSName.read(message, at: &offset)
        let (type, classNumber) = try Self.integers(message, at: &offset)
        guard type == kind.rawValue, classNumber == 1 else { throw .questionMismatch }
        var answers: [Record] = []
        for _ in 0..<counts.answers {
            if let record = try Self.record(message, at: &offset) { answers.append(record) }
        }
        let end = try follow(question, in: answers, message)
        try take(answers, of: end, kind, message)
        guard addresses.isEmpty, services.isEmpty else { return }
        // Without records, what the aliases said of themselves bounds what the authority says of the end.
        for _ in 0..<counts.authorities {
            guard let record = try Self.record(message, at: &offset),
                record.type == RecordType.authority
            else { continue }
            hold(min(record.seconds, try Self.negativeSeconds(message, record)))
        }
    }

    // MARK: Leaves

    /// Follows aliases from a name to its end.
    private mutating func follow(
        _ name: DNSName,
        in records: [Record],
        _ message: Span<UInt8>
    ) throws(DNSError) -> DNSName {
        var aliases: [DNSName: Record] = [:]
        for record in records where record.type == RecordType.alias {
            aliases[record.owner] = aliases[record.owner] ?? record
        }
        var name = name
        for _ in 0..<Limits.aliasesMax {
            guard let alias = aliases[name] else { break }
            hold(alias.seconds)
            name = try Self.name(message, alias.content)
        }
        return name
    }

    /// Takes the records of the kind that a name has.
    private mutating func take(
        _ records: [Record],
        of name: DNSName,
        _ kind: DNSRecordKind,
        _ message: Span<UInt8>
    ) throws(DNSError) {
        var (knownAddresses, knownServices) = (Set<DNSAddress>(), Set<DNSService>())
        for record in records where record.type == kind.rawValue && record.owner == name {
            hold(record.seconds)
            let isFull = addresses.count + services.count >= Limits.recordsMax
            switch kind {
            case .a, .aaaa:
                let address = try Self.address(message, record.content, kind)
                guard knownAddresses.insert(address).inserted else { continue }
                if isFull { droppedCount += 1 } else { addresses.append(address) }
            case .srv:
                let service = try Self.service(message, record.content)
                guard knownServices.insert(service).inserted else { continue }
                if isFull { droppedCount += 1 } else { services.append(service) }
            }
        }
    }

    /// Has the answer hold no longer than this; a number with the highest bit is none (RFC 2181 §8).
    private mutating func hold(_ seconds: UInt32) {
        let counted = seconds > UInt32(Int32.max) ? 0 : seconds
        self.seconds = min(self.seconds ?? counted, counted)
    }

    private static func integers(
        _ message: Span<UInt8>,
        at offset: inout Int
    ) throws(DNSError) -> (UInt16, UInt16) {
        var reader = BinaryReader(at: offset)
        do throws(BinaryError) {
            let pair = (try reader.readUInt16(message), try reader.readUInt16(message))
            offset = reader.offset
            return pair
        } catch {
            throw .truncated
        }
    }

    /// Reads a record up to its end; `nil` for one of another class than the Internet's.
    private static func record(
        _ message: Span<UInt8>,
        at offset: inout Int
    ) throws(DNSError) -> Record? {
        let owner = try DNSName.read(message, at: &offset)
        let (type, classNumber) = try integers(message, at: &offset)
        var reader = BinaryReader(at: offset)
        do throws(BinaryError) {
            let seconds = try reader.readUInt32(message)
            let length = Int(try reader.readUInt16(message))
            let content = try reader.readOctets(length, of: message)
            offset = reader.offset
            guard classNumber == 1 else { return nil }
            return Record(owner: owner, type: type, seconds: seconds, content: content)
        } catch {
            throw .truncated
        }
    }

    /// A content that is a name and nothing else.
    private static func name(
        _ message: Span<UInt8>,
        _ content: Range<Int>
    ) throws(DNSError) -> DNSName {
        var offset = content.lowerBound
        let name = try DNSName.read(message, at: &offset)
        guard offset == content.upperBound else { throw .contentLengthInvalid }
        return name
    }

    private static func address(
        _ message: Span<UInt8>,
        _ content: Range<Int>,
        _ kind: DNSRecordKind
    ) throws(DNSError) -> DNSAddress {
        guard content.count == (kind == .a ? 4 : 16) else { throw .contentLengthInvalid }
        var reader = BinaryReader(at: content.lowerBound)
        do throws(BinaryError) {
            if kind == .a { return .v4(try reader.readUInt32(message)) }
            return .v6(high: try reader.readUInt64(message), low: try reader.readUInt64(message))
        } catch {
            throw .truncated
        }
    }

    private static func service(
        _ message: Span<UInt8>,
        _ content: Range<Int>
    ) throws(DNSError) -> DNSService {
        guard content.count >= 7 else { throw .contentLengthInvalid }
        var offset = content.lowerBound
        let (priority, weight) = try integers(message, at: &offset)
        var reader = BinaryReader(at: offset)
        let port: UInt16
        do throws(BinaryError) { port = try reader.readUInt16(message) } catch { throw .truncated }
        let target = try name(message, reader.offset..<content.upperBound)
        return DNSService(priority: priority, weight: weight, port: port, target: target)
    }

    /// The last field of a zone's start of authority: how long a name is known not to be (RFC 2308 §4).
    private static func negativeSeconds(
        _ message: Span<UInt8>,
        _ record: Record
    ) throws(DNSError) -> UInt32 {
        guard record.content.count >= 22 else { throw .contentLengthInvalid }
        var reader = BinaryReader(at: record.content.upperBound - 4)
        do throws(BinaryError) { return try reader.readUInt32(message) } catch { throw .truncated }
    }
}
