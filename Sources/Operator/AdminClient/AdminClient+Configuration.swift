package import AdminMessages
package import FleetModel
internal import Foundation
internal import NIOCore
internal import NIOFoundationCompat
internal import NIOHTTP1

/// The configuration of a version, as the control plane keeps it.
package struct StoredConfiguration: Sendable {
    /// The version.
    package let version: UInt64
    /// The document, with its members in the server's order.
    package let document: ConfigurationNode
}

// Configurations travel as text that is put together and read by FleetModel: Codable needs seconds for 10,000 routes.
extension AdminClient {
    /// The configuration of a version, or of the head.
    ///
    /// - Throws: `AdminClientError`.
    package func configuration(version: UInt64? = nil) async throws -> StoredConfiguration {
        let path = "configuration" + (version.map { "?version=\($0)" } ?? "")
        let octets = try await call(.GET, path, content: nil)
        let answer: ConfigurationNode
        do throws(ConfigurationProblems) {
            answer = try JSONReader.read(
                Array(octets.readableBytesView),
                bytesMax: Limits.answerBytesMax
            )
        } catch {
            throw unintelligible(path, "\(error)")
        }
        guard let document = answer["configuration"],
            let number = answer["version"]?.text.flatMap(UInt64.init)
        else {
            throw unintelligible(path, "it has no configuration or no version")
        }
        return StoredConfiguration(version: number, document: document)
    }

    /// Makes a version of `configuration`, if `base` is still the head.
    ///
    /// - Parameters:
    ///   - configuration: The whole configuration: what is absent is removed.
    ///   - message: Why, for the history.
    ///   - author: Who, for the history.
    ///   - isDryRun: Whether to check and compare only.
    ///   - base: The version that must be the head; 0 for none yet.
    /// - Returns: What it did, or would do.
    /// - Throws: `AdminClientError`.
    package func apply(
        _ configuration: Configuration,
        message: String,
        author: String,
        isDryRun: Bool,
        base: UInt64
    ) async throws -> ApplyAnswer {
        let members = [
            ("configuration", configuration.documentOctets),
            ("message", JSONWriter.string(message)),
            ("author", JSONWriter.string(author)), ("dryRun", Array("\(isDryRun)".utf8)),
        ]
        let content = ByteBuffer(bytes: jsonObject(members))
        return try decode(
            "configuration",
            try await call(.PUT, "configuration", content: content, ifMatch: base)
        )
    }

    /// What applying `configuration` would change, against a version or the head.
    ///
    /// - Throws: `AdminClientError`.
    package func diff(_ configuration: Configuration, base: UInt64?) async throws -> DiffAnswer {
        var members = [("configuration", configuration.documentOctets)]
        if let base {
            members.append(("base", Array("\(base)".utf8)))
        }
        let content = ByteBuffer(bytes: jsonObject(members))
        return try decode("diff", try await call(.POST, "diff", content: content))
    }

    private func decode<Value: Decodable>(_ path: String, _ octets: ByteBuffer) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(buffer: octets))
        } catch {
            throw unintelligible(path, "\(error)")
        }
    }
}

extension Configuration {
    /// The configuration as the admin API takes it: one object with a member per section.
    ///
    /// It is put together from the resources' canonical content, so that what is sent is what was checked here
    /// and the server computes the same digests.
    package var documentOctets: [UInt8] {
        var sections: [(String, [UInt8])] = []
        for resource in resources {
            let section = resource.kind.section
            if resource.kind.isSingleton {
                sections.append((section, resource.content))
            } else if let last = sections.last, last.0 == section {
                sections[sections.count - 1].1.append(UInt8(ascii: ","))
                sections[sections.count - 1].1.append(contentsOf: resource.content)
            } else {
                sections.append((section, [UInt8(ascii: "[")] + resource.content))
            }
        }
        for index in sections.indices where sections[index].1.first == UInt8(ascii: "[") {
            sections[index].1.append(UInt8(ascii: "]"))
        }
        return jsonObject(sections)
    }
}

/// A JSON object of members whose values are JSON already.
private func jsonObject(_ members: [(String, [UInt8])]) -> [UInt8] {
    var octets = [UInt8(ascii: "{")]
    octets.reserveCapacity(members.reduce(2) { $0 + $1.0.utf8.count + $1.1.count + 4 })
    for (index, (name, value)) in members.enumerated() {
        if index > 0 {
            octets.append(UInt8(ascii: ","))
        }
        octets += JSONWriter.string(name)
        octets.append(UInt8(ascii: ":"))
        octets += value
    }
    octets.append(UInt8(ascii: "}"))
    return octets
}
