"""RFC 9113 §8 and §10.3 at the socket: which messages pass the node, and that what passes has one meaning.

Requests of HTTP/2 go to an origin of HTTP/1.1 that keeps the octets that it got, and to one of HTTP/2; responses of an
origin of HTTP/2 go to clients of HTTP/1.1. What is malformed is refused before anybody behind the node sees any of it.
"""

import contextlib

import pytest
from h2.errors import ErrorCodes as Code

import http2
from http2 import DATA, END_HEADERS, END_STREAM, GET, HEADERS, POST, WHOLE, Wire, block, frame
from weir import TLS_EVERYWHERE, Origin, Peer, ReservedPort, Workspace, request, until

SMUGGLED = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
CONTROLS = ["\r\nx-b: c", "\nx-b: c", "\rx", "\0", "\r\n\r\n" + SMUGGLED]
CONNECT = [(":method", "CONNECT"), (":protocol", "websocket"), *GET[1:]]


def get(*fields, **pseudo):
    """A GET with some of its pseudo-header fields exchanged, or left out where they are `None`, and more fields."""
    lines = [(name, pseudo.get(name[1:], value)) for name, value in GET]
    lines += [(f":{name}", value) for name, value in pseudo.items() if f":{name}" not in dict(GET)]
    return [(name, value) for name, value in lines if value is not None] + list(fields)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with contextlib.closing(Workspace(tmp_path_factory.mktemp("messages"))) as space:
        yield space


def node(workspace, origin, upstream="", name="node"):
    port = workspace.keep(ReservedPort())
    started = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1, name=name)
    return started, port.address


@pytest.fixture(scope="module")
def site(workspace):
    """An origin of HTTP/1.1 that keeps what it gets, and the address of a node before it."""
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            if head.get("upgrade") and "/decline" not in head.target:
                head.body = peer.read_to_end()
                return
            head.body = peer.read_body(head)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"ok" if head.method != "HEAD" else b""))

    origin = workspace.keep(Origin(script))
    started, web = node(workspace, origin)
    yield origin, web
    assert started.program.is_running


@pytest.fixture
def wire(site):
    with Wire.open(site[1]) as wire:
        yield wire


def expect_good(wire, site, stream, count):
    """The connection goes on, and nothing but this request has reached the origin since `count` of them."""
    wire.headers(stream, get(path="/good"))
    assert wire.expect_end_of_stream(stream) == b"ok"
    assert [head.target for head in site[0].requests[count:]] == ["/good"]


def refused(wire, site, lines, statuses=(), flags=WHOLE):
    """A request that is malformed: a stream error, or one of `statuses`, and nothing of it reaches the origin."""
    count = len(site[0].requests)
    wire.headers(1, lines, flags)
    if statuses:
        assert int(dict(wire.fields(1))[":status"]) in statuses
        if not flags & END_STREAM:
            wire.put(DATA, END_STREAM, 1)
    else:
        assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)
    expect_good(wire, site, 3, count)


def passed(wire, site, lines, content=None, stream=1):
    """The head, as the origin got it, of a request that is right."""
    wire.headers(stream, lines, WHOLE if content is None else END_HEADERS)
    if content is not None:
        wire.put(DATA, END_STREAM, stream, content)
    assert wire.expect_end_of_stream(stream) == b"ok"
    return site[0].requests[-1]


# §8.1 HTTP message framing


@pytest.mark.parametrize("lines, content", [
    (GET, None), ([(":method", "HEAD"), *GET[1:]], None), (POST, b"test"), ([(":method", "OPTIONS"), *GET[1:]], None),
    ([(":method", "PROPFIND"), *GET[1:]], b"")])
def test_rfc9113_8_1_requests_are_answered(wire, site, lines, content):
    """A client sends a request on a new stream, and the server sends a response on the same one."""
    wire.headers(1, lines, WHOLE if content is None else END_HEADERS)
    if content is not None:
        wire.put(DATA, END_STREAM, 1, content)
    assert dict(wire.fields(1))[":status"] == "200"
    assert site[0].requests[-1].method == dict(lines)[":method"]


