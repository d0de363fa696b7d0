import ArgumentParser
import ConfigurationFile
import FleetModel
import Presentation
import Routing

/// `proxyctl explain`.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a node does with a request, and why.",
        discussion: """
            The matching is that of the nodes. With -f the configuration is read from
            files and nothing is sent; without, it is the head, or a version.

            Without --listener, the request arrives at the listener on the URL's port;
            if there is none, at each in turn until one has a route for it.

            EXAMPLES
              proxyctl explain GET http://shop.example.com/products/7
              proxyctl explain GET http://10.0.0.1:8080/ -H 'host: shop.example.com'
              proxyctl explain POST http://shop.example.com/ -f fleet.yaml -o json
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The request's method.")
    var method: String

    @Argument(help: ArgumentHelp("The request's URL.", valueName: "url"))
    var url: String

    @Option(
        name: [.customShort("H"), .customLong("header")],
        parsing: .singleValue,
        help: ArgumentHelp("A field line of the request; repeatable.", valueName: "name: value")
    )
    var headers: [String] = []

    @Option(help: ArgumentHelp("The client's address, or a proxy's in front.", valueName: "ip"))
    var client: String?

    @Option(help: "The name of the listener at which the request arrives.")
    var listener: String?

    @OptionGroup var source: ConfigurationSource

    func validate() throws {
        for header in headers where !header.dropFirst().contains(":") {
            throw ValidationError(
                "A field line has the form 'name: value', and '\(header)' has not."
            )
        }
        if let client, IPAddress(client) == nil {
            throw ValidationError("'\(client)' is not an IP address.")
        }
    }

    func run() async throws {
        let session = Session(options)
        let configuration = try await source.configuration(session)
        let url: String
        do {
            url = try ConfigurationFile.convertingHost(ofURL: self.url)
        } catch {
            throw Failure(.failure, "'\(visible(self.url))' has no host: \(error)")
        }
        do {
            let request = try ExplainedRequest(
                method: method,
                url: url,
                fields: headers.map(Self.fieldLine),
                client: client.flatMap(IPAddress.init)
            )
            let explanation = try Explanation(request, in: configuration, listener: listener)
            session.print(explanation.value) { explanation.rendered($0) }
        } catch {
            throw Failure(.failure, error.description)
        }
    }

    /// The name and the value of a field line, which has a colon.
    private static func fieldLine(_ line: String) -> (name: String, value: String) {
        let colon = line.firstIndex(of: ":") ?? line.endIndex
        return (String(line[..<colon]), line[colon...].dropFirst().trimmingSpaces)
    }
}

extension Substring {
    /// The text without spaces and tabs at its ends (RFC 9110 §5.5).
    fileprivate var trimmingSpaces: String {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let start = drop(while: isBlank)
        return String(start.reversed().drop(while: isBlank).reversed())
    }
}
