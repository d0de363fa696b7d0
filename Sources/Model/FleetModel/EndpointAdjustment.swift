/// One endpoint of the fleet, as operators name it.
package struct EndpointName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The upstream.
    package let upstream: String
    /// `host:port` or `unix:/path` in canonical form, as configured or as discovered.
    package let address: String

    /// Joins both.
    package init(upstream: String, address: String) {
        (self.upstream, self.address) = (upstream, address)
    }

    package static func < (left: EndpointName, right: EndpointName) -> Bool {
        (left.upstream, left.address) < (right.upstream, right.address)
    }

    /// `UPSTREAM ADDRESS`, as the audit has it.
    package var description: String { "\(upstream) \(address)" }

    /// The canonical form of an address that an operator wrote; nil if it is none of an endpoint.
    package static func canonicalAddress(_ text: String) -> String? {
        // Why it is none is not told: it is looked for among those that there are, which are all of this form.
        (try? Hosts.endpointAddress(text))?.description
    }
}

/// What an operator wants of an endpoint, beside the configuration.
package enum EndpointAdjustment: Hashable, Sendable {
    /// No new requests; what rests there closes.
    case drain
    /// The same at once, for clients that stick to the endpoint too.
    case disable
    /// Another weight than the configuration's, from 0 to `weightMax`.
    case weight(Int)

    /// Largest weight: as much as the configuration may say.
    package static let weightMax = 10_000

    /// What it is about: an endpoint has one adjustment of each aspect at most.
    package enum Aspect: String, Hashable, Sendable {
        case use
        case weight
    }

    /// What it is about.
    package var aspect: Aspect {
        if case .weight = self { .weight } else { .use }
    }

    /// The operator's word.
    package var word: String {
        switch self {
        case .drain: "drain"
        case .disable: "disable"
        case .weight: "weight"
        }
    }
}

/// What the content of an upstream says of its endpoints, without all else.
package struct UpstreamOutline: Hashable, Sendable {
    /// One endpoint of the file.
    package struct Endpoint: Hashable, Sendable {
        /// In canonical form.
        package let address: String
        /// Its share of the requests.
        package let weight: Int
        /// Digest of all that is said of it, whether defaults are written out or not.
        package let settings: Digest
    }

    /// Those of the file, in its order.
    package let endpoints: [Endpoint]
    /// Digest of how others are discovered; nil if none are.
    package let discovery: Digest?

    /// Reads canonical JSON of an upstream; what a later build wrote in another form has no endpoints.
    package init(content: [UInt8]) {
        // Stored content was checked when it came, and what cannot be read has nothing to adjust.
        let node = try? JSONReader.read(content)
        let items = node?["endpoints"]?.items ?? []
        endpoints = items.compactMap { item in
            guard let address = item["address"]?.text else { return nil }
            let weight = item["weight"]?.text ?? "1"
            let said = [address, weight, item["zone"]?.text ?? "", item["tier"]?.text ?? "0"]
            return Endpoint(
                address: address,
                weight: Int(weight) ?? 1,
                settings: Self.digest(said)
            )
        }
        discovery = (node?["discovery"]).map { found in
            Self.digest([found["dns"]?.text ?? "", found["type"]?.text ?? "a"])
        }
    }

    /// No value has a line feed in it.
    private static func digest(_ values: [String]) -> Digest {
        Digest(hashing: Array(values.joined(separator: "\n").utf8))
    }

    /// Digest of what is said of an endpoint: a version in which it differs ends the adjustments of the endpoint.
    ///
    /// - Returns: `nil` if the endpoint is not of this upstream, and none is discovered either.
    package func settings(of address: String) -> Digest? {
        endpoints.first { $0.address == address }?.settings ?? discovery
    }
}
