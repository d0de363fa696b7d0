"""What upstreams see of requests that a route rewrites: path, query and Host, whatever is spoken on either side."""

import json

import pytest

import http2
from weir import Origin, Peer, ReservedPort, TLS_EVERYWHERE, answer_with_request, get, request, run_proxyctl


class Seen:
    """What an origin of either protocol got last."""

    def __init__(self, origin):
        before = origin.requests[-1]
        if isinstance(origin, http2.Origin):
            self.fields = dict(before)
            self.target, self.host = self.fields[":path"], self.fields[":authority"]
        else:
            self.fields = dict(before.fields)
            self.target, self.host = before.target, self.fields["host"]


class Site:
    """A node between a client of HTTP/1.1 or HTTP/2 and an origin of either, with the routes of a test."""

    def __init__(self, space, client, origin, routes, policies=""):
        self.speaks_http2 = client == "h2"
        self.origin = space.keep(Origin(answer_with_request) if origin == "http1" else http2.Origin(http2.echoing))
        speaks = ", protocol: h2c" if origin == "h2c" else ""
        self.port = space.keep(ReservedPort())
        self.text = f"""
listeners: [{{name: web, address: {self.port}}}]
upstreams: [{{name: main, endpoints: [{{address: {self.origin}}}]{speaks}}}]
{policies}
routes:
{routes}
"""
        self.node = space.node(self.text, workers=1)

    def get(self, path, host="example.test", fields=(), **options):
        if self.speaks_http2:
            pairs = [tuple(part.strip() for part in field.split(":", 1)) for field in fields]
            with http2.Client(self.port.address) as client:
                return client.get(path, authority=host, fields=[(name.lower(), value) for name, value in pairs],
                                  **options)
        return get(self.port.address, path, host, fields, **options)

    def seen(self, path, host="example.test", fields=()):
        """What the origin gets of a request that comes through."""
        answered = self.get(path, host, fields)
        assert answered.status == 200, answered
        return Seen(self.origin)


@pytest.fixture(params=[("h1", "http1"), ("h1", "h2c"), ("h2", "http1"), ("h2", "h2c")], ids="-".join)
def site(request, workspace):
    return lambda routes, policies="": Site(workspace, *request.param, routes, policies)


def test_a_prefix_is_replaced_by_segment(site):
    through = site("""
  - {name: a, match: {path: {prefix: /products}}, rewrite: {prefix: /api/v1/items}, upstream: main}
  - {name: b, match: {path: {prefix: /shop/}}, rewrite: {prefix: /}, upstream: main}
  - {name: c, hosts: [all.example.test], match: {path: {prefix: /}}, rewrite: {prefix: /under}, upstream: main}
  - {name: d, upstream: main}
""")
    for asked, got in [
        ("/products/7", "/api/v1/items/7"), ("/products", "/api/v1/items"), ("/products/", "/api/v1/items/"),
        ("/products/7/?x=%20y&", "/api/v1/items/7/?x=%20y&"), ("/products?", "/api/v1/items?"),
        ("/products/a/../7", "/api/v1/items/7"), ("/%70roducts/%41%3a", "/api/v1/items/A%3A"),
        ("/productsx", "/productsx"), ("/shop/7", "/7"), ("/shop", "/"), ("/shop/", "/"),
        # What began with two slashes would name a host to some readers.
        ("/shop//7", "/7"), ("/shop///evil.test/x", "/evil.test/x"),
    ]:
        assert through.seen(asked).target == got, asked
    for asked, got in [("/", "/under/"), ("/7", "/under/7"), ("//7", "/under//7")]:
        assert through.seen(asked, host="all.example.test").target == got, asked


def test_a_path_is_replaced_whole(site):
    through = site("""
  - {name: a, match: {path: {exact: /old}}, rewrite: {path: /new/place}, upstream: main}
  - {name: b, rewrite: {path: /}, upstream: main}
""")
    assert through.seen("/old?a=1").target == "/new/place?a=1"
    assert through.seen("/any/where").target == "/"


def test_matches_of_a_pattern_are_replaced_and_the_result_is_a_path(site):
    through = site(r"""
  - name: a
    hosts: [a.test]
    rewrite: {regex: {pattern: '^/v(\d+)/(?P<rest>.*)$', substitution: '/${rest}/of/$1'}}
    upstream: main
  - {name: b, match: {path: {prefix: /b}}, rewrite: {regex: {pattern: '-', substitution: '_'}}, upstream: main}
  - {name: c, match: {path: {prefix: /up}}, rewrite: {regex: {pattern: '/x', substitution: '/..'}}, upstream: main}
  - {name: d, match: {path: {prefix: /bare}}, rewrite: {regex: {pattern: '^/', substitution: ''}}, upstream: main}
  - {name: e, match: {path: {prefix: /two}}, rewrite: {regex: {pattern: '^/two', substitution: '/'}}, upstream: main}
""")
    assert through.seen("/v2/items/7?q=1", host="a.test").target == "/items/7/of/2?q=1"
    assert through.seen("/version", host="a.test").target == "/version"
    assert through.seen("/b/-a-").target == "/b/_a_"
    # What a substitution makes is normalised again.
    assert through.seen("/up/a/x/b").target == "/up/b"
    assert through.seen("/two/7").target == "/7"
    count = len(through.origin.requests)
    # It must not climb above the root, and must be a path.
    for asked in ("/up/x/x/x", "/bare/7"):
        assert through.get(asked).status == 500, asked
    assert len(through.origin.requests) == count
    errors = [record.get("error") for record in through.node.access_log(7)]
    assert errors.count("proxy_configuration_error") == 2


