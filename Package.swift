// swift-tools-version: 6.2
// Weir's targets, one line each, in the layers of `Sources`. A target may import only targets of its
// own folder and of folders listed above it; Tests/Tidy checks that.
//
// WEIR_SCOPE narrows the graph to some targets and what they need ("proxy-node", "HTTP1Tests", ...),
// so that sanitizer and fuzz builds do not compile the control plane's packages.

import PackageDescription

// MARK: Packages

enum External: String, CaseIterable {
    case argumentParser = "swift-argument-parser"
    case protobuf = "swift-protobuf"
    case nio = "swift-nio"
    case nioSSL = "swift-nio-ssl"
    case hummingbird = "hummingbird"
    case httpTypes = "swift-http-types"
    case grdb = "GRDB.swift"
    case certificates = "swift-certificates"
    case asn1 = "swift-asn1"
    case crypto = "swift-crypto"
    case lifecycle = "swift-service-lifecycle"
    case log = "swift-log"
    case httpClient = "async-http-client"
    case yams = "Yams"

    var dependency: Package.Dependency {
        switch self {
        case .argumentParser:
            .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
        case .protobuf: .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0")
        case .nio: .package(url: "https://github.com/apple/swift-nio", from: "2.101.2")
        case .nioSSL: .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6")
        case .hummingbird:
            .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1")
        case .httpTypes: .package(url: "https://github.com/apple/swift-http-types", from: "1.0.0")
        case .grdb: .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0")
        case .certificates:
            .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1")
        case .asn1: .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4")
        case .crypto: .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2")
        case .lifecycle:
            .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0")
        case .log: .package(url: "https://github.com/apple/swift-log", from: "1.16.2")
        case .httpClient:
            .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0")
        case .yams: .package(url: "https://github.com/jpsim/Yams", from: "6.2.2")
        }
    }
}

// MARK: Settings

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What the scope narrows the graph to; empty: everything.
let scope = Set((Context.environment["WEIR_SCOPE"] ?? "").split(separator: ",").map(String.init))

/// A fuzzer sees which branches an input takes in the libraries that it feeds.
let coverage: [SwiftSetting] =
    scope.contains("fuzz-decoders") ? [.unsafeFlags(["-sanitize=fuzzer"])] : []

/// Targets whose objects live on one loop each and are touched with every request.
///
/// Their release build leaves out the run-time half of the exclusivity checks, which took a third of the
/// instructions of a request; debug builds, and so all tests and sanitizers, keep them. See
/// docs/decisions/0009-exclusivity-is-checked-in-tests.md.
let loopConfined: Set<String> = [
    "Bytes", "Structures", "HTTP1", "HTTP2", "EventLoop", "Transport", "Upstreams", "ProxyCore",
]

let unchecked: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

// MARK: Targets

/// One target: where it lives, which of our targets it imports, and which products of packages.
struct Part {
    enum Kind { case library, c, generated, command, fuzzer, test }
    let kind: Kind
    let folder: String
    let name: String
    let uses: [String]
    let products: [(External, String)]
    let linked: [String]

    init(
        _ folder: String,
        _ name: String,
        _ uses: [String] = [],
        _ products: [(External, String)] = [],
        kind: Kind = .library,
        linked: [String] = []
    ) {
        (self.kind, self.folder, self.name) = (kind, folder, name)
        (self.uses, self.products, self.linked) = (uses, products, linked)
    }

    var target: Target {
        var dependencies: [Target.Dependency] = uses.map { .target(name: $0) }
        for (package, product) in products {
            let identity = package.rawValue
            dependencies.append(.product(name: product, package: identity))
        }
        let path = "\(folder)/\(name)"
        let libraries = linked.map { LinkerSetting.linkedLibrary($0) }
        switch kind {
        case .library:
            return .target(
                name: name,
                dependencies: dependencies,
                path: path,
                swiftSettings: strict + coverage + (loopConfined.contains(name) ? unchecked : [])
            )
        case .c:
            return .target(name: name, path: path, linkerSettings: libraries)
        case .generated:
            return .target(
                name: name,
                dependencies: dependencies,
                path: path,
                swiftSettings: [.swiftLanguageMode(.v6)]
            )
        case .command:
            return .executableTarget(
                name: name,
                dependencies: dependencies,
                path: path,
                swiftSettings: strict
            )
        case .fuzzer:
            return .executableTarget(
                name: name,
                dependencies: dependencies,
                path: path,
                swiftSettings: strict + [
                    .unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"])
                ],
                linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]
            )
        case .test:
            return .testTarget(
                name: name,
                dependencies: dependencies,
                path: path,
                swiftSettings: strict
            )
        }
    }
}

