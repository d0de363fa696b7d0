"""Who is calling: the client's address, what may not be forged, identifiers, trace context, variables of the exchange."""

import hashlib
import json
import ssl

import pytest

import http2
from weir import Peer, ReservedPort, request

VARIABLES = ["client", "requestID", "scheme", "host", "port", "path", "query", "route", "upstream", "tls.subject",
             "tls.fingerprint", "tls.version"]


class Site:
    """A node that serves the same over plain text and, at `secure`, over TLS, before an origin that answers with what it
    was asked; `ask` asks over HTTP/1.1, HTTP/2, or either over TLS."""

    TLS = "certificates: [test], clientCertificate: {mode: request, authorities: [authority]%s}"

    def __init__(self, space, listener="", more="", routes="", forward=""):
        self.certificates = space.certificates
        self.certificates.issue("alice", usage="clientAuth", subject="/O=Weir/CN=alice")
        self.origin = space.origin()
        self.plain, self.secure = space.keep(ReservedPort()), space.keep(ReservedPort())
        self.node = space.node(f"""
listeners:
  - {{name: web, address: {self.plain}{listener}}}
  - {{name: secure, address: {self.secure}, protocol: https, tls: {{{self.TLS % (forward and ', ' + forward)}}}{listener}}}
certificates:
  - {{name: test, files: {{certificate: test.crt, key: test.key}}}}
  - {{name: authority, authority: {{file: authority.pem}}}}
upstreams: [{{name: main, endpoints: [{{address: {self.origin}}}]}}]
routes:
{routes}
  - {{name: all, upstream: main}}
{more}
""", workers=1, certificates=self.certificates.folder)

    def connect(self, way, identity=None, source="127.0.0.1", before=b""):
        """A connection for one of WAYS."""
        if not way.startswith("TLS"):
            return Peer.connect(self.plain.address, source=(source, 0), before=before)
        protocols = ("h2",) if way.endswith("h2") else ("http/1.1",)
        context = self.certificates.client(protocols=protocols, identity=identity)
        return Peer.connect(self.secure.address, context, source=(source, 0), before=before)

    def ask(self, way, path="/", fields=(), trailers=(), **options):
        """Status and content of the answer to one request; `fields` and `trailers` are pairs."""
        fields = [(name, value) if not way.endswith("h2") else (name.lower(), value) for name, value in fields]
        with self.connect(way, **options) as peer:
            if way.endswith("h2"):
                with http2.Client.over(peer.socket) as client:
                    if not trailers:
                        got = client.get(path, fields=fields)
                        return got.status, got.body
                    stream = client.request(path, method="POST", body=b"ok", ends=False, fields=fields)
                    client.http2.send_headers(stream, trailers, end_stream=True)
                    client.flush()
                    got = client.response(stream)
                    return got.status, got.body
            lines = [f"{name}: {value}" for name, value in fields]
            if not trailers:
                head = peer.exchange(request("GET", path, fields=lines))
                return head.status, head.body
            end = "".join(f"{name}: {value}\r\n" for name, value in trailers)
            head = peer.exchange(request("POST", path, fields=[*lines, "Transfer-Encoding: chunked"])
                                 + f"2\r\nok\r\n0\r\n{end}\r\n".encode())
            return head.status, head.body

    def told(self, way, fields=(), **options):
        """The fields that the origin got of a request, in lower case, as pairs."""
        status, body = self.ask(way, fields=fields, **options)
        assert status == 200, body
        return [(name.lower(), value) for name, value in json.loads(body)["fields"]]


WAYS = ["http/1.1", "h2", "TLS http/1.1", "TLS h2"]


# Variables


