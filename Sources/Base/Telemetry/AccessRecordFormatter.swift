internal import Bytes

/// How access-log records look.
package enum AccessRecordFormat: Sendable {
    /// One JSON object on each line.
    case json
    /// The combined log format of Apache and nginx.
    case combined
}

/// What one exchange leaves in the access log, but for the octets of strangers.
package struct AccessRecord: Sendable {
    /// When the request's first octet came, in nanoseconds since 1970.
    package var unixNanoseconds: UInt64 = 0
    /// From then to the last octet of the response.
    package var durationNanoseconds: UInt64 = 0
    /// The final response's status code; 0 when none was sent.
    package var status = 0
    /// Octets of content sent to the client.
    package var contentBytes: UInt64 = 0
    /// The configuration version that the exchange was served by.
    package var version: UInt64 = 0
    package var scheme: StaticString = "http"
    /// The version of TLS; empty without.
    package var tls: StaticString = ""
    package var protocolName: StaticString = "HTTP/1.1"
    package var error: ProxyErrorType?

    /// Makes an empty record.
    package init() {}
}

/// Writes access-log records into a buffer without building strings.
struct AccessRecordFormatter {
    private var clock = LogClock()

    /// The most octets that a record can take: six for each octet of its fields, and the names.
    ///
    /// An empty block has room for that, since fields are cut; see `Limits`.
    static func bytesMax(path: Int, fields: Int) -> Int {
        6 * (min(path, Limits.logPathBytesMax) + min(fields, 9 * Limits.logFieldBytesMax)) + 512
    }

    /// Appends a JSON object and a line feed.
    ///
    /// Empty spans become `null`.
    mutating func appendJSON(
        _ record: AccessRecord,
        client: Span<UInt8>,
        method: Span<UInt8>,
        host: Span<UInt8>,
        path: Span<UInt8>,
        route: Span<UInt8>,
        upstream: Span<UInt8>,
        endpoint: Span<UInt8>,
        requestID: Span<UInt8>,
        to buffer: inout Buffer
    ) {
        buffer.append("{\"time\":\"" as StaticString)
        clock.appendInternet(record.unixNanoseconds, to: &buffer)
        buffer.append("\",\"client\":" as StaticString)
        appendString(client, to: &buffer)
        buffer.append(",\"method\":" as StaticString)
        appendString(method, to: &buffer)
        buffer.append(",\"scheme\":\"" as StaticString)
        buffer.append(record.scheme)
        buffer.append("\",\"host\":" as StaticString)
        appendString(host, to: &buffer)
        buffer.append(",\"path\":" as StaticString)
        appendString(path, bytesMax: Limits.logPathBytesMax, to: &buffer)
        buffer.append(",\"status\":" as StaticString)
        buffer.append(decimal: UInt64(record.status))
        buffer.append(",\"bytes\":" as StaticString)
        buffer.append(decimal: record.contentBytes)
        buffer.append(",\"seconds\":" as StaticString)
        appendSeconds(record.durationNanoseconds, to: &buffer)
        buffer.append(",\"route\":" as StaticString)
        appendString(route, to: &buffer)
        buffer.append(",\"upstream\":" as StaticString)
        appendString(upstream, to: &buffer)
        buffer.append(",\"endpoint\":" as StaticString)
        appendString(endpoint, to: &buffer)
        buffer.append(",\"version\":" as StaticString)
        buffer.append(decimal: record.version)
        buffer.append(",\"request_id\":" as StaticString)
        appendString(requestID, to: &buffer)
        buffer.append(",\"protocol\":\"" as StaticString)
        buffer.append(record.protocolName)
        if record.tls.utf8CodeUnitCount > 0 {
            buffer.append("\",\"tls\":\"" as StaticString)
            buffer.append(record.tls)
        }
        buffer.append("\",\"error\":" as StaticString)
        if let error = record.error {
            appendString(error.rawValue.utf8.span, to: &buffer)
        } else {
            buffer.append("null" as StaticString)
        }
        buffer.append("}\n" as StaticString)
    }

    /// Appends `client - - [time] "method path protocol" status bytes "referer" "user-agent"` and a line feed.
    mutating func appendCombined(
        _ record: AccessRecord,
        client: Span<UInt8>,
        method: Span<UInt8>,
        path: Span<UInt8>,
        referer: Span<UInt8>,
        userAgent: Span<UInt8>,
        to buffer: inout Buffer
    ) {
        appendEscaped(client, to: &buffer)
        buffer.append(" - - [" as StaticString)
        clock.appendCommon(record.unixNanoseconds, to: &buffer)
        buffer.append("] \"" as StaticString)
        appendEscaped(method, to: &buffer)
        buffer.append(UInt8(ascii: " "))
        appendEscaped(path, bytesMax: Limits.logPathBytesMax, to: &buffer)
        buffer.append(UInt8(ascii: " "))
        buffer.append(record.protocolName)
        buffer.append("\" " as StaticString)
        buffer.append(decimal: UInt64(record.status))
        buffer.append(UInt8(ascii: " "))
        buffer.append(decimal: record.contentBytes)
        buffer.append(" \"" as StaticString)
        appendEscaped(referer, to: &buffer)
        buffer.append("\" \"" as StaticString)
        appendEscaped(userAgent, to: &buffer)
        buffer.append("\"\n" as StaticString)
    }

    private func appendString(
        _ octets: Span<UInt8>,
        bytesMax: Int = Limits.logFieldBytesMax,
        to buffer: inout Buffer
    ) {
        guard !octets.isEmpty else {
            buffer.append("null" as StaticString)
            return
        }
        buffer.append(UInt8(ascii: "\""))
        LogText.appendJSON(octets.extracting(first: bytesMax), to: &buffer)
        buffer.append(UInt8(ascii: "\""))
    }

    private func appendEscaped(
        _ octets: Span<UInt8>,
        bytesMax: Int = Limits.logFieldBytesMax,
        to buffer: inout Buffer
    ) {
        guard !octets.isEmpty else {
            buffer.append(UInt8(ascii: "-"))
            return
        }
        LogText.appendHexEscaped(octets.extracting(first: bytesMax), to: &buffer)
    }

    /// Appends seconds with six decimals.
    private func appendSeconds(_ nanoseconds: UInt64, to buffer: inout Buffer) {
        let microseconds = nanoseconds / 1000
        buffer.append(decimal: microseconds / 1_000_000)
        buffer.append(UInt8(ascii: "."))
        var divisor: UInt64 = 100_000
        while divisor > 0 {
            buffer.append(0x30 + UInt8(truncatingIfNeeded: microseconds / divisor % 10))
            divisor /= 10
        }
    }
}
