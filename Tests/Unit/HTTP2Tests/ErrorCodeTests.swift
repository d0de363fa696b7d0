import Testing

@testable import HTTP2

@Suite("Error codes, RFC 9113 §7")
struct ErrorCodeTests {
    @Test("A code has its name, and one that is not registered its number")
    func names() {
        #expect("\(ErrorCode.noError)" == "NO_ERROR")
        #expect("\(ErrorCode.http11Required)" == "HTTP_1_1_REQUIRED")
        #expect("\(ErrorCode(rawValue: 0xE))" == "error 14")
        #expect("\(ErrorCode(rawValue: .max))" == "error 4294967295")
    }
}
