/// Metrics in Prometheus' text format, version 0.0.4.
package enum PrometheusText {
    /// The value of Content-Type.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The exponents of 2 nanoseconds that bound the buckets shown: 65 µs to 68.7 s.
    static let boundExponents = 16...36

    /// Renders every metric of a snapshot.
    package static func render(_ snapshot: MetricsSnapshot) -> String {
        var text = ""
        text.reserveCapacity(16_384)
        for family in MetricFamily.all {
            begin(family.name, family.kind, family.help, &text)
            for sample in family.samples {
                let value = number(snapshot[sample.metric], family.unit)
                line(family.name, family.label, sample.value, value, &text)
            }
        }
        let errors = MetricFamily.errors
        begin(errors.name, errors.kind, errors.help, &text)
        for type in ProxyErrorType.allCases where snapshot[type] > 0 {
            line(errors.name, errors.label, type.rawValue, String(snapshot[type]), &text)
        }
        render(snapshot.durations, as: .requestDuration, &text)
        for family in LabelledFamily.all {
            let names = snapshot.names(of: family.subject)
            guard !names.isEmpty else { continue }
            begin(family.name, .counter, family.help, &text)
            for name in names.keys.sorted() {
                guard let row = names[name] else { continue }
                let value = number(row[family.column.rawValue], family.unit)
                line(family.name, family.label, name, value, &text)
            }
        }
        return text
    }

    /// When certificates end, as the family `weir_certificate_not_after_seconds`; nothing if there are none.
    ///
    /// - Parameter ends: Seconds since 1970-01-01 UTC, by the certificate's name.
    /// - Returns: Lines of the format.
    package static func certificates(_ ends: [String: Int64]) -> String {
        guard !ends.isEmpty else { return "" }
        let name = "weir_certificate_not_after_seconds"
        var text = ""
        begin(name, .gauge, "When a certificate ends, in seconds since 1970-01-01 UTC.", &text)
        for (certificate, end) in ends.sorted(by: { $0.key < $1.key }) {
            line(name, "certificate", certificate, String(end), &text)
        }
        return text
    }

    /// What is told of endpoints, as the families `weir_endpoint_…`.
    ///
    /// - Parameters:
    ///   - endpoints: The first ones of a node.
    ///   - omitted: How many there are besides.
    /// - Returns: Lines of the format.
    package static func endpoints(_ endpoints: [EndpointNumbers], omitted: Int) -> String {
        var text = ""
        for family in EndpointNumbers.families {
            begin(family.name, family.kind, family.help, &text)
            for endpoint in endpoints {
                for (result, value) in family.samples(endpoint) {
                    text += "\(family.name){upstream=\""
                    escape(endpoint.upstream, &text)
                    text += "\",endpoint=\""
                    escape(endpoint.address, &text)
                    text += result.isEmpty ? "\"" : "\",result=\"\(result)\""
                    text += "} \(value)\n"
                }
            }
        }
        let name = "weir_endpoints_omitted"
        begin(name, .gauge, "Endpoints of which nothing is told, because there are many.", &text)
        line(name, "", "", String(omitted), &text)
        return text
    }

    private static func render(
        _ histogram: HistogramSnapshot,
        as family: MetricFamily,
        _ text: inout String
    ) {
        begin(family.name, family.kind, family.help, &text)
        var rest = histogram.buckets[...]
        var count: UInt64 = 0
        for exponent in boundExponents {
            let bound: UInt64 = 1 << UInt64(exponent)
            // Bounds are powers of two, so a bucket lies on one side of each.
            while let bucket = rest.first,
                HistogramBuckets.lowerBound(of: bucket.index) < bound
            {
                count += bucket.count
                rest = rest.dropFirst()
            }
            line(family.name + "_bucket", "le", seconds(bound), String(count), &text)
        }
        line(family.name + "_bucket", "le", "+Inf", String(histogram.count), &text)
        line(family.name + "_sum", "", "", seconds(histogram.sum), &text)
        line(family.name + "_count", "", "", String(histogram.count), &text)
    }

    private static func begin(
        _ name: String,
        _ kind: MetricFamily.Kind,
        _ help: String,
        _ text: inout String
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    private static func line(
        _ name: String,
        _ label: String,
        _ labelValue: String,
        _ value: String,
        _ text: inout String
    ) {
        text += name
        if !label.isEmpty {
            text += "{\(label)=\""
            escape(labelValue, &text)
            text += "\"}"
        }
        text += " \(value)\n"
    }

    /// Escapes a label's value: backslash, quotation mark and line feed.
    private static func escape(_ value: String, _ text: inout String) {
        for character in value.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
    }

    private static func number(_ value: UInt64, _ unit: MetricFamily.Unit) -> String {
        unit == .seconds ? seconds(value) : String(value)
    }

    /// Nanoseconds as decimal seconds, exactly and without an exponent.
    static func seconds(_ nanoseconds: UInt64) -> String {
        let whole = nanoseconds / 1_000_000_000
        let rest = nanoseconds % 1_000_000_000
        guard rest > 0 else { return String(whole) }
        var digits = String(rest)
        digits = String(repeating: "0", count: 9 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
