import Certificates
import Cryptography
import FleetMessages
import FleetModel
import FleetProtocol
import Foundation
import ProxyCore
import SwiftProtobuf
import TLSLibrary
import Testing

@testable import NodeAgent

/// A self-signed certificate and its key, made once with `openssl req`.
private let certificateDER = octets(
    base64: """
        MIIBqTCCAVCgAwIBAgIUUm9H05wwx6eunpaR3Pu+Wu5bEHwwCgYIKoZIzj0EAwIwGzEZMBcGA1UEAwwQc2hvcC5leG
        FtcGxlLmNvbTAgFw0yNjExMjYxNzI4MzdaGA8yMTI2MTEwMjE3MjgzN1owGzEZMBcGA1UEAwwQc2hvcC5leGFtcGxl
        LmNvbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHl8iLOC5zXGTjSbkTPEK61+7jNxTQYy607cKCPaZp8zijc2RO
        z5VzqANUcTRD+Qv5U3Rqiipy9giihJHxIXG6ijcDBuMB0GA1UdDgQWBBSXKExUzW8sOg0XlGpVsj5Cg7uLzDAfBgNV
        HSMEGDAWgBSXKExUzW8sOg0XlGpVsj5Cg7uLzDAPBgNVHRMBAf8EBTADAQH/MBsGA1UdEQQUMBKCEHNob3AuZXhhbX
        BsZS5jb20wCgYIKoZIzj0EAwIDRwAwRAIgaqUzQnPh0HS01U9/Q8Tfs3t4AImQkJoc25Tvb+oOFt8CIHBAeCmkPZQl
        Pmby/wP/R4DcRhysWwenK1sU/VIPma59
        """
)
private let keyDER = octets(
    base64: """
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjWas2m8nHwcsp9bmAP2mCDcAfPU9fSIWxtMx9aF1hr
        ehRANCAAR5fIizguc1xk40m5EzxCutfu4zcU0GMutO3Cgj2mafM4o3NkTs+Vc6gDVHE0Q/kL+VN0aooqcvYIooSR8S
        Fxuo
        """
)

private func octets(base64: String) -> [UInt8] {
    [UInt8](Data(base64Encoded: base64, options: .ignoreUnknownCharacters) ?? Data())
}

@Suite("What a node holds of certificates and keys")
struct MaterialShelfTests {
    private let resource = Digest(hashing: Array("shop".utf8))
    private let chain = ChainCoding.encode([certificateDER])
    private var digest: Digest { Digest(hashing: chain) }
    private let other = Digest(hashing: Array("another".utf8))

    private func list(
        _ generation: UInt64,
        serve: Digest,
        next: Digest? = nil
    ) -> WireMaterialList {
        .with {
            $0.generation = generation
            $0.assignments = [
                .with {
                    $0.name = "shop"
                    $0.resource = wireOctets(resource.octets)
                    $0.serve = wireOctets(serve.octets)
                    if let next { $0.next = wireOctets(next.octets) }
                }
            ]
        }
    }

    private func message(_ content: [UInt8], as digest: Digest? = nil) -> WireMaterial {
        .with {
            $0.digest = wireOctets((digest ?? self.digest).octets)
            $0.kind = .certificate
            $0.content = wireOctets(content)
            $0.key = wireOctets(keyDER)
        }
    }

    private var assigned: MaterialShelf.Assigned { .init(name: "shop", resource: resource) }

    @Test("what a list names and is not held is asked for once, until another session begins")
    func asks() throws {
        var shelf = MaterialShelf()
        var asked = shelf.received(list(1, serve: digest, next: other), keeping: [])
        #expect(Set(asked) == [digest, other])
        asked = shelf.received(list(2, serve: digest, next: other), keeping: [])
        #expect(asked.isEmpty)
        asked = shelf.sessionBegan([])
        #expect(Set(asked) == [digest, other])
        try shelf.received(message(chain))
        asked = shelf.sessionBegan([])
        #expect(asked == [other])
    }