@pytest.mark.parametrize("way", WAYS)
def test_a_response_can_say_everything_about_the_exchange(workspace, way):
    body = "".join(f"{name}=${{{name}}}\\n" for name in VARIABLES)
    site = Site(workspace, routes=f"""
  - name: mirror
    match: {{path: {{prefix: /mirror}}}}
    respond: {{status: 200, headers: {{x-who: "${{requestID}} ${{tls.version}}"}}, body: "{body}"}}
""")
    is_secure = way.startswith("TLS")
    for count, identity in enumerate((None, "alice") if is_secure else (None,), 1):
        status, content = site.ask(way, "/mirror/./a%7e?b=%0d%0a&c", identity=identity)
        assert status == 200
        said = dict(line.split("=", 1) for line in content.decode().splitlines())
        identifier = said.pop("requestID")
        assert len(identifier) == 32 and identifier in [record["request_id"] for record in site.node.access_log(count)]
        der = ssl.PEM_cert_to_DER_cert((site.certificates.folder / "alice.crt").read_text())
        assert said == {
            "client": "127.0.0.1", "scheme": "https" if is_secure else "http", "host": "example.test",
            "port": "443" if is_secure else "80", "path": "/mirror/a~", "query": "b=%0d%0a&c", "route": "mirror",
            "upstream": "", "tls.version": "TLSv1.3" if is_secure else "",
            "tls.subject": "CN=alice,O=Weir" if identity else "",
            "tls.fingerprint": hashlib.sha256(der).hexdigest() if identity else "",
        }


def test_a_variable_is_whole_however_long_it_is(workspace):
    site = Site(workspace, routes="""
  - name: mirror
    match: {path: {prefix: /mirror}}
    respond: {status: 200, headers: {x-query: "${query}"}, body: "${path}?${query}${query}"}
""")
    path, query = "/mirror/" + "a" * 7000, "b" * 9000
    with site.connect("http/1.1") as peer:
        for _ in range(2):
            head = peer.exchange(request(target=f"{path}?{query}"))
            assert head.body.decode() == f"{path}?{query}{query}" and head.get("x-query") == query
            assert peer.exchange(request(target="/mirror")).body == b"/mirror?"


# The client's address


TRUSTING = ", trustedProxies: [127.0.0.1, 10.0.0.0/8, 2001:db8:1::/48]"


def forwarded(fields):
    """What a request's Forwarded says: the addresses, and the protocols."""
    (value,) = [value for name, value in fields if name == "forwarded"]
    elements = [dict(pair.split("=", 1) for pair in element.split(";")) for element in value.split(", ")]
    return [element["for"].strip('"[]') for element in elements], [element.get("proto") for element in elements]


@pytest.mark.parametrize("way", WAYS)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(workspace, way):
    site = Site(workspace, TRUSTING, routes="""
  - {name: who, match: {path: {prefix: /who}}, respond: {status: 200, body: "${client}"}}
""")
    many = ", ".join(f"10.0.0.{number}" for number in range(100))
    cases = [
        ([], "127.0.0.1", []),
        (["203.0.113.9"], "203.0.113.9", ["203.0.113.9"]),
        (["203.0.113.9, 10.1.1.1"], "203.0.113.9", ["203.0.113.9", "10.1.1.1"]),
        (["1.2.3.4, 203.0.113.9"], "203.0.113.9", ["203.0.113.9"]),
        (["1.2.3.4", "203.0.113.9,10.1.1.1", "10.2.2.2"], "203.0.113.9", ["203.0.113.9", "10.1.1.1", "10.2.2.2"]),
        (["unknown, 10.1.1.1"], "10.1.1.1", ["10.1.1.1"]),
        (["203.0.113.9, nobody, 10.1.1.1"], "10.1.1.1", ["10.1.1.1"]),
        (["203.0.113.9", "nobody"], "127.0.0.1", []),
        (["10.3.3.3, 10.1.1.1"], "10.3.3.3", ["10.3.3.3", "10.1.1.1"]),
        (["203.0.113.9:4711"], "203.0.113.9", ["203.0.113.9"]),
        (["2001:DB8::7"], "2001:db8::7", ["2001:db8::7"]),
        (["[2001:db8::7]:443, [2001:db8:1::1]"], "2001:db8::7", ["2001:db8::7", "2001:db8:1::1"]),
        (["::ffff:203.0.113.9, ::ffff:10.1.1.1"], "203.0.113.9", ["203.0.113.9", "10.1.1.1"]),
        ([",, 203.0.113.9 ,\t,"], "203.0.113.9", ["203.0.113.9"]),
        (["203.0.113.9\\, x"], "127.0.0.1", []),
        ([f"203.0.113.9, {many}"], "10.0.0.36", [f"10.0.0.{number}" for number in range(36, 100)]),
    ]
    for count, (lines, client, hops) in enumerate(cases, 1):
        fields = [("X-Forwarded-For", line) for line in lines]
        assert site.ask(way, "/who", fields)[1].decode() == client, lines
        told = site.told(way, [*fields, ("Forwarded", "for=6.6.6.6;host=evil.test"), ("X-Forwarded-Proto", "https")])
        assert [value for name, value in told if name == "x-forwarded-for"] == [", ".join([*hops, "127.0.0.1"])], lines
        assert forwarded(told)[0] == [*hops, "127.0.0.1"] and forwarded(told)[1][0] == "https", lines
        assert "evil" not in str(told) and "6.6.6.6" not in str(told)
        assert [record["client"] for record in site.node.access_log(2 * count)[-2:]] == [client] * 2, lines