def test_rfc9113_8_1_trailers_are_taken(wire, site):
    """A trailer section follows the content and ends the stream."""
    wire.headers(1, [*POST, ("trailer", "x-test")], END_HEADERS)
    wire.put(DATA, 0, 1, b"test")
    wire.headers(1, [("x-test", "ok")])
    assert wire.expect_end_of_stream(1) == b"ok"
    assert site[0].requests[-1].body == b"test"


def test_rfc9113_8_1_a_second_field_section_must_end_the_stream(wire, site):
    """HEADERS without END_STREAM after the head MUST be treated as malformed."""
    wire.headers(1, POST, END_HEADERS)
    wire.put(DATA, 0, 1, b"test")
    wire.headers(1, [("x-test", "ok")], END_HEADERS)
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("trailers", [
    [(":method", "POST")], [(":path", "/smuggled")], [(":status", "200")], [("X-Test", "ok")], [("connection", "close")],
    [("transfer-encoding", "chunked")], [("te", "gzip")], [("x-a", "b\r\nc: d")], [("x-a\r\nb", "c")], [("x-a:", "b")],
    [("x a", "b")], [("x-a", "b\0")], [("", "a")], [("x-a", " b")], [("keep-alive", "1")], [("upgrade", "h2c")]])
def test_rfc9113_8_1_malformed_trailers(wire, site, trailers):
    """Trailers MUST NOT have pseudo-header fields, and are malformed where a head would be."""
    wire.headers(1, POST, END_HEADERS)
    wire.put(DATA, 0, 1, b"test")
    wire.headers(1, trailers)
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)
    wire.ping()


@pytest.mark.parametrize("name, value", [
    ("content-length", "5"), ("host", "evil.test"), ("authorization", "Basic Zm9v"), ("cookie", "a=b"), ("te", "trailers"),
    ("content-encoding", "gzip"), ("content-type", "text/html"), ("expect", "100-continue"), ("max-forwards", "1"),
    ("trailer", "x-a"), ("set-cookie", "a=b"), ("cache-control", "no-cache"), ("content-range", "bytes 0-1/2"),
    ("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4"), ("proxy-authorization", "Basic Zm9v"), ("proxy", "http://evil.test:1/")])
def test_rfc9110_6_5_1_trailers_that_would_change_the_message_are_dropped(wire, site, name, value):
    """Fields of framing, routing, authentication and the like are not taken out of a trailer section."""
    wire.headers(1, POST, END_HEADERS)
    wire.put(DATA, 0, 1, b"test")
    wire.headers(1, [(name, value), ("x-sum", "7")])
    assert wire.expect_end_of_stream(1) == b"ok"
    head = site[0].requests[-1]
    assert head.body == b"test" and head.trailers == [("x-sum", "7")]


def test_rfc9113_8_1_1_content_is_what_its_length_says(wire, site):
    """A request is malformed if Content-Length does not equal the sum of the DATA frames' lengths."""
    assert passed(wire, site, [*POST, ("content-length", "4")], b"test").body == b"test"


@pytest.mark.parametrize("length, frames", [
    ("1", [b"test"]), ("1", [b"test", b"test"]), ("5", [b"test"]), ("4", [b"te", b"stx"]), ("0", [b"x"]), ("3", [b"ab", b""])])
def test_rfc9113_8_1_1_content_is_not_what_its_length_says(wire, site, length, frames):
    """Malformed requests MUST be treated as a stream error of type PROTOCOL_ERROR."""
    octets = frame(HEADERS, END_HEADERS, 1, block([*POST, ("content-length", length)]))
    for index, piece in enumerate(frames):
        octets += frame(DATA, END_STREAM if index == len(frames) - 1 else 0, 1, piece)
    wire.send(octets)  # at once, as an origin may answer when it has as much as it was told of
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)
    wire.headers(3, get(path="/good"))
    assert wire.expect_end_of_stream(3) == b"ok"
    assert all("smuggled" not in head.target for head in site[0].requests)


def test_rfc9113_8_1_1_trailers_before_the_content_is_whole(wire, site):
    """Content-Length counts what comes before the trailer section."""
    wire.headers(1, [*POST, ("content-length", "10")], END_HEADERS)
    wire.put(DATA, 0, 1, b"test")
    wire.headers(1, [("x-sum", "1")])
    assert wire.expect_stream_error(1, Code.PROTOCOL_ERROR)


