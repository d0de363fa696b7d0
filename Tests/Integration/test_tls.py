"""TLS with clients: certificates by name, what is spoken, clients' certificates, other hosts, limits, other material."""

import concurrent.futures
import hashlib
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess

import pytest

import http2
from weir import (
    BIN, Certificates, Origin, Peer, ReservedPort, answer_with_request, get, is_listening, request, run_proxyctl, until,
)

BIG = 8 << 20


class Site:
    """A node with one https listener before an origin that answers with what it was asked."""

    def __init__(self, space, tls="certificates: [test]", listener="", more="", workers=2, names=("test",),
                 authorities=(), script=answer_with_request):
        self.space = space
        self.certificates = space.certificates
        self.origin = space.origin(script)
        self.port = space.keep(ReservedPort())
        self.web = self.port.address
        resources = [f"{{name: {name}, files: {{certificate: {name}.crt, key: {name}.key}}}}" for name in names]
        resources += [f"{{name: {name}, authority: {{file: {name}.pem}}}}" for name in authorities]
        self.configuration = f"""
listeners:
  - {{name: web, address: {self.port}, protocol: https, tls: {{{tls}}}{listener}}}
{more}
certificates: [{", ".join(resources)}]
upstreams: [{{name: main, endpoints: [{{address: {self.origin}}}]}}]
routes:
  - {{name: long, match: {{path: {{prefix: /long}}}}, respond: {{status: 200, body: "${{scheme}} ${{port}}"}}}}
  - {{name: all, upstream: main}}
"""
        self.node = space.node(self.configuration, workers=workers, certificates=self.certificates.folder)

    def connect(self, name="example.test", **options):
        return Peer.connect(self.web, self.certificates.client(**options), name)

    def get(self, path="/", host="example.test", name="example.test", fields=(), **options):
        with self.connect(name, **options) as peer:
            return peer.exchange(request("GET", path, host, ["Connection: close", *fields]))

    def metric(self, text):
        for line in self.node.get("/metrics").body.decode().splitlines():
            if line.startswith(text + " "):
                return int(line.split(" ")[1])
        raise AssertionError(f"no {text}")

    def wait_metric(self, text, value):
        """Waits until a number is what it has to be: what a worker does may be seen before it is counted."""
        until(lambda: self.metric(text) == value, lambda: f"{text} is {value}, not {self.metric(text)}")

    def reload(self):
        """Has the node read its certificates again."""
        before = self.node.program.stderr().count("certificates.")
        self.node.program.signal(signal.SIGHUP)
        until(lambda: self.node.program.stderr().count("certificates.") > before, "the certificates were read")


def fails(connect):
    """The reason of OpenSSL for which a connection is not made."""
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as caught:
        with connect() as peer:
            # With TLS 1.3 a client learns of its certificate's refusal when it reads.
            peer.exchange(request())
    return str(caught.value).upper().replace(" ", "_")


# What is spoken


def test_a_request_is_served_and_the_upstream_learns_how_it_came(workspace):
    site = Site(workspace)
    with site.connect() as peer:
        head = peer.exchange(request(target="/a?b"))
        fields = dict(head.json["fields"])
        assert head.status == 200 and fields["x-forwarded-proto"] == "https"
        assert fields["forwarded"] == 'proto=https;for=127.0.0.1;host="example.test"'
        assert peer.exchange(request(target="/long")).body == b"https 443"
        assert peer.socket.version() == "TLSv1.3" and peer.socket.selected_alpn_protocol() == "http/1.1"
    record = site.node.access_log(2)[0]
    assert (record["scheme"], record["tls"], record["protocol"]) == ("https", "TLSv1.3", "HTTP/1.1")
    site.wait_metric('weir_tls_handshakes_total{result="complete"}', 1)
    site.wait_metric('weir_tls_connections_total{version="1.3"}', 1)


@pytest.mark.parametrize("protocols,chosen", [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)])
def test_alpn_chooses_what_is_spoken_and_without_it_that_is_http1(workspace, protocols, chosen):
    site = Site(workspace)
    with site.connect(protocols=protocols) as peer:
        assert peer.socket.selected_alpn_protocol() == chosen
        if chosen == "h2":
            wire = http2.Wire(peer.socket)
            wire.send(http2.PREFACE + http2.frame(http2.SETTINGS))
            wire.shake_hands()
        else:
            assert peer.exchange(request()).status == 200


