import FleetMessages
import FleetModel

extension FleetMessage {
    /// Checks what a receiver relies on: lengths of digests, sizes of lists, enums that are not `unspecified`.
    ///
    /// - Throws: `fieldInvalid` or `limitExceeded`, naming the field.
    func check() throws(FleetProtocolError) {
        let check = FieldCheck(type: type)
        switch self {
        case .join(let message):
            try check.text(message.token, "token", 1...Limits.tokenBytesMax)
            try check.node(message.name, message.labels, message.build)
            try check.certificate(octets(message.certificateRequest), "certificate_request")
        case .joinAccepted(let message):
            try check.length(message.clusterID.count, "cluster_id", 16)
            try check.length(message.signingKey.count, "signing_key", 32)
            try check.chain(message.certificateChain.map(octets))
            try check.text(message.name, "name", 1...Limits.nameBytesMax)
        case .joinRefused(let message):
            try check.enumeration(message.reason == .unspecified, "reason")
            try check.text(message.detail, "detail", 0...Limits.problemTextBytesMax)
        case .hello(let message):
            try check.length(message.clusterID.count, "cluster_id", 16)
            try check.node(message.name, message.labels, message.build)
            try check.holding(message.active, "active")
            try check.holding(message.lastGood, "last_good")
            let quarantined = message.quarantinedDigests
            try check.count(
                quarantined.count,
                "quarantined_digests",
                Limits.quarantinedDigestCountMax
            )
            for digest in quarantined { try check.length(digest.count, "quarantined_digests", 32) }
        case .welcome(let message):
            try check.optionalDigest(message.headDigest.count, "head_digest")
            try check.seconds(
                message.heartbeatSeconds,
                "heartbeat_seconds",
                Limits.heartbeatSecondsMax
            )
            try check.seconds(message.metricsSeconds, "metrics_seconds", Limits.metricsSecondsMax)
            try check.labels(message.labels)
        case .notModified(let message):
            try check.head(message.hasHead ? message.head : nil)
        case .manifest(let message):
            try check.head(message.hasHead ? message.head : nil)
            try check.content(message)
        case .manifestDelta(let message):
            try check.head(message.hasHead ? message.head : nil)
            try check.length(message.baseDigest.count, "base_digest", 32)
            try check.content(message)
        case .wantBlobs(let message):
            try check.count(message.digests.count, "digests", Limits.wantedDigestCountMax)
            for digest in message.digests { try check.length(digest.count, "digests", 32) }
        case .blobChunk(let message):
            try check.parts(message.parts)
        case .applyStatus(let message):
            try check.status(message)
        case .heartbeat(let message):
            try check.holding(message.active, "active")
        case .heartbeatAnswer(let message):
            try check.optionalDigest(message.headDigest.count, "head_digest")
        case .metricsReport(let message):
            try check.report(message)
        case .renew(let message):
            try check.certificate(octets(message.certificateRequest), "certificate_request")
        case .renewed(let message):
            try check.text(message.refusal, "refusal", 0...Limits.problemTextBytesMax)
            if message.refusal.isEmpty { try check.chain(message.certificateChain.map(octets)) }
        case .command(let message):
            try check.enumeration(isUnspecified(message.kind), "kind")
        case .goodbye(let message):
            try check.text(message.detail, "detail", 0...Limits.problemTextBytesMax)
        case .deferred:
            break
        case .materialList(let message):
            try check.assignments(message)
        case .wantMaterial(let message):
            try check.digests(message.digests.map(\.count), "digests")
        case .material(let message):
            try check.material(message)
        case .materialStatus(let message):
            try check.digests(message.held.map(\.count), "held")
            try check.count(message.served.count, "served", Limits.materialCountMax)
            for served in message.served {
                try check.text(served.name, "served.name", 1...Limits.nameBytesMax)
                try check.length(served.digest.count, "served.digest", 32)
            }
            try check.text(message.problem, "problem", 0...Limits.problemTextBytesMax)
        case .ticketKeys(let message):
            try check.count(message.keys.count, "keys", Limits.ticketKeyCountMax)
            for key in message.keys {
                try check.length(key.name.count, "keys.name", 16)
                try check.length(key.octets.count, "keys.octets", 64)
            }
            if !message.affinityKey.isEmpty {
                try check.length(message.affinityKey.count, "affinity_key", 32)
            }
        case .challenges(let message):
            try check.challenges(message)
        case .challengesStatus:
            break
        case .trust(let message):
            // Nobody to believe would be the end of the membership.
            if message.authorities.isEmpty {
                throw .fieldInvalid(type, field: "authorities")
            }
            try check.authorities(message.authorities.map(\.count))
            try check.length(message.issuer.count, "issuer", 32)
        case .trustStatus(let message):
            try check.authorities(message.authorities.map(\.count))
            try check.optionalDigest(message.issuer.count, "issuer")
        case .adjustments(let message):
            try check.adjustments(message)
        case .adjustmentsStatus(let message):
            try check.text(message.problem, "problem", 0...Limits.problemTextBytesMax)
        case .upstreamReport(let message):
            try check.upstreams(message)
        }
    }
}

