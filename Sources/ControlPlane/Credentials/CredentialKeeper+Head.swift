package import Certificates
import ControlStore
package import FleetModel

/// A certificate of the head, as operators ask for it.
package struct HeadCertificate: Sendable {
    /// Its name in the configuration.
    package let name: String
    /// The word of the configuration for where its material comes from.
    package let source: String
    /// Whether the control plane makes and renews it.
    package let isIssued: Bool
    /// Whether anything names it, so that nodes are given it.
    package let isNeeded: Bool
    /// What nodes are to serve.
    package let serve: Digest?
    /// What they are to hold, to serve it next.
    package let next: Digest?
    /// What is known of `serve`; nil for authorities.
    package let facts: CertificateFacts?
    /// How its order at an authority stands; nil for others, and before anything is known.
    package let order: OrderStatus?

    /// Whether what is served was made to bridge the time until an authority issues the first certificate.
    package var isTemporary: Bool { source == "acme" && serve != nil && order?.obtained == nil }
}

extension CredentialKeeper {
    /// The configuration of the head; nil before there is one that this build can read.
    package func headConfiguration() -> Configuration? { currentHead }

    /// The certificates of the head, by name.
    ///
    /// - Throws: What the store throws.
    package func headCertificates() async throws -> [HeadCertificate] {
        var found: [HeadCertificate] = []
        for (certificate, isNeeded, material) in currentMaterial() {
            found.append(
                HeadCertificate(
                    name: certificate.name,
                    source: certificate.sourceWord,
                    isIssued: certificate.isIssued,
                    isNeeded: isNeeded,
                    serve: material?.serve,
                    next: material?.next,
                    facts: try await facts(of: material?.serve),
                    order: certificate.order.flatMap { orderStates[OrderSubject.id(of: $0)] }
                )
            )
        }
        return found
    }

    /// What an operator should know of the certificates that nodes are given: those that have ended, or soon will.
    ///
    /// - Throws: What the store throws.
    package func warnings() async throws -> [String] {
        let now = clock() / 1_000
        return try await headCertificates().compactMap { certificate in
            guard certificate.isNeeded, let facts = certificate.facts else { return nil }
            let failure = certificate.order?.problem.map { ": \($0)" } ?? ""
            if certificate.isTemporary {
                return
                    "certificate \(certificate.name) is a temporary one until its authority issues it"
                    + failure
            }
            if !failure.isEmpty {
                return
                    "certificate \(certificate.name), which ends at \(utcText(facts.notAfterSeconds)), "
                    + "cannot be renewed" + failure
            }
            let left = facts.notAfterSeconds - now
            guard left < warningSeconds(of: facts, certificate) else { return nil }
            let verb = left < 0 ? "ended" : "ends"
            return "certificate \(certificate.name) \(verb) at \(utcText(facts.notAfterSeconds))"
        }
    }

    /// One that is renewed by itself at a third of its life before the end is no cause for alarm before that.
    private func warningSeconds(
        of facts: CertificateFacts,
        _ certificate: HeadCertificate
    ) -> Int64 {
        guard certificate.isIssued else { return CredentialLimits.warningSeconds }
        let life = max(0, facts.notAfterSeconds - facts.notBeforeSeconds)
        return min(CredentialLimits.warningSeconds, life / 10 * 3)
    }
}

extension CredentialKeeper {
    /// Orders that ended since the process began.
    package func endedOrders() -> OrderCounts { orderCounts }
}
