import Dispatch
import HTTPTypes
import Synchronization

/// Runs what takes long (reading, checking and comparing configurations) one after the other on a thread of
/// its own, so that neither an event loop nor the cooperative pool waits for it.
final class WorkQueue: Sendable {
    private let queue = DispatchQueue(label: "weir.admin.work")
    private let count = Atomic<Int>(0)

    /// Runs `body` when those before it are done.
    ///
    /// - Throws: `busy` if too many wait already; what `body` throws.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let waiting = count.wrappingAdd(1, ordering: .relaxed).newValue
        defer { count.wrappingSubtract(1, ordering: .relaxed) }
        guard waiting <= AdminLimits.checksMax else {
            throw AdminError(
                .serviceUnavailable,
                .busy,
                "too many configurations are being checked; try again in a moment"
            )
        }
        return try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
