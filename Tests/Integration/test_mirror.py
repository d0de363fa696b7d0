"""Copies of requests for a mirror: what they are, and that nobody notices what becomes of them."""

import socket
import ssl
import struct
import threading

import h2.events
import h2.settings
import pytest

import http2
from weir import Fleet, Load, Origin, Peer, ReservedPort, get, is_listening, request, until

LIMIT = 1 << 20
# As many copies of one worker are on their way at a time.
COPIES = 256


def metric(node, name):
    """The value of a metric, by its name with its label."""
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split(" ")[1])
    raise AssertionError(f"there is no {name}")


def mirrored(node, result):
    return metric(node, f'weir_mirrored_requests_total{{result="{result}"}}')


class Seen:
    """A request as an endpoint has got it, in whatever protocol."""

    def __init__(self, method, target, authority, fields, body, trailers, octets=None):
        self.target, self.body, self.octets = target, body, octets
        # What belongs to the connection is another matter (RFC 9110 §7.6.1).
        own = ("host", "connection", "transfer-encoding")
        self.parts = (method, target, authority, sorted(field for field in fields if field[0] not in own),
                      body, sorted(trailers))

    def __eq__(self, other):
        return self.parts == other.parts

    def __repr__(self):
        return repr(self.parts)[:2000]


