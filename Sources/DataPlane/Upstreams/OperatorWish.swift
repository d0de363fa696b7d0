/// What an operator wants of an endpoint, beside the configuration.
package struct OperatorWish: Hashable, Sendable {
    /// In which way it is out of use, if it is.
    package var word: OperatorWord
    /// Its weight in place of the configured one.
    package var weight: Int?

    /// Nothing is wanted.
    package static let none = OperatorWish()

    /// Joins both.
    package init(word: OperatorWord = .none, weight: Int? = nil) {
        (self.word, self.weight) = (word, weight)
    }
}

/// Wishes by the upstream's name, then by the endpoint's address.
package typealias OperatorWishes = [String: [String: OperatorWish]]
