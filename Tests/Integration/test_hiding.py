"""What origins reveal: nothing of their addresses, hosts and products comes out, in any field, head or protocol."""

import h2.events
import pytest

import http2
from weir import TLS_EVERYWHERE, Origin, Peer, ReservedPort, answering, get, request

# What is said of http differs over TLS, which has tests of its own here.
pytestmark = pytest.mark.skipif(TLS_EVERYWHERE, reason="has listeners with and without TLS")

# Every field that can carry a place: `{at}` is the endpoint's host:port, `{host}` its host, `{port}` its port.
PLACES = """\
Location: http://{at}/next?a=b#c
Content-Location: //{at}/a
Refresh: 5; url="http://{at}/later"
Link: <http://{at}/2>; rel="next", <https://{host}/a,b>; rel=x; anchor="http://{at}/;,", </local>; title="x, <y>"
Set-Cookie: a=1; Domain={host}; Path=/
Set-Cookie: sticky={at}; Path=/
Set-Cookie: back=http%3A%2F%2F{host}%3A{port}%2Fx; Path=/
Alt-Svc: h3="{at}"; ma=60
Via: 1.1 {at} (Apache/2.4), HTTP/1.0 {host}
Proxy-Status: {host}; next-hop="{at}"
Warning: 199 {at} "slow"
Access-Control-Allow-Origin: http://{at}
Content-Security-Policy: default-src 'self' http://{at}; connect-src {at}
WWW-Authenticate: Basic realm="{host}"
ETag: "{at}-7"
Content-Disposition: attachment; filename="{host}.txt"
Content-Type: text/plain; profile="http://{at}/p"
Cache-Status: {host}; hit
Server-Timing: db;desc="{at}"
NEL: {{"report_to":"http://{at}"}}
SourceMap: //{at}/map
X-Forwarded-For: {host}
X-Forwarded-Host: {at}
X-Forwarded-Server: {host}
X-Real-IP: {host}
X-Anything: came from {at}
X-Mapped: ::ffff:{host}
X-Bracketed: [::ffff:{host}]:{port}
X-Number: http://0x7f000001:{port}/
X-Localhost: http://localhost:{port}/
X-Upper: HTTP://USER:WORD@{host}.:0{port}/
X-Slashes: http:\\\\{at}\\x
X-Twice: u=http%253A%252F%252Forigin.internal%253A1
X-Upstream-Name: http://secret-pool/x
X-Host-Name: origin.internal
X-Certificate: https://sni.internal:8443/
"""
PRODUCTS = """\
Server: Apache/2.4
X-Powered-By: PHP/8.2
X-AspNet-Version: 4.0
X-AspNetMvc-Version: 5.2
X-Runtime: 0.1
X-Backend-Server: web7
X-Backend: web7
X-Generator: Drupal 9
X-Drupal-Cache: HIT
X-Served-By: web7
X-Server: web7
X-Upstream-Addr: web7
X-Varnish: 1234
"""
KEPT = "X-Kept: 1.2.3 http://elsewhere.test/ 10.9.8.7\r\n"
SECRETS = ["127.0.0.1", "7f00", "localhost", "secret-pool", ".internal", "apache", "php", "web7", "drupal", "4.0", "5.2", "1234"]


def lines(origin, text=PLACES + PRODUCTS):
    host, port = str(origin).split(":")
    return text.format(at=origin, host=host, port=port).replace("\n", "\r\n") + KEPT


def fields(origin, text=PLACES + PRODUCTS):
    """The same as HTTP/2 has them."""
    pairs = [line.split(": ", 1) for line in lines(origin, text).rstrip().split("\r\n")]
    return [(name.lower(), value) for name, value in pairs]


def check(pairs, origin, is_trailer=False):
    """That no value reveals anything, and that what tells nothing is there."""
    port = str(origin).split(":")[1]
    for name, value in pairs:
        if name == "date":
            continue
        text = value.lower()
        for secret in [*SECRETS, port]:
            assert secret not in text, (name, value)
    names = [name for name, _ in pairs]
    assert ("x-kept", KEPT.strip().split(": ", 1)[1]) in pairs
    for line in PRODUCTS.splitlines():
        assert line.split(":")[0].lower() not in names
    if not is_trailer:
        assert {"location", "link", "content-location", "www-authenticate", "access-control-allow-origin"} <= set(names)


