import ControlStore
import Cryptography
import FleetServer

/// A key that session tickets are sealed with, as the vault has it.
struct StoredTicketKey: Sendable {
    /// 16 octets.
    let name: [UInt8]
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    let madeMilliseconds: Int64
    let secret: VaultSecret

    /// A new one.
    init(now: Int64) {
        name = randomBytes(16)
        madeMilliseconds = now
        var octets = randomBytes(64)
        let time = (0..<8).map { UInt8(truncatingIfNeeded: now >> (56 - 8 * Int64($0))) }
        secret = VaultSecret(
            kind: .ticketKey,
            publicContent: name + time,
            content: SecretBytes(taking: &octets)
        )
    }

    /// One of the vault; nil if it is none.
    init?(_ secret: VaultSecret) {
        guard secret.kind == .ticketKey, secret.publicContent.count == 24,
            secret.content.count == 64
        else { return nil }
        self.secret = secret
        name = Array(secret.publicContent.prefix(16))
        madeMilliseconds = secret.publicContent.dropFirst(16).reduce(0) { $0 << 8 | Int64($1) }
    }
}

/// Which of the keys makes tickets at a moment, and when there must be another.
///
///     keys by age:  next   current   past   past
///     a period on:  new    next      current  past      (the oldest is forgotten)
///
/// Every node has a key for a whole period before any makes tickets with it, so a client resumes on any node while
/// the nodes change over one after another, and a node that was away for less than a period has all that it needs.
struct TicketSchedule: Sendable {
    /// Oldest first; the last is the next.
    private(set) var keys: [StoredTicketKey]
    let periodMilliseconds: Int64

    init(_ keys: [StoredTicketKey], periodSeconds: Int64) {
        self.keys = keys.sorted { $0.madeMilliseconds < $1.madeMilliseconds }
        periodMilliseconds = periodSeconds * 1_000
    }

    /// Whether another key is due: there are fewer than two, or the newest is as old as a period.
    func isDue(at now: Int64) -> Bool {
        guard keys.count >= 2, let newest = keys.last else { return true }
        // A clock that was ahead and is right again leaves a key of the future, which would make tickets until then.
        return now - newest.madeMilliseconds >= periodMilliseconds
            || newest.madeMilliseconds - now > periodMilliseconds
    }

    /// Adds a key, and says which are of no use any more.
    mutating func add(_ key: StoredTicketKey) -> [StoredTicketKey] {
        keys.append(key)
        let surplus = keys.count - (2 + CredentialLimits.ticketKeysPast)
        guard surplus > 0 else { return [] }
        let dropped = Array(keys.prefix(surplus))
        keys.removeFirst(surplus)
        return dropped
    }

    /// The keys as nodes use them: the current first, then the next, then those before.
    var ordered: [FleetMaterial.TicketKey] {
        var order = Array(keys.reversed())
        if order.count >= 2 { order.swapAt(0, 1) }
        return order.map { .init(name: $0.name, octets: $0.secret.content) }
    }
}