@pytest.mark.parametrize("lengths", [
    ["4", "5"], ["4", "4"], ["4, 4"], ["+4"], ["-1"], ["0x4"], ["04"], ["4a"], [""], ["4 4"], ["4;"], ["99999999999999999999"],
    ["18446744073709551620"], ["4,"], ["1e1"], ["４"]])
def test_rfc9113_8_1_1_lengths_that_can_be_read_in_two_ways(wire, site, lengths):
    """One Content-Length of digits is taken; stricter than RFC 9110 §8.6 in that equal repeated ones are refused."""
    values = [length.encode() for length in lengths]
    refused(wire, site, [*POST, *(("content-length", value) for value in values)], flags=END_HEADERS)


def test_rfc9113_8_1_1_a_length_without_content(wire, site):
    """A request that ends with its head has no content, whatever Content-Length says."""
    refused(wire, site, [*POST, ("content-length", "5")])


# §8.2 HTTP fields


@pytest.mark.parametrize("name", [
    "X-Test", "x-tesT", "", "x a", " x", "x ", "x\t", "x:a", ":", ":test", ":authority ", "x\0", "x\x7f", b"x-\xe9", "x\r\ny",
    "x\ny", "x\ry", "a\r\n\r\n" + SMUGGLED, "x(a)", "x,a", 'x"a', "x/a", "x{a", "x@a", "content-length ", "transfer-encoding\t",
    "content-length:", "transfer-encoding\r\n", "host\0"])
def test_rfc9113_8_2_1_names_that_http1_reads_differently(wire, site, name):
    """Names MUST be lower case and have no blank, colon or control; here they are tokens, as HTTP/1.1 has them."""
    refused(wire, site, get((name, "a")))


@pytest.mark.parametrize("value", [
    *(f"a{text}" for text in CONTROLS), " a", "a ", "\ta", "a\t", " ", "\t", "a\r\n b", "a\n\tb", "a\x01b", "a\x7fb", "a\x1b", "\r",
    "\n", "a\r\ntransfer-encoding: chunked", "a\r\ncontent-length: 0"])
@pytest.mark.parametrize("name", ["x-test", "user-agent", "cookie", "content-type"])
def test_rfc9113_8_2_1_values_that_http1_reads_differently(wire, site, name, value):
    """Values MUST NOT have NUL, CR or LF, nor blanks at their edges."""
    refused(wire, site, get((name, value)))


@pytest.mark.parametrize("value", ["a\tb", "", b"\xe9\xff", "a b", '"a;b,c"', ":", "a" * 8000])
def test_rfc9113_8_2_1_odd_values_pass_as_they_are(wire, site, value):
    """What else a value holds goes on octet by octet."""
    octets = passed(wire, site, get(("x-test", value))).octets
    assert b"\r\nx-test: " + (value if isinstance(value, bytes) else value.encode()) + b"\r\n" in octets


@pytest.mark.parametrize("name, value", [
    ("connection", "keep-alive"), ("connection", "close"), ("connection", "x-test"), ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"), ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"),
    ("transfer-encoding", ""), ("upgrade", "h2c"), ("upgrade", "websocket"), ("te", "trailers, deflate"), ("te", "gzip"),
    ("te", "chunked"), ("te", ""), ("te", "trailers;q=0.5")])
def test_rfc9113_8_2_2_connection_specific_fields(wire, site, name, value):
    """A message with connection-specific fields, or with TE other than "trailers", MUST be treated as malformed."""
    refused(wire, site, get((name, value)))


def test_rfc9113_8_2_2_te_trailers_passes(wire, site):
    """TE MAY be present with the value "trailers"; in HTTP/1.1 it is named by Connection."""
    head = passed(wire, site, get(("te", "trailers")))
    assert head.get("te") == "trailers" and head.get("connection") == "te"


@pytest.mark.parametrize("crumbs, joined", [
    (["a=b"], "a=b"), (["a=b", "c=d"], "a=b; c=d"), (["a=b", "", "c=d"], "a=b; c=d"), (["a=b; c=d", "e=f"], "a=b; c=d; e=f"),
    (["a"] * 3, "a; a; a")])