def test_http2_is_spoken_where_it_was_agreed_and_nowhere_else(workspace):
    """RFC 9113 §3.2: who has not agreed on h2 cannot begin with its preface."""
    site = Site(workspace)
    with site.connect(protocols=("http/1.1",)) as peer:
        peer.send(http2.PREFACE + http2.frame(http2.SETTINGS))
        assert peer.read_response().status in (400, 505)
        assert peer.is_closed()
    with site.connect(protocols=("h2",)) as peer:
        peer.send(request())
        assert http2.Wire(peer.socket).expect(http2.GOAWAY)
    result = subprocess.run(["curl", "-sS", "--http2", "-w", "%{http_version}", "-o", os.devnull, "--cacert",
                             site.certificates.bundle, "--resolve", f"example.test:{site.port.port}:127.0.0.1",
                             f"https://example.test:{site.port.port}/"], capture_output=True, text=True, check=True)
    assert result.stdout == "2"


def test_protocols_that_nobody_speaks_are_refused(workspace):
    site = Site(workspace, tls="certificates: [test], alpn: [http/1.1]")
    assert "TLSV1_ALERT_NO_APPLICATION_PROTOCOL" in fails(lambda: site.connect(protocols=("h2",)))


def test_only_the_versions_that_are_wanted_are_spoken(workspace):
    site = Site(workspace, tls='certificates: [test], minimumVersion: "1.3"')
    old = site.certificates.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "TLSV1_ALERT_PROTOCOL_VERSION" in fails(lambda: Peer.connect(site.web, old))
    assert site.get().status == 200
    site.wait_metric('weir_tls_handshakes_total{result="failed"}', 1)


@pytest.mark.parametrize("suites,chosen", [
    ("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    ("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
    ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
])
def test_a_cipher_that_processors_carry_out_is_chosen(workspace, suites, chosen):
    site = Site(workspace)
    done = subprocess.run(["openssl", "s_client", "-connect", str(site.port), "-tls1_3", "-ciphersuites", suites],
                          input=b"", capture_output=True, timeout=30, check=False)
    assert f"Cipher is {chosen}".encode() in done.stdout, done.stdout


def test_tls12_is_served_with_forward_secrecy(workspace):
    site = Site(workspace)
    old = site.certificates.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with Peer.connect(site.web, old) as peer:
        assert peer.exchange(request()).status == 200
        assert peer.socket.cipher()[0].startswith("ECDHE-ECDSA-")
    assert site.node.access_log(1)[0]["tls"] == "TLSv1.2"


def test_a_request_in_the_clear_is_no_handshake(workspace):
    site = Site(workspace)
    with Peer.connect(site.web) as peer:
        peer.send(request())
        answer = b""
        try:
            answer = peer.read_to_end()
        except ConnectionResetError:
            pass
        assert b"HTTP" not in answer
    assert site.get().status == 200


# Content


def test_long_content_goes_both_ways_in_pieces_of_any_size(workspace):
    def script(peer, origin):
        head = peer.read_head()
        body = peer.read_body(head)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    site = Site(workspace, script=script)
    content = os.urandom(1 << 20) * 8
    with site.connect() as peer, concurrent.futures.ThreadPoolExecutor(1) as pool:
        received = pool.submit(peer.read_response)
        octets = request("POST", body=content)
        for start in range(0, len(octets), 700_001):
            peer.send(octets[start:start + 700_001])
        assert hashlib.sha256(received.result(60).body).digest() == hashlib.sha256(content).digest()


def test_a_response_reaches_a_client_that_reads_slowly_and_then_its_end(workspace):
    """What is encrypted and not sent yet is sent before the end of the connection."""
    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * BIG)

    site = Site(workspace, script=script)
    with site.connect() as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.send(request(fields=["Connection: close"]))
        # Nothing is read until the node has taken all that it can hold.
        until(lambda: site.metric("weir_upstream_received_bytes_total") > 300_000, "the response is on its way")
        head = peer.read_head()
        assert head.status == 200
        total = 0
        while octets := (peer.take(len(peer.buffer)) or peer.socket.recv(65536)):
            total += len(octets)
        assert total >= BIG


