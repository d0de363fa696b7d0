"""HTTP/2 on both sides of the node (RFC 9113), in any mix with HTTP/1.1: fields, content, ends, turns, draining."""

import asyncio
import concurrent.futures
import signal
import subprocess
import threading

import grpc
import h2.errors
import h2.events
import h2.settings
import pytest
import websockets

import http2
from weir import (PEER_SECONDS, TLS_EVERYWHERE, Origin, Peer, ReservedPort, answer_with_request, answering, get,
                  is_listening, request, scheme, speaks_tls, until)

WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
EXTENDED_CONNECT = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


def serve(workspace, origin, upstream="", listener="", workers=1):
    port = workspace.keep(ReservedPort())
    speaks = ", protocol: h2c" if isinstance(origin, http2.Origin) else ""
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}{listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{speaks}{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=workers)
    return node, port.address


@pytest.fixture(params=["http1", "h2c"])
def echo(request, workspace):
    """An origin of either protocol that answers with the request's content, and the address of a node before it."""
    def repeat(peer, origin):
        while (head := peer.read_head()) is not None:
            head.body = peer.read_body(head)
            origin.requests.append(head)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head.body) + head.body)

    origin = workspace.keep(Origin(repeat) if request.param == "http1" else http2.Origin(http2.echoing))
    return origin, serve(workspace, origin)[1]


# Requests


def test_a_request_reaches_an_http1_origin_as_http1(workspace):
    origin = workspace.keep(Origin(answer_with_request))
    _, web = serve(workspace, origin)
    with http2.Client(web) as client:
        got = client.get("/a?b=c", fields=[("accept", "*/*"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-odd", "")])
        assert got.status == 200 and got.get("via") == "1.1 weir"
    head = origin.requests[0]
    assert (head.method, head.target, head.get("host")) == ("GET", "/a?b=c", "example.test")
    assert head.get("cookie") == "a=1; b=2" and head.get("x-odd") == ""
    assert head.get("via") == "2 weir" and head.get("x-forwarded-host") == "example.test"
    assert "connection" not in head and "content-length" not in head and "transfer-encoding" not in head


def test_content_goes_both_ways(echo):
    _, web = echo
    with http2.Client(web) as client:
        for size in (0, 1, 100, 10_000, 16_000):
            body = bytes(index * 7 % 251 for index in range(size))
            assert client.get("/", method="POST", body=body).body == body


def test_content_that_is_whole_has_a_length(workspace):
    origin = workspace.keep(Origin(answer_with_request))
    _, web = serve(workspace, origin)
    with http2.Client(web) as client:
        client.get("/", method="POST", body=b"hello")
        client.get("/", method="POST")
        stream = client.request("/", method="POST", body=b"he", ends=False)
        client.send(stream, b"llo", ends=True)
        client.response(stream)
    first, empty, _ = origin.requests
    assert first.body == b"hello" and first.get("content-length") == "5"
    assert empty.get("content-length") == "0"
    assert origin.requests[2].body == b"hello"


def test_a_large_upload_is_held_back_by_the_origin_and_arrives(workspace):
    may_read = threading.Event()

    def script(peer, origin):
        head = peer.read_head()
        may_read.wait(10)
        head.body = peer.read_body(head)
        origin.requests.append(head)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, origin)
    body = bytes(index % 251 for index in range(12_000_000))
    with http2.Client(web) as client:
        stream = client.request("/", method="POST", ends=False)
        sender = threading.Thread(target=client.send, args=[stream, body, True])
        sender.start()
        until(lambda: client.http2.local_flow_control_window(stream) == 0, "the window is used up")
        may_read.set()
        sender.join()
        assert client.response(stream).body == b"ok"
    assert origin.requests[0].body == body


@pytest.mark.parametrize("client_version", [1, 2])
@pytest.mark.parametrize("origin_version", [1, 2])
def test_trailers_go_both_ways(workspace, client_version, origin_version):
    def repeat(peer, origin):
        head = peer.read_head()
        head.body = peer.read_body(head)
        origin.requests.append(head)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")

    origin = workspace.keep(Origin(repeat) if origin_version == 1 else http2.Origin(http2.echoing))
    _, web = serve(workspace, origin)
    if client_version == 1:
        with Peer.connect(web) as peer:
            peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")
            got = peer.read_response()
            assert got.body == b"ok" and [(name.lower(), value) for name, value in got.trailers] == [("x-sum", "7")]
    else:
        with http2.Client(web) as client:
            stream = client.request("/", method="POST", body=b"ok", ends=False, fields=[("te", "trailers")])
            client.http2.send_headers(stream, [("x-sum", "7")], end_stream=True)
            client.flush()
            got = client.response(stream)
            assert got.body == b"ok" and got.trailers == [("x-sum", "7")]


# Responses


@pytest.mark.parametrize("response, body", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", b"abc"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", b""),
    (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc"),
])
def test_every_framing_of_http1_becomes_an_end_of_stream(workspace, response, body):
    def script(peer, origin):
        peer.read_head()
        peer.send(response)

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with http2.Client(web) as client:
        got = client.get("/")
        assert got.is_ended and got.body == body and got.reset is None
        assert "transfer-encoding" not in got and "connection" not in got and "keep-alive" not in got


def test_head_has_no_content(echo):
    _, web = echo
    with http2.Client(web) as client:
        got = client.get("/", method="HEAD")
        assert got.status == 200 and got.body == b"" and got.is_ended


def test_interim_responses_go_on(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answering(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))))
    with http2.Client(web) as client:
        got = client.get("/")
        assert [dict(interim)[":status"] for interim in got.interim] == ["103"]
        assert dict(got.interim[0])["link"] == "</a.css>" and got.body == b"ok"


