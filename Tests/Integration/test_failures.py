"""What a client gets when its request is wrong or the origin fails."""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from weir import PEER_SECONDS, Origin, Peer, ReservedPort, get, request, until


def serve(workspace, endpoint, upstream="", workers=1, listener=""):
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}{listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {endpoint}}}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=workers)
    return node, port.address


BAD_REQUESTS = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", {400}),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    "bad host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", {400}),
    "host with path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", {400}),
    "bad method": (b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "no version": (b"GET /\r\n\r\n", {400}),
    "bad version": (b"GET / HTTX/1.1\r\nHost: a\r\n\r\n", {400}),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "space in target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "control in target": (b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "future version": (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", {505}),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", {400}),
    "folded line": (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", {400}),
    "space before first field": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", {400}),
    "no colon": (b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", {400}),
    "empty field name": (b"GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n", {400}),
    "NUL in value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", {400}),
    "bare CR in value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", {400}),
    "length and chunked": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"0\r\n\r\n", {400}),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", {400}),
    "signed length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", {400}),
    "hex length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\nabcd", {400}),
    "huge length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    "chunked not last": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", {400, 501}),
    "chunked twice": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "hidden chunked": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunked in 1.0": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "long target": (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414}),
    "large fields": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", {431}),
    "many fields": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 101 + b"\r\n", {431}),
    "encoded slash": (b"GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "encoded NUL": (b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "broken encoding": (b"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "climbing path": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", {400, 200}),
    "TLS": (bytes.fromhex("16030100a5010000a10303") + b"\r\n\r\n", {400}),
}


@pytest.fixture(scope="module")
def bad_request_server(tmp_path_factory):
    """One node for all the bad requests: none of them may trouble the next."""
    import weir
    space = weir.Workspace(tmp_path_factory.mktemp("bad-requests"))
    try:
        origin = space.origin()
        yield (*serve(space, origin), origin)
    finally:
        space.close()


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_bad_request_gets_its_status_and_does_not_reach_the_origin(bad_request_server, name):
    node, web, origin = bad_request_server
    octets, statuses = BAD_REQUESTS[name]
    before = len(origin.requests)
    with Peer.connect(web) as peer:
        peer.send(octets)
        head = peer.read_response()
        assert head.status in statuses, head
        if 200 not in statuses:
            assert len(origin.requests) == before
            assert peer.is_closed(), "framing is in doubt, so the connection ends"
    assert get(web).status == 200
    assert node.program.is_running


@pytest.mark.parametrize("chunk", [b"x\r\n", b"-1\r\n", b"ffffffffffffffff1\r\n", b"4 \r\nabcd\r\n", b"4\nabcd\r\n",
                                   b"4\r\nabcdX\r\n", b"\r\n"])
def test_a_bad_chunk_never_becomes_a_whole_request(workspace, chunk):
    complete = []

    def script(peer, origin):
        head = peer.read_head()
        peer.read_body(head)
        complete.append(head)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def lenient(peer, origin):
        try:
            script(peer, origin)
        except ValueError:
            complete.append(None)  # octets that are no chunk came through

    _, web = serve(workspace, workspace.keep(Origin(lenient)))
    with Peer.connect(web) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n")
        assert peer.read_response().status == 400
        assert peer.is_closed()
    assert not complete


def test_blank_lines_before_a_request_are_skipped(workspace):
    _, web = serve(workspace, workspace.origin())
    with Peer.connect(web) as peer:
        assert peer.exchange(b"\r\n" + request()).status == 200


def error_of(head):
    """The `error` parameter of Proxy-Status (RFC 9209)."""
    for part in head.get("proxy-status", "").split(";")[1:]:
        key, _, value = part.strip().partition("=")
        if key == "error":
            return value
    return None


def test_an_origin_that_refuses_is_502(workspace):
    with ReservedPort() as closed:
        node, web = serve(workspace, closed)
        head = get(web)
        assert (head.status, error_of(head)) == (502, "connection_refused")
        record = node.access_log(1)[0]
        assert (record["status"], record["error"], record["upstream"]) == (502, "connection_refused", "main")


def test_an_origin_that_does_not_answer_is_504(workspace):
    waiting = threading.Event()
    origin = workspace.keep(Origin(lambda peer, _: (peer.read_head(), waiting.wait(20))))
    workspace.closing.callback(waiting.set)
    _, web = serve(workspace, origin, ", timeouts: {firstByte: 200ms}")
    head = get(web)
    assert (head.status, error_of(head)) == (504, "http_response_timeout")


def test_an_origin_whose_connection_is_never_accepted_is_504(workspace):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):  # a full queue of one leaves the next SYN without an answer
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        _, web = serve(workspace, f"127.0.0.1:{full.getsockname()[1]}", ", timeouts: {connect: 200ms}")
        head = get(web)
        assert (head.status, error_of(head)) == (504, "connection_timeout")
        for filler in fillers:
            filler.close()


