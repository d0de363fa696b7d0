internal import Cryptography
internal import EventLoop
internal import FleetMessages
internal import FleetModel
internal import FleetProtocol
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry

/// How the node finds its control plane, and as whom it comes.
extension ControlAgent {
    /// Begins a connection, as a member or to become one.
    func connect() {
        guard link == nil, node.wantsSession else { return }
        guard let purpose = purpose() else { return }
        let address = settings.controls[addressIndex % settings.controls.count]
        addressIndex += 1
        if let literal = SocketAddress(address: address.host, port: UInt16(clamping: address.port))
        {
            return connect(to: literal, purpose)
        }
        bench.run({ () -> Result<[SocketAddress], ResolutionError> in
            do throws(ResolutionError) {
                return .success(
                    try resolve(host: address.host, port: UInt16(clamping: address.port))
                )
            } catch {
                return .failure(error)
            }
        }) { [weak self] result in
            guard let self, self.link == nil, self.node.wantsSession else { return }
            switch result {
            case .success(let found): self.connect(to: found[0], purpose)
            case .failure(let error):
                self.node.log.write(
                    .warning,
                    "control.unresolved",
                    ["address": "\(address)", "reason": error.description]
                )
                self.node.announce()
                self.reconnectLater()
            }
        }
    }

    private enum Purpose {
        case join(JoinToken)
        case session(Membership, TLSIdentity)
    }

    /// What a connection would be for; `nil` when there is nothing to be had.
    private func purpose() -> Purpose? {
        if let membership, let identity = membership.identity, !isExpired(membership) {
            return .session(membership, identity)
        }
        // A revoked or expired node comes back with a new token only, and serves on until then.
        if !tokenIsRefused, let token = try? readToken() { return .join(token) }
        if let membership, let identity = membership.identity {
            node.log.write(
                .error,
                "node.certificate_expired",
                [
                    "node": name,
                    "remedy": "remove the node and start it with a new token, or set the clock",
                ]
            )
            return .session(membership, identity)
        }
        return nil
    }

    private func isExpired(_ membership: Membership) -> Bool {
        guard let validity = membership.validity else { return false }
        return validity.endSeconds < Int64(realtimeNanoseconds() / 1_000_000_000)
    }

    private func connect(to address: SocketAddress, _ purpose: Purpose) {
        do throws(ControlLink.LinkFailure) {
            link = try makeLink(to: address, purpose)
        } catch {
            lost(error.end)
        }
    }

    private func makeLink(
        to address: SocketAddress,
        _ purpose: Purpose
    ) throws(ControlLink.LinkFailure) -> ControlLink {
        switch purpose {
        case .join(let token):
            isJoining = true
            return try ControlLink(
                loop: node.loop,
                address: address,
                context: try makeContext([token.authorityFingerprint], nil),
                session: NodeSession(joining: try makeJoin(token)),
                owner: self
            )
        case .session(let membership, let identity):
            isJoining = false
            let context: TLSContext
            if let known = self.context {
                context = known
            } else {
                context = try makeContext(membership.authorityFingerprints, identity)
                self.context = context
            }
            let member = NodeSession.Member(
                clusterID: membership.clusterID,
                name: membership.name,
                labels: labels,
                build: buildVersion,
                isSigned: { octets, signature in membership.isSigned(octets, signature) }
            )
            return try ControlLink(
                loop: node.loop,
                address: address,
                context: context,
                session: NodeSession(member: member, standing: standing),
                owner: self
            )
        }
    }

    private func makeContext(
        _ fingerprints: [[UInt8]],
        _ identity: TLSIdentity?
    ) throws(ControlLink.LinkFailure) -> TLSContext {
        do throws(TLSError) {
            let options = TLSClientOptions(
                serverName: "control.weir",
                trust: .pinnedAuthorities(fingerprints),
                protocols: ["weir/1"],
                identity: identity
            )
            return try TLSContext(client: options)
        } catch {
            throw ControlLink.LinkFailure(end: .tlsFailed(error))
        }
    }

    /// A request to join, with a key that is stored already: whatever happens to the answer, it can be sent again.
    private func makeJoin(_ token: JoinToken) throws(ControlLink.LinkFailure) -> WireJoin {
        let key: P256PrivateKey
        do throws(NodeError) {
            key = try directory.joinKey()
        } catch {
            throw ControlLink.LinkFailure(end: .joinUnstored(error.description))
        }
        do throws(CryptographyError) {
            var message = WireJoin()
            message.token = token.text
            message.name = name
            message.labels = labels
            message.certificateRequest = wireOctets(
                try key.certificateSigningRequest(commonName: name)
            )
            message.build = buildVersion
            requestedKey = key
            return message
        } catch {
            throw ControlLink.LinkFailure(end: .tlsFailed(.libraryFailed))
        }
    }

    func readToken() throws(NodeError) -> JoinToken {
        guard let path = settings.tokenFile else {
            throw NodeError(
                "this node has not joined yet: give it a token with --token-file "
                    + "(make one with 'proxyctl token create')"
            )
        }
        let octets: [UInt8]
        do throws(SystemCallError) {
            octets = try readFile(path, octetsMax: Limits.tokenFileBytesMax)
        } catch {
            throw NodeError("cannot read the token file \(path): \(error.errno.message)")
        }
        guard let token = JoinToken(String(decoding: octets, as: UTF8.self)) else {
            throw NodeError(
                "\(path) holds no token: it is one line 'weir1.…' as 'proxyctl token create' prints it"
            )
        }
        return token
    }
}