/// A command of a later version is as little use as none.
private func isUnspecified(_ kind: WireCommandKind) -> Bool {
    switch kind {
    case .unspecified, .UNRECOGNIZED: true
    case .drain, .undrain, .retry, .revoke: false
    }
}

/// What a later build calls an endpoint's state says nothing here.
private func isUnspecified(_ availability: WireEndpointAvailability) -> Bool {
    switch availability {
    case .unspecified, .UNRECOGNIZED: true
    case .healthy, .unhealthy, .ejected, .drained, .disabled, .unresolved, .unknown: false
    }
}

/// Checks of fields, each naming the field that failed.
private struct FieldCheck {
    let type: FrameType

    func text(_ text: String, _ field: String, _ bytes: ClosedRange<Int>) throws(FleetProtocolError)
    {
        guard bytes.contains(text.utf8.count) else { throw .fieldInvalid(type, field: field) }
    }

    func length(_ count: Int, _ field: String, _ expected: Int) throws(FleetProtocolError) {
        guard count == expected else { throw .fieldInvalid(type, field: field) }
    }

    func optionalDigest(_ count: Int, _ field: String) throws(FleetProtocolError) {
        guard count == 0 || count == Digest.octetCount else {
            throw .fieldInvalid(type, field: field)
        }
    }

    func count(_ count: Int, _ field: String, _ max: Int) throws(FleetProtocolError) {
        guard count <= max else { throw .limitExceeded(type, what: field) }
    }

    func enumeration(_ isUnspecified: Bool, _ field: String) throws(FleetProtocolError) {
        if isUnspecified { throw .fieldInvalid(type, field: field) }
    }

    func seconds(_ seconds: UInt32, _ field: String, _ max: UInt32) throws(FleetProtocolError) {
        guard (1...max).contains(seconds) else {
            throw .fieldInvalid(type, field: field)
        }
    }

    func certificate(_ octets: [UInt8], _ field: String) throws(FleetProtocolError) {
        guard !octets.isEmpty else { throw .fieldInvalid(type, field: field) }
        try count(octets.count, field, Limits.certificateBytesMax)
    }

    func chain(_ chain: [[UInt8]]) throws(FleetProtocolError) {
        guard !chain.isEmpty else { throw .fieldInvalid(type, field: "certificate_chain") }
        try count(chain.count, "certificate_chain", Limits.certificateCountMax)
        for octets in chain { try certificate(octets, "certificate_chain") }
    }

    func node(
        _ name: String,
        _ labels: [String: String],
        _ build: String
    ) throws(FleetProtocolError) {
        try text(name, "name", 1...Limits.nameBytesMax)
        try text(build, "build", 0...Limits.labelBytesMax)
        try self.labels(labels)
    }

    func labels(_ labels: [String: String]) throws(FleetProtocolError) {
        try count(labels.count, "labels", Limits.labelCountMax)
        for (label, value) in labels {
            try text(label, "labels", 1...Limits.labelBytesMax)
            try text(value, "labels", 0...Limits.labelBytesMax)
        }
    }

    func holding(_ holding: WireHolding, _ field: String) throws(FleetProtocolError) {
        try optionalDigest(holding.digest.count, field)
    }

    func head(_ head: WireHead?) throws(FleetProtocolError) {
        guard let head else { throw .fieldInvalid(type, field: "head") }
        try length(head.digest.count, "head.digest", 32)
        try length(head.signature.count, "head.signature", 64)
        if head.version == 0 { throw .fieldInvalid(type, field: "head.version") }
        if head.epoch == 0 { throw .fieldInvalid(type, field: "head.epoch") }
    }

    func content(_ message: WireManifest) throws(FleetProtocolError) {
        switch message.content {
        case .entries(let list):
            try count(list.entries.count, "entries", Limits.manifestEntryCountMax)
        case .chunked(let reference): try chunked(reference)
        case nil: throw .fieldInvalid(type, field: "content")
        }
    }

