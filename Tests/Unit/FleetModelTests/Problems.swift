import FleetModel

/// What is wrong with a document, each with its place; empty where nothing is.
func problems(_ json: String) -> [String] {
    do {
        _ = try Configuration(json: json)
        return []
    } catch {
        return error.problems.map { "\($0.path): \($0.message)" }
    }
}
