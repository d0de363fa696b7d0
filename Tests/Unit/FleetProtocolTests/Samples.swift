import FleetMessages
import FleetModel
import SwiftProtobuf

@testable import FleetProtocol

/// A manifest with `count` routes, of which one may have another content.
func manifest(routes count: Int, changed: Int? = nil) throws -> Manifest {
    try Manifest(
        entries: (0..<count).map { index in
            let content = index == changed ? "changed \(index)" : "route \(index)"
            return ManifestEntry(
                kind: .route,
                name: "route-\(index)",
                digest: Digest(hashing: Array(content.utf8))
            )
        }
    )
}

/// The content of an entry made by `manifest(routes:changed:)`.
func content(_ index: Int, isChanged: Bool = false) -> [UInt8] {
    Array((isChanged ? "changed \(index)" : "route \(index)").utf8)
}

let clusterID = [UInt8](0..<16)

/// A stand-in for Ed25519: 64 octets made from the octets that are signed.
func signature(_ octets: [UInt8]) -> [UInt8] {
    let digest = Digest(hashing: octets).octets
    return digest + digest
}

func signed(_ manifest: Manifest, version: UInt64, epoch: UInt64 = 1) throws -> SignedManifest {
    let octets = SignedHead.signedOctets(
        clusterID: clusterID,
        epoch: epoch,
        version: version,
        digest: manifest.digest
    )
    let head = SignedHead(
        epoch: epoch,
        version: version,
        digest: manifest.digest,
        signature: signature(octets)
    )
    struct NoManifest: Error {}
    guard let made = SignedManifest(head: head, manifest: manifest) else { throw NoManifest() }
    return made
}

/// One message of each type, with every field set, under the name of its vector.
func sampleMessages() throws -> [(name: String, message: FleetMessage)] {
    let digest = wireOctets(Digest(hashing: Array("content".utf8)).octets)
    var holding = WireHolding()
    (holding.epoch, holding.version, holding.digest) = (1, 41, digest)
    let version = try signed(try manifest(routes: 2), version: 42)
    let head = version.head.message
    return try joiningSamples() + helloSamples(holding)
        + synchronisationSamples(version, head, holding) + deltaSamples(version, head)
        + reportSamples(holding) + materialSamples() + upstreamSamples()
        + [
            ("command", .command(.with { $0.kind = .drain })),
            (
                "goodbye",
                .goodbye(
                    .with {
                        $0.reason = .busy
                        $0.detail = "too many at once"
                        $0.retryAfterMilliseconds = 1_500
                    }
                )
            ),
        ]
}

private func materialSamples() -> [(name: String, message: FleetMessage)] {
    let digest = Digest(hashing: Array("content".utf8)).octets
    let other = Digest(hashing: Array("resource".utf8)).octets
    return [
        (
            "material_list",
            .materialList(
                .with {
                    $0.generation = 1_800_000_000_001
                    $0.assignments = [
                        .with {
                            $0.name = "shop"
                            $0.resource = wireOctets(other)
                            $0.serve = wireOctets(digest)
                            $0.next = wireOctets(other)
                        }
                    ]
                }
            )
        ),
        (
            "want_material",
            .wantMaterial(.with { $0.digests = [wireOctets(digest), wireOctets(other)] })
        ),
        (
            "material",
            .material(
                .with {
                    $0.digest = wireOctets(digest)
                    $0.kind = .certificate
                    $0.content = wireOctets([1, 0, 0, 0, 2, 0x30, 0x00])
                    $0.key = wireOctets([0x30, 0x01, 0x00])
                }
            )
        ),
        (
            "material_refused",
            .material(
                .with {
                    $0.digest = wireOctets(digest)
                    $0.refusal = "it is not for this node"
                }
            )
        ),
    ] + materialAnswerSamples(digest)
}

private func materialAnswerSamples(
    _ digest: [UInt8]
) -> [(name: String, message: FleetMessage)] {
    [
        (
            "material_status",
            .materialStatus(
                .with {
                    $0.generation = 1_800_000_000_001
                    $0.held = [wireOctets(digest)]
                    $0.served = [
                        .with {
                            $0.name = "shop"
                            $0.digest = wireOctets(digest)
                        }
                    ]
                    $0.problem = "no space left on device"
                }
            )
        ),
        (
            "trust",
            .trust(
                .with {
                    $0.authorities = [
                        wireOctets(digest), wireOctets([UInt8](repeating: 3, count: 32)),
                    ]
                    $0.issuer = wireOctets([UInt8](repeating: 3, count: 32))
                }
            )
        ),
        (
            "trust_status",
            .trustStatus(
                .with {
                    $0.authorities = [wireOctets(digest)]
                    $0.issuer = wireOctets(digest)
                }
            )
        ),
        (
            "ticket_keys",
            .ticketKeys(
                .with {
                    $0.keys = [
                        .with {
                            $0.name = wireOctets([UInt8](repeating: 1, count: 16))
                            $0.octets = wireOctets([UInt8](repeating: 2, count: 64))
                        }
                    ]
                    $0.affinityKey = wireOctets([UInt8](repeating: 3, count: 32))
                }
            )
        ),
    ] + challengeSamples()
}