@pytest.mark.parametrize("way", WAYS)
def test_nobody_else_is_believed(workspace, way):
    site = Site(workspace, TRUSTING)
    told = site.told(way, [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "gopher")], source="127.0.0.2")
    assert [value for name, value in told if name == "x-forwarded-for"] == ["127.0.0.2"]
    assert forwarded(told) == (["127.0.0.2"], ["https" if way.startswith("TLS") else "http"])
    assert site.node.access_log(1)[0]["client"] == "127.0.0.2"


@pytest.mark.parametrize("way", WAYS)
def test_a_route_can_be_for_some_clients(workspace, way):
    site = Site(workspace, TRUSTING, routes="""
  - {name: office, match: {clients: [203.0.113.0/24, "2001:db8:7::/48"]}, respond: {status: 200, body: office}}
  - {name: proxies, match: {clients: [127.0.0.1]}, respond: {status: 200, body: proxies}}
  - {name: strangers, match: {not: {clients: [198.51.100.0/24]}}, respond: {status: 200, body: strangers}}
  - {name: banned, respond: {status: 403, body: banned}}
""")
    for told, source, body in (("203.0.113.9", "127.0.0.1", b"office"), ("[2001:db8:7::1]:443", "127.0.0.1", b"office"),
                               ("203.0.113.9", "127.0.0.2", b"strangers"), ("192.0.2.1", "127.0.0.1", b"strangers"),
                               ("203.0.113.9, 198.51.100.7", "127.0.0.1", b"banned"), ("", "127.0.0.1", b"proxies")):
        assert site.ask(way, fields=[("X-Forwarded-For", told)], source=source)[1] == body, (told, source)


@pytest.mark.parametrize("way", WAYS)
def test_no_route_is_taken_for_what_a_client_says_in_a_proxys_place(workspace, way):
    site = Site(workspace, TRUSTING, more="requestID: {header: x-trace}", routes="""
  - {name: proto, match: {headers: [{name: x-forwarded-proto, exact: gopher}]}, respond: {body: proto}}
  - {name: real, match: {headers: [{name: x-real-ip, prefix: "10."}]}, respond: {body: real}}
  - {name: who, match: {headers: [{name: x-who, exact: admin}]}, respond: {body: who}}
  - {name: trace, match: {headers: [{name: x-trace, exact: a}]}, respond: {body: trace}}
  - {name: beta, match: {headers: [{name: x-beta, exact: "1"}]}, respond: {body: beta}}
  - {name: rest, respond: {body: rest}}
""", forward="forward: {subject: x-who}")
    for name, value, trusted, untrusted in (("X-Forwarded-Proto", "gopher", b"proto", b"rest"), ("X-Real-IP", "10.0.0.1", b"real", b"rest"),
                                            ("X_Real_IP", "10.0.0.1", b"rest", b"rest"), ("X-Who", "admin", None, b"rest"),
                                            ("X_Who", "admin", None, b"rest"), ("X-Trace", "a", b"rest", b"rest"),
                                            ("X-Beta", "1", b"beta", b"beta"), ("X_Beta", "1", b"beta", b"beta")):
        if trusted is None:  # what the listener itself tells, nobody else does
            trusted = b"rest" if way.startswith("TLS") else b"who"
        assert site.ask(way, fields=[(name, value)])[1] == trusted, name
        assert site.ask(way, fields=[(name, value)], source="127.0.0.2")[1] == untrusted, name
    if way == "http/1.1":
        fields = [("X-Beta", "1"), ("Connection", "x-beta")]
        assert site.ask(way, fields=fields)[1] == b"rest", "what ends here is not seen behind, nor by routes"