def test_expect_100_continue(workspace):
    def script(peer, origin):
        head = peer.read_head()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        head.body = peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head.body) + head.body)

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with http2.Client(web) as client:
        stream = client.request("/", method="PUT", fields=[("expect", "100-continue")], ends=False)
        client.wait(lambda: client.streams[stream].interim, "100")
        client.send(stream, b"now", ends=True)
        assert client.response(stream).body == b"now"


def test_a_response_that_breaks_off_is_reset(workspace):
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with http2.Client(web) as client:
        got = client.get("/")
        assert got.body == b"abc" and got.reset == h2.errors.ErrorCodes.INTERNAL_ERROR
        # The others go on.
        assert client.request("/") and not client.is_closed


def test_an_early_answer_ends_the_request(workspace):
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        peer.read_to_end()

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with http2.Client(web) as client:
        stream = client.request("/", method="POST", body=b"a", ends=False)
        got = client.response(stream)
        assert got.status == 403 and got.body == b"no"
        client.wait(lambda: got.reset is not None, "the rest is not wanted")
        assert got.reset == h2.errors.ErrorCodes.NO_ERROR


def test_a_reset_by_the_client_reaches_the_origin(workspace):
    ended = threading.Event()

    def script(peer, origin):
        peer.read_head()
        origin.requests.append(1)
        assert not peer.fill()
        ended.set()

    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, origin)
    with http2.Client(web) as client:
        stream = client.request("/")
        until(lambda: origin.requests, "the request is there")
        client.http2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        client.flush()
        assert ended.wait(PEER_SECONDS)
        assert not client.is_closed


@pytest.mark.parametrize("frames", [
    http2.frame(http2.RST_STREAM, 0, 1, bytes(4)), http2.frame(http2.HEADERS, http2.WHOLE, 1, http2.block(http2.GET)),
    http2.frame(http2.DATA, 0, 1, b"a")])
