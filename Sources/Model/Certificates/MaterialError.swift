package import Cryptography
internal import SystemCalls

/// Which of the files that a configuration names.
package enum MaterialFile: Hashable, Sendable, CustomStringConvertible {
    case certificate
    case key
    case authority

    /// As in "the certificate file".
    package var description: String {
        switch self {
        case .certificate: "the certificate file"
        case .key: "the key file"
        case .authority: "the authority's file"
        }
    }
}

/// Where a certificate stands in its file.
package struct CertificatePlace: Hashable, Sendable, CustomStringConvertible {
    /// Counted from 1.
    package let position: Int
    /// Line of its BEGIN, counted from 1.
    package let line: Int
    /// Its subject; may be empty.
    package let subject: String

    /// As in "certificate 2 (line 31, CN=R3)".
    package var description: String {
        "certificate \(position) (line \(line)\(subject.isEmpty ? "" : ", \(subject)"))"
    }
}

/// Why certificates, keys or authorities are refused.
///
/// No case holds anything of a key but its kind.
package enum MaterialError: Error, Hashable, Sendable {
    // The text.

    /// A file is not PEM.
    case pemInvalid(MaterialFile, PEMError)
    /// A file has no certificate; the labels that it has.
    case certificateMissing(MaterialFile, labels: [String])
    /// A block says CERTIFICATE and is none; its line.
    case certificateMalformed(MaterialFile, line: Int)
    /// A file has more certificates than are read.
    case certificatesTooMany(MaterialFile, countMax: Int)

    // The key.

    /// The key file has no private key; the labels that it has.
    case keyMissing(labels: [String])
    /// The key file has several; their lines.
    case keysSeveral(lines: [Int])
    /// The key needs a passphrase; its line.
    case keyEncrypted(line: Int)
    /// A block says PRIVATE KEY and is none; its line.
    case keyMalformed(line: Int)
    /// The key is not the first certificate's, nor another's of the file.
    case keyMismatch(KeyKind, CertificatePlace)

    // The chain.

    /// The key is that of a certificate that is not the first.
    case leafNotFirst(CertificatePlace)
    /// A certificate leads from no other of the file to a root.
    case certificateUnrelated(CertificatePlace)
    /// The issuer of the chain's last certificate is missing, and is no root.
    case intermediateMissing(CertificatePlace, issuer: String)
    /// A TLS client would not follow the chain; the library's words.
    case chainRefused(CertificatePlace, reason: String)

    // One certificate.

    /// The last moment of validity is over, in seconds since 1970-01-01 UTC.
    case expired(CertificatePlace, atSeconds: Int64)
    /// The first moment of validity is to come, in seconds since 1970-01-01 UTC.
    case notYetValid(CertificatePlace, fromSeconds: Int64)
    /// The key's algorithm, curve or size is not accepted.
    case keyUnacceptable(CertificatePlace, KeyKind)
    /// The signature is made with a broken digest.
    case signatureWeak(CertificatePlace, digest: String)
    /// The certificate to serve is a CA's, issued by another CA.
    case leafIsAuthority(CertificatePlace)
    /// The certificate to serve is not for TLS servers.
    case leafNotForServers(CertificatePlace)
    /// The key usage of the certificate to serve forbids signatures, and so every handshake.
    case leafCannotSign(CertificatePlace)
    /// The certificate to serve has no subject alternative name that a client could match.
    case namesMissing(CertificatePlace)

    // A bundle of authorities.

    /// A certificate of a bundle is no CA's.
    case authorityNotAuthority(CertificatePlace)
    /// Every certificate of a bundle has ended or is yet to begin.
    case authoritiesNotValid
    /// A bundle holds a private key; its line.
    case authorityHasKey(line: Int)
    /// A block says X509 CRL and is none; its line.
    case revocationListMalformed(line: Int)
    /// A bundle has more revocation lists than are read.
    case revocationListsTooMany(countMax: Int)
    /// No CA of the bundle has signed the list; its line.
    case revocationListUnrelated(line: Int, issuer: String)
    /// The list has a part of what its authority revokes, or is of others' certificates; its line.
    case revocationListPartial(line: Int, issuer: String)
    /// The next list was due at this moment, in seconds since 1970-01-01 UTC.
    case revocationListExpired(line: Int, issuer: String, atSeconds: Int64)

    /// Octets of the store are not what was stored.
    case storedMalformed
}

extension MaterialError {
    /// The file that has to be looked at first.
    package var file: MaterialFile {
        switch self {
        case .pemInvalid(let file, _), .certificateMissing(let file, _),
            .certificateMalformed(let file, _), .certificatesTooMany(let file, _):
            file
        case .keyMissing, .keysSeveral, .keyEncrypted, .keyMalformed, .keyMismatch: .key
        case .authorityNotAuthority, .authoritiesNotValid, .authorityHasKey,
            .revocationListMalformed, .revocationListsTooMany, .revocationListUnrelated,
            .revocationListPartial, .revocationListExpired:
            .authority
        default: .certificate
        }
    }
}

