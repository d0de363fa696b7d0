"""TLS to upstreams: whom the node believes, what is spoken, sessions; and TLS that is passed through by its name."""

import contextlib
import signal
import socket
import ssl

import pytest

import http2
from weir import Certificates, Origin, Peer, ReservedPort, answer_with_request, answering, request, until


class SecureOrigin(Origin):
    """An origin behind TLS; `names`, `reused` and `clients` tell of its handshakes."""

    def __init__(self, script, context):
        self.context = context
        self.names, self.reused, self.clients, self.refused = [], [], [], []
        context.sni_callback = lambda connection, name, _: self.names.append(name)
        super().__init__(script)

    def serve(self, peer):
        try:
            connection = self.context.wrap_socket(peer.socket, server_side=True)
        except (ssl.SSLError, OSError) as failure:
            self.refused.append(failure)
            peer.close()
            return
        self.reused.append(connection.session_reused)
        self.clients.append(connection.getpeercert())
        super().serve(Peer(connection))


def server(certificates, identity="origin", protocols=("http/1.1",), authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.folder / f"{identity}.crt", certificates.folder / f"{identity}.key")
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def serve(workspace, origin, tls="authority: authority, serverName: origin.test", protocol="http1", more="", endpoint=None,
          names=(), workers=1, others=()):
    port = workspace.keep(ReservedPort())
    listed = ", ".join(f'{{address: "{address}"}}' for address in (endpoint or origin, *others))
    identities = "".join(f", {{name: {name}, files: {{certificate: a, key: b}}}}" for name in names)
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
certificates: [{{name: authority, authority: {{file: authority.pem}}}}{identities}]
upstreams: [{{name: main, protocol: {protocol}, endpoints: [{listed}], tls: {{{tls}}}{more}}}]
routes: [{{name: all, upstream: main}}]
""", workers=workers, certificates=workspace.certificates.folder)
    return node, port.address


@pytest.fixture
def certificates(workspace):
    made = workspace.certificates
    made.issue("origin", "origin.test", "IP:127.0.0.1")
    return made


def ask(web, octets=None):
    with Peer.connect(web) as peer:
        return peer.exchange(octets or request())


# Whom the node believes


def test_a_verified_endpoint_is_asked_for_its_name(workspace, certificates):
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates)))
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        for _ in range(3):
            head = peer.exchange(request("POST", body=b"x" * 100_000))
            assert head.status == 200 and len(head.json["body"]) == 100_000
    assert origin.names == ["origin.test"] and origin.connections == 1


def test_an_address_is_verified_as_an_address(workspace, certificates):
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates)))
    _, web = serve(workspace, origin, tls="authority: authority")
    assert ask(web).status == 200
    assert origin.names == [None]


@pytest.mark.parametrize("tls,issue", [
    ("authority: authority, serverName: other.test", {}),
    ("serverName: origin.test", {}),  # the system does not know this authority
    ("authority: authority, serverName: origin.test", {"usage": "clientAuth"}),
    ("authority: authority, serverName: origin.test", {"issuer": "stranger"}),
])
def test_an_endpoint_that_is_not_believed_gets_nothing(workspace, certificates, tls, issue):
    certificates.sign("stranger", ["basicConstraints=critical,CA:TRUE"])
    certificates.issue("origin", "origin.test", **issue)
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates)))
    node, web = serve(workspace, origin, tls=tls)
    head = ask(web)
    assert head.status == 502 and "error=tls_certificate_error" in head.get("proxy-status")
    assert node.access_log(1)[0]["error"] == "tls_certificate_error"
    assert not origin.requests


def test_a_revoked_endpoint_is_not_believed(workspace, certificates):
    certificates.revoke("authority", "origin")
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates)))
    _, web = serve(workspace, origin)
    assert ask(web).status == 502 and not origin.requests


@pytest.mark.parametrize("protocol", ["http1", "h2"])
def test_a_resting_connection_is_not_used_when_others_are_believed(workspace, certificates, protocol):
    context = server(certificates, protocols=("h2",) if protocol == "h2" else ("http/1.1",))
    origin = workspace.keep(SecureHTTP2Origin(http2.echoing, context) if protocol == "h2"
                            else SecureOrigin(answer_with_request, context))
    node, web = serve(workspace, origin, protocol=protocol)

    def reload():
        before = node.program.stderr().count("certificates.reloaded")
        node.program.signal(signal.SIGHUP)
        until(lambda: node.program.stderr().count("certificates.reloaded") > before, "the certificates were read")

    assert ask(web).status == 200
    reload()
    assert ask(web).status == 200 and origin.connections == 1  # nothing was different
    certificates.revoke("authority", "origin")
    reload()
    head = ask(web)
    assert head.status == 502 and "error=tls_certificate_error" in head.get("proxy-status")


def test_without_verification_anybody_is_spoken_to(workspace, certificates):
    strangers = Certificates(workspace.folder / "strangers")
    strangers.issue("origin", "x.test")
    origin = workspace.keep(SecureOrigin(answer_with_request, server(strangers)))
    _, web = serve(workspace, origin, tls="verify: false")
    assert ask(web).status == 200


def test_who_does_not_speak_tls_is_told_from_who_refuses(workspace, certificates):
    plain = workspace.keep(Origin(answering(b"HTTP/1.1 200 OK\r\n\r\n")))
    plain.script = lambda peer, _: peer.send(b"220 hello\r\n")
    _, web = serve(workspace, plain)
    head = ask(web)
    assert head.status == 502 and "error=tls_protocol_error" in head.get("proxy-status")
    context = server(certificates, protocols=())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    origin = workspace.keep(SecureOrigin(answer_with_request, context))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}], tls: {{verify: false}}}}]
routes: [{{name: all, upstream: main}}]
""", name="second", certificates=certificates.folder)
    head = ask(port.address)
    assert head.status == 502 and "error=tls_alert_received" in head.get("proxy-status")