private func challengeSamples() -> [(name: String, message: FleetMessage)] {
    [
        (
            "challenges",
            .challenges(
                .with {
                    $0.generation = 1_800_000_000_002
                    $0.challenges = [
                        .with {
                            $0.host = "shop.example.com"
                            $0.token = "token-1"
                            $0.authorization = "token-1.thumbprint"
                        },
                        .with {
                            $0.host = "www.shop.example.com"
                            $0.certificate = wireOctets([0x30, 0x03, 0x02, 0x01, 0x00])
                            $0.key = wireOctets([0x30, 0x03, 0x02, 0x01, 0x01])
                        },
                    ]
                }
            )
        ),
        (
            "challenges_status",
            .challengesStatus(.with { $0.generation = 1_800_000_000_002 })
        ),
    ]
}

private func upstreamSamples() -> [(name: String, message: FleetMessage)] {
    [
        (
            "adjustments",
            .adjustments(
                .with {
                    $0.generation = 1_800_000_000_003
                    $0.entries = [
                        .with {
                            ($0.upstream, $0.endpoint) = ("shop", "10.0.0.1:9001")
                            $0.action = .drain
                            $0.untilUnixMilliseconds = 1_800_000_600_000
                        },
                        .with {
                            ($0.upstream, $0.endpoint) = ("shop", "unix:/run/shop.sock")
                            ($0.action, $0.weight) = (.weight, 5)
                            $0.endedByVersion = 43
                        },
                    ]
                    $0.resets = [
                        .with {
                            ($0.upstream, $0.endpoint) = ("shop", "10.0.0.2:9001")
                            $0.generation = 1_800_000_000_002
                        }
                    ]
                }
            )
        ),
        (
            "adjustments_status",
            .adjustmentsStatus(
                .with {
                    $0.generation = 1_800_000_000_003
                    $0.problem = "no space left on device"
                }
            )
        ),
        ("upstream_report", .upstreamReport(sampleUpstreams())),
    ]
}

private func sampleUpstreams() -> WireUpstreamReport {
    .with {
        $0.begins = true
        $0.omitted = 3
        $0.upstreams = [
            .with {
                $0.upstream = "shop"
                $0.note = "1 of 2 endpoints is healthy"
                $0.endpoints = [
                    .with {
                        $0.endpoint = "10.0.0.1:9001"
                        $0.availability = .unhealthy
                        $0.reason = "3 checks in a row failed"
                        $0.sinceUnixMilliseconds = 1_800_000_000_000
                        $0.checkedUnixMilliseconds = 1_800_000_005_000
                        $0.checkResult = "connection refused"
                        ($0.weight, $0.connections, $0.requests) = (2, 7, 3)
                        $0.discovered = true
                    }
                ]
                $0.gone = ["10.0.0.9:9001"]
            }
        ]
    }
}

private func joiningSamples() -> [(name: String, message: FleetMessage)] {
    [
        (
            "join",
            .join(
                .with {
                    $0.token = "weir1.AAAA.BBBB"
                    $0.name = "edge-1"
                    $0.labels = ["site": "ams", "role": "edge"]
                    $0.certificateRequest = wireOctets([0x30, 0x03, 0x02, 0x01, 0x00])
                    $0.build = "weir 0.1"
                }
            )
        ),
        (
            "join_accepted",
            .joinAccepted(
                .with {
                    $0.clusterID = wireOctets(clusterID)
                    $0.certificateChain = [wireOctets([0x30, 0x01]), wireOctets([0x30, 0x02])]
                    $0.signingKey = wireOctets([UInt8](repeating: 7, count: 32))
                    $0.notAfterUnixSeconds = 1_800_000_000
                    $0.name = "edge-1"
                }
            )
        ),
        (
            "join_refused",
            .joinRefused(
                .with {
                    $0.reason = .tokenUsed
                    $0.detail = "the token was used by edge-0"
                }
            )
        ),
        ("renew", .renew(.with { $0.certificateRequest = wireOctets([0x30, 0x00]) })),
        (
            "renewed",
            .renewed(
                .with {
                    $0.certificateChain = [wireOctets([0x30, 0x01])]
                    $0.notAfterUnixSeconds = 1_800_000_000
                }
            )
        ),
    ]
}

