/// Why an operation on keys, certificates or sealed octets failed.
package enum CryptographyError: Error, Hashable, Sendable {
    /// A raw or encoded key is not one of its type.
    case keyInvalid
    /// A key is well formed but not on the curve P-256.
    case keyTypeUnsupported
    /// Octets are not one certificate in DER.
    case certificateInvalid
    /// Octets are not one certificate revocation list in DER.
    case revocationListInvalid
    /// A text is not PEM, or holds no block with the label asked for.
    case pemInvalid
    /// A common name is empty, longer than 64 characters, or refused by the encoder.
    case nameInvalid
    /// Sealed octets are too short, were changed, or were sealed with another key or context.
    case openFailed
    /// A key for AES-256-GCM is not 32 octets.
    case keyLengthInvalid
    /// OpenSSL refused an operation that well-formed input cannot make fail: out of memory, no provider.
    case libraryFailed
}
