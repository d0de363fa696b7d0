internal import FleetModel

/// What names have led to, as a file keeps it for the next process: a name's line, and a line at the end.
///
///     addresses api.internal search 192.0.2.1 2001:db8::1
///     services _http._tcp.internal search a.internal:8080:10:5
///     end
///
/// A file that has no end is none: whoever wrote it did not come to it.
package enum NameMemory {
    private static let end = "end"

    /// Writes answers; those of a name that is looked up in different intervals are the same.
    package static func encode(_ answers: [FollowedName: NameAnswer]) -> [UInt8] {
        var lines: [String] = []
        for (name, answer) in answers {
            let scope = name.isAbsolute ? "absolute" : "search"
            switch name.wanted {
            case .addresses:
                let list = answer.addresses.map(\.description)
                lines.append((["addresses", name.name, scope] + list).joined(separator: " "))
            case .services:
                let list = answer.services.map {
                    "\($0.host):\($0.port):\($0.priority):\($0.weight)"
                }
                lines.append((["services", name.name, scope] + list).joined(separator: " "))
            }
        }
        return Array((lines.sorted() + [end, ""]).joined(separator: "\n").utf8)
    }

    /// Reads answers; nothing of a file that is damaged.
    package static func decode(_ octets: [UInt8]) -> [FollowedName: NameAnswer] {
        let lines = octets.split(separator: UInt8(ascii: "\n")).map {
            String(decoding: $0, as: UTF8.self).split(separator: " ")
        }
        guard lines.last == [Substring(end)] else { return [:] }
        var answers: [FollowedName: NameAnswer] = [:]
        for words in lines.dropLast() {
            guard words.count > 3, words[2] == "absolute" || words[2] == "search" else {
                return [:]
            }
            let wanted: RecordsWanted = words[0] == "services" ? .services : .addresses
            let name = FollowedName(String(words[1]), wanted, isAbsolute: words[2] == "absolute")
            let list = words.dropFirst(3)
            let answer =
                wanted == .services
                ? NameAnswer(addresses: [], services: list.compactMap(service), seconds: 0)
                : NameAnswer(addresses: list.compactMap { IPAddress($0) }, seconds: 0)
            guard answer.addresses.count + answer.services.count == list.count else { return [:] }
            answers[name] = answer
        }
        return answers
    }

    private static func service(_ text: Substring) -> NameAnswer.Service? {
        let parts = text.split(separator: ":")
        guard parts.count == 4, let port = UInt16(parts[1]), let priority = UInt16(parts[2]),
            let weight = UInt16(parts[3])
        else { return nil }
        return NameAnswer.Service(
            host: String(parts[0]),
            port: port,
            priority: priority,
            weight: weight
        )
    }
}
