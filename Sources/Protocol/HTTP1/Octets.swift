// The octets that the grammar names.

let horizontalTab: UInt8 = 0x09
let lineFeed: UInt8 = 0x0a
let carriageReturn: UInt8 = 0x0d
let space: UInt8 = 0x20
let numberSign: UInt8 = 0x23
let asterisk: UInt8 = 0x2a
let hyphen: UInt8 = 0x2d
let slash: UInt8 = 0x2f
let colon: UInt8 = 0x3a
let semicolon: UInt8 = 0x3b
let questionMark: UInt8 = 0x3f
let lowLine: UInt8 = 0x5f
let delete: UInt8 = 0x7f

/// `HTTP/1.1` as a word, its first octet in the lowest place.
let http11Word: UInt64 = 0x312e_312f_5054_5448

/// Whether the octet is SP or HTAB, the white space of RFC 9110 §5.6.3.
@inline(__always)
func isBlank(_ octet: UInt8) -> Bool {
    octet == space || octet == horizontalTab
}