def test_the_end_is_told_before_the_connection_closes(workspace):
    """RFC 8446 §6.1: without close_notify an end may be a cut; suppress_ragged_eofs would hide that."""
    site = Site(workspace)
    context = site.certificates.client()
    for fields in (["Connection: close"], []):
        raw = socket.create_connection(site.web, 15)
        with context.wrap_socket(raw, server_hostname="example.test", suppress_ragged_eofs=False) as connection:
            connection.sendall(request("GET", "/", fields=fields) if fields else b"GET / HTTP/1.0\r\n\r\n")
            octets = b""
            while piece := connection.recv(65536):
                octets += piece
            assert octets.startswith(b"HTTP/1.1 200")


def test_a_request_that_comes_along_with_the_handshakes_end_is_answered(workspace):
    """Both are read at once; no event tells of the second."""
    site = Site(workspace)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = site.certificates.client().wrap_bio(incoming, outgoing, server_hostname="example.test")
    with socket.create_connection(site.web, 15) as raw:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        client.write(request())
        raw.sendall(outgoing.read())
        while True:
            try:
                assert client.read(65536).startswith(b"HTTP/1.1 200")
                break
            except ssl.SSLWantReadError:
                incoming.write(raw.recv(65536))


# Names


def test_the_name_chooses_the_certificate_and_the_last_one_answers_others(workspace):
    certificates = workspace.certificates
    certificates.issue("one", "one.test", "*.one.test", subject="/CN=one")
    certificates.issue("rsa", "both.test", key="rsa", subject="/CN=rsa")
    certificates.issue("ec", "both.test", subject="/CN=ec")
    site = Site(workspace, tls="certificates: [one, rsa, ec, test]", names=("one", "rsa", "ec", "test"))

    def subject(name, **limits):
        context = certificates.client()
        context.check_hostname = False
        for key, value in limits.items():
            getattr(context, key)(value)
        with Peer.connect(site.web, context, name) as peer:
            return peer.socket.getpeercert()["subject"][0][0][1]

    assert subject("one.test") == subject("ONE.test") == subject("www.one.test") == "one"
    assert subject("a.www.one.test") == subject("unknown.test") == subject(None) == "test"
    assert subject("both.test") == "ec"
    context = certificates.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with Peer.connect(site.web, context, "both.test") as peer:
        assert peer.socket.getpeercert()["subject"][0][0][1] == "rsa"


def test_an_unknown_name_is_refused_where_names_are_strict(workspace):
    site = Site(workspace, tls="certificates: [test], strictSNI: true")
    assert "TLSV1_UNRECOGNIZED_NAME" in fails(lambda: site.connect("unknown.test"))
    assert site.get().status == 200


@pytest.mark.parametrize("version", ["http/1.1", "h2"])
def test_a_host_that_another_certificate_is_for_is_misdirected(workspace, version):
    """RFC 9110 §7.4, RFC 9113 §9.1.2: 421, and the client takes another connection."""
    workspace.certificates.issue("one", "one.test", "*.shared.test")
    workspace.certificates.issue("two", "two.test", "a.shared.test")
    site = Site(workspace, tls="certificates: [one, two, test]", names=("one", "two", "test"))
    for host, status in (("one.test", 200), ("ONE.test:443", 200), ("b.shared.test", 200), ("two.test", 421),
                         ("example.test", 421), ("nobody.test", 200), ("127.0.0.1", 200), ("one.test", 200)):
        if version == "h2":
            with site.connect("one.test", protocols=("h2",)) as peer:
                with http2.Client.over(peer.socket) as client:
                    got = client.get("/", authority=host)
        else:
            got = site.get(host=host, name="one.test")
        assert got.status == status, host


# Sessions


