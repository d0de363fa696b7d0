import Foundation

/// Octets as a `bytes` field holds them.
///
/// Generated code stores `bytes` as Foundation's `Data`; the two functions of this file are the only
/// place where the rest of the program meets that type.
package func wireOctets(_ octets: [UInt8]) -> Data {
    Data(octets)
}

/// The octets of a `bytes` field.
package func octets(_ field: Data) -> [UInt8] {
    [UInt8](field)
}
