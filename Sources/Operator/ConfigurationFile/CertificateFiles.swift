import Certificates
import Cryptography
package import FleetModel

/// What proxyctl read for one certificate of a configuration, to be brought to the control plane.
package struct ReadCertificate: Sendable {
    /// The certificate's name in the configuration.
    package let name: String
    /// SHA-256 of what the control plane will keep.
    package let digest: Digest
    /// The files.
    package let texts: Texts

    /// PEM, as it stood in the files.
    package enum Texts: Sendable {
        /// A chain and its key.
        case files(certificate: String, key: String)
        /// A bundle of authorities.
        case authority(String)
    }
}

extension ReadCertificate: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    /// Name and digest: the rest may be secret.
    package var description: String { "certificate \(name) \(digest)" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A configuration with the files that its certificates name.
package struct LoadedConfiguration: Sendable {
    private let document: ConfigurationNode
    /// The configuration, with the digests of the files.
    package let configuration: Configuration
    /// What the files hold; nothing for certificates that the configuration names by digest.
    package let certificates: [ReadCertificate]

    init(
        document: ConfigurationNode,
        configuration: Configuration,
        certificates: [ReadCertificate]
    ) {
        (self.document, self.configuration) = (document, configuration)
        self.certificates = certificates
    }

    /// Where the name of a resource stands in its file.
    package func place(of kind: ResourceKind, _ name: String) -> Place {
        let items = document[kind.section]?.items ?? []
        return items.first { $0["name"]?.text == name }?["name"]?.place ?? .none
    }

    /// What is found wrong later on, with the place of its resource.
    package func placed(_ problem: Problem) -> Problem {
        guard let kind = problem.kind else { return problem }
        return problem.placed(at: place(of: kind, problem.name))
    }
}

extension Problem {
    fileprivate func placed(at place: Place) -> Problem {
        Problem(kind: kind, name: name, field: field, message: message, place: place)
    }
}

extension ConfigurationFile {
    /// Reads files that are together one configuration, and the certificates that they name, and checks it all.
    ///
    /// So are the files of error pages, whose texts become bodies, and hosts in any script. Paths are relative to the file that names them, those of
    /// standard input to the current folder. A certificate with a digest is not read: the control plane has it.
    ///
    /// - Parameters:
    ///   - paths: The files; `-` is standard input.
    ///   - seconds: The moment at which certificates must be valid, in seconds since 1970-01-01 UTC.
    /// - Returns: The configuration, and what to bring to the control plane.
    /// - Throws: Every problem of the configuration and of the files that it names.
    package static func loadWithCertificates(
        _ paths: [String],
        atSeconds seconds: Int64
    ) throws(ConfigurationProblems) -> LoadedConfiguration {
        var reader = CertificateReader(seconds: seconds)
        let (resolved, missing) = resolving(try read(paths))
        let document = reader.resolve(resolved)
        var problems = missing + reader.problems
        var loaded: Configuration?
        do {
            let configuration = try Configuration(document: document)
            loaded = configuration
            problems += uncovered(configuration, reader.names, document)
        } catch {
            problems = error.problems.unless(saidBy: missing) + problems
        }
        guard problems.isEmpty, let loaded else { throw ConfigurationProblems(problems) }
        return LoadedConfiguration(
            document: document,
            configuration: loaded,
            certificates: reader.certificates
        )
    }

    /// Hosts that no certificate covers, each with the place of its route's hosts.
    private static func uncovered(
        _ configuration: Configuration,
        _ read: [String: ServerNames],
        _ document: ConfigurationNode
    ) -> [Problem] {
        var names = read
        for certificate in configuration.certificates {
            if let known = certificate.configuredNames { names[certificate.name] = known }
        }
        let routes = document[ResourceKind.route.section]?.items ?? []
        return CertificateCoverage.problems(in: configuration, names: names).map { problem in
            let route = routes.first { $0["name"]?.text == problem.name }
            return problem.placed(at: route?["hosts"]?.place ?? .none)
        }
    }
}

/// Reads the files that a document's certificates name, and puts their digests in.
private struct CertificateReader {
    let seconds: Int64
    var certificates: [ReadCertificate] = []
    /// What the certificates are for, by name.
    var names: [String: ServerNames] = [:]
    var problems: [Problem] = []

    init(seconds: Int64) {
        self.seconds = seconds
    }

    /// A field that names a file.
    private struct FileField {
        let certificate: String
        let field: String
        let path: String
        let place: Place

        init?(_ node: ConfigurationNode?, _ field: String, of certificate: String) {
            guard let node, let text = node.text, !text.isEmpty else { return nil }
            (self.certificate, self.field) = (certificate, field)
            (path, place) = (text, node.place)
        }

        /// The path from the current folder.
        var resolved: String { place.resolving(path) }

        func problem(_ message: String) -> Problem {
            Problem(
                kind: .certificate,
                name: certificate,
                field: field,
                message: message,
                place: place
            )
        }
    }

    /// The document with the digests of what its certificates name; what is no certificate stays as it is.
    mutating func resolve(_ document: ConfigurationNode) -> ConfigurationNode {
        guard case .map(var sections) = document.value,
            let index = sections.firstIndex(where: { $0.key == ResourceKind.certificate.section }),
            let items = sections[index].value.items
        else { return document }
        sections[index].value.value = .list(items.map { resolve(certificate: $0) })
        return ConfigurationNode(.map(sections), at: document.place)
    }

    private mutating func resolve(certificate node: ConfigurationNode) -> ConfigurationNode {
        guard let name = node["name"]?.text, let entries = node.entries else { return node }
        var resolved = entries
        for (index, entry) in entries.enumerated() where entry.value["digest"] == nil {
            let digest: Digest?
            switch entry.key {
            case "files": digest = readFiles(entry.value, name)
            case "authority": digest = readAuthority(entry.value, name)
            default: continue
            }
            guard let digest, case .map(var fields) = entry.value.value else { continue }
            let text = ConfigurationNode("\(digest)", style: .quoted, at: entry.value.place)
            fields.append(.init(key: "digest", keyPlace: entry.keyPlace, value: text))
            resolved[index].value.value = .map(fields)
        }
        return ConfigurationNode(.map(resolved), at: node.place)
    }

    private mutating func readFiles(_ node: ConfigurationNode, _ name: String) -> Digest? {
        // What is missing is the checker's to say.
        guard let chain = FileField(node["certificate"], "files.certificate", of: name),
            let key = FileField(node["key"], "files.key", of: name)
        else { return nil }
        let (chainText, keyText) = (read(chain), read(key))
        guard let chainText, let keyText else { return nil }
        do throws(MaterialError) {
            let material = try CertificateMaterial(
                certificateText: chainText,
                keyText: keyText,
                atSeconds: seconds
            )
            names[name] = material.facts.names
            certificates.append(
                ReadCertificate(
                    name: name,
                    digest: material.digest,
                    texts: .files(
                        certificate: String(decoding: chainText, as: UTF8.self),
                        key: String(decoding: keyText, as: UTF8.self)
                    )
                )
            )
            return material.digest
        } catch {
            let field = error.file == .key ? key : chain
            problems.append(field.problem("\(field.path): \(error)"))
            return nil
        }
    }

    private mutating func readAuthority(_ node: ConfigurationNode, _ name: String) -> Digest? {
        guard let file = FileField(node["file"], "authority.file", of: name),
            let text = read(file)
        else { return nil }
        do throws(MaterialError) {
            let bundle = try AuthorityBundle(text: text, atSeconds: seconds)
            certificates.append(
                ReadCertificate(
                    name: name,
                    digest: bundle.digest,
                    texts: .authority(String(decoding: text, as: UTF8.self))
                )
            )
            return bundle.digest
        } catch {
            problems.append(file.problem("\(file.path): \(error)"))
            return nil
        }
    }

    private mutating func read(_ field: FileField) -> [UInt8]? {
        guard !field.path.contains("-----BEGIN") else {
            // Not shown: it may be a key.
            problems.append(
                field.problem("holds the text itself: put it into a file and name that")
            )
            return nil
        }
        do {
            return try FileContents.read(regular: field.resolved, bytesMax: PEM.textBytesMax + 1)
        } catch {
            problems.append(
                field.problem(
                    "\(field.path) cannot be read: \(error.reason); name it relative to the file that "
                        + "names it, or give the digest of a certificate that the control plane keeps"
                )
            )
            return nil
        }
    }
}
