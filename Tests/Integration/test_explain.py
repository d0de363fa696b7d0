"""`proxyctl explain` and the node agree on everything that the one says and the other does."""

import contextlib

import pytest

from weir import TLS_EVERYWHERE, Peer, ReservedPort, Workspace, request, run_proxyctl, scheme

CONFIGURATION = """
listeners: [{{name: web, address: {port}, trustedProxies: [127.0.0.0/8]}}]
upstreams:
  - {{name: main, endpoints: [{{address: {origin}}}]}}
policies:
  - name: fields
    headers:
      request:
        set: {{x-from: "${{client}} ${{scheme}} ${{host}} ${{port}} ${{path}} ${{query}} ${{route}} ${{upstream}}", x-one: first}}
        add: {{x-two: "added ${{requestID}}"}}
        remove: [x-debug*]
      response:
        set: {{x-answered: "${{route}} ${{upstream}} ${{scheme}} ${{path}}", strict-transport-security: max-age=60}}
        add: {{x-seen: "again"}}
        remove: [x-gone]
  - {{name: more, headers: {{request: {{add: {{x-one: second}}, remove: [x-never]}}, response: {{remove: [x-seen]}}}}}}
  - {{name: pages, errorPages: {{"500-599": {{body: "${{path}}", contentType: text/html}}, "503": {{body: later}}}}}}
hiding: {{server: shop, responseHeaders: [x-backend-*, x-powered-by]}}
requestID: {{accept: always}}
routes:
  - {{name: old, match: {{path: {{prefix: /old}}}}, policies: [fields], redirect: {{location: "https://${{host}}/new${{path}}?${{query}}"}}}}
  - {{name: closed, match: {{path: {{prefix: /closed}}}}, policies: [fields, pages], upstream: main, maintenance: {{enabled: true, retryAfter: 90s}}}}
  - {{name: items, match: {{path: {{prefix: /items}}}}, policies: [fields, more, pages], rewrite: {{prefix: /api, host: inner.test, query: {{remove: [debug], set: {{p: "${{path}}"}}}}}}, upstream: main}}
  - {{name: rest, policies: [fields], upstream: main}}
"""