def test_rfc9113_8_2_3_cookies_are_one_line(wire, site, crumbs, joined):
    """Cookie crumbs MUST be concatenated with "; " before they pass into HTTP/1.1."""
    lines = [("x-a", "1")]
    for index, crumb in enumerate(crumbs):
        lines += [("cookie", crumb), (f"x-{index}", "2")]
    head = passed(wire, site, get(*lines))
    assert head.all("cookie") == [joined] and head.get(f"x-{len(crumbs) - 1}") == "2"


# §8.3 Control data


@pytest.mark.parametrize("lines", [
    get((":test", "ok")), get((":status", "200")), get((":Method", "GET")), [("x-test", "ok"), *GET], get(("x-a", "1"), (":path", "/")),
    *([*GET, line] for line in GET), [*GET, (":path", "/other")], [*GET, (":authority", "evil.test")], [(":status", "200")], []])
def test_rfc9113_8_3_pseudo_fields_out_of_place(wire, site, lines):
    """Undefined, repeated, misplaced pseudo-header fields, or those of responses, MUST be treated as malformed."""
    refused(wire, site, lines)


@pytest.mark.parametrize("pseudo", [{"method": None}, {"scheme": None}, {"path": None}, {"path": ""}, {"authority": None},
                                    {"authority": ""}, {"method": ""}, {"scheme": ""}])
def test_rfc9113_8_3_1_pseudo_fields_that_are_missing_or_empty(wire, site, pseudo):
    """All requests MUST include exactly one valid value for :method, :scheme and :path; stricter: and an authority."""
    refused(wire, site, get(**pseudo))


@pytest.mark.parametrize("method", [
    "G ET", "GET ", " GET", "GET:", "G\tT", "GE\0T", "GET\r\nx: y", "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET", b"G\xe9T", "G(T)", "GET/",
    "GET /smuggled HTTP/1.1\r\nx:"])
def test_rfc9113_8_3_1_methods_that_http1_reads_differently(wire, site, method):
    """A method is a token (RFC 9110 §9.1)."""
    refused(wire, site, get(method=method))


@pytest.mark.parametrize("method", ["get", "Get", "X-1", "!#$%&'*+-.^_`|~"])
def test_rfc9113_8_3_1_methods_that_nobody_knows_pass(wire, site, method):
    """Methods are case-sensitive tokens, and go on as they are."""
    assert passed(wire, site, get(method=method)).method == method


@pytest.mark.parametrize("path", [
    "a", "*", "?a", "http://evil.test/", "//evil.test\r\n", "/ b", "/\tb", "/\0", "/\r\nx: y", "/\nx: y", "/a HTTP/1.1", "/\x7f", "/#a",
    "/a#b", "/ HTTP/1.1\r\n\r\n" + SMUGGLED, "/a\r\n", "example.test:80", "\\a", ".", "../a", "*/"])
def test_rfc9113_8_3_1_paths_that_http1_reads_differently(wire, site, path):
    """:path starts with a slash, or is "*" for OPTIONS, and has no blank, control or fragment."""
    refused(wire, site, get(path=path))


@pytest.mark.parametrize("path", ["/..", "/a/../../b", "/%2e%2e/a", "/%00", "/%zz", "/%", "/a%2fb/..", "/a\\..\\b"])
def test_rfc9113_8_3_1_paths_that_leave_the_root_or_have_no_one_meaning(wire, site, path):
    """What RFC 3986 §6.2.2 does not settle is refused with 400, or goes on in its normal form alone."""
    wire.headers(1, get(path=path))
    status = dict(wire.fields(1))[":status"]
    if status == "200":
        target = site[0].requests[-1].target
        assert "/../" not in target and not target.endswith("/..") and "%2e" not in target.lower()
    else:
        assert status == "400"


def test_rfc9113_8_3_1_the_asterisk_is_for_options(wire, site):
    """OPTIONS without a path has "*" as its :path; this node answers for itself."""
    wire.headers(1, get(method="OPTIONS", path="*"))
    assert dict(wire.fields(1))[":status"] == "200"


@pytest.mark.parametrize("authority", [
    "user@example.test", "user:pass@example.test", "example.test\r\nx: y", "example.test\0", "example test", "example.test/a", "exa?mple",
    "exa#mple", "example.test:80:80", "example.test:99999", "example.test:a", "[::1", "::1", "a,b", "example.test\t", " example.test",
    "http://example.test", "exa\\mple", "a%zz", "example.test:-1"])