    func content(_ message: WireManifestDelta) throws(FleetProtocolError) {
        switch message.content {
        case .operations(let list):
            try count(list.operations.count, "operations", Limits.manifestEntryCountMax)
        case .chunked(let reference): try chunked(reference)
        case nil: throw .fieldInvalid(type, field: "content")
        }
        try count(message.contents.count, "contents", Limits.deltaContentCountMax)
        let bytes = message.contents.reduce(0) { $0 + $1.count }
        try count(bytes, "contents", Limits.deltaContentBytesMax)
    }

    func chunked(_ reference: WireBlobReference) throws(FleetProtocolError) {
        try length(reference.digest.count, "chunked.digest", 32)
        guard reference.size > 0 else { throw .fieldInvalid(type, field: "chunked.size") }
        try count(Int(reference.size), "chunked.size", Limits.manifestBytesMax)
    }

    func parts(_ parts: [WireBlobPart]) throws(FleetProtocolError) {
        guard !parts.isEmpty else { throw .fieldInvalid(type, field: "parts") }
        try count(parts.count, "parts", Limits.chunkPartCountMax)
        var bytes = 0
        for part in parts {
            try length(part.digest.count, "parts.digest", 32)
            try count(Int(part.size), "parts.size", Limits.manifestBytesMax)
            bytes += part.octets.count
            let end = Int(part.offset) + part.octets.count
            guard end <= Int(part.size), part.octets.count > 0 || part.size == 0 else {
                throw .fieldInvalid(type, field: "parts.octets")
            }
        }
        try count(bytes, "parts.octets", Limits.chunkBytesMax)
    }

    func status(_ message: WireApplyStatus) throws(FleetProtocolError) {
        try length(message.digest.count, "digest", 32)
        try holding(message.active, "active")
        try text(message.lastGoodProblem, "last_good_problem", 0...Limits.problemTextBytesMax)
        try count(message.problems.count, "problems", Limits.problemCountMax)
        for problem in message.problems {
            for part in [problem.kind, problem.name, problem.field, problem.message] {
                try text(part, "problems", 0...Limits.problemTextBytesMax)
            }
        }
        switch message.state {
        case .received, .prepared, .active, .confirmed: break
        case .rejected, .reverted:
            guard message.cause == .content || message.cause == .environment else {
                throw .fieldInvalid(type, field: "cause")
            }
        case .unspecified, .UNRECOGNIZED: throw .fieldInvalid(type, field: "state")
        }
    }

    func report(_ message: WireMetricsReport) throws(FleetProtocolError) {
        try count(message.counters.count + message.gauges.count, "counters", Limits.metricCountMax)
        try count(message.histograms.count, "histograms", Limits.histogramCountMax)
        for counter in message.counters { try metric(counter.name, counter.labels) }
        for gauge in message.gauges {
            try metric(gauge.name, gauge.labels)
            guard gauge.value.isFinite else { throw .fieldInvalid(type, field: "gauges.value") }
        }
        for histogram in message.histograms {
            try metric(histogram.name, histogram.labels)
            try count(histogram.buckets.count, "buckets", Limits.bucketCountMax)
            guard histogram.buckets.count == histogram.counts.count,
                histogram.subBucketBits <= 16,
                zip(histogram.buckets, histogram.buckets.dropFirst()).allSatisfy({ $0 < $1 })
            else { throw .fieldInvalid(type, field: "buckets") }
        }
    }

    func assignments(_ message: WireMaterialList) throws(FleetProtocolError) {
        if message.generation == 0 { throw .fieldInvalid(type, field: "generation") }
        try count(message.assignments.count, "assignments", Limits.materialCountMax)
        for assignment in message.assignments {
            try text(assignment.name, "assignments.name", 1...Limits.nameBytesMax)
            try length(assignment.resource.count, "assignments.resource", 32)
            try length(assignment.serve.count, "assignments.serve", 32)
            try optionalDigest(assignment.next.count, "assignments.next")
        }
    }

    func authorities(_ counts: [Int]) throws(FleetProtocolError) {
        try count(counts.count, "authorities", Limits.authorityCountMax)
        for digest in counts { try length(digest, "authorities", 32) }
    }

    func digests(_ counts: [Int], _ field: String) throws(FleetProtocolError) {
        try count(counts.count, field, Limits.materialDigestCountMax)
        for digest in counts { try length(digest, field, 32) }
    }