def test_a_session_goes_on_with_the_same_host_and_with_no_other(workspace):
    workspace.certificates.issue("one", "one.test")
    site = Site(workspace, tls="certificates: [one, test]", names=("one", "test"))

    def connect(name, session, context):
        raw = socket.create_connection(site.web, 15)
        with context.wrap_socket(raw, server_hostname=name, session=session) as connection:
            connection.sendall(request())
            connection.recv(65536)
            return connection.session_reused, connection.session

    context = site.certificates.client()
    context.check_hostname = False
    reused, session = connect("one.test", None, context)
    assert not reused
    # Any worker takes it up.
    assert all(connect("one.test", session, context)[0] for _ in range(8))
    assert not connect("example.test", session, context)[0]
    site.wait_metric("weir_tls_resumptions_total", 8)
    # RFC 8446 §C.4: a ticket that is used twice tells whose it is, so each that was used is followed by another.
    reused, newer = connect("one.test", session, context)
    assert reused and newer.id != session.id


# Clients' certificates


MUTUAL = "clientCertificate: {mode: MODE, authorities: [authority], forward: {subject: X-Who, fingerprint: x-print}}"


def mutual(space, mode, **options):
    space.certificates.issue("alice", usage="clientAuth", subject="/O=Weir, Inc/CN=alice")
    return Site(space, tls="certificates: [test], " + MUTUAL.replace("MODE", mode), authorities=["authority"], **options)


def test_the_upstream_learns_of_a_clients_certificate_and_of_nothing_that_others_say(workspace):
    site = mutual(workspace, "request")
    forged = ["X-Who: CN=root", "x-who: CN=root", "X_Who: CN=root", "X-Print: 00", "x-print-not: 1"]
    fields = site.get(fields=forged, identity="alice").json["fields"]
    der = ssl.PEM_cert_to_DER_cert((site.certificates.folder / "alice.crt").read_text())
    assert [value for name, value in fields if name == "x-who"] == ["CN=alice,O=Weir\\, Inc"]
    assert [value for name, value in fields if name == "x-print"] == [hashlib.sha256(der).hexdigest()]
    fields = site.get(fields=forged).json["fields"]
    assert not [name for name, _ in fields if name.replace("_", "-") in ("x-who", "x-print")]
    assert ["x-print-not", "1"] in fields
    with site.connect(protocols=("h2",), identity="alice") as peer, http2.Client.over(peer.socket) as client:
        got = client.get("/", fields=[("x-who", "CN=root"), ("x-print", "0")])
        fields = dict(json.loads(got.body)["fields"])
        assert got.status == 200 and fields["x-who"] == "CN=alice,O=Weir\\, Inc" and len(fields["x-print"]) == 64


@pytest.mark.parametrize("subject,value", [
    ("/O=a\r\nX-Admin: 1\r\n\r\n/CN=b", r"CN=b,O=a\0D\0AX-Admin: 1\0D\0A\0D\0A"),
    ('/CN="q\\\\uo;te\x7f\t<>', r'CN=\"q\\uo\;te\7F\09\<\>'),
    ("/CN=alice,OU=admins/L=#04", r"L=\#04,CN=alice\,OU=admins"),
    ("/CN=\u00e4\u2028", r"CN=\C3\A4\E2\80\A8"),
    # A part of a name may be somebody else's.
    ("".join(f"/OU={'a' * 60}{index:03}" for index in range(80)) + "/CN=long", ""),
], ids=["lines", "quotes", "separators", "no ASCII", "long"])
def test_a_subject_is_one_value_and_whole(workspace, subject, value):
    workspace.certificates.issue("odd", usage="clientAuth", subject=subject)
    site = mutual(workspace, "require")
    fields = site.get(identity="odd").json["fields"]
    assert [text for name, text in fields if name == "x-who"] == [value]
    assert "x-admin" not in [name for name, _ in fields] and len(dict(fields)["x-print"]) == 64


def test_no_other_listener_lets_such_fields_through(workspace):
    other = workspace.keep(ReservedPort())
    site = mutual(workspace, "request", more=f"  - {{name: plain, address: {other}}}")
    fields = get(other.address, fields=["X-Who: CN=root", "X-Print: 00"]).json["fields"]
    assert not [name for name, _ in fields if name in ("x-who", "x-print")]
    with Peer.connect(other.address) as peer:
        head = peer.exchange(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: x-who\r\n\r\n"
                             b"1\r\na\r\n0\r\nx-who: CN=root\r\nx-other: 1\r\n\r\n")
        assert head.status == 200
    assert ("x-who", "CN=root") not in site.origin.requests[-1].trailers