class Site:
    """A node, and what `explain` says of requests to it."""

    def __init__(self, workspace):
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.origin = workspace.origin(self.script)
        self.port = workspace.keep(ReservedPort())
        text = CONFIGURATION.format(port=self.port, origin=self.origin)
        self.source = workspace.configuration(text)
        self.node = workspace.node(text, workers=1)

    def script(self, peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            peer.send(self.answer)

    def explain(self, path, *fields):
        extra = [word for field in fields for word in ("-H", field)]
        url = f"http://shop.test:{self.port.address[1]}{path}"
        return run_proxyctl("explain", "GET", url, *extra, "-f", self.source, "-o", "json").json

    def ask(self, path, *fields):
        host = f"shop.test:{self.port.address[1]}"
        with Peer.connect(self.port.address) as peer:
            return peer.exchange(request(target=path, host=host, fields=fields))


@pytest.fixture
def site(workspace):
    return Site(workspace)


def lines(fields):
    return [(line["name"], line["value"]) for line in fields]


@pytest.mark.parametrize("path", ["/items/./7?debug=1&q=%20x", "/items", "/else/%7Ewhere?a", "/"])
def test_an_upstream_gets_what_explain_says(site, path):
    sent = ("x-request-id: known-1", "X-Debug-Level: 3", "X_DEBUG: 4", "x-one: mine", "x-two: mine", "x-other: stays")
    told = site.explain(path, *sent)
    assert site.ask(path, *sent).status == 200
    seen = site.origin.requests[-1]
    assert seen.target == told["path"] + (f"?{told['query']}" if told["query"] is not None else "")
    assert seen.get("host") == told["host"]
    got = [(name.lower(), value) for name, value in seen.fields]
    changes = told["requestFields"]
    assert told["unknown"] == []
    for name, value in lines(changes["set"]):
        assert [line for line in got if line[0] == name] == [line for line in lines(changes["set"]) if line[0] == name]
    for line in lines(changes["add"]):
        assert line in got
    kept = {line.split(":")[0].lower() for line in sent} - set(changes["dropped"])
    assert set(changes["dropped"]) == {"x-debug-level", "x_debug", "x-one"}
    assert {name for name, _ in got} & {"x-debug-level", "x_debug", "x-other", "x-two"} == kept - {"x-request-id"}
    assert ("x-one", "mine") not in got and ("x-two", "mine") in got


def test_a_client_gets_what_explain_says(site):
    told = site.explain("/items/7")
    place = {location["said"]: location["shown"] for location in told["locations"]}
    assert set(place) == {f"http://{site.origin}/api/7", "http://inner.test/api/7"}
    for said, shown in place.items():
        site.answer = (
            b"HTTP/1.1 302 Found\r\nServer: x\r\nX-Backend-Host: a\r\nX-Powered-By: b\r\nX-Gone: c\r\nX-Seen: d\r\n"
            b"Content-Length: 0\r\nLocation: " + said.encode() + b"\r\n\r\n")
        answer = site.ask("/items/7")
        assert answer.get("location") == shown
        names = {name.lower() for name, _ in answer.fields}
        assert not names & {"x-backend-host", "x-powered-by", "x-gone", "x-seen"}
        assert {"server", "x-backend-*", "x-powered-by"} <= set(told["hidden"])
        for name, value in lines(told["responseFields"]["set"]):
            assert [other for field, other in answer.fields if field.lower() == name] == [value]
        assert told["responseFields"]["add"] == []
        assert "strict-transport-security" not in names


@pytest.mark.parametrize("path, status", [("/old/a/../b?c=d", 308), ("/closed", 503)])
def test_an_answer_of_the_node_has_the_fields_that_explain_names(site, path, status):
    told = site.explain(path)
    answer = site.ask(path)
    assert answer.status == told["status"]
    assert told["requestFields"]["set"] == [] and told["locations"] == []
    for name, value in lines(told["answerFields"]) + lines(told["responseFields"]["set"]):
        assert answer.get(name) == value, name


@pytest.mark.parametrize("status", [404, 500, 502, 503, 504])
def test_the_page_that_explain_names_is_the_one(site, status):
    told = site.explain("/items/7")["errorPages"]
    pages = [page for page in told
             if int(page["statuses"].split("-")[0]) <= status <= int(page["statuses"].split("-")[-1])]
    site.answer = f"HTTP/1.1 {status} x\r\nContent-Length: 1\r\nContent-Type: image/png\r\n\r\nx".encode()
    answer = site.ask("/items/7")
    assert answer.get("content-type") == (pages[0]["contentType"] if pages else "image/png")
    assert len(pages) == (status >= 500)


# What the upstream gets of fields

SETTINGS = {
    "defaults": "",
    "own identifier": "requestID: {header: x-own-id, accept: always}",
    "identifier of proxies": "requestID: {accept: trusted}",
    "no pseudonym": "hiding: {via: \"\"}",
    "no traces": "tracing: {propagate: false}",
}
TRACE = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FIELDS = [
    (),
    ("Proxy: http://evil.test/", "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Forwarded-Proto: https", "X-Real-IP: 6.6.6.6"),
    ("X-Forwarded-For: 203.0.113.9, 127.0.0.3, 127.0.0.2", "X-Forwarded-For: 127.0.0.4:80", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.test"),
    ("X-Forwarded-For: 2001:db8::1", "X-Forwarded-Proto: http", "X-Forwarded-Port: 80"),
    ("X-Forwarded-For: 203.0.113.9, unknown, 127.0.0.2",), ("X-Forwarded-For: ,, 203.0.113.9 ,", "X-Forwarded-Proto: https, http"),
    ("X-Request-ID: mine", "X-Own-ID: mine-too"), ("x-request-id: a", "x-request-id: b", "x_own_id: c"), ("X-Request-ID: a b",),
    (TRACE, "tracestate: a=b"), (TRACE, TRACE, "tracestate: a=b"), ("traceparent: x", "tracestate: a=b"), ("tracestate: a=b",),
    ("Cookie: a=b; side=x; c=d", "Cookie: side=only"), ("Cookie: side=x",), ("Cookie: sides=x;  a=b ;side=y;",),
    ("Connection: upgrade, x-gone", "Upgrade: h2c, websocket, weather/1", "X-Gone: 1"), ("Connection: te, close", "TE: trailers, gzip", "Keep-Alive: 5"),
    ("Connection: te, upgrade", "TE: trailers", "Upgrade: x"), ("Connection: upgrade", "Upgrade: h2c"), ("TE: trailers",), ("Connection: keep-alive",),
    ("Via: 1.0 fred", "Max-Forwards: 3", "Accept: */*", "X-Other: 1", "X_Other: 2", "Proxy-Connection: close", "X_Forwarded_For: 1.2.3.4"),
]


@pytest.fixture(scope="module")
def forwards(tmp_path_factory):
    """Nodes by their settings, each with a listener that trusts local proxies and one that trusts nobody."""
    with contextlib.closing(Workspace(tmp_path_factory.mktemp("explain"))) as space:
        yield {name: Forwarding(space, number, text) for number, (name, text) in enumerate(SETTINGS.items())}


class Forwarding:
    def __init__(self, workspace, number, settings):
        def script(peer, origin):
            while (head := peer.read_head()) is not None:
                origin.requests.append(head)
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        self.origin = workspace.origin(script)
        self.ports = {name: workspace.keep(ReservedPort()) for name in ("plain", "trusting")}
        text = f"""
listeners:
  - {{name: plain, address: {self.ports["plain"]}}}
  - {{name: trusting, address: {self.ports["trusting"]}, trustedProxies: [127.0.0.0/8]}}
upstreams: [{{name: main, sticky: {{cookie: side}}, endpoints: [{{address: {self.origin}}}]}}]
policies: [{{name: more, headers: {{request: {{set: {{x-set: "${{client}} ${{scheme}}"}}, add: {{x-other: again}}, remove: [accept]}}}}}}]
routes:
  - {{name: more, match: {{path: {{prefix: /more}}}}, rewrite: {{host: inner.test}}, policies: [more], upstream: main}}
  - {{name: rest, upstream: main}}
{settings}
"""
        self.source = workspace.configuration(text)
        workspace.node(text, name=f"node-{number}", workers=1)

    def compare(self, listener, method, path, fields):
        address = self.ports[listener].address
        extra = [word for field in fields for word in ("-H", field)]
        url = f"{scheme(address)}://shop.test:{address[1]}{path}"
        told = run_proxyctl("explain", method, url, *extra, "-f", self.source, "-o", "json").json
        count = len(self.origin.requests)
        with Peer.connect(address) as peer:
            assert peer.exchange(request(method, path, host=f"shop.test:{address[1]}", fields=fields)).status == 200
        (seen,) = self.origin.requests[count:]
        got = [(name.lower(), value) for name, value in seen.fields]
        sent = lines(told["sentFields"])
        unknown = {entry["variable"] for entry in told["unknown"]}
        assert unknown <= {"${requestID}"}, unknown
        assert [name for name, _ in got] == [name for name, _ in sent], (got, sent)
        for (_, value), (_, known) in zip(got, sent):
            assert value == known or known == "${requestID}" and len(value) >= 26, (got, sent)


@pytest.mark.skipif(TLS_EVERYWHERE, reason="what is told of files is told of listeners without TLS")
@pytest.mark.parametrize("fields", FIELDS, ids=range(len(FIELDS)))
@pytest.mark.parametrize("settings", SETTINGS)
def test_an_upstream_gets_the_fields_that_explain_names_and_no_others(forwards, settings, fields):
    for listener, path in (("plain", "/a?b"), ("trusting", "/more/./x")):
        forwards[settings].compare(listener, "GET", path, fields)


@pytest.mark.skipif(TLS_EVERYWHERE, reason="what is told of files is told of listeners without TLS")
def test_other_methods_and_framings(forwards):
    site = forwards["defaults"]
    site.compare("plain", "OPTIONS", "/", ("Max-Forwards: 7",))
    site.compare("trusting", "POST", "/more", ("Content-Length: 0", "Expect: 100-continue", "Content-Type: a/b"))


@pytest.mark.skipif(TLS_EVERYWHERE, reason="what is told of files is told of listeners without TLS")
def test_a_client_behind_a_proxy_that_nobody_has_named(forwards):
    """Who is no proxy itself comes through one: all but that one's address is told."""
    site = forwards["defaults"]
    port = site.ports["trusting"].address
    told = run_proxyctl("explain", "GET", f"https://shop.test:{port[1]}/", "--client", "203.0.113.9", "-f", site.source, "-o", "json").json
    assert "${peer}" in {entry["variable"] for entry in told["unknown"]}
    with Peer.connect(port) as peer:
        peer.exchange(request(host=f"shop.test:{port[1]}", fields=("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")))
    seen = site.origin.requests[-1]
    for name, value in lines(told["sentFields"]):
        assert value.replace("${peer}", "127.0.0.1") == seen.get(name) or value == "${requestID}", name


def test_options_that_end_here_are_answered_here(forwards):
    site = forwards["defaults"]
    told = run_proxyctl("explain", "OPTIONS", "http://shop.test/", "-H", "Max-Forwards: 0", "-f", site.source, "-o", "json").json
    assert told["status"] == 200 and told["route"] is None and told["sentFields"] == []
