"""RFC 9113 §3 to §7 at the socket: what the node answers to frames that are right, odd, and wrong."""

import contextlib

import pytest
from h2.errors import ErrorCodes as Code

import http2
from http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PADDED, PING, POST, PREFACE,
                   PRIORITISED, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, Wire, block, frame, number)
from weir import Origin, Peer, ReservedPort, Workspace, until

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
WINDOW_MAX = 2**31 - 1
TEN = b"0123456789"
# A path whose response does not come before the connection ends: its streams stay open.
WAITING = [*GET[:3], (":path", "/wait")]
WAITING_POST = [(":method", "POST"), *WAITING[1:]]
# A path whose response is made by the node, before the end of the request.
EARLY_POST = [*POST[:3], (":path", "/here"), ("content-length", "1")]
LONG = [(f"x-dummy{index}", "x" * 4000) for index in range(5)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with contextlib.closing(Workspace(tmp_path_factory.mktemp("frames"))) as space:
        yield space


@pytest.fixture(scope="module")
def web(workspace):
    """The address of a node before an origin that answers with ten octets; it is alive and well after all tests."""
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if head.target == "/wait":
                peer.read_to_end()
                return
            peer.read_body(head)
            content = b"" if head.method == "HEAD" else TEN
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + content)

    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {workspace.keep(Origin(script))}}}]}}]
