import AdminMessages
import Authority
import Certificates
import Cryptography
import FleetModel
import Foundation
import HTTPTypes
import Testing

@testable import AdminAPI

/// The body of a request that stores a certificate.
func certificateBody(_ request: CertificateRequest) throws -> String {
    String(decoding: try encodeJSON(request), as: UTF8.self)
}

extension CertificateRequest {
    /// The files of a self-signed certificate.
    static func selfSigned(_ scratch: Scratch, _ host: String) async throws -> CertificateRequest {
        let authority = try await Authority(store: scratch.store)
        let material = try authority.selfSigned(hosts: [host])
        return CertificateRequest(
            name: "shop",
            certificate: PEM.encode(material.chain[0], label: "CERTIFICATE"),
            key: material.key.der.withOctets { PEM.encode($0, label: "PRIVATE KEY") }
        )
    }
}

@Suite("Certificates that are kept")
struct CertificateTests {
    let scratch: Scratch

    init() async throws { scratch = try await Scratch() }

    private func post(_ request: CertificateRequest) async throws -> Answer {
        try await scratch.call(.post, "/v1/certificates", try certificateBody(request))
    }

    @Test("a certificate is stored once, and told without its key")
    func stores() async throws {
        let request = try await CertificateRequest.selfSigned(scratch, "shop.example.com")
        let made = try await post(request)
        #expect(made.status == 201)
        let answer: CertificateAnswer = try made.read()
        #expect(answer.kind == "certificate" && answer.names == ["shop.example.com"])
        #expect(answer.issuer == "CN=shop.example.com" && answer.key == "EC P-256")
        #expect(made.headers[.location] == "/v1/certificates/\(answer.digest)")
        let again = try await post(request)
        #expect(again.status == 200)
        #expect(try again.read(CertificateAnswer.self).digest == answer.digest)
        let one = try await scratch.call(.get, "/v1/certificates/\(answer.digest)")
        let list = try await scratch.call(.get, "/v1/certificates")
        #expect(try one.read(CertificateAnswer.self).fingerprint == answer.fingerprint)
        #expect(try list.read([CertificateAnswer].self).map(\.digest) == [answer.digest])
        let lines = try #require(request.key).split(separator: "\n").dropFirst().dropLast()
        let audit = try await scratch.call(.get, "/v1/audit")
        for body in [made, again, one, list, audit].map(\.body) {
            for line in lines { #expect(!body.contains(line.prefix(24))) }
        }
        let entries: [AuditAnswer] = try audit.read()
        #expect(entries[0].action == "secret.store" && entries[0].target == answer.digest)
        #expect(entries[0].detail == "certificate shop")
    }

    @Test("a bundle of authorities is kept beside the certificates")
    func authorities() async throws {
        let authority = try await Authority(store: scratch.store)
        let made = try await post(CertificateRequest(authority: authority.certificatePEM))
        #expect(made.status == 201)
        let answer: CertificateAnswer = try made.read()
        #expect(answer.kind == "authority" && answer.names.count == 1)
        #expect(answer.names[0].contains("Weir cluster"))
        #expect(answer.key == nil && answer.serial == nil)
        let leaf = try await CertificateRequest.selfSigned(scratch, "a.example.com")
        let refused = try await post(CertificateRequest(name: "ca", authority: leaf.certificate))
        #expect(refused.status == 422)
        #expect(try refused.error.details?.problems?.first?.field == "authority.file")
    }

    @Test("what is wrong with the files is told with the resource, the field and the remedy")
    func refuses() async throws {
        let request = try await CertificateRequest.selfSigned(scratch, "shop.example.com")
        let other = try await CertificateRequest.selfSigned(scratch, "other.example.com")
        var wrong = request
        wrong.key = other.key
        let mismatch = try await post(wrong)
        #expect(mismatch.status == 422)
        let error = try mismatch.error
        #expect(error.code == "invalid_certificate")
        let problem = try #require(error.details?.problems?.first)
        #expect(problem.kind == "certificate" && problem.name == "shop")
        #expect(problem.field == "files.key" && problem.message.contains("is not that of"))
        wrong.key = request.key
        wrong.certificate = "rubbish"
        let rubbish = try await post(wrong).error
        #expect(rubbish.details?.problems?.first?.field == "files.certificate")
        #expect(try await scratch.call(.get, "/v1/certificates").body == "[]")
    }

    @Test("bodies of another form are refused, and say nothing of what was in them")
    func forms() async throws {
        let request = try await CertificateRequest.selfSigned(scratch, "shop.example.com")
        var half = request
        half.key = nil
        var both = request
        both.authority = request.certificate
        for bad in [half, both, CertificateRequest()] {
            #expect(try await post(bad).status == 400)
        }
        let text = try certificateBody(request)
        for bad in [String(text.dropLast()), text.replacing("\"key\"", with: "\"kee\""), "[]"] {
            let answer = try await scratch.call(.post, "/v1/certificates", bad)
            #expect(answer.status == 400)
            #expect(!answer.body.contains("MIG"))
        }
        let unknown = String(repeating: "0", count: 64)
        for name in [unknown, "x", "..", String(unknown.dropLast())] {
            #expect(try await scratch.call(.get, "/v1/certificates/\(name)").status == 404)
        }
        var text2 = "\(request) \(String(reflecting: request))"
        dump([request], to: &text2)
        #expect(!text2.contains("MIG"))
    }
}