def test_a_client_keeps_its_side_of_a_split_behind_whichever_proxy(workspace):
    sides = workspace.origin(), workspace.origin()
    for origin, name in zip(sides, ("one", "two")):
        origin.name = name
    endpoints = "".join(f", {{name: {side.name}, endpoints: [{{address: {side}}}]}}" for side in sides)
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}, trustedProxies: [127.0.0.0/8]}}]
upstreams: [{endpoints.removeprefix(", ")}]
routes:
  - {{name: split, split: [{{upstream: one, weight: 1}}, {{upstream: two, weight: 1}}], cohort: {{clientIP: true}}}}
""", workers=1)
    chosen = {}
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        with Peer.connect(port.address, source=(source, 0)) as peer:
            for number in range(40):
                head = peer.exchange(request(fields=[f"X-Forwarded-For: 203.0.113.{number}"]))
                assert chosen.setdefault(number, head.json["origin"]) == head.json["origin"], (source, number)
    assert len(set(chosen.values())) == 2


def test_each_request_of_a_connection_has_its_own_client(workspace):
    site = Site(workspace, TRUSTING)
    with site.connect("http/1.1") as peer:
        for client in ("203.0.113.1", None, "203.0.113.2"):
            head = peer.exchange(request(fields=[f"X-Forwarded-For: {client}"] if client else []))
            assert dict(head.json["fields"])["x-forwarded-for"] == f"{client}, 127.0.0.1" if client else "127.0.0.1"
    assert [record["client"] for record in site.node.access_log(3)] == ["203.0.113.1", "127.0.0.1", "203.0.113.2"]


def test_the_walk_begins_at_whom_a_proxy_header_names(workspace):
    site = Site(workspace, ", proxyProtocol: require, trustedProxies: [192.0.2.0/24]")
    for source, client in (("192.0.2.7", "203.0.113.9"), ("198.51.100.1", "198.51.100.1")):
        before = f"PROXY TCP4 {source} 127.0.0.1 4711 80\r\n".encode()
        for way in WAYS:
            told = site.told(way, [("X-Forwarded-For", "203.0.113.9")], before=before)
            chain = [client, source] if client != source else [client]
            assert [value for name, value in told if name == "x-forwarded-for"] == [", ".join(chain)], (source, way)
    assert [record["client"] for record in site.node.access_log(8)] == ["203.0.113.9"] * 4 + ["198.51.100.1"] * 4


def test_a_trusted_peer_says_how_the_client_came(workspace):
    site = Site(workspace, TRUSTING, routes="""
  - {name: go, match: {path: {prefix: /go}}, redirect: {status: 302, location: "${scheme}://${host}:${port}/"}}
""")
    for source, protocols, url in (("127.0.0.1", ["https"], "https://example.test:443/"), ("127.0.0.1", [], None),
                                   ("127.0.0.1", ["HTTP"], None), ("127.0.0.1", ["https", "http"], None),
                                   ("127.0.0.1", ["https, http"], None), ("127.0.0.2", ["https"], None)):
        with site.connect("http/1.1", source=source) as peer:
            head = peer.exchange(request(target="/go", fields=[f"X-Forwarded-Proto: {name}" for name in protocols]))
            assert head.get("location") == (url or "http://example.test:80/"), (source, protocols)
    told = site.told("http/1.1", [("X-Forwarded-Proto", "https")])
    assert ("x-forwarded-proto", "https") in told and forwarded(told) == (["127.0.0.1"], ["https"])


def test_fields_for_tls_alone_go_to_whom_a_trusted_peer_has_served_with_it(workspace):
    site = Site(workspace, TRUSTING, routes="""
  - {name: go, match: {path: {prefix: /go}}, policies: [strict], respond: {status: 200}}