def test_a_stream_that_comes_and_goes_within_one_read(workspace, frames):
    """Its owner is gone before the streams of that read are told of what came."""
    node, web = serve(workspace, workspace.keep(Origin(answer_with_request)))
    with http2.Wire.open(web) as wire:
        wire.send(http2.frame(http2.HEADERS, http2.WHOLE, 1, http2.block(http2.GET)) + frames)
        wire.ping()
        wire.headers(3)
        assert b"GET" in wire.expect_end_of_stream(3)
    assert node.program.is_running


def test_content_that_is_reset_within_one_read(workspace):
    origin = workspace.keep(Origin(lambda peer, origin: peer.read_to_end()))
    node, web = serve(workspace, origin)
    with http2.Wire.open(web) as wire:
        wire.headers(1, http2.POST, http2.END_HEADERS)
        until(lambda: origin.connections, "the request is there")
        wire.send(http2.frame(http2.DATA, 0, 1, b"a") + http2.frame(http2.RST_STREAM, 0, 1, bytes(4)))
        wire.ping()
    assert node.program.is_running


# Limits


def test_fields_above_the_limits_get_431_and_the_connection_goes_on(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answer_with_request)), listener=", limits: {fieldSectionBytes: 4KiB, fieldLines: 20}")
    with http2.Client(web) as client:
        assert client.get("/", fields=[("x-long", "a" * 5000)]).status == 431
        assert client.get("/", fields=[(f"x-{number}", "a") for number in range(21)]).status == 431
        assert client.get("/", fields=[(f"x-{number}", "a") for number in range(20)]).status == 200


def test_content_above_the_limit_gets_413(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answer_with_request)), listener=", limits: {bodyBytes: 1KiB}")
    with http2.Client(web) as client:
        assert client.get("/", method="POST", body=b"a" * 1025).status == 413
        stream = client.request("/", method="POST", ends=False)
        for _ in range(3):
            client.send(stream, b"a" * 500)
        assert client.response(stream).status == 413
        assert client.get("/", method="POST", body=b"a" * 1024).status == 200


def test_streams_above_the_limit_are_refused(workspace):
    may_answer = threading.Event()

    def script(peer, origin):
        while peer.read_head() is not None:
            may_answer.wait(10)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    _, web = serve(workspace, workspace.keep(Origin(script)), listener=", limits: {streamsPerConnection: 3}")
    with http2.Client(web) as client:
        client.http2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 100
        streams = [client.request("/") for _ in range(4)]
        refused = client.response(streams[3])
        assert refused.reset == h2.errors.ErrorCodes.REFUSED_STREAM
        may_answer.set()
        assert all(client.response(stream).status == 200 for stream in streams[:3])


@pytest.mark.parametrize("method, status", [("CONNECT", 405), ("TRACE", 405)])
def test_methods_that_are_not_carried_out(workspace, method, status):
    _, web = serve(workspace, workspace.keep(Origin(answer_with_request)))
    with http2.Client(web) as client:
        stream = client.http2.get_next_available_stream_id()
        client.streams[stream] = http2.Message()
        lines = [(":method", method), (":authority", "a.test:80")]
        if method == "TRACE":
            lines += [(":scheme", "http"), (":path", "/")]
        client.http2.send_headers(stream, lines, end_stream=True)
        client.flush()
        assert client.response(stream).status == status


def test_requests_per_connection_end_it_politely(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answer_with_request)), listener=", limits: {requestsPerConnection: 3}")
    with http2.Client(web) as client:
        streams = [client.request("/") for _ in range(3)]
        assert all(client.response(stream).status == 200 for stream in streams)
        assert client.wait_closed() == h2.errors.ErrorCodes.NO_ERROR


def test_a_connection_without_streams_ends_after_the_idle_timeout(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answer_with_request)), listener=", timeouts: {idle: 1500ms}")
    with http2.Client(web) as client:
        assert client.get("/").status == 200
        assert client.wait_closed() == h2.errors.ErrorCodes.NO_ERROR