private func helloSamples(
    _ holding: WireHolding
) -> [(name: String, message: FleetMessage)] {
    [
        (
            "hello",
            .hello(
                .with {
                    $0.clusterID = wireOctets(clusterID)
                    $0.name = "edge-1"
                    $0.labels = ["site": "ams"]
                    $0.build = "weir 0.1"
                    $0.active = holding
                    $0.lastGood = holding
                    $0.quarantinedDigests = [holding.digest]
                    $0.draining = true
                }
            )
        ),
        (
            "welcome",
            .welcome(
                .with {
                    $0.epoch = 1
                    $0.headVersion = 42
                    $0.headDigest = holding.digest
                    $0.drain = true
                    $0.heartbeatSeconds = 10
                    $0.metricsSeconds = 10
                }
            )
        ),
        (
            "welcome_labels",
            .welcome(
                .with {
                    $0.heartbeatSeconds = 10
                    $0.metricsSeconds = 10
                    $0.labels = ["site": "ams"]
                }
            )
        ),
    ]
}

private func deltaSamples(
    _ version: SignedManifest,
    _ head: WireHead
) throws -> [(name: String, message: FleetMessage)] {
    let base = try manifest(routes: 3)
    var message = WireManifestDelta()
    message.head = head
    message.baseDigest = wireOctets(base.digest.octets)
    message.operations = WireDeltaOperations(ManifestDelta(from: base, to: version.manifest))
    var full = message
    full.contents = [wireOctets(Array("{}".utf8)), wireOctets([])]
    return [
        ("manifest_delta", .manifestDelta(message)),
        ("manifest_delta_contents", .manifestDelta(full)),
    ]
}

private func synchronisationSamples(
    _ version: SignedManifest,
    _ head: WireHead,
    _ holding: WireHolding
) throws -> [(name: String, message: FleetMessage)] {
    let digest = holding.digest
    let chunked = WireBlobReference.with {
        $0.digest = digest
        $0.size = 300_000
    }
    return [
        ("not_modified", .notModified(.with { $0.head = head })),
        (
            "manifest",
            .manifest(
                .with {
                    $0.head = head
                    $0.entries = WireManifestEntries(version.manifest)
                }
            )
        ),
        (
            "manifest_chunked",
            .manifest(
                .with {
                    $0.head = head
                    $0.chunked = chunked
                }
            )
        ),
        ("want_blobs", .wantBlobs(.with { $0.digests = [digest] })),
        (
            "blob_chunk",
            .blobChunk(
                .with {
                    $0.parts = [
                        .with {
                            $0.digest = digest
                            $0.size = 7
                            $0.octets = wireOctets(Array("content".utf8))
                        }
                    ]
                }
            )
        ),
        ("deferred", .deferred(.with { $0.retryAfterMilliseconds = 750 })),
    ]
}

private func reportSamples(_ holding: WireHolding) -> [(name: String, message: FleetMessage)] {
    [
        (
            "apply_status",
            .applyStatus(
                .with {
                    ($0.epoch, $0.version, $0.digest) = (1, 42, holding.digest)
                    $0.state = .rejected
                    $0.cause = .environment
                    $0.problems = [
                        .with {
                            ($0.kind, $0.name) = ("listener", "web")
                            ($0.field, $0.message) = ("address", "the port is taken")
                        }
                    ]
                    $0.active = holding
                }
            )
        ),
        (
            "heartbeat",
            .heartbeat(
                .with {
                    $0.active = holding
                    $0.connections = 17
                    $0.loopLagMicroseconds = 250
                    $0.memoryBytes = 30_000_000
                    $0.draining = true
                }
            )
        ),
        (
            "heartbeat_answer",
            .heartbeatAnswer(
                .with {
                    ($0.epoch, $0.headVersion, $0.headDigest) = (1, 42, holding.digest)
                }
            )
        ),
        ("metrics_report", .metricsReport(sampleReport())),
    ]
}

private func sampleReport() -> WireMetricsReport {
    .with {
        $0.sequence = 9
        $0.intervalMilliseconds = 10_000
        $0.counters = [
            .with {
                $0.name = "weir_requests_total"
                $0.labels = [
                    .with {
                        ($0.name, $0.value) = ("status_class", "2xx")
                    }
                ]
                $0.delta = 1_234
            }
        ]
        $0.gauges = [
            .with {
                ($0.name, $0.value) = ("weir_connections", 17)
            }
        ]
        $0.histograms = [
            .with {
                $0.name = "weir_request_duration_seconds"
                $0.subBucketBits = 4
                $0.buckets = [100, 101, 200]
                $0.counts = [5, 6, 7]
                $0.sum = 123_456_789
            }
        ]
    }
}
