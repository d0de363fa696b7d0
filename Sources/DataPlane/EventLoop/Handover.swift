/// A value that goes from one thread to another with a message, and that the sender lets go of.
///
/// Loop-confined objects are built off their loop and handed over whole; an object with a loop of its own is
/// only ever named outside of it, in messages to its own mailbox.
package struct Handover<Value>: @unchecked Sendable {
    package let value: Value

    /// Wraps what is handed over.
    package init(_ value: Value) {
        self.value = value
    }
}