@pytest.mark.parametrize("protocol", ["http1", "h2"])
@pytest.mark.parametrize("fault", ["another name", "no TLS", "reset", "silent"])
def test_a_handshake_that_fails_is_no_connection_and_any_request_goes_elsewhere(workspace, certificates, fault, protocol):
    certificates.issue("stranger", "stranger.test")
    protocols = ("h2",) if protocol == "h2" else ("http/1.1",)
    bad = workspace.keep({
        "another name": lambda: SecureOrigin(answer_with_request, server(certificates, "stranger", protocols)),
        "no TLS": lambda: Origin(answering(b"220 hello\r\n")),
        "reset": lambda: Origin(lambda peer, _: peer.reset()),
        "silent": lambda: Origin(lambda peer, _: peer.read_to_end()),
    }[fault]())
    well = workspace.keep(SecureHTTP2Origin(http2.echoing, server(certificates, protocols=protocols)) if protocol == "h2"
                          else SecureOrigin(answer_with_request, server(certificates)))
    node, web = serve(workspace, bad, protocol=protocol, others=[well],
                      more=", timeouts: {connect: 500ms}, retry: {attempts: 1, on: [connect]}")
    # Nothing was sent there, so it does not matter what a request may do twice; and none of the budget is used.
    for count in range(24):
        assert ask(web, request("POST", f"/{count}", body=b"once")).status == 200
    metrics = node.get("/metrics").body.decode()
    assert "weir_upstream_retries_limited_total 0" in metrics and "weir_upstream_retries_total 0" not in metrics
    if fault != "reset":
        until(lambda: "upstream.endpoint_unreachable" in node.program.stderr(), "it is left alone")


def test_an_endpoint_that_does_not_answer_the_handshake_is_given_up(workspace, certificates):
    silent = workspace.keep(Origin(lambda peer, _: peer.read_to_end()))
    node, web = serve(workspace, silent, more=", timeouts: {connect: 300ms}")
    head = ask(web)
    assert head.status == 504 and "error=connection_timeout" in head.get("proxy-status")


def test_the_node_shows_its_certificate(workspace, certificates):
    certificates.issue("node", usage="clientAuth", subject="/CN=edge")
    context = server(certificates, authority=certificates.bundle)
    origin = workspace.keep(SecureOrigin(answer_with_request, context))
    _, web = serve(workspace, origin, tls="authority: authority, serverName: origin.test, clientCertificate: node",
                   names=["node"])
    assert ask(web).status == 200
    assert origin.clients[0]["subject"] == ((("commonName", "edge"),),)


def test_the_systems_authorities_are_believed_when_nothing_else_is_said(workspace, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.bundle))
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates)))
    _, web = serve(workspace, origin, tls="serverName: origin.test")
    assert ask(web).status == 200


# What goes on


def test_new_connections_go_on_from_the_last_session(workspace, certificates):
    def script(peer, origin):
        head = peer.read_head()
        origin.requests.append(head)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    origin = workspace.keep(SecureOrigin(script, server(certificates)))
    _, web = serve(workspace, origin)
    for _ in range(4):
        assert ask(web).body == b"ok"
    assert origin.reused == [False, True, True, True]


