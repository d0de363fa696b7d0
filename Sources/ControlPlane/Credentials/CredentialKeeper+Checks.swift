import Certificates
import ControlStore
package import FleetModel

extension CredentialKeeper {
    /// What is wrong with the certificates of a configuration that is to become a version, and what soon will be.
    package struct Findings: Sendable {
        /// Why it is refused; empty if it is not.
        package var problems: [Problem] = []
        /// What an operator should know.
        package var warnings: [String] = []
    }

    /// Checks that all material of a configuration is kept, in force, and for the hosts of its routes.
    ///
    /// - Parameters:
    ///   - configuration: A valid one.
    ///   - isDryRun: Whether material may still be on its way: then what is not kept is passed over.
    /// - Returns: Problems and warnings.
    /// - Throws: What the store throws.
    package func check(_ configuration: Configuration, isDryRun: Bool) async throws -> Findings {
        let now = clock() / 1_000
        var findings = Findings()
        var names: [String: ServerNames] = [:]
        findings.problems += try await missingSecrets(of: configuration)
        if configuration.certificates.count > CredentialLimits.certificatesMax {
            findings.problems.append(
                Problem(
                    kind: nil,
                    name: "",
                    field: ResourceKind.certificate.section,
                    message:
                        "a configuration has at most \(CredentialLimits.certificatesMax) certificates, not "
                        + "\(configuration.certificates.count)"
                )
            )
            return findings
        }
        for certificate in configuration.certificates {
            if let order = certificate.order {
                findings.warnings += Self.portWarnings(certificate.name, order, configuration)
            }
            if let hosts = certificate.configuredNames {
                names[certificate.name] = hosts
                findings.problems += Self.badHosts(certificate)
                continue
            }
            guard let digest = certificate.digest else {
                findings.problems.append(
                    certificate.problem(
                        certificate.digestField,
                        "is missing: 'proxyctl apply' reads the files and puts it in; others bring them with "
                            + "POST /v1/certificates and take the digest of the answer"
                    )
                )
                continue
            }
            guard let entry = try await store.vaultEntry(digest) else {
                if isDryRun { continue }
                findings.problems.append(
                    certificate.problem(
                        certificate.digestField,
                        "the control plane does not keep \(digest.short): leave the digest out and apply with "
                            + "the files"
                    )
                )
                continue
            }
            do {
                names[certificate.name] = try Self.check(certificate, entry, now, &findings)
            } catch {
                findings.problems.append(
                    certificate.problem(certificate.digestField, error.description)
                )
            }
        }
        findings.problems += CertificateCoverage.problems(in: configuration, names: names)
        return findings
    }

    /// Secrets that are named and not kept.
    private func missingSecrets(of configuration: Configuration) async throws -> [Problem] {
        let uses = configuration.secretUses
        guard !uses.isEmpty else { return [] }
        let kept = Set(try await store.namedSecrets().map(\.name))
        return uses.filter { !kept.contains($0.secret) }.map { use in
            Problem(
                kind: use.kind,
                name: use.user,
                field: use.field,
                message:
                    "there is no secret \"\(use.secret)\": bring it with 'proxyctl secrets set \(use.secret)'"
            )
        }
    }

    /// Authorities look at the usual ports alone, which may lead to others here.
    private static func portWarnings(
        _ name: String,
        _ order: ACMESource,
        _ configuration: Configuration
    ) -> [String] {
        let (transport, port): (ListenerProtocol, UInt16) =
            order.challenge == .http ? (.http, 80) : (.https, 443)
        let listeners = configuration.listeners.filter { $0.transport == transport }
        guard !listeners.isEmpty, !listeners.contains(where: { $0.address.port == port }) else {
            return []
        }
        return [
            "certificate \(name): the authority asks port \(port) for \(order.challenge.rawValue), and no "
                + "\(transport.rawValue) listener has it: that port must lead to one"
        ]
    }

    private static func badHosts(_ certificate: ConfiguredCertificate) -> [Problem] {
        let (hosts, field): ([String], String)
        switch certificate.source {
        case .selfSigned(let names): (hosts, field) = (names, "selfSigned.hosts")
        case .acme(let order): (hosts, field) = (order.hosts, "hosts")
        case .files, .authority: return []
        }
        return hosts.filter { host in
            let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
            let isAddress = IPAddress(isBracketed ? host.dropFirst().dropLast() : host[...]) != nil
            return !isAddress && ServerNames(dnsNames: [host], addresses: []).isEmpty
        }.map { host in
            certificate.problem(
                field,
                "no client could match \(host): give a host name or an address"
            )
        }
    }

    /// - Returns: The names that it is for; nil for authorities.
    private static func check(
        _ certificate: ConfiguredCertificate,
        _ entry: VaultEntry,
        _ now: Int64,
        _ findings: inout Findings
    ) throws(MaterialError) -> ServerNames? {
        switch (entry.kind, certificate.isAuthority) {
        case (.certificate, false): break
        case (.authority, true): return nil
        default:
            let kept = entry.kind == .authority ? "a bundle of authorities" : "a certificate"
            findings.problems.append(
                certificate.problem(
                    certificate.digestField,
                    "\(entry.digest.short) is \(kept); leave the digest out and apply with the files"
                )
            )
            return nil
        }
        let facts = try CertificateFacts(publicContent: entry.publicContent)
        if now > facts.notAfterSeconds {
            findings.problems.append(
                certificate.problem(
                    "files.certificate",
                    "the certificate for \(facts.title) ended at \(utcText(facts.notAfterSeconds)): renew it, "
                        + "and apply with the new files"
                )
            )
        } else if now < facts.notBeforeSeconds {
            findings.problems.append(
                certificate.problem(
                    "files.certificate",
                    "the certificate for \(facts.title) begins at \(utcText(facts.notBeforeSeconds)): check "
                        + "the clock, or wait"
                )
            )
        } else if facts.notAfterSeconds - now < CredentialLimits.warningSeconds {
            findings.warnings.append(
                "certificate \(certificate.name) (\(facts.title)) ends at "
                    + "\(utcText(facts.notAfterSeconds)): renew it"
            )
        }
        return facts.names
    }
}

extension ConfiguredCertificate {
    fileprivate func problem(_ field: String, _ message: String) -> Problem {
        Problem(kind: .certificate, name: name, field: field, message: message)
    }
}

extension CertificateFacts {
    /// The first of its names, or its subject.
    fileprivate var title: String { names.texts.first ?? subject }
}