def test_a_certificate_is_demanded_and_must_be_of_the_authority(workspace):
    site = mutual(workspace, "require")
    assert site.get(identity="alice").status == 200
    assert "CERTIFICATE_REQUIRED" in fails(site.connect)
    strangers = Certificates(workspace.folder / "strangers")
    strangers.issue("mallory", usage="clientAuth")
    context = site.certificates.client()
    context.load_cert_chain(strangers.folder / "mallory.crt", strangers.folder / "mallory.key")
    assert "UNKNOWN_CA" in fails(lambda: Peer.connect(site.web, context))
    # A server's certificate is no client's.
    assert "UNSUPPORTED_CERTIFICATE" in fails(lambda: site.connect(identity="test"))


def test_a_revoked_certificate_is_refused(workspace):
    site = mutual(workspace, "require")
    site.certificates.issue("bob", usage="clientAuth")
    assert site.get(identity="bob").status == 200
    site.certificates.revoke("authority", "bob")
    site.reload()
    assert "CERTIFICATE_REVOKED" in fails(lambda: site.connect(identity="bob"))
    assert site.get(identity="alice").status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_does_not_outlive_the_clients_certificate(workspace, version):
    """Each session that goes on gives a ticket for the next, without end."""
    site = mutual(workspace, "require")

    def reused_until_the_end(seconds):
        """For each connection that was let in with a certificate of so many seconds, whether its session went on."""
        site.certificates.shorten("alice", seconds)
        context = site.certificates.client(identity="alice")
        context.maximum_version = version
        sessions, reused = [None], []

        def is_refused():
            try:
                with context.wrap_socket(socket.create_connection(site.web, 15), server_hostname="example.test",
                                         session=sessions[-1]) as connection:
                    assert Peer(connection).exchange(request()).status == 200
                    reused.append(connection.session_reused)
                    sessions.append(connection.session)
            except ssl.SSLError as error:
                return "EXPIRED" in str(error).upper()
            except ConnectionError:
                return False  # The request met the end of the connection, which took its reason along.
            return False

        until(is_refused, "the certificate has ended", seconds + 15)
        return reused

    # A slow machine may take longer for two connections than the first of these certificates lives.
    reused = next(reused for seconds in (4, 15, 60) if len(reused := reused_until_the_end(seconds)) > 1)
    assert not reused[0] and all(reused[1:])


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_does_not_outlive_another_revocation_list(workspace, version):
    """Sessions are bound to what is asked of clients: with another CRL everybody is verified anew, at once."""
    site = mutual(workspace, "require")
    site.certificates.issue("bob", usage="clientAuth")
    site.certificates.issue("carol", usage="clientAuth")
    bundle = site.certificates.bundle.read_bytes()
    site.certificates.revoke("authority", "bob")
    site.reload()

    def ask(*options):
        """A request with a session that is kept in a file: how the session began, and whether there was an answer."""
        folder = site.certificates.folder
        done = subprocess.run(["openssl", "s_client", "-connect", str(site.port), "-servername", "example.test", "-CAfile",
                               site.certificates.bundle, "-cert", folder / "alice.crt", "-key", folder / "alice.key", version,
                               "-ign_eof", *options],
                              input=request(fields=["Connection: close"]), capture_output=True, timeout=30, check=False)
        began = next((word for word in ("Reused", "New") if f"\n{word}, TLS".encode() in done.stdout), None)
        return began, b"HTTP/1.1 200" in done.stdout, done.stderr

    session = workspace.folder / "session"
    assert ask("-sess_out", session)[:2] == ("New", True)
    # The same list, read again, is no reason to.
    site.reload()
    assert ask("-sess_in", session)[:2] == ("Reused", True)
    site.certificates.bundle.write_bytes(bundle)
    site.certificates.revoke("authority", "alice")
    site.reload()
    began, answered, said = ask("-sess_in", session)
    assert not answered and began != "Reused" and b"certificate revoked" in said, (began, said)
    # Whom the list does not name is verified anew and goes on.
    assert site.get(identity="carol").status == 200


