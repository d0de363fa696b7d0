"""When a request is tried again, and when it must not be."""

import threading
import time

import h2.events
import pytest

import http2
from faults import FAULTS, Clients, FaultyOrigin
from weir import Origin, Peer, ReservedPort, get, request, until


def serve(workspace, endpoints, upstream, workers=1, route=""):
    port = workspace.keep(ReservedPort())
    listed = ", ".join(f"{{address: {endpoint}}}" for endpoint in endpoints)
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{listed}]{upstream}}}]
routes: [{{name: all, upstream: main{route}}}]
""", workers=workers)
    return node, port.address


def metric(node, name):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    raise AssertionError(f"there is no {name}")


def pair(workspace):
    return [workspace.keep(FaultyOrigin(name)) for name in "ab"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_nothing_was_sent_any_method_goes_to_another_endpoint(workspace, method):
    well, gone = pair(workspace)
    gone.behave("refuses")
    node, web = serve(workspace, [gone, well], ", retry: {attempts: 1, budget: 100%}")
    for _ in range(4):
        assert get(web, method=method).body == b"a"
    # Once is enough to know that it is gone.
    assert metric(node, "weir_upstream_retries_total") >= 1
    assert len(well.requests) == 4


@pytest.mark.parametrize("circuit", ["", ", circuit: {}"])
def test_who_gets_no_connection_is_asked_elsewhere_without_a_setting(workspace, circuit):
    origins = [workspace.keep(FaultyOrigin(name)) for name in "abcd"]
    node, web = serve(workspace, origins, circuit)
    for origin in origins[1:3]:
        origin.behave("refuses")
    assert [get(web, method="POST").status for _ in range(4)] == [200] * 4
    assert metric(node, "weir_upstream_retries_total") in (1, 2)
    # Nobody is left who is not known to be gone: no more than one try, and an answer.
    for origin in (origins[0], origins[3]):
        origin.behave("refuses")
    retries = metric(node, "weir_upstream_retries_total")
    assert get(web).status == 502 and get(web).status == 502
    assert metric(node, "weir_upstream_retries_total") <= retries + 2


def test_a_name_that_leads_nowhere_is_no_connection(workspace):
    well = workspace.keep(FaultyOrigin())
    _, web = serve(workspace, ["nowhere.invalid:80", well], ", retry: {attempts: 1, budget: 100%}")
    assert [get(web).status for _ in range(4)] == [200] * 4


@pytest.mark.parametrize("fault", ["resets", "breaks-off", "503"])
def test_only_idempotent_requests_are_sent_twice(workspace, fault):
    well, bad = pair(workspace)
    bad.behave(fault)
    _, web = serve(workspace, [bad, well], ', retry: {attempts: 1, on: [reset, "503"], budget: 100%}')
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        assert [get(web, method=method).status for _ in range(2)] == [200, 200], method
    bad.requests.clear()
    statuses = [get(web, method="POST").status for _ in range(2)]
    assert sorted(statuses) in ([200, 502], [200, 503])
    assert len(bad.requests) == 1


def test_without_its_condition_nothing_is_sent_twice(workspace):
    well, bad = pair(workspace)
    _, web = serve(workspace, [bad, well], ', retry: {attempts: 3, on: ["502"]}')
    for fault, status in (("resets", 502), ("503", 503), ("refuses", 502)):
        bad.behave(fault)
        assert sorted(get(web).status for _ in range(2)) == [200, status], fault


def test_the_last_outcome_is_the_clients(workspace):
    first, second = pair(workspace)
    first.behave("503")
    second.behave("503")
    node, web = serve(workspace, [first, second], ', retry: {attempts: 2, on: ["503"]}')
    head = get(web)
    assert (head.status, head.body in (b"a", b"b")) == (503, True)
    assert len(first.requests) + len(second.requests) == 3
    assert {len(first.requests), len(second.requests)} == {1, 2}, "another endpoint is preferred"
    assert metric(node, "weir_upstream_retries_total") == 2


@pytest.mark.parametrize("size", [10, 3_000, 30_000])
def test_content_is_sent_again_while_it_is_there(workspace, size):
    well, bad = pair(workspace)
    bad.behave("503")
    _, web = serve(workspace, [bad, well], ', retry: {attempts: 1, on: ["503"]}')
    body = bytes(range(256)) * (size // 256 + 1)
    for step in range(2):
        with Peer.connect(web) as peer:
            peer.send(b"PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (step, len(body)))
            middle = len(body) // 2
            peer.send(body[:middle])
            # What follows is read for itself: the first part has left the buffer by then.
            until(lambda: under_way(well, bad) > step, "the request is under way")
            peer.send(body[middle:])
            assert peer.read_response().status == 200
    assert [head.body for head in well.requests] == [body] * len(well.requests)
    assert bad.requests and len(well.requests) == 2


def under_way(*origins):
    return sum(len(origin.peers) + len(origin.requests) for origin in origins)


def test_chunked_content_is_sent_again(workspace):
    well, bad = pair(workspace)
    bad.behave("503")
    _, web = serve(workspace, [bad, well], ', retry: {attempts: 1, on: ["503"]}')
    for _ in range(2):
        with Peer.connect(web) as peer:
            peer.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            peer.send(b"6\r\n world\r\n0\r\n\r\n")
            assert peer.read_response().status == 200
    assert [head.body for head in well.requests] == [b"hello world"] * 2


def test_content_that_has_gone_by_is_not_sent_again(workspace):
    well, bad = pair(workspace)
    bad.behave("503")
    _, web = serve(workspace, [bad, well], ', retry: {attempts: 1, on: ["503"]}')
    body = b"x" * 1_000_000
    statuses = []
    for _ in range(2):
        with Peer.connect(web) as peer:
            statuses.append(peer.exchange(request("PUT", body=body)).status)
    assert sorted(statuses) == [200, 503]
    assert [len(head.body) for head in well.requests] == [len(body)]


def test_a_try_has_a_time_of_its_own(workspace):
    well, silent = pair(workspace)
    silent.behave("silent")
    _, web = serve(workspace, [silent, well], ", retry: {attempts: 1, on: [timeout], perTryTimeout: 100ms}")
    assert [get(web).body for _ in range(2)] == [b"a", b"a"]
    assert sorted(get(web, method="POST").status for _ in range(2)) == [200, 504]


def test_the_time_of_a_try_is_not_what_the_client_takes(workspace):
    arrived = threading.Event()

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if head.method == "GET":
                peer.read_to_end()  # and says nothing
                return
            arrived.set()
            peer.read_body(head)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    _, web = serve(workspace, [workspace.keep(Origin(script))], ", retry: {attempts: 1, on: [timeout], perTryTimeout: 100ms}")
    with Peer.connect(web) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 4\r\n\r\nab")
        assert arrived.wait(15)
        # Two tries that nobody answers take longer than the upload's one may.
        assert get(web).status == 504
        assert peer.exchange(b"cd").status == 200


def test_the_total_time_bounds_all_tries(workspace):
    silent = workspace.keep(FaultyOrigin())
    silent.behave("silent")
    _, web = serve(workspace, [silent], ", timeouts: {total: 700ms}, "
                   "retry: {attempts: 10, on: [timeout], perTryTimeout: 200ms, budget: 100%}")
    assert get(web).status == 504
    assert 2 <= len(silent.requests) <= 4


def test_the_only_endpoint_has_a_moment(workspace):
    asked = []

    def script(peer, origin):
        asked.append((peer.read_head(), time.monotonic()))
        if len(asked) > 2:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    _, web = serve(workspace, [workspace.keep(Origin(script))], ", retry: {attempts: 3, on: [reset]}")
    assert get(web).status == 200
    assert len(asked) == 3
    # The first pause has 12 ms at least, the second one 25.
    assert asked[2][1] - asked[0][1] >= 0.037


def test_an_interim_response_ends_all_tries(workspace):
    def script(peer, origin):
        origin.requests.append(peer.read_head())
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, [origin], ", retry: {attempts: 3, on: [reset]}")
    with Peer.connect(web) as peer:
        peer.send(request())
        assert peer.read_head().status == 103
        assert peer.read_response().status == 502
    assert len(origin.requests) == 1


def test_retries_stay_below_their_budget(workspace):
    bad = workspace.keep(FaultyOrigin())
    bad.behave("503")
    node, web = serve(workspace, [bad], ', retry: {attempts: 3, on: ["503"], budget: 10%}', workers=2)
    for count in range(1, 131):
        assert get(web).status == 503
        assert len(bad.requests) - count <= max(10, count // 10)
    assert metric(node, "weir_upstream_retries_total") == len(bad.requests) - 130 == 13
    assert metric(node, "weir_upstream_retries_limited_total") > 100


def test_a_response_that_is_passed_over_keeps_its_connection(workspace):
    bad, worse = pair(workspace)
    bad.behave("503")
    worse.behave("503")
    node, web = serve(workspace, [bad, worse], ', retry: {attempts: 1, on: ["503"], budget: 100%}')
    for _ in range(10):
        assert get(web).status == 503
    assert metric(node, 'weir_upstream_connections_total{connection="new"}') == 2


def test_requests_of_http2_are_tried_again_on_endpoints_of_http2(workspace):
    asked = []

    def script(origin, connection, event):
        if isinstance(event, h2.events.StreamEnded):
            asked.append(event.stream_id)
            if len(asked) == 1:
                return connection.send_headers(event.stream_id, [(":status", "503")], end_stream=True)
            if len(asked) == 2:
                return connection.reset_stream(event.stream_id, 2)
        return http2.echoing(origin, connection, event)

    origin = workspace.keep(http2.Origin(script))
    _, web = serve(workspace, [origin], ', protocol: h2c, retry: {attempts: 3, on: [reset, "503"]}')
    with http2.Client(web) as client:
        message = client.get(method="PUT", body=b"hello")
    assert (message.status, message.body, len(asked)) == (200, b"hello", 3)
    assert origin.connections == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_no_request_fails_while_an_endpoint_does(workspace, fault):
    well, bad = pair(workspace)
    node, web = serve(workspace, [bad, well],
                      ', connections: {maximum: 100}, timeouts: {connect: 200ms, firstByte: 300ms}, '
                      'retry: {attempts: 2, on: [connect, reset, timeout, "500"], budget: 100%}')
    with Clients(web) as clients:
        clients.more(50)
        bad.behave(fault)
        clients.more(50)
        bad.behave("well")
        clients.more(50)
    assert set(clients.statuses) == {200}, clients.statuses
    assert metric(node, "weir_upstream_retries_total") > 0


def test_an_endpoint_that_flaps_loses_no_request(workspace):
    well, bad = pair(workspace)
    _, web = serve(workspace, [bad, well], ", retry: {attempts: 2, budget: 100%}", workers=2)
    with Clients(web) as clients:
        for step in range(6):
            clients.more(30)
            bad.behave("refuses" if step % 2 == 0 else "well")
    assert set(clients.statuses) == {200}, clients.statuses


def test_copies_are_not_tried_again(workspace):
    well, mirror = pair(workspace)
    mirror.behave("503")
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: main, endpoints: [{{address: {well}}}]}}
  - {{name: copies, endpoints: [{{address: {mirror}}}], retry: {{attempts: 3, on: ["503"]}}}}
routes: [{{name: all, upstream: main, mirror: {{upstream: copies, share: 100%}}}}]
""", workers=1)
    for _ in range(3):
        assert get(port.address).status == 200
    until(lambda: 'weir_mirrored_requests_total{result="complete"} 3' in node.get("/metrics").body.decode(),
          "the copies have come to their end")
    assert len(mirror.requests) == 3


def test_a_retry_waits_for_the_other_endpoint(workspace):
    """It is full, and the one that has failed has room: that one is not asked again."""
    asked, gate = [], threading.Event()

    def slow(peer, _):
        while peer.read_head() is not None:
            gate.wait(20)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def bad(peer, _):
        while peer.read_head() is not None:
            asked.append(None)
            peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    _, web = serve(workspace, [workspace.origin(bad), workspace.origin(slow)],
                   ', connections: {perEndpoint: 1}, queue: {timeout: 20s}, '
                   'retry: {attempts: 2, on: ["503"], budget: 100%}')
    statuses = []
    clients = [threading.Thread(target=lambda: statuses.append(get(web).status)) for _ in range(4)]
    for client in clients:
        client.start()
    until(lambda: asked, "one has failed")
    gate.set()
    for client in clients:
        client.join()
    assert statuses == [200] * 4 and len(asked) <= 4
