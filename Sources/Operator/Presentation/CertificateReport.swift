package import AdminMessages
package import FoundationEssentials

/// Certificates that the control plane keeps, and which nodes serve them.
package struct CertificateReport: Sendable {
    private let certificates: [CertificateAnswer]

    /// A report on `certificates`, in their order.
    package init(_ certificates: [CertificateAnswer]) {
        self.certificates = certificates
    }

    /// A row for each use of a certificate, and one for what is not used.
    package func rendered(_ palette: Palette, now: Date) -> [String] {
        if certificates.isEmpty {
            return ["no certificates"]
        }
        var table = Table([
            .init("CERTIFICATE"), .init("SOURCE"), .init("STATE"), .init("NAMES"), .init("ISSUER"),
            .init("ENDS"), .init("HOLD", leansRight: true), .init("SERVE", leansRight: true),
            .init("DIGEST"),
        ])
        for certificate in certificates {
            let unused = CertificateAnswer.Use(name: "", source: "", state: "kept")
            for use in certificate.uses ?? [unused] {
                table.append([
                    .init(use.name, .strong), .init(use.source),
                    .init(
                        use.state,
                        ["next", "temporary"].contains(use.state) ? .warning : .plain
                    ),
                    .init(names(of: certificate)), .init(certificate.issuer ?? ""),
                    .init(timeText(certificate.notAfter, now: now)),
                    .init("\(certificate.holding?.count ?? 0)"),
                    .init("\(certificate.serving?.count ?? 0)"),
                    .init(shortDigest(certificate.digest), .faint),
                ])
            }
        }
        return table.rendered(palette) + problems
    }

    /// Why orders at authorities failed.
    private var problems: [String] {
        var seen: Set<String> = []
        return certificates.flatMap { $0.uses ?? [] }.compactMap { use in
            guard let problem = use.problem, seen.insert(use.name).inserted else { return nil }
            return "\(use.name): \(visible(problem))"
        }
    }

    private func names(of certificate: CertificateAnswer) -> String {
        let names = certificate.names
        let more = names.count > 3 ? " and \(names.count - 3) more" : ""
        return names.prefix(3).joined(separator: ", ") + more
    }

    /// An array with all fields of the answers.
    package var value: OutputValue {
        .array(
            certificates.map { certificate in
                [
                    "digest": .string(certificate.digest), "kind": .string(certificate.kind),
                    "names": .array(certificate.names.map { .string($0) }),
                    "issuer": OutputValue(certificate.issuer),
                    "notBefore": OutputValue(certificate.notBefore),
                    "notAfter": .string(certificate.notAfter),
                    "storedAt": .string(certificate.storedAt),
                    "key": OutputValue(certificate.key),
                    "serial": OutputValue(certificate.serial),
                    "fingerprint": OutputValue(certificate.fingerprint),
                    "uses": .array(
                        (certificate.uses ?? []).map { use in
                            [
                                "name": .string(use.name), "source": .string(use.source),
                                "state": .string(use.state),
                                "problem": OutputValue(use.problem),
                            ]
                        }
                    ),
                    "holding": .array((certificate.holding ?? []).map { .string($0) }),
                    "serving": .array((certificate.serving ?? []).map { .string($0) }),
                ]
            }
        )
    }
}
