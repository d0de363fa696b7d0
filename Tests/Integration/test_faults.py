"""What clients see while endpoints fail under load, and how much endpoints have to do for it."""

import socket
import threading

import pytest

import http2
from faults import Clients, FaultyOrigin, SlowLink
from weir import Peer, ReservedPort, get, request, until

# Clients that ask all the time: so many requests are in flight when something happens.
CLIENTS = 32
# How often something may be tried again though nobody has asked.
RETRIES_MIN = 10

RETRY = 'retry: {attempts: 2, on: [connect, reset, timeout, "503"]}'
QUICK = "timeouts: {connect: 500ms, firstByte: 500ms}"


def serve(workspace, endpoints, settings="", workers=2):
    port = workspace.keep(ReservedPort())
    listed = ", ".join(f"{{address: '{endpoint}'}}" for endpoint in endpoints)
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{listed}]{settings and ", " + settings}}}]
routes: [{{name: all, upstream: main}}]
""", workers=workers)
    return node, port.address


def origins(workspace, count):
    """So many origins, the first of which is to fail."""
    return [workspace.keep(FaultyOrigin(f"origin-{index}")) for index in range(count)]


def metric(node, name):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    raise AssertionError(f"there is no {name}")


def events(node, name):
    return [line for line in node.program.stderr().splitlines() if f" {name} " in line]


def settled(clients, *counts):
    """Waits until more requests do not change any of the counts, which takes as long as it takes."""
    seen = [None]

    def rests():
        seen.append([count() for count in counts])
        clients.more(100)
        return seen[-1] == [count() for count in counts]

    until(rests, lambda: f"nothing changes any more: {seen[-3:]}", 60)


@pytest.mark.parametrize("fault", ["refuses", "resets", "resets-at-once", "silent", "503"])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_an_endpoint_that_fails_under_load_is_ejected_and_nobody_notices(workspace, count, fault):
    bad, *well = origins(workspace, count)
    node, web = serve(workspace, [bad, *well], f"{RETRY}, outliers: {{}}, {QUICK}")
    with Clients(web, CLIENTS) as clients:
        clients.more(500)
        bad.behave(fault)
        until(lambda: events(node, "upstream.endpoint_down"), "the endpoint is ejected", 60)
        settled(clients, lambda: len(bad.requests), lambda: metric(node, "weir_upstream_retries_total"))
    assert set(clients.statuses) == {200}, clients.statuses
    assert metric(node, "weir_upstream_retries_total") <= max(RETRIES_MIN, clients.total // 5)
    assert metric(node, "weir_upstream_retries_limited_total") == 0


@pytest.mark.parametrize("count", [2, 3, 5])
def test_an_endpoint_that_is_gone_is_left_alone_until_it_is_back(workspace, count):
    bad, *well = origins(workspace, count)
    node, web = serve(workspace, [bad, *well], RETRY)
    with Clients(web, CLIENTS) as clients:
        clients.more(500)
        bad.behave("refuses")
        until(lambda: events(node, "upstream.endpoint_unreachable"), "it is seen that it is gone")
        settled(clients, lambda: metric(node, "weir_upstream_connect_failures_total"))
        retries, reached = metric(node, "weir_upstream_retries_total"), len(bad.requests)
        bad.behave("well")
        until(lambda: len(bad.requests) > reached + 50, "it has its share again")
        clients.more(200)
    assert set(clients.statuses) == {200}, clients.statuses
    # Who has come back gets no second wave, and nobody is sent there twice.
    assert metric(node, "weir_upstream_retries_total") == retries <= max(RETRIES_MIN, clients.total // 5)
    assert len(events(node, "upstream.endpoint_unreachable")) == len(events(node, "upstream.endpoint_reachable")) == 1


def test_without_any_settings_only_what_is_in_flight_fails(workspace):
    bad, well = origins(workspace, 2)
    node, web = serve(workspace, [bad, well])
    with Clients(web, CLIENTS) as clients:
        clients.more(200)
        bad.behave("refuses")
        until(lambda: events(node, "upstream.endpoint_unreachable"), "it is seen that it is gone")
        settled(clients, lambda: clients.total - clients.statuses[200])
        reached = len(bad.requests)
        bad.behave("well")
        until(lambda: len(bad.requests) > reached, "it is asked again")
    assert set(clients.statuses) <= {200, 502}, clients.statuses
    # On each of the clients' connections one request, and one more of those that were under way with it.
    assert clients.statuses[502] <= 2 * CLIENTS, clients.statuses


def test_a_connection_of_http2_that_breaks_loses_none_of_its_requests(workspace):
    bad, well = workspace.keep(http2.Origin(http2.echoing)), workspace.keep(http2.Origin(http2.echoing))
    node, web = serve(workspace, [bad, well], f"protocol: h2c, {RETRY}, outliers: {{}}")
    with Clients(web, CLIENTS) as clients:
        clients.more(500)
        bad.stop()
        until(lambda: events(node, "upstream.endpoint_unreachable"), "it is seen that it is gone")
        settled(clients, lambda: metric(node, "weir_upstream_retries_total"))
    assert set(clients.statuses) == {200}, clients.statuses
    assert metric(node, "weir_upstream_retries_total") <= max(RETRIES_MIN, clients.total // 5)


def test_relays_leave_an_endpoint_alone_that_is_gone(workspace):
    bad, well = origins(workspace, 2)
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: raw, address: {port}, protocol: tcp, upstream: main}}]
upstreams: [{{name: main, endpoints: [{{address: {bad}}}, {{address: {well}}}]}}]
""", workers=1)
    bad.behave("refuses")
    until(lambda: get(port.address).body == b"origin-1" and events(node, "upstream.endpoint_unreachable"), "it is seen")
    failures = metric(node, "weir_upstream_connect_failures_total")
    assert {get(port.address).body for _ in range(10)} == {b"origin-1"}
    assert metric(node, "weir_upstream_connect_failures_total") == failures
    bad.behave("well")
    until(lambda: get(port.address).body == b"origin-0", "it has its share again")


