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

    def __init__(self, space, listener="", more="", routes=""):
        self.certificates = space.certificates
        self.certificates.issue("alice", usage="clientAuth", subject="/O=Weir/CN=alice")
        self.origin = space.origin()
        self.plain, self.secure = space.keep(ReservedPort()), space.keep(ReservedPort())
        self.node = space.node(f"""
listeners:
  - {{name: web, address: {self.plain}{listener}}}
  - name: secure
    address: {self.secure}
    protocol: https
    tls: {{certificates: [test], clientCertificate: {{mode: request, authorities: [authority]}}}}
    {listener.removeprefix(",").strip()}
certificates:
  - {{name: test, files: {{certificate: test.crt, key: test.key}}}}
  - {{name: authority, authority: {{file: authority.pem}}}}
upstreams: [{{name: main, endpoints: [{{address: {self.origin}}}]}}]
routes:
{routes}
  - {{name: all, upstream: main}}
{more}
""", workers=1, certificates=self.certificates.folder)

    def connect(self, way, identity=None):
        """A connection for one of WAYS."""
        if way.startswith("TLS"):
            protocols = ("h2",) if way.endswith("h2") else ("http/1.1",)
            return Peer.connect(self.secure.address, self.certificates.client(protocols=protocols, identity=identity))
        return Peer.connect(self.plain.address)

    def ask(self, way, path="/", fields=(), method="GET", identity=None, body=b""):
        """Status and content of an answer to one request; `fields` are pairs."""
        with self.connect(way, identity) as peer:
            if not way.endswith("h2"):
                lines = [f"{name}: {value}" for name, value in fields]
                head = peer.exchange(request(method, path, fields=lines, body=body), method)
                return head.status, head.body
            with http2.Client.over(peer.socket) as client:
                fields = [(name.lower(), value) for name, value in fields]
                got = client.get(path, method=method, fields=fields, body=body or None)
                return got.status, got.body

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