def interim_then_final(origin):
    """An HTTP/1.1 response with the corpus in an interim head, the final one, and the trailers."""
    corpus = lines(origin)
    return (f"HTTP/1.1 103 Early Apache/2.4 {origin}\r\n{corpus}\r\nHTTP/1.1 200 Apache/2.4 at {origin}\r\n{corpus}"
            f"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{corpus}\r\n").encode()


def answer_http2(origin, connection, event):
    if isinstance(event, h2.events.StreamEnded):
        corpus = fields(origin)
        connection.send_headers(event.stream_id, [(":status", "103"), *corpus])
        connection.send_headers(event.stream_id, [(":status", "200"), *corpus])
        connection.send_data(event.stream_id, b"ok")
        connection.send_headers(event.stream_id, corpus, end_stream=True)


def origin_of(workspace, version):
    if version == 2:
        return workspace.keep(http2.Origin(answer_http2))

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            peer.send(interim_then_final(origin))

    return workspace.keep(Origin(script))


def serve(workspace, origin, more="", secure=False):
    """A node before an origin whose upstream has another endpoint, which takes nothing, with a name."""
    port = workspace.keep(ReservedPort())
    speaks = ", protocol: h2c" if isinstance(origin, http2.Origin) else ""
    tls = ", protocol: https, tls: {certificates: [test]}" if secure else ""
    certificates = "certificates: [{name: test, files: {certificate: test.crt, key: test.key}}]" if secure else ""
    workspace.node(f"""
listeners: [{{name: web, address: {port}{tls}}}]
{certificates}
upstreams:
  - {{name: secret-pool, endpoints: [{{address: {origin}}}]{speaks}}}
  - {{name: unused, endpoints: [{{address: "origin.internal:9"}}], tls: {{serverName: sni.internal}}}}
routes: [{{name: all, upstream: secret-pool}}]
{more}""", workers=1, certificates=workspace.certificates.folder if secure else None)
    return port.address


@pytest.mark.parametrize("origin_version", [1, 2])
def test_nothing_comes_out_to_http1(workspace, origin_version):
    origin = origin_of(workspace, origin_version)
    web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        peer.send(request(host="public.test", fields=["Connection: TE", "TE: trailers"]))
        head = peer.read_response()
    assert head.body == b"ok" and len(head.interim) == 1
    for part in (head, head.interim[0]):
        check([pair for pair in part.fields if pair[0] != "x-forwarded-host"], origin)
        assert part.get("via", "").startswith("1.1 backend, HTTP/1.0 backend")
        for secret in ("Apache", "127.0.0.1"):
            assert secret not in part.start
    check(head.trailers, origin, is_trailer=True)
    assert head.get("location") == "http://public.test/next?a=b#c"
    assert head.get("link") == ('<http://public.test/2>; rel="next", <http://public.test/a,b>; rel=x; '
                                'anchor="http://public.test/;,", </local>; title="x, <y>"')
    assert head.all("set-cookie") == ["a=1; Path=/", "back=http%3A%2F%2Fpublic.test%2Fx; Path=/"]
    assert head.get("content-security-policy") == "default-src 'self' http://public.test; connect-src public.test"
    assert head.get("x-anything") is None and head.get("x-slashes") == "http:\\\\public.test\\x"


@pytest.mark.parametrize("origin_version", [1, 2])
def test_nothing_comes_out_to_http2(workspace, origin_version):
    origin = origin_of(workspace, origin_version)
    web = serve(workspace, origin)
    with http2.Client(web) as client:
        got = client.get("/", authority="public.test", fields=[("te", "trailers")])
    assert got.body == b"ok" and len(got.interim) == 1
    for part in (got.fields, got.interim[0]):
        check([(name, value) for name, value in part if name != ":status"], origin)
    check(got.trailers, origin, is_trailer=True)
    assert got.get("location") == "http://public.test/next?a=b#c"


def test_over_tls_urls_and_cookies_are_secure(workspace):
    def script(peer, origin):
        while peer.read_head() is not None:
            peer.send(b"HTTP/1.1 302 Found\r\nLocation: http://example.test/x\r\nContent-Location: https://example.test/y\r\n"
                      b"Refresh: 1; http://%s/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; secure\r\nContent-Length: 0\r\n\r\n"
                      % str(origin).encode())

    web = serve(workspace, workspace.keep(Origin(script)), secure=True)
    with Peer.connect(web, workspace.certificates.client()) as peer:
        head = peer.exchange(request())
    assert (head.get("location"), head.get("content-location")) == ("https://example.test/x", "https://example.test/y")
    assert head.get("refresh") == "1; https://example.test/"
    assert head.all("set-cookie") == ["a=1; Secure", "b=2; secure"]


