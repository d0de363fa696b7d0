internal import Bytes
internal import EventLoop
internal import SystemCalls
internal import Transport

/// One direction of a relay: octets on their way from one socket to another, as they are.
///
///     source ──▶ buffer ──▶ sink        while little is waiting
///     source ──▶ pipe   ──▶ sink        (splice) once whole blocks are waiting, until none are
///
/// Nothing is read while something waits to be written, so a slow sink stops the reads. At rest it holds neither a
/// buffer nor a pipe. It touches nothing but the two sockets that it is given.
struct RelayFlow: ~Copyable {
    private var buffer = Buffer()
    private var pipe: SplicePipe?
    /// Reads in a row that filled the largest block: more was waiting.
    private var fullReads = 0
    private var isSpliceRefused = false
    private var hasSourceEnded = false
    /// Whether the end has been passed on, or the sink is gone.
    private(set) var isFinished = false
    /// Whether it was given up before the source's end was passed on.
    private(set) var isCut = false
    /// Octets that have come, and those that the sink has taken.
    private(set) var receivedBytes: UInt64 = 0
    private(set) var sentBytes: UInt64 = 0

    /// Whether octets have come that the sink has not taken.
    var isHolding: Bool { !buffer.isEmpty || (pipe?.count ?? 0) > 0 }

    /// What `pump` came to.
    enum Outcome {
        /// One of the sockets has to do something first, or the flow is finished.
        case waits
        /// There is more to do, after others have had their turn.
        case isBusy
        /// Nothing more comes, and what came last may not be all.
        case sourceFailed
        /// The sink takes nothing any more.
        case sinkFailed
    }

    /// Moves octets as far as both sockets are ready.
    mutating func pump(
        from source: inout StreamSocket,
        to sink: inout StreamSocket,
        _ worker: Worker
    ) -> Outcome {
        var reads = 0
        while !isFinished {
            if isHolding {
                guard sink.canWrite else { return .waits }
                guard empty(into: &sink) else { return .sinkFailed }
                continue
            }
            if hasSourceEnded {
                sink.finishWriting()
                isFinished = true
                break
            }
            guard source.canRead else { break }
            reads += 1
            guard worker.mayRead(reads) else { return .isBusy }
            guard fill(from: &source, worker) else { return .sourceFailed }
        }
        rest(worker)
        return .waits
    }

    /// Gives up: what is on its way is dropped.
    mutating func abandon(_ worker: Worker) {
        if !isFinished { isCut = true }
        isFinished = true
        rest(worker)
    }

    /// Reads once; `false` when the source has failed.
    private mutating func fill(from source: inout StreamSocket, _ worker: Worker) -> Bool {
        let received = isBulk ? splice(from: &source, worker) : receive(from: &source, worker)
        switch received {
        case .octets(let count): receivedBytes &+= UInt64(count)  // 2^64 octets do not come
        case .wouldBlock: fullReads = 0
        case .end: hasSourceEnded = true
        case .failed: return false
        }
        return true
    }

    private var isBulk: Bool { fullReads >= Limits.fullReadsBeforeSplice && !isSpliceRefused }

    private mutating func splice(
        from source: inout StreamSocket,
        _ worker: Worker
    ) -> StreamSocket.Received {
        guard let pipe = pipe ?? worker.takePipe() else {
            // Without descriptors octets are copied, as few are.
            isSpliceRefused = true
            return receive(from: &source, worker)
        }
        self.pipe = pipe
        worker.reclaim(&buffer)
        let received = source.splice(into: pipe.pipe, count: Limits.pipeBytes)
        if case .octets(let count) = received { pipe.count = count }
        return received
    }

    private mutating func receive(
        from source: inout StreamSocket,
        _ worker: Worker
    ) -> StreamSocket.Received {
        let wanted: BlockSize = fullReads > 0 ? .large : .medium
        if buffer.blockSize < wanted.rawValue {
            worker.reclaim(&buffer)
            buffer = worker.lend(wanted, headroom: 0)
        } else {
            buffer.clear()
        }
        let received = source.receive(into: &buffer, reserve: 0)
        if case .octets = received { fullReads = buffer.writableCount == 0 ? fullReads + 1 : 0 }
        return received
    }

    /// Writes once; `false` when the sink has failed.
    private mutating func empty(into sink: inout StreamSocket) -> Bool {
        let sent: StreamSocket.Sent
        if let pipe, pipe.count > 0 {
            sent = sink.splice(from: pipe.pipe, count: pipe.count)
            if case .octets(let count) = sent { pipe.count -= count }
        } else {
            sent = buffer.withReadable { sink.send($0) }
            if case .octets(let count) = sent { buffer.consume(count) }
        }
        guard case .octets(let count) = sent else { return false }
        sentBytes &+= UInt64(count)  // likewise
        return true
    }

    /// Gives back what it holds for octets that are not there.
    private mutating func rest(_ worker: Worker) {
        worker.reclaim(&buffer)
        if let pipe { worker.givePipe(pipe) }
        pipe = nil
    }
}
