package import Cryptography
import FleetMessages
import FleetProtocol

/// What all nodes answer to authorities that want proof of hosts (RFC 8555 §8).
///
/// It is told to every node, and to each whose session begins; a node says which generation all its workers answer.
package struct FleetChallenges: Sendable {
    /// What is answered for one host.
    package struct Challenge: Sendable {
        package let host: String
        package let answer: Answer

        /// Joins both.
        package init(host: String, answer: Answer) {
            (self.host, self.answer) = (host, answer)
        }
    }

    /// What is answered.
    package enum Answer: Sendable {
        /// The content of `/.well-known/acme-challenge/TOKEN`.
        case file(token: String, content: String)
        /// A certificate in DER and its key in PKCS #8, shown to those who speak `acme-tls/1` alone.
        case certificate([UInt8], key: SecretBytes)
    }

    /// Rises with each change, over restarts too; above 0.
    package let generation: UInt64
    /// All that are answered from now on.
    package let challenges: [Challenge]

    /// Joins both.
    package init(generation: UInt64, challenges: [Challenge]) {
        (self.generation, self.challenges) = (generation, challenges)
    }

    var message: FleetMessage {
        var message = WireChallenges()
        message.generation = generation
        message.challenges = challenges.map { challenge in
            var wire = WireChallenge()
            wire.host = challenge.host
            switch challenge.answer {
            case .file(let token, let content):
                (wire.token, wire.authorization) = (token, content)
            case .certificate(let certificate, let key):
                wire.certificate = wireOctets(certificate)
                wire.key = key.withOctets { wireOctets($0) }
            }
            return wire
        }
        return .challenges(message)
    }
}

extension Fleet {
    /// Takes over what is answered, and tells every node.
    func setChallenges(_ new: FleetChallenges) {
        challengeMessages = [new.message]
        for connection in nodes.values.compactMap(\.connection) {
            connection.tell(challengeMessages)
        }
    }

    /// A node answers the challenges of a generation.
    func challengesReported(_ generation: UInt64, _ connection: FleetConnection) {
        updateEntry(connection.name) { entry in
            if entry.connection === connection { entry.challenges = generation }
        }
    }
}
