internal import Cryptography
internal import EventLoop
internal import FleetMessages
internal import FleetModel
internal import FleetProtocol
internal import ProxyCore
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry

/// What the node tells its control plane unasked, and the renewal of its certificate.
extension ControlAgent {
    // MARK: Reports

    func sendHeartbeat() {
        guard let link, link.session.isSteady else { return }
        heartbeatTimer?.set(after: heartbeatInterval)
        var message = WireHeartbeat()
        for worker in node.server.metrics.workers {
            message.connections += worker[.connectionsOpen]
            message.loopLagMicroseconds = max(
                message.loopLagMicroseconds,
                worker[.loopLag] / 1_000
            )
        }
        message.memoryBytes = UInt64(residentOctets())
        link.perform(link.session.heartbeat(message))
        lookAtUpstreams(.all)
    }

    func sendReport() {
        guard let link, link.session.isSteady else { return }
        reportTimer?.set(after: reportInterval)
        guard link.backlogBytes <= Limits.reportBacklogBytesMax else { return }
        node.refreshGauges()
        let report = reporter.next(node.server.metrics, now: node.loop.now)
        link.perform(link.session.metrics(report))
    }

    // MARK: Renewal

    /// A certificate is renewed at half of its time, so that a control plane may be away for the other half.
    func scheduleRenewal(isRenewed: Bool = false) {
        guard let validity = membership?.validity else { return }
        let now = Int64(realtimeNanoseconds() / 1_000_000_000)
        let due = validity.endSeconds - validity.lengthSeconds / 2 - now
        // Spread out, so that nodes that joined together do not renew together.
        let jitter = Int64.random(in: 0...max(validity.lengthSeconds / 20, 0), using: &random)
        // A clock that is ahead makes every certificate look old: it is not renewed again at once.
        let soonest = min(Limits.renewalRetrySeconds, max(validity.lengthSeconds / 4, 1))
        renewalTimer?.set(after: .seconds(max(due + jitter, isRenewed ? soonest : 0)))
    }

    func renew() {
        guard let link, link.session.isSteady else { return }
        // After a refusal or a lost answer: long before the certificate ends, however short its life is.
        let length = membership?.validity?.lengthSeconds ?? .max
        renewalTimer?.set(after: .seconds(min(Limits.renewalRetrySeconds, max(length / 8, 1))))
        do throws(CryptographyError) {
            let key = try P256PrivateKey()
            let request = try key.certificateSigningRequest(commonName: name)
            requestedKey = key
            link.perform(link.session.renew(certificateRequest: request))
        } catch {
            node.log.write(.error, "node.renewal_failed", ["reason": "\(error)"])
        }
    }

    func renewed(_ answer: WireRenewed) {
        guard let key = requestedKey, let membership else { return }
        requestedKey = nil
        guard answer.refusal.isEmpty else {
            return node.log.write(
                .error,
                "node.renewal_refused",
                ["node": name, "reason": answer.refusal]
            )
        }
        let chain = answer.certificateChain.map(octets)
        let next = membership.renewed(TLSIdentity(chain: chain, privateKey: key.der))
        // Before the new identity is stored: whichever a crash leaves must open it.
        if !material.shelf.held.isEmpty { storeMaterial(before: next) }
        self.membership = next
        context = nil
        keep(next) { [weak self] in self?.reportTrust() }
        scheduleRenewal(isRenewed: true)
        node.log.write(.notice, "node.renewed", ["node": name])
    }

    // MARK: Trust

    /// Believes these authorities from now on, and asks for a certificate of the one that issues them now.
    func trust(_ message: WireTrust) {
        guard let membership, membership.identity != nil else { return }
        trustIsTold = true
        let authorities = message.authorities.map(octets)
        if membership.issuerFingerprint != octets(message.issuer) {
            // Spread out, as all nodes are told at the same moment.
            let milliseconds = Int64.random(
                in: 0...Limits.renewalSpreadMilliseconds,
                using: &random
            )
            renewalTimer?.set(after: .milliseconds(milliseconds))
        }
        guard membership.authorityFingerprints != authorities else {
            if kept?.authorityFingerprints == authorities { return reportTrust() }
            // It could not be written before.
            return keep(membership) { [weak self] in self?.reportTrust() }
        }
        let next = membership.trusting(authorities)
        self.membership = next
        context = nil
        keep(next) { [weak self] in self?.reportTrust() }
        let names = authorities.map { encodeHex(Array($0.prefix(8))) }
        node.log.write(
            .notice,
            "node.trust_changed",
            ["node": name, "authorities": names.joined(separator: " ")]
        )
    }

    /// Says what is stored, to a control plane that knows what this means.
    private func reportTrust() {
        guard trustIsTold, let link, link.session.isSteady, let kept else { return }
        var message = WireTrustStatus()
        message.authorities = kept.authorityFingerprints.map(wireOctets)
        message.issuer = wireOctets(kept.issuerFingerprint)
        link.perform(link.session.report(message))
    }
}
