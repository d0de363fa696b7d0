import ArgumentParser

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json, yaml
}

/// Options that every command takes, before and after its name.
struct GlobalOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: "How to print: table, json or yaml."
    )
    var output: OutputFormat = .table

    @Option(
        help: ArgumentHelp(
            "The contexts file (default: $PROXYCTL_CONFIG, else ~/.config/proxyctl/config.yaml).",
            valueName: "file"
        ),
        completion: .file()
    )
    var config: String?

    @Option(help: "The context to use in place of the current one.")
    var context: String?

    /// The options' names, for finding them before the command's name.
    static let names = ["-o", "--output", "--config", "--context"]
}