extension MaterialError: CustomStringConvertible {
    /// The place, what is wrong, and the remedy, in one line.
    package var description: String {
        switch self {
        case .pemInvalid(let file, let error):
            "\(file) is not PEM: \(error); replace it with the PEM text that the authority gave"
        case .certificateMissing(let file, let labels):
            "\(file) has no certificate\(Self.found(labels))"
        case .certificateMalformed(let file, let line):
            "\(file), line \(line): not a certificate; copy the file again"
        case .certificatesTooMany(let file, let countMax):
            "\(file) has more than \(countMax) certificates; leave out what does not belong to it"
        case .keyMissing(let labels):
            "the key file has no private key\(Self.found(labels))"
        case .keysSeveral(let lines):
            "the key file has \(lines.count) private keys, at lines "
                + "\(lines.prefix(5).map(String.init).joined(separator: ", ")); leave the one of the certificate"
        case .keyEncrypted(let line):
            "the key file, line \(line): the key is encrypted with a passphrase; decrypt it first, as with "
                + "'openssl pkey -in KEY -out PLAIN'"
        case .keyMalformed(let line):
            "the key file, line \(line): not a private key in PKCS#8, PKCS#1 or SEC 1; copy the file again"
        case .keyMismatch(let kind, let place):
            "the key (\(kind)) is not that of \(place); name the key that the certificate was requested with"
        default: chainDescription
        }
    }

    private var chainDescription: String {
        switch self {
        case .leafNotFirst(let place):
            "the chain is out of order: the key is that of \(place); put that certificate first, and after it "
                + "its issuer"
        case .certificateUnrelated(let place):
            "the chain is broken: \(place) has issued none of the certificates before it; remove it, or add what "
                + "is missing between"
        case .intermediateMissing(let place, let issuer):
            "the chain misses an intermediate certificate: \(place) was issued by \(issuer), which is not in the "
                + "file; append that certificate"
        case .chainRefused(let place, let reason):
            "clients would refuse the chain at \(place): \(reason)"
        case .expired(let place, let seconds):
            "\(place) has expired, at \(Self.text(seconds)); renew it"
        case .notYetValid(let place, let seconds):
            "\(place) is not valid before \(Self.text(seconds)); apply it then, or look at the clock"
        case .keyUnacceptable(let place, let kind):
            "\(place) has a key of a kind that is not accepted, \(kind); make one of RSA with "
                + "\(CertificateLimits.rsaBitsMin) to \(CertificateLimits.rsaBitsMax) bits, EC on P-256, P-384 or "
                + "P-521, or Ed25519"
        case .signatureWeak(let place, let digest):
            "\(place) is signed with \(digest), which can be forged; have it issued with SHA-256"
        case .leafIsAuthority(let place):
            "\(place) is that of a certificate authority; put the server's certificate first"
        case .leafNotForServers(let place):
            "\(place) is not for TLS servers; have it issued with the extended key usage serverAuth"
        case .leafCannotSign(let place):
            "the key of \(place) may not sign; have it issued with the key usage digitalSignature"
        case .namesMissing(let place):
            "\(place) has no subject alternative name of a host or an address, and clients ignore its common "
                + "name; have it issued with one"
        default: authorityDescription
        }
    }

    private var authorityDescription: String {
        switch self {
        case .authorityNotAuthority(let place):
            "\(place) of the authority's file is not that of a certificate authority; leave those of CAs"
        case .authoritiesNotValid:
            "no certificate of the authority's file is valid now; get the authority's present one"
        case .authorityHasKey(let line):
            "the authority's file, line \(line): a private key, which is not needed to trust an authority; "
                + "remove it"
        case .revocationListMalformed(let line):
            "the authority's file, line \(line): not a revocation list; copy it again"
        case .revocationListsTooMany(let countMax):
            "the authority's file has more than \(countMax) revocation lists; leave the newest of each authority"
        case .revocationListUnrelated(let line, let issuer):
            "the authority's file, line \(line): no certificate of the file has signed the revocation list of "
                + "\(issuer); add that authority, or remove the list"
        case .revocationListPartial(let line, let issuer):
            "the authority's file, line \(line): the revocation list of \(issuer) is a delta, an indirect one or one "
                + "of some reasons, and such are not followed; fetch the complete one"
        case .revocationListExpired(let line, let issuer, let seconds):
            "the authority's file, line \(line): the next revocation list of \(issuer) was due at "
                + "\(Self.text(seconds)); fetch it"
        default: "the stored certificate is damaged; apply its files again"
        }
    }

    private static func found(_ labels: [String]) -> String {
        guard !labels.isEmpty else { return "; name a file in PEM, with BEGIN and END lines" }
        let shown = labels.prefix(3).map { $0.prefix(40) }.joined(separator: ", ")
        return ", but \(shown); are two files interchanged?"
    }

    private static func text(_ seconds: Int64) -> String { utcText(seconds) }
}

/// A moment in seconds since 1970-01-01 UTC as RFC 3339 writes it.
package func utcText(_ seconds: Int64) -> String {
    let time = CivilTime(unixSeconds: seconds)
    func pad(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    let date = "\(pad(time.year, 4))-\(pad(time.month, 2))-\(pad(time.day, 2))"
    return "\(date)T\(pad(time.hour, 2)):\(pad(time.minute, 2)):\(pad(time.second, 2))Z"
}
