/// A value that goes from one thread to another with a message, and that the sender lets go of.
///
/// Loop-confined objects are built off their loop and handed over whole; a worker itself is only ever
/// named outside its loop, in messages to its own mailbox.
struct Handover<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