def test_a_redirect_to_https_stays_one(workspace):
    origin = workspace.keep(Origin(answering(
        b"HTTP/1.1 301 Moved\r\nLocation: https://public.test/x\r\nContent-Length: 0\r\n\r\n")))
    assert get(serve(workspace, origin), "/x", "public.test").get("location") == "https://public.test/x"


def test_a_client_of_http_1_0_that_names_no_host_gets_paths(workspace):
    def script(peer, origin):
        head = peer.read_head()
        origin.requests.append(head)
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: http://%s/x\r\nContent-Length: 0\r\n\r\n" % head.get("host").encode())

    origin = workspace.keep(Origin(script))
    with Peer.connect(serve(workspace, origin)) as peer:
        head = peer.exchange(b"GET / HTTP/1.0\r\n\r\n")
    assert (origin.requests[0].get("host"), head.get("location")) == ("secret-pool", "/x")


def test_the_clients_own_authority_is_no_secret(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            peer.send(f"HTTP/1.1 302 Found\r\nLocation: http://{head.get('host')}/x\r\nX-Peer: 127.0.0.1\r\n"
                      f"Content-Location: http://{origin}/\r\nContent-Length: 0\r\n\r\n".encode())

    web = serve(workspace, workspace.keep(Origin(script)))
    public = f"127.0.0.1:{web[1]}"
    head = get(web, "/", public)
    assert (head.get("location"), head.get("x-peer")) == (f"http://{public}/x", "127.0.0.1")
    assert head.get("content-location") == f"http://{public}/"


def test_hiding_can_be_left_out(workspace):
    origin = origin_of(workspace, 1)
    web = serve(workspace, origin, "hiding: {server: keep, responseHeaders: [], productHeaders: [], rewriteLocation: false, "
                "rewriteCookies: false, rewriteFields: false}")
    head = get(web, "/", "public.test")
    expected = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in lines(origin).rstrip().split("\r\n")}
    for name in expected:
        assert name in head, name
    assert head.get("location") == f"http://{origin}/next?a=b#c" and head.get("server") == "Apache/2.4"


def test_errors_of_our_own_name_nobody(workspace):
    port = workspace.keep(ReservedPort())
    web = serve(workspace, port)
    head = get(web, "/", "public.test")
    assert head.status == 502
    text = (head.octets + head.body).decode("latin-1")
    for secret in ("127.0.0.1", str(port).split(":")[1], "secret-pool"):
        assert secret not in text


@pytest.mark.parametrize("client_version", [1, 2])
def test_paths_come_back_as_the_client_knows_them(workspace, client_version):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            peer.send(f"HTTP/1.1 302 Found\r\nLocation: http://{origin}/api/v1/items/7?x#y\r\nContent-Location: {head.target}\r\n"
                      f"Link: </api/v1/items/8>; rel=next, </style.css>\r\nRefresh: 1; url=http://inner.test/api/v1/items/9\r\n"
                      "Set-Cookie: a=1; Path=/api/v1/items\r\nSet-Cookie: b=1; Path=/\r\nContent-Length: 0\r\n\r\n".encode())

    origin = workspace.keep(Origin(script))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes:
  - {{name: products, match: {{path: {{prefix: /products}}}}, rewrite: {{prefix: /api/v1/items, host: inner.test}}, upstream: main}}
  - {{name: fixed, match: {{path: {{prefix: /fixed}}}}, rewrite: {{path: /api/v1/items}}, upstream: main}}
