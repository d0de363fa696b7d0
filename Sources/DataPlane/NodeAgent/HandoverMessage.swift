/// What the processes of an upgrade say to one another: a word and fields, each ended by NUL, in one message of a
/// local socket.
///
///     proxy-node upgrade ──upgrade──▶ old process                 new process
///                        ◀─started──       │  ◀──take-over, next…──     │
///                                          │  ──lock, upgrades, admin,  │
///                                          │    listener…, end────────▶ │
///                                          │  ◀──ready──                │
///                                          │  ──go──▶                   │
///                        ◀──done───        │  ◀──serving──              │
///
/// The two processes may be of different builds: words and fields are only ever added.
package struct HandoverMessage: Equatable, Sendable {
    package let word: Word
    package let fields: [String]

    package enum Word: String, Sendable {
        /// Version of the messages, program, milliseconds, arguments.
        case upgrade
        /// The new process's number.
        case started
        /// Old and new process's number, the new build, how many listeners there are, and pairs of name and address of
        /// the first ones.
        case done
        /// Why the old process goes on.
        case failed
        /// Another upgrade is under way.
        case busy
        /// Version of the messages, build.
        case takeOver = "take-over"
        /// The new process has what it was sent, and wants what comes next.
        case next
        /// The directory's lock, as a descriptor.
        case lock
        /// The socket on which upgrades are asked for, as a descriptor.
        case upgrades
        /// The admin address as configured; its socket as a descriptor.
        case admin
        /// Name, configured address, actual address; sockets as descriptors. Again for more of them.
        case listener
        /// That was all: the digest of what is served, or nothing.
        case end
        /// It would serve now: its build, and the listeners that it was handed and does not serve.
        case ready
        /// Nobody else accepts now.
        case go
        /// It accepts.
        case serving
    }

    /// The version of the messages that this build speaks.
    package static let version = "1"

    package init(_ word: Word, _ fields: [String] = []) {
        (self.word, self.fields) = (word, fields)
    }

    /// Reads a message; `nil` if it is none of ours.
    package init?(octets: [UInt8]) {
        guard octets.last == 0 else { return nil }
        var parts = octets.dropLast().split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard let word = Word(rawValue: parts.removeFirst()) else { return nil }
        self.init(word, parts)
    }

    /// The message as it is sent.
    package var octets: [UInt8] {
        ([word.rawValue] + fields).flatMap { field in
            // A NUL would end the field early: no name, address or argument has one.
            field.utf8.filter { $0 != 0 } + [0]
        }
    }

    /// Pairs of listener and address, from the field at `index` on.
    package func listeners(from index: Int) -> [(name: String, address: String)] {
        stride(from: index, to: fields.count - 1, by: 2).map { (fields[$0], fields[$0 + 1]) }
    }
}
