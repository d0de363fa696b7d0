internal import COpenSSL

/// What connections to servers of one kind have in common.
package struct TLSConnectorOptions: Hashable, Sendable {
    /// Whom to believe.
    package enum Trust: Hashable, Sendable {
        /// Nothing is verified.
        case nobody
        /// The system's authorities, as they are when the connector is made.
        case system
        /// These authorities, but for what their CRLs revoke (DER).
        case authorities([[UInt8]], revocationLists: [[UInt8]])
    }

    /// Whom to believe.
    package var trust: Trust
    /// Application protocols by preference, of which a server may take one; empty: no ALPN.
    package var protocols: [String]
    /// The certificate to show, if there is one.
    package var identity: TLSIdentity?

    /// Says whom to believe, what to speak and what to show.
    package init(trust: Trust, protocols: [String], identity: TLSIdentity? = nil) {
        (self.trust, self.protocols, self.identity) = (trust, protocols, identity)
    }
}

/// Whom a connection is to reach.
package enum TLSServer: Hashable, Sendable {
    /// A host, by the name that it is asked for and that its certificate must have.
    case name(String)
    /// An address of 4 or 16 octets that the certificate must have; no name is asked for.
    case address([UInt8])
    /// Nobody in particular: no name is asked for or looked at.
    case anybody
}

/// Our side of TLS to servers on one thread.
///
/// Confined to it, as its streams are.
package final class TLSConnector {
    let context: TLSContext

    /// Makes a context.
    ///
    /// - Parameter options: Whom to believe, what to speak and what to show.
    /// - Throws: `configurationInvalid` when a part of them is unusable.
    package init(_ options: TLSConnectorOptions) throws(TLSError) {
        context = try TLSContext(connector: options)
    }
}

/// The last session with a server, for the next connection to it to go on from.
///
/// It holds what was verified then: use it with one connector and one server only. Confined to a thread.
// SAFETY: the slot is ours, freed in deinit only; streams that OpenSSL knows it from hold this object.
@safe package final class TLSResumption {
    let slot: UnsafeMutablePointer<weir_tls_slot>

    /// Knows of no session.
    package init() {
        // SAFETY: initialised here, before anybody sees it.
        unsafe slot = .allocate(capacity: 1)
        unsafe slot.initialize(to: weir_tls_slot(session: nil))
    }

    deinit {
        // SAFETY: no stream is left that could use it.
        unsafe weir_tls_slot_clear(slot)
        unsafe slot.deallocate()
    }
}

/// A number that changes when the system's authorities do.
///
/// - Returns: A stamp of their file and folder; blocks for as long as the file system takes.
package func systemStoreStamp() -> Int64 { weir_system_store_stamp() }
