import FleetModel
import Testing

@Suite("What is wrong with retries, circuit breakers and queues")
struct ResilienceProblemTests {
    @Test(
        "retries and circuit breakers that could do nothing, or too much, are refused",
        arguments: [
            (
                #""retry":{"attempts":1,"budget":"0%"}"#,
                "retry.budget: 0% lets no request be tried again: leave retry out for that"
            ),
            (
                #""timeouts":{"total":"2s"},"retry":{"attempts":1,"perTryTimeout":"2s"}"#,
                "retry.perTryTimeout: leaves no time for another try: take less than timeouts.total"
            ),
            (#""retry":{"attempts":1,"on":[]}"#, "retry.on: must not be empty"),
            (#""retry":{"attempts":0}"#, "retry.attempts: must be 1 to 10"),
            (
                #""circuit":{"errors":"0%"}"#,
                "circuit.errors: 0% would open the circuit whether requests fail or not: take at "
                    + "least 1%"
            ),
        ]
    )
    func refusesResilience(field: String, problem: String) {
        let found = problems(
            #"{"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],\#(field)}]}"#
        )
        #expect(found == ["upstreams[u].\(problem)"])
    }

    @Test("retries that can come about are taken")
    func takesResilience() {
        let found = problems(
            #"{"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}],"timeouts":{"total":"3s"},"#
                + #""retry":{"attempts":1,"on":["connect",503],"perTryTimeout":"2s"},"#
                + #""circuit":{},"queue":{"requests":0,"timeout":"2s"}}]}"#
        )
        #expect(found.isEmpty, "\(found)")
    }
}