routes: [{{name: all, upstream: main}}, {{name: here, match: {{path: {{exact: /here}}}}, respond: {{status: 200, body: here}}}}]
""", workers=1)
    yield port.address
    assert node.program.is_running
    with Wire.open(port.address) as wire:
        wire.headers(1)
        assert wire.expect_end_of_stream(1) == TEN


@pytest.fixture
def wire(web):
    with Wire.open(web) as wire:
        yield wire


# §3.4 Connection preface


def test_rfc9113_3_4_the_server_preface_is_settings(web):
    """The server connection preface consists of a SETTINGS frame that MUST be the first frame the server sends."""
    with Wire.connect(web) as wire:
        wire.send(PREFACE + frame(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 65535))))
        came = wire.read_frame()
        assert (came.kind, came.flags, came.stream) == (SETTINGS, 0, 0)


def test_rfc9113_3_4_octets_that_are_no_preface_end_the_connection(web):
    """A server MUST treat an invalid connection preface as a connection error; GOAWAY may be omitted."""
    with Peer.connect(web) as peer:
        peer.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
        assert peer.read_to_end().startswith(b"HTTP/1.1 400")


def test_rfc9113_3_4_a_preface_that_goes_wrong_ends_the_connection(web):
    """A server MUST treat an invalid connection preface as a connection error of type PROTOCOL_ERROR."""
    with Wire.connect(web) as wire:
        wire.send(PREFACE[:-2] + b"XX" + frame(SETTINGS))
        wire.expect_connection_error(Code.PROTOCOL_ERROR)


def test_rfc9113_3_4_the_preface_may_come_octet_by_octet(web):
    """The client connection preface is a sequence of 24 octets, however it is cut."""
    with Wire.connect(web) as wire:
        for octet in PREFACE + frame(SETTINGS):
            wire.send(bytes([octet]))
        wire.shake_hands()
        wire.ping()


@pytest.mark.parametrize("octets", [frame(PING, 0, 0, bytes(8)), frame(SETTINGS, ACK), frame(0x16, 0, 0, b"ab")])
def test_rfc9113_3_4_another_frame_than_settings_first(web, octets):
    """The client preface MUST be followed by a SETTINGS frame; anything else is a connection error."""
    with Wire.connect(web) as wire:
        wire.send(PREFACE + octets)
        wire.expect_connection_error(Code.PROTOCOL_ERROR)


# §4.1 Frame format


@pytest.mark.parametrize("stream", [0, 1])
def test_rfc9113_4_1_unknown_frame_types_are_ignored(wire, stream):
    """Implementations MUST ignore and discard frames of unknown types."""
    wire.put(0x16, 0xFF, stream, bytes(8))
    wire.put(0x16, 0, stream)
    wire.ping()


def test_rfc9113_4_1_undefined_flags_are_ignored(wire):
    """Flags without a meaning for the frame type MUST be ignored on receipt."""
    wire.put(PING, 0x16, 0, bytes(8))
    assert wire.expect(PING).flags == ACK


def test_rfc9113_4_1_the_reserved_bit_is_ignored(wire):
    """The reserved bit of the stream identifier MUST be ignored when receiving."""
    wire.put(PING, 0, 0x80000000, bytes(8))
    assert wire.expect(PING).stream == 0


# §4.2 Frame size


def test_rfc9113_4_2_frames_of_16384_octets_are_taken(wire):
    """All implementations MUST be capable of receiving frames up to 2^14 octets in length."""
    wire.headers(1, POST, END_HEADERS)
    wire.put(DATA, END_STREAM, 1, bytes(16384))
    assert wire.expect_end_of_stream(1) == TEN


@pytest.mark.parametrize("kind, flags, stream", [(DATA, END_STREAM, 1), (HEADERS, WHOLE, 1), (SETTINGS, 0, 0), (0x16, 0, 0)])
def test_rfc9113_4_2_longer_frames_are_an_error(wire, kind, flags, stream):
    """An endpoint MUST send FRAME_SIZE_ERROR if a frame exceeds SETTINGS_MAX_FRAME_SIZE."""
    if kind == DATA:
        wire.headers(1, WAITING_POST, END_HEADERS)
    payload = block([*GET, *LONG]) if kind == HEADERS else bytes(16385)
    wire.put(kind, flags, stream, payload)
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


# §4.3 Field section compression


def test_rfc9113_4_3_a_field_block_that_cannot_be_decoded(wire):
    """A decoding error in a field block MUST be treated as a connection error of type COMPRESSION_ERROR."""
    wire.put(HEADERS, WHOLE, 1, b"\x40")
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


@pytest.mark.parametrize("kind, stream, payload", [
    (PRIORITY, 1, bytes(4) + b"\xff"), (HEADERS, 3, block(GET)), (DATA, 1, b"test"), (PING, 0, bytes(8)), (SETTINGS, 0, b""),
    (WINDOW_UPDATE, 0, number(1)), (CONTINUATION, 3, block(LONG[:1])), (HEADERS, 1, block(GET))])
def test_rfc9113_4_3_a_field_block_is_not_interrupted(wire, kind, stream, payload):
    """Field blocks MUST be transmitted as a contiguous sequence of frames, with no interleaved frames of any other kind."""
    wire.headers(1, GET, END_STREAM)
    wire.put(kind, 0, stream, payload)
    wire.put(CONTINUATION, END_HEADERS, 1, block(LONG[:1]))
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


def test_rfc9113_4_3_blocks_of_refused_streams_are_decoded(wire):
    """A receiving endpoint decompresses the block even if it is discarded, as the tables must stay the same."""
    wire.put(HEADERS, WHOLE, 1, block([*GET, ("te", "gzip")]) + b"\x40\x05x-tab\x03let")
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)
    wire.headers(3, tail=b"\xbe")
    assert wire.expect_end_of_stream(3) == TEN


# §5.1 Stream states


@pytest.mark.parametrize("kind, payload", [(DATA, b"test"), (RST_STREAM, number(8)), (WINDOW_UPDATE, number(100)),
                                           (CONTINUATION, block(GET))])
def test_rfc9113_5_1_idle_frames_other_than_headers_and_priority(wire, kind, payload):
    """Receiving any frame other than HEADERS or PRIORITY in idle state MUST be a connection error of type PROTOCOL_ERROR."""
    wire.put(kind, END_HEADERS if kind == CONTINUATION else 0, 1, payload)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


def test_rfc9113_5_1_idle_priority_is_taken(wire):
    """PRIORITY can be received in idle state."""
    wire.put(PRIORITY, 0, 1, bytes(4) + b"\xff")
    wire.ping()


@pytest.mark.parametrize("kind, flags, payload", [(DATA, END_STREAM, b"test"), (HEADERS, WHOLE, block(GET))])
def test_rfc9113_5_1_half_closed_remote_frames(wire, kind, flags, payload):
    """Frames other than WINDOW_UPDATE, PRIORITY, or RST_STREAM in this state MUST be a stream error of type STREAM_CLOSED."""
    wire.headers(1, WAITING)
    wire.put(kind, flags, 1, payload)
    assert wire.expect_stream_error(1, Code.STREAM_CLOSED)
    wire.ping()


def test_rfc9113_5_1_half_closed_remote_continuation(wire):
    """CONTINUATION that continues nothing is a connection error of type PROTOCOL_ERROR."""
    wire.headers(1, WAITING)
    wire.put(CONTINUATION, END_HEADERS, 1, block(GET))
    wire.expect_connection_error(Code.PROTOCOL_ERROR, Code.STREAM_CLOSED)


def test_rfc9113_5_1_half_closed_remote_window_update_is_taken(wire):
    """WINDOW_UPDATE can be received in half-closed (remote) state, and lets content go on."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 0)))
    wire.headers(1)
    wire.window_update(1, 1)
    assert wire.expect(DATA, 1).payload == TEN[:1]


