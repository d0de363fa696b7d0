internal import Cryptography
internal import FleetModel
internal import TLSLibrary

/// What a version needs of TLS, with the material that there is: checked once, and made into contexts for each worker.
struct EdgePlan: Sendable {
    /// By listener.
    private var edges: [String: TLSEdgeOptions] = [:]
    /// By upstream.
    private var connectors: [String: ConnectorPlan] = [:]
    private let ticketKeys: TicketKeys
    /// Contents of challenges by their tokens.
    private var files: [(token: [UInt8], content: [UInt8])] = []

    /// Looks up what listeners and upstreams name.
    ///
    /// - Parameters:
    ///   - configuration: A valid one.
    ///   - material: What there is.
    ///   - ticketKeys: With what tickets are made and taken.
    ///   - storeStamp: Tells one state of the system's authorities from another.
    ///   - problems: Gets what is missing or unusable.
    init(
        _ configuration: Configuration,
        _ material: EdgeMaterial,
        ticketKeys: TicketKeys,
        storeStamp: Int64,
        _ problems: inout [Problem]
    ) {
        self.ticketKeys = ticketKeys
        var proofs: [String: TLSIdentity] = [:]
        for challenge in material.challenges {
            switch challenge {
            case .file(let token, let content): files.append((token, content))
            case .certificate(let host, let identity): proofs[host] = identity
            }
        }
        for listener in configuration.listeners {
            guard let tls = listener.tls else { continue }
            do throws(EdgeFault) {
                var options = try material.options(for: tls, of: listener.name)
                options.challenges = proofs
                edges[listener.name] = options
            } catch {
                problems.append(error.problem(of: .listener, listener.name))
            }
        }
        for upstream in configuration.upstreamsInUse {
            guard let tls = upstream.tls else { continue }
            do throws(EdgeFault) {
                let options = try material.options(for: tls)
                connectors[upstream.name] = ConnectorPlan(
                    options: options,
                    transport: upstream.transport,
                    storeStamp: options.trust == .system ? storeStamp : 0
                )
            } catch {
                problems.append(error.problem(of: .upstream, upstream.name))
            }
        }
    }

    /// Makes one worker's contexts.
    ///
    /// - Parameter problems: Gets what OpenSSL does not take.
    /// - Returns: The contexts that it takes.
    func make(_ problems: inout [Problem]) -> EdgeContexts {
        var contexts = EdgeContexts()
        for file in files { contexts.challengeFiles[file.token] = file.content }
        for (name, options) in edges {
            do throws(TLSError) {
                contexts.edges[name] = try TLSEdge(options, ticketKeys: ticketKeys)
            } catch {
                let fault = EdgeFault(field: "tls", message: "cannot be served: \(error)")
                problems.append(fault.problem(of: .listener, name))
            }
        }
        for (name, plan) in connectors {
            do throws(TLSError) {
                contexts.connectors[name] = try UpstreamConnectors(plan)
            } catch {
                let fault = EdgeFault(field: "tls", message: "cannot be used: \(error)")
                problems.append(fault.problem(of: .upstream, name))
            }
        }
        return contexts
    }
}

/// One worker's side of TLS in a version.
struct EdgeContexts {
    /// By listener.
    var edges: [String: TLSEdge] = [:]
    /// By upstream.
    var connectors: [String: UpstreamConnectors] = [:]
    /// Contents of challenges by their tokens.
    var challengeFiles: [[UInt8]: [UInt8]] = [:]
}

/// Why a listener or an upstream cannot have TLS.
struct EdgeFault: Error {
    let field: String
    let message: String

    func problem(of kind: ResourceKind, _ name: String) -> Problem {
        Problem(kind: kind, name: name, field: field, message: message)
    }
}

extension EdgeMaterial {
    /// A listener's side, with the certificates that it names.
    func options(
        for tls: ListenerTLS,
        of listener: String
    ) throws(EdgeFault) -> TLSEdgeOptions {
        var hosts = EdgeHosts()
        for (index, name) in tls.certificates.enumerated() {
            let field = "tls.certificates[\(index)]"
            try hosts.add(try identity(name, field), field: field)
        }
        let clients = tls.clientCertificate
        var scope = Array("\(listener) \(clients.mode.rawValue)".utf8)
        var certificates: [[UInt8]] = []
        var revocationLists: [[UInt8]] = []
        for (index, name) in clients.authorities.enumerated() where clients.mode != .none {
            let field = "tls.clientCertificate.authorities[\(index)]"
            let bundle = try authorities(name, field)
            certificates += bundle.certificates
            revocationLists += bundle.revocationLists
            scope += sha256(self.authorities[name] ?? [])
        }
        let authentication: TLSClientAuthentication =
            switch clients.mode {
            case .none: .none
            case .request: .optional(certificates, revocationLists: revocationLists)
            case .require: .required(certificates, revocationLists: revocationLists)
            }
        return TLSEdgeOptions(
            hosts: hosts.all,
            isStrict: tls.isStrict,
            minimumVersion: tls.minimumVersion == .tls13 ? .tls13 : .tls12,
            protocols: tls.protocols,
            clientAuthentication: authentication,
            scope: scope
        )
    }

