package import AdminMessages
package import FoundationEssentials

/// The history of a fleet's configuration.
package struct VersionReport: Sendable {
    private let versions: [VersionAnswer]

    /// A report on `versions`, in their order.
    package init(_ versions: [VersionAnswer]) {
        self.versions = versions
    }

    /// A row per version.
    package func rendered(_ palette: Palette, now: Date) -> [String] {
        if versions.isEmpty {
            return ["no version yet: apply a configuration"]
        }
        var table = Table([
            .init("VERSION", leansRight: true), .init("DIGEST"), .init("TIME"), .init("AUTHOR"),
            .init("MESSAGE"),
        ])
        for version in versions {
            table.append([
                .init(String(version.version), .strong), .init(shortDigest(version.digest), .faint),
                .init(timeText(version.time, now: now)), .init(version.author),
                .init(version.message),
            ])
        }
        return table.rendered(palette)
    }

    /// An array of `version, digest, author, time, message, parent`.
    package var value: OutputValue {
        .array(versions.map(Self.value))
    }

    /// One version.
    package static func value(of version: VersionAnswer) -> OutputValue {
        [
            "version": OutputValue(version.version as UInt64?),
            "digest": .string(version.digest),
            "author": .string(version.author),
            "time": .string(version.time),
            "message": .string(version.message),
            "parent": OutputValue(version.parent),
        ]
    }

    /// One version in full, for people.
    package static func lines(of version: VersionAnswer, now: Date) -> [String] {
        [
            "version  \(version.version)",
            "digest   \(version.digest)",
            "parent   \(version.parent.map(String.init) ?? "-")",
            "time     \(visible(version.time)) (\(timeText(version.time, now: now)))",
            "author   \(visible(version.author))",
            "message  \(visible(version.message))",
        ]
    }
}

/// The first 12 digits of a digest: what people see of it.
package func shortDigest(_ digest: String) -> String {
    String(digest.prefix(12))
}

/// A time of the admin API as people want it: relative, or as it came if it is none.
package func timeText(_ text: String, now: Date) -> String {
    parseTime(text).map { relativeTime($0, now: now) } ?? text
}