""", more="policies: [{name: strict, headers: {response: {set: {strict-transport-security: max-age=1}}}}]")
    for source, fields, is_there in (("127.0.0.1", ["X-Forwarded-Proto: https"], True), ("127.0.0.1", [], False),
                                     ("127.0.0.2", ["X-Forwarded-Proto: https"], False)):
        with site.connect("http/1.1", source=source) as peer:
            assert ("strict-transport-security" in peer.exchange(request(target="/go", fields=fields))) == is_there


# What may not be forged


FORGED = {
    "x-forwarded-for": "6.6.6.6", "x-forwarded-host": "evil.test", "x-forwarded-proto": "gopher", "x-forwarded-port": "6",
    "x-forwarded-prefix": "/evil", "x-real-ip": "6.6.6.6", "forwarded": "for=6.6.6.6;host=evil.test",
    "x-request-id": "evil", "x-who": "CN=evil", "via": "1.1 fine",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_only_a_proxy_may_say_is_dropped_however_it_is_spelled(workspace, way):
    site = Site(workspace)
    names = list(FORGED.items())
    underscored = [(name.replace("-", "_", count), value) for name, value in names for count in (1, 9) if "-" in name]
    nominated = [] if way.endswith("h2") else [("Connection", ", ".join(FORGED))]
    told = site.told(way, [*names, *underscored, *names, ("x-kept", "1")])
    assert "evil" not in str(told).replace("CN=evil", "") and "6.6.6.6" not in str(told), told
    assert ("x-kept", "1") in told and ("x-forwarded-for", "127.0.0.1") in told
    once = [name for name, _ in told if name.replace("_", "-") in ("x-forwarded-for", "x-forwarded-host", "forwarded",
                                                                   "x-forwarded-proto", "x-request-id")]
    assert sorted(once) == ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"]
    told = site.told(way, [*nominated, *names])
    assert ("x-forwarded-for", "127.0.0.1") in told and ("x-forwarded-host", "example.test") in told


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"], ids=["trusted", "anybody"])
def test_nothing_of_it_comes_in_trailers(workspace, way, source):
    site = Site(workspace, TRUSTING, more="requestID: {header: x-correlation-id}")
    site.origin.script = keep_trailers
    trailers = [*FORGED.items(), ("x-correlation-id", "evil"), ("x_correlation_id", "evil"), ("x_forwarded_for", "6.6.6.6"),
                ("traceparent", PARENT), ("tracestate", "a=b"), ("x-check", "7")]
    del trailers[trailers.index(("x-who", "CN=evil"))], trailers[trailers.index(("x-request-id", "evil"))]
    status, body = site.ask(way, fields=[("te", "trailers")] + ([] if way.endswith("h2") else [("Connection", "te")]),
                            trailers=trailers, source=source)
    assert (status, json.loads(body)) == (200, [["x-check", "7"]])


def keep_trailers(peer, origin):
    """Answers each request with its trailer fields."""
    while (head := peer.read_head()) is not None:
        peer.read_body(head)
        content = json.dumps(head.trailers).encode()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


def test_a_trusted_peers_word_cannot_be_dropped_by_naming_it_in_connection(workspace):
    site = Site(workspace, TRUSTING)
    told = site.told("http/1.1", [("Connection", "X-Forwarded-For, x-forwarded-proto, x-forwarded-host, forwarded, x-note"),
                                  ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"),
                                  ("X-Forwarded-Host", "shop.test"), ("X-Forwarded-Port", "443"), ("X-Note", "1")])
    assert ("x-forwarded-for", "203.0.113.9, 127.0.0.1") in told and ("x-forwarded-proto", "https") in told
    assert ("x-forwarded-host", "shop.test") in told and ("x-forwarded-port", "443") in told
    assert "x-note" not in dict(told)


# Identifiers


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("header", ["x-request-id", "x-correlation-id"])
@pytest.mark.parametrize("accept,believed", [("trusted", ["127.0.0.1"]), ("always", ["127.0.0.1", "127.0.0.2"]), ("never", [])])
def test_an_identifier_is_taken_over_from_whom_it_may_be(workspace, way, header, accept, believed):
    site = Site(workspace, TRUSTING, more=f"requestID: {{header: {header.title()}, accept: {accept}}}")
    seen = []
    for source in ("127.0.0.1", "127.0.0.2"):
        told = site.told(way, [(header, "chosen-7")], source=source)
        (identifier,) = [value for name, value in told if name == header]
        assert (identifier == "chosen-7") == (source in believed) and (identifier == "chosen-7" or len(identifier) == 32)
        seen.append(identifier)
        # What has another meaning, or several, is none.
        for values in (["a b"], ["a\tb"], ["x" * 129], ["\u00e9"], [""], ["one", "two"]):
            told = site.told(way, [(header, value) for value in values], source=source)
            (identifier,) = [value for name, value in told if name == header]
            assert len(identifier) == 32 and identifier not in values
            seen.append(identifier)
        told = site.told(way, [(header.replace("-", "_"), "evil"), (header, "ok" * 64)], source=source)
        (identifier,) = [value for name, value in told if name.replace("_", "-") == header]
        assert (identifier == "ok" * 64) == (source in believed)
        seen.append(identifier)
    assert [record["request_id"] for record in site.node.access_log(len(seen))] == seen


def test_with_another_field_the_usual_one_is_like_others(workspace):
    site = Site(workspace, more="requestID: {header: x-correlation-id}")
    for way in WAYS:
        told = site.told(way, [("X-Request-ID", "mine"), ("X-Request-ID", "too")])
        assert [value for name, value in told if name == "x-request-id"] == ["mine", "too"]
        assert len(dict(told)["x-correlation-id"]) == 32


def test_a_response_carries_the_identifier_where_the_configuration_says_so(workspace):
    site = Site(workspace, routes="""
  - {name: own, match: {path: {prefix: /own}}, respond: {status: 200, headers: {x-request-id: "${requestID}"}}}
