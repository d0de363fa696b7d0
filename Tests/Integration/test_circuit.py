"""Nothing is sent to an upstream that fails, for a while."""

import concurrent.futures
import threading

import pytest

from faults import FaultyOrigin
from weir import Peer, ReservedPort, get, request, until


def serve(workspace, origin, circuit, upstream="", workers=1):
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}], circuit: {{{circuit}}}{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=workers)
    return node, port.address


def metric(node, name):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    raise AssertionError(f"there is no {name}")


@pytest.mark.parametrize("fault, status", [("500", 500), ("resets", 502), ("refuses", 502), ("silent", 504)])
def test_it_opens_when_too_many_fail(workspace, fault, status):
    origin = workspace.keep(FaultyOrigin())
    node, web = serve(workspace, origin, "minimumRequests: 4, openFor: 60s", ", timeouts: {firstByte: 100ms}", workers=2)
    assert [get(web).status for _ in range(3)] == [200] * 3
    origin.behave(fault)
    assert [get(web).status for _ in range(3)] == [status] * 3
    count = len(origin.requests)
    for _ in range(5):
        head = get(web)
        assert (head.status, head.get("proxy-status")) == (503, "weir; error=destination_unavailable")
        assert 50 <= int(head.get("retry-after")) <= 60
    assert len(origin.requests) == count, "nothing is sent"
    assert metric(node, "weir_circuit_openings_total") == 1
    assert metric(node, "weir_circuit_refused_total") == 5


def test_it_answers_as_it_is_told(workspace):
    origin = workspace.keep(FaultyOrigin())
    origin.behave("500")
    _, web = serve(workspace, origin, "minimumRequests: 1, openFor: 60s, respond: {status: 429}")
    assert get(web).status == 500
    head = get(web)
    assert (head.status, "retry-after" in head) == (429, True)


def test_a_trial_that_succeeds_closes_it(workspace):
    origin = workspace.keep(FaultyOrigin())
    origin.behave("500")
    node, web = serve(workspace, origin, "minimumRequests: 2, openFor: 200ms")
    assert [get(web).status for _ in range(3)] == [500, 500, 503]
    origin.behave("well")
    until(lambda: get(web).status == 200, "the circuit has closed")
    assert [get(web).status for _ in range(5)] == [200] * 5
    assert len(origin.requests) == 8
    assert metric(node, "weir_circuit_openings_total") == 1
    until(lambda: [line.split()[2] for line in node.program.stderr().splitlines() if " upstream.circuit_" in line]
          == ["upstream.circuit_open", "upstream.circuit_closed"], "both are told")


def test_a_trial_that_fails_opens_it_again(workspace):
    origin = workspace.keep(FaultyOrigin())
    origin.behave("500")
    node, web = serve(workspace, origin, "minimumRequests: 2, openFor: 200ms")
    assert [get(web).status for _ in range(2)] == [500, 500]
    until(lambda: len([None for _ in range(3) if get(web).status != 503]) and metric(node, "weir_circuit_openings_total") >= 3,
          "it has opened again twice")
    assert len(origin.requests) == metric(node, "weir_circuit_openings_total") + 1


def test_there_is_one_trial_at_a_time(workspace):
    origin = workspace.keep(FaultyOrigin())
    origin.behave("500")
    node, web = serve(workspace, origin, "minimumRequests: 2, openFor: 200ms", workers=2)
    assert [get(web).status for _ in range(2)] == [500, 500]
    origin.behave("silent")
    with Peer.connect(web) as trial:
        def is_under_way():
            trial.send(request())
            if len(origin.requests) == 3:
                return True
            # It has been refused, or is about to be sent.
            return wait_for_either(trial, origin)

        until(is_under_way, "a trial is under way")
        assert [get(web).status for _ in range(5)] == [503] * 5
        assert len(origin.requests) == 3
        # The client of the trial goes: that says nothing, and the next request is one.
        trial.reset()
    origin.behave("well")
    until(lambda: get(web).status == 200, "the circuit has closed")


def wait_for_either(peer, origin):
    import select
    until(lambda: len(origin.requests) == 3 or select.select([peer.socket], [], [], 0)[0], "an answer, or the trial")
    if len(origin.requests) == 3:
        return True
    assert peer.read_response().status == 503
    return False


def test_retries_count_and_stop_when_it_opens(workspace):
    origin = workspace.keep(FaultyOrigin())
    origin.behave("503")
    _, web = serve(workspace, origin, "minimumRequests: 3, openFor: 60s",
                   ', retry: {attempts: 5, on: ["503"], budget: 100%}')
    assert get(web).body == b"origin", "the last outcome is the endpoint's"
    assert len(origin.requests) == 3
    assert get(web).get("retry-after")


def test_a_healthy_upstream_beside_it_is_not_concerned(workspace):
    bad, well = workspace.keep(FaultyOrigin("bad")), workspace.keep(FaultyOrigin("well"))
    bad.behave("500")
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: bad, endpoints: [{{address: {bad}}}], circuit: {{minimumRequests: 2, openFor: 60s}}}}
  - {{name: well, endpoints: [{{address: {well}}}], circuit: {{minimumRequests: 2, openFor: 60s}}}}
routes: [{{name: bad, match: {{path: {{prefix: /bad}}}}, upstream: bad}}, {{name: all, upstream: well}}]
""", workers=1)
    assert [get(port.address, "/bad").status for _ in range(3)] == [500, 500, 503]
    assert get(port.address).status == 200


def test_requests_in_line_stop_when_it_opens(workspace):
    origin = workspace.keep(FaultyOrigin())
    node, web = serve(workspace, origin, "minimumRequests: 5, openFor: 60s",
                      ", connections: {maximum: 1}, queue: {requests: 100, timeout: 20s}")
    origin.behave("500")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: get(web).status, range(20)))
    assert set(statuses) <= {500, 503} and len(origin.requests) == statuses.count(500) == 5, statuses


def test_what_came_before_it_closed_does_not_open_it(workspace):
    gate, asked = threading.Event(), []

    def script(peer, _):
        while (head := peer.read_head()) is not None:
            if head.target == "/slow":
                asked.append(head)
                gate.wait(20)
            status = "200 OK" if head.target == "/good" else "500 Error"
            peer.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    origin = workspace.origin(script)
    _, web = serve(workspace, origin, "minimumRequests: 3, openFor: 200ms")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(lambda: get(web, "/slow").status) for _ in range(4)]
        until(lambda: len(asked) == 4, "all are under way")
        assert [get(web, "/bad").status for _ in range(4)] == [500, 500, 500, 503]
        until(lambda: get(web, "/good").status == 200, "it has closed")
        gate.set()
        assert [answer.result() for answer in slow] == [500] * 4
    assert [get(web, "/good").status for _ in range(3)] == [200] * 3


def test_half_a_response_is_a_failure(workspace):
    def script(peer, _):
        if peer.read_head() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    node, web = serve(workspace, workspace.origin(script), "errors: 90%, minimumRequests: 4, openFor: 60s")
    for _ in range(4):
        with pytest.raises(EOFError):
            get(web)
    assert get(web).status == 503 and metric(node, "weir_circuit_openings_total") == 1