@pytest.mark.parametrize("name", [":authority", "host"])
def test_rfc9113_8_3_1_authorities_that_http1_reads_differently(wire, site, name, authority):
    """:authority MUST NOT include userinfo, and is a host with perhaps a port; Host alike."""
    refused(wire, site, get(authority=authority) if name[0] == ":" else get((name, authority), authority=None), statuses=())


@pytest.mark.parametrize("lines", [
    get(("host", "evil.test")), get(("host", "")), get(("host", "example.test"), ("host", "example.test")),
    get(("host", "a.test"), ("host", "b.test"), authority=None), get(("host", "example.test:80")), get(("host", "example.test, evil.test"))])
def test_rfc9113_8_3_1_host_that_differs_from_the_authority(wire, site, lines):
    """A server SHOULD treat a request as malformed if Host identifies a different entity from :authority."""
    refused(wire, site, lines)


@pytest.mark.parametrize("lines", [get(), get(("host", "example.test")), get(("host", "EXAMPLE.test")), get(("host", "example.test"), authority=None)])
def test_rfc9113_8_3_1_there_is_one_host(wire, site, lines):
    """An intermediary that converts to HTTP/1.1 MUST create Host from :authority."""
    assert passed(wire, site, lines).all("host") == ["example.test"]


@pytest.mark.parametrize("scheme", ["http\r\nx: y", "ht tp", "http:", "http://evil.test/?", "1http", "h\0", ""])
def test_rfc9113_8_3_1_schemes_that_are_none(wire, site, scheme):
    """A scheme has letters, digits, "+", "-" and "." alone, and nothing of it is put into a request line."""
    refused(wire, site, get(scheme=scheme))


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_rfc9110_7_4_https_over_a_connection_without_tls_is_421(wire, site, scheme):
    """A request for an https resource MUST be rejected unless it came over a secured connection, as in HTTP/1.1."""
    if TLS_EVERYWHERE:
        passed(wire, site, get(scheme=scheme))
        return
    count = len(site[0].requests)
    wire.headers(1, get(scheme=scheme))
    assert dict(wire.fields(1))[":status"] == "421" and len(site[0].requests) == count
    wire.headers(3, get())
    assert dict(wire.fields(3))[":status"] == "200", "it is the stream's fault alone"


@pytest.mark.parametrize("scheme", ["ftp", "ws", "h", "httpss"])
def test_rfc9113_8_3_1_schemes_that_are_not_translated(wire, site, scheme):
    """A gateway need not translate requests for other schemes: 400, as HTTP/1.1 answers an absolute-form of them."""
    refused(wire, site, get(scheme=scheme), statuses=(400,))


@pytest.mark.parametrize("name, value, seen", [
    ("expect", "100-continue", "100-continue"), ("x_forwarded_for", "1.2.3.4", None),
    ("x-forwarded-for", "1.2.3.4", "127.0.0.1"), ("x-real-ip", "1.2.3.4", None),
    ("forwarded", "for=1.2.3.4", None), ("proxy", "http://evil.test:1/", None), ("http2-settings", "AAMAAABk", None), ("x-http-method-override", "DELETE", "DELETE")])
def test_rfc9113_10_3_fields_that_somebody_may_trust(wire, site, name, value, seen):
    """What only a proxy may say is not taken from a client; what is a field like any other goes on."""
    got = passed(wire, site, get((name, value))).get(name)
    assert got == seen if seen else value not in (got or "")


@pytest.mark.parametrize("name, value", [("content_length", "5"), ("transfer_encoding", "chunked")])
def test_rfc9113_10_3_names_that_frame_a_message_for_cgi(wire, site, name, value):
    """What a gateway that takes _ for - would read as the message's framing is refused, as in HTTP/1.1."""
    wire.headers(1, get((name, value)), WHOLE)
    assert wire.expect_end_of_stream(1) == b"400 Bad Request\n"


# §8.5 CONNECT, and RFC 8441


