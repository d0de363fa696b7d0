package import ControlStore
import Cryptography
import Foundation
import SystemCalls

/// The files of the server's directory that operators use; all are for their owner only.
///
///     ca.pem          the CA certificate; while the cluster changes to another one, both
///     admin.token     the admin API's bearer token; delete it and restart to have a new one
///     proxyctl.yaml   a context for `proxyctl --config`
package struct OperatorFiles: Sendable {
    /// The server's directory.
    package let directory: String

    /// The files of a directory.
    package init(directory: StoreDirectory) {
        self.directory = directory.path
    }

    /// Where the CA certificate is.
    package var authorityPath: String { directory + "/ca.pem" }
    /// Where the admin token is.
    package var tokenPath: String { directory + "/admin.token" }
    /// Where the context is.
    package var contextPath: String { directory + "/proxyctl.yaml" }

    /// Longest token file that is read, in octets.
    private static let tokenBytesMax = 1024
    private static let tokenPrefix = "weir-admin-"

    /// Writes `ca.pem`, and makes `admin.token` if it is missing; what the file holds is valid from
    /// then on, and nothing else is.
    ///
    /// The file is written before the store is told, so that no crash leaves a token that nobody has.
    ///
    /// - Parameter authority: Of the store.
    /// - Returns: SHA-256 of the admin token, to compare bearer tokens with.
    /// - Throws: `fileFailed` or `store`.
    package func prepare(_ authority: Authority) async throws(AuthorityError) -> [UInt8] {
        try writeAuthorities(authority)
        let digest = Self.digest(of: try adminToken())
        do {
            try await authority.store.setAdminTokenDigest(
                digest,
                note: ChangeNote(author: "proxy-control", message: tokenPath)
            )
        } catch {
            throw .store(error)
        }
        return digest
    }

    /// Writes `ca.pem`: at each start, and when the CA changes.
    ///
    /// - Throws: `fileFailed`.
    package func writeAuthorities(_ authority: Authority) throws(AuthorityError) {
        try write(authorityPath, authority.certificatePEM)
    }

    /// What is stored of an admin token.
    package static func digest(of token: String) -> [UInt8] {
        sha256(Array(token.utf8))
    }

    /// Writes `proxyctl.yaml`; at each start, as a port of 0 is another one each time.
    ///
    /// - Parameter server: The admin address as a URL: `https://127.0.0.1:7443`.
    /// - Throws: `fileFailed`.
    package func writeContext(server: String) throws(AuthorityError) {
        let text = """
            # Written by proxy-control at each start. Use it with: proxyctl --config FILE
            current: local
            contexts:
              - name: local
                server: \(Self.quoted(server))
                ca: \(Self.quoted(Self.absolute(authorityPath)))
                tokenFile: \(Self.quoted(Self.absolute(tokenPath)))

            """
        try write(contextPath, text)
    }

    private func adminToken() throws(AuthorityError) -> String {
        if fileExists(tokenPath) {
            let octets: [UInt8]
            do {
                octets = try readFile(tokenPath, octetsMax: Self.tokenBytesMax)
            } catch {
                throw .fileFailed("\(tokenPath): \(error)")
            }
            let text = String(decoding: octets, as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            guard text.utf8.count >= 32, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw .fileFailed(
                    "\(tokenPath): not a token; delete the file to have a new one made"
                )
            }
            return text
        }
        let token = Self.tokenPrefix + encodeBase64URL(randomBytes(32))
        try write(tokenPath, token + "\n")
        return token
    }

    private func write(_ path: String, _ text: String) throws(AuthorityError) {
        do {
            try replaceFile(path, with: Array(text.utf8).span)
        } catch {
            throw .fileFailed("\(path): \(error)")
        }
    }

    private static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        return FileManager.default.currentDirectoryPath + "/" + path
    }

    /// A YAML scalar in double quotes, which JSON's escapes are a part of.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                quoted += "\\"
                quoted.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
            default:
                quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
