"""Attacks on HTTP/2: whoever makes a node work for nothing is told so and closed, and others are served on meanwhile.

All tests share one node with one worker. After each of them its descriptors are as many as before, and after all of
them it holds about as much memory.
"""

import contextlib
import itertools
import os
import select
import threading
import time

import http2
import pytest
from h2.errors import ErrorCodes as Code
from http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PADDED, PING, POST, PRIORITY, RST_STREAM,
                   SETTINGS, WHOLE, WINDOW_UPDATE, Wire, block, flood, frame, literal, number)
from weir import Origin, Peer, ReservedPort, Workspace, request, until

INITIAL_WINDOW_SIZE = 4
CALM = Code.ENHANCE_YOUR_CALM
PRIORITY_UPDATE = 0x10
# Served on, and not starved: how fast is measured elsewhere, on a machine of its own (250 ms for a release build).
ANSWER_SECONDS = 5.0
MEMORY_BYTES_MAX = 48 << 20
WAIT = [(":method", "POST"), *GET[1:3], (":path", "/wait")]
LARGE = [*GET[:3], (":path", "/large")]
POSTED = [(":method", "POST"), *GET[1:3], (":path", "/post")]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with contextlib.closing(Workspace(tmp_path_factory.mktemp("attacks"))) as space:
        yield space


@pytest.fixture(scope="module")
def node(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if head.target == "/wait":
                peer.read_to_end()
                return
            peer.read_body(head)
            size = 1_000_000 if head.target == "/large" else 2
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))

    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}, timeouts: {{header: 1s, idle: 5s}}}}]