def test_the_query_is_changed_parameter_by_parameter(site):
    through = site("""
  - name: a
    match: {path: {prefix: /a}}
    rewrite: {query: {remove: [debug, "utm_*", "two words"], set: {v: "2 & 3"}, add: {tag: "x", "k=": "${path}"}}}
    upstream: main
  - {name: b, match: {path: {prefix: /b}}, rewrite: {query: {remove: [debug, "x*"]}}, upstream: main}
  - {name: c, match: {path: {prefix: /c}}, rewrite: {query: {set: {from: "${host}?${query}"}}}, upstream: main}
""")
    tail = "v=2%20%26%203&k%3D=%2Fa&tag=x"
    for asked, got in [
        ("/a", "/a?" + tail), ("/a?", "/a?" + tail), ("/a?b=1&&a=%20", "/a?b=1&&a=%20&" + tail),
        ("/a?debug&b=1&debug=1&d%65bug=2&debugs=3", "/a?b=1&debugs=3&" + tail),
        ("/a?utm_source=a&utm%5Fb&c&utm", "/a?c&utm&" + tail),
        ("/a?two+words=1&two%20words=2&c", "/a?c&" + tail),
        ("/a?v=1&z=0&v=5&V=6", "/a?z=0&V=6&" + tail),
        ("/b?debug=1", "/b"), ("/b?debug&x=1&xy", "/b"), ("/b", "/b"), ("/b?", "/b"), ("/b?c=d&debug", "/b?c=d"),
        ("/b?%64ebug&%zz=1&a%2", "/b?%zz=1&a%2"), ("/b?=1&a==&debug==", "/b?=1&a=="),
        ("/c?a=b&c", "/c?a=b&c&from=example.test%3Fa%3Db%26c"),
    ]:
        assert through.seen(asked).target == got, asked


def test_a_query_that_becomes_too_long_is_sent_to_nobody(workspace):
    site = Site(workspace, "h1", "http1", """
  - {name: a, rewrite: {query: {set: {a: "${query}", b: "${query}", c: "${query}", d: "${query}"}}}, upstream: main}
""")
    assert site.get("/?" + "a" * 1000).status == 200
    assert site.get("/?" + "&" * 15000).status == 500
    assert site.get("/?b").status == 200
    assert len(site.origin.requests) == 2


def test_host_is_replaced_and_the_forwarded_one_stays_the_clients(site):
    through = site("""
  - {name: a, match: {path: {prefix: /a}}, rewrite: {host: products.internal, prefix: /}, upstream: main}
  - {name: b, upstream: main}
""")
    seen = through.seen("/a/x", host="shop.example.test:8080")
    assert (seen.host, seen.target) == ("products.internal", "/x")
    assert seen.fields["x-forwarded-host"] == "shop.example.test:8080"
    assert 'host="shop.example.test:8080"' in seen.fields["forwarded"]
    assert through.seen("/b", host="shop.example.test").host == "shop.example.test"


def test_a_request_of_http_1_0_without_a_host_gets_the_one_that_is_set(workspace):
    site = Site(workspace, "h1", "http1", "  - {name: a, rewrite: {host: products.internal}, upstream: main}\n")
    with Peer.connect(site.port.address) as peer:
        peer.send(b"GET / HTTP/1.0\r\n\r\n")
        if not TLS_EVERYWHERE:
            assert peer.read_response().status == 200
            assert Seen(site.origin).host == "products.internal"


def test_content_follows_a_head_that_has_become_longer(site):
    through = site("""
  - name: a
    match: {path: {prefix: /a}}
    rewrite: {prefix: "/%s", query: {add: {x: "%s"}}}
    upstream: main
""" % ("p" * 3000, "y" * 3000))
    answered = through.get("/a")
    assert answered.status == 200 and Seen(through.origin).target == "/" + "p" * 3000 + "?x=" + "y" * 3000
    body = b"z" * 16000
    if through.speaks_http2:
        with http2.Client(through.port.address) as client:
            answered = client.get("/a", method="POST", body=body)
    else:
        with Peer.connect(through.port.address) as peer:
            answered = peer.exchange(request("POST", "/a", body=body))
    got = answered.body if isinstance(through.origin, http2.Origin) else json.loads(answered.body)["body"].encode()
    assert got == body


def test_validate_says_what_is_wrong_with_a_rewrite(workspace):
    text = """
upstreams: [{name: u, endpoints: [{address: 127.0.0.1:1}]}]
routes:
  - {name: r, match: {path: {exact: /a}}, rewrite: {prefix: /b}, upstream: u}
"""
    source = workspace.configuration(text)
    result = run_proxyctl("validate", source, code=None)
    assert result.code != 0 and ":4:" in result.err + result.out
    assert "take rewrite.path" in result.err + result.out