def test_rfc9113_5_1_half_closed_remote_priority_is_taken(wire):
    """PRIORITY can be received in half-closed (remote) state."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 0)))
    wire.headers(1)
    wire.put(PRIORITY, 0, 1, bytes(4) + b"\xff")
    wire.window_update(1, 1)
    assert wire.expect(DATA, 1).payload == TEN[:1]


def test_rfc9113_5_1_half_closed_remote_reset_is_taken(wire):
    """RST_STREAM can be received in half-closed (remote) state."""
    wire.headers(1, WAITING)
    wire.reset_stream(1)
    wire.ping()


@pytest.mark.parametrize("kind, flags, payload, codes", [
    (DATA, END_STREAM, b"test", [Code.STREAM_CLOSED]),
    (HEADERS, WHOLE, block(GET), [Code.STREAM_CLOSED]),
    (CONTINUATION, END_HEADERS, block(GET), [Code.STREAM_CLOSED, Code.PROTOCOL_ERROR])])
def test_rfc9113_5_1_closed_frames_after_the_peer_reset(wire, kind, flags, payload, codes):
    """Frames other than PRIORITY after receiving RST_STREAM are an error of type STREAM_CLOSED."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    wire.reset_stream(1)
    wire.put(kind, flags, 1, payload)
    wire.expect_stream_error(1, *codes)


@pytest.mark.parametrize("kind, flags, payload, codes", [
    (DATA, END_STREAM, b"test", [Code.STREAM_CLOSED]),
    (HEADERS, WHOLE, block(GET), [Code.STREAM_CLOSED]),
    (CONTINUATION, END_HEADERS, block(GET), [Code.STREAM_CLOSED, Code.PROTOCOL_ERROR])])
def test_rfc9113_5_1_closed_frames_after_both_ends(wire, kind, flags, payload, codes):
    """An endpoint that receives frames after END_STREAM on a closed stream MUST treat that as a STREAM_CLOSED error."""
    wire.headers(1)
    wire.expect_end_of_stream(1)
    wire.put(kind, flags, 1, payload)
    wire.expect_connection_error(*codes)


def test_rfc9113_5_1_closed_priority_window_update_and_reset_are_taken(wire):
    """PRIORITY is taken on closed streams, and WINDOW_UPDATE and RST_STREAM for a while after END_STREAM."""
    wire.headers(1)
    wire.expect_end_of_stream(1)
    wire.put(PRIORITY, 0, 1, bytes(4) + b"\xff")
    wire.window_update(1, 1)
    wire.reset_stream(1)
    wire.ping()


