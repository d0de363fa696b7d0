"""Requests wait where an upstream, or each of its endpoints, has as many connections as it may."""

import threading
import time

import h2.events
import h2.settings

import http2
from weir import PEER_SECONDS, Origin, Peer, ReservedPort, get, request, until


class Gate:
    """An origin that answers a request when it is let through."""

    def __init__(self, workspace):
        self.tickets = threading.Semaphore(0)
        self.origin = workspace.keep(Origin(self.script))
        self.order = []
        self.waiting = 0
        workspace.closing.callback(lambda: self.release(1000))

    def script(self, peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            self.order.append(head.target)
            self.tickets.acquire(timeout=PEER_SECONDS)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def release(self, count=1):
        self.tickets.release(count)

    def reached(self, count):
        until(lambda: len(self.order) >= count, lambda: f"{count} requests at the origin: {self.order}")


def serve(workspace, endpoints, upstream, workers=1):
    port = workspace.keep(ReservedPort())
    listed = ", ".join(f"{{address: {endpoint}}}" for endpoint in endpoints)
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{listed}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=workers)
    return node, port.address


def metric(node, name):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    raise AssertionError(f"there is no {name}")


def waits(node, count):
    until(lambda: metric(node, "weir_upstream_waiting") == count,
          lambda: f"{count} wait; there are {metric(node, 'weir_upstream_waiting')}")


def ask(workspace, web, target="/"):
    peer = workspace.keep(Peer.connect(web))
    peer.send(request(target=target))
    return peer


def refused(head):
    return (head.status, head.get("proxy-status"), head.get("retry-after")) == (
        503, "weir; error=connection_limit_reached", "1")


def test_requests_wait_in_the_order_in_which_they_came(workspace):
    gate = Gate(workspace)
    node, web = serve(workspace, [gate.origin], ", connections: {maximum: 1}, queue: {timeout: 30s}")
    peers = []
    for index in range(6):
        peers.append(ask(workspace, web, f"/{index}"))
        if index == 0:
            gate.reached(1)
        waits(node, index)
    gate.release(6)
    assert [peer.read_response().status for peer in peers] == [200] * 6
    assert gate.order == [f"/{index}" for index in range(6)]
    waits(node, 0)
    assert gate.origin.connections == 1


def test_who_asks_again_at_once_after_refusals_is_read_later(workspace):
    gate = Gate(workspace)
    node, web = serve(workspace, [gate.origin], ", connections: {maximum: 1}, queue: {requests: 0}")
    ask(workspace, web)
    gate.reached(1)
    eager, gone = (workspace.keep(Peer.connect(web)) for _ in range(2))
    began = time.monotonic()
    eager.send(request() * 5)
    assert all(refused(eager.read_response()) for _ in range(5))
    # 20 ms after the second, the third and the fourth.
    assert time.monotonic() - began > 0.06
    gone.send(request() * 9)
    assert refused(gone.read_response())
    gone.close()
    gate.release(20)
    until(lambda: eager.exchange(request()).status == 200, "it is served on the same connection")
    until(lambda: metric(node, "weir_connections") == 2, "who has gone is let go")


def test_above_the_limit_the_answer_comes_at_once(workspace):
    gate = Gate(workspace)
    node, web = serve(workspace, [gate.origin], ", connections: {maximum: 2}, queue: {requests: 3, timeout: 30s}",
                      workers=2)
    served = [ask(workspace, web) for _ in range(2)]
    gate.reached(2)
    waiting = [ask(workspace, web) for _ in range(3)]
    waits(node, 3)
    for _ in range(10):
        assert refused(get(web))
    assert metric(node, 'weir_upstream_queue_refused_total{reason="full"}') == 10
    gate.release(5)
    assert [peer.read_response().status for peer in served + waiting] == [200] * 5
    waits(node, 0)


def test_nobody_waits_longer_than_the_time(workspace):
    gate = Gate(workspace)
    node, web = serve(workspace, [gate.origin], ", connections: {maximum: 1}, queue: {timeout: 200ms}")
    first = ask(workspace, web)
    gate.reached(1)
    second = ask(workspace, web)
    before = time.monotonic()
    assert refused(second.read_response())
    assert time.monotonic() - before < PEER_SECONDS / 2
    assert metric(node, 'weir_upstream_queue_refused_total{reason="timeout"}') == 1
    gate.release()
    assert first.read_response().status == 200
    gate.release()
    assert second.exchange(request()).status == 200, "its connection goes on"


def test_without_a_queue_nobody_waits(workspace):
    gate = Gate(workspace)
    _, web = serve(workspace, [gate.origin], ", connections: {maximum: 1}, queue: {requests: 0}")
    first = ask(workspace, web)
    gate.reached(1)
    assert refused(get(web))
    gate.release()
    assert first.read_response().status == 200


def test_a_client_that_goes_away_leaves_the_queue(workspace):
    gate = Gate(workspace)
    node, web = serve(workspace, [gate.origin], ", connections: {maximum: 1}, queue: {requests: 2, timeout: 30s}")
    first = ask(workspace, web, "/1")
    gate.reached(1)
    second, third = ask(workspace, web, "/2"), ask(workspace, web, "/3")
    waits(node, 2)
    second.reset()
    waits(node, 1)
    fourth = ask(workspace, web, "/4")
    waits(node, 2)
    gate.release(3)
    assert [peer.read_response().status for peer in (first, third, fourth)] == [200] * 3
    assert gate.order == ["/1", "/3", "/4"]


