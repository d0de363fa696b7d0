package import HTTPSemantics

extension PathRules {
    /// The rules that a configuration's `paths` are.
    package init(_ settings: PathSettings) {
        let encodedSlash: EncodedSlash =
            switch settings.encodedSlash {
            case .reject: .reject
            case .keep: .keep
            case .decode: .decode
            }
        self.init(mergesSlashes: settings.mergesSlashes, encodedSlash: encodedSlash)
    }
}