    @Test("material is taken if it was asked for, has its digest, and its key belongs to its chain")
    func verifies() throws {
        var shelf = MaterialShelf()
        #expect(throws: MaterialShelf.Fault.unwanted) { try shelf.received(message(chain)) }
        _ = shelf.received(list(1, serve: digest), keeping: [])
        #expect(throws: MaterialShelf.Fault.digestMismatch) {
            try shelf.received(message(ChainCoding.encode([[0x30, 0]])))
        }
        for content in [ChainCoding.encode([]), ChainCoding.encode([[0x30, 0]]), [1, 0, 0, 0, 9]] {
            let digest = Digest(hashing: content)
            _ = shelf.received(list(2, serve: digest), keeping: [])
            #expect(throws: MaterialShelf.Fault.malformed) {
                try shelf.received(message(content, as: digest))
            }
        }
        _ = shelf.received(list(3, serve: digest), keeping: [])
        var foreign = message(chain)
        foreign.key = wireOctets(try P256PrivateKey().der)
        #expect(throws: MaterialShelf.Fault.malformed) { try shelf.received(foreign) }
        _ = shelf.received(list(4, serve: digest), keeping: [])
        try shelf.received(message(chain))
        #expect(shelf.held.count == 1)
    }

    @Test("what is served stays until what is to be served next has come, and over a restart")
    func goesOver() throws {
        var shelf = MaterialShelf()
        _ = shelf.received(list(1, serve: digest), keeping: [])
        try shelf.received(message(chain))
        #expect(shelf.served(assigned) == digest)
        let asked = shelf.received(list(2, serve: other), keeping: [])
        #expect(asked == [other])
        #expect(shelf.served(assigned) == digest)
        #expect(shelf.status(serving: ["shop": digest], problem: "").held.isEmpty)
        var restarted = try MaterialShelf(archive: shelf.archive)
        #expect(restarted.served(assigned) == digest)
        let askedAgain = restarted.sessionBegan([])
        #expect(askedAgain == [other])
    }

    @Test("an archive brings back keys of tickets, and one that was cut or changed is refused")
    func archives() throws {
        var shelf = MaterialShelf()
        _ = shelf.received(list(7, serve: digest), keeping: [])
        try shelf.received(message(chain))
        shelf.received(
            WireTicketKeys.with {
                $0.keys = [
                    .with {
                        $0.name = wireOctets([UInt8](repeating: 1, count: 16))
                        $0.octets = wireOctets([UInt8](repeating: 2, count: 64))
                    }
                ]
                $0.affinityKey = wireOctets([UInt8](repeating: 3, count: 32))
            }
        )
        let archive = shelf.archive
        let back = try MaterialShelf(archive: archive)
        #expect(back.ticketKeys == shelf.ticketKeys && back.generation == 7)
        #expect(back.edge([]).affinityKey == [UInt8](repeating: 3, count: 32))
        #expect(back.archive == archive)
        for count in stride(from: 1, to: archive.count, by: 7) {
            let cut = try? MaterialShelf(archive: Array(archive.prefix(count)))  // Or refused.
            #expect(cut == nil || (cut?.held.count ?? 0) <= 1)
        }
        var changed = archive
        changed[archive.count / 2] ^= 1
        #expect(throws: FleetProtocolError.self) { try MaterialShelf(archive: changed) }
    }

    @Test("what neither a list nor a version needs is dropped")
    func tidies() throws {
        var shelf = MaterialShelf()
        _ = shelf.received(list(1, serve: digest), keeping: [])
        try shelf.received(message(chain))
        let need = MaterialShelf.Need(name: "shop", digest: digest, isAuthority: false)
        _ = shelf.received(list(2, serve: other), keeping: [assigned])
        var hasDropped = shelf.tidy(keeping: [need])
        #expect(!hasDropped)
        #expect(shelf.lacking([need]).isEmpty)
        #expect(shelf.edge([need]).identities["shop"]?.chain == [certificateDER])
        hasDropped = shelf.tidy(keeping: [])
        #expect(hasDropped)
        #expect(shelf.lacking([need]) == [need])
        #expect(shelf.edge([need]).identities.isEmpty)
    }

    @Test("a refusal is told as the reason until the next list or session")
    func tellsRefusals() throws {
        var shelf = MaterialShelf()
        _ = shelf.received(list(1, serve: digest), keeping: [])
        let need = MaterialShelf.Need(name: "shop", digest: digest, isAuthority: false)
        var refusal = WireMaterial()
        refusal.digest = wireOctets(digest.octets)
        refusal.refusal = "damaged"
        #expect(throws: MaterialShelf.Fault.refused("damaged")) { try shelf.received(refusal) }
        #expect(shelf.isRefused(need))
        #expect(shelf.reason(need).contains("damaged"))
        var asked = shelf.ask(again: [need])
        #expect(asked.isEmpty)
        asked = shelf.need([need])
        #expect(asked == [digest])
    }
}

@Suite("A node's material on its disk")
struct MaterialFileTests {
    private func key(_ octet: UInt8) -> SecretBytes {
        MaterialFile.key(privateKey: [UInt8](repeating: octet, count: 138), context: [1, 2, 3])
    }

    @Test("each of the identities that it was sealed for opens it, and no other")
    func opens() throws {
        let content = Array("a private key".utf8)
        let file = try MaterialFile.seal(content, keys: [key(1), key(2)])
        #expect(try MaterialFile.open(file, key: key(1)) == content)
        #expect(try MaterialFile.open(file, key: key(2)) == content)
        #expect(throws: MaterialFile.Fault.otherIdentity) {
            try MaterialFile.open(file, key: key(3))
        }
        let elsewhere = MaterialFile.key(
            privateKey: [UInt8](repeating: 1, count: 138),
            context: [1, 2, 4]
        )
        #expect(throws: MaterialFile.Fault.otherIdentity) {
            try MaterialFile.open(file, key: elsewhere)
        }
    }

    @Test("an octet that was changed or cut off anywhere is noticed")
    func noticesDamage() throws {
        let file = try MaterialFile.seal([7, 7, 7], keys: [key(1)])
        for index in file.indices {
            var changed = file
            changed[index] ^= 0x40
            #expect(throws: MaterialFile.Fault.self) { try MaterialFile.open(changed, key: key(1)) }
            #expect(throws: MaterialFile.Fault.self) {
                try MaterialFile.open(Array(file.prefix(index)), key: key(1))
            }
        }
    }

    @Test("neither the content nor the key stands in it")
    func hides() throws {
        let secret = [UInt8](0..<64)
        let file = try MaterialFile.seal(secret, keys: [key(1)])
        let hasSecret = file.indices.contains { file[$0...].starts(with: secret.prefix(12)) }
        #expect(!hasSecret)
    }
}
