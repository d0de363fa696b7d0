/// A violation of the PROXY protocol, found in octets of a peer; each case names one.
///
/// Nothing on the connection can be believed after any of them: the caller closes it.
package enum ProxyProtocolError: UInt8, Error, Equatable, Sendable, CaseIterable {
    // Version 1.
    case lineTooLong
    case lineEndInvalid
    case protocolUnknown
    case addressInvalid
    case portInvalid
    // Version 2.
    case versionUnsupported
    case commandUnknown
    case familyUnknown
    case transportUnknown
    case headerTooLong
    case addressesTruncated
    case fieldTruncated
    case checksumLengthInvalid
    case checksumRepeated
    case checksumMismatch
}
