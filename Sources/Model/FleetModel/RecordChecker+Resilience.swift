extension RecordChecker {
    /// What retries and circuit breakers could never do, or would always do.
    mutating func checkResilience(_ value: SettingValue, _ node: ConfigurationNode) {
        if let retry = value["retry"], let part = node["retry"] {
            if retry["budget"] == .percentage(0) {
                complain(
                    "0% lets no request be tried again: leave retry out for that",
                    field: "retry.budget",
                    at: part["budget"]?.place ?? part.place
                )
            }
            if case .duration(let perTry)? = retry["perTryTimeout"], perTry > 0,
                case .duration(let total)? = value["timeouts"]?["total"], total > 0, perTry >= total
            {
                complain(
                    "leaves no time for another try: take less than timeouts.total",
                    field: "retry.perTryTimeout",
                    at: part["perTryTimeout"]?.place ?? part.place
                )
            }
        }
        if value["circuit"]?["errors"] == .percentage(0), let part = node["circuit"] {
            complain(
                "0% would open the circuit whether requests fail or not: take at least 1%",
                field: "circuit.errors",
                at: part["errors"]?.place ?? part.place
            )
        }
    }
}
