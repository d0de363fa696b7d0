"""What passes between client and origin: messages, bodies and fields, octet for octet."""

import threading

import pytest

from weir import Origin, Peer, ReservedPort, answering, get, request, scheme, until

HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "x-hop"]


def serve(workspace, origin, upstream="", more="", workers=2, listener="", name="node"):
    """A node that sends everything to `origin`; returns it and its address."""
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}{listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
{more}""", name, workers=workers)
    return node, port.address


def test_connections_are_kept_on_both_sides(workspace):
    origin = workspace.origin()
    _, web = serve(workspace, origin, workers=1)
    with Peer.connect(web) as peer:
        for index in range(20):
            assert peer.exchange(request(target=f"/{index}")).json["target"] == f"/{index}"
    assert origin.connections == 1


def test_pipelined_requests_are_answered_in_order(workspace):
    _, web = serve(workspace, workspace.origin())
    with Peer.connect(web) as peer:
        peer.send(b"".join(request(target=f"/{index}") for index in range(10)))
        assert [peer.read_response().json["target"] for _ in range(10)] == [f"/{index}" for index in range(10)]


def test_a_request_may_arrive_octet_by_octet(workspace):
    _, web = serve(workspace, workspace.origin())
    with Peer.connect(web) as peer:
        for octet in request("POST", "/slow", body=b"abc"):
            peer.send(bytes([octet]))
        assert peer.read_response().json["body"] == "abc"


def test_a_client_of_http_1_0_gets_a_closed_connection_unless_it_asks_to_keep_it(workspace):
    _, web = serve(workspace, workspace.origin())
    with Peer.connect(web) as peer:
        assert peer.exchange(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n").status == 200
        assert peer.is_closed()
    with Peer.connect(web) as peer:
        for _ in range(2):
            head = peer.exchange(b"GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n")
            assert head.status == 200


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, 3_000_000])
def test_bodies_with_a_length_pass_both_ways(workspace, size):
    content = bytes(index * 7 % 251 for index in range(size))

    def echo(peer, origin):
        while (head := peer.read_head()) is not None:
            body = peer.read_body(head)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    _, web = serve(workspace, workspace.keep(Origin(echo)))
    with Peer.connect(web) as peer:
        for _ in range(2):
            sender = threading.Thread(target=peer.send, args=(
                b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size + content,))
            sender.start()
            assert peer.read_response().body == content
            sender.join()


def chunks(parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_chunked_bodies_pass_both_ways(workspace):
    parts = [b"a", b"b" * 1000, b"c" * 100_000, b"d"]
    received = []

    def echo(peer, origin):
        while (head := peer.read_head()) is not None:
            received.append(head)
            body = peer.read_body(head)
            received.append(body)
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks([body[:5], body[5:]]))

    _, web = serve(workspace, workspace.keep(Origin(echo)))
    with Peer.connect(web) as peer:
        for _ in range(2):
            head = peer.exchange(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 + chunks(parts))
            assert head.body == b"".join(parts)
            assert head.get("transfer-encoding") == "chunked" and "content-length" not in head
    assert received[1] == b"".join(parts)
    assert received[0].get("transfer-encoding") == "chunked" and "content-length" not in received[0]


def test_a_chunked_response_reaches_a_client_of_http_1_0_without_chunks(workspace):
    script = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks([b"one", b"two"]))
    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        peer.send(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        head, body = peer.read_to_end().split(b"\r\n\r\n", 1)
        assert body == b"onetwo" and b"chunked" not in head.lower()


def test_a_response_that_only_the_end_delimits_is_whole(workspace):
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"z" * 70_000)

    _, web = serve(workspace, workspace.keep(Origin(script)))
    assert get(web).body == b"z" * 70_000


def test_a_body_flows_before_it_is_complete_in_both_directions(workspace):
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):  # answers each part of the request's body before the next one is sent
            assert peer.read_until(b"\r\n") == b"4\r\n"
            part = peer.read_exactly(6)[:-2]
            peer.send(b"4\r\n" + part + b"\r\n")
        peer.read_until(b"0\r\n\r\n")
        peer.send(b"0\r\n\r\n")
        peer.read_head()

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nping\r\n")
        head = peer.read_head()
        assert head.status == 200
        assert peer.read_until(b"ping\r\n") == b"4\r\nping\r\n"
        for _ in range(2):
            peer.send(b"4\r\nping\r\n")
            assert peer.read_until(b"ping\r\n") == b"4\r\nping\r\n"
        peer.send(b"0\r\n\r\n")
        assert peer.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"


def test_a_client_that_does_not_read_stops_the_origin_and_costs_no_memory(workspace):
    size, sent = 256 * 1024 * 1024, [0]

    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = b"x" * 65536
        while sent[0] < size:
            peer.send(block)
            sent[0] += len(block)

    node, web = serve(workspace, workspace.keep(Origin(script)), workers=1)
    with Peer.connect(web) as peer:
        peer.send(request())
        peer.read_head()
        history = []

        def stalled():
            history.append(sent[0])
            return len(history) > 60 and len(set(history[-50:])) == 1

        until(stalled, "the origin is held back", 30)
        assert sent[0] < 64 * 1024 * 1024  # what socket buffers of two connections may hold
        with open(f"/proc/{node.program.pid}/status", encoding="ascii") as file:
            resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        assert resident < 100_000
        rest = size - len(peer.take(len(peer.buffer)))
        while rest > 0:
            octets = peer.socket.recv(1 << 20)
            assert octets
            rest -= len(octets)


def test_responses_without_content_end_with_their_head(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            status = head.target[1:]
            peer.send(f"HTTP/1.1 {status} X\r\nETag: \"1\"\r\n\r\n".encode() if status in ("204", "304")
                      else b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        assert peer.exchange(request(target="/204")).status == 204
        assert peer.exchange(request(target="/304")).status == 304
        head = peer.exchange(request("HEAD", "/200"), "HEAD")
        assert (head.status, head.get("content-length")) == (200, "5")
        assert peer.exchange(request(target="/204")).status == 204


def test_expect_100_continue_gets_its_go_ahead(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if "expect" in head:
                peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = peer.read_body(head)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert peer.read_head().status == 100
        peer.send(b"body")
        assert peer.read_response().body == b"body"


def test_interim_responses_reach_the_client(workspace):
    script = answering(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    _, web = serve(workspace, workspace.keep(Origin(script)))
    with Peer.connect(web) as peer:
        head = peer.exchange(request())
        assert head.status == 200
        assert [(interim.status, interim.get("link")) for interim in head.interim] == [(103, "</a.css>")]


def test_hop_by_hop_fields_stop_here_in_both_directions(workspace):
    fields = ("Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers, gzip\r\n"
              "Upgrade: weather/1\r\nX-Hop: 1\r\nX-End: 2\r\nConnection: keep-alive, X-Hop, TE, Upgrade\r\n")
    origin = workspace.keep(Origin(answering(f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{fields}\r\nok".encode())))
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        head = peer.exchange(f"GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n".encode())
    seen = origin.requests[0]
    for name in HOP_BY_HOP:
        if name not in ("connection", "te"):
            assert name not in head, name
            assert name not in seen or name == "upgrade", name
    # Another protocol and trailers are asked for anew; nothing else is named as of this connection alone.
    assert (seen.get("connection"), seen.get("upgrade")) == ("te, upgrade", "weather/1")
    assert (seen.get("x-end"), head.get("x-end")) == ("2", "2")


def test_the_forwarding_fields_say_what_we_know_and_not_what_the_client_claims(workspace):
    _, web = serve(workspace, workspace.origin())
    head = get(web, "/", "shop.example.test", fields=[
        "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: ftp", "X-Forwarded-Host: evil.test",
        "Forwarded: for=1.2.3.4;host=evil.test"])
    fields = dict(head.json["fields"])
    assert fields["host"] == "shop.example.test"
    assert fields["x-forwarded-for"] == "127.0.0.1"
    assert fields["x-forwarded-proto"] == scheme(web)
    assert fields["x-forwarded-host"] == "shop.example.test"
    forwarded = fields["forwarded"].replace('"', "").lower()
    assert "for=127.0.0.1" in forwarded and f"proto={scheme(web)};" in forwarded and "host=shop.example.test" in forwarded
    assert "1.2.3.4" not in str(fields) and "evil" not in str(fields)
    assert fields["via"] == "1.1 weir"


def test_the_origin_does_not_reveal_itself_and_we_say_who_passed_it_on(workspace):
    script = answering(b"HTTP/1.1 200 OK\r\nServer: demo/1\r\nX-Powered-By: PHP\r\nX-Backend-Id: 7\r\nX-Kept: 1\r\n"
                       b"Content-Length: 0\r\n\r\n")
    _, web = serve(workspace, workspace.keep(Origin(script)))
    head = get(web)
    assert "server" not in head and "x-powered-by" not in head and "x-backend-id" not in head
    assert head.get("x-kept") == "1"
    assert head.get("via") == "1.1 weir"


def test_a_redirect_of_the_origin_to_itself_becomes_public(workspace):
    def script(peer, origin):
        while (peer.read_head()) is not None:
            peer.send(f"HTTP/1.1 302 Found\r\nLocation: http://{origin}/next\r\nContent-Length: 0\r\n\r\n".encode())

    _, web = serve(workspace, workspace.keep(Origin(script)))
    assert get(web, "/", f"public.test:{web[1]}").get("location") == f"{scheme(web)}://public.test:{web[1]}/next"


def test_endpoints_are_named_in_public_where_fields_name_them(workspace):
    def script(peer, origin):
        host, port = str(origin).split(":")
        while (peer.read_head()) is not None:
            peer.send(f"HTTP/1.1 201 Created\r\nContent-Location: //{origin}/a?b#c\r\n"
                      f"Refresh: 5; url=\"http://{origin}\"\r\nLocation: https://elsewhere.test:{port}/\r\n"
                      f"Set-Cookie: s=1; Domain={host}; Path=/\r\nSet-Cookie: t=2; Domain=public.test\r\n"
                      f"X-Other: http://{origin}/\r\nContent-Length: 0\r\n\r\n".encode())

    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, origin)
    head = get(web, "/", "public.test")
    assert head.get("content-location") == f"{scheme(web)}://public.test/a?b#c"
    assert head.get("refresh") == f'5; url="{scheme(web)}://public.test"'
    assert head.get("location") == f"https://elsewhere.test:{str(origin).split(':')[1]}/"
    secure = "; Secure" if scheme(web) == "https" else ""
    assert head.all("set-cookie") == ["s=1; Path=/" + secure, "t=2; Domain=public.test" + secure]
    assert head.get("x-other") == f"{scheme(web)}://public.test/"


def test_a_request_has_an_identifier_that_clients_cannot_choose(workspace):
    origin = workspace.origin()
    node, web = serve(workspace, origin)
    get(web, fields=["X-Request-ID: chosen"])
    get(web)
    first, second = [request.get("x-request-id") for request in origin.requests]
    assert len(first) == 32 and len(second) == 32 and first != second
    assert {record["request_id"] for record in node.access_log(2)} == {first, second}
    _, trusting = serve(workspace, origin, listener=", trustedProxies: [127.0.0.0/8]", name="trusting")
    get(trusting, fields=["X-Request-ID: chosen"])
    assert origin.requests[-1].get("x-request-id") == "chosen"


def test_a_target_that_grows_when_it_is_normalised_is_forwarded_whole(workspace):
    origin = workspace.origin()
    _, web = serve(workspace, origin)
    target, fields = "/" + "{" * 16000, [f"X-{index}: {'y' * 6000}" for index in range(9)]
    with Peer.connect(web) as peer:
        assert peer.exchange(request("POST", target, fields=fields, body=b"z" * 50000)).status == 200
    assert origin.requests[0].target == "/" + "%7B" * 16000


def test_field_lines_keep_their_order_and_repetition(workspace):
    script = answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-A: 1\r\nSet-Cookie: b=2\r\nX-A: 2\r\n"
                       b"Content-Length: 0\r\n\r\n")
    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, origin)
    head = get(web, fields=["X-B: 1", "Cookie: z=1", "X-B: 2"])
    assert [value.removesuffix("; Secure") for value in head.all("set-cookie")] == ["a=1", "b=2"]
    assert head.all("x-a") == ["1", "2"]
    assert origin.requests[0].all("x-b") == ["1", "2"]


def test_a_kept_connection_that_the_origin_closed_does_not_cost_the_next_request(workspace):
    def script(peer, origin):
        head = peer.read_head()
        origin.requests.append(head)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")  # and then closes without a word

    origin = workspace.keep(Origin(script))
    _, web = serve(workspace, origin, workers=1)
    with Peer.connect(web) as peer:
        for _ in range(20):
            assert peer.exchange(request()).status == 200
    assert origin.connections == 20


def test_the_normalised_path_is_what_the_origin_gets(workspace):
    _, web = serve(workspace, workspace.origin())
    assert get(web, "/a/./b/../%7Ec?q=%7e").json["target"] == "/a/~c?q=%7e"


def test_many_connections_at_once(workspace):
    _, web = serve(workspace, workspace.origin())
    peers = [workspace.keep(Peer.connect(web)) for _ in range(300)]
    for index, peer in enumerate(peers):
        peer.send(request(target=f"/{index}"))
    for index, peer in enumerate(peers):
        assert peer.read_response().json["target"] == f"/{index}"


def test_trailer_fields_go_on_both_ways(workspace):
    response = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n"
                b"Server: hidden\r\nContent-Length: 9\r\nLocation: http://127.0.0.1:1/\r\n\r\n")
    origin = workspace.keep(Origin(answering(response)))
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        for _ in range(2):
            peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"3\r\nabc\r\n0\r\nX-Check: 7\r\nX-Forwarded-For: 6.6.6.6\r\nHost: evil\r\nX-Request-ID: mine\r\n\r\n")
            head = peer.read_response()
            assert (head.status, head.body, dict(head.trailers)) == (200, b"ok", {"x-sum": "2"})
    for seen in origin.requests:
        assert (seen.body, dict(seen.trailers)) == (b"abc", {"x-check": "7"})
        assert (seen.get("te"), seen.get("connection")) == ("trailers", "te")
    with Peer.connect(web) as peer:
        peer.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert peer.read_to_end().endswith(b"\r\n\r\nok"), "HTTP/1.0 has neither chunks nor trailers"
