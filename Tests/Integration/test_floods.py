"""Floods of connections: those that ask nothing, or do not go on with what they asked, make room for those that do."""

import contextlib
import itertools
import socket

import http2
import pytest
from weir import PEER_SECONDS, Origin, Peer, ReservedPort, answering, get, request, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def serve(workspace, listener="", prefix=()):
    origin = workspace.keep(Origin(answering(OK)))
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}{listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1, prefix=prefix)
    return node, port.address


def raw(web):
    """A connection without TLS, wherever it leads."""
    return Peer(socket.create_connection(web, PEER_SECONDS))


def hold(workspace, web, count, octets=b"", kind=Peer.connect):
    peers = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            peer = workspace.keep(kind(web))
            peers.append(peer)
            if octets:
                peer.send(octets)
    return peers


def answered(web):
    """Whether a client is served; it is turned away while no connection has rested for long enough."""
    try:
        return get(web).status == 200
    except (OSError, EOFError):
        return False


@pytest.mark.parametrize("octets", [b"", b"GET / HTTP/1.1\r\nHo"], ids=["silent", "half a head"])
def test_a_client_is_served_when_descriptors_have_run_out(workspace, octets):
    _, web = serve(workspace, ", timeouts: {header: 60s}", prefix=("prlimit", "--nofile=200:200"))
    assert get(web).status == 200
    hold(workspace, web, 300, octets)
    for _ in range(20):
        # PEER_SECONDS is less than timeouts.header, after which they would go anyway.
        assert get(web).status == 200


def test_a_client_is_served_when_the_limit_of_connections_is_reached(workspace):
    node, web = serve(workspace, listener=", limits: {connections: 20}")
    hold(workspace, web, 40)
    for _ in range(20):
        until(lambda: answered(web), "a client is served")
    metrics = node.get("/metrics").body.decode()
    assert "weir_connections_evicted_total 0" not in metrics


def test_resting_http2_connections_make_room_too(workspace):
    _, web = serve(workspace, listener=", limits: {connections: 20}")
    with contextlib.ExitStack() as open_ones:
        for _ in range(20):
            client = open_ones.enter_context(http2.Client(web))
            assert client.get("/").status == 200
        until(lambda: answered(web), "a client is served")


def test_connections_with_requests_are_not_closed_for_others(workspace):
    def script(peer, origin):
        peer.read_head()
        origin.requests.append(1)
        assert not peer.fill()

    origin = workspace.keep(Origin(script))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}, limits: {{connections: 10}}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    busy = hold(workspace, port.address, 10, request())
    until(lambda: len(origin.requests) == 10, "all requests are under way")
    with raw(port.address) as peer:
        assert peer.is_closed()
    for peer in busy:
        peer.socket.settimeout(0.01)
        with pytest.raises(TimeoutError):
            peer.socket.recv(1)


# Connections to an upstream


def large_or_small(peer, origin):
    while (head := peer.read_head()) is not None:
        peer.read_body(head)
        size = 1_000_000 if head.target == "/large" else 2
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))


def serve_few(workspace, listener=""):
    """A node with ten connections to its upstream."""
    origin = workspace.keep(Origin(large_or_small))
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}{listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}], connections: {{maximum: 10}}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    return node, port.address


def evictions(node):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith("weir_upstream_evictions_total "):
            return int(line.split()[1])
    raise AssertionError("there is no such metric")


def is_served_at_once(web):
    """Nobody waits for the deadline of those that do not go on, which is a minute."""
    return until(lambda: answered(web), "a client is served")


def test_streams_whose_windows_stay_closed_make_room_at_the_upstream(workspace):
    node, web = serve_few(workspace)
    with http2.Wire.open(web, (4, 0)) as wire:
        for stream in itertools.islice(itertools.count(1, 2), 30):
            wire.headers(stream, [*http2.GET[:3], (":path", "/large")])
        for _ in range(5):
            assert is_served_at_once(web)
        wire.ping()
    assert evictions(node) > 0


def test_responses_that_are_not_read_make_room_at_the_upstream(workspace):
    node, web = serve_few(workspace)
    hold(workspace, web, 30, request(target="/large") * 20)

    def served_by_eviction():
        assert is_served_at_once(web)
        return evictions(node) > 0

    until(served_by_eviction, "an exchange whose client does not read makes room")
    for _ in range(5):
        assert is_served_at_once(web)


def test_content_that_does_not_come_makes_room_at_the_upstream(workspace):
    node, web = serve_few(workspace)
    held = hold(workspace, web, 10, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    until(lambda: "weir_upstream_connections 10\n" in node.get("/metrics").body.decode(), "all connections are in use")
    assert is_served_at_once(web)
    assert held[0].read_response().status == 408, "the one that has waited for longest is told"
    assert evictions(node) == 1


def test_relays_whose_clients_say_nothing_make_room(workspace):
    def echo(peer, origin):
        while peer.fill():
            peer.send(peer.take(len(peer.buffer)))

    origin = workspace.keep(Origin(echo))
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: db, address: {port}, protocol: tcp, upstream: main}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}], connections: {{maximum: 10}}}}]
""", workers=1)
    with Peer.connect(port.address) as busy:
        busy.send(b"x")
        assert busy.read_exactly(1) == b"x"
        hold(workspace, port.address, 20)

        def takes():
            with Peer.connect(port.address) as peer, contextlib.suppress(OSError, EOFError):
                peer.send(b"y")
                return peer.read_exactly(1) == b"y"

        for _ in range(5):
            until(takes, "a client is relayed")
        busy.send(b"z")
        assert busy.read_exactly(1) == b"z", "one that has begun goes on"
    assert evictions(node) > 0


@pytest.mark.parametrize("limit", ["connections", "descriptors"])
def test_connections_that_wait_for_a_proxy_header_make_room(workspace, limit):
    limits = ", limits: {connections: 20}" if limit == "connections" else ""
    prefix = ("prlimit", "--nofile=200:200") if limit == "descriptors" else ()
    # until() has less time than timeouts.header, after which they would go anyway.
    _, web = serve(workspace, ", proxyProtocol: require, timeouts: {header: 60s}" + limits, prefix)
    hold(workspace, web, 300 if limit == "descriptors" else 40, kind=raw)

    def told():
        header = b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n"
        with contextlib.suppress(OSError, EOFError), Peer.connect(web, before=header) as peer:
            return peer.exchange(request()).status == 200

    for _ in range(5):
        until(told, "a client is served")