def test_rfc9113_5_1_frames_under_way_after_our_reset_are_ignored(wire):
    """An endpoint MUST ignore frames that it receives on closed streams after it has sent RST_STREAM; windows count them."""
    wire.headers(1, [*POST, ("te", "gzip")], END_HEADERS)
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)
    for _ in range(wire.peer_settings[INITIAL_WINDOW_SIZE] // 16384):
        wire.put(DATA, 0, 1, bytes(16384))
    wire.headers(1, [("x-trailer", "1")])
    wire.headers(3)
    assert wire.expect_end_of_stream(3) == TEN


def test_rfc9113_5_1_no_more_is_under_way_after_our_reset_than_the_window_admitted(wire):
    """The period in which frames are ignored is limited: beyond the stream's window it is a FLOW_CONTROL_ERROR."""
    wire.headers(1, [*POST, ("te", "gzip")], END_HEADERS)
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)
    for _ in range(wire.peer_settings[INITIAL_WINDOW_SIZE] // 16384 + 1):
        wire.put(DATA, 0, 1, bytes(16384))
    wire.expect_connection_error(Code.FLOW_CONTROL_ERROR)


@pytest.mark.parametrize("frames, code", [
    ([(DATA, END_STREAM, b"test")], Code.PROTOCOL_ERROR),
    ([(DATA, PADDED, b"\x06test")], Code.PROTOCOL_ERROR),
    ([(HEADERS, END_HEADERS, block([("x-a", "1")]))], Code.PROTOCOL_ERROR),
    ([(HEADERS, WHOLE, block([(":method", "GET")]))], Code.PROTOCOL_ERROR),
    ([(WINDOW_UPDATE, 0, number(0))], Code.PROTOCOL_ERROR),
    ([(WINDOW_UPDATE, 0, number(WINDOW_MAX))] * 2, Code.FLOW_CONTROL_ERROR),
    ([(RST_STREAM, 0, number(Code.CANCEL)), (DATA, END_STREAM, b"a")], Code.STREAM_CLOSED),
    ([(RST_STREAM, 0, number(Code.CANCEL)), (HEADERS, WHOLE, block(GET))], Code.STREAM_CLOSED)])
def test_rfc9113_5_1_half_closed_local_frames_are_judged(wire, frames, code):
    """A stream whose response ended before the request is half-closed, and what is wrong on it is an error all the same."""
    wire.headers(1, EARLY_POST, END_HEADERS)
    assert wire.expect_end_of_stream(1) == b"here"
    for kind, flags, payload in frames:
        wire.put(kind, flags, 1, payload)
    wire.expect_stream_error(1, code)


@pytest.mark.parametrize("pieces, ends", [(0, False), (10, False), (10, True), (24, False)])
def test_rfc9113_8_1_a_request_that_was_answered_early_is_not_waited_for(wire, pieces, ends):
    """A server MAY ask the client to stop sending by RST_STREAM with NO_ERROR after a complete response."""
    wire.headers(1, [*EARLY_POST[:4]], END_HEADERS)
    assert wire.expect_end_of_stream(1) == b"here"
    for _ in range(pieces):  # what was under way is taken and dropped, up to a window, and passed over after the reset
        wire.put(DATA, 0, 1, bytes(4096))
    if ends:
        wire.put(DATA, END_STREAM, 1, b"a")
    else:
        assert wire.expect_stream_error(1, Code.NO_ERROR)
    wire.headers(3)
    assert wire.expect_end_of_stream(3) == TEN


# §5.1.1 Stream identifiers


def test_rfc9113_5_1_1_even_identifiers_are_not_a_clients(wire):
    """An endpoint that receives an unexpected stream identifier MUST respond with a connection error of type PROTOCOL_ERROR."""
    wire.headers(2)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


def test_rfc9113_5_1_1_identifiers_only_grow(wire):
    """The identifier of a new stream MUST be numerically greater than all streams that the endpoint has opened."""
    wire.headers(5, WAITING)
    wire.headers(3)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


def test_rfc9113_5_1_1_the_last_identifier_is_taken_and_ends_the_connections_use(wire):
    """Stream identifiers cannot be reused; long-lived connections can exhaust the range, of which 2^31-1 is the last."""
    wire.headers(2**31 - 1)
    assert wire.expect_end_of_stream(2**31 - 1) == TEN
    wire.ping()
    wire.headers(1)
    wire.expect_connection_error(Code.PROTOCOL_ERROR, Code.STREAM_CLOSED)


# §5.1.2 Stream concurrency


def test_rfc9113_5_1_2_streams_above_the_advertised_limit(wire):
    """Exceeding the advertised limit MUST be treated as a stream error of type PROTOCOL_ERROR or REFUSED_STREAM."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 0)))
    limit = wire.peer_settings[MAX_CONCURRENT_STREAMS]
    for index in range(limit + 1):
        wire.headers(2 * index + 1)
    assert wire.expect_stream_error(2 * limit + 1, Code.REFUSED_STREAM, Code.PROTOCOL_ERROR)


# §5.3 Priority


@pytest.mark.parametrize("weight, dependency", [(0, 0), (255, 0), (0, 0x80000000), (7, 3), (7, 0x80000003)])
def test_rfc9113_5_3_deprecated_priorities_are_taken(wire, weight, dependency):
    """Endpoints still have to accept PRIORITY frames and priority fields of HEADERS, whatever they say."""
    wire.put(PRIORITY, 0, 1, number(dependency) + bytes([weight]))
    wire.put(PRIORITY, 0, 5, number(dependency and 7) + bytes([weight]))
    wire.put(HEADERS, WHOLE | PRIORITISED, 1, number(dependency) + bytes([weight]) + block(GET))
    assert wire.expect_end_of_stream(1) == TEN


def test_rfc7540_5_3_1_headers_that_depend_on_their_own_stream(wire):
    """A stream cannot depend on itself: a stream error of type PROTOCOL_ERROR."""
    wire.put(HEADERS, WHOLE | PRIORITISED, 1, number(1) + b"\xff" + block(GET))
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("is_open", [False, True])
def test_rfc7540_5_3_1_priority_that_depends_on_its_own_stream(wire, is_open):
    """A stream cannot depend on itself: an error of type PROTOCOL_ERROR."""
    if is_open:
        wire.headers(1, WAITING)
    wire.put(PRIORITY, 0, 1, number(1) + b"\xff")
    wire.expect_stream_error(1, Code.PROTOCOL_ERROR)


# §5.4 Error handling


def test_rfc9113_5_4_1_goaway_names_the_last_stream_before_the_close(wire):
    """An endpoint that encounters a connection error SHOULD first send GOAWAY with the last stream, then MUST close."""
    wire.headers(3)
    wire.expect_end_of_stream(3)
    wire.send(frame(PING, 0, 3, bytes(8))[:9])
    wire.send(bytes(8))  # what comes after the verdict must not have the end overtake GOAWAY
    came = wire.read_frame()
    assert came.kind == GOAWAY and int.from_bytes(came.payload[:4], "big") == 3
    assert http2.code_of(came) == Code.PROTOCOL_ERROR
    assert wire.read_frame() is None


def test_rfc9113_5_4_2_other_streams_go_on_after_a_stream_error(wire):
    """A stream error is related to a specific stream and does not affect the processing of others."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    wire.headers(3, [*GET, ("te", "gzip")])
    assert wire.expect_stream_error(3, Code.PROTOCOL_ERROR)
    wire.headers(5)
    assert wire.expect_end_of_stream(5) == TEN
    wire.put(DATA, 0, 1, b"on")
    wire.ping()


# §5.5 Extending HTTP/2


def test_rfc9113_5_5_extension_frames_within_a_field_block(wire):
    """Extension frames in the middle of a field block MUST be a connection error of type PROTOCOL_ERROR."""
    wire.headers(1, GET, END_STREAM)
    wire.put(0x16, 0, 0, bytes(8))
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


# §6.1 DATA


def test_rfc9113_6_1_data_without_a_stream(wire):
    """DATA on stream 0x00 MUST be a connection error of type PROTOCOL_ERROR."""
    wire.put(DATA, END_STREAM, 0, b"test")
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("payload", [b"\x06test", b"\x05test", b"\xff"])
def test_rfc9113_6_1_data_with_too_much_padding(wire, payload):
    """Padding of the length of the frame payload or greater MUST be a connection error of type PROTOCOL_ERROR."""
    wire.headers(1, [*WAITING_POST, ("content-length", "4")], END_HEADERS)
    wire.put(DATA, END_STREAM | PADDED, 1, payload)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


def test_rfc9113_6_1_data_padded_without_the_length_of_the_padding(wire):
    """A frame that is too small for its mandatory fields is a FRAME_SIZE_ERROR (§4.2)."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    wire.put(DATA, END_STREAM | PADDED, 1)
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


@pytest.mark.parametrize("frames", [
    [(END_STREAM, b"test")],
    [(0, b"test"), (END_STREAM, b"test")],
    [(0, b"test"), (END_STREAM, b"")],
    [(END_STREAM | PADDED, b"\x06test" + bytes(6))],
    [(PADDED, b"\x00te"), (PADDED, b"\x02" + bytes(2)), (END_STREAM | PADDED, b"\xffst" + bytes(255))]])
def test_rfc9113_6_1_data_is_taken(wire, frames):
    """DATA frames convey octets of content, in any number of frames, padded or not."""
    wire.headers(1, POST, END_HEADERS)
    for flags, payload in frames:
        wire.put(DATA, flags, 1, payload)
    assert wire.expect_end_of_stream(1) == TEN


# §6.2 HEADERS


def test_rfc9113_6_2_headers_without_a_stream(wire):
    """HEADERS on stream 0x00 MUST be a connection error of type PROTOCOL_ERROR."""
    wire.headers(0)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("surplus", [1, 2])
def test_rfc9113_6_2_headers_with_too_much_padding(wire, surplus):
    """Padding that exceeds the size remaining for the field block fragment MUST be a PROTOCOL_ERROR."""
    fragment = block(GET)
    wire.put(HEADERS, WHOLE | PADDED, 1, bytes([len(fragment) + surplus]) + fragment)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("flags, before, after", [(PADDED, b"\x08", bytes(8)), (PRIORITISED, bytes(4) + b"\xff", b""),
                                                  (PADDED | PRIORITISED, b"\x02" + bytes(5), bytes(2))])
def test_rfc9113_6_2_padding_and_priority_are_taken(wire, flags, before, after):
    """HEADERS can include padding and deprecated priority fields."""
    wire.put(HEADERS, WHOLE | flags, 1, before + block(GET) + after)
    assert wire.expect_end_of_stream(1) == TEN


@pytest.mark.parametrize("flags, payload", [(PADDED, b""), (PRIORITISED, bytes(4)), (PADDED | PRIORITISED, bytes(5))])
def test_rfc9113_6_2_headers_too_short_for_their_flags(wire, flags, payload):
    """A frame that is too small for its mandatory fields is a FRAME_SIZE_ERROR of the connection (§4.2)."""
    wire.put(HEADERS, WHOLE | flags, 1, payload)
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


# §6.3 PRIORITY


def test_rfc9113_6_3_priority_without_a_stream(wire):
    """PRIORITY on stream 0x00 MUST be a connection error of type PROTOCOL_ERROR."""
    wire.put(PRIORITY, 0, 0, bytes(4) + b"\xff")
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("payload", [b"\x80\0\0\x01", b"", bytes(6)])
def test_rfc9113_6_3_priority_of_a_wrong_length(wire, payload):
    """PRIORITY with a length other than 5 octets MUST be a stream error of type FRAME_SIZE_ERROR."""
    wire.headers(1, WAITING)
    wire.put(PRIORITY, 0, 1, payload)
    assert wire.expect_stream_error(1, Code.FRAME_SIZE_ERROR)
    wire.ping()


def test_rfc9113_6_3_priority_of_an_idle_stream_closes_no_lower_one(wire):
    """PRIORITY can be sent for idle streams, and leaves it open to use lower ones."""
    wire.put(PRIORITY, 0, 3, bytes(4) + b"\xff")
    wire.headers(1)
    assert wire.expect_end_of_stream(1) == TEN


# §6.4 RST_STREAM


@pytest.mark.parametrize("stream", [0, 1])
def test_rfc9113_6_4_reset_without_a_stream_or_of_an_idle_one(wire, stream):
    """RST_STREAM on stream 0x00 or an idle stream MUST be a connection error of type PROTOCOL_ERROR."""
    wire.reset_stream(stream)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("payload", [bytes(3), bytes(5), b""])
def test_rfc9113_6_4_reset_of_a_wrong_length(wire, payload):
    """RST_STREAM with a length other than 4 octets MUST be a connection error of type FRAME_SIZE_ERROR."""
    wire.headers(1, WAITING)
    wire.put(RST_STREAM, 0, 1, payload)
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


# §6.5 SETTINGS


def test_rfc9113_6_5_an_acknowledgement_with_a_payload(wire):
    """SETTINGS with ACK and a length other than 0 MUST be a connection error of type FRAME_SIZE_ERROR."""
    wire.put(SETTINGS, ACK, 0, b"\0")
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


def test_rfc9113_6_5_settings_of_a_stream(wire):
    """SETTINGS on another stream than 0x00 MUST be a connection error of type PROTOCOL_ERROR."""
    wire.put(SETTINGS, 0, 1, http2.settings((MAX_CONCURRENT_STREAMS, 100)))
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("payload", [b"\0\x03\0\0\0\x64\0\x02\0", bytes(3)])
def test_rfc9113_6_5_settings_of_a_wrong_length(wire, payload):
    """SETTINGS with a length other than a multiple of 6 octets MUST be a connection error of type FRAME_SIZE_ERROR."""
    wire.put(SETTINGS, 0, 0, payload)
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


@pytest.mark.parametrize("name, value, code", [
    (ENABLE_PUSH, 2, Code.PROTOCOL_ERROR), (INITIAL_WINDOW_SIZE, 2**31, Code.FLOW_CONTROL_ERROR),
    (INITIAL_WINDOW_SIZE, 2**32 - 1, Code.FLOW_CONTROL_ERROR), (MAX_FRAME_SIZE, 16383, Code.PROTOCOL_ERROR),
    (MAX_FRAME_SIZE, 0, Code.PROTOCOL_ERROR), (MAX_FRAME_SIZE, 2**24, Code.PROTOCOL_ERROR), (0x8, 2, Code.PROTOCOL_ERROR)])
def test_rfc9113_6_5_2_values_that_settings_may_not_have(wire, name, value, code):
    """Values outside of what a setting may have MUST be a connection error of the type that the setting names."""
    wire.put(SETTINGS, 0, 0, http2.settings((name, value)))
    wire.expect_connection_error(code)


def test_rfc9113_6_5_2_all_defined_settings_are_taken(wire):
    """The defined settings are taken with every value that they may have."""
    for values in [(4096, 1, 100, 65535, 16384, 100), (0, 0, 0, 0, 2**24 - 1, 0), (2**32 - 1, 1, 2**32 - 1, WINDOW_MAX, 65535, 1)]:
        wire.put(SETTINGS, 0, 0, http2.settings(*enumerate(values, 1)))
        assert wire.expect(SETTINGS).flags == ACK
    wire.headers(1)
    assert wire.expect_end_of_stream(1) == TEN


def test_rfc9113_6_5_2_unknown_settings_are_ignored(wire):
    """An endpoint that receives an unknown setting MUST ignore it."""
    wire.put(SETTINGS, 0, 0, http2.settings((0xFF, 1), (0, 1), (0xFFFF, 2**32 - 1)))
    wire.ping()


def test_rfc9113_6_5_3_settings_count_in_their_order(wire):
    """The values of SETTINGS MUST be processed in the order they appear."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)))
    assert wire.expect(SETTINGS).flags == ACK
    wire.headers(1)
    assert wire.expect(DATA, 1).payload == TEN[:1]


def test_rfc9113_6_5_3_settings_are_acknowledged(wire):
    """Once all values have been processed, the recipient MUST immediately emit SETTINGS with ACK."""
    wire.put(SETTINGS, 0, 0, http2.settings((ENABLE_PUSH, 0)))
    came = wire.expect(SETTINGS)
    assert (came.flags, came.payload) == (ACK, b"")


def test_rfc9113_6_5_3_an_acknowledgement_of_nothing(wire):
    """Stricter than the RFC, which says nothing: an acknowledgement of SETTINGS that were not sent is a PROTOCOL_ERROR."""
    wire.put(SETTINGS, ACK)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


# §6.6 PUSH_PROMISE


def test_rfc9113_6_6_a_client_cannot_push(wire):
    """A client cannot push: a server MUST treat PUSH_PROMISE as a connection error of type PROTOCOL_ERROR."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    wire.put(PUSH_PROMISE, END_HEADERS, 1, number(3) + block(GET))
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


# §6.7 PING


def test_rfc9113_6_7_ping_is_answered(wire):
    """Receivers of PING without ACK MUST send PING with ACK in response, with an identical payload."""
    wire.ping(b"h2spec\0\0")


def test_rfc9113_6_7_an_answer_is_not_answered(wire):
    """An endpoint MUST NOT respond to PING frames containing ACK."""
    wire.put(PING, ACK, 0, b"invalid\0")
    wire.put(PING, 0, 0, b"h2spec\0\0")
    assert wire.expect(PING).payload == b"h2spec\0\0"


def test_rfc9113_6_7_ping_of_a_stream(wire):
    """PING on another stream than 0x00 MUST be a connection error of type PROTOCOL_ERROR."""
    wire.put(PING, 0, 1, bytes(8))
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("payload", [bytes(6), bytes(9), b""])
def test_rfc9113_6_7_ping_of_a_wrong_length(wire, payload):
    """PING with a length other than 8 MUST be a connection error of type FRAME_SIZE_ERROR."""
    wire.put(PING, 0, 0, payload)
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


# §6.8 GOAWAY


def test_rfc9113_6_8_goaway_of_a_stream(wire):
    """GOAWAY on another stream than 0x00 MUST be a connection error of type PROTOCOL_ERROR."""
    wire.put(GOAWAY, 0, 1, number(0) + number(0) + b"h2spec")
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("code", [0, 0xFF, 2**32 - 1])
def test_rfc9113_6_8_a_clients_goaway_ends_a_connection_without_streams(wire, code):
    """An endpoint that sends GOAWAY wants the connection closed; unknown error codes (§7) trigger no special behavior."""
    wire.put(GOAWAY, 0, 0, number(0) + number(code) + b"h2spec")
    wire.expect_connection_error(Code.NO_ERROR)


def test_rfc9113_6_8_streams_under_way_are_finished_after_a_clients_goaway(wire):
    """Streams with identifiers lower than or equal to the last one can still complete."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 3)))
    wire.headers(1)
    assert wire.expect(DATA, 1).payload == TEN[:3]
    wire.put(GOAWAY, 0, 0, number(0) + number(0))
    wire.window_update(1, 100)
    content = b""
    while came := wire.read_frame():
        content += came.payload if came.kind == DATA else b""
    assert content == TEN[3:]


# §6.9 WINDOW_UPDATE


def test_rfc9113_6_9_an_increment_of_nothing_for_the_connection(wire):
    """An increment of 0 on the connection MUST be a connection error of type PROTOCOL_ERROR."""
    wire.window_update(0, 0)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


def test_rfc9113_6_9_an_increment_of_nothing_for_a_stream(wire):
    """An increment of 0 on a stream MUST be a stream error of type PROTOCOL_ERROR."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    wire.window_update(1, 0)
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("payload", [bytes(3), bytes(5)])
@pytest.mark.parametrize("stream", [0, 1])
def test_rfc9113_6_9_window_update_of_a_wrong_length(wire, stream, payload):
    """WINDOW_UPDATE with a length other than 4 octets MUST be a connection error of type FRAME_SIZE_ERROR."""
    if stream:
        wire.headers(1, WAITING)
    wire.put(WINDOW_UPDATE, 0, stream, payload)
    wire.expect_connection_error(Code.FRAME_SIZE_ERROR)


def test_rfc9113_6_9_window_updates_are_taken(wire):
    """WINDOW_UPDATE opens the window of a stream or of the connection."""
    wire.window_update(0, 1)
    wire.headers(1, WAITING)
    wire.window_update(1, 1)
    wire.ping()


# §6.9.1 The flow-control window


def test_rfc9113_6_9_1_no_more_is_sent_than_a_streams_window(wire):
    """The sender MUST NOT send a flow-controlled frame that exceeds the space in either window."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 1)))
    assert wire.expect(SETTINGS).flags == ACK
    wire.headers(1)
    assert wire.expect(DATA, 1).payload == TEN[:1]
    for place in range(1, 10):
        wire.window_update(1, 1)
        assert wire.expect(DATA, 1).payload == TEN[place:place + 1]
    wire.ping()


def test_rfc9113_6_9_1_the_connections_window_goes_above_its_maximum(wire):
    """A WINDOW_UPDATE that takes the connection's window above 2^31-1 MUST end it with FLOW_CONTROL_ERROR."""
    wire.window_update(0, WINDOW_MAX)
    wire.window_update(0, WINDOW_MAX)
    wire.expect_connection_error(Code.FLOW_CONTROL_ERROR)


def test_rfc9113_6_9_1_a_streams_window_goes_above_its_maximum(wire):
    """A WINDOW_UPDATE that takes a stream's window above 2^31-1 MUST end it with FLOW_CONTROL_ERROR."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    wire.window_update(1, WINDOW_MAX)
    wire.window_update(1, WINDOW_MAX)
    assert wire.expect_stream_error(1, Code.FLOW_CONTROL_ERROR)
    wire.ping()


def test_rfc9113_6_9_1_content_above_the_window_is_an_error(wire):
    """A receiver that gets more than its window MAY respond with an error of type FLOW_CONTROL_ERROR."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    for _ in range(wire.peer_settings[INITIAL_WINDOW_SIZE] // 16384 + 1):
        wire.put(DATA, 0, 1, bytes(16384))
    # What the origin has not taken fills the window; here the node passes all of it on, and says so.
    wire.ping()


# §6.9.2 Initial flow-control window size


def test_rfc9113_6_9_2_a_new_initial_size_moves_the_windows_of_streams(wire):
    """When SETTINGS_INITIAL_WINDOW_SIZE changes, a receiver MUST adjust the windows of all streams by the difference."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 0)))
    wire.headers(1)
    wire.expect(HEADERS, 1)
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 1)))
    assert wire.expect(DATA, 1).payload == TEN[:1]


def test_rfc9113_6_9_2_windows_can_be_below_zero(wire):
    """A sender MUST track the negative window, and send nothing until it becomes positive."""
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 3)))
    wire.headers(1)
    assert wire.expect(DATA, 1).payload == TEN[:3]
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 2)))
    wire.window_update(1, 1)
    wire.ping()
    wire.window_update(1, 1)
    assert wire.expect(DATA, 1).payload == TEN[3:4]


def test_rfc9113_6_9_2_a_new_initial_size_puts_a_window_above_its_maximum(wire):
    """A change that causes any window to exceed the maximum MUST be a connection error of type FLOW_CONTROL_ERROR."""
    wire.headers(1, WAITING)
    wire.window_update(1, WINDOW_MAX - 65535)
    wire.put(SETTINGS, 0, 0, http2.settings((INITIAL_WINDOW_SIZE, 65536)))
    wire.expect_connection_error(Code.FLOW_CONTROL_ERROR)


# §6.10 CONTINUATION


@pytest.mark.parametrize("cuts", [[5], [5, 10], [0, 0, 1], list(range(1, 31))])
def test_rfc9113_6_10_field_blocks_may_be_continued(wire, cuts):
    """Any number of CONTINUATION frames can be sent, as long as the block has not ended."""
    octets = block([*GET, *LONG[:2]])
    pieces = [octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)])]
    wire.put(HEADERS, END_STREAM, 1, pieces[0])
    for piece in pieces[1:-1]:
        wire.put(CONTINUATION, 0, 1, piece)
    wire.put(CONTINUATION, END_HEADERS, 1, pieces[-1])
    assert wire.expect_end_of_stream(1) == TEN


@pytest.mark.parametrize("kind, stream, payload", [(DATA, 1, b"test"), (CONTINUATION, 0, b""), (CONTINUATION, 3, b"")])
def test_rfc9113_6_10_only_continuation_follows(wire, kind, stream, payload):
    """Another frame, or one of another stream, before END_HEADERS MUST be a connection error of type PROTOCOL_ERROR."""
    wire.headers(1, POST, 0)
    wire.put(CONTINUATION, 0, 1, block(LONG[:1]))
    wire.put(kind, END_HEADERS, stream, payload)
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("is_continued", [False, True])
def test_rfc9113_6_10_continuation_after_the_end_of_the_block(wire, is_continued):
    """CONTINUATION after END_HEADERS MUST be a connection error of type PROTOCOL_ERROR."""
    wire.headers(1, WAITING, END_STREAM if is_continued else WHOLE)
    if is_continued:
        wire.put(CONTINUATION, END_HEADERS, 1, block(LONG[:1]))
    wire.put(CONTINUATION, END_HEADERS, 1, block(LONG[:1]))
    wire.expect_connection_error(Code.PROTOCOL_ERROR)


# §7 Error codes


def test_rfc9113_7_a_reset_with_an_unknown_code(wire):
    """Unknown or unsupported error codes MUST NOT trigger any special behavior."""
    wire.headers(1, WAITING_POST, END_HEADERS)
    wire.reset_stream(1, 0xFF)
    wire.ping()