""")
    with site.connect("http/1.1") as peer:
        assert "x-request-id" not in peer.exchange(request())
        own = peer.exchange(request(target="/own")).get("x-request-id")
    assert own == site.node.access_log(2)[1]["request_id"]


# Trace context


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def of_trace(told):
    return [pair for pair in told if pair[0] in ("traceparent", "tracestate", "baggage")]


@pytest.mark.parametrize("way", WAYS)
def test_trace_context_goes_on_as_it_is_or_not_at_all(workspace, way):
    site = Site(workspace)
    valid = [("traceparent", PARENT), ("tracestate", "a=1,b=2"), ("tracestate", "c=3"), ("baggage", "k=v")]
    assert of_trace(site.told(way, valid)) == valid
    assert of_trace(site.told(way, valid[::-1])) == valid[::-1]
    later = [("traceparent", f"cc-{TRACE}-{SPAN}-01-more")]
    assert of_trace(site.told(way, later)) == later
    for values in ([PARENT, PARENT], [PARENT.upper()], [PARENT + "-"], [f"ff-{TRACE}-{SPAN}-01"], [f"{PARENT}, {PARENT}"],
                   [f"00-{'0' * 32}-{SPAN}-01"], [f"00-{TRACE}-{'0' * 16}-01"], [""], []):
        fields = [("tracestate", "a=1"), *[("traceparent", value) for value in values], ("baggage", "k=v")]
        assert of_trace(site.told(way, fields)) == [("baggage", "k=v")], values
    assert of_trace(site.told(way)) == []


def test_trace_context_ends_here_where_the_configuration_says_so(workspace):
    site = Site(workspace, more="tracing: {propagate: false}")
    for way in WAYS:
        told = site.told(way, [("traceparent", PARENT), ("tracestate", "a=1"), ("baggage", "k=v")])
        assert of_trace(told) == [("baggage", "k=v")]


def test_a_trace_that_ends_with_the_connection_ends_whole(workspace):
    site = Site(workspace)
    told = site.told("http/1.1", [("traceparent", PARENT), ("tracestate", "a=1"), ("Connection", "traceparent")])
    assert of_trace(told) == []
