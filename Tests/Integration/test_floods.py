"""Floods of connections: those that ask nothing make room for those that do."""

import contextlib
import time

import http2
import pytest
from weir import Origin, Peer, ReservedPort, answering, get, request, until

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
    _, web = serve(workspace, prefix=("prlimit", "--nofile=200:200"))
    assert get(web).status == 200
    hold(workspace, web, 300, octets)
    for _ in range(20):
        start = time.monotonic()
        assert get(web).status == 200
        assert time.monotonic() - start < 10


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
    with Peer.connect(port.address) as peer:
        assert peer.is_closed()
    for peer in busy:
        peer.socket.settimeout(0.01)
        with pytest.raises(TimeoutError):
            peer.socket.recv(1)