""", workers=1)

    def ask(path):
        if client_version == 1:
            return get(port.address, path, "public.test")
        with http2.Client(port.address) as client:
            return client.get(path, authority="public.test")

    head = ask("/products/5?z")
    assert origin.requests[0].target == "/api/v1/items/5?z" and origin.requests[0].get("host") == "inner.test"
    assert head.get("location") == "http://public.test/products/7?x#y"
    assert head.get("content-location") == "/products/5?z"
    assert head.get("link") == "</products/8>; rel=next, </style.css>"
    assert head.get("refresh") == "1; url=http://public.test/products/9"
    assert head.all("set-cookie") == ["a=1; Path=/products", "b=1; Path=/"]
    assert ask("/fixed").get("location") == "http://public.test/api/v1/items/7?x#y", "a fixed path has no way back"


@pytest.mark.parametrize("client_version", [1, 2])
def test_no_redirect_of_an_origin_leads_to_a_host_that_it_did_not_name(workspace, client_version):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:  # as servers add the slash of a folder
            origin.requests.append(head.target)
            peer.send(f"HTTP/1.1 301 Moved\r\nLocation: {head.target}/\r\nContent-Length: 0\r\n\r\n".encode())

    origin = workspace.keep(Origin(script))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, match: {{path: {{prefix: /}}}}, rewrite: {{prefix: /api}}, upstream: main}}]
""", workers=1)

    def ask(path):
        if client_version == 1:
            return get(port.address, path, "public.test")
        with http2.Client(port.address) as client:
            return client.get(path, authority="public.test")

    assert ask("//evil.test/x").get("location") == "/.//evil.test/x/"
    ask("/.//evil.test/x/")
    assert origin.requests == ["/api//evil.test/x", "/api//evil.test/x/"], "it leads to where the origin means"
    assert ask("/a//b").get("location") == "/a//b/"


def test_an_origin_that_adds_its_own_port_to_the_host_leads_back(workspace):
    def script(peer, origin):
        port = origin.address[1]
        while (head := peer.read_head()) is not None:  # as a server behind a port of its own builds URLs
            peer.send(f"HTTP/1.1 301 Moved\r\nLocation: http://{head.get('host')}:{port}/a\r\nX-Peer: host:::1:{port}\r\n"
                      f"X-Frame-Options: ALLOW-FROM http://{origin}/\r\nSourceMap: //inner/a.map\r\nContent-Length: 0\r\n\r\n".encode())

    origin = workspace.keep(Origin(script))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: inner, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: inner}}]
""", workers=1)
    head = get(port.address, "/", "public.test")
    assert head.get("location") == "http://public.test/a"
    assert head.get("x-frame-options") == "ALLOW-FROM http://public.test/"
    assert head.get("sourcemap") == "//public.test/a.map"
    assert "x-peer" not in head


def test_names_that_grow_without_end_take_nothing_but_their_lines(workspace):
    """A short name of the inside, very often, for a client with a very long one: heads stay shorter than any buffer."""
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            count, lines = int(head.get("x-count")), int(head.get("x-lines"))
            peer.send(b"HTTP/1.1 302 Found\r\n" + b"Location: /?u=%b\r\n" % (b"127.1," * count) * lines
                      + b"Link: %b\r\n" % (b"<//a>," * count) + b"X-Kept: 1\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60000)

    origin = workspace.keep(Origin(script))
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: a, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: a}}]
""", workers=1)
    host = ".".join(["a" * 60] * 4)
    for count, lines in [(10, 1), (250, 1), (270, 1), (2139, 1), (5000, 1), (40, 250), (200, 40), (260, 30)]:
        head = get(port.address, "/", host, fields=[f"X-Count: {count}", f"X-Lines: {lines}"])
        assert (head.status, head.get("x-kept"), len(head.body)) == (302, "1", 60000), (count, lines)
        shown = head.all("location")
        assert all(value == "/?u=" + f"{host}," * count for value in shown)
        assert len(head.octets) < 512 << 10 and bool(shown) == (count <= 260), (count, lines)
        assert node.program.is_running


def test_a_trusted_proxy_says_that_the_client_spoke_tls(workspace):
    def script(peer, origin):
        while peer.read_head() is not None:
            peer.send(b"HTTP/1.1 302 Found\r\nLocation: http://%s/x\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n" % str(origin).encode())

    origin = workspace.keep(Origin(script))
    for name, trusted, location, cookie in [("trusting", "127.0.0.0/8", "https://public.test/x", "a=1; Secure"),
                                            ("other", "192.0.2.0/24", "http://public.test/x", "a=1")]:
        port = workspace.keep(ReservedPort())
        workspace.node(f"""
listeners: [{{name: web, address: {port}, trustedProxies: [{trusted}]}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: main}}]
""", name, workers=1)
        head = get(port.address, "/", "public.test", fields=["X-Forwarded-Proto: https"])
        assert (head.get("location"), head.get("set-cookie")) == (location, cookie)
