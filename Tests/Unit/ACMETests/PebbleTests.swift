import AsyncHTTPClient
import Certificates
import Cryptography
import Foundation
import NIOSSL
import Synchronization
import SystemCalls
import Testing

@testable import ACME

/// A real server of RFC 8555, where one is installed: Debian's `pebble`, which takes every challenge as met.
private final class Pebble: Sendable {
    let directory: String
    let authority: String
    private let folder: URL
    /// Bound and never listening: a program of Go sets SO_REUSEADDR and may listen there, and nobody else is given them.
    private let ports: [HeldPort]
    private let process: Mutex<Process>

    static var program: String? {
        let path = ProcessInfo.processInfo.environment["WEIR_PEBBLE"] ?? ""
        return path.isEmpty ? nil : path
    }

    /// Starts one.
    ///
    /// - Parameters:
    ///   - program: Its path.
    ///   - bindings: Keys that accounts have to be bound to, in base64url, by their identifiers; empty: none has to.
    /// - Throws: What keeps it from listening.
    init(_ program: String, bindings: [String: String] = [:]) throws {
        ports = [try HeldPort(), try HeldPort()]
        folder = FileManager.default.temporaryDirectory.appending(path: "weir-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/openssl")
        openssl.currentDirectoryURL = folder
        openssl.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", "key.pem", "-out", "cert.pem",
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        let keys = bindings.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", ")
        let configuration = """
            {"pebble": {"listenAddress": "127.0.0.1:\(ports[0].number)",
                        "managementListenAddress": "127.0.0.1:\(ports[1].number)",
                        "certificate": "cert.pem", "privateKey": "key.pem", "httpPort": 5002, "tlsPort": 5001,
                        "externalAccountBindingRequired": \(!bindings.isEmpty), "externalAccountMACKeys": {\(keys)}}}
            """
        try configuration.write(
            to: folder.appending(path: "pebble.json"),
            atomically: true,
            encoding: .utf8
        )
        let pebble = Process()
        pebble.executableURL = URL(filePath: program)
        pebble.currentDirectoryURL = folder
        pebble.arguments = ["-config", "pebble.json"]
        pebble.environment = [
            "PEBBLE_VA_ALWAYS_VALID": "1", "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "10",
        ]
        let output = Pipe()
        pebble.standardOutput = output
        pebble.standardError = FileHandle.nullDevice
        try pebble.run()
        var said = ""
        while !said.contains("ACME directory available") {
            let part = output.fileHandleForReading.availableData
            guard !part.isEmpty else { throw ACMEError.unreachable("pebble has ended: \(said)") }
            said += String(decoding: part, as: UTF8.self)
        }
        // What it says from now on must not fill the pipe.
        output.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
        process = Mutex(pebble)
        directory = "https://127.0.0.1:\(ports[0].number)/dir"
        authority = folder.appending(path: "cert.pem").path
    }

    deinit {
        process.withLock { $0.terminate() }
        // Nothing depends on what is left of a temporary directory.
        try? FileManager.default.removeItem(at: folder)
    }
}

/// A port of loopback that the system chose, held as long as this lives.
private final class HeldPort: Sendable {
    let number: UInt16
    private let socket: FileDescriptor

    init() throws {
        let address: SystemCalls.SocketAddress? = .init(address: "127.0.0.1", port: 0)
        let loopback = try #require(address)
        let bound = try bindStreamSocket(loopback, reusePort: false)
        number = try localAddress(bound.number).port
        socket = bound
    }
}

@Suite("A real authority", .enabled(if: Pebble.program != nil))
struct PebbleTests {
    @Test(
        "a certificate is obtained, with nonces refused now and then, and its chain and key go together"
    )
    func issues() async throws {
        try await issue(bindings: [:], nil)
    }

    @Test(
        "RFC 8555 §7.3.4: an account is bound to one that the authority knows, and refused without it"
    )
    func bindsAccounts() async throws {
        let key = [UInt8](0..<32)
        let bindings = ["kid-1": encodeBase64URL(key)]
        try await issue(bindings: bindings, ACMEBinding(keyID: "kid-1", secret: SecretBytes(key)))
        for (keyID, octets) in [("kid-1", [UInt8](1..<33)), ("kid-2", key)] {
            let wrong = ACMEBinding(keyID: keyID, secret: SecretBytes(octets))
            await #expect(throws: ACMEError.self) { try await issue(bindings: bindings, wrong) }
        }
        await #expect(throws: ACMEError.self) { try await issue(bindings: bindings, nil) }
    }

    private func issue(bindings: [String: String], _ binding: ACMEBinding?) async throws {
        let program = try #require(Pebble.program)
        let pebble = try Pebble(program, bindings: bindings)
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(pebble.authority)
        configuration.tlsConfiguration = tls
        try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            let client = ACMEClient(http)
            let hosts = ["a.example.com", "b.example.com"]
            for kind in [ACMEChallenge.Kind.http, .tlsALPN] {
                let (key, request) = try ACMECertificates.request(hosts: hosts)
                let order = ACMEOrder(
                    .init(
                        directory: pebble.directory,
                        hosts: hosts,
                        challenge: kind,
                        contact: "ops@example.com",
                        key: ACMEAccountKey(),
                        binding: binding,
                        certificateRequest: request
                    ),
                    progress: ACMEProgress()
                )
                let remembered = Mutex<[ACMEProgress]>([])
                let presented = Mutex<[ACMEChallenge]>([])
                let chain = try await client.run(
                    order,
                    remember: { progress in remembered.withLock { $0.append(progress) } },
                    present: { challenges in presented.withLock { $0 += challenges } }
                )
                #expect(presented.withLock { Set($0.map(\.host)) } == Set(hosts))
                #expect(remembered.withLock { $0.last?.order } != nil)
                let blocks = try PEM.blocks(chain).filter { $0.label == "CERTIFICATE" }
                let material = try CertificateMaterial(chain: blocks.map(\.der), key: key)
                #expect(Set(material.facts.names.dnsNames) == Set(hosts))
                #expect(ACMECertificates.renewalIdentifier(of: material.chain[0]) != nil)
            }
        }
    }
}
