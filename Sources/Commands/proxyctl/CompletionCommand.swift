import ArgumentParser

/// `proxyctl completion`.
struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print the completion script of a shell.",
        discussion: """
            EXAMPLES
              proxyctl completion bash > /etc/bash_completion.d/proxyctl
              proxyctl completion zsh > ~/.zfunc/_proxyctl
              proxyctl completion fish > ~/.config/fish/completions/proxyctl.fish
            """
    )

    /// The shells that have one.
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish

        var completionShell: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    @OptionGroup var options: GlobalOptions

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() {
        Output.write(Proxyctl.completionScript(for: shell.completionShell) + "\n")
    }
}
