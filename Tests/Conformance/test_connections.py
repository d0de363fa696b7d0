"""Connections: persistence, pipelines, early answers, Expect, Upgrade, and peers that are slow (RFC 9112 §9, RFC 9110 §7.8, §10.1)."""

import contextlib
import threading
import time

import pytest

import weir
from stage import OK, Stage, cases, read_response
from weir import Peer, until

NEXT = b"GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n"


def get(target, *lines, version=b"1.1"):
    return b"\r\n".join([b"GET %b HTTP/%b" % (target, version), b"Host: a.test", *lines, b"", b""])


def post(target, *lines, content=b""):
    return b"\r\n".join([b"POST %b HTTP/1.1" % target, b"Host: a.test", *lines, b"", b""]) + content


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    """A node that has little patience and little room."""
    space = weir.Workspace(tmp_path_factory.mktemp("tight"))
    try:
        yield Stage(space, ", timeouts: {header: 1500ms, idle: 1500ms}", limits="bodyBytes: 1KiB")
    finally:
        space.close()


def targets(stage):
    return [record.target for record in stage.take_records()]


# RFC 9112 §9.3: persistence


@cases("case", (b"1.1", (), True), (b"1.1", (b"Connection: keep-alive",), True), (b"1.1", (b"Connection: close",), False), (b"1.1", (b"Connection: CLOSE",), False),
       (b"1.1", (b"Connection: keep-alive, close",), False), (b"1.1", (b"Connection: close", b"Connection: keep-alive"), False), (b"1.1", (b"Connection: x, close",), False),
       (b"1.1", (b"Connection: closed",), True), (b"1.0", (), False), (b"1.0", (b"Connection: keep-alive",), True), (b"1.0", (b"Connection: Keep-Alive",), True),
       (b"1.0", (b"Connection: close",), False), (b"1.0", (b"Connection: keep-alive, close",), False), (b"1.0", (b"Proxy-Connection: keep-alive",), False),
       (b"1.1", (b"Proxy-Connection: close",), True), (b"1.1", (b"Connection:",), True), (b"1.1", (b"Connection: ,",), True))
def test_rfc9112_9_3_persistence_follows_version_and_connection(stage, case):
    """HTTP/1.1 persists without close, HTTP/1.0 only with keep-alive; the response says which it is."""
    version, lines, persists = case
    with stage.connect() as peer:
        peer.send(get(b"/1", *lines, version=version))
        message = read_response(peer)
        assert (message.status, message.content, message.version) == (200, b"ok", b"1.1")
        if version == b"1.0":
            assert (b"keep-alive" in message.options) == persists
        assert (b"close" not in message.options) == persists
        if persists:
            peer.send(NEXT)
            assert read_response(peer).status == 200
        else:
            assert peer.is_closed()


@cases("lines", (b"Connection: close",), (b"Connection: close, x",))
@cases("more", NEXT, NEXT * 20, b"x" * 100_000, b"\x00", b"POST / HTTP/1.1\r\n")
def test_rfc9112_9_6_data_after_close_is_not_processed(stage, lines, more):
    """A server that received close MUST NOT process further requests on that connection."""
    stage.take_records()
    with stage.connect() as peer:
        with contextlib.suppress(ConnectionError):
            peer.send(get(b"/last", *lines) + more)
        assert read_response(peer).status == 200
        assert peer.is_closed()
    assert targets(stage) == [b"/last"]


def test_rfc9112_9_6_the_answer_to_a_refused_request_is_not_lost(stage):
    """A server closes in stages, so that a reset does not overtake its last response."""
    for _ in range(30):
        with stage.connect() as peer:
            with contextlib.suppress(ConnectionError):
                peer.send(b"GET / HTTP/1.1\r\n\r\n" + b"x" * 200_000)
            assert read_response(peer).status == 400


# RFC 9112 §9.3.2: pipelining


