"""Protocols that are switched to (RFC 9110 §7.8): WebSocket and others, octet for octet."""

import asyncio
import threading

import pytest
import websockets

from weir import Origin, Peer, ReservedPort, any_server, get, request, speaks_tls, until

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\nServer: hidden\r\n\r\n"
ASK = ("Connection: Upgrade", "Upgrade: echo/1")


def serve(workspace, origin, upstream=""):
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    return node, port.address


def echo(peer, origin):
    """Switches protocols, then sends back what comes until its end, then ends."""
    origin.requests.append(peer.read_head())
    peer.send(SWITCH)
    while peer.fill():
        peer.send(peer.take(len(peer.buffer)))


def tunnels(node):
    text = node.get("/metrics").body.decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("weir_tunnels "))


def ask(fields=ASK, **options):
    return request(fields=fields, **options)


def test_a_tunnel_carries_octets_both_ways(workspace):
    origin = workspace.keep(Origin(echo))
    node, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        peer.send(ask())
        head = peer.read_head()
        assert head.status == 101
        assert (head.get("connection"), head.get("upgrade")) == ("upgrade", "echo/1")
        assert "server" not in head and "content-length" not in head and "date" not in head
        until(lambda: tunnels(node) == 1, "the tunnel is counted")
        for size in (1, 100, 5000, 300_000, 2_000_000):
            content = bytes(index * 7 % 251 for index in range(size))
            threading.Thread(target=peer.send, args=[content]).start()
            assert peer.read_exactly(size) == content
    got = origin.requests[0]
    assert (got.get("connection"), got.get("upgrade")) == ("upgrade", "echo/1")
    until(lambda: tunnels(node) == 0, "the tunnel is gone")


def test_octets_sent_before_the_101_arrive_after_it(workspace):
    origin = workspace.keep(Origin(echo))
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        peer.send(ask() + b"early")
        assert peer.read_head().status == 101
        assert peer.read_exactly(5) == b"early"


def test_a_101_is_hidden_as_any_response(workspace):
    def script(peer, origin):
        peer.read_head()
        peer.send(SWITCH.replace(b"Server:", b"Set-Cookie: a=1; Domain=127.0.0.1\r\nServer:"))
        peer.read_to_end()

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        peer.send(ask())
        head = peer.read_head()
        assert head.status == 101 and head.get("set-cookie").startswith("a=1") and "127.0.0.1" not in head.get("set-cookie")


def test_each_side_may_end_alone(workspace):
    def script(peer, origin):
        peer.read_head()
        peer.send(SWITCH)
        received = peer.read_to_end()
        peer.send(b"got %d octets" % len(received))

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        peer.send(ask())
        assert peer.read_head().status == 101
        peer.send(b"x" * 100_000)
        peer.end()
        assert peer.read_to_end() == b"got 100000 octets"


def test_the_endpoint_may_end_first(workspace):
    received = []

    def script(peer, origin):
        peer.read_head()
        peer.send(SWITCH + b"bye")
        peer.end()
        received.append(peer.read_to_end())

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        peer.send(ask())
        assert peer.read_head().status == 101
        assert peer.read_to_end() == b"bye"
        peer.send(b"after")
        peer.end()
        until(lambda: received, "the endpoint has all")
    assert received == [b"after"]


def test_an_answer_other_than_101_is_a_plain_response(workspace):
    _, web = serve(workspace, workspace.origin())
    with Peer.connect(web) as peer:
        head = peer.exchange(ask())
        assert head.status == 200
        assert peer.exchange(request()).status == 200, "the connection goes on"


@pytest.mark.parametrize("fields, expected", [
    (("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), None),
    (("Connection: Upgrade", "Upgrade: h2c, echo/1"), "echo/1"),
    (("Connection: Upgrade", "Upgrade: echo/1, other"), "echo/1, other"),
    (("Upgrade: echo/1",), None),
    (("Connection: Upgrade",), None),
    (("Connection: Upgrade", "Upgrade: ec ho"), None),
    (("Connection: close, Upgrade", "Upgrade: echo/1"), "echo/1"),
])
def test_what_the_endpoint_is_asked_for(workspace, fields, expected):
    origin = workspace.origin()
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        assert peer.exchange(ask(fields)).status == 200
    got = origin.requests[0]
    assert got.get("upgrade") == expected
    assert got.get("connection") == ("upgrade" if expected else None)
    assert "http2-settings" not in got


def test_a_101_that_nobody_asked_for_is_502(workspace):
    _, web = serve(workspace, workspace.keep(Origin(echo)))
    with Peer.connect(web) as peer:
        assert peer.exchange(request()).status == 502
    assert get(web).status == 502


def test_an_http_1_0_client_does_not_switch(workspace):
    origin = workspace.origin()
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        peer.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n")
        assert peer.read_response().status == 200
    assert "upgrade" not in origin.requests[0]


def test_a_tunnel_at_rest_is_closed_after_the_idle_time(workspace):
    node, web = serve(workspace, workspace.keep(Origin(echo)), ", timeouts: {idle: 1s}")
    with Peer.connect(web) as peer:
        peer.send(ask())
        assert peer.read_head().status == 101
        assert peer.read_to_end() == b""
    until(lambda: tunnels(node) == 0, "the tunnel is gone")


def test_a_reset_of_either_side_ends_the_tunnel(workspace):
    resets = threading.Event()

    def script(peer, origin):
        peer.read_head()
        peer.send(SWITCH)
        resets.wait(20)
        peer.reset()

    workspace.closing.callback(resets.set)
    node, web = serve(workspace, workspace.keep(Origin(script)))
    first, second = [workspace.keep(Peer.connect(web)) for _ in range(2)]
    for peer in (first, second):
        peer.send(ask())
        assert peer.read_head().status == 101
    until(lambda: tunnels(node) == 2, "both are counted")
    first.reset()
    until(lambda: tunnels(node) == 1, "the tunnel of the client that reset is gone")
    resets.set()
    until(lambda: tunnels(node) == 0, "the tunnel of the endpoint that reset is gone")
    assert second.is_closed()


def test_websocket_messages_of_all_sizes(workspace):
    """With the websockets library on both ends."""

    async def run():
        async def handler(socket):
            async for message in socket:
                await socket.send(message)

        async with websockets.serve(handler, "127.0.0.1", 0, max_size=None) as server:
            origin = server.sockets[0].getsockname()
            _, web = serve(workspace, f"{origin[0]}:{origin[1]}")
            tls = any_server(["http/1.1"]) if speaks_tls(web) else None
            url = f"{'wss' if tls else 'ws'}://{web[0]}:{web[1]}/chat"
            async with websockets.connect(url, max_size=None, ssl=tls) as client:
                for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
                    await client.send(b"m" * size)
                    assert await client.recv() == b"m" * size
                await client.send("text")
                assert await client.recv() == "text"
                await (await client.ping())
            assert client.close_code == 1000

    asyncio.run(asyncio.wait_for(run(), 60))