let platform = [
    Part("Sources/Platform", "CLinux", kind: .c),
    Part("Sources/Platform", "COpenSSL", kind: .c, linked: ["ssl", "crypto"]),
    Part("Sources/Platform", "CRE2", kind: .c, linked: ["re2"]),
    Part("Sources/Platform", "CIDN2", kind: .c, linked: ["idn2"]),
    Part("Sources/Platform", "CAres", kind: .c, linked: ["cares"]),
    Part("Sources/Platform", "SystemCalls", ["CLinux"]),
    Part("Sources/Platform", "Cryptography", ["COpenSSL"]),
    Part("Sources/Platform", "TLSLibrary", ["COpenSSL"]),
    Part("Sources/Platform", "RegularExpressions", ["CRE2"]),
    Part("Sources/Platform", "InternationalNames", ["CIDN2"]),
    Part("Sources/Platform", "NameResolution", ["CAres"]),
]
let base = [
    Part("Sources/Base", "Bytes"),
    Part("Sources/Base", "Structures", ["SystemCalls"]),
    Part("Sources/Base", "Telemetry", ["SystemCalls", "Bytes", "Structures"]),
]
let protocols = [
    Part("Sources/Protocol", "HTTPSemantics", ["Bytes"]),
    Part("Sources/Protocol", "HTTP1", ["Bytes", "HTTPSemantics"]),
    Part("Sources/Protocol", "HTTP2", ["Bytes", "HTTPSemantics"]),
    Part("Sources/Protocol", "ProxyProtocol", ["Bytes"]),
    Part("Sources/Protocol", "TLSHello"),
    Part("Sources/Protocol", "DNS", ["Bytes"]),
]
let model = [
    Part(
        "Sources/Model",
        "FleetModel",
        ["Cryptography", "RegularExpressions", "HTTPSemantics"]
    ),
    Part("Sources/Model", "Disclosure", ["Bytes", "HTTPSemantics", "FleetModel"]),
    Part(
        "Sources/Model",
        "Routing",
        [
            "RegularExpressions", "Bytes", "Structures", "HTTPSemantics", "HTTP1", "FleetModel",
            "Disclosure",
        ]
    ),
    Part("Sources/Model", "SnapshotCompiler", ["Cryptography", "Bytes", "FleetModel", "Routing"]),
    Part("Sources/Model", "FleetMessages", [], [(.protobuf, "SwiftProtobuf")], kind: .generated),
    Part(
        "Sources/Model",
        "FleetProtocol",
        ["Bytes", "Cryptography", "FleetModel", "FleetMessages"],
        [(.protobuf, "SwiftProtobuf")]
    ),
    Part("Sources/Model", "AdminMessages", []),
    Part("Sources/Model", "Certificates", ["SystemCalls", "Cryptography", "FleetModel"]),
]
let dataPlane = [
    Part("Sources/DataPlane", "EventLoop", ["SystemCalls"]),
    Part(
        "Sources/DataPlane",
        "Transport",
        ["SystemCalls", "TLSLibrary", "Bytes"]
    ),
    Part(
        "Sources/DataPlane",
        "Resolution",
        ["SystemCalls", "NameResolution", "DNS", "FleetModel", "EventLoop"]
    ),
    Part(
        "Sources/DataPlane",
        "Upstreams",
        ["SystemCalls", "Structures", "FleetModel", "EventLoop"]
    ),
    Part(
        "Sources/DataPlane",
        "ProxyCore",
        [
            "SystemCalls", "Cryptography", "TLSLibrary", "RegularExpressions", "Bytes",
            "Structures", "Telemetry", "HTTPSemantics", "HTTP1", "HTTP2", "ProxyProtocol",
            "TLSHello", "FleetModel", "Routing", "Disclosure", "SnapshotCompiler", "EventLoop",
            "Transport", "Resolution", "Upstreams",
        ]
    ),
    Part(
        "Sources/DataPlane",
        "NodeAgent",
        [
            "SystemCalls", "Cryptography", "TLSLibrary", "Bytes", "Structures", "Telemetry",
            "HTTPSemantics", "HTTP1", "FleetModel", "SnapshotCompiler", "FleetMessages",
            "FleetProtocol", "Certificates", "EventLoop", "Transport", "Upstreams", "ProxyCore",
        ]
    ),
]
let controlPlane = [
    Part(
        "Sources/ControlPlane",
        "ControlStore",
        ["SystemCalls", "Cryptography", "FleetModel"],
        [(.grdb, "GRDB")]
    ),
    Part(
        "Sources/ControlPlane",
        "Authority",
        [
            "SystemCalls", "Cryptography", "FleetModel", "FleetProtocol", "Certificates",
            "ControlStore",
        ],
        [(.certificates, "X509"), (.asn1, "SwiftASN1"), (.crypto, "Crypto")]
    ),
    Part(
        "Sources/ControlPlane",
        "FleetServer",
        [
            "Cryptography", "FleetModel", "FleetMessages", "FleetProtocol", "ControlStore",
            "Authority",
        ],
        [
            (.protobuf, "SwiftProtobuf"), (.nio, "NIOCore"), (.nio, "NIOPosix"), (.nio, "NIOTLS"),
            (.nioSSL, "NIOSSL"), (.log, "Logging"), (.lifecycle, "ServiceLifecycle"),
        ]
    ),
    Part(
        "Sources/ControlPlane",
        "ACME",
        ["Cryptography", "Certificates"],
        [
            (.certificates, "X509"), (.asn1, "SwiftASN1"), (.crypto, "Crypto"),
            (.httpClient, "AsyncHTTPClient"), (.nio, "NIOCore"), (.nio, "NIOHTTP1"),
            (.nioSSL, "NIOSSL"),
        ]
    ),
    Part(
        "Sources/ControlPlane",
        "Credentials",
        [
            "Cryptography", "FleetModel", "Certificates", "ControlStore", "Authority",
            "FleetServer", "ACME",
        ],
        [(.log, "Logging"), (.lifecycle, "ServiceLifecycle")]
    ),
    Part(
        "Sources/ControlPlane",
        "AdminAPI",
        [
            "SystemCalls", "Cryptography", "FleetModel", "FleetProtocol", "Routing",
            "AdminMessages", "Certificates", "ControlStore", "Authority", "FleetServer",
            "Credentials",
        ],
        [
            (.hummingbird, "Hummingbird"), (.hummingbird, "HummingbirdCore"),
            (.hummingbird, "HummingbirdTLS"), (.httpTypes, "HTTPTypes"), (.nio, "NIOCore"),
            (.nioSSL, "NIOSSL"), (.log, "Logging"), (.lifecycle, "ServiceLifecycle"),
        ]
    ),
]
let operatorSide = [
    Part(
        "Sources/Operator",
        "ConfigurationFile",
        ["SystemCalls", "Cryptography", "InternationalNames", "FleetModel", "Certificates"],
        [(.yams, "Yams")]
    ),
    Part(
        "Sources/Operator",
        "AdminClient",
        ["FleetModel", "AdminMessages", "ConfigurationFile"],
        [
            (.httpClient, "AsyncHTTPClient"), (.nio, "NIOCore"), (.nio, "NIOFoundationCompat"),
            (.nio, "NIOHTTP1"), (.nio, "NIOPosix"), (.nioSSL, "NIOSSL"),
        ]
    ),
    Part(
        "Sources/Operator",
        "LeakSearch",
        ["Bytes", "FleetModel", "Disclosure"],
        [(.nio, "NIOCore"), (.nio, "NIOPosix"), (.nioSSL, "NIOSSL")]
    ),
    Part(
        "Sources/Operator",
        "Presentation",
        ["FleetModel", "Routing", "AdminMessages", "LeakSearch"]
    ),
]
let commands = [
    Part(
        "Sources/Commands",
        "proxy-node",
        ["SystemCalls", "FleetModel", "SnapshotCompiler", "ProxyCore", "NodeAgent"],
        [(.argumentParser, "ArgumentParser")],
        kind: .command
    ),
    Part(
        "Sources/Commands",
        "proxy-control",
        [
            "SystemCalls", "FleetModel", "ControlStore", "Authority", "FleetServer", "Credentials",
            "AdminAPI", "ACME",
        ],
        [
            (.argumentParser, "ArgumentParser"), (.log, "Logging"),
            (.lifecycle, "ServiceLifecycle"), (.lifecycle, "UnixSignals"),
        ],
        kind: .command
    ),
    Part(
        "Sources/Commands",
        "proxyctl",
        [
            "FleetModel", "Routing", "SnapshotCompiler", "AdminMessages", "ConfigurationFile",
            "AdminClient", "LeakSearch", "Presentation",
        ],
        [(.argumentParser, "ArgumentParser")],
        kind: .command
    ),
]

