"""What happens at the edges of an exchange: of blocks, of time, and of connections that end too early."""

import contextlib
import threading

import pytest

from weir import Origin, Peer, ReservedPort, answering, get, request, until


def serve(workspace, origin, upstream="", listener="", routes="[{name: all, upstream: main}]"):
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}{listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{upstream}}}]
routes: {routes}
""", workers=1)
    return node, port.address


def ok(length):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length


def test_a_long_pipeline_is_answered_whole(workspace):
    _, web = serve(workspace, workspace.origin(), routes="[{name: all, respond: {status: 200, body: ok}}]")
    one = request(fields=["X-Filler: " + "f" * 200])
    count = 3000
    with Peer.connect(web) as peer:
        threading.Thread(target=peer.send, args=[one * count]).start()
        for _ in range(count):
            assert peer.read_response().status == 200


def test_many_interim_responses_come_through(workspace):
    count = 3000
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nX-Filler: 0123456789\r\n\r\n"
    _, web = serve(workspace, workspace.keep(Origin(answering(interim * count + ok(2)))))
    with Peer.connect(web) as peer:
        head = peer.exchange(request())
        assert (head.status, len(head.interim)) == (200, count)


@pytest.mark.parametrize("size", [3055, 3056, 3057])
def test_a_request_that_fills_its_block_leaves_the_idle_limit(workspace, size):
    _, web = serve(workspace, workspace.origin(), listener=", timeouts: {idle: 1500ms}",
                   routes="[{name: all, respond: {status: 200, body: ok}}]")
    bare = len(request(fields=["X-Filler: "]))
    with Peer.connect(web) as peer:
        assert peer.exchange(request(fields=["X-Filler: " + "f" * (size - bare)])).status == 200
        assert peer.is_closed()


def test_a_response_that_fills_its_block_leaves_the_connection_of_use(workspace):
    # A block of 16 KiB but for what is left free in front and behind.
    origin = workspace.keep(Origin(answering(ok(15_344 - len(ok(0)) - 4))))
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        for _ in range(10):
            assert peer.exchange(request()).status == 200
    assert origin.connections == 1


def test_an_early_answer_of_an_origin_that_then_closes_is_delivered(workspace):
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        # Closing with the content unread resets the connection.

    _, web = serve(workspace, workspace.keep(Origin(script)))
    for _ in range(30):
        with Peer.connect(web) as peer:
            with contextlib.suppress(OSError):
                peer.send(request("POST", body=b"x" * 1_000_000))
            head = peer.read_response()
            assert (head.status, head.body) == (413, b"big")


def test_the_time_to_the_first_octet_begins_with_the_end_of_the_request(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if head.target == "/silent":
                return peer.read_to_end()
            peer.read_body(head)
            peer.send(ok(2))

    _, web = serve(workspace, workspace.origin(script), ", timeouts: {firstByte: 2s}")
    with Peer.connect(web) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        # Longer than the endpoint may take, which has nothing to answer yet: another one has had that time.
        assert get(web, "/silent").status == 504
        peer.send(b"cd")
        assert peer.read_response().status == 200


def test_an_endpoint_that_is_slow_to_read_is_not_slow_to_answer(workspace):
    begin, size = threading.Event(), 20 << 20

    def script(peer, origin):
        if peer.read_head().target == "/silent":
            return peer.read_to_end()
        begin.wait(20)
        missing = size - len(peer.buffer)
        while missing > 0 and (octets := peer.socket.recv(1 << 20)):
            missing -= len(octets)
        peer.send(ok(2))

    workspace.closing.callback(begin.set)
    _, web = serve(workspace, workspace.keep(Origin(script)), ", timeouts: {firstByte: 2s, idle: 30s}")
    with Peer.connect(web) as peer:
        sender = threading.Thread(target=peer.send, args=[request("POST", body=b"x" * size)])
        sender.start()
        # Longer than the endpoint may take to answer, had it the request: another one has had that time.
        assert get(web, "/silent").status == 504
        begin.set()
        assert peer.read_response().status == 200
        sender.join()


def test_a_response_that_is_cut_takes_none_before_it_along(workspace):
    whole, cut = ok(400_000), b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            peer.send(whole if head.target == "/whole" else cut)
            if head.target == "/cut":
                return

    node, web = serve(workspace, workspace.keep(Origin(script)))

    def was_cut():
        return b'weir_requests_total{status_class="aborted"} 1\n' in node.get("/metrics").body

    with Peer.connect(web) as peer:
        peer.send(request(target="/whole") + request(target="/cut"))
        until(was_cut, "the second response was cut, while the client has read nothing of the first")
        assert len(peer.read_response().body) == 400_000
        rest = peer.read_to_end()
        assert rest.endswith(b"\r\n\r\nhalf"), "less than was announced"


def test_a_broken_chunk_right_behind_the_head_is_502(workspace):
    broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    _, web = serve(workspace, workspace.keep(Origin(answering(broken))))
    with Peer.connect(web) as peer:
        assert peer.exchange(request()).status == 502


def test_no_content_has_no_length_and_a_nominated_date_is_replaced(workspace):
    answers = [b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
               b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: date\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n\r\n"]

    def script(peer, origin):
        for answer in answers:
            peer.read_head()
            peer.send(answer)

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        head = peer.exchange(request())
        assert head.status == 204 and "content-length" not in head
        head = peer.exchange(request())
        assert "date" in head and "2000" not in head.get("date")


def test_a_prefix_of_two_slashes_is_not_one(workspace):
    _, web = serve(workspace, workspace.origin(), routes="""
  - {name: empty, match: {path: {prefix: //}}, respond: {status: 200, body: empty segment}}
  - {name: deeper, match: {path: {prefix: /a//}}, respond: {status: 200, body: deeper}}
  - {name: root, match: {path: {prefix: /}}, respond: {status: 200, body: root}}""")
    with Peer.connect(web) as peer:
        for target, body in [("/x", b"root"), ("//x", b"empty segment"), ("//", b"empty segment"),
                             ("/a/x", b"root"), ("/a//x", b"deeper"), ("/a//", b"deeper")]:
            assert peer.exchange(request(target=target)).body == body, target
