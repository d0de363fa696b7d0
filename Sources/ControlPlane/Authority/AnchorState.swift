import Cryptography
import Synchronization

/// A CA: its certificate, and the making of certificates with its key.
struct Anchor: Sendable {
    let issuer: Issuer
    /// DER.
    let certificate: [UInt8]
    /// SHA-256 of the certificate.
    let fingerprint: [UInt8]

    init(key: [UInt8], certificate: [UInt8]) throws {
        issuer = try Issuer(key: key, certificate: certificate)
        self.certificate = certificate
        fingerprint = sha256(certificate)
    }
}

/// The CAs of a cluster.
///
///     one ──rotate──▶ current and next ──retire──▶ one (the next)
///
/// | | one | current and next |
/// |---|---|---|
/// | servers' certificates, what tokens pin | current | current: who was away knows no other |
/// | nodes' certificates | current | next |
/// | trusted | current | both |
struct Anchors: Sendable {
    var current: Anchor
    var next: Anchor?

    /// Who issues certificates of nodes.
    var issuing: Anchor { next ?? current }
    /// All that are trusted, the current one first.
    var all: [Anchor] { [current] + [next].compactMap(\.self) }
}

/// The CAs that are in force now, for all tasks.
final class AnchorState: Sendable {
    private let stored: Mutex<Anchors>

    init(_ anchors: Anchors) {
        stored = Mutex(anchors)
    }

    var value: Anchors { stored.withLock { $0 } }

    /// The store has this CA as the next one.
    func rotated(to next: Anchor) {
        stored.withLock { anchors in
            // Another task may have put it in force since.
            if anchors.current.fingerprint != next.fingerprint { anchors.next = next }
        }
    }

    /// The store has this CA as the current one.
    func retired(for next: Anchor) {
        stored.withLock { anchors in
            anchors.current = next
            // Another task may have begun the next change since.
            if anchors.next?.fingerprint == next.fingerprint { anchors.next = nil }
        }
    }
}
