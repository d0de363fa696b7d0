/// Limits of what is read of certificates; each names its unit, its reason and what happens at the limit.
///
/// A text has at most `PEM.textBytesMax` octets, 1 MiB, and a certificate `Certificate.bytesMax`, 64 KiB.
package enum CertificateLimits {
    /// Most certificates of a chain: public chains have two to four, and each handshake carries them all;
    /// more are refused.
    package static let chainCertificatesMax = 10
    /// Most certificates of a bundle of authorities: three times those that an operating system trusts; more
    /// are refused.
    package static let bundleCertificatesMax = 500
    /// Most revocation lists of a bundle: each is compared with every authority; more are refused.
    package static let bundleListsMax = 100
    /// Smallest RSA modulus, in bits (NIST SP 800-131A, CA/Browser Forum §6.1.5); less is refused.
    package static let rsaBitsMin = 2048
    /// Largest RSA modulus, in bits: a signature costs its cube, and each handshake is one; more is refused.
    package static let rsaBitsMax = 8192
}