def test_a_connection_that_closes_makes_room(workspace):
    order = []
    gate = threading.Event()
    workspace.closing.callback(gate.set)

    def script(peer, origin):
        order.append(peer.read_head().target)
        gate.wait(PEER_SECONDS)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    node, web = serve(workspace, [workspace.keep(Origin(script))], ", connections: {maximum: 1}, queue: {timeout: 30s}")
    peers = [ask(workspace, web, "/0")]
    until(lambda: order, "the first request is under way")
    peers += [ask(workspace, web, f"/{index}") for index in (1, 2, 3)]
    waits(node, 3)
    gate.set()
    assert [peer.read_response().status for peer in peers] == [200] * 4


def test_what_one_worker_does_not_need_another_one_gets(workspace):
    gate = Gate(workspace)
    node, web = serve(workspace, [gate.origin], ", connections: {maximum: 1}, queue: {timeout: 30s}", workers=4)
    peers = [ask(workspace, web, f"/{index}") for index in range(24)]
    gate.reached(1)
    waits(node, 23)
    gate.release(24)
    assert [peer.read_response().status for peer in peers] == [200] * 24
    waits(node, 0)
    # A connection that rests on one worker is given up for another one.
    gate.release(40)
    for _ in range(40):
        assert get(web).status == 200


def test_every_endpoint_has_a_limit_of_its_own(workspace):
    gates = [Gate(workspace), Gate(workspace)]
    node, web = serve(workspace, [gate.origin for gate in gates],
                      ", connections: {perEndpoint: 1}, queue: {timeout: 30s}")
    peers = [ask(workspace, web) for _ in range(2)]
    for gate in gates:
        gate.reached(1)
    peers.append(ask(workspace, web))
    waits(node, 1)
    gates[1].release()
    gates[1].reached(2)
    waits(node, 0)
    # Whichever endpoint's turn it is: the one that has room is taken.
    for _ in range(4):
        peers.append(ask(workspace, web))
        waits(node, 1)
        before = len(gates[1].order)
        gates[1].release()
        gates[1].reached(before + 1)
    for gate in gates:
        gate.release(10)
    assert [peer.read_response().status for peer in peers] == [200] * 7


def test_all_who_wait_go_on_when_an_endpoint_comes_back_and_end_when_none_is_left(workspace):
    release, well = threading.Event(), {}
    workspace.closing.callback(release.set)

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if head.target == "/healthz":
                peer.send(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (200 if well[str(origin)] else 500))
                continue
            origin.requests.append(head)
            release.wait(PEER_SECONDS)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    a, b = (workspace.origin(script) for _ in range(2))
    well |= {str(a): True, str(b): False}
    node, web = serve(workspace, [a, b], ", connections: {perEndpoint: 4}, queue: {requests: 20, timeout: 30s}, "
                      "health: {http: {path: /healthz}, interval: 50ms, healthyAfter: 1, unhealthyAfter: 1}", workers=2)
    until(lambda: metric(node, 'weir_upstream_endpoints{state="unhealthy"}') == 1, "the check has failed")
    peers = [ask(workspace, web) for _ in range(12)]
    waits(node, 8)
    well[str(b)] = True
    waits(node, 4)
    until(lambda: len(b.requests) == 4, "as many go on as there is room for")
    well |= {str(a): False, str(b): False}
    waits(node, 0)
    release.set()
    found = [(head.status, head.get("proxy-status")) for head in (peer.read_response() for peer in peers)]
    assert found.count((200, None)) == 8 and found.count((503, "weir; error=destination_unavailable")) == 4


def test_a_stream_that_ends_makes_room(workspace):
    held = []
    release = threading.Event()
    workspace.closing.callback(release.set)

    def answer(origin, connection, event):
        if len(origin.requests) > 1 and isinstance(event, h2.events.RequestReceived):
            held.append(event)
            release.wait(PEER_SECONDS)
        return http2.echoing(origin, connection, event)

    settings = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    origin = workspace.keep(http2.Origin(answer, settings))
    node, web = serve(workspace, [origin], ", protocol: h2c, connections: {maximum: 1}, queue: {timeout: 30s}")
    assert get(web).status == 200, "and the node has seen the settings"
    first = ask(workspace, web)
    until(lambda: held, "the first request is under way")
    others = [ask(workspace, web) for _ in range(3)]
    waits(node, 3)
    release.set()
    assert [peer.read_response().status for peer in [first, *others]] == [200] * 4
    waits(node, 0)


def test_whose_turn_would_not_come_in_time_is_not_kept_waiting(workspace):
    origin = workspace.keep(Origin(slow))
    node, web = serve(workspace, [origin], ", connections: {maximum: 1}, queue: {requests: 1000, timeout: 1s}")
    peers = [ask(workspace, web) for _ in range(60)]
    statuses = [peer.read_response().status for peer in peers]
    assert statuses.count(200) >= 5 and statuses.count(503) >= 5
    assert metric(node, 'weir_upstream_queue_refused_total{reason="full"}') > 0


def slow(peer, origin):
    while peer.read_head() is not None:
        threading.Event().wait(0.1)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
