import Foundation
import Testing

@testable import Certificates

/// A moment at which certificates made now are valid, in seconds since 1970-01-01 UTC.
let now = Int64(Date().timeIntervalSince1970) + 60

/// A certificate and its key in PEM, made by a test.
struct Made {
    let name: String
    let certificate: String
    let key: String
}

/// Makes certificates with the `openssl` command in a directory of its own.
final class Workshop: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/weir-pem-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Nothing depends on what is left of a temporary directory.
        try? FileManager.default.removeItem(atPath: path)
    }

    @discardableResult
    func openssl(_ arguments: String...) throws -> String {
        try openssl(arguments)
    }

    @discardableResult
    func openssl(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = URL(filePath: path)
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaint = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(
            process.terminationStatus == 0,
            "openssl \(arguments): \(String(decoding: complaint, as: UTF8.self))"
        )
        return String(decoding: text, as: UTF8.self)
    }

    func read(_ file: String) throws -> String {
        try String(contentsOf: URL(filePath: "\(path)/\(file)"), encoding: .utf8)
    }

    func write(_ text: String, to file: String) throws {
        try text.write(to: URL(filePath: "\(path)/\(file)"), atomically: false, encoding: .utf8)
    }

    /// Makes a key and its certificate.
    ///
    /// - Parameters:
    ///   - name: The subject's common name, and the files' name.
    ///   - extensions: Lines of an extension section.
    ///   - issuer: Who signs; the key itself if nil.
    ///   - key: Arguments of `openssl genpkey`.
    ///   - digest: The signature's.
    ///   - days: How long it is valid.
    /// - Returns: Both in PEM.
    /// - Throws: What the command says.
    func make(
        _ name: String,
        _ extensions: [String],
        issuer: Made? = nil,
        key: [String] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        digest: String = "sha256",
        days: Int = 30
    ) throws -> Made {
        let file = name.replacing(" ", with: "-")
        try openssl(["genpkey", "-out", "\(file).key"] + key)
        try openssl("req", "-new", "-key", "\(file).key", "-subj", "/CN=\(name)", "-out", "req")
        try write(extensions.joined(separator: "\n") + "\n", to: "extensions")
        var arguments = ["x509", "-req", "-in", "req", "-days", "\(days)", "-\(digest)"]
        arguments += ["-extfile", "extensions", "-out", "\(file).crt"]
        if let issuer {
            let by = issuer.name.replacing(" ", with: "-")
            arguments += ["-CA", "\(by).crt", "-CAkey", "\(by).key", "-CAcreateserial"]
        } else {
            arguments += ["-signkey", "\(file).key"]
        }
        try openssl(arguments)
        return Made(
            name: name,
            certificate: try read("\(file).crt"),
            key: try read("\(file).key")
        )
    }
}

let authority = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]

func server(_ names: String = "DNS:shop.example.com") -> [String] {
    [
        "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=serverAuth", "subjectAltName=\(names)",
    ]
}

/// A root, an intermediate and a leaf.
struct Ladder {
    let workshop: Workshop
    let root: Made
    let middle: Made
    let leaf: Made

    init() throws {
        workshop = try Workshop()
        root = try workshop.make("Test Root", authority)
        middle = try workshop.make("Test CA 1", authority, issuer: root)
        leaf = try workshop.make("shop", server(), issuer: middle)
    }
}

func read(_ certificate: String, _ key: String, at seconds: Int64 = now) throws(MaterialError)
    -> CertificateMaterial
{
    try CertificateMaterial(
        certificateText: Array(certificate.utf8),
        keyText: Array(key.utf8),
        atSeconds: seconds
    )
}

/// The error of reading the files, or nil.
func refusal(_ certificate: String, _ key: String, at seconds: Int64 = now) -> MaterialError? {
    do {
        _ = try read(certificate, key, at: seconds)
        return nil
    } catch {
        return error
    }
}

func bundle(_ text: String, at seconds: Int64 = now) throws(MaterialError) -> AuthorityBundle {
    try AuthorityBundle(text: Array(text.utf8), atSeconds: seconds)
}

func refusal(ofBundle text: String, at seconds: Int64 = now) -> MaterialError? {
    do {
        _ = try bundle(text, at: seconds)
        return nil
    } catch {
        return error
    }
}
