internal import Bytes

/// The access log of one worker: formats records into a block and hands full blocks to the writer.
///
/// Confined to its worker's loop; never waits.
package final class AccessRecorder {
    private let writer: LogWriter
    private let format: AccessRecordFormat
    private let share: Double
    private var formatter = AccessRecordFormatter()
    private var block: LogBlock?
    private var owed = 0.0

    /// Makes a log that writes through `writer`.
    ///
    /// - Parameters:
    ///   - writer: Shared with the other workers.
    ///   - format: How a record looks.
    ///   - share: The part of all records that is written, from 0 to 1.
    package init(writer: LogWriter, format: AccessRecordFormat, share: Double = 1) {
        self.writer = writer
        self.format = format
        self.share = share
    }

    /// Whether records wait for `flush`.
    package var hasRecords: Bool { block != nil }

    /// Appends the record of one exchange.
    ///
    /// Empty spans mean that there is no such thing. Fields are cut at 1 KiB and paths at 8 KiB.
    ///
    /// - Complexity: O(octets); allocates nothing but a block, once in hundreds of records.
    package func append(
        _ record: AccessRecord,
        client: Span<UInt8>,
        method: Span<UInt8>,
        host: Span<UInt8>,
        path: Span<UInt8>,
        route: Span<UInt8>,
        upstream: Span<UInt8>,
        endpoint: Span<UInt8>,
        requestID: Span<UInt8>,
        referer: Span<UInt8>,
        userAgent: Span<UInt8>
    ) {
        guard isSampled() else { return }
        let named = client.count + method.count + host.count + route.count + upstream.count
        let fieldBytes = named + endpoint.count + requestID.count + referer.count + userAgent.count
        let bytesMax = AccessRecordFormatter.bytesMax(path: path.count, fields: fieldBytes)
        if let block, block.buffer.writableCount < bytesMax { flush() }
        let block = self.block ?? writer.lendBlock()
        self.block = block
        block.recordCount += 1
        switch format {
        case .json:
            formatter.appendJSON(
                record,
                client: client,
                method: method,
                host: host,
                path: path,
                route: route,
                upstream: upstream,
                endpoint: endpoint,
                requestID: requestID,
                to: &block.buffer
            )
        case .combined:
            formatter.appendCombined(
                record,
                client: client,
                method: method,
                path: path,
                referer: referer,
                userAgent: userAgent,
                to: &block.buffer
            )
        }
    }

    /// Hands what there is to the writer; a worker does so about once a second and before it ends.
    package func flush() {
        guard let block else { return }
        self.block = nil
        writer.submit(block)
    }

    private func isSampled() -> Bool {
        owed += share
        guard owed >= 1 else { return false }
        owed -= 1
        return true
    }
}