def http1_origin(workspace, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"):
    """An origin that records what it has `seen`, and answers; `answer` may be a function of its peer."""
    seen = []

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if head.get("expect"):
                peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = peer.read_body(head)
            seen.append(Seen(head.method, head.target, head.get("host"), head.fields, body, head.trailers, head.octets))
            if callable(answer):
                answer(peer)
            else:
                peer.send(answer)

    origin = workspace.origin(script)
    origin.seen = seen
    return origin


def h2_origin(workspace, hold=None):
    """The same in HTTP/2; with `hold`, answers come once it is set."""
    seen = []

    def script(origin, connection, event):
        stream = getattr(event, "stream_id", None)
        parts = connection.__dict__.setdefault("parts", {})
        if isinstance(event, h2.events.RequestReceived):
            parts[stream] = [event.headers, b"", []]
        elif isinstance(event, h2.events.DataReceived):
            parts[stream][1] += event.data
        elif isinstance(event, h2.events.TrailersReceived):
            parts[stream][2] = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            lines, body, trailers = parts.pop(stream)
            pseudo = dict(line for line in lines if line[0].startswith(":"))
            fields = [tuple(line) for line in lines if not line[0].startswith(":")]
            seen.append(Seen(pseudo[":method"], pseudo[":path"], pseudo[":authority"], fields, body,
                             [tuple(line) for line in trailers]))
            if hold is not None:
                hold.wait(30)
            connection.send_headers(stream, [(":status", "200")], end_stream=False)
            connection.send_data(stream, b"ok", end_stream=True)

    origin = workspace.keep(http2.Origin(script))
    origin.seen = seen
    return origin


def by_target(origin):
    """What an origin has seen, by the target; in which order copies come is the mirror's matter."""
    return {seen.target: seen for seen in origin.seen}


def serve(workspace, main, mirror, share="100%", route="", more="", settings="", workers=1):
    """A node whose requests go to `main`, and copies of them to `mirror`."""
    port = workspace.keep(ReservedPort())

    def upstream(name, origin, settings=""):
        spoken = ", protocol: h2c" if isinstance(origin, http2.Origin) else ""
        return (f"  - {{name: {name}, endpoints: [{{address: {origin}}}], connections: {{idle: 1s}}{spoken}"
                f"{settings}}}")

    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
{upstream("main", main)}
{upstream("mirror", mirror, settings)}
routes:
  - {{name: all, upstream: main, mirror: {{upstream: mirror, share: {share}}}{route}}}
{more}
""", workers=workers)
    return node, port.address


def at_rest(node, descriptors):
    """Waits until nothing is left of any exchange."""
    for name in ("weir_connections", "weir_upstream_connections", "weir_tunnels"):
        until(lambda name=name: metric(node, name) == 0, f"{name} is 0 again")
    # The connection for the metrics may be among them.
    until(lambda: len(node.program.descriptors()) <= descriptors + 1, "every descriptor is closed")


# What a copy is


ORIGINS = {"http1": http1_origin, "h2c": h2_origin}
CONTENT = {
    "none": ("GET", None),
    "empty": ("POST", b""),
    "short": ("POST", b"some content"),
    "long": ("PUT", bytes(range(256)) * 3600),
}


@pytest.mark.parametrize("to", ORIGINS)
@pytest.mark.parametrize("by", ORIGINS)
def test_a_copy_is_what_the_endpoint_gets(workspace, by, to):
    main, mirror = ORIGINS[by](workspace), ORIGINS[to](workspace)
    node, web = serve(workspace, main, mirror)
    with Peer.connect(web) as peer:
        for number, (method, body) in enumerate(CONTENT.values()):
            lengths = [] if body is None else [f"Content-Length: {len(body)}"]
            head = request(method, f"/a%20b/{number}?q=1", fields=["X-One: 1", "x-two: 2,  3", *lengths])
            response = peer.exchange(head + (body or b""))
            assert response.status == 200 and response.body == b"ok"
    until(lambda: mirrored(node, "complete") == len(CONTENT), "every copy was answered")
    copies = by_target(mirror)
    assert len(main.seen) == len(copies) == len(CONTENT)
    for number, (method, body) in enumerate(CONTENT.values()):
        seen, copied = main.seen[number], copies[f"/a%20b/{number}?q=1"]
        assert seen == copied
        assert copied.parts[0] == method and copied.body == (body or b"")
        if by == to == "http1":
            assert seen.octets == copied.octets
    assert metric(node, 'weir_requests_total{status_class="2xx"}') == len(CONTENT)
    assert len(node.access_log(len(CONTENT))) == len(CONTENT)


@pytest.mark.parametrize("to", ORIGINS)
@pytest.mark.parametrize("by", ORIGINS)
def test_content_that_comes_in_pieces_is_copied_whole(workspace, by, to):
    main, mirror = ORIGINS[by](workspace), ORIGINS[to](workspace)
    node, web = serve(workspace, main, mirror)
    pieces = [b"first", bytes(range(256)) * 200, b"x", b"y" * 70_000, b"last"]
    with Peer.connect(web) as peer:
        peer.send(request("POST", "/chunked", fields=["Transfer-Encoding: chunked", "TE: trailers"]))
        # None of it can have come with the head: an endpoint has that already.
        until(lambda: metric(node, "weir_upstream_connections") == 1, "the request is on its way")
        for piece in pieces:
            peer.send(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece))
        peer.send(b"0\r\nx-sum: 1\r\n\r\n")
        assert peer.read_response().status == 200
        peer.send(request("POST", "/length", fields=[f"Content-Length: {len(b''.join(pieces))}"]))
        for piece in pieces:
            peer.send(piece)
        assert peer.read_response().status == 200
        # One chunk of nothing.
        peer.send(request("POST", "/nothing", fields=["Transfer-Encoding: chunked"]) + b"0\r\n\r\n")
        assert peer.read_response().status == 200
    until(lambda: mirrored(node, "complete") == 3, "every copy was answered")
    copies = by_target(mirror)
    for seen in main.seen:
        assert seen == copies[seen.target]
    assert [seen.body for seen in main.seen] == [b"".join(pieces)] * 2 + [b""]
    assert copies["/chunked"].parts[5] == [("x-sum", "1")]


@pytest.mark.parametrize("to", ORIGINS)
@pytest.mark.parametrize("by", ORIGINS)
def test_requests_of_http2_are_copied(workspace, by, to):
    main, mirror = ORIGINS[by](workspace), ORIGINS[to](workspace)
    node, web = serve(workspace, main, mirror)
    with http2.Client(web) as client:
        bodies = {f"/{number}": body for number, (_, body) in enumerate(CONTENT.values())}
        streams = [client.request(path, method="GET" if body is None else "POST", body=body, fields=[("x-one", "1")])
                   for path, body in bodies.items()]
        late = client.request("/late", method="POST", body=b"first", ends=False)
        client.send(late, b"second")
        client.http2.send_headers(late, [("x-sum", "1")], end_stream=True)
        client.flush()
        assert [client.response(stream).status for stream in [*streams, late]] == [200] * 5
    until(lambda: mirrored(node, "complete") == 5, "every copy was answered")
    copies = by_target(mirror)
    assert len(main.seen) == len(copies) == 5
    for seen in main.seen:
        assert seen == copies[seen.target]
    assert copies["/late"].parts[4:] == (b"firstsecond", [("x-sum", "1")])


def test_a_copy_has_the_request_id_and_what_policies_set(workspace):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    node, web = serve(workspace, main, mirror, route=", policies: [tidy], rewrite: {prefix: /inner}, "
                      "match: {path: {prefix: /outer}}", more="""
policies:
  - {name: tidy, headers: {request: {set: {x-id: "${requestID}", x-to: "${upstream}"}, remove: [x-debug]}}}
""")
    get(web, "/outer/page", fields=["X-Debug: 1", "X-Keep: 1"])
    until(lambda: mirrored(node, "complete") == 1, "the copy was answered")
    assert main.seen[0].octets == mirror.seen[0].octets
    fields = dict(mirror.seen[0].parts[3])
    assert fields["x-id"] == fields["x-request-id"] and fields["x-to"] == "main" and "x-debug" not in fields
    assert mirror.seen[0].target == "/inner/page"


def test_pipelined_requests_are_copied_each(workspace):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    node, web = serve(workspace, main, mirror)
    targets = [f"/{number}" for number in range(40)]
    with Peer.connect(web) as peer:
        peer.send(b"".join(request("POST", target, body=target.encode()) for target in targets))
        assert [peer.read_response().status for _ in targets] == [200] * 40
    until(lambda: mirrored(node, "complete") == 40, "every copy was answered")
    assert sorted(seen.target for seen in mirror.seen) == sorted(targets)
    assert all(seen.target.encode() == seen.body for seen in mirror.seen)


# Which requests are copied


def test_a_share_of_the_requests_is_copied(workspace):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    node, web = serve(workspace, main, mirror, share="50%", workers=2)
    with Peer.connect(web) as peer:
        for _ in range(400):
            assert peer.exchange(request()).status == 200
    # The last one's copy is on its way at the latest when another request was answered.
    until(lambda: len(mirror.seen) == sum(mirrored(node, result) for result in ("complete", "failed")) > 0,
          "every copy was answered")
    # 200 are expected; 5.8 standard deviations are passed once in 10^8 runs.
    assert 142 < len(mirror.seen) < 258
    assert len(main.seen) == 400 and mirrored(node, "failed") == 0


def test_a_share_of_0_copies_nothing(workspace):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    node, web = serve(workspace, main, mirror, share="0%")
    with Peer.connect(web) as peer:
        assert {peer.exchange(request()).status for _ in range(20)} == {200}
    at_rest(node, len(node.program.descriptors()))
    assert mirror.connections == 0


def test_a_request_that_goes_to_the_mirror_itself_is_not_copied(workspace):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: main, endpoints: [{{address: {main}}}]}}
  - {{name: mirror, endpoints: [{{address: {mirror}}}]}}
routes:
  - name: all
    split: [{{upstream: main, weight: 1}}, {{upstream: mirror, weight: 1}}]
    mirror: {{upstream: mirror}}
""", workers=1)
    with Peer.connect(port.address) as peer:
        for number in range(60):
            assert peer.exchange(request(target=f"/{number}")).status == 200
    until(lambda: len(mirror.seen) == 60, "all are with the mirror, as requests or copies")
    assert sorted(seen.target for seen in mirror.seen) == sorted(f"/{number}" for number in range(60))
    until(lambda: mirrored(node, "complete") == len(main.seen), "only those of the other side are copies")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_request_that_is_too_long_is_not_copied(workspace, framing):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    node, web = serve(workspace, main, mirror)
    body = b"x" * (LIMIT + 1)
    with Peer.connect(web) as peer:
        if framing == "length":
            assert peer.exchange(request("POST", "/long", body=body)).status == 200
        else:
            peer.send(request("POST", "/long", fields=["Transfer-Encoding: chunked"]))
            peer.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            assert peer.read_response().status == 200
        assert peer.exchange(request(target="/short")).status == 200
    until(lambda: mirrored(node, "complete") == 1, "the short one is copied")
    assert main.seen[0].body == body
    assert [seen.target for seen in mirror.seen] == ["/short"]
    assert mirrored(node, "too_long") == 1


