/// What a text field holds: how it is checked, and in which spelling it is stored.
package enum TextFormat: Hashable, Sendable {
    /// Any text up to `ModelLimits.textBytesMax` octets; tabs and line ends are allowed.
    case text
    /// Text on one line.
    case line
    /// A resource's name.
    case name
    /// A resource's name that may have spaces in it.
    case title
    /// A token (RFC 9110 §5.6.2).
    case token
    /// A field name, stored in lower case.
    case fieldName
    /// A field name that may end in `*`.
    case fieldNamePattern
    /// A field value: visible characters, spaces and tabs, without white space at its ends.
    case fieldValue
    /// A field value with variables.
    case fieldTemplate
    /// Text with variables.
    case textTemplate
    /// Text on one line with variables.
    case lineTemplate
    /// A URI reference with variables, for Location.
    case location
    /// A host name or address without a port.
    case host
    /// A host, or `*.` and a name.
    case hostPattern
    /// A path as requests have it after normalisation.
    case path
    /// A path of which the trailing slash has no meaning.
    case pathPrefix
    /// A name that may end in `*`.
    case namePattern
    /// A method that routes can match.
    case method
    /// A regular expression of RE2.
    case regex
    /// A status code, or two with a dash between them.
    case statusRange
    /// Status codes and ranges of them, with commas between them.
    case statusRanges
    /// `connect`, `reset`, `timeout`, or a status code.
    case retryCondition
    /// A name to resolve and a port.
    case discoveryName
    /// Where a listener binds: an IP address and a port.
    case listenAddress
    /// Where an endpoint is: a host and a port, or `unix:` and a path.
    case endpointAddress
    /// An address or a block of addresses.
    case addressBlock
    /// `stdout` or an absolute file path.
    case logTarget

    /// What the reference calls it.
    package var noun: String {
        switch self {
        case .text: "text"
        case .line: "text on one line"
        case .name: "name"
        case .title: "short text on one line"
        case .token: "token"
        case .fieldName: "field name"
        case .fieldNamePattern: "field name, or its beginning and `*`"
        case .fieldValue: "field value"
        case .fieldTemplate: "field value with variables"
        case .textTemplate: "text with variables"
        case .lineTemplate: "text on one line with variables"
        case .location: "URI or path with variables"
        case .host: "host"
        case .hostPattern: "host or `*.`domain"
        case .path, .pathPrefix: "path"
        case .method: "method"
        case .regex: "regular expression"
        case .namePattern: "name, or its beginning and `*`"
        case .statusRange: "status code or range, as 502-504"
        case .statusRanges: "status codes and ranges, as 200-299,404"
        case .retryCondition: "`connect`, `reset`, `timeout` or a status code"
        case .discoveryName: "name and port, or a name alone"
        case .listenAddress: "IP address and port"
        case .endpointAddress: "host and port, or `unix:` and a path"
        case .addressBlock: "address or block"
        case .logTarget: "`stdout` or a file's path"
        }
    }

    /// Reads `text` and puts it into canonical spelling.
    func parse(_ text: String) throws(Complaint) -> SettingValue {
        switch self {
        case .text: .text(try Texts.text(text, allowsLines: true))
        case .line: .text(try Texts.text(text, allowsLines: false))
        case .name: .text(try Texts.name(text))
        case .title: .text(try Texts.title(text))
        case .token: .text(try Texts.token(text, noun: "token"))
        case .fieldName: .text(try Texts.token(text, noun: "field name").lowercased())
        case .fieldNamePattern: .text(try Texts.fieldNamePattern(text))
        case .fieldValue: .text(try Texts.fieldValue(text))
        case .fieldTemplate:
            .template(try Template(parsing: try Texts.fieldValue(text)), text)
        case .textTemplate:
            .template(try Template(parsing: try Texts.text(text, allowsLines: true)), text)
        case .lineTemplate:
            .template(try Template(parsing: try Texts.text(text, allowsLines: false)), text)
        case .location: .template(try Texts.location(text), text)
        case .host: .text(try Hosts.host(text))
        case .hostPattern: .host(try Hosts.pattern(text))
        case .path: .text(try Paths.normalised(text))
        case .pathPrefix: .text(try Paths.prefix(text))
        case .namePattern: .text(try Texts.namePattern(text))
        case .method: .text(try Texts.method(text))
        case .regex: .text(try Texts.regex(text))
        case .statusRange: .text(try StatusRange.text(text))
        case .statusRanges: .text(try StatusRange.textList(text))
        case .retryCondition: .text(try Retry.condition(text))
        case .discoveryName: .text(try DiscoveryName.parse(text).text)
        case .listenAddress: .address(try Hosts.listenAddress(text))
        case .endpointAddress: .address(try Hosts.endpointAddress(text))
        case .addressBlock: .block(try Hosts.block(text))
        case .logTarget: .text(try Texts.logTarget(text))
        }
    }
}