def test_a_resting_connection_that_gets_tickets_is_used_again(workspace, certificates):
    """RFC 8446 §4.6.1: a ticket is nothing that an endpoint says unasked."""
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates)))
    _, web = serve(workspace, origin)
    for _ in range(5):
        assert ask(web).status == 200
    assert origin.connections == 1


def test_a_response_that_is_cut_off_is_no_whole_one(workspace, certificates):
    """RFC 9112 §9.8: where the end of the connection is the end of the content, it must be told."""
    def script(peer, origin):
        origin.requests.append(peer.read_head())
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        if len(origin.requests) > 1:
            with contextlib.suppress(OSError):
                peer.socket.unwrap()
        # Else the connection ends without close_notify.

    origin = workspace.keep(SecureOrigin(script, server(certificates)))
    node, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        peer.send(request())
        octets = b""
        with contextlib.suppress(ConnectionResetError):
            octets = peer.read_to_end()
        assert not octets.endswith(b"0\r\n\r\n")
    head = ask(web)
    assert head.status == 200 and head.body == b"half"
    assert node.access_log(2)[0]["error"] == "connection_terminated"


def test_websocket_goes_through(workspace, certificates):
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while octets := peer.take(len(peer.buffer)) or peer.socket.recv(65536):
            peer.send(b"<" + octets + b">")

    origin = workspace.keep(SecureOrigin(script, server(certificates)))
    _, web = serve(workspace, origin)
    with Peer.connect(web) as peer:
        peer.send(request(fields=["Connection: upgrade", "Upgrade: websocket"]))
        assert peer.read_head().status == 101
        for octets in (b"a", b"b" * 5000):
            peer.send(octets)
            got = peer.read_exactly(len(octets) + 2)
            while not got.endswith(b">"):
                got += peer.read_exactly(1)
            assert got.replace(b"><", b"") == b"<" + octets + b">"


def test_a_proxy_header_stands_before_the_handshake(workspace, certificates):
    class Behind(SecureOrigin):
        def serve(self, peer):
            line = b""
            while not line.endswith(b"\r\n"):
                line += peer.socket.recv(1)
            self.line = line
            super().serve(peer)

    origin = workspace.keep(Behind(answer_with_request, server(certificates)))
    _, web = serve(workspace, origin, more=", proxyProtocol: v1")
    assert ask(web).status == 200
    assert origin.line.startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")


# HTTP/2


class SecureHTTP2Origin(http2.Origin):
    """An HTTP/2 origin behind TLS."""

    def __init__(self, script, context):
        self.context = context
        super().__init__(script)

    def serve(self, peer):
        with contextlib.suppress(ssl.SSLError):  # the node does not believe it
            super().serve(self.context.wrap_socket(peer, server_side=True))


@pytest.mark.parametrize("protocol", ["h2", "auto"])
def test_http2_is_spoken_over_tls(workspace, certificates, protocol):
    origin = workspace.keep(SecureHTTP2Origin(http2.echoing, server(certificates, protocols=("h2", "http/1.1"))))
    _, web = serve(workspace, origin, protocol=protocol)
    chunked = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for _ in range(3):
        assert ask(web).status == 200
        assert ask(web, request("POST", body=b"abc")).body == b"abc"
    if protocol == "h2":
        assert ask(web, chunked).body == b"abc"
    assert origin.connections == 1


@pytest.mark.parametrize("protocols", [("http/1.1",), ()])
def test_an_endpoint_that_has_no_http2_is_spoken_to_in_http1(workspace, certificates, protocols):
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates, protocols=protocols)))
    _, web = serve(workspace, origin, protocol="auto")
    chunked = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for octets in (request(), chunked, request("POST", body=b"abc")):
        assert ask(web, octets).status == 200
    assert origin.connections == 1


def test_content_of_unknown_length_goes_where_http2_is_known_to_be_spoken(workspace, certificates):
    origin = workspace.keep(SecureHTTP2Origin(http2.echoing, server(certificates, protocols=("h2",))))
    _, web = serve(workspace, origin, protocol="auto")
    chunked = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert ask(web).status == 200
    assert ask(web, chunked).body == b"abc"
    assert origin.connections == 1


def test_an_endpoint_that_has_only_http1_cannot_be_spoken_to_in_http2(workspace, certificates):
    origin = workspace.keep(SecureOrigin(answer_with_request, server(certificates, protocols=("http/1.1",))))
    _, web = serve(workspace, origin, protocol="h2")
    head = ask(web)
    assert head.status == 502 and "error=tls_" in head.get("proxy-status")
    assert not origin.requests


