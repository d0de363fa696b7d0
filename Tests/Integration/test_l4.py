"""What lies below HTTP: the PROXY protocol on both sides, and endpoints on unix sockets."""

import contextlib
import socket
import struct
import threading

import pytest

from weir import Origin, Peer, ReservedPort, answer_with_request, get, request, until

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
    assert metric(node, "weir_connections_refused_total") == 1
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
