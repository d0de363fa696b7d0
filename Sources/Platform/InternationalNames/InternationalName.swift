internal import CIDN2

/// Names of hosts in all scripts (UTS 46, IDNA 2008), on libidn2.
package enum InternationalName {
    /// Converts a name to the form that clients ask for: `Bücher.example` to `xn--bcher-kva.example`.
    ///
    /// Not transitional: `ß` stays what it is, as browsers have it.
    ///
    /// - Parameter name: A name of labels, without a port; one in ASCII comes out in lower case.
    /// - Returns: Labels of lower-case letters, digits, `-` and `_`, with dots between them.
    /// - Throws: Why it is no name, in words for its author.
    package static func ascii(_ name: String) throws(InternationalNameError) -> String {
        let octets = Array(name.utf8)
        guard octets.count <= Limits.nameBytesMax else { throw .tooLong }
        guard !octets.contains(0) else { throw .malformed("it has a zero octet") }
        // SAFETY: the octets end in a zero and outlive the call, which keeps no pointer to them.
        let (result, converted) = unsafe (octets + [0]).withUnsafeBufferPointer { buffer in
            var converted: UnsafeMutablePointer<UInt8>?
            guard let address = buffer.baseAddress else { return unsafe (Int32(-1), converted) }
            let result = unsafe weir_idn2_to_ascii(address, &converted)
            return unsafe (result, converted)
        }
        guard result == 0, let converted = unsafe converted else {
            // SAFETY: the text is a constant of the library.
            let reason = unsafe weir_idn2_reason(result).map { unsafe String(cString: $0) }
            throw .malformed(reason ?? "it cannot be converted")
        }
        // SAFETY: the name ends in a zero; it is ours, and copied before it is freed.
        let ascii = unsafe String(cString: converted)
        unsafe weir_idn2_free(converted)
        // What is mapped may be a sign that separates, such as a slash of full width.
        if let sign = ascii.utf8.first(where: { !isPart($0) }) {
            throw .malformed("a character of it stands for '\(Character(Unicode.Scalar(sign)))'")
        }
        // The library leaves it to the DNS what labels of no length are; a final dot is the root.
        let labels = ascii.utf8.split(
            separator: UInt8(ascii: "."),
            omittingEmptySubsequences: false
        )
        guard labels.dropLast().allSatisfy({ !$0.isEmpty }), labels.count > 1 || !ascii.isEmpty
        else { throw .malformed("a label of it is empty") }
        return ascii
    }

    private static func isPart(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x61...0x7A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }
}

/// Why a name was refused.
package enum InternationalNameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It has more than 1,024 octets.
    case tooLong
    /// A label or the whole is no name: why.
    case malformed(String)

    /// One clause for the name's author.
    package var description: String {
        switch self {
        case .tooLong: "it is longer than \(Limits.nameBytesMax) octets"
        case .malformed(let reason): reason
        }
    }
}