@pytest.mark.parametrize("lines", [
    [(":method", "CONNECT"), (":authority", "example.test:80"), (":path", "/")],
    [(":method", "CONNECT"), (":authority", "example.test:80"), (":scheme", "http")],
    [(":method", "CONNECT"), *GET[1:]], [(":method", "CONNECT")], [(":method", "CONNECT"), (":authority", "example.test")],
    [(":method", "CONNECT"), (":authority", "example.test:80\r\nx: y")], [(":method", "CONNECT"), (":authority", "/smuggled")],
    [(":method", "CONNECT"), (":authority", "example.test:0")]])
def test_rfc9113_8_5_connect_has_an_authority_alone(wire, site, lines):
    """A CONNECT request that does not conform to the restrictions is malformed."""
    refused(wire, site, lines)


def test_rfc9113_8_5_connect_is_not_carried_out(wire, site):
    """A gateway has no tunnels to anywhere: 405."""
    refused(wire, site, [(":method", "CONNECT"), (":authority", "example.test:80")], statuses=(405,), flags=END_HEADERS)


@pytest.mark.parametrize("lines", [
    get((":protocol", "websocket"), method="GET"), [(":method", "CONNECT"), (":protocol", "websocket"), *GET[1:3]],
    [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "example.test")],
    *([(":method", "CONNECT"), (":protocol", name), *GET[1:]] for name in ["", "web socket", "websocket\r\nx: y", "a,b", "a:", "websocket/13"]),
    [*CONNECT, (":protocol", "websocket")], [*CONNECT, ("connection", "upgrade")], [*CONNECT, ("upgrade", "websocket")]])
def test_rfc8441_4_extended_connect_gone_wrong(wire, site, lines):
    """:protocol is for CONNECT, which then has :scheme and :path; its value is a token."""
    refused(wire, site, lines, flags=END_HEADERS)


@pytest.mark.parametrize("lines", [CONNECT, [*CONNECT, ("content-length", "4")], [*CONNECT, ("sec-websocket-key", "AAAA"), ("te", "trailers")]])
def test_rfc8441_5_extended_connect_is_one_upgrade(site, lines):
    """The node makes the key of HTTP/1.1's handshake; nothing of the request frames content."""
    origin, web = site
    count = len(origin.requests)
    with Wire.open(web) as wire:
        wire.headers(1, [(name, "/chat" if name == ":path" else value) for name, value in lines], END_HEADERS)
        wire.put(DATA, 0, 1, SMUGGLED.encode())
        until(lambda: len(origin.requests) > count, "the origin has the request")
    (head,) = origin.requests[count:]
    assert (head.method, head.target, head.get("upgrade")) == ("GET", "/chat", "websocket")
    assert head.get("connection") == "upgrade" and len(head.all("sec-websocket-key")) == 1 and head.get("sec-websocket-key") != "AAAA"
    assert "content-length" not in head and "transfer-encoding" not in head and "te" not in head


@pytest.mark.parametrize("is_early", [True, False])
def test_rfc8441_5_octets_of_a_tunnel_that_is_declined_are_no_request(wire, site, is_early):
    """What a client sends ahead of the answer is not content, and reaches no origin that declines."""
    count = len(site[0].requests)
    lines = [(name, "/decline" if name == ":path" else value) for name, value in CONNECT]
    head, early = frame(HEADERS, END_HEADERS, 1, block(lines)), frame(DATA, 0, 1, SMUGGLED.encode())
    wire.send(head + early if is_early else head)
    if not is_early:
        until(lambda: len(site[0].requests) > count, "the origin has the request")
        wire.send(early)
    wire.expect_end_of_stream(1)
    wire.headers(3, get(path="/good"))
    assert wire.expect_end_of_stream(3) == b"ok"
    assert sorted(request.target for request in site[0].requests[count:]) == ["/decline", "/good"]


# Responses of an origin of HTTP/2


@pytest.fixture(scope="module")
def second(workspace):
    """An origin of HTTP/2 that answers with the octets in its `frames`, and the address of a node before it."""
    def script(peer, origin):
        wire = Wire.accept(peer)
        while came := wire.read_frame():
            if came.kind == HEADERS:
                origin.requests.append(wire.decoder.decode(came.payload, raw=True))
            if came.kind in (HEADERS, DATA) and came.flags & END_STREAM:
                for kind, flags, payload in origin.frames:
                    wire.put(kind, flags, came.stream, payload)

    origin = workspace.keep(Origin(script))
    started, web = node(workspace, origin, ", protocol: h2c", "second")
    yield origin, web
    assert started.program.is_running


