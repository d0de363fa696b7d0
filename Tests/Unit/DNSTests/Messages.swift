@testable import DNS

/// Octets of a name without pointers.
func name(_ text: String) -> [UInt8] {
    text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
}

func integer(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
}

/// A record whose owner is already in octets.
func record(_ owner: [UInt8], _ type: Int, seconds: Int, _ content: [UInt8], class number: Int = 1)
    -> [UInt8]
{
    owner + integer(type) + integer(number) + integer(seconds >> 16) + integer(seconds)
        + integer(content.count) + content
}

/// A response to one question.
func message(
    _ question: String = "api.example",
    _ type: Int = 1,
    flags: Int = 0x8180,
    answers: [[UInt8]] = [],
    authorities: [[UInt8]] = [],
    questionCount: Int = 1
) -> [UInt8] {
    [0x12, 0x34] + integer(flags) + integer(questionCount) + integer(answers.count)
        + integer(authorities.count) + [0, 0] + name(question) + integer(type) + [0, 1]
        + answers.flatMap(\.self) + authorities.flatMap(\.self)
}

/// A pointer to the question's name.
let questionName: [UInt8] = [0xC0, 12]

func read(_ octets: [UInt8], _ kind: DNSRecordKind = .a) -> Result<DNSResponse, DNSError> {
    do throws(DNSError) {
        return .success(try DNSResponse(octets.span, answering: kind))
    } catch {
        return .failure(error)
    }
}
