internal import EventLoop
internal import NameResolution
internal import SystemCalls

/// Name servers on a loop, and which lookup each question belongs to.
///
/// Confined to its loop, which keeps it until `close`.
final class ResolverLink: EventHandler {
    let servers: NameServers
    private let loop: EventLoop
    private var registration = Registration.none
    private var questions: [UInt64: (Resolver.Lookup, QuestionType)] = [:]
    private let answered: Answered
    private let becameReady: () -> Void

    /// Gets what came of a question.
    typealias Answered = (Resolver.Lookup, NameServerAnswer.Outcome, QuestionType, ResolverLink) ->
        Void

    init(
        on loop: EventLoop,
        _ servers: String?,
        answered: @escaping Answered,
        ready: @escaping () -> Void
    ) throws(NameServerError) {
        self.loop = loop
        self.servers = try NameServers(servers)
        (self.answered, becameReady) = (answered, ready)
        do throws(SystemCallError) {
            registration = try loop.registerLevelTriggered(
                self,
                descriptor: self.servers.descriptor
            )
        } catch {
            throw NameServerError(description: "\(error)")
        }
    }

    /// Whether no question waits for an answer.
    var isIdle: Bool { questions.isEmpty }

    func ask(_ name: String, _ type: QuestionType, for lookup: Resolver.Lookup) {
        questions[servers.ask(name, type)] = (lookup, type)
    }

    func ready(_ readiness: Readiness) {
        becameReady()
    }

    /// Takes what has come.
    func turn() {
        servers.turn()
        for answer in servers.takeAnswers() {
            guard let (lookup, type) = questions.removeValue(forKey: answer.number) else {
                continue
            }
            answered(lookup, answer.outcome, type, self)
        }
    }

    func close() {
        loop.unregister(registration, descriptor: servers.descriptor)
        registration = .none
        questions = [:]
    }
}