@pytest.mark.parametrize("client", ["http1", "h2"])
def test_nothing_is_copied_of_a_client_that_leaves_in_its_content(workspace, client):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    node, web = serve(workspace, main, mirror)
    descriptors = len(node.program.descriptors())
    if client == "http1":
        with Peer.connect(web) as peer:
            peer.send(request("POST", "/half", fields=["Content-Length: 100"]) + b"half")
            until(lambda: main.connections == 1, "it is on its way")
    else:
        with http2.Client(web) as peer:
            peer.request("/half", method="POST", body=b"half", ends=False)
            until(lambda: main.connections == 1, "it is on its way")
    until(lambda: metric(node, 'weir_requests_total{status_class="aborted"}') == 1, "it has gone")
    assert get(web, "/whole").status == 200
    until(lambda: mirrored(node, "complete") == 1, "the other one is copied")
    assert [seen.target for seen in mirror.seen] == ["/whole"]
    at_rest(node, descriptors)


def test_what_asks_for_another_protocol_is_not_copied(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if "upgrade" in head:
                peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                return peer.send(peer.read_exactly(5))
            origin.requests.append(head)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    main, mirror = workspace.origin(script), http1_origin(workspace)
    node, web = serve(workspace, main, mirror)
    with Peer.connect(web) as peer:
        response = peer.exchange(request(fields=["Connection: upgrade", "Upgrade: echo"]))
        assert response.status == 101
        peer.send(b"hello")
        assert peer.read_exactly(5) == b"hello"
    assert get(web, "/plain").status == 200
    until(lambda: mirrored(node, "complete") == 1, "the other one is copied")
    assert [seen.target for seen in mirror.seen] == ["/plain"]


def test_content_that_was_never_asked_for_is_not_copied(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            if head.target == "/refused":
                return peer.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            if head.get("expect"):
                peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            head.body = peer.read_body(head)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    main, mirror = workspace.origin(script), http1_origin(workspace)
    node, web = serve(workspace, main, mirror)
    expecting = ["Expect: 100-continue", "Content-Length: 5"]
    with Peer.connect(web) as peer:
        assert peer.exchange(request("POST", "/refused", fields=expecting)).status == 417
    with Peer.connect(web) as peer:
        peer.send(request("POST", "/asked", fields=expecting))
        assert b" 100 " in peer.read_until(b"\r\n\r\n")
        assert peer.exchange(b"12345").status == 200
    until(lambda: mirrored(node, "complete") == 1, "the other one is copied")
    assert [(seen.target, seen.body) for seen in mirror.seen] == [("/asked", b"12345")]


# Whatever the mirror does


def endless(peer):
    """A response that never ends."""
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.send(b"x" * 65536)


def broken(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk")


ODD = {
    "reset": (lambda peer: peer.reset(), "failed"),
    "close": (lambda peer: peer.close(), "failed"),
    "no response": (lambda peer: peer.send(b"what?\r\n\r\n"), "failed"),
    "broken content": (broken, "failed"),
    "endless content": (endless, "complete"),
    "an error": (lambda peer: peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"), "complete"),
    "interim and final": (lambda peer: peer.send(b"HTTP/1.1 103 Hints\r\n\r\n" * 3 + b"HTTP/1.1 204 No\r\n\r\n"), "complete"),
    "another protocol": (lambda peer: peer.send(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "failed"),
    "head of 100 KiB": (lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n"), "failed"),
}


@pytest.mark.parametrize("kind", ODD)
def test_the_client_does_not_notice_what_the_mirror_answers(workspace, kind):
    answer, result = ODD[kind]
    main, mirror = http1_origin(workspace), http1_origin(workspace, answer)
    node, web = serve(workspace, main, mirror)
    descriptors = len(node.program.descriptors())
    with Peer.connect(web) as peer:
        for number in range(30):
            response = peer.exchange(request("POST", f"/{number}", body=b"content"))
            assert response.status == 200 and response.body == b"ok"
    until(lambda: mirrored(node, result) == 30, f"every copy is {result}")
    records = node.access_log(30)
    assert len(records) == 30 and {(record["status"], record["route"]) for record in records} == {(200, "all")}
    assert metric(node, 'weir_route_errors_total{route="all"}') == 0
    at_rest(node, descriptors)


def test_a_mirror_that_refuses_connections_is_counted(workspace):
    with ReservedPort() as closed:
        main = http1_origin(workspace)
        node, web = serve(workspace, main, closed)
        descriptors = len(node.program.descriptors())
        with Peer.connect(web) as peer:
            assert {peer.exchange(request()).status for _ in range(50)} == {200}
        until(lambda: mirrored(node, "failed") == 50, "every copy failed")
        at_rest(node, descriptors)


def test_an_endpoint_that_refuses_connections_does_not_keep_the_copy(workspace):
    with ReservedPort() as closed:
        mirror = http1_origin(workspace)
        node, web = serve(workspace, closed, mirror)
        with Peer.connect(web) as peer:
            assert peer.exchange(request("POST", body=b"content")).status == 502
        until(lambda: mirrored(node, "complete") == 1, "the mirror has got it")
        assert mirror.seen[0].body == b"content"


@pytest.mark.parametrize("to", ORIGINS)
def test_a_mirror_that_stalls_holds_up_nobody_and_no_more_than_its_share(workspace, to):
    goes_on = threading.Event()

    def stall(peer):
        goes_on.wait(60)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    main = http1_origin(workspace)
    mirror = h2_origin(workspace, goes_on) if to == "h2c" else http1_origin(workspace, stall)
    node, web = serve(workspace, main, mirror)
    descriptors = len(node.program.descriptors())
    try:
        with Peer.connect(web) as peer:
            for number in range(COPIES + 44):
                assert peer.exchange(request("POST", f"/{number}", body=b"content")).status == 200
            until(lambda: mirrored(node, "limited") == 44, "no more copies are sent than may be")
            assert mirrored(node, "complete") == mirrored(node, "failed") == 0
    finally:
        goes_on.set()
    until(lambda: mirrored(node, "complete") == COPIES, "every copy was answered in the end")
    with Peer.connect(web) as peer:
        assert peer.exchange(request()).status == 200
    until(lambda: mirrored(node, "complete") == COPIES + 1, "there is room for copies again")
    at_rest(node, descriptors)


def test_a_mirror_that_never_answers_is_given_up(workspace):
    main, mirror = http1_origin(workspace), http1_origin(workspace, lambda peer: peer.read_exactly(1))
    node, web = serve(workspace, main, mirror, settings=", timeouts: {total: 1s}")
    descriptors = len(node.program.descriptors())
    with Peer.connect(web) as peer:
        assert {peer.exchange(request()).status for _ in range(200)} == {200}
    until(lambda: mirrored(node, "failed") + mirrored(node, "limited") == 200, "every copy was given up")
    at_rest(node, descriptors)


def test_a_mirror_that_reads_nothing_is_given_up(workspace):
    def script(peer, origin):
        origin.requests.append(peer)
        stopped.wait(60)

    stopped = threading.Event()
    main, mirror = http1_origin(workspace), workspace.origin(script)
    node, web = serve(workspace, main, mirror, settings=", timeouts: {total: 2s}")
    descriptors = len(node.program.descriptors())
    body = b"x" * (LIMIT - 8192)
    try:
        with Peer.connect(web) as peer:
            for _ in range(60):
                assert peer.exchange(request("POST", body=body)).status == 200
        # Of so long ones there are no more than 32 MiB at a time.
        until(lambda: mirrored(node, "failed") + mirrored(node, "limited") == 60, "every copy was given up")
        at_rest(node, descriptors)
    finally:
        stopped.set()
    assert [len(seen.body) for seen in main.seen] == [len(body)] * 60


@pytest.mark.parametrize("to", ORIGINS)
def test_a_copy_gives_way_to_requests_for_the_same_upstream(workspace, to):
    held = threading.Event()

    def hold_copies(peer):
        if mirror.seen[-1].target == "/copied":
            held.wait(60)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def answer_others(origin, connection, event):
        if isinstance(event, h2.events.RequestReceived) and (":path", "/copied") not in event.headers:
            connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)

    main = http1_origin(workspace)
    if to == "http1":
        mirror, spoken, copies = http1_origin(workspace, hold_copies), "", 1
    else:
        few_streams = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 3}
        mirror = workspace.keep(http2.Origin(answer_others, few_streams))
        spoken, copies = ", protocol: h2c", 3
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: main, endpoints: [{{address: {main}}}]}}
  - {{name: next, endpoints: [{{address: {mirror}}}], connections: {{maximum: 1}}{spoken}}}
routes:
  - {{name: next, match: {{path: {{prefix: /next}}}}, upstream: next}}
  - {{name: all, upstream: main, mirror: {{upstream: next}}}}
""", workers=1)
    try:
        # The first answer says how many streams there may be.
        assert to == "http1" or get(port.address, "/next").status == 200
        for _ in range(copies):
            assert get(port.address, "/copied").status == 200
        got = mirror.seen if to == "http1" else mirror.requests
        until(lambda: sum("/copied" in str(one) for one in got) == copies, "copies have all that there is")
        # A copy that has only just begun stays: whoever comes in that moment is refused.
        until(lambda: get(port.address, "/next").status == 200, "the request has it now")
        until(lambda: mirrored(node, "failed") == 1, "one copy was given up, and no other")
    finally:
        held.set()


# What stands before a copy on its connection


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("by", ["HTTP/1.1", "HTTP/2"])
def test_a_mirror_is_told_of_the_client_in_a_proxy_header(workspace, by, version):
    told = []

    def script(peer, origin):
        if version == "v1":
            told.append(tuple(peer.read_until(b"\r\n").decode().split()[1:]))
        else:
            fixed = peer.read_exactly(16)
            octets = peer.read_exactly(struct.unpack(">H", fixed[14:])[0])
            source, port = socket.inet_ntoa(octets[:4]), struct.unpack(">H", octets[8:10])[0]
            told.append(("TCP4", source, socket.inet_ntoa(octets[4:8]), str(port),
                         str(struct.unpack(">H", octets[10:12])[0])))
        while (head := peer.read_head()) is not None:
            assert peer.read_body(head) == b"content"
            peer.send(OK)

    main, mirror = http1_origin(workspace), workspace.origin(script)
    node, web = serve(workspace, main, mirror, settings=f", proxyProtocol: {version}")
    with Peer.connect(web, source=("127.0.0.7", 0)) as peer:
        port = peer.socket.getsockname()[1]
        if by == "HTTP/2":
            with http2.Client.over(peer.socket) as client:
                streams = [client.request("/", method="POST", body=b"content") for _ in range(3)]
                assert [client.response(stream).status for stream in streams] == [200] * 3
        else:
            for _ in range(3):
                assert peer.exchange(request("POST", body=b"content")).status == 200
    until(lambda: mirrored(node, "complete") == 3, "every copy was answered")
    assert told == [("TCP4", "127.0.0.7", "127.0.0.1", str(port), str(web[1]))] * 3


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_mirror_that_expects_no_proxy_header_disturbs_nobody(workspace, version):
    main, mirror = http1_origin(workspace), http1_origin(workspace)
    mirror.script = lambda peer, origin: peer.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    node, web = serve(workspace, main, mirror, settings=f", proxyProtocol: {version}")
    with Peer.connect(web) as peer:
        assert {peer.exchange(request("POST", body=b"content")).status for _ in range(20)} == {200}
    until(lambda: mirrored(node, "complete") + mirrored(node, "failed") == 20, "every copy came to its end")


class SecureMirror(Origin):
    """An origin behind TLS, which does not begin a handshake before `goes_on`."""

    def __init__(self, workspace, identity="mirror", goes_on=None):
        self.goes_on = goes_on
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = workspace.certificates.folder
        self.context.load_cert_chain(folder / f"{identity}.crt", folder / f"{identity}.key")
        self.seen, self.refused = [], []
        super().__init__(self.answer)

    def answer(self, peer, _):
        while (head := peer.read_head()) is not None:
            self.seen.append((head.method, head.target, peer.read_body(head)))
            peer.send(OK)

    def serve(self, peer):
        if self.goes_on:
            self.goes_on.wait(60)
        try:
            connection = self.context.wrap_socket(peer.socket, server_side=True)
        except (ssl.SSLError, OSError) as failure:
            self.refused.append(failure)
            return peer.close()
        return super().serve(Peer(connection))


def serve_secure(workspace, main, mirror, tls="authority: authority, serverName: mirror.test"):
    """The same as `serve` with TLS to the mirror."""
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
certificates: [{{name: authority, authority: {{file: authority.pem}}}}]
upstreams:
  - {{name: main, endpoints: [{{address: {main}}}], connections: {{idle: 1s}}}}
  - {{name: mirror, endpoints: [{{address: {mirror}}}], connections: {{idle: 1s}}, tls: {{{tls}}}}}
routes: [{{name: all, upstream: main, mirror: {{upstream: mirror}}}}]
""", workers=1, certificates=workspace.certificates.folder)
    return node, port.address


def test_a_copy_goes_over_tls(workspace):
    workspace.certificates.issue("mirror", "mirror.test")
    main, mirror = http1_origin(workspace), workspace.keep(SecureMirror(workspace))
    node, web = serve_secure(workspace, main, mirror)
    bodies = [b"", b"short", bytes(range(256)) * 3600]
    with Peer.connect(web) as peer:
        for number, body in enumerate(bodies):
            assert peer.exchange(request("POST", f"/{number}", body=body)).status == 200
    until(lambda: mirrored(node, "complete") == len(bodies), "every copy was answered")
    assert sorted(mirror.seen) == sorted(("POST", f"/{number}", body) for number, body in enumerate(bodies))
    at_rest(node, 1 << 16)


def test_a_mirror_whose_certificate_is_not_believed_disturbs_nobody(workspace):
    workspace.certificates.issue("mirror", "other.test")
    main, mirror = http1_origin(workspace), workspace.keep(SecureMirror(workspace))
    node, web = serve_secure(workspace, main, mirror)
    with Peer.connect(web) as peer:
        assert {peer.exchange(request("POST", body=b"content")).status for _ in range(20)} == {200}
    until(lambda: mirrored(node, "failed") == 20, "no copy was sent")
    assert not mirror.seen and metric(node, 'weir_requests_total{status_class="2xx"}') == 20
    at_rest(node, 1 << 16)


def test_a_handshake_that_a_mirror_does_not_answer_holds_up_nobody(workspace):
    workspace.certificates.issue("mirror", "mirror.test")
    goes_on = threading.Event()
    workspace.closing.callback(goes_on.set)
    main, mirror = http1_origin(workspace), workspace.keep(SecureMirror(workspace, goes_on=goes_on))
    node, web = serve_secure(workspace, main, mirror)
    with Peer.connect(web) as peer:
        assert {peer.exchange(request("POST", body=b"content")).status for _ in range(COPIES + 10)} == {200}
    assert mirrored(node, "complete") == 0
    goes_on.set()
    until(lambda: sum(mirrored(node, how) for how in ("complete", "failed", "limited")) == COPIES + 10,
          "every copy came to its end")


# Ends


@pytest.mark.parametrize("kind", ["stuck", "closes"])
def test_copies_hold_up_no_drain_of_a_node(workspace, kind):
    goes_on = threading.Event()
    workspace.closing.callback(goes_on.set)
    held = threading.Event()
    workspace.closing.callback(held.set)

    def hold(peer, origin):
        while (head := peer.read_head()) is not None:
            peer.read_body(head)
            origin.requests.append(head)
            if head.target == "/slow":
                held.wait(60)
            peer.send(OK)

    main = workspace.origin(hold)
    mirror = http1_origin(workspace, (lambda peer: goes_on.wait(60)) if kind == "stuck" else (lambda peer: peer.close()))
    fleet, port = Fleet(workspace), workspace.keep(ReservedPort())
    node = fleet.add("edge", "--drain-timeout", "60s", workers=2)
    fleet.apply(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: main, endpoints: [{{address: {main}}}]}}
  - {{name: mirror, endpoints: [{{address: {mirror}}}]}}