def test_where_all_are_gone_the_first_that_is_back_is_found(workspace):
    first, second = origins(workspace, 2)
    node, web = serve(workspace, [first, second], RETRY)
    for origin in (first, second):
        origin.behave("refuses")
    until(lambda: get(web).status == 502 and len(events(node, "upstream.endpoint_unreachable")) == 2, "both are gone")
    assert get(web).status == 502, "they are asked still"
    second.behave("well")
    until(lambda: events(node, "upstream.endpoint_reachable"), "it is back")
    assert [get(web).body for _ in range(4)] == [b"origin-1"] * 4


def test_many_endpoints_may_go_at_once(workspace):
    bad = origins(workspace, 3)
    well = [workspace.keep(FaultyOrigin("well")) for _ in range(2)]
    node, web = serve(workspace, [*bad, *well], 'retry: {attempts: 4}, outliers: {maximumEjected: 20%}')
    with Clients(web, CLIENTS) as clients:
        clients.more(500)
        for origin in bad:
            origin.behave("refuses")
        until(lambda: len(events(node, "upstream.endpoint_unreachable")) == 3, "it is seen that they are gone")
        settled(clients, lambda: metric(node, "weir_upstream_retries_total"))
    assert set(clients.statuses) == {200}, clients.statuses


def test_requests_leave_an_endpoint_whose_checks_are_not_answered(workspace):
    bad, well = origins(workspace, 2)
    node, web = serve(workspace, [bad, well], "retry: {attempts: 1}, health: "
                      "{http: {path: /health}, interval: 100ms, timeout: 300ms, healthyAfter: 1, unhealthyAfter: 2}")
    posted = []
    with Clients(web, CLIENTS) as clients:
        clients.more(500)
        bad.behave("silent")
        # One of these is at the silent one, and stays there: nobody knows what it has done.
        posts = [threading.Thread(target=lambda: posted.append(get(web, method="POST").status)) for _ in range(2)]
        for post in posts:
            post.start()
        until(lambda: events(node, "upstream.endpoint_down"), "it is unhealthy", 60)
        # Without an answer, requests would wait for a minute there.
        clients.more(500)
        settled(clients, lambda: metric(node, "weir_upstream_retries_total"))
        bad.behave("well")
        until(lambda: events(node, "upstream.endpoint_up"), "it is well")
        for post in posts:
            post.join()
    assert set(clients.statuses) == {200}, clients.statuses
    assert 1 <= metric(node, "weir_upstream_retries_total") <= CLIENTS
    assert sum(head.method == "POST" for head in bad.requests + well.requests) == 2
    assert set(posted) <= {200, 502}


def test_streams_leave_a_connection_of_http2_that_falls_silent(workspace):
    is_silent = threading.Event()

    def script(origin, connection, event):
        return None if is_silent.is_set() else http2.echoing(origin, connection, event)

    bad, well = workspace.keep(http2.Origin(script)), workspace.keep(http2.Origin(http2.echoing))
    node, web = serve(workspace, [bad, well], "protocol: h2c, retry: {attempts: 1}, health: "
                      "{http: {path: /health}, interval: 100ms, timeout: 300ms, unhealthyAfter: 2}", workers=1)
    is_silent.set()
    with http2.Client(web) as client, Peer.connect(web) as peer:
        streams = [client.request(f"/{count}", body=b"hello", method="PUT") for count in range(6)]
        client.flush()
        assert [client.response(stream).status for stream in streams] == [200] * 6
        assert peer.exchange(request()).status == peer.exchange(request()).status == 200
    assert events(node, "upstream.endpoint_down")
    assert 1 <= metric(node, "weir_upstream_retries_total") <= 6