def test_a_field_section_that_does_not_come_ends_the_connection(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answer_with_request)), listener=", timeouts: {header: 1500ms, idle: 60s}")
    with http2.Client(web) as client:
        assert client.get("/").status == 200
        client.socket.sendall(http2.frame(1, 0, 3, b"\x82\x86"))  # HEADERS without END_HEADERS
        assert client.wait_closed() == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM


# Turns


def test_the_most_urgent_goes_first(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"a" * 40000))))
    with http2.Client(web, settings={WINDOW: 0}) as client:
        streams = {urgency: client.request("/", fields=[("priority", f"u={urgency}")]) for urgency in (7, 5, 0, 3)}
        client.wait(lambda: all(client.streams[stream].fields for stream in streams.values()), "all heads")
        client.http2.update_settings({WINDOW: 65535})
        client.flush()
        for stream in streams.values():
            assert len(client.response(stream).body) == 40000
        ends = [max(place for place, got in enumerate(client.order) if got == streams[urgency]) for urgency in (0, 3, 5, 7)]
        assert ends == sorted(ends)


def test_incremental_responses_take_turns(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"a" * 60000))))
    with http2.Client(web, settings={WINDOW: 0}) as client:
        streams = [client.request("/", fields=[("priority", "u=3, i")]) for _ in range(3)]
        client.wait(lambda: all(client.streams[stream].fields for stream in streams), "all heads")
        client.http2.update_settings({WINDOW: 65535})
        client.http2.increment_flow_control_window(1 << 20)
        client.flush()
        for stream in streams:
            client.response(stream)
        assert len(set(client.order[:3])) == 3


def test_a_client_with_closed_windows_does_not_hold_up_others(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100000))))
    with http2.Client(web, settings={WINDOW: 0}) as slow, http2.Client(web) as honest:
        for _ in range(20):
            slow.request("/")
        assert all(len(honest.get("/").body) == 100000 for _ in range(20))


# Endpoints that speak HTTP/2


def test_exchanges_share_a_connection(workspace):
    origin = workspace.keep(http2.Origin(http2.echoing))
    _, web = serve(workspace, origin)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: get(web, f"/{number}"), range(200)))
    assert all(answer.status == 200 for answer in answers)
    assert origin.connections == 1
    fields = dict(origin.requests[0])
    assert fields[":authority"] == "example.test" and fields[":scheme"] == "http" and fields["via"] == "1.1 weir"
    assert "connection" not in fields and "host" not in fields


def test_stream_limits_of_the_endpoint_open_more_connections(workspace):
    held = []

    def hold(origin, connection, event):
        if isinstance(event, h2.events.RequestReceived):
            held.append(event.stream_id)
            connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True) if len(held) > 6 else None

    origin = workspace.keep(http2.Origin(hold, settings={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2}))
    _, web = serve(workspace, origin)
    peers = []
    for number in range(1, 7):
        peer = workspace.keep(Peer.connect(web))
        peer.send(request())
        peers.append(peer)
        until(lambda: len(held) >= number, "the request is there")
    assert origin.connections == 3


def test_a_request_that_the_endpoint_has_not_looked_at_is_sent_again(workspace):
    seen = []

    def refuse_first(origin, connection, event):
        if isinstance(event, h2.events.StreamEnded):
            seen.append(event.stream_id)
            if len(seen) == 1:
                connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            else:
                connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)

    _, web = serve(workspace, workspace.keep(http2.Origin(refuse_first)))
    with Peer.connect(web) as peer:
        assert peer.exchange(request("POST", body=b"once")).status == 200
    assert len(seen) == 2


@pytest.mark.parametrize("refusals, status", [(4, 200), (5, 502)])
def test_connection_after_connection_may_turn_a_request_away(workspace, refusals, status):
    seen = []

    def refuse(origin, connection, event):
        if not isinstance(event, h2.events.StreamEnded):
            return None
        seen.append(event.stream_id)
        if len(seen) > refusals:
            connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
            return None
        connection.close_connection(last_stream_id=0)
        return "close"

    _, web = serve(workspace, workspace.keep(http2.Origin(refuse)))
    with Peer.connect(web) as peer:
        assert peer.exchange(request("POST", body=b"once")).status == status
    assert len(seen) == 5