def answer(second, *frames, method="GET"):
    """All octets that a client of HTTP/1.1 gets for a request that the origin answers with `frames`."""
    second[0].frames = frames
    with Peer.connect(second[1]) as peer:
        peer.send(request(method, fields=["Connection: close"]))
        octets = peer.read_to_end()
    return octets


OK = [(":status", "200")]


@pytest.mark.parametrize("lines", [
    [], [("x-a", "b")], [(":status", "20")], [(":status", "2000")], [(":status", "099")], [(":status", "abc")], [(":status", "")],
    [(":status", "200 OK")], [(":status", "200\r\nx: y")], [(":status", "+20")], [(":status", "101")], [*OK, *OK], [("x-a", "b"), *OK],
    [*OK, (":path", "/")], [*OK, (":test", "1")], [*OK, ("X-A", "b")], [*OK, ("x a", "b")], [*OK, ("x:a", "b")], [*OK, ("", "b")],
    *([*OK, ("x-a", f"a{text}")] for text in CONTROLS), [*OK, ("x-a\r\nb", "c")], [*OK, ("x-a", " b")], [*OK, ("connection", "close")],
    [*OK, ("transfer-encoding", "chunked")], [*OK, ("upgrade", "h2c")], [*OK, ("keep-alive", "1")], [*OK, ("proxy-connection", "close")],
    [*OK, ("content-length", "5")], [*OK, ("content-length", "0"), ("content-length", "0")], [*OK, ("content-length", "0, 0")],
    [*OK, ("content-length", "+0")], [*OK, ("content-length", "a")], [*OK, ("set-cookie", "a=b\r\nset-cookie: c=d")]])
def test_rfc9113_8_1_1_malformed_responses_reach_no_client(second, lines):
    """Intermediaries MUST NOT forward a malformed response: the client gets 502 and nothing of it."""
    octets = answer(second, (HEADERS, WHOLE, block(lines)))
    assert octets.startswith(b"HTTP/1.1 502 ") and octets.count(b"HTTP/1.1") == 1
    assert b"x-a" not in octets.lower() and b"c=d" not in octets


@pytest.mark.parametrize("interim", [
    [(":status", "101")], [(":status", "100"), ("x-a", "b\r\n\r\nHTTP/1.1 200 OK")], [(":status", "103"), ("connection", "close")],
    [(":status", "199"), (":path", "/")]])
def test_rfc9113_8_1_malformed_interim_responses_reach_no_client(second, interim):
    """HTTP/2 has no 101, and an interim response is as malformed as a final one."""
    octets = answer(second, (HEADERS, END_HEADERS, block(interim)), (HEADERS, WHOLE, block(OK)))
    assert octets.startswith(b"HTTP/1.1 502 ") and octets.count(b"HTTP/1.1") == 1


def test_rfc9113_8_1_an_interim_response_that_ends_the_stream(second):
    """A HEADERS frame with END_STREAM that carries an informational status code is malformed."""
    assert answer(second, (HEADERS, WHOLE, block([(":status", "103")]))).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("frames", [
    [(HEADERS, END_HEADERS, block([*OK, ("content-length", "3")])), (DATA, END_STREAM, b"abcd")],
    [(HEADERS, END_HEADERS, block([*OK, ("content-length", "5")])), (DATA, END_STREAM, b"abcd")],
    [(HEADERS, END_HEADERS, block([*OK, ("content-length", "5")])), (DATA, 0, b"abc"), (HEADERS, WHOLE, block([("x-sum", "1")]))],
    [(HEADERS, END_HEADERS, block(OK)), (DATA, 0, b"abc"), (HEADERS, WHOLE, block([("x-sum", "a\r\nb: c")]))],
    [(HEADERS, END_HEADERS, block(OK)), (DATA, 0, b"abc"), (HEADERS, WHOLE, block([("transfer-encoding", "chunked")]))],
    [(HEADERS, END_HEADERS, block(OK)), (DATA, 0, b"abc"), (HEADERS, WHOLE, block([(":status", "200")]))],
    [(HEADERS, END_HEADERS, block(OK)), (DATA, 0, b"abc"), (HEADERS, END_HEADERS, block([("x-sum", "1")]))]])
