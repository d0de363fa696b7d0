internal import EventLoop
internal import FleetModel

/// How a worker divides its time between TLS handshakes and all else.
extension Worker {
    /// Answers a ClientHello when it is its turn, at the end of this tick or of a later one.
    func answerLater(_ client: TLSAcceptor) {
        handshakes.append(client)
        resumeLater(registration)
    }

    /// Answers some of those that wait; then the loop looks what else is ready.
    func resume() {
        let began = LoopInstant.now
        let patience = watched?.loopLag?.nanoseconds
        repeat {
            guard let client = handshakes.takeNext(at: loop.now, patience: patience) else { return }
            client.answer()
        } while LoopInstant.now.nanoseconds(since: began) < Limits.handshakesPerTickNanoseconds
        // Until nobody waits, which also lets go of the last ones.
        resumeLater(registration)
    }
}