@pytest.mark.parametrize("status, line", [(200, "200 OK"), (404, "404 Not Found"), (299, "299 ")])
def test_a_status_of_http2_has_its_phrase_in_http1(workspace, status, line):
    def answer(origin, connection, event):
        if isinstance(event, h2.events.StreamEnded):
            connection.send_headers(event.stream_id, [(":status", str(status))], end_stream=True)

    _, web = serve(workspace, workspace.keep(http2.Origin(answer)))
    with Peer.connect(web) as peer:
        assert peer.exchange(request()).start == f"HTTP/1.1 {line}"


def test_streams_that_stand_still_do_not_stop_others_of_the_same_endpoint(workspace):
    """Clients share the connection to an endpoint: what some do not take is not at the cost of others."""
    sizes = {"/large": 1_000_000}

    def script(origin, connection, event):
        left = connection.__dict__.setdefault("left", {})
        if isinstance(event, h2.events.RequestReceived):
            connection.send_headers(event.stream_id, [(":status", "200")])
            left[event.stream_id] = sizes.get(dict(event.headers)[":path"], 2)
        if isinstance(event, h2.events.StreamReset):
            left.pop(event.stream_id, None)
        for stream, count in list(left.items()):
            while count and (room := min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size, count)) > 0:
                count -= room
                connection.send_data(stream, bytes(room), end_stream=not count)
            left[stream] = count
            if not count:
                del left[stream]

    node, web = serve(workspace, workspace.keep(http2.Origin(script)))
    with http2.Wire.open(web, (4, 0)) as wire, http2.Client(web) as other:
        for stream in range(1, 100, 2):
            wire.headers(stream, [*http2.GET[:3], (":path", "/large")])
        for stream in range(1, 100, 2):
            wire.expect(http2.HEADERS)
        for _ in range(20):
            assert other.get("/").body == bytes(2)
        assert len(other.get("/large").body) == 1_000_000


def test_goaway_of_the_endpoint_moves_requests_to_another_connection(workspace):
    def leave(origin, connection, event):
        if isinstance(event, h2.events.StreamEnded):
            connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
            connection.close_connection()

    origin = workspace.keep(http2.Origin(leave))
    _, web = serve(workspace, origin)
    assert [get(web).status for _ in range(5)] == [200] * 5
    assert origin.connections == 5


def test_an_endpoint_that_does_not_speak_http2_is_an_error(workspace):
    origin = workspace.keep(Origin(answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")))
    _, web = serve(workspace, origin, upstream=", protocol: h2c")
    assert get(web).status == 502


def test_an_endpoint_that_refuses_connections_is_an_error(workspace):
    free = workspace.keep(ReservedPort())
    _, web = serve(workspace, free, upstream=", protocol: h2c")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(answer.status for answer in pool.map(lambda _: get(web), range(8))) == {502}


def test_an_endpoint_that_dies_in_a_response_cuts_it(workspace):
    def die(origin, connection, event):
        if isinstance(event, h2.events.StreamEnded):
            connection.send_headers(event.stream_id, [(":status", "200"), ("content-length", "10")])
            connection.send_data(event.stream_id, b"abc")
            return "close"
        return None

    _, web = serve(workspace, workspace.keep(http2.Origin(die)))
    with http2.Client(web) as client:
        assert client.get("/").reset is not None


def test_an_endpoint_that_closes_after_its_response_before_the_client_has_taken_it(workspace):
    def leave(peer, origin):
        wire = http2.Wire.accept(peer)
        wire.expect(http2.HEADERS)
        wire.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, b"\x88")
                  + 3 * http2.frame(http2.DATA, 0, 1, bytes(16384)) + http2.frame(http2.DATA, 1, 1, b"end"))

    origin = workspace.keep(Origin(leave))
    node, web = serve(workspace, origin, upstream=", protocol: h2c")
    with http2.Wire.open(web, (WINDOW, 0)) as wire:
        wire.headers(1)
        wire.expect(http2.HEADERS)
        until(lambda: not origin.open, "the endpoint has closed")
        wire.ping()
        wire.window_update(1, 65535)
        assert wire.expect_end_of_stream(1) == bytes(3 * 16384) + b"end"
    assert node.program.is_running