upstreams: [{{name: main, endpoints: [{{address: {workspace.keep(Origin(script))}}}], connections: {{idle: 300ms}}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    node.web = port.address
    with Honest(node) as honest:
        until(lambda: honest.count > 20, "the first answers")
    node.memory = resident(node)
    yield node
    assert node.program.is_running
    assert resident(node) < node.memory + 2 * MEMORY_BYTES_MAX


@pytest.fixture
def wire(node):
    """An attacker's connection, beside which an honest client is served; what the attack took is given back after it."""
    before = descriptors(node)
    with Honest(node) as honest, Wire.open(node.web) as wire:
        yield wire
        honest.more()
        assert resident(node) < node.memory + 2 * MEMORY_BYTES_MAX
    until(lambda: descriptors(node) <= before + 2, lambda: f"{descriptors(node)} descriptors, {before} before")


def descriptors(node):
    return len(os.listdir(f"/proc/{node.program.pid}/fd"))


def resident(node):
    with open(f"/proc/{node.program.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def check_memory(node):
    """What it holds is bounded; what attacks before took is given back by and by."""
    assert resident(node) < node.memory + 2 * MEMORY_BYTES_MAX
    until(lambda: resident(node) < node.memory + MEMORY_BYTES_MAX, lambda: f"{resident(node)} octets, {node.memory} before", 30)


class Honest:
    """Clients of either protocol that ask all the time, and how long the slowest answer took."""

    def __init__(self, node):
        self.count, self.slowest, self.failures = 0, 0.0, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(asks, node.web)) for asks in (self.http1, self.http2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures and self.slowest < ANSWER_SECONDS, (self.failures, self.slowest)

    def more(self, count=10):
        goal = self.count + count
        until(lambda: self.count >= goal or self.failures, "honest clients are served")

    def run(self, asks, web):
        try:
            with contextlib.ExitStack() as open_ones:
                ask = asks(open_ones, web)
                while not self.stopping.wait(0.005):
                    start = time.monotonic()
                    assert ask() == 200
                    self.slowest = max(self.slowest, time.monotonic() - start)
                    self.count += 1
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(repr(failure))

    @staticmethod
    def http1(open_ones, web):
        peer = open_ones.enter_context(Peer.connect(web))
        return lambda: peer.exchange(request()).status

    @staticmethod
    def http2(open_ones, web):
        client = open_ones.enter_context(http2.Client(web))
        return lambda: client.get("/").status


def streams():
    """Identifiers of streams that a client opens."""
    return itertools.count(1, 2)


def head(stream, lines=None, flags=WHOLE):
    return frame(HEADERS, flags, stream, block(lines or GET))


def answers(count):
    """What tells a flood that so many streams have been answered or reset."""
    return lambda kinds: kinds[HEADERS] + kinds[RST_STREAM] >= count


def are_answered(count, kinds, code):
    """Whether so many were answered, or some and then there were too many: what waits to be sent is dropped with the end."""
    return answers(count)(kinds) and code is None or answers(1)(kinds) and code == CALM


def closed_for_excess(wire, octets, **options):
    """The attacker gets GOAWAY with ENHANCE_YOUR_CALM."""
    kinds, code, sent = flood(wire, octets, **options)
    assert code == CALM, (kinds, code, sent)
    return kinds, sent


# Resets


def test_rapid_reset(wire):
    closed_for_excess(wire, (head(stream) + frame(RST_STREAM, 0, stream, number(Code.CANCEL)) for stream in streams()))


def test_reset_of_streams_that_wait_for_the_endpoint(wire):
    closed_for_excess(wire, (head(stream, WAIT, END_HEADERS) + frame(RST_STREAM, 0, stream, number(Code.CANCEL)) for stream in streams()))


def test_reset_after_each_response_has_begun(wire):
    with contextlib.suppress(ConnectionError):
        for stream in itertools.islice(streams(), 2000):
            wire.headers(stream, LARGE)
            while (came := wire.read_frame()) and came.kind not in (HEADERS, GOAWAY):
                pass
            if not came or came.kind == GOAWAY:
                break
            wire.reset_stream(stream)
    assert came and http2.code_of(came) == CALM


@pytest.mark.parametrize("provocation", [
    lambda stream: frame(WINDOW_UPDATE, 0, stream, number(0)),
    lambda stream: frame(WINDOW_UPDATE, 0, stream, number(2**31 - 1)),
    lambda stream: frame(PRIORITY, 0, stream, b"\0"),
    lambda stream: frame(PRIORITY, 0, stream, number(stream) + b"\0"),
    lambda stream: frame(HEADERS, END_HEADERS, stream, block([("x-a", "1")])),
    lambda stream: frame(DATA, END_STREAM, stream) + frame(DATA, 0, stream, b"a")],
    ids=["window of nothing", "window overflow", "short priority", "own dependency", "open trailers", "data after the end"])
def test_made_you_reset(wire, provocation):
    """Stream errors make the server reset, which is not to be cheaper than resetting oneself."""
    closed_for_excess(wire, (head(stream, WAIT, END_HEADERS) + provocation(stream) for stream in streams()))


def test_malformed_requests_one_after_the_other(wire):
    closed_for_excess(wire, (head(stream, [*GET, ("te", "gzip")]) for stream in streams()))


def test_streams_above_the_limit_one_after_the_other(wire):
    closed_for_excess(wire, (head(stream, WAIT, END_HEADERS) for stream in streams()))


# Field sections


@pytest.mark.parametrize("piece", [b"", b"\0", bytes(16384)], ids=["empty", "short", "full"])
def test_continuation_flood(wire, piece):
    closed_for_excess(wire, itertools.chain([frame(HEADERS, 0, 1, block(GET))], itertools.repeat(frame(CONTINUATION, 0, 1, piece))))


def bombs():
    """An entry as large as the table, asked for again and again by one octet each."""
    yield frame(HEADERS, WHOLE, 1, block(GET) + b"\x40" + literal("x", "a" * 4000)[1:])
    for stream in itertools.islice(streams(), 1, 200):
        yield frame(HEADERS, WHOLE, stream, block(GET) + b"\xbe" * 16000)


def test_hpack_bomb(node, wire):
    """A field section above the limit is answered with 431; what it would expand to is not held."""
    kinds, code, _ = flood(wire, bombs(), enough=answers(100))
    assert are_answered(100, kinds, code)
    check_memory(node)


def test_long_names_of_the_table_again_and_again(node, wire):
    name = literal("n" * 4000, "")[1:]
    octets = (frame(HEADERS, WHOLE, stream, block(GET) + b"\x40" + name + b"\x0f\x2f\x00" * 3500) for stream in streams())
    kinds, code, _ = flood(wire, itertools.islice(octets, 100))
    assert code in (None, CALM, Code.COMPRESSION_ERROR), (kinds, code)


def test_field_sections_of_many_lines_and_of_many_octets(wire):
    many = block([*GET, *((f"x-{index}", "1") for index in range(1000))])
    octets = (frame(HEADERS, WHOLE, stream, many) for stream in itertools.islice(streams(), 300))
    kinds, code, _ = flood(wire, octets, enough=answers(100))
    assert are_answered(100, kinds, code)


def test_field_sections_that_are_too_large_one_after_the_other(wire):
    many = block([*GET, *((f"x-{index}", "1") for index in range(200))])
    kinds, _ = closed_for_excess(wire, (frame(HEADERS, WHOLE, stream, many) for stream in streams()))
    assert 0 < kinds[HEADERS] < 300, "a page of them is answered at most"


@pytest.mark.parametrize("crumb", [b"", b"a=b", b"c" * 100])
def test_crumbs_of_cookies(wire, crumb):
    """Crumbs are joined in one pass, and count each for 32 octets more than they have."""
    line = literal("cookie", crumb)
    octets = (frame(HEADERS, WHOLE, stream, block(GET) + line * (15000 // len(line))) for stream in itertools.islice(streams(), 50))
    kinds, code, _ = flood(wire, octets, enough=answers(20))
    assert are_answered(20, kinds, code)


def test_a_head_that_comes_slowly(wire):
    """`timeouts.header` bounds all of it."""
    start = time.monotonic()
    wire.put(HEADERS, 0, 1, b"\x82")
    with contextlib.suppress(ConnectionError):
        for octet in block(GET[1:]):
            wire.put(CONTINUATION, 0, 1, bytes([octet]))
            # The next octet comes when nothing has been answered for a while.
            select.select([wire.socket], [], [], 0.1)
            if time.monotonic() - start > 2:
                break
    wire.expect_connection_error(CALM)


def test_a_frame_that_comes_slowly(wire):
    wire.send(frame(HEADERS, WHOLE, 1, block(GET))[:20])
    wire.expect_connection_error(CALM)


# Frames without use


@pytest.mark.parametrize("octets", [
    frame(SETTINGS), frame(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 1))), frame(PING, 0, 0, bytes(8)),
    frame(PING, 1, 0, bytes(8)), frame(PRIORITY, 0, 1, bytes(5)), frame(PRIORITY, 0, 101, number(3) + b"\0"),
    frame(PRIORITY_UPDATE, 0, 0, number(1) + b"u=1"), frame(WINDOW_UPDATE, 0, 0, number(1)), frame(0xEE, 0, 0, b"?"), frame(0xEE, 0, 7),
    frame(0xEE, 0, 0, bytes(16384)), frame(GOAWAY, 0, 0, bytes(8))],
    ids=["settings", "settings of windows", "ping", "answers", "priority", "idle priority", "priority update", "window", "unknown",
         "unknown of a stream", "unknown and long", "goaway"])
def test_frames_of_the_connection_without_end(wire, octets):
    kinds, code, sent = flood(wire, itertools.repeat(octets))
    assert code == CALM or octets[3] == GOAWAY and code == Code.NO_ERROR, (kinds, code, sent)


@pytest.mark.parametrize("octets", [
    frame(DATA, 0, 1), frame(DATA, PADDED, 1, b"\xff" + bytes(255)), frame(DATA, PADDED, 1, b"\0"), frame(WINDOW_UPDATE, 0, 1, number(1)),
    frame(PRIORITY, 0, 1, bytes(5)), frame(PRIORITY, 0, 1, number(3) + b"\0") + frame(PRIORITY, 0, 3, number(1) + b"\0")],
    ids=["empty data", "padding", "no padding", "window", "priority", "cycle of dependencies"])
def test_frames_of_a_stream_without_end(wire, octets):
    wire.headers(1, WAIT, END_HEADERS)
    closed_for_excess(wire, itertools.repeat(octets))


@pytest.mark.parametrize("octets", [frame(RST_STREAM, 0, 1, bytes(4)), frame(WINDOW_UPDATE, 0, 1, number(1)), frame(PRIORITY, 0, 1, bytes(5))])
def test_frames_of_a_closed_stream_without_end(wire, octets):
    wire.headers(1)
    wire.expect_end_of_stream(1)
    closed_for_excess(wire, itertools.repeat(octets))


@pytest.mark.parametrize("octets", [frame(DATA, 0, 1), frame(DATA, 0, 1, b"a"), frame(DATA, 0, 1, bytes(16384)), frame(HEADERS, WHOLE, 1, block([("x-a", "1")]))])
def test_frames_of_a_stream_that_was_reset_without_end(wire, octets):
    wire.headers(1, [*POST, ("te", "gzip")], END_HEADERS)
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)
    kinds, code, sent = flood(wire, itertools.repeat(octets))
    assert code in (CALM, Code.FLOW_CONTROL_ERROR), (kinds, code, sent)


def test_content_octet_by_octet(wire):
    """One octet in each frame is legal, if costly: it is taken, and goes on in larger pieces."""
    wire.headers(1, POSTED, END_HEADERS)
    flood(wire, itertools.repeat(frame(DATA, 0, 1, b"a"), 40_000))
    wire.put(DATA, END_STREAM, 1)
    assert wire.expect_end_of_stream(1) == b"\0\0"


def test_pings_whose_answers_are_not_read(node, wire):
    flood(wire, itertools.repeat(frame(PING, 0, 0, bytes(8))), reads=False, seconds=2)
    check_memory(node)


def test_initial_windows_up_and_down_with_many_streams(wire):
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 0)))
    for stream in itertools.islice(streams(), 100):
        wire.headers(stream, LARGE)
    octets = [frame(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, size))) for size in (1, 0)]
    closed_for_excess(wire, itertools.cycle(octets))


