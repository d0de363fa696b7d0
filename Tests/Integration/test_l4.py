"""What lies below HTTP: the PROXY protocol on both sides, tcp listeners, and endpoints on unix sockets."""

import contextlib
import hashlib
import os
import socket
import struct
import threading

import pytest

from http2 import GET, PREFACE, SETTINGS, Wire, frame
from weir import TLS_EVERYWHERE, Fleet, Origin, Peer, ReservedPort, answer_with_request, get, is_listening, request, run_proxyctl, until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source="192.0.2.7", destination="198.51.100.1", ports=(4711, 443), family="TCP4"):
    return b"PROXY %s %s %s %d %d\r\n" % (family.encode(), source.encode(), destination.encode(), *ports)


def v2(source="192.0.2.7", destination="198.51.100.1", ports=(4711, 443), command=1, fields=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    content = (socket.inet_pton(family, source) + socket.inet_pton(family, destination) + struct.pack(">HH", *ports)
               + fields)
    kind = 0x21 if ":" in source else 0x11
    return SIGNATURE + bytes([0x20 | command, kind]) + struct.pack(">H", len(content)) + content


def content(length):
    """Octets that tell where they are."""
    block = b"".join(index.to_bytes(4, "big") for index in range(1 << 16))
    return (block * (length // len(block) + 1))[:length]


class UnixOrigin(Origin):
    """An origin on a unix socket."""

    def __init__(self, script, path, backlog=512):
        self.path = path
        self.script = script
        self.name = "origin"
        self.requests = []
        self.failures = []
        self.connections = 0
        self.open = set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(backlog)
        self.address = str(path)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __str__(self):
        return f"unix:{self.path}"


def metric(node, name):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise AssertionError(f"{name} is not there")


def nothing_is_left(node):
    until(lambda: metric(node, "weir_connections") == 0 and metric(node, "weir_tunnels") == 0
          and metric(node, "weir_upstream_connections") == 0, "every connection is gone")


def refusal(workspace, text):
    """What `validate` says of a configuration that it refuses."""
    return run_proxyctl("validate", workspace.configuration(text), code=None)


# PROXY headers from clients


def http(workspace, listener, origin=None, upstream=""):
    origin = origin or workspace.origin()
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}, {listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    return node, port.address


def told(head, name):
    return dict(head.json["fields"]).get(name)


@pytest.mark.parametrize("header, client, forwarded", [
    (v1(), "192.0.2.7", "for=192.0.2.7"),
    (v2(), "192.0.2.7", "for=192.0.2.7"),
    (v2(fields=b"\x04\0\x03abc"), "192.0.2.7", "for=192.0.2.7"),
    (v1("2001:db8::7", "2001:db8::1", family="TCP6"), "2001:db8::7", 'for="[2001:db8::7]"'),
    (v2("2001:db8::7", "2001:db8::1"), "2001:db8::7", 'for="[2001:db8::7]"'),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1", "for=127.0.0.1"),
    (v2(command=0), "127.0.0.1", "for=127.0.0.1"),
    (SIGNATURE + b"\x20\0\0\0", "127.0.0.1", "for=127.0.0.1"),
])
def test_the_client_is_whom_the_header_tells(workspace, header, client, forwarded):
    node, web = http(workspace, "proxyProtocol: require")
    with Peer.connect(web) as peer:
        for _ in range(2):
            head = peer.exchange((header if _ == 0 else b"") + request(fields=["X-Forwarded-For: 203.0.113.9"]))
            assert told(head, "x-forwarded-for") == client
            assert forwarded in told(head, "forwarded")
    assert [record["client"] for record in node.access_log(2)] == [client] * 2


def test_a_header_may_come_octet_by_octet(workspace):
    _, web = http(workspace, "proxyProtocol: require")
    for header in (v1(), v2()):
        with Peer.connect(web) as peer:
            for octet in header + request():
                peer.send(bytes([octet]))
            assert told(peer.read_response(), "x-forwarded-for") == "192.0.2.7"


@pytest.mark.parametrize("opening", [
    request(), b"\0", b"PROXY TCP4 192.0.2.7\r\n", v1().replace(b"\r\n", b"\n"), v2()[:-1] + b"",
    v2().replace(b"\x21", b"\x31", 1), SIGNATURE + b"\x21\x11\xff\xff", b"P", b"",
])
def test_without_a_whole_header_a_connection_is_closed(workspace, opening):
    node, web = http(workspace, "proxyProtocol: require")
    with Peer.connect(web) as peer:
        with contextlib.suppress(OSError):
            # What nobody reads resets the connection, perhaps before it is ended here.
            peer.send(opening)
            peer.end()
        assert peer.is_closed()
    until(lambda: metric(node, "weir_connections") == 0, "the connection is gone")
    until(lambda: metric(node, "weir_connections_refused_total") == 1, "it is counted")
    assert get_after(web, v1()).status == 200


def get_after(web, header):
    with Peer.connect(web) as peer:
        return peer.exchange(header + request())


@pytest.mark.parametrize("opening", [b"", b"PROXY TCP4 "])
def test_a_required_header_has_its_time(workspace, opening):
    _, web = http(workspace, "proxyProtocol: require, timeouts: {header: 300ms}")
    with Peer.connect(web) as peer:
        peer.send(opening)
        assert peer.is_closed()


def test_accept_takes_connections_with_and_without_a_header(workspace):
    _, web = http(workspace, "proxyProtocol: accept")
    for header, client in ((v1(), "192.0.2.7"), (v2(), "192.0.2.7"), (b"", "127.0.0.1")):
        assert told(get_after(web, header), "x-forwarded-for") == client
    with Peer.connect(web) as peer:
        peer.send(b"PROXY nonsense\r\n" + request())
        assert peer.is_closed()


def test_accept_believes_headers_of_trusted_proxies_alone(workspace):
    _, web = http(workspace, "proxyProtocol: accept, trustedProxies: [10.0.0.0/8]")
    with Peer.connect(web) as peer:
        peer.send(v1() + request())
        assert peer.read_response().status == 400, "a header is no request"
    assert told(get_after(web, b""), "x-forwarded-for") == "127.0.0.1"
    _, web = http(workspace, "proxyProtocol: accept, trustedProxies: [127.0.0.0/8]")
    assert told(get_after(web, v2()), "x-forwarded-for") == "192.0.2.7"


def test_accept_serves_a_client_that_waits_before_it_speaks(workspace):
    node, web = http(workspace, "proxyProtocol: accept, timeouts: {header: 200ms}")
    with Peer.connect(web) as silent, Peer.connect(web) as late:
        late.send(b"PROXY TCP4 ")
        assert late.is_closed(), "a header that has begun has its time"
        # Both came at the same time, so the silent one has been handed on by now or is soon.
        until(lambda: metric(node, "weir_connections") == 1, "the late one is gone")
        assert silent.exchange(request()).status == 200


def test_trusted_proxies_and_limits_are_for_the_client_that_was_told(workspace):
    _, web = http(workspace, "proxyProtocol: require, trustedProxies: [192.0.2.0/24], "
                             "limits: {connectionsPerClient: 1}")
    head = get_after_with(web, v1(), "X-Forwarded-For: 203.0.113.9")
    assert told(head, "x-forwarded-for") == "203.0.113.9, 192.0.2.7"
    head = get_after_with(web, v1("198.18.0.1"), "X-Forwarded-For: 203.0.113.9")
    assert told(head, "x-forwarded-for") == "198.18.0.1"
    with Peer.connect(web) as first, Peer.connect(web) as second, Peer.connect(web) as other:
        assert first.exchange(v1("192.0.2.8") + request()).status == 200
        second.send(v1("192.0.2.8") + request())
        assert second.is_closed(), "the same client has one already"
        assert other.exchange(v1("192.0.2.9") + request()).status == 200


def get_after_with(web, header, field):
    with Peer.connect(web) as peer:
        return peer.exchange(header + request(fields=[field]))


def test_http2_behind_a_header(workspace):
    """The preface of HTTP/2 may follow a header at once."""
    _, web = http(workspace, "proxyProtocol: require")
    with Peer.connect(web) as peer:
        peer.send(v2() + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
        assert peer.read_exactly(9)[3] == 4, "the server's SETTINGS"


@pytest.mark.skipif(TLS_EVERYWHERE, reason="is about listeners without TLS")
@pytest.mark.parametrize("setting, header, status", [
    ("proxyProtocol: require", v2(), 200), ("trustedProxies: [127.0.0.0/8]", b"", 200), ("trustedProxies: [192.0.2.0/24]", b"", 421)],
    ids=["header", "trusted", "untrusted"])
def test_https_without_tls_is_for_balancers_that_end_it(workspace, setting, header, status):
    """RFC 9110 §7.4: unless the connection is from a trusted gateway; in both versions alike."""
    _, web = http(workspace, setting)
    with Peer.connect(web) as peer:
        answer = peer.exchange(header + b"GET https://example.test/ HTTP/1.1\r\nHost: example.test\r\n\r\n")
        assert answer.status == status
    with Wire(socket.create_connection(web)) as wire:
        wire.send(header + PREFACE + frame(SETTINGS, 0, 0))
        wire.headers(1, [(name, "https" if name == ":scheme" else value) for name, value in GET])
        assert dict(wire.fields(1))[":status"] == str(status)


def test_connections_without_a_header_do_not_hold_a_drain_up(workspace):
    node, web = http(workspace, "proxyProtocol: require, timeouts: {header: 1s}")
    with Peer.connect(web) as peer:
        until(lambda: metric(node, "weir_connections") == 1, "the connection is there")
        assert node.program.stop() == 0
        assert peer.is_closed()


# PROXY headers to endpoints


def recording(headers):
    """Reads the header of each connection, then answers requests."""

    def script(peer, origin):
        start = peer.read_exactly(5)
        if start == b"PROXY":
            headers.append((start + peer.read_until(b"\r\n")).decode().split())
        else:
            fixed = start + peer.read_exactly(11)
            assert fixed[:12] == SIGNATURE
            headers.append((fixed[12], fixed[13], peer.read_exactly(struct.unpack(">H", fixed[14:])[0])))
        answer_with_request(peer, origin)

    return script


def test_endpoints_are_told_of_each_client(workspace):
    headers = []
    origin = workspace.keep(Origin(recording(headers)))
    node, web = http(workspace, "limits: {connections: 100}", origin, ", proxyProtocol: v1")
    with Peer.connect(web) as peer:
        local = peer.socket.getsockname()
        for count in (1, 2, 3):
            assert peer.exchange(request()).status == 200
            assert origin.connections == count, "no connection is used twice"
    expected = ["PROXY", "TCP4", "127.0.0.1", "127.0.0.1", str(local[1]), str(web[1])]
    assert headers == [expected] * 3
    until(lambda: metric(node, "weir_upstream_connections") == 0, "none rests")


def test_version_2_is_told_and_chains(workspace):
    headers = []
    origin = workspace.keep(Origin(recording(headers)))
    _, web = http(workspace, "proxyProtocol: require", origin, ", proxyProtocol: v2")
    assert get_after(web, v1("192.0.2.7", "198.51.100.1", (4711, 443))).status == 200
    assert get_after(web, v2("2001:db8::7", "2001:db8::1", (1, 2))).status == 200
    assert headers == [(0x21, 0x11, v2()[16:]), (0x21, 0x21, v2("2001:db8::7", "2001:db8::1", (1, 2))[16:])]


def test_a_change_of_the_setting_leaves_no_connection_behind(workspace):
    """A connection that rests has begun without a header, and is of no use once one is wanted."""
    headers = []
    plain = workspace.origin()
    _, web = http(workspace, "limits: {connections: 100}", plain)
    assert get(web).status == 200
    told_origin = workspace.keep(Origin(recording(headers)))
    _, web = http(workspace, "limits: {connections: 100}", told_origin, ", proxyProtocol: v1")
    assert get(web).status == 200 and len(headers) == 1


# tcp listeners


def tcp(workspace, endpoints, listener="", upstream="", workers=1, arguments=()):
    port = workspace.keep(ReservedPort())
    text = ", ".join(f"{{address: {endpoint}}}" for endpoint in endpoints)
    node = workspace.node(f"""
listeners: [{{name: db, address: {port}, protocol: tcp, upstream: main{listener}}}]
upstreams: [{{name: main, endpoints: [{text}]{upstream}}}]
""", workers=workers, arguments=arguments)
    return node, port.address


def echo(peer, origin):
    while peer.fill():
        peer.send(peer.take(len(peer.buffer)))




@pytest.mark.parametrize("unix", [False, True])
def test_octets_go_both_ways(workspace, unix):
    origin = workspace.keep(UnixOrigin(echo, workspace.folder / "echo") if unix else Origin(echo))
    node, db = tcp(workspace, [origin])
    with Peer.connect(db) as peer:
        for size in (1, 100, 5000, 300_000, 20_000_000):
            sender = threading.Thread(target=peer.send, args=[content(size)])
            sender.start()
            assert hashlib.sha256(peer.read_exactly(size)).digest() == hashlib.sha256(content(size)).digest()
            sender.join()
        until(lambda: metric(node, "weir_tunnels") == metric(node, "weir_connections") == 1, "both are counted")
        total = 1 + 100 + 5000 + 300_000 + 20_000_000
        for name in ("received", "sent", "upstream_received", "upstream_sent"):
            until(lambda name=name: metric(node, f"weir_{name}_bytes_total") == total, f"{name} is counted")
    nothing_is_left(node)
    record = node.access_log(1)[0]
    assert {key: record[key] for key in ("client", "scheme", "protocol", "status", "bytes", "upstream", "endpoint",
                                         "method", "path", "route", "error")} == {
        "client": "127.0.0.1", "scheme": "tcp", "protocol": "TCP", "status": 0, "bytes": total, "upstream": "main",
        "endpoint": str(origin), "method": None, "path": None, "route": None, "error": None}


def test_the_server_may_speak_first(workspace):
    def script(peer, origin):
        peer.send(b"220 ready\r\n")
        peer.send(b"you said " + peer.read_until(b"\n"))

    _, db = tcp(workspace, [workspace.keep(Origin(script))])
    with Peer.connect(db) as peer:
        assert peer.read_until(b"\n") == b"220 ready\r\n"
        peer.send(b"hello\n")
        assert peer.read_to_end() == b"you said hello\n"


def test_each_side_may_end_alone(workspace):
    def script(peer, origin):
        peer.send(b"got %d" % len(peer.read_to_end()))

    node, db = tcp(workspace, [workspace.keep(Origin(script))])
    for size in (0, 10, 2_000_000):
        with Peer.connect(db) as peer:
            peer.send(content(size))
            peer.end()
            assert peer.read_to_end() == b"got %d" % size
    nothing_is_left(node)


def test_the_endpoint_may_end_first(workspace):
    received = []

    def script(peer, origin):
        peer.send(b"bye")
        peer.end()
        received.append(peer.read_to_end())

    _, db = tcp(workspace, [workspace.keep(Origin(script))])
    with Peer.connect(db) as peer:
        assert peer.read_to_end() == b"bye"
        peer.send(b"after")
        peer.end()
        until(lambda: received, "the endpoint has all")
    assert received == [b"after"]


def test_a_side_that_does_not_read_stops_the_other(workspace):
    """The endpoint sends without end: what is on its way is bounded, and goes on once the client reads."""
    sent = [0]
    block = content(1 << 16)

    def script(peer, origin):
        while sent[0] < 64 << 20:
            peer.send(block)
            sent[0] += len(block)

    node, db = tcp(workspace, [workspace.keep(Origin(script))])
    with Peer.connect(db) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        before = [-1]

        def has_stopped():
            stopped = sent[0] == before[0] and sent[0] > 0
            before[0] = sent[0]
            return stopped

        until(has_stopped, "the endpoint is held up")
        assert metric(node, "weir_upstream_received_bytes_total") < 64 << 20
        received = 0
        while received < 64 << 20:
            received += len(peer.take(len(peer.buffer)) or peer.socket.recv(1 << 20))
        assert received == 64 << 20
    nothing_is_left(node)


def test_another_endpoint_is_tried(workspace):
    origin = workspace.keep(Origin(echo))
    dead = [workspace.keep(ReservedPort()), f"unix:{workspace.folder}/nobody", workspace.keep(ReservedPort())]
    node, db = tcp(workspace, [*dead, origin])
    for _ in range(8):
        with Peer.connect(db) as peer:
            peer.send(b"x")
            assert peer.read_exactly(1) == b"x"
    assert metric(node, "weir_upstream_connect_failures_total") > 0
    assert {record["endpoint"] for record in node.access_log(8)} == {str(origin)}


def test_without_an_endpoint_the_connection_is_closed(workspace):
    node, db = tcp(workspace, [workspace.keep(ReservedPort()), f"unix:{workspace.folder}/nobody"])
    with Peer.connect(db) as peer:
        assert peer.is_closed()
    assert node.access_log(1)[0]["error"] == "connection_refused"
    assert 'weir_upstream_errors_total{upstream="main"} 1' in node.get("/metrics").body.decode()
    nothing_is_left(node)


def test_connecting_has_its_time_and_then_another_endpoint_its_turn(workspace):
    """A socket with a full backlog answers no handshake."""
    deaf = workspace.keep(contextlib.closing(socket.socket()))
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(0)
    host, port = deaf.getsockname()
    filling = []
    for _ in range(4):
        filler = workspace.keep(contextlib.closing(socket.socket()))
        filler.setblocking(False)
        filler.connect_ex((host, port))
        filling.append(filler)
    origin = workspace.keep(Origin(echo))
    node, db = tcp(workspace, [f"{host}:{port}", origin], upstream=", timeouts: {connect: 300ms}")
    for _ in range(2):
        with Peer.connect(db) as peer:
            peer.send(b"x")
            assert peer.read_exactly(1) == b"x"
    assert metric(node, "weir_upstream_connect_failures_total") in (1, 2)


def test_limits_of_listener_client_and_upstream(workspace):
    origin = workspace.keep(Origin(echo))

    def takes(peer):
        try:
            peer.send(b"x")
            return peer.read_exactly(1) == b"x"
        except (EOFError, OSError):
            return False

    for listener, upstream in ((", limits: {connections: 1}", ""), (", limits: {connectionsPerClient: 1}", ""),
                               ("", ", connections: {maximum: 1}"), ("", ", connections: {perEndpoint: 1}")):
        _, db = tcp(workspace, [origin], listener, upstream)
        with Peer.connect(db) as first, Peer.connect(db) as second:
            assert takes(first) and not takes(second)
            first.close()
            until(lambda: takes_anew(db, takes), "there is room again")


def takes_anew(db, takes):
    with Peer.connect(db) as peer:
        return takes(peer)


def test_silence_ends_a_relay(workspace):
    node, db = tcp(workspace, [workspace.keep(Origin(echo))], upstream=", timeouts: {idle: 2s}")
    with Peer.connect(db) as peer:
        peer.send(b"x")
        assert peer.read_exactly(1) == b"x"
        assert peer.read_to_end() == b""
    nothing_is_left(node)


def test_a_reset_of_either_side_reaches_the_other(workspace):
    seen = []
    resets = threading.Event()
    workspace.closing.callback(resets.set)

    def script(peer, origin):
        if peer.read_exactly(1) == b"r":
            resets.wait(20)
            peer.reset()
            return
        try:
            seen.append(peer.read_to_end())
        except ConnectionResetError:
            seen.append("reset")

    node, db = tcp(workspace, [workspace.keep(Origin(script))])
    with Peer.connect(db) as mine, Peer.connect(db) as theirs:
        theirs.send(b"r")
        mine.send(b"x")
        until(lambda: metric(node, "weir_upstream_sent_bytes_total") == 2, "both are with the endpoint")
        mine.reset()
        until(lambda: seen, "the endpoint has seen it")
        assert seen == ["reset"]
        resets.set()
        with pytest.raises(ConnectionResetError):
            theirs.read_to_end()
    nothing_is_left(node)
    assert sorted(record["error"] for record in node.access_log(2)) == ["connection_terminated"] * 2


def test_what_an_endpoint_said_before_it_failed_arrives(workspace):
    """It answers, and closes with octets of the client unread, which resets the connection."""

    def script(peer, origin):
        peer.read_exactly(1)
        peer.send(b"go away")

    _, db = tcp(workspace, [workspace.keep(Origin(script))])
    for _ in range(20):
        with Peer.connect(db) as peer:
            peer.send(b"x" * 1000)
            assert peer.read_exactly(7) == b"go away"


def test_what_an_endpoint_said_last_is_not_overtaken_by_a_reset(workspace):
    """It ends its side and takes nothing more, while the client still sends and reads late."""
    size = 200_000

    def script(peer, origin):
        peer.read_exactly(1)
        peer.send(content(size))
        peer.end()
        peer.read_exactly(1 << 20)
        peer.reset()

    node, db = tcp(workspace, [workspace.keep(Origin(script))])
    with Peer(socket.socket()) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        peer.socket.connect(db)
        peer.send(b"x")
        until(lambda: metric(node, "weir_upstream_received_bytes_total") > 0, "the answer is on its way")
        for _ in range(24):
            peer.send(bytes(1 << 16))
        until(lambda: metric(node, "weir_tunnels") == 0, "the endpoint is gone")
        peer.send(bytes(1 << 16))
        assert peer.read_to_end() == content(size), "cut short"
    nothing_is_left(node)


def test_octets_that_nobody_takes_are_not_passed_off_as_all(workspace):
    """The relay rests because a side does not read: the end is a reset, not that of the other side."""

    def script(peer, origin):
        with contextlib.suppress(OSError):
            peer.send(content(64 << 20))

    node, db = tcp(workspace, [workspace.keep(Origin(script))], upstream=", timeouts: {idle: 2s}")
    with Peer.connect(db) as peer:
        until(lambda: metric(node, "weir_upstream_received_bytes_total") > 0, "the relay has begun")
        until(lambda: metric(node, "weir_connections") == 0, "the relay is over")
        with pytest.raises(ConnectionResetError):
            peer.read_to_end()
    assert node.access_log(1)[0]["error"] == "connection_write_timeout"


def test_a_listener_may_change_between_http_and_tcp_while_connections_are_open(workspace):
    """What was accepted goes on as what it is: a request gets its route, if for the last time, and a relay its octets."""
    fleet, port = Fleet(workspace), workspace.keep(ReservedPort())
    fleet.add("edge", workers=1)
    upstreams = f"""
upstreams:
  - {{name: app, endpoints: [{{address: {workspace.origin()}}}]}}
  - {{name: db, endpoints: [{{address: {workspace.keep(Origin(echo))}}}]}}
routes: [{{name: all, upstream: app}}]
"""
    fleet.apply(f"listeners: [{{name: web, address: {port}}}]{upstreams}", "--wait")
    with Peer.connect(port.address) as client:
        assert client.exchange(request()).status == 200
        fleet.apply(f"listeners: [{{name: web, address: {port}, protocol: tcp, upstream: db}}, "
                    f"{{name: other, address: 127.0.0.1:0}}]{upstreams}", "--wait")
        with Peer.connect(port.address) as relayed:
            relayed.send(b"a")
            assert relayed.read_exactly(1) == b"a"
            head = client.exchange(request())
            assert head.status == 200 and head.get("connection") == "close"
            assert client.is_closed()
            fleet.apply(f"listeners: [{{name: web, address: {port}}}]{upstreams}", "--wait")
            assert get(port.address).status == 200
            relayed.send(b"b")
            assert relayed.read_exactly(1) == b"b"


def test_a_drain_lets_relays_go_on_until_its_time(workspace):
    node, db = tcp(workspace, [workspace.keep(Origin(echo))], arguments=("--drain-timeout", "60s"))
    with Peer.connect(db) as peer:
        peer.send(b"a")
        assert peer.read_exactly(1) == b"a"
        node.program.signal(15)
        until(lambda: not is_listening(db), "the listener is closed")
        peer.send(b"b")
        assert peer.read_exactly(1) == b"b", "the relay goes on"
        peer.end()
        assert peer.read_to_end() == b""
    assert node.program.process.wait(15) == 0


def test_a_drain_ends_relays_at_its_time(workspace):
    node, db = tcp(workspace, [workspace.keep(Origin(echo))], arguments=("--drain-timeout", "500ms"))
    with Peer.connect(db) as peer:
        peer.send(b"a")
        assert peer.read_exactly(1) == b"a"
        node.program.signal(15)
        with pytest.raises(ConnectionResetError):
            peer.read_to_end()
    assert node.program.process.wait(15) == 0


def test_floods_of_short_connections_leave_nothing_behind(workspace):
    origin = workspace.keep(Origin(echo))
    node, db = tcp(workspace, [origin], workers=2)
    before = len(os.listdir(f"/proc/{node.program.pid}/fd"))

    def run(index):
        for number in range(50):
            with Peer.connect(db) as peer:
                peer.send(content(1 + 997 * number))
                if (index + number) % 3 == 0:
                    peer.reset()
                elif (index + number) % 3 == 1:
                    peer.end()
                    assert len(peer.read_to_end()) == 1 + 997 * number

    threads = [threading.Thread(target=run, args=[index]) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    nothing_is_left(node)
    until(lambda: len(os.listdir(f"/proc/{node.program.pid}/fd")) <= before, "descriptors are back")


def test_headers_in_and_out_of_a_relay(workspace):
    headers = []

    def script(peer, origin):
        headers.append(peer.read_until(b"\r\n"))
        echo_rest(peer)

    def echo_rest(peer):
        peer.send(peer.take(len(peer.buffer)))
        echo(peer, None)

    node, db = tcp(workspace, [workspace.keep(Origin(script))], ", proxyProtocol: require", ", proxyProtocol: v1")
    with Peer.connect(db) as peer:
        peer.send(v2() + b"hello")
        assert peer.read_exactly(5) == b"hello"
    assert headers == [v1()]
    assert node.access_log(1)[0]["client"] == "192.0.2.7"


def test_accept_hands_a_silent_client_to_a_server_that_speaks_first(workspace):
    def script(peer, origin):
        peer.send(b"220 ready\r\n")
        peer.read_to_end()

    _, db = tcp(workspace, [workspace.keep(Origin(script))],
                ", proxyProtocol: accept, timeouts: {header: 200ms}")
    with Peer.connect(db) as peer:
        assert peer.read_until(b"\n") == b"220 ready\r\n"


def test_what_is_refused_is_named_with_its_place(workspace):
    result = refusal(workspace, """
listeners:
  - name: db
    address: 127.0.0.1:0
    protocol: tcp
    limits: {fieldLines: 5}
  - {name: web, address: 127.0.0.1:0, upstream: main}
upstreams: [{name: main, endpoints: [{address: "unix:run/app"}]}]
routes: [{name: all, listeners: [db], upstream: main}]
""")
    assert result.code != 0
    text = result.out + result.err
    assert ":3:5: listeners[db]: upstream is missing" in text
    assert ":6:26: listeners[db].limits.fieldLines: does nothing on a tcp listener" in text
    assert ":7:49: listeners[web].upstream: is for listeners with protocol: tcp" in text
    assert "endpoints[0].address: \"unix:run/app\": the path of a unix socket is absolute" in text


# unix sockets


def test_requests_reach_a_unix_socket(workspace):
    origin = workspace.keep(UnixOrigin(answer_with_request, workspace.folder / "app.sock"))
    node, web = http(workspace, "limits: {connections: 100}", origin)
    with Peer.connect(web) as peer:
        for _ in range(3):
            head = peer.exchange(request(body=b"content"))
            assert head.json["body"] == "content"
            assert told(head, "x-forwarded-for") == "127.0.0.1" and told(head, "host") == "example.test"
    assert origin.connections == 1, "connections rest and are used again"
    assert node.access_log(3)[0]["endpoint"] == str(origin)


def test_long_content_comes_from_a_unix_socket(workspace):
    def script(peer, origin):
        while peer.read_head() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + content(10_000_000))

    _, web = http(workspace, "limits: {connections: 100}",
                  workspace.keep(UnixOrigin(script, workspace.folder / "app.sock")))
    assert get(web).body == content(10_000_000)


def test_a_socket_that_is_not_there_is_502_and_not_named(workspace):
    path = workspace.folder / "nobody.sock"
    node, web = http(workspace, "limits: {connections: 100}", f"unix:{path}")
    head = get(web)
    assert head.status == 502 and head.get("proxy-status") == "weir; error=connection_refused"
    assert b"nobody" not in head.octets + head.body
    assert node.access_log(1)[0]["error"] == "connection_refused"
    listener = workspace.keep(UnixOrigin(answer_with_request, path))
    assert get(web).status == 200 and listener.connections == 1


def test_a_path_may_have_107_octets(workspace):
    folder = workspace.folder / ("d" * 10)
    folder.mkdir()
    name = "s" * (107 - len(str(folder)) - 1)
    if not name:
        pytest.skip("the temporary folder's name is too long")
    origin = workspace.keep(UnixOrigin(answer_with_request, folder / name))
    assert len(origin.address) == 107
    _, web = http(workspace, "limits: {connections: 100}", origin)
    assert get(web).status == 200