let benchmarks = [
    Part(
        "Tests/Benchmarks",
        "fleet-simulator",
        [
            "SystemCalls", "Cryptography", "TLSLibrary", "FleetModel", "FleetMessages",
            "FleetProtocol", "EventLoop", "NodeAgent",
        ],
        [(.argumentParser, "ArgumentParser")],
        kind: .command
    ),
    Part(
        "Tests/Benchmarks",
        "balancer-speed",
        ["SystemCalls", "Upstreams"],
        [(.argumentParser, "ArgumentParser")],
        kind: .command
    ),
    Part(
        "Tests/Benchmarks",
        "route-tables",
        ["SystemCalls", "FleetModel", "Routing", "SnapshotCompiler"],
        [(.argumentParser, "ArgumentParser")],
        kind: .command
    ),
]

func test(_ name: String, _ uses: [String], _ products: [(External, String)] = []) -> Part {
    Part("Tests/Unit", name, uses, products, kind: .test)
}
let tests = [
    test("SystemCallsTests", ["SystemCalls"]),
    test("CryptographyTests", ["Cryptography"]),
    test("TLSLibraryTests", ["TLSLibrary", "Cryptography"]),
    test("RegularExpressionsTests", ["RegularExpressions"]),
    test("InternationalNamesTests", ["InternationalNames"]),
    test("BytesTests", ["Bytes"]),
    test("StructuresTests", ["Structures", "SystemCalls"]),
    test("TelemetryTests", ["Telemetry", "SystemCalls", "Bytes", "Structures"]),
    test("HTTPSemanticsTests", ["HTTPSemantics", "Bytes"]),
    test("HTTP1Tests", ["HTTP1", "HTTPSemantics", "Bytes"]),
    test("HTTP2Tests", ["HTTP2", "HTTPSemantics", "Bytes"]),
    test("ProxyProtocolTests", ["ProxyProtocol"]),
    test("TLSHelloTests", ["TLSHello"]),
    test("DNSTests", ["DNS"]),
    test("FleetModelTests", ["FleetModel", "Cryptography"]),
    test("RoutingTests", ["Routing", "FleetModel", "HTTPSemantics", "HTTP1", "Bytes"]),
    test("DisclosureTests", ["Disclosure", "FleetModel", "Bytes"]),
    test("SnapshotCompilerTests", ["SnapshotCompiler", "Routing", "FleetModel", "Cryptography"]),
    test(
        "FleetProtocolTests",
        ["FleetProtocol", "FleetMessages", "FleetModel", "Cryptography", "Bytes"],
        [(.protobuf, "SwiftProtobuf")]
    ),
    test("EventLoopTests", ["EventLoop", "SystemCalls"]),
    test("UpstreamsTests", ["Upstreams", "FleetModel", "SystemCalls", "EventLoop"]),
    test(
        "ResolutionTests",
        ["Resolution", "NameResolution", "DNS", "FleetModel", "EventLoop", "SystemCalls"]
    ),
    test(
        "ProxyCoreTests",
        [
            "ProxyCore", "HTTP1", "HTTP2", "HTTPSemantics", "FleetModel", "Routing", "Disclosure",
            "SnapshotCompiler", "Bytes",
        ]
    ),
    test(
        "NodeAgentTests",
        [
            "NodeAgent", "FleetMessages", "FleetProtocol", "FleetModel", "SnapshotCompiler",
            "Certificates", "Cryptography", "TLSLibrary", "SystemCalls", "EventLoop", "Telemetry",
            "ProxyCore", "Upstreams",
        ],
        [(.protobuf, "SwiftProtobuf")]
    ),
    test("CertificatesTests", ["Certificates", "Cryptography", "FleetModel"]),
    test(
        "ControlStoreTests",
        ["ControlStore", "FleetModel", "Cryptography", "SystemCalls"],
        [(.grdb, "GRDB")]
    ),
    test(
        "AuthorityTests",
        [
            "Authority", "ControlStore", "Certificates", "FleetModel", "FleetProtocol",
            "Cryptography", "TLSLibrary", "SystemCalls",
        ]
    ),
    test(
        "FleetServerTests",
        [
            "FleetServer", "FleetProtocol", "FleetMessages", "ControlStore", "Authority",
            "FleetModel", "Cryptography",
        ],
        [
            (.nio, "NIOCore"), (.nio, "NIOPosix"), (.nio, "NIOEmbedded"), (.nioSSL, "NIOSSL"),
            (.log, "Logging"), (.protobuf, "SwiftProtobuf"),
        ]
    ),
    test(
        "ACMETests",
        ["ACME", "Certificates", "Cryptography", "SystemCalls"],
        [(.httpClient, "AsyncHTTPClient"), (.nioSSL, "NIOSSL")]
    ),
    test(
        "CredentialsTests",
        [
            "Credentials", "ControlStore", "Authority", "FleetServer", "Certificates", "FleetModel",
            "Cryptography",
        ],
        [(.log, "Logging")]
    ),
    test(
        "AdminAPITests",
        [
            "AdminAPI", "AdminMessages", "ControlStore", "Authority", "FleetServer",
            "Credentials", "FleetProtocol", "FleetModel", "Certificates", "Cryptography",
            "SystemCalls",
        ],
        [
            (.hummingbird, "HummingbirdTesting"), (.hummingbird, "Hummingbird"),
            (.httpTypes, "HTTPTypes"), (.nio, "NIOCore"), (.log, "Logging"),
        ]
    ),
    test("ConfigurationFileTests", ["ConfigurationFile", "FleetModel"]),
    test("AdminClientTests", ["AdminClient", "AdminMessages"]),
    test("LeakSearchTests", ["LeakSearch", "FleetModel"]),
    test("PresentationTests", ["Presentation", "Routing", "AdminMessages", "FleetModel"]),
]

