internal import COpenSSL

/// Octets that nobody is to see: a private key, a data key.
///
/// The octets never change, are erased when the last holder lets go, and are in no description, dump or
/// mirror of this value or of one that holds it.
// SAFETY: the memory is made and filled in init, only read afterwards, and erased and freed in deinit.
@safe package final class SecretBytes: @unchecked Sendable {
    private let buffer: UnsafeMutableRawBufferPointer

    /// Copies octets; the caller erases its own copy if it has one.
    package init(_ octets: [UInt8]) {
        // SAFETY: the memory is ours and has room for all octets.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: octets.count, alignment: 1)
        unsafe buffer.copyBytes(from: octets)
        unsafe self.buffer = buffer
    }

    /// Takes octets over: the array is empty, and what it held erased, when this returns.
    package convenience init(taking octets: inout [UInt8]) {
        self.init(octets)
        erase(&octets)
    }

    deinit {
        // SAFETY: nobody holds this value any more, and the memory is ours.
        unsafe OPENSSL_cleanse(buffer.baseAddress, buffer.count)
        unsafe buffer.deallocate()
    }

    /// Number of octets.
    package var count: Int {
        // SAFETY: the length of the memory does not change.
        unsafe buffer.count
    }

    /// Runs `body` with a copy that is erased afterwards; `body` must not keep it.
    package func withOctets<Value, Failure: Error>(
        _ body: ([UInt8]) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        // SAFETY: the memory lives as long as this value, which the call keeps.
        var octets = unsafe Array(buffer)
        defer { erase(&octets) }
        return try body(octets)
    }
}

extension SecretBytes: Equatable {
    /// Compares in a time that depends on the lengths only.
    package static func == (left: SecretBytes, right: SecretBytes) -> Bool {
        left.withOctets { one in right.withOctets { other in equalInConstantTime(one, other) } }
    }
}

extension SecretBytes: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// How many octets there are, and nothing of them.
    package var description: String { "secret of \(count) octets" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Overwrites octets that were secret, and empties the array.
///
/// Reaches the array's own storage: what other arrays share with it, or copies made before, stays.
package func erase(_ octets: inout [UInt8]) {
    // SAFETY: OpenSSL writes exactly as many octets as the array has, during the call.
    unsafe octets.withUnsafeMutableBytes { buffer in
        unsafe OPENSSL_cleanse(buffer.baseAddress, buffer.count)
    }
    octets = []
}