# Passthrough


def passing(workspace, origins, listener="", upstream=""):
    """A tls-passthrough listener with a server name or pattern for each origin."""
    port = workspace.keep(ReservedPort())
    names = ", ".join(f'"{name}": u{index}' for index, name in enumerate(origins))
    upstreams = ", ".join(f"{{name: u{index}, endpoints: [{{address: {origin}}}]{upstream}}}"
                          for index, origin in enumerate(origins.values()))
    node = workspace.node(f"""
listeners: [{{name: pass, address: {port}, protocol: tls-passthrough, serverNames: {{{names}}}{listener}}}]
upstreams: [{upstreams}]
""", certificates=workspace.certificates.folder)
    return node, port.address


def named(name):
    return answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name))


def test_a_connection_goes_where_its_name_says_and_nobody_decrypts_it(workspace, certificates):
    certificates.issue("origin", "db.test", "a.in.test", "b.a.in.test", "x.a.in.test")
    origins = {name: workspace.keep(SecureOrigin(named(text), server(certificates)))
               for name, text in (("db.test", b"db"), ("*.in.test", b"in"), ("*.a.in.test", b"deep"))}
    node, web = passing(workspace, origins)
    for name, body in (("db.test", b"db"), ("DB.test", b"db"), ("a.in.test", b"in"), ("x.a.in.test", b"deep")):
        context = certificates.client()
        with Peer.connect(web, context, name) as peer:
            assert peer.exchange(request()).body == body
    records = node.access_log(4)
    assert sorted(record["host"] for record in records) == ["a.in.test", "db.test", "db.test", "x.a.in.test"]
    assert {(record["scheme"], record["protocol"]) for record in records} == {("tcp", "TLS")}


@pytest.mark.parametrize("name", ["other.test", "in.test", None])
def test_a_name_that_nobody_has_is_refused_with_the_right_alert(workspace, certificates, name):
    origin = workspace.keep(SecureOrigin(named(b"in"), server(certificates)))
    _, web = passing(workspace, {"*.in.test": origin})
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        Peer.connect(web, certificates.client(verify=False), name)
    assert origin.connections == 0


def test_a_hello_may_come_octet_by_octet_and_in_many_records(workspace, certificates):
    certificates.issue("origin", "db.test")
    origin = workspace.keep(SecureOrigin(named(b"db"), server(certificates)))
    node, web = passing(workspace, {"db.test": origin})
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client().wrap_bio(incoming, outgoing, server_hostname="db.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    with socket.create_connection(web, 15) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in hello:
            raw.sendall(bytes([octet]))
        while True:
            incoming.write(raw.recv(65536))
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                continue
        raw.sendall(outgoing.read())
    message = hello[5:]
    with socket.create_connection(web, 15) as raw:
        raw.sendall(b"".join(b"\x16\x03\x01\0\x07" + message[start:start + 7] for start in range(0, 7 * 5, 7)))
        rest = message[35:]
        raw.sendall(b"\x16\x03\x01" + len(rest).to_bytes(2, "big") + rest)
        assert raw.recv(3)[0] in (21, 22)
    until(lambda: origin.connections == 2, "both were passed on")


def test_what_is_no_hello_is_closed_and_a_slow_one_too(workspace, certificates):
    origin = workspace.keep(SecureOrigin(named(b"db"), server(certificates)))
    _, web = passing(workspace, {"db.test": origin}, listener=", timeouts: {handshake: 300ms}")
    for octets in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\0\x05\x02", b"", b"\x16\x03",
                   b"\x16\x03\x01\0\x01\x01" * 3000):
        with Peer.connect(web) as peer:
            with contextlib.suppress(OSError):
                peer.send(octets)
            assert peer.is_closed()
    assert origin.connections == 0


def test_proxy_headers_stand_before_a_hello_on_both_sides(workspace, certificates):
    certificates.issue("origin", "db.test")
    lines = []

    class Behind(SecureOrigin):
        def serve(self, peer):
            line = b""
            while not line.endswith(b"\r\n"):
                line += peer.socket.recv(1)
            lines.append(line)
            super().serve(peer)

    origin = workspace.keep(Behind(named(b"db"), server(certificates)))
    _, web = passing(workspace, {"db.test": origin}, ", proxyProtocol: require", ", proxyProtocol: v1")
    raw = socket.create_connection(web, 15)
    raw.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n")
    with certificates.client().wrap_socket(raw, server_hostname="db.test") as connection:
        assert Peer(connection).exchange(request()).body == b"db"
    assert lines == [b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"]
