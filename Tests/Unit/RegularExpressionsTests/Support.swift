@testable import RegularExpressions

/// Octets of a text.
func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

func matchesWhole(_ expression: RegularExpression, _ text: String) throws(MatchError) -> Bool {
    try matchesWhole(expression, octets(text))
}

func matchesWhole(_ expression: RegularExpression, _ text: [UInt8]) throws(MatchError) -> Bool {
    try expression.matchesWhole(text.span)
}
