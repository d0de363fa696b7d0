// The octets that the grammar names.

let horizontalTab: UInt8 = 0x09
let lineFeed: UInt8 = 0x0a
let carriageReturn: UInt8 = 0x0d
let space: UInt8 = 0x20
let numberSign: UInt8 = 0x23
let colon: UInt8 = 0x3a
let semicolon: UInt8 = 0x3b

/// Whether the octet is SP or HTAB.
@inline(__always)
func isBlank(_ octet: UInt8) -> Bool {
    octet == space || octet == horizontalTab
}