def test_who_was_let_in_has_to_come_again_when_something_else_is_asked(workspace):
    site = mutual(workspace, "require")
    with (site.connect(identity="alice") as one, site.connect(protocols=("h2",), identity="alice") as peer,
          http2.Client.over(peer.socket) as two):
        def get_both():
            assert two.get("/").status == 200
            return one.exchange(request()).get("connection")

        assert get_both() is None
        site.certificates.issue("test", "example.test")
        site.reload()
        assert get_both() is None  # the listener's own certificate is no matter
        site.certificates.revoke("authority", "alice")
        site.reload()
        assert get_both() == "close" and one.is_closed()
        two.wait(lambda: two.goaway, "the other client is told to go")
    assert "CERTIFICATE_REVOKED" in fails(lambda: site.connect(identity="alice"))


@pytest.mark.parametrize("extensions", [
    "issuingDistributionPoint=critical,@point\n[point]\nindirectCRL=TRUE\n",
    "issuingDistributionPoint=critical,@point\n[point]\nonlysomereasons=keyCompromise\n",
    "issuingDistributionPoint=critical,@point\n[point]\nonlyuser=TRUE\nonlyCA=TRUE\n",
    "2.5.29.27=critical,DER:020101\n",
], ids=["indirect", "some reasons", "contradiction", "delta"])
def test_a_revocation_list_that_would_be_passed_over_is_no_material(workspace, extensions):
    """RFC 5280 §5.2.4, §5.2.5: such lists do not say by themselves what is revoked."""
    site = mutual(workspace, "require")
    site.certificates.revoke("authority", "alice", extensions=extensions)
    site.reload()
    assert "certificates.refused" in site.node.program.stderr()
    site.node.program.stop()
    with pytest.raises(AssertionError, match="cannot be served"):
        workspace.node(site.configuration, certificates=site.certificates.folder, name="second")


def test_a_session_does_not_outlive_what_was_demanded_of_it(workspace):
    """A ticket of a listener that asks for nothing opens none that asks for a certificate."""
    other = workspace.keep(ReservedPort())
    more = f"  - {{name: open, address: {other}, protocol: https, tls: {{certificates: [test]}}}}"
    site = mutual(workspace, "require", more=more)
    context = site.certificates.client()
    raw = socket.create_connection(other.address, 15)
    with context.wrap_socket(raw, server_hostname="example.test") as connection:
        connection.sendall(request())
        assert connection.recv(65536)
        session = connection.session
    raw = socket.create_connection(site.web, 15)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        with context.wrap_socket(raw, server_hostname="example.test", session=session) as connection:
            connection.sendall(request())
            connection.recv(65536)


# Limits


def is_served(site):
    try:
        return site.get().status == 200
    except (OSError, EOFError):
        return False


def test_a_handshake_has_its_time(workspace):
    site = Site(workspace, listener=", timeouts: {handshake: 200ms}")
    with Peer.connect(site.web) as silent, Peer.connect(site.web) as slow:
        slow.send(b"\x16\x03\x01\x02")
        assert silent.is_closed() and slow.is_closed()
    site.wait_metric('weir_tls_handshakes_total{result="timeout"}', 2)
    # On a slow machine an honest handshake may take as long.
    until(lambda: is_served(site), "a client that shakes hands is served")


def test_a_client_begins_so_many_handshakes_in_a_second(workspace):
    site = Site(workspace, tls="certificates: [test], handshakesPerSecond: 5")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        served = sum(pool.map(lambda _: is_served(site), range(60)))
    limited = 'weir_tls_handshakes_total{result="limited"}'
    site.wait_metric(limited, 60 - served)
    assert site.metric(limited) > 0 and served >= 5
    # Others have their own share.
    with socket.create_connection(site.web, 15, ("127.0.0.2", 0)) as raw:
        with site.certificates.client().wrap_socket(raw, server_hostname="example.test") as connection:
            assert connection.version()


def test_requests_go_before_handshakes(workspace):
    """A client that is being served does not wait for all that begin a handshake."""
    workspace.certificates.issue("heavy", "example.test", key="rsa4096")
    site = Site(workspace, tls="certificates: [heavy]", names=("heavy",), workers=1)
    served = workspace.keep(site.connect())
    assert served.exchange(request()).status == 200
    beginners = [workspace.keep(Peer.connect(site.web)) for _ in range(60)]
    until(lambda: site.metric("weir_connections") == 61, "all are accepted")
    site.node.program.signal(signal.SIGSTOP)
    for peer in beginners:
        peer.send(client_hello(site.certificates.client()))
    served.send(request())
    site.node.program.signal(signal.SIGCONT)
    assert served.read_response().status == 200
    assert len(answered(beginners)) < len(beginners)
    until(lambda: len(answered(beginners)) == len(beginners), "all are answered")


