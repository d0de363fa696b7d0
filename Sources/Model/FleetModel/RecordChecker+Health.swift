extension RecordChecker {
    /// What checks ask must be something that can be asked, and ejection must be able to eject.
    mutating func checkHealth(_ value: SettingValue, _ node: ConfigurationNode) {
        if let path = value["health"]?["http"]?["path"]?.scalarText, let problem = Self.fault(path)
        {
            complain(
                "\(quoted(path)) \(problem)",
                field: "health.http.path",
                at: node["health"]?["http"]?["path"]?.place ?? node.place
            )
        }
        if value["outliers"]?["maximumEjected"]?.scalarText == "0%" {
            complain(
                "0% ejects no endpoint: leave outliers out, or give a share",
                field: "outliers.maximumEjected",
                at: node["outliers"]?["maximumEjected"]?.place ?? node.place
            )
        }
    }

    /// Why a text cannot be asked for; `nil` if it can (RFC 9112 §3.2.1).
    private static func fault(_ path: String) -> String? {
        guard path.hasPrefix("/") else { return "does not begin with /" }
        let isWritable = path.utf8.allSatisfy {
            (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#")
        }
        return isWritable
            ? nil
            : "has characters that no path has: percent-encode them, and leave out what follows #"
    }
}