def test_rfc9112_9_3_2_pipelined_requests_are_answered_in_order(stage):
    """A server MUST send its responses in the order of the requests."""
    numbers = range(200)
    for number in numbers:
        stage.origin.replies[b"/p%d" % number] = (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d" % number, False)
    stage.take_records()
    with stage.connect() as peer:
        peer.send(b"".join(get(b"/p%d" % number) for number in numbers))
        assert [int(read_response(peer).content) for _ in numbers] == list(numbers)
    assert targets(stage) == [b"/p%d" % number for number in numbers]


BODIES = [(b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5;a\r\nhello\r\n0\r\nX: 1\r\n\r\n"), (b"Content-Length: %d" % len(NEXT), NEXT), (b"Content-Length: 0", b""),
          (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(NEXT), NEXT)), (b"Transfer-Encoding: chunked", b"0\r\n\r\n")]


def test_rfc9112_9_3_2_content_in_a_pipeline_is_no_request(stage):
    """Each request ends where its framing says, and the next one begins there."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(b"".join(post(b"/%d" % number, line, content=content) + get(b"/between") for number, (line, content) in enumerate(BODIES)))
        assert [read_response(peer).status for _ in range(2 * len(BODIES))] == [200] * 2 * len(BODIES)
    assert targets(stage) == [target for number in range(len(BODIES)) for target in (b"/%d" % number, b"/between")]


@cases("bad", b"GET / HTTP/1.1\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n", post(b"/bad", b"Content-Length: 5", b"Transfer-Encoding: chunked", content=b"0\r\n\r\n"),
       post(b"/bad", b"Transfer-Encoding: x", content=b"0\r\n\r\n"), post(b"/bad", b"Transfer-Encoding: chunked", content=b"x\r\n"), b"\x00", b"\n", b"\r\n\r\n", b"5\r\nhello\r\n",
       get(b"/bad", b"Expect: x"), get(b"/%00"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", get(b"/bad", b"X" * 70_000))
def test_rfc9112_9_3_2_an_error_in_a_pipeline_ends_it(stage, bad):
    """What was answered stays answered, the broken request is refused, and nothing behind it is processed."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(get(b"/1") + get(b"/2") + bad + NEXT * 3)
        assert [read_response(peer).status for _ in range(2)] == [200, 200]
        assert read_response(peer).status in (400, 417, 431, 505)
        assert peer.is_closed()
    assert targets(stage) == [b"/1", b"/2"]


def test_rfc9112_9_3_2_local_answers_in_a_pipeline_leave_the_rest_alone(stage):
    """Content of requests that are answered here is passed over, and is no request."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(b"".join(b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n%b\r\n\r\n%b" % body for body in BODIES) + NEXT
                  + b"".join(b"TRACE / HTTP/1.1\r\nHost: a.test\r\n%b\r\n\r\n%b" % body for body in BODIES) + NEXT)
        expected = [200] * len(BODIES) + [200] + [405] * len(BODIES) + [200]
        assert [read_response(peer).status for _ in expected] == expected
    assert targets(stage) == [b"/next", b"/next"]


STREAM = (get(b"/1?a=b", b"X-Long: " + b"y" * 40, b"Accept:\t*/* ") + b"\r\n" + post(b"/2", b"Transfer-Encoding: chunked", content=b"5;a=\"b\"\r\nhello\r\n1\r\nx\r\n0\r\nT: 1\r\n\r\n")
          + post(b"/3", b"Content-Length: 3", b"Connection: close", content=b"abc"))


def test_rfc9112_2_2_a_stream_means_the_same_wherever_it_is_split(stage):
    """A message is octets, however they arrive: the same requests for every place of a split."""
    stage.take_records()
    for split in range(1, len(STREAM)):
        with stage.connect() as peer:
            peer.send(STREAM[:split])
            time.sleep(0.0005)
            peer.send(STREAM[split:])
            assert [read_response(peer).status for _ in range(3)] == [200] * 3, split
            assert peer.is_closed()
        records = stage.take_records()
        assert [(record.target, record.content, record.trailers) for record in records] == [
            (b"/1?a=b", b"", []), (b"/2", b"hellox", [(b"t", b"1")]), (b"/3", b"abc", [])], split


def test_rfc9112_2_2_a_stream_may_come_octet_by_octet(stage):
    """The same with one octet at a time."""
    stage.take_records()
    with stage.connect() as peer:
        for octet in STREAM:
            peer.send(bytes([octet]))
        assert [read_response(peer).status for _ in range(3)] == [200] * 3
    assert targets(stage) == [b"/1?a=b", b"/2", b"/3"]


@cases("size", 1, 7, 1000, 4095, 4096, 4097)
def test_rfc9112_2_2_long_lines_may_come_in_pieces(stage, size):
    """The longest lines that are taken are taken in pieces of any size."""
    octets = get(b"/" + b"t" * 16_000, b"X-Long: " + b"v" * 4_000, b"N" * 8_000 + b": 1", b"Y-Long: " + b"w" * 40_000 if size > 1 else b"Y: 1")
    stage.take_records()
    with stage.connect() as peer:
        for start in range(0, len(octets), size):
            peer.send(octets[start:start + size])
        assert read_response(peer).status == 200
    record, = stage.take_records()
    assert len(record.target) == 16_001 and len(record.get(b"x-long")) == 4_000 and record.get(b"n" * 8_000) == b"1"


@cases("octets", b"GET /\x01", b"GET / HTTP/1.1\r\nHost: a.test\r\nX : ", b"G(T", b"GET / HTTP/2", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nHost: a.test\r\nnonsense\r\n", b"GET / HTTP/1.1\r\n ",
       b"A" * 40, b"\x16\x03\x01", b"GET /" + b"a" * 17_000)
def test_rfc9112_2_2_what_can_become_no_request_is_refused_at_once(stage, octets):
    """Nobody has to wait for the end of what is broken already."""
    with stage.connect() as peer:
        for start in range(0, len(octets), 500):
            peer.send(octets[start:start + 500])
        if octets == b"GET / HTTP/2":
            peer.send(b".0\r")
        assert read_response(peer).status in (400, 414, 501, 505)


# RFC 9112 §8, §9.5: messages that do not end


@cases("octets", b"GET / HTTP/1.1\r\nHost: a.test\r\n", b"G", post(b"/cut", b"Content-Length: 9", content=b"hello"), post(b"/cut", b"Transfer-Encoding: chunked", content=b"5\r\nhello\r\n"),
       post(b"/cut", b"Transfer-Encoding: chunked", content=b"5\r\nhello\r\n0\r\n"), post(b"/cut", b"Transfer-Encoding: chunked", content=b"5\r\nhello\r\n0\r\nX: 1\r\n"),
       post(b"/cut", b"Transfer-Encoding: chunked"), post(b"/cut", b"Content-Length: 9"))
def test_rfc9112_8_an_incomplete_request_never_looks_whole(stage, octets):
    """A request whose content is cut by the end of the connection is incomplete, at the origin too."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(octets)
        peer.end()
        head = peer.read_to_end()
        assert head == b"" or head.startswith(b"HTTP/1.1 4")
    assert targets(stage) == []


def test_rfc9112_9_5_a_head_that_does_not_end_is_408(tight):
    """A server MAY close an idle connection; one that began a request is told with 408."""
    for octets in (b"GET / HTTP/1.1\r\nHost: a.test\r\n", b"G", b"\r\n"):
        with tight.connect() as peer:
            peer.send(octets)
            assert read_response(peer).status == 408
            assert peer.is_closed()


def test_rfc9112_9_5_a_slow_head_does_not_buy_time(tight):
    """Each octet of a head does not begin its time anew."""
    with tight.connect() as peer:
        with contextlib.suppress(OSError):
            for octet in b"GET / HTTP/1.1\r\nHost: a.test\r\n" + b"X: 1\r\n" * 20:
                peer.send(bytes([octet]))
                time.sleep(0.02)
        with contextlib.suppress(OSError):
            assert read_response(peer).status == 408


def test_rfc9112_9_5_a_connection_at_rest_is_closed_without_a_word(tight):
    """Nothing was asked, so nothing is answered."""
    with tight.connect() as fresh, tight.connect() as used:
        used.send(NEXT)
        assert read_response(used).status == 200
        assert fresh.is_closed() and used.is_closed()


@cases("content", (b"Content-Length: 1025", b""), (b"Content-Length: 1025", b"x" * 1025), (b"Transfer-Encoding: chunked", b"401\r\n" + b"x" * 1025 + b"\r\n0\r\n\r\n"),
       (b"Transfer-Encoding: chunked", b"1\r\nx\r\n" * 1025 + b"0\r\n\r\n"))
def test_rfc9110_15_5_14_content_above_the_limit_is_413(tight, content):
    """413, and the connection ends, as the rest of the content may still come."""
    tight.refuses(post(b"/large", content[0], content=content[1]) + NEXT, 413)


def test_rfc9110_15_5_14_content_at_the_limit_passes(tight):
    """The limit itself is not above it."""
    for line, content in ((b"Content-Length: 1024", b"x" * 1024), (b"Transfer-Encoding: chunked", b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n")):
        assert len(tight.forwards(post(b"/fits", line, content=content))[0].content) == 1024


# RFC 9112 §9.3: early responses


@cases("framing", b"Content-Length: 3000000", b"Transfer-Encoding: chunked")
@cases("closes", True, False)
@cases("status", b"200 OK", b"413 Content Too Large")
def test_rfc9112_9_3_after_an_early_response_neither_connection_goes_on(stage, framing, closes, status):
    """A response before the request was read is delivered; what was not drained is used for nothing else."""
    origins = []

    def early(peer, _):
        origins.append(peer)
        peer.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nearly")
        if not closes:
            with contextlib.suppress(OSError):
                origins.append(peer.read_to_end())

    target = stage.target(early)
    with stage.connect() as peer:
        content = NEXT * 60_000 if framing.startswith(b"Content-Length") else b"ffff\r\n" + (NEXT * 2000)[:65535] + b"\r\n"
        sending = threading.Thread(target=send_what_goes, args=(peer, post(target, framing, content=content[:2_900_000])))
        sending.start()
        message = read_response(peer)
        assert (message.content, b"close" in message.options) == (b"early", True)
        with contextlib.suppress(ConnectionError):
            assert peer.read_to_end() == b""
        sending.join()
    until(lambda: closes or len(origins) == 2, "the origin's connection has ended")
    assert b"/next" not in targets(stage)
    assert stage.forwards(get(b"/after"))


def send_what_goes(peer, octets):
    with contextlib.suppress(OSError):
        peer.send(octets)


# RFC 9110 §10.1.1: Expect


def continuing(*interims):
    """An origin that answers a head with interim responses, and the content with 200."""

    def script(peer, head):
        for octets in interims:
            peer.send(octets)
        length = int(head.get(b"content-length") or 0)
        content = peer.read_exactly(length) if length else peer.read_until(b"\r\n0\r\n\r\n")
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        return True

    return script


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@cases("interims", (CONTINUE,), (CONTINUE, CONTINUE), (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", CONTINUE), (CONTINUE, b"HTTP/1.1 102 Processing\r\n\r\n"))
@cases("expectation", b"100-continue", b"100-Continue", b"100-CONTINUE")
def test_rfc9110_10_1_1_100_continue_passes_both_ways(stage, interims, expectation):
    """A proxy MUST forward the expectation and the 100 that answers it."""
    with stage.connect() as peer:
        peer.send(post(stage.target(continuing(*interims)), b"Content-Length: 5", b"Expect: " + expectation))
        while read_response(peer).status != 100:
            pass
        peer.send(b"hello")
        while (message := read_response(peer)).status < 200:
            pass
        assert message.content == b"hello" and message.persists


@cases("framing", (b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"))
@cases("waits", True, False)
def test_rfc9110_10_1_1_a_client_need_not_wait_for_100(stage, framing, waits):
    """A client that waits for 100 SHOULD NOT wait without end: content may come before it, or without it."""
    with stage.connect() as peer:
        peer.send(post(stage.target(continuing(CONTINUE) if waits else continuing()), framing[0], b"Expect: 100-continue", content=framing[1]))
        while (message := read_response(peer)).status < 200:
            pass
        assert b"hello" in message.content


@cases("status", b"200 OK", b"417 Expectation Failed", b"401 Unauthorized", b"413 Content Too Large", b"204 No Content")
def test_rfc9110_10_1_1_a_final_answer_instead_of_100_ends_the_connection(stage, status):
    """Whether the content still comes is open then: what comes next is taken for no request."""
    final = b"HTTP/1.1 " + status + (b"\r\n\r\n" if status[:3] == b"204" else b"\r\nContent-Length: 2\r\n\r\nno")
    target = stage.target(lambda peer, head: peer.send(final) or peer.fill())
    stage.take_records()
    with stage.connect() as peer:
        peer.send(post(target, b"Content-Length: %d" % len(NEXT), b"Expect: 100-continue"))
        message = read_response(peer)
        assert message.status == int(status[:3]) and b"close" in message.options
        with contextlib.suppress(ConnectionError):
            peer.send(NEXT * 2)
            assert peer.read_to_end() == b""
    assert targets(stage) == []


@cases("lines", (b"Content-Length: 0",), ())
def test_rfc9110_10_1_1_an_expectation_without_content_is_harmless(stage, lines):
    """Without content there is nothing to wait for."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(post(b"/1", b"Expect: 100-continue", *lines) + NEXT)
        assert [read_response(peer).status for _ in range(2)] == [200, 200]
    assert targets(stage) == [b"/1", b"/next"]


def test_rfc9110_10_1_1_100_for_one_request_is_not_for_the_next(stage):
    """Interim responses stay in their exchange, in a pipeline too."""
    with stage.connect() as peer:
        peer.send(post(stage.target(continuing(CONTINUE)), b"Content-Length: 5", b"Expect: 100-continue", content=b"hello") + NEXT)
        assert [read_response(peer).status for _ in range(3)] == [100, 200, 200]


# RFC 9110 §7.8: Upgrade


def switching(protocol=b"websocket", first=b""):
    """An origin that switches protocols, and echoes."""

    def script(peer, head):
        head_and_first = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % protocol + first
        peer.send(head_and_first)
        while octets := peer.take(len(peer.buffer)) or (peer.fill() and peer.take(len(peer.buffer))):
            peer.send(b"<" + octets + b">")

    return script


@cases("lines", (b"Connection: upgrade", b"Upgrade: websocket"), (b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket"), (b"Upgrade: weather/1, websocket", b"Connection: UPGRADE"))
def test_rfc9110_7_8_a_101_opens_a_tunnel(stage, lines):
    """After the 101, and not before, octets go both ways as they are; HTTP in them means nothing."""
    with stage.connect() as peer:
        peer.send(get(stage.target(switching(first=b"hi")), *lines))
        message = read_response(peer)
        assert (message.status, message.get(b"upgrade")) == (101, b"websocket") and message.options == [b"upgrade"]
        assert peer.read_exactly(2) == b"hi"
        for octets in (b"\x00\xff\r\n", NEXT, b"HTTP/1.1 200 OK\r\n\r\n"):
            peer.send(octets)
            assert peer.read_exactly(len(octets) + 2) == b"<" + octets + b">"
        peer.end()
        assert peer.read_to_end() == b""


@cases("case", ((b"Connection: upgrade", b"Upgrade: h2c"), None), ((b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), None),
       ((b"Connection: upgrade", b"Upgrade: H2C"), None), ((b"Connection: upgrade", b"Upgrade: h2c, websocket"), b"websocket"), ((b"Connection: upgrade", b"Upgrade: h2c/1.0"), None),
       ((b"Connection: upgrade", b"Upgrade: h2c", b"Upgrade: websocket"), b"websocket"), ((b"Upgrade: websocket",), None), ((b"Connection: upgrade",), None),
       ((b"Connection: upgrade", b"Upgrade: foo/2, bar"), b"foo/2, bar"), ((b"Connection: upgrade", b"Upgrade: a b"), None), ((b"Connection: upgrade", b"Upgrade: ,"), None),
       ((b"Connection: upgrade", b"Upgrade: h2"), b"h2"), ((b"Connection: x", b"Upgrade: websocket"), None))
def test_rfc9110_7_8_what_the_origin_is_asked_to_switch_to(stage, case):
    """Upgrade goes on if Connection names it, and h2c does not: its upgrade was withdrawn (RFC 9113 §3.1)."""
    lines, expected = case
    record, _ = stage.forwards(get(b"/upgrade", *lines))
    assert record.get(b"upgrade") == expected and record.get(b"http2-settings") is None
    assert record.options == ([b"upgrade"] if expected else [])


def test_rfc9110_7_8_upgrade_of_http_1_0_is_ignored(stage):
    """A server MUST ignore Upgrade in a request of HTTP/1.0."""
    record, _ = stage.forwards(get(b"/upgrade", b"Connection: upgrade", b"Upgrade: websocket", version=b"1.0"))
    assert record.get(b"upgrade") is None and record.options == []


@cases("protocol", b"h2c", b"other", b"websocket, h2c", b"")
def test_rfc9110_7_8_a_protocol_that_was_not_asked_for_is_502(stage, protocol):
    """A server MUST NOT switch to a protocol that was not indicated by the client."""
    with stage.connect() as peer:
        peer.send(get(stage.target(switching(protocol)), b"Connection: upgrade", b"Upgrade: h2c, websocket"))
        assert read_response(peer).status == 502


def test_rfc9110_7_8_without_a_101_http_goes_on(stage):
    """A server MAY ignore Upgrade: the response is a plain one, and so is the next request."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(get(b"/1", b"Connection: upgrade", b"Upgrade: websocket") + NEXT)
        assert [read_response(peer).status for _ in range(2)] == [200, 200]
    assert targets(stage) == [b"/1", b"/next"]


@cases("framing", (b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"))
def test_rfc9110_7_8_content_comes_before_the_tunnel(stage, framing):
    """The request is read to its end before its connection carries another protocol."""

    def script(peer, head):
        content = peer.read_exactly(5) if head.framing == 5 else peer.read_until(b"0\r\n\r\n")
        assert b"hello" in content and not peer.buffer
        switching()(peer, head)

    with stage.connect() as peer:
        peer.send(post(stage.target(script), b"Connection: upgrade", b"Upgrade: websocket", framing[0], content=framing[1]) + b"tunnel")
        assert read_response(peer).status == 101
        assert peer.read_exactly(8) == b"<tunnel>"


def test_rfc9110_7_8_a_101_before_the_content_is_502(stage):
    """A tunnel that begins in the middle of a request would carry the rest of it."""
    with stage.connect() as peer:
        peer.send(post(stage.target(switching()), b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 50", content=b"hello"))
        assert read_response(peer).status == 502
        assert peer.is_closed()


# RFC 9112 §7, §9: content that comes in its own time


@cases("head", b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked", b"Content-Type: text/event-stream", b"Content-Length: 15")
def test_rfc9110_6_4_content_is_passed_on_as_it_comes(stage, head):
    """Event streams and long polls: nothing is kept back until more of it has come."""
    turns = [threading.Event() for _ in range(3)]

    def script(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        for turn in turns:
            turn.wait(10)
            peer.send(b"5\r\ndata:\r\n" if b"chunked" in head else b"data:")
        peer.send(b"0\r\n\r\n" if b"chunked" in head else b"")

    with stage.connect() as peer:
        peer.send(get(stage.target(script)))
        peer.read_until(b"\r\n\r\n")
        for turn in turns:
            turn.set()
            peer.read_until(b"data:")


@cases("lines", (b"TE: trailers", b"Connection: TE"), (b"TE: gzip, trailers;q=0.5, trailers", b"Connection: te"))
def test_rfc9110_10_1_4_trailers_are_asked_for_on_the_clients_behalf(stage, lines):
    """TE concerns one connection: that trailers are wanted is said anew."""
    record, _ = stage.forwards(get(b"/te", *lines))
    assert record.all(b"te") == [b"trailers"] and record.options == [b"te"]


# Many peers, and slow ones


def test_rfc9112_9_5_a_thousand_slow_connections_hold_up_nobody(workspace):
    """Heads, content and readers that trickle cost the node nothing that others need."""
    stage = Stage(workspace, ", timeouts: {header: 60s}")
    stage.origin.replies[b"/long"] = (b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000, False)
    kinds = [b"GET / HTTP/1.1\r\nHost: a", post(b"/slow", b"Content-Length: 100", content=b"x"), get(b"/long"), b"", post(b"/slow", b"Transfer-Encoding: chunked", content=b"5\r\nhel")]
    with contextlib.ExitStack() as closing:
        slow = []
        for number in range(1000):
            peer = closing.enter_context(Peer.connect(stage.web))
            peer.send(kinds[number % len(kinds)])
            slow.append(peer)
        before = time.monotonic()
        with stage.connect() as honest:
            for _ in range(200):
                honest.send(NEXT)
                assert read_response(honest).status == 200
        assert time.monotonic() - before < 40
        for number in (0, 100, 500):
            slow[number].send(b".test\r\n\r\n")
            assert read_response(slow[number]).status == 200
    assert stage.node.program.is_running