def test_a_check_that_is_answered_badly_takes_no_request_away(workspace):
    bad, well = origins(workspace, 2)
    node, web = serve(workspace, [bad, well], "retry: {attempts: 1}, health: "
                      "{http: {path: /health}, interval: 100ms, timeout: 300ms, unhealthyAfter: 1}")
    bad.seconds = 60
    peers = [workspace.keep(Peer.connect(web)) for _ in range(2)]
    for peer in peers:
        peer.send(request())
    until(lambda: any(head.target == "/" for head in bad.requests), "one is under way at the slow one")
    bad.seconds = 0
    # What has begun is answered as it would have been.
    bad.behave("503")
    until(lambda: events(node, "upstream.endpoint_down"), "it is unhealthy")
    assert sorted(peer.read_response().body for peer in peers) == [b"origin-0", b"origin-1"]
    assert metric(node, "weir_upstream_retries_total") == 0


@pytest.mark.parametrize("settings", [RETRY, f"{RETRY}, outliers: {{}}"])
def test_an_endpoint_that_comes_and_goes_costs_little(workspace, settings):
    bad, *well = origins(workspace, 3)
    node, web = serve(workspace, [bad, *well], settings)
    with Clients(web, CLIENTS) as clients:
        clients.more(500)
        for times in range(1, 5):
            bad.behave("refuses")
            until(lambda: len(events(node, "upstream.endpoint_unreachable")) >= times, "it is gone", 60)
            clients.more(100)
            bad.behave("well")
            until(lambda: len(events(node, "upstream.endpoint_reachable")) >= times, "it is back", 60)
            clients.more(100)
    assert set(clients.statuses) == {200}, clients.statuses
    # Each time what was in flight there, and a few that came before it was known.
    assert metric(node, "weir_upstream_retries_total") <= 4 * 2 * CLIENTS


def test_who_comes_back_after_a_long_time_starts_slowly(workspace):
    bad, well = origins(workspace, 2)
    node, web = serve(workspace, [bad, well], f"{RETRY}, slowStart: 1h")
    with Clients(web, CLIENTS) as clients:
        clients.more(300)
        bad.behave("refuses")
        until(lambda: events(node, "upstream.endpoint_unreachable"), "it is gone")
        clients.more(1000)
        bad.behave("well")
        until(lambda: events(node, "upstream.endpoint_reachable"), "it is back")
        before, retries = len(bad.requests), metric(node, "weir_upstream_retries_total")
        clients.more(1000)
        # A hundredth of its weight, to begin with.
        assert len(bad.requests) - before <= 100
    assert set(clients.statuses) == {200}, clients.statuses
    assert metric(node, "weir_upstream_retries_total") == retries


@pytest.mark.parametrize("faults", [("503", "503"), ("resets", "503"), ("resets-at-once", "well"), ("503", "well")])
def test_endpoints_get_no_more_than_requests_and_their_budget(workspace, faults):
    counted = origins(workspace, len(faults))
    node, web = serve(workspace, counted, 'retry: {attempts: 3, on: [connect, reset, "503"]}')
    for origin, fault in zip(counted, faults):
        origin.behave(fault)
    with Clients(web, CLIENTS) as clients:
        clients.more(1500)
    reached = sum(len(origin.requests) for origin in counted)
    # Ten always may, in ten seconds: a slow machine takes longer.
    windows = 1 + clients.seconds // 10
    assert reached <= clients.total * 1.2 + RETRIES_MIN * windows, (reached, clients.statuses)
    if "well" not in faults:
        assert metric(node, "weir_upstream_retries_limited_total") > 0


@pytest.mark.parametrize("balance", ["latency", "leastRequests", "powerOfTwo", "roundRobin"])
def test_a_slow_link_to_one_endpoint_harms_nobody_else(workspace, balance):
    slow, *well = origins(workspace, 3)
    link = workspace.keep(SlowLink(slow))
    node, web = serve(workspace, [link, *well], f"balance: {balance}, {RETRY}, outliers: {{}}")
    with Clients(web, CLIENTS) as clients:
        clients.more(300)
        # A request has some hundred octets, and an answer as many: half a second in all.
        link.seconds = 0.05
        clients.more(300)
        before = [len(origin.requests) for origin in (slow, *well)]
        clients.more(1000 if balance != "roundRobin" else 100)
        shares = [len(origin.requests) - count for origin, count in zip((slow, *well), before)]
        link.seconds = 0
    assert set(clients.statuses) == {200}, clients.statuses
    assert not events(node, "upstream.endpoint_down") and not events(node, "upstream.endpoint_unreachable")
    assert metric(node, "weir_upstream_retries_total") == 0
    if balance != "roundRobin":
        assert shares[0] * 4 < min(shares[1:]), shares


def test_a_full_unix_socket_is_waited_for(workspace):
    """Its queue is full while clients come faster than it takes them; that is no failure."""
    path, count, served = workspace.folder / "full.sock", 12, []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        node, web = serve(workspace, [f"unix:{path}"], "outliers: {}", workers=1)
        clients = [threading.Thread(target=lambda: served.append(get(web).status)) for _ in range(count)]
        for client in clients:
            client.start()
        until(lambda: metric(node, "weir_upstream_connect_failures_total") > 0, "the queue was full")
        for _ in range(count):
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        for client in clients:
            client.join()
    assert served == [204] * count and "unreachable" not in node.program.stderr()
