extension RecordChecker {
    /// What checks ask must be something that can be asked, they must be able to pass, and ejection to eject.
    mutating func checkHealth(_ value: SettingValue, _ node: ConfigurationNode) {
        if let path = value["health"]?["http"]?["path"]?.scalarText, let problem = Self.fault(path)
        {
            complain(
                "\(quoted(path)) \(problem)",
                field: "health.http.path",
                at: node["health"]?["http"]?["path"]?.place ?? node.place
            )
        }
        if let http = value["health"]?["http"], let problem = Self.obstacle(http) {
            complain(
                problem,
                field: "health.http.body",
                at: node["health"]?["http"]?["body"]?.place ?? node.place
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

    /// Why no answer can contain what it should; `nil` where one can.
    private static func obstacle(_ http: SettingValue) -> String? {
        guard let body = http["body"]?.scalarText, !body.isEmpty else { return nil }
        if body.utf8.count > ModelLimits.checkContentBytes {
            return "is longer than what is looked at, the first 64 KiB of the content"
        }
        let statuses = StatusRange.parseList(http["expect"]?.scalarText ?? "") ?? []
        // RFC 9110 §6.4.1: answers with these have no content.
        guard !statuses.isEmpty, statuses.allSatisfy({ $0 == 204...204 || $0 == 304...304 }) else {
            return nil
        }
        return "answers with the statuses of expect come without content: leave body out"
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
