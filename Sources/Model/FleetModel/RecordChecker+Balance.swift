extension RecordChecker {
    /// What is hashed has a name where it is one of several; without `balance: hash` it waits for that.
    mutating func checkBalance(_ value: SettingValue, _ node: ConfigurationNode) {
        guard let hash = value["hash"], let part = node["hash"] else { return }
        let source = hash["on"]?.scalarText ?? ""
        let name = hash["name"]?.scalarText
        let place = (part["name"] ?? part["on"] ?? part).place
        switch (source, name) {
        case ("clientIP", .some), ("path", .some):
            complain("there is only one \(source): leave name out", field: "hash.name", at: place)
        case ("header", nil), ("cookie", nil), ("query", nil):
            let noun = source == "header" ? "field" : source == "cookie" ? "cookie" : "parameter"
            complain("name is missing: which \(noun)?", field: "hash.on", at: place)
        case ("header", .some(let name)), ("cookie", .some(let name)):
            do throws(Complaint) {
                _ = try Texts.token(name, noun: source == "header" ? "field name" : "token")
            } catch {
                complain(error.message, field: "hash.name", at: place)
            }
        case ("query", .some("")):
            complain("must not be empty", field: "hash.name", at: place)
        default: break
        }
    }
}