def answered(peers):
    return select.select([peer.socket for peer in peers], [], [], 0)[0]


def client_hello(context):
    """The octets with which a client of a context begins."""
    sent = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="example.test")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return sent.read()


def test_handshakes_make_room_for_others(workspace):
    """Whoever connects and says nothing goes when connections run out."""
    site = Site(workspace, listener=", limits: {connections: 4}", workers=1)
    silent = [workspace.keep(Peer.connect(site.web)) for _ in range(4)]
    until(lambda: site.metric("weir_connections") >= 4, "all are there")
    until(lambda: is_served(site), "a client that speaks is served")
    assert silent[0].is_closed()


# Other material


def test_certificates_are_replaced_under_load_without_a_failure(workspace):
    site = Site(workspace)
    stop = []
    failures = []
    serials = set()

    def client():
        while not stop:
            try:
                with site.connect() as peer:
                    serials.add(peer.socket.getpeercert()["serialNumber"])
                    for _ in range(3):
                        if peer.exchange(request()).status != 200:
                            failures.append("status")
            except (OSError, EOFError) as failure:
                failures.append(repr(failure))

    with site.connect() as kept, concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            for _ in range(12):
                before = len(serials)
                site.certificates.issue("test", "example.test")
                site.node.program.signal(signal.SIGHUP)
                until(lambda: len(serials) > before or failures, "the new certificate is served")
            assert kept.exchange(request()).status == 200
        finally:
            stop.append(True)
        for future in clients:
            future.result(30)
    assert not failures, failures[:3]
    assert len(serials) >= 12


def test_material_that_is_wrong_changes_nothing(workspace):
    site = Site(workspace)
    (site.certificates.folder / "test.key").write_bytes((site.certificates.folder / "authority.key").read_bytes())
    site.reload()
    assert "certificates.refused" in site.node.program.stderr()
    assert "test.key is not the key of the first certificate" in site.node.program.stderr()
    assert site.get().status == 200


@pytest.mark.parametrize("damage,reason", [
    (lambda folder: (folder / "test.crt").unlink(), "cannot read .*test.crt: No such file"),
    (lambda folder: (folder / "test.key").unlink(), "cannot read .*test.key: No such file"),
    (lambda folder: os.chmod(folder / "test.key", 0o644), "test.key may be read by others"),
    (lambda folder: (folder / "test.key").write_text("-----BEGIN"), "test.key"),
    (lambda folder: (folder / "test.crt").write_text(""), "test.crt has no certificate"),
    (lambda folder: (folder / "test.key").write_bytes((folder / "authority.key").read_bytes()), "is not the key"),
])
def test_a_node_does_not_begin_without_its_certificates(workspace, damage, reason):
    port = workspace.keep(ReservedPort())
    source = workspace.configuration(f"""
listeners: [{{name: web, address: {port}, protocol: https, tls: {{certificates: [test]}}}}]
certificates: [{{name: test, files: {{certificate: test.crt, key: test.key}}}}]
""")
    run_proxyctl("compile", source, "--out", source.with_suffix(".snapshot"))
    damage(workspace.certificates.folder)
    program = workspace.start("broken", BIN / "proxy-node", "run", "--snapshot", source.with_suffix(".snapshot"), "--admin",
                              "127.0.0.1:0", "--certificates", workspace.certificates.folder)
    assert program.process.wait(30) == 1
    assert re.search(reason, program.stderr()), program.stderr()


def test_a_version_without_material_is_not_served(workspace):
    port = workspace.keep(ReservedPort())
    source = workspace.configuration(f"""
listeners: [{{name: web, address: {port}, protocol: https, tls: {{certificates: [test]}}}}]
certificates: [{{name: test, files: {{certificate: test.crt, key: test.key}}}}]
""")
    run_proxyctl("compile", source, "--out", source.with_suffix(".snapshot"))
    program = workspace.start("bare", BIN / "proxy-node", "run", "--snapshot", source.with_suffix(".snapshot"), "--admin",
                              "127.0.0.1:0")
    assert program.process.wait(30) == 1
    assert "listeners[web].tls.certificates[0]: this node has no key and certificate of the certificate 'test'" \
        in program.stderr()