def test_rfc9113_8_1_1_responses_that_turn_malformed_are_cut(second, frames):
    """What is malformed only later is not completed: neither its length nor the last chunk comes."""
    octets = answer(second, *frames)
    head, _, content = octets.partition(b"\r\n\r\n")
    if octets.startswith(b"HTTP/1.1 502 "):
        return
    if b"content-length: " in head.lower():
        assert len(content) < int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    else:
        assert b"chunked" in head.lower() and not content.endswith(b"0\r\n\r\n") and b"b: c" not in content


def test_rfc9113_8_1_data_before_the_head(second):
    """DATA before HEADERS is no response."""
    assert answer(second, (DATA, END_STREAM, b"HTTP/1.1 200 OK\r\n\r\n")).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("name", ["content-length", "set-cookie", "content-type", "location", "cache-control"])
def test_rfc9110_6_5_1_response_trailers_that_would_change_the_message_are_dropped(second, name):
    """Fields of framing, routing and the like are not passed on in a trailer section."""
    frames = [(HEADERS, END_HEADERS, block(OK)), (DATA, 0, b"abc"), (HEADERS, WHOLE, block([(name, "5"), ("x-sum", "1")]))]
    second[0].frames = frames
    with Peer.connect(second[1]) as peer:
        peer.send(request(fields=["TE: trailers", "Connection: TE"]))
        assert b"chunked" in peer.read_until(b"\r\n0\r\n")
        assert peer.read_until(b"\r\n\r\n") == b"x-sum: 1\r\n\r\n"


@pytest.mark.parametrize("status", ["204", "304"])
def test_rfc9110_6_4_1_content_where_there_is_none(second, status):
    """A response that cannot have content has none in HTTP/1.1, where it would be taken for the next response."""
    frames = (HEADERS, END_HEADERS, block([(":status", status)])), (DATA, END_STREAM, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert answer(second, *frames).count(b"HTTP/1.1 ") == 1


def test_rfc9110_9_3_2_content_of_a_response_to_head(second):
    """A response to HEAD has no content."""
    frames = (HEADERS, END_HEADERS, block(OK)), (DATA, END_STREAM, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert answer(second, *frames, method="HEAD").count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("line", [b"Connection: close, X-Hop\r\nX-Hop: 1", b"TE: gzip, trailers", b"Keep-Alive: 1", b"Proxy-Connection: a",
                                  b"HTTP2-Settings: AAAA\r\nConnection: HTTP2-Settings, Upgrade\r\nUpgrade: h2c"])
def test_rfc9113_8_2_2_connection_specific_fields_of_http1_stay_behind(second, line):
    """An intermediary MUST remove connection-specific fields when it translates into HTTP/2."""
    second[0].frames = [(HEADERS, WHOLE, block(OK))]
    with Peer.connect(second[1]) as peer:
        assert peer.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n").status == 200
    names = {name for name, _ in second[0].requests[-1]}
    assert not names & {b"connection", b"x-hop", b"te", b"keep-alive", b"proxy-connection", b"http2-settings", b"upgrade"}
    assert all(name == name.lower() for name in names)


@pytest.mark.parametrize("head, framed", [
    (b"Transfer-Encoding: chunked\r\n\r\n4\r\ntest\r\n0\r\nContent-Length: 9\r\nHost: evil\r\nX-Sum: 1\r\n\r\n", None),
    (b"Content-Length: 4\r\n\r\ntest", b"4")])
def test_rfc9113_8_2_2_framing_of_http1_stays_behind(second, head, framed):
    """Transfer-Encoding MUST NOT be used in HTTP/2, where frames carry content and end it."""
    second[0].frames = [(HEADERS, WHOLE, block(OK))]
    with Peer.connect(second[1]) as peer:
        assert peer.exchange(b"POST / HTTP/1.1\r\nHost: a\r\n" + head).status == 200
    assert dict(second[0].requests[-1]).get(b"content-length") == framed
    assert b"transfer-encoding" not in dict(second[0].requests[-1])