/// Feeds decoders with libFuzzer; part of the graph only where the scope names it (Tests/fuzz.sh).
let fuzzers = [
    Part("Tests/Fuzz", "CFuzz", kind: .c),
    Part(
        "Tests/Fuzz",
        "fuzz-decoders",
        [
            "CFuzz", "SystemCalls", "Bytes", "HTTPSemantics", "HTTP1", "HTTP2", "ProxyProtocol",
            "TLSHello", "DNS", "FleetModel", "SnapshotCompiler", "FleetProtocol", "Certificates",
            "RegularExpressions", "Upstreams",
        ],
        kind: .fuzzer
    ),
]

// MARK: Scope

var parts =
    platform + base + protocols + model + dataPlane + controlPlane + operatorSide + commands
    + benchmarks + tests

if !scope.isEmpty {
    parts += fuzzers
    var wanted = scope
    // Parts are listed after what they use, so one pass from the end finds the whole closure.
    for part in parts.reversed() where wanted.contains(part.name) {
        wanted.formUnion(part.uses)
    }
    parts = parts.filter { wanted.contains($0.name) }
}

let usedPackages = Set(parts.flatMap { $0.products.map { $0.0.rawValue } })

let package = Package(
    name: "weir",
    dependencies: External.allCases.filter { usedPackages.contains($0.rawValue) }.map(\.dependency),
    targets: parts.map(\.target),
    cxxLanguageStandard: .cxx17
)