# Tunnels


async def talk(socket):
    for size in (1, 100, 5000, 100_000):
        message = bytes(index % 251 for index in range(size))
        await socket.send(message)
        assert await socket.recv() == message


def extended_connect(client, path="/chat", protocol="websocket", fields=()):
    client.wait(lambda: client.http2.remote_settings.enable_connect_protocol, "the setting")
    lines = [("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"), *fields]
    return client.request(path, method="CONNECT", ends=False, protocol=protocol, fields=lines)


def test_websocket_by_extended_connect_to_an_http1_origin(workspace):
    requests = []

    async def run():
        async def handler(socket):
            requests.append(dict(socket.request_headers))
            async for message in socket:
                await socket.send(message)

        async with websockets.serve(handler, "127.0.0.1", 0, subprotocols=["chat"]) as server:
            target = server.sockets[0].getsockname()
            _, web = serve(workspace, f"{target[0]}:{target[1]}")
            await asyncio.get_running_loop().run_in_executor(None, speak, web)

    def speak(web):
        with http2.Client(web) as client:
            stream = extended_connect(client)
            message = client.streams[stream]
            client.wait(lambda: message.fields, "the answer")
            assert message.status == 200 and message.get("sec-websocket-protocol") == "chat"
            assert "sec-websocket-accept" not in message and "upgrade" not in message
            client.send(stream, b"\x81\x85\0\0\0\0hello")  # a text frame, masked with zeros
            client.wait(lambda: message.body == b"\x81\x05hello", "the echo")
            client.send(stream, b"\x88\x82\0\0\0\0\x03\xe8")
            client.wait(lambda: message.is_ended, "the end of the tunnel")

    asyncio.run(run())
    assert requests[0]["sec-websocket-version"] == "13"