# Draining, PROXY protocol, redirects


def test_a_connection_over_tls_drains(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            peer.read_exactly(int(head.get("content-length") or 0))
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    site = Site(workspace, script=script)
    with site.connect() as busy, site.connect(protocols=("h2",)) as peer, http2.Client.over(peer.socket) as client:
        assert client.get("/").status == 200
        busy.send(b"POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 2\r\n\r\na")
        until(lambda: len(site.origin.requests) == 2, "the request is on its way")
        site.node.program.signal(signal.SIGTERM)
        until(lambda: not is_listening(site.web), "the listener is closed")
        busy.send(b"b")
        head = busy.read_response()
        assert head.status == 200 and head.get("connection") == "close"
        assert busy.is_closed()
    assert site.node.program.process.wait(30) == 0


def test_a_proxy_header_stands_before_the_handshake(workspace):
    site = Site(workspace, listener=", proxyProtocol: require")
    raw = socket.create_connection(site.web, 15)
    raw.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n")
    with site.certificates.client().wrap_socket(raw, server_hostname="example.test") as connection:
        head = Peer(connection).exchange(request())
        assert dict(head.json["fields"])["x-forwarded-for"] == "192.0.2.7"


@pytest.mark.parametrize("port,suffix", [(443, ""), (8443, ":8443")])
def test_every_request_is_sent_to_https(workspace, port, suffix):
    plain = workspace.keep(ReservedPort())
    workspace.node(f"listeners: [{{name: web, address: {plain}, redirectToHTTPS: {port}}}]", certificates="/nonexistent")
    for octets, place in (
        (request("GET", "/a/../b?c=d&e", "Example.test:80"), f"https://Example.test{suffix}/b?c=d&e"),
        (request("POST", "/", "[::1]:8080", body=b"abc"), f"https://[::1]{suffix}/"),
        (request("GET", "http://a.test", "a.test"), f"https://a.test{suffix}/"),
    ):
        with Peer.connect(plain.address) as peer:
            head = peer.exchange(octets)
            assert (head.status, head.get("location")) == (308, place)
            assert head.get("content-length") == "0"
    with Peer.connect(plain.address) as peer:
        assert peer.exchange(b"GET / HTTP/1.0\r\n\r\n").status == 400
    with Peer.connect(plain.address) as peer:
        assert peer.exchange(b"GET / HTTP/1.1\r\nHost: a.test/@evil\r\n\r\n").status == 400


@pytest.mark.parametrize("way", ["h1", "h2"])
def test_who_came_over_https_to_a_trusted_proxy_is_served(workspace, way):
    plain = workspace.keep(ReservedPort())
    text = f"""
listeners: [{{name: web, address: {plain}, redirectToHTTPS: 443, trustedProxies: [127.0.0.1]}}]
routes: [{{name: all, respond: {{body: "${{scheme}}"}}}}]
"""
    workspace.node(text)
    served, sent = (200, b"https"), (308, b"")

    def ask(source, *said):
        if way == "h1":
            with Peer.connect(plain.address, source=(source, 0)) as peer:
                got = peer.exchange(request(fields=[f"X-Forwarded-Proto: {word}" for word in said]))
        else:
            with Peer.connect(plain.address, source=(source, 0)) as peer, http2.Client.over(peer.socket) as client:
                got = client.get("/", fields=[("x-forwarded-proto", word) for word in said])
        return got.status, got.body

    assert ask("127.0.0.1", "https") == ask("127.0.0.1", "HTTPS") == served
    assert ask("127.0.0.1") == ask("127.0.0.1", "http") == ask("127.0.0.1", "https", "https") == sent
    # Nobody else is believed.
    assert ask("127.0.0.2", "https") == sent
    source = workspace.configuration(text)
    for scheme, status in [("https", 200), ("http", 308)]:
        told = run_proxyctl("explain", "GET", f"{scheme}://example.test/", "-f", source, "-o", "json").json
        assert told["status"] == status