BAD_RESPONSES = {
    "closes": (b"", 502),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", 502),
    "no HTTP": (b"220 smtp.example.com ESMTP\r\n\r\n", 502),
    "bad status": (b"HTTP/1.1 2x0 OK\r\n\r\n", 502),
    "bad field": (b"HTTP/1.1 200 OK\r\nbad name: 1\r\nContent-Length: 0\r\n\r\n", 502),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502),
    "length and chunked": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502),
    "huge head": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000 + b"\r\n\r\n", 502),
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_a_bad_response_is_502(workspace, name):
    octets, status = BAD_RESPONSES[name]

    def script(peer, origin):
        peer.read_head()
        peer.send(octets)

    _, web = serve(workspace, workspace.keep(Origin(script)))
    head = get(web)
    assert head.status == status
    assert error_of(head), head


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_response_that_breaks_off_never_looks_whole(workspace, framing):
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"
                  + (b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"))

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        peer.send(request())
        with pytest.raises((EOFError, ConnectionResetError)):
            peer.read_response()


def test_a_client_that_goes_away_frees_the_origin(workspace):
    ended = threading.Event()

    def script(peer, origin):
        origin.requests.append(peer.read_head())
        try:
            while peer.fill():
                pass
        except OSError:
            pass
        ended.set()

    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, origin)
    peer = Peer.connect(web)
    peer.send(request())
    until(lambda: origin.requests, "the request reached the origin")
    peer.reset()
    assert ended.wait(PEER_SECONDS), "the upstream connection ends with the client"


def test_more_requests_than_the_upstream_takes_get_503(workspace):
    release = threading.Event()

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            release.wait(20)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    workspace.closing.callback(release.set)
    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, origin, ", connections: {maximum: 1}, queue: {requests: 0}")
    first, second = [workspace.keep(Peer.connect(web)) for _ in range(2)]
    first.send(request(target="/1"))
    until(lambda: len(origin.requests) == 1, "the first request is under way")
    head = second.exchange(request(target="/2"))
    assert (head.status, head.get("proxy-status")) == (503, "weir; error=connection_limit_reached")
    release.set()
    assert first.read_response().status == 200


def test_a_request_without_end_is_cut_off(workspace):
    _, web = serve(workspace, workspace.origin(), listener=", timeouts: {header: 300ms}")
    with Peer.connect(web) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: a")
        assert peer.read_to_end()[:12] in (b"", b"HTTP/1.1 408")


def test_an_idle_connection_is_closed(workspace):
    _, web = serve(workspace, workspace.origin(), listener=", timeouts: {idle: 1500ms}")
    with Peer.connect(web) as peer:
        assert peer.exchange(request()).status == 200
        assert peer.is_closed()


def test_a_client_that_rests_is_not_the_endpoints_fault(workspace):
    content = b"x" * (16 << 20)

    def script(peer, origin):
        is_silent = peer.read_head().target == "/silent"
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
        if is_silent:
            return peer.read_to_end()
        peer.send(content)

    _, web = serve(workspace, workspace.origin(script), ", timeouts: {idle: 1500ms}")
    with Peer.connect(web) as peer:
        peer.send(request())
        peer.fill()
        # Longer than the endpoint may be silent, for which another one is cut off: this one has said all that it could.
        with Peer.connect(web) as other, contextlib.suppress(OSError):
            other.send(request(target="/silent"))
            assert other.read_to_end().endswith(b"\r\n\r\n")
        assert peer.read_response().body == content


def test_a_body_over_the_limit_is_413(workspace):
    origin = workspace.origin()
    _, web = serve(workspace, origin, listener=", limits: {bodyBytes: 1KiB}")
    with Peer.connect(web) as peer:
        assert peer.exchange(request("POST", body=b"x" * 2000)).status == 413
    with Peer.connect(web) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"x" * 2048 + b"\r\n0\r\n\r\n")
        assert peer.read_response().status == 413
    assert get(web).status == 200


def test_content_that_comes_too_slowly_is_408(workspace):
    origin = workspace.origin()
    _, web = serve(workspace, origin, listener=", timeouts: {minimumBodyRate: 1000000}")
    with Peer.connect(web) as slow, Peer.connect(web) as quick:
        slow.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        before = time.monotonic()
        head = slow.read_response()
        assert head.status == 408 and time.monotonic() - before > 4
        assert slow.is_closed()
        assert quick.exchange(request("POST", body=b"x" * 1000)).status == 200


def test_a_client_has_as_many_connections_as_it_may(workspace):
    _, web = serve(workspace, workspace.origin(), workers=2, listener=", limits: {connectionsPerClient: 3}")
    first = [workspace.keep(Peer.connect(web)) for _ in range(3)]
    for peer in first:
        assert peer.exchange(request()).status == 200
    with Peer(socket.create_connection(web, timeout=10)) as refused:
        assert refused.is_closed()
    with Peer.connect(web, source=("127.0.0.2", 0)) as other:
        assert other.exchange(request()).status == 200, "another client has a limit of its own"
    first[0].close()

    def admitted():
        with contextlib.suppress(ConnectionError, ssl.SSLError), Peer.connect(web) as peer:
            peer.send(request())
            head = peer.read_head()
            return head is not None and head.status == 200

    until(admitted, "the place of the connection that closed is free")