    /// Our side of TLS to an upstream; protocols are not set.
    func options(for tls: UpstreamTLS) throws(EdgeFault) -> TLSConnectorOptions {
        var trust = TLSConnectorOptions.Trust.system
        if !tls.isVerified {
            trust = .nobody
        } else if let name = tls.authority {
            let bundle = try authorities(name, "tls.authority")
            trust = .authorities(
                bundle.certificates,
                revocationLists: bundle.revocationLists
            )
        }
        var shown: TLSIdentity?
        if let name = tls.clientCertificate { shown = try identity(name, "tls.clientCertificate") }
        return TLSConnectorOptions(trust: trust, protocols: [], identity: shown)
    }

    private func identity(_ name: String, _ field: String) throws(EdgeFault) -> TLSIdentity {
        guard let identity = identities[name] else {
            let message = "this node has no key and certificate of the certificate '\(name)'"
            throw EdgeFault(field: field, message: message)
        }
        return identity
    }

    private func authorities(
        _ name: String,
        _ field: String
    ) throws(EdgeFault) -> (certificates: [[UInt8]], revocationLists: [[UInt8]]) {
        guard let text = authorities[name] else {
            let message = "this node has no authorities of the certificate '\(name)'"
            throw EdgeFault(field: field, message: message)
        }
        let blocks: [PEMBlock]
        do throws(PEMError) {
            blocks = try PEM.blocks(text)
        } catch {
            throw EdgeFault(field: field, message: "the certificate '\(name)': \(error)")
        }
        let certificates = blocks.filter { $0.label == "CERTIFICATE" }.map(\.der)
        guard !certificates.isEmpty else {
            throw EdgeFault(field: field, message: "the certificate '\(name)' has no authority")
        }
        return (certificates, blocks.filter { $0.label == "X509 CRL" }.map(\.der))
    }
}

/// A listener's certificates, put together by the names that they are for.
///
/// Each name has the first certificate for it of each kind of key, and names with the same certificates are one host.
/// The last certificate answers where no name is asked for.
struct EdgeHosts {
    private var identities: [TLSIdentity] = []
    private var keys: [KeyFamily] = []
    private var namesOfLast: [String] = []
    /// The certificates of each name, and the names in order.
    private var chosen: [String: [Int]] = [:]
    private var order: [String] = []

    /// A context has one certificate of each.
    private enum KeyFamily: Hashable { case rsa, ellipticCurve, edwards, other }

    mutating func add(_ identity: TLSIdentity, field: String) throws(EdgeFault) {
        guard let leaf = identity.chain.first, let details = try? CertificateDetails(der: leaf)
        else {  // what is wrong with it is for those to say who took it in
            throw EdgeFault(field: field, message: "its certificate is not one")
        }
        let index = identities.count
        identities.append(identity)
        switch details.key {
        case .rsa: keys.append(.rsa)
        case .p256, .p384, .p521: keys.append(.ellipticCurve)
        case .ed25519: keys.append(.edwards)
        case .other: keys.append(.other)
        }
        namesOfLast = details.certificate.dnsNames.map { name in
            let lowered = name.lowercased()
            return lowered.hasSuffix(".") ? String(lowered.dropLast()) : lowered
        }
        for name in namesOfLast {
            let known = chosen[name, default: []]
            if known.isEmpty { order.append(name) }
            guard !known.contains(where: { keys[$0] == keys[index] }) else { continue }
            chosen[name] = known + [index]
        }
    }

    /// The hosts; the last one has the certificate that was added last.
    var all: [TLSEdgeOptions.Host] {
        var names: [[Int]: [String]] = [:]
        var groups: [[Int]] = []
        for name in order {
            let group = chosen[name, default: []]
            if names[group] == nil { groups.append(group) }
            names[group, default: []].append(name)
        }
        let last = identities.count - 1
        let own = namesOfLast.lazy.compactMap { chosen[$0] }.first { $0.contains(last) } ?? [last]
        groups.removeAll { $0 == own }
        groups.append(own)
        return groups.map { group in
            TLSEdgeOptions.Host(
                names: names[group, default: []],
                identities: group.map { identities[$0] }
            )
        }
    }
}