    func material(_ message: WireMaterial) throws(FleetProtocolError) {
        try length(message.digest.count, "digest", 32)
        try text(message.refusal, "refusal", 0...Limits.problemTextBytesMax)
        try count(message.content.count, "content", Limits.materialBytesMax)
        try count(message.key.count, "key", Limits.materialKeyBytesMax)
        guard message.refusal.isEmpty else {
            guard message.content.isEmpty, message.key.isEmpty else {
                throw .fieldInvalid(type, field: "refusal")
            }
            return
        }
        switch message.kind {
        case .certificate where !message.key.isEmpty && !message.content.isEmpty: break
        case .authority where message.key.isEmpty && !message.content.isEmpty: break
        case .certificate, .authority: throw .fieldInvalid(type, field: "content")
        case .unspecified, .UNRECOGNIZED: throw .fieldInvalid(type, field: "kind")
        }
    }

    func challenges(_ message: WireChallenges) throws(FleetProtocolError) {
        if message.generation == 0 { throw .fieldInvalid(type, field: "generation") }
        try count(message.challenges.count, "challenges", Limits.challengeCountMax)
        for challenge in message.challenges {
            try text(challenge.host, "challenges.host", 1...Limits.challengeHostBytesMax)
            let textMax = Limits.challengeTextBytesMax
            try text(challenge.token, "challenges.token", 0...textMax)
            try text(challenge.authorization, "challenges.authorization", 0...textMax)
            try count(challenge.certificate.count, "challenges.certificate", textMax * 4)
            try count(challenge.key.count, "challenges.key", textMax)
            let isFile = !challenge.token.isEmpty && !challenge.authorization.isEmpty
            let isCertificate = !challenge.certificate.isEmpty && !challenge.key.isEmpty
            guard isFile != isCertificate else { throw .fieldInvalid(type, field: "challenges") }
        }
    }

    func adjustments(_ message: WireAdjustments) throws(FleetProtocolError) {
        if message.generation == 0 { throw .fieldInvalid(type, field: "generation") }
        try count(message.entries.count, "entries", Limits.adjustmentCountMax)
        try count(message.resets.count, "resets", Limits.endpointResetCountMax)
        for entry in message.entries {
            try endpoint(entry.upstream, entry.endpoint, "entries")
            guard entry.untilUnixMilliseconds >= 0 else {
                throw .fieldInvalid(type, field: "entries.until_unix_milliseconds")
            }
            switch entry.action {
            case .drain, .disable, .weight: break
            case .unspecified, .UNRECOGNIZED: throw .fieldInvalid(type, field: "entries.action")
            }
            let weightMax = entry.action == .weight ? Limits.adjustedWeightMax : 0
            guard entry.weight <= weightMax else {
                throw .fieldInvalid(type, field: "entries.weight")
            }
        }
        for reset in message.resets {
            try endpoint(reset.upstream, reset.endpoint, "resets")
            guard (1...message.generation).contains(reset.generation) else {
                throw .fieldInvalid(type, field: "resets.generation")
            }
        }
    }

    func endpoint(
        _ upstream: String,
        _ endpoint: String,
        _ field: String
    ) throws(FleetProtocolError) {
        try text(upstream, "\(field).upstream", 1...Limits.nameBytesMax)
        try text(endpoint, "\(field).endpoint", 1...Limits.endpointBytesMax)
    }

    func upstreams(_ message: WireUpstreamReport) throws(FleetProtocolError) {
        var total = message.upstreams.count
        for upstream in message.upstreams {
            try text(upstream.upstream, "upstreams.upstream", 1...Limits.nameBytesMax)
            try text(upstream.note, "upstreams.note", 0...Limits.endpointTextBytesMax)
            total += upstream.endpoints.count + upstream.gone.count
            try count(total, "upstreams", Limits.reportedEndpointCountMax)
            for endpoint in upstream.gone {
                try text(endpoint, "upstreams.gone", 1...Limits.endpointBytesMax)
            }
            for report in upstream.endpoints {
                try text(report.endpoint, "endpoints.endpoint", 1...Limits.endpointBytesMax)
                try text(report.reason, "endpoints.reason", 0...Limits.endpointTextBytesMax)
                try text(
                    report.checkResult,
                    "endpoints.check_result",
                    0...Limits.endpointTextBytesMax
                )
                guard report.sinceUnixMilliseconds >= 0, report.checkedUnixMilliseconds >= 0 else {
                    throw .fieldInvalid(type, field: "endpoints.since_unix_milliseconds")
                }
                try enumeration(isUnspecified(report.availability), "endpoints.availability")
            }
        }
    }

    func metric(_ name: String, _ labels: [WireMetricLabel]) throws(FleetProtocolError) {
        try text(name, "name", 1...Limits.labelBytesMax)
        try count(labels.count, "labels", Limits.metricLabelCountMax)
        for label in labels {
            try text(label.name, "labels", 1...Limits.labelBytesMax)
            try text(label.value, "labels", 0...Limits.labelBytesMax)
        }
    }
}
