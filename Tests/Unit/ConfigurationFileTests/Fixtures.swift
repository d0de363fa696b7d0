import Foundation

/// Files of Tests/Fixtures.
enum Fixtures {
    static func fleet() throws -> [UInt8] {
        Array(try Data(contentsOf: directory.appending(path: "fleet.yaml")))
    }

    static var directory: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures")
    }
}
