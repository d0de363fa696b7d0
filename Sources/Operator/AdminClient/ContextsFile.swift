internal import ConfigurationFile
internal import Foundation
internal import FleetModel

/// The file with an operator's contexts: where control planes are, and which one is current.
///
///     contexts:
///       - name: local
///         server: https://127.0.0.1:7443
///         ca: ca.pem
///         tokenFile: admin.token
///     current: local
///
/// Relative paths are relative to the file's own folder, so that a folder can be moved as a whole.
package struct ContextsFile: Sendable, Equatable {
    /// What is wrong with a contexts file, or with the wish to use one.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        /// One clause for the operator, with the file's name.
        package let description: String

        init(_ description: String) {
            self.description = description
        }
    }

    /// Where the file is.
    package let path: String
    /// The contexts, in file order.
    package private(set) var contexts: [AdminContext] = []
    /// The name of the context that is used without `--context`.
    package private(set) var current: String?

    /// A file without a context.
    package init(path: String) {
        self.path = path
    }

    /// The path of the contexts file: `--config`, then `PROXYCTL_CONFIG`, then the default in the home folder.
    package static func path(option: String?, environment: [String: String]) -> String {
        if let option {
            return option
        }
        if let path = environment["PROXYCTL_CONFIG"], !path.isEmpty {
            return path
        }
        let folder = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        return (folder ?? (environment["HOME"] ?? "") + "/.config") + "/proxyctl/config.yaml"
    }

    /// Reads the file at `path`; `nil` if there is none.
    package static func read(path: String) throws -> ContextsFile? {
        guard FileManager.default.fileExists(atPath: path) else {
            return nil
        }
        guard let octets = FileManager.default.contents(atPath: path) else {
            throw Fault("\(path): cannot be read")
        }
        return try ContextsFile(path: path, octets: Array(octets))
    }

    /// Reads contexts from the octets of a file.
    package init(path: String, octets: [UInt8]) throws {
        self.path = path
        let root: ConfigurationNode
        do throws(ConfigurationProblems) {
            root = try readYAML(octets, file: path)
        } catch {
            throw Fault(error.problems.first?.description ?? "\(path): not YAML")
        }
        guard let entries = root.entries else { throw Fault("\(path): not a map of contexts") }
        for entry in entries {
            switch entry.key {
            case "current": current = entry.value.text
            case "contexts":
                guard let items = entry.value.items else {
                    throw Fault("\(entry.value.place): 'contexts' is a list")
                }
                for item in items {
                    contexts.append(try Self.context(of: item))
                }
            default: throw Fault("\(entry.keyPlace): unknown field '\(entry.key)'")
            }
        }
        if let current, !contexts.contains(where: { $0.name == current }) {
            throw Fault("\(path): the current context '\(current)' is not in the file")
        }
    }

    private static func context(of node: ConfigurationNode) throws -> AdminContext {
        var fields: [String: String] = [:]
        for entry in node.entries ?? [] {
            guard ["name", "server", "ca", "token", "tokenFile"].contains(entry.key) else {
                throw Fault("\(entry.keyPlace): unknown field '\(entry.key)' of a context")
            }
            fields[entry.key] = entry.value.text
        }
        guard let name = fields["name"], let server = fields["server"], let authority = fields["ca"]
        else {
            throw Fault("\(node.place): a context needs name, server and ca")
        }
        switch (fields["token"], fields["tokenFile"]) {
        case (let text?, nil):
            return AdminContext(
                name: name,
                server: server,
                authority: authority,
                token: .text(text)
            )
        case (nil, let file?):
            return AdminContext(
                name: name,
                server: server,
                authority: authority,
                token: .file(file)
            )
        default:
            throw Fault(
                "\(node.place): the context '\(name)' needs token or tokenFile, one of them"
            )
        }
    }

    /// The context called `name`, or the current one.
    package func context(named name: String?) throws -> AdminContext {
        guard let wanted = name ?? current ?? (contexts.count == 1 ? contexts.first?.name : nil)
        else {
            throw Fault(
                "\(path): no context is current; choose one with --context or 'proxyctl context use'"
            )
        }
        guard let context = contexts.first(where: { $0.name == wanted }) else {
            let known = contexts.map(\.name).joined(separator: ", ")
            throw Fault(
                "\(path): no context is called '\(wanted)'; there are: \(known.isEmpty ? "none" : known)"
            )
        }
        return context
    }

    /// `path` as written in the file, seen from the working folder.
    package func resolved(_ path: String) -> String {
        if path.hasPrefix("/") {
            return path
        }
        let folder = self.path.lastIndex(of: "/").map { self.path[..<$0] }
        return folder.map { "\($0)/\(path)" } ?? path
    }

    /// Adds a context or replaces the one of its name; the first one becomes current.
    package mutating func add(_ context: AdminContext) {
        if let index = contexts.firstIndex(where: { $0.name == context.name }) {
            contexts[index] = context
        } else {
            contexts.append(context)
        }
        current = current ?? context.name
    }

    /// Makes the context called `name` the current one.
    package mutating func use(_ name: String) throws {
        current = try context(named: name).name
    }

    /// The file's text.
    package var text: String {
        var lines = ["contexts:\(contexts.isEmpty ? " []" : "")"]
        for context in contexts {
            lines.append("  - name: \(Self.quoted(context.name))")
            lines.append("    server: \(Self.quoted(context.server))")
            lines.append("    ca: \(Self.quoted(context.authority))")
            switch context.token {
            case .text(let text): lines.append("    token: \(Self.quoted(text))")
            case .file(let file): lines.append("    tokenFile: \(Self.quoted(file))")
            }
        }
        if let current {
            lines.append("current: \(Self.quoted(current))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Makes these PEM texts the authorities that a context trusts.
    ///
    /// A file that a context of another server uses too is left alone: its other authorities are not ours to remove.
    ///
    /// - Returns: Whether the file was changed.
    /// - Throws: `Fault` if it is shared, or cannot be written.
    package func keepAuthorities(_ texts: [String], of context: AdminContext) throws -> Bool {
        let path = resolved(context.authority)
        let text = texts.joined()
        if FileManager.default.contents(atPath: path) == Data(text.utf8) { return false }
        let isShared = contexts.contains {
            $0.server != context.server && resolved($0.authority) == path
        }
        guard !isShared else {
            throw Fault("\(path): contexts of other servers use it too, so it was not changed")
        }
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600],
                ofItemAtPath: path
            )
        } catch {
            throw Fault("\(path): cannot be written: \(error.localizedDescription)")
        }
        return true
    }

    /// Writes the file, readable by its owner alone, in one step that a crash cannot split.
    package func write() throws {
        let url = URL(fileURLWithPath: path)
        let ownerOnly: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            if !FileManager.default.fileExists(atPath: path) {
                // Created empty first: the atomic write keeps the permissions of the file that it replaces.
                _ = FileManager.default.createFile(
                    atPath: path,
                    contents: nil,
                    attributes: ownerOnly
                )
            }
            try Data(text.utf8).write(to: url, options: .atomic)
            try FileManager.default.setAttributes(ownerOnly, ofItemAtPath: path)
        } catch {
            throw Fault("\(path): cannot be written: \(error.localizedDescription)")
        }
    }

    /// A YAML scalar in double quotes.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.count == 1 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
