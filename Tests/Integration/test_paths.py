"""Paths have one meaning: each spelling is refused, or the origin gets the one form that was matched."""

import pytest

import http2
from weir import Peer, ReservedPort, get, request

# Targets, and what the origin gets by the rules of the key; None is 400.
SPELLINGS = {
    "": {
        "/a/./b/../c": "/a/c", "/%61%2e%2E": "/a..", "/a/%2e%2e/b": "/b", "/a%2eb": "/a.b", "/%7ea": "/~a", "/%3a": "/%3A",
        "//a//b": "//a//b", "/a;p=1/b;q": "/a;p=1/b;q", "/a;..": "/a;..", "/a.": "/a.", "/a%20": "/a%20", "/a%3F%23": "/a%3F%23",
        "/%252e%252e%252fb": "/%252e%252e%252fb", "/%255c": "/%255c", "/%c3%a9": "/%C3%A9", "/a?b/../%2f%5c%00": "/a?b/../%2f%5c%00",
        "/..": None, "/a/../../b": None, "/%2e%2e/b": None, "/a/..;/b": None, "/..;x=1/b": None, "/.;/b": None, "/%2e%2e;/b": None,
        "/..%3b/b": None, "/a\\b": None, "/a%5cb": None, "/..%5cb": None, "/\\..\\b": None, "/a%2fb": None, "/a/..%2Fb": None,
        "/a%00": None, "/a%00.png": None, "/a%0d%0ab": None, "/a%09": None, "/a%7f": None, "/%c0%af": None, "/%c0%ae%c0%ae/b": None,
        "/%e0%80%af": None, "/%f0%80%80%af": None, "/%c1%9c": None, "/%": None, "/%2": None, "/%zz": None, "/%u002f": None,
        "/%%32%66": None,
    },
    "encodedSlash: keep": {
        "/a%2fb": "/a%2Fb", "/a%5cb": "/a%5Cb", "/a\\b": "/a%5Cb", "/a/..%2fb": None, "/a%2f..": None, "/..%5cb": None, "/%c0%af": None,
        "/a%2f/b": "/a%2F/b",
    },
    "encodedSlash: decode": {
        "/a%2fb": "/a/b", "/a/x%2f..%2fb": "/a/b", "/a%2f%2e%2e/b": "/b", "/..%2fb": None, "/a%252fb": "/a%252fb", "/a%5cb": "/a%5Cb",
        "/a%5c..": None, "/a%2f%2fb": "/a//b",
    },
    "mergeSlashes: true": {"//a///b//": "/a/b/", "/a/..//b": "/b", "/a//../b": "/b", "/a%2fb": None},
    "mergeSlashes: true, encodedSlash: decode": {"/%2f%2fa%2f/b": "/a/b"},
}
CASES = [(rules, target, expected) for rules, spellings in SPELLINGS.items() for target, expected in spellings.items()]


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """A node for each set of rules, before one origin: (its address, the origin)."""
    from weir import Workspace
    space = Workspace(tmp_path_factory.mktemp("paths"))
    try:
        found = {}
        for index, rules in enumerate(SPELLINGS):
            origin = space.origin()
            port = space.keep(ReservedPort())
            space.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: main}}]
paths: {{{rules}}}
""", f"node-{index}", workers=1)
            found[rules] = (port.address, origin)
        yield found
    finally:
        space.close()


@pytest.mark.parametrize("rules, target, expected", CASES)
def test_http1_spellings(sites, rules, target, expected):
    web, origin = sites[rules]
    origin.requests.clear()
    head = get(web, target)
    assert (head.status, [seen.target for seen in origin.requests]) == ((200, [expected]) if expected else (400, []))


@pytest.mark.parametrize("rules, target, expected", CASES)
def test_http2_spellings(sites, rules, target, expected):
    web, origin = sites[rules]
    origin.requests.clear()
    with http2.Client(web) as client:
        got = client.get(target)
    assert (got.status, [seen.target for seen in origin.requests]) == ((200, [expected]) if expected else (400, []))


@pytest.mark.parametrize("target, expected", [
    ("http://b.test/a/../b", "/b"), ("http://b.test/..", None), ("http://b.test/..;/b", None), ("http://b.test\\@c.test/", None),
    ("http://b.test%2f@c.test/", None), ("http://user@b.test/", None), ("http://b.test", "/"), ("http://b.test?/..", "/?/.."),
    ("http:/b.test/", None), ("//b.test/../a", None), ("/a#b", None), ("/a b", None), ("*", None), ("\\a", None), ("a", None)])
def test_forms_of_targets(sites, target, expected):
    web, origin = sites[""]
    origin.requests.clear()
    head = get(web, target)
    got = [(head.status, seen.target) for seen in origin.requests]
    if target == "//b.test/../a":
        assert got == [(200, "//a")]  # an origin-form is a path, whatever it begins with
    else:
        assert got == ([(200, expected)] if expected else []) and (expected or head.status == 400)


def test_no_spelling_leads_past_a_route(workspace):
    """What is refused at /admin is not reached by any spelling that an origin may read as /admin."""
    origin = workspace.origin()
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes:
  - {{name: closed, match: {{path: {{prefix: /admin}}}}, respond: {{status: 403}}}}
  - {{name: all, upstream: main}}
paths: {{mergeSlashes: true}}
""", workers=1)
    for target in ["/admin", "/admin/", "/admin/x", "/%61dmin", "/./admin", "//admin", "/x/../admin", "/x/%2e%2e/admin", "/x//..//admin",
                   "/admin/../admin", "/%2e/admin", "/x/..;/admin", "/..;/admin", "/x;/../admin", "/\\admin", "/%5cadmin", "/x%2f..%2fadmin",
                   "/x/..%2fadmin", "/x\\..\\admin", "/%2fadmin", "/x/%c0%ae%c0%ae/admin", "/x/..%c0%afadmin", "/%u0061dmin",
                   "/admin%00", "/admin%2f", "/admin/.", "/admin%2f..%2fadmin", "/admin?x", "/admin/..;/admin"]:
        head = get(port.address, target)
        assert head.status in (400, 403), target
        with http2.Client(port.address) as client:
            assert client.get(target).status in (400, 403), target
    assert origin.requests == []
    assert get(port.address, "/administrator").status == 200


def test_patterns_follow_the_rules(workspace):
    origin = workspace.origin()
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes:
  - {{name: file, match: {{path: {{exact: "/files/a%2Fb"}}}}, respond: {{status: 200, body: file}}}}
  - {{name: rest, respond: {{status: 200, body: rest}}}}
paths: {{encodedSlash: keep}}
""", workers=1)
    with Peer.connect(port.address) as peer:
        for target, body in [("/files/a%2fb", b"file"), ("/files/%61%2Fb", b"file"), ("/files/a/b", b"rest"), ("/files/a%252fb", b"rest")]:
            assert peer.exchange(request(target=target)).body == body, target