# Windows


def test_closed_windows_of_many_streams(node, wire):
    """Responses that nobody takes stay with their endpoints, but for a bounded part."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 0)))
    for stream in itertools.islice(streams(), 100):
        wire.headers(stream, LARGE)
    for _ in range(100):
        wire.expect(HEADERS)
    check_memory(node)


def test_windows_opened_octet_by_octet_on_many_streams(wire):
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 0)))
    for stream in itertools.islice(streams(), 100):
        wire.headers(stream, LARGE)
    closed_for_excess(wire, (frame(WINDOW_UPDATE, 0, stream, number(1)) for stream in itertools.cycle(range(1, 200, 2))))


def test_responses_that_are_not_read(node, wire):
    """The socket is full: nothing more is read from the client, nor from the endpoints."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 2**31 - 1)))
    wire.window_update(0, 2**31 - 1 - 65535)
    flood(wire, (head(stream, LARGE) for stream in itertools.islice(streams(), 1000)), reads=False, seconds=2)
    check_memory(node)


def test_content_that_the_endpoint_does_not_take(node, wire):
    """Uploads that nobody takes fill the connection's window and no more."""
    for stream in itertools.islice(streams(), 50):
        wire.headers(stream, WAIT, END_HEADERS)
    octets = (frame(DATA, 0, stream, bytes(1000)) for stream in itertools.cycle(range(1, 100, 2)))
    flood(wire, octets, seconds=2)
    check_memory(node)


# Identifiers


def test_the_last_identifiers(wire):
    for stream in (2**31 - 5, 2**31 - 3, 2**31 - 1):
        wire.headers(stream)
        assert wire.expect_end_of_stream(stream) == b"\0\0"


def test_many_connections_with_many_streams(node, wire):
    """Fifty connections with all streams that they may have, held open."""
    with contextlib.ExitStack() as open_ones:
        for _ in range(50):
            other = open_ones.enter_context(Wire.open(node.web, (INITIAL_WINDOW_SIZE, 0)))
            other.send(b"".join(head(stream, GET) for stream in itertools.islice(streams(), 100)))
        other.expect(HEADERS)
        wire.ping()