routes: [{{name: all, upstream: main, mirror: {{upstream: mirror}}}}]
""", "--wait")
    with Peer.connect(port.address) as slow, Peer.connect(port.address) as late:
        assert late.exchange(request("POST", "/first", body=b"content")).status == 200
        slow.send(request("POST", "/slow", body=b"content"))
        until(lambda: any(head.target == "/slow" for head in main.requests), "the request is with the endpoint")
        until(lambda: len(mirror.seen) >= 2, "the copies are with the mirror")
        fleet.ctl("node", "drain", "edge")
        until(lambda: not is_listening(port.address), "the listener is closed")
        # What comes on a connection that was there is answered, with its copy on its way.
        last = late.exchange(request("POST", "/last", body=b"content"))
        assert last.status == 200 and last.get("connection") == "close"
        held.set()
        assert slow.read_response().status == 200
    fleet.ctl("node", "undrain", "edge")
    until(lambda: is_listening(port.address), "the listener is open again")
    with Load(port.address, connections=4) as load:
        load.more(100)
    assert not load.failures
    assert node.stop() == 0


def test_a_node_ends_while_copies_are_stuck(workspace):
    main, mirror = http1_origin(workspace), http1_origin(workspace, lambda peer: peer.read_exactly(1))
    node, web = serve(workspace, main, mirror, workers=2)
    with Peer.connect(web) as peer:
        assert {peer.exchange(request()).status for _ in range(20)} == {200}
        until(lambda: len(mirror.seen) == 20, "the copies are with the mirror")
        received = metric(node, "weir_received_bytes_total")
        peer.send(request("POST", "/last", fields=["Content-Length: 4"]) + b"12")
        until(lambda: metric(node, "weir_received_bytes_total") > received, "the request has begun")
        node.program.signal(15)
        until(lambda: "node.draining" in node.program.stderr(), "the node drains")
        assert peer.exchange(b"34").status == 200
    # Another SIGTERM would have it skip the waiting.
    assert node.program.process.wait(15) == 0


def test_a_copy_goes_on_in_another_version(workspace):
    goes_on = threading.Event()

    def stall(peer):
        goes_on.wait(60)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    main, mirror = http1_origin(workspace), http1_origin(workspace, stall)
    fleet, port, gone = Fleet(workspace), workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    node = fleet.add("edge", workers=1)

    def apply(*listeners, text=""):
        fleet.apply(f"""
listeners: [{", ".join(f"{{name: {name}, address: {address}}}" for name, address in listeners)}]
upstreams:
  - {{name: main, endpoints: [{{address: {main}}}]}}
{text or f"  - {{name: mirror, endpoints: [{{address: {mirror}}}]}}"}
routes: [{{name: all, upstream: main{"" if text else ", mirror: {upstream: mirror}"}}}]
""", "--wait")

    try:
        apply(("web", port), ("gone", gone))
        for target in (port.address, port.address, gone.address):
            assert get(target, "/").status == 200
        until(lambda: len(mirror.seen) == 3, "the copies are with the mirror")
        # One listener goes, and its copies with it; then the mirror's upstream does.
        apply(("web", port))
        until(lambda: mirrored(node, "failed") == 1, "the copy of the listener that went has ended")
        apply(("web", port), text="  - {name: other, endpoints: [{address: 127.0.0.1:1}]}")
        assert mirrored(node, "complete") == 0
    finally:
        goes_on.set()
    until(lambda: mirrored(node, "complete") == 2, "the others were answered")
    assert get(port.address, "/").status == 200 and mirrored(node, "failed") == 1