def test_extended_connect_that_is_declined_is_a_response(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"))))
    with http2.Client(web) as client:
        got = client.response(extended_connect(client))
        assert got.status == 404 and got.body == b"no"


def test_a_wrong_answer_to_the_key_opens_no_tunnel(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answering(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"))))
    with http2.Client(web) as client:
        got = client.response(extended_connect(client))
        assert got.reset is not None and got.fields is None


def tunnel_of(origin, connection, event):
    """Takes extended CONNECT and sends back what comes."""
    if isinstance(event, h2.events.RequestReceived):
        connection.send_headers(event.stream_id, [(":status", "200")])
    if isinstance(event, h2.events.DataReceived):
        connection.send_data(event.stream_id, event.data)
    if isinstance(event, h2.events.StreamEnded):
        connection.send_data(event.stream_id, b"", end_stream=True)


@pytest.mark.parametrize("client_version", [1, 2])
def test_websocket_to_an_http2_origin_is_extended_connect(workspace, client_version):
    origin = workspace.keep(http2.Origin(tunnel_of, settings={EXTENDED_CONNECT: 1}))
    _, web = serve(workspace, origin)
    if client_version == 1:
        with Peer.connect(web) as peer:
            peer.send(request(fields=["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]))
            head = peer.read_head()
            assert head.status == 101 and head.get("upgrade") == "websocket"
            assert head.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            peer.send(b"hello")
            assert peer.read_exactly(5) == b"hello"
            peer.end()
            assert peer.read_to_end() == b""
    else:
        with http2.Client(web) as client:
            stream = extended_connect(client)
            message = client.streams[stream]
            client.wait(lambda: message.fields, "the answer")
            client.send(stream, b"hello")
            client.wait(lambda: message.body == b"hello", "the echo")
            client.http2.end_stream(stream)
            client.flush()
            client.wait(lambda: message.is_ended, "the end")
    fields = dict(origin.requests[0])
    assert (fields[":method"], fields[":protocol"], fields[":path"]) == ("CONNECT", "websocket", "/" if client_version == 1 else "/chat")
    assert "sec-websocket-key" not in fields and fields["sec-websocket-version"] == "13"


def test_an_http2_origin_without_extended_connect_takes_no_upgrade(workspace):
    _, web = serve(workspace, workspace.keep(http2.Origin(tunnel_of)))
    with Peer.connect(web) as peer:
        assert peer.exchange(request(fields=["Connection: Upgrade", "Upgrade: websocket"])).status == 502


# gRPC


class Echo(grpc.GenericRpcHandler):
    """Methods of octets in, octets out: unary, streams either way, an error, and one that waits for its deadline."""

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        return {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
            "Down": grpc.unary_stream_rpc_method_handler(lambda octets, _: (octets for _ in range(100))),
            "Up": grpc.stream_unary_rpc_method_handler(lambda pieces, _: b"".join(pieces)),
            "Both": grpc.stream_stream_rpc_method_handler(lambda pieces, _: pieces),
        }.get(name)

    def unary(self, octets, context):
        context.set_trailing_metadata([("x-tail", "7")])
        return octets

    def fail(self, _, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 50 %")

    def wait(self, _, context):
        gone = threading.Event()
        context.add_callback(gone.set)
        self.cancelled = gone.wait(10)
        return b""


@pytest.fixture
def grpc_channel(workspace):
    handler = Echo()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    _, web = serve(workspace, f"127.0.0.1:{port}", upstream=", protocol: h2c")
    options = [("grpc.enable_http_proxy", 0), ("grpc.ssl_target_name_override", "example.test")]
    if speaks_tls(web):
        believed = grpc.ssl_channel_credentials(workspace.certificates.bundle.read_bytes())
        dialled = grpc.secure_channel(f"{web[0]}:{web[1]}", believed, options=options)
    else:
        dialled = grpc.insecure_channel(f"{web[0]}:{web[1]}", options=options)
    with dialled as channel:
        yield channel, handler
    server.stop(None)


def test_grpc_calls_of_all_kinds(grpc_channel):
    channel, _ = grpc_channel
    answer, call = channel.unary_unary("/t.Echo/Unary").with_call(b"hello", metadata=[("x-head", "1")])
    assert answer == b"hello" and dict(call.trailing_metadata())["x-tail"] == "7"
    big = bytes(3_000_000)
    assert channel.unary_unary("/t.Echo/Unary")(big) == big
    assert list(channel.unary_stream("/t.Echo/Down")(b"a" * 2000)) == [b"a" * 2000] * 100
    assert channel.stream_unary("/t.Echo/Up")(iter([b"ab"] * 500)) == b"ab" * 500
    assert list(channel.stream_stream("/t.Echo/Both")(iter([b"a", b"b", b"c"]))) == [b"a", b"b", b"c"]


def test_grpc_errors_and_deadlines(grpc_channel):
    channel, handler = grpc_channel
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/t.Echo/Fail")(b"")
    assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION and failed.value.details() == "not now: 50 %"
    with pytest.raises(grpc.RpcError) as unknown:  # an answer of trailers only
        channel.unary_unary("/t.Echo/Nothing")(b"")
    assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(grpc.RpcError) as late:
        channel.unary_unary("/t.Echo/Wait")(b"", timeout=2)
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: getattr(handler, "cancelled", None), "the origin learns that nobody waits")


# Draining, and public clients


def test_draining_says_goaway_and_finishes_what_is_under_way(workspace):
    may_answer = threading.Event()

    def script(peer, origin):
        while peer.read_head() is not None:
            origin.requests.append(1)
            may_answer.wait(10)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin = workspace.keep(Origin(script))
    node, web = serve(workspace, origin)
    with http2.Client(web) as client, http2.Client(web) as resting:
        stream = client.request("/")
        until(lambda: origin.requests, "the request is there")
        node.program.signal(signal.SIGTERM)
        assert resting.wait_closed() == h2.errors.ErrorCodes.NO_ERROR
        client.wait(lambda: client.goaway, "GOAWAY")
        may_answer.set()
        assert client.response(stream).body == b"ok"
        assert client.wait_closed() == h2.errors.ErrorCodes.NO_ERROR


@pytest.mark.skipif(TLS_EVERYWHERE, reason="the handshake has settled what is spoken, and the client is told at once")
def test_a_connection_that_speaks_after_a_drain_has_begun_is_told_too(workspace):
    """Streams that overlap without end would keep it open, and be cut off in the end."""
    may_answer = threading.Event()
    workspace.closing.callback(may_answer.set)

    def script(peer, origin):
        while peer.read_head() is not None:
            origin.requests.append(1)
            may_answer.wait(10)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin = workspace.keep(Origin(script))
    node, web = serve(workspace, origin)
    with Peer.connect(web) as silent:
        until(lambda: "weir_connections 1\n" in node.get("/metrics").body.decode(), "it is accepted")
        node.program.signal(signal.SIGTERM)
        until(lambda: not is_listening(web), "the listener is closed")
        wire = http2.Wire(silent.socket)
        wire.send(http2.PREFACE + http2.frame(http2.SETTINGS) + http2.frame(http2.HEADERS, http2.WHOLE, 1, http2.block(http2.GET)))
        wire.shake_hands()
        while (came := wire.read_frame()).kind != http2.GOAWAY:
            pass
        assert http2.code_of(came) == h2.errors.ErrorCodes.NO_ERROR
        may_answer.set()
        assert wire.expect_end_of_stream(1) == b"ok"
    assert node.program.process.wait(10) == 0


def test_a_request_that_crosses_the_goaway_is_answered(workspace):
    """A connection at rest is told that it will end, and may have sent a request before it knew."""
    node, web = serve(workspace, workspace.keep(Origin(answer_with_request)))
    with http2.Wire.open(web) as wire:
        wire.headers(1)
        wire.expect_end_of_stream(1)
        node.program.signal(signal.SIGTERM)
        wire.expect(http2.PING)
        came = wire.read_frame()
        assert came.kind == http2.GOAWAY and came.payload[:4] == b"\x7f\xff\xff\xff"
        wire.headers(3)
        assert wire.expect_end_of_stream(3)
        wire.put(http2.PING, http2.ACK, 0, http2.number(1, 8))
        came = wire.read_frame()
        while came and came.kind != http2.GOAWAY:
            came = wire.read_frame()
        assert came.payload[:4] == http2.number(3) and http2.code_of(came) == h2.errors.ErrorCodes.NO_ERROR
    assert node.program.process.wait(10) == 0


def test_curl_and_nghttp_and_h2load(echo):
    _, web = echo
    url = f"{scheme(web)}://{web[0]}:{web[1]}/"
    speaks = ["-k", "--http2"] if speaks_tls(web) else ["--http2-prior-knowledge"]
    curl = subprocess.run(["curl", "-s", *speaks, "-d", "hello", "-w", "%{http_version}", url],
                          capture_output=True, check=True, timeout=30)
    assert curl.stdout == b"hello2"
    nghttp = subprocess.run(["nghttp", "-nv", url], capture_output=True, check=True, timeout=30)
    assert b":status: 200" in nghttp.stdout
    load = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "16", url], capture_output=True, check=True, timeout=60)
    assert b"2000 succeeded, 0 failed" in load.stdout


def test_the_preface_after_a_request_is_refused(workspace):
    _, web = serve(workspace, workspace.keep(Origin(answer_with_request)))
    with Peer.connect(web) as peer:
        assert peer.exchange(request()).status == 200
        peer.send(http2.PREFACE)
        assert peer.read_response().status == 505
