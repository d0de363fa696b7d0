"""TLS at the socket (RFC 8446, RFC 5246, RFC 6066, RFC 7301): hellos and records that are odd or wrong, and ends that are not told."""

import socket
import ssl
import subprocess

import pytest

import records
import weir
from records import ALERT, CHANGE_CIPHER_SPEC, CONTENT, HANDSHAKE, Forger, Records, extensions, hello, message, outcome, record
from stage import cases
from weir import Origin, Peer, ReservedPort, answer_with_request, request

PROTOCOL_VERSION, DECODE_ERROR, UNRECOGNIZED_NAME, NO_PROTOCOL = "alert 70", "alert 50", "alert 112", "alert 120"
ILLEGAL, HANDSHAKE_FAILURE = "alert 47", "alert 40"


class Site:
    """A node that speaks TLS, and one listener of it that knows no name but its own."""

    def __init__(self, space):
        origin = space.keep(Origin(answer_with_request))
        ports = [space.keep(ReservedPort()) for _ in range(3)]
        self.web, self.strict, self.hurried = [port.address for port in ports]
        self.certificates = space.certificates
        self.folder = space.folder
        self.node = space.node(f"""
listeners:
  - {{name: web, address: {ports[0]}, protocol: https, tls: {{certificates: [test]}}}}
  - {{name: strict, address: {ports[1]}, protocol: https, tls: {{certificates: [test], strictSNI: true}}}}
  - {{name: hurried, address: {ports[2]}, protocol: https, tls: {{certificates: [test]}}, timeouts: {{handshake: 300ms}}}}
certificates: [{{name: test, files: {{certificate: test.crt, key: test.key}}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1, certificates=self.certificates.folder)

    def client(self, **options):
        return Peer.connect(self.web, self.certificates.client(**options))

    def serves(self):
        with self.client() as peer:
            assert peer.exchange(request()).status == 200

    def forger(self):
        return Forger.shake_hands(self.web, self.folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    space = weir.Workspace(tmp_path_factory.mktemp("tls"))
    try:
        found = Site(space)
        yield found
        found.serves()
        assert found.node.program.is_running
    finally:
        space.close()


def first(octets):
    """The record that begins a connection."""
    return record(HANDSHAKE, octets, 0x0301)


# Hellos


@cases("size", 1, 3, 100, 16384)
def test_rfc8446_5_1_a_hello_may_come_in_records_of_any_size(site, size):
    """Handshake messages MAY be fragmented across several records."""
    octets = hello()
    pieces = (octets[start:start + size] for start in range(0, len(octets), size))
    assert outcome(site.web, b"".join(first(piece) for piece in pieces)) == "server_hello"


def test_rfc8446_4_1_2_a_long_hello_is_read(site):
    """Extensions that are unknown are ignored, however long."""
    octets = hello(extensions() + [(0xFAFA, bytes(40_000)), (0xFE0D, bytes(300))])
    pieces = (octets[start:start + 16384] for start in range(0, len(octets), 16384))
    assert outcome(site.web, b"".join(first(piece) for piece in pieces)) == "server_hello"


@cases("case", ("empty record", first(b"")), ("record of content", record(CONTENT, b"abc")), ("another message", first(message(11, bytes(40)))),
       ("finished", first(message(20, bytes(12)))), ("unknown kind", record(99, b"abc")), ("heartbeat", record(24, b"\1\x40\0")),
       ("alert", record(ALERT, b"\2\x28")), ("too long a message", first(b"\1\xff\xff\xff" + bytes(100))),
       ("record above the limit", b"\x16\3\1\xff\xff" + bytes(65535)), ("http", request()), ("sslv2", b"\x80\x2e\1\0\2\0\x15\0\0\0\x10" + bytes(37)))
def test_rfc8446_5_what_is_no_hello_ends_the_connection(site, case):
    """An unexpected record or message ends the connection, with an alert or without."""
    found = outcome(site.hurried, case[1])
    assert found == "end" or found.startswith("alert"), found


@cases("version", 0x0300, 0x0301, 0x0302, 0x0200)
def test_rfc8446_4_2_1_old_versions_are_refused(site, version):
    """A server that supports none of the client's versions sends protocol_version."""
    # SSL 3.0 has no such alert, but handshake_failure.
    assert outcome(site.web, first(hello(extensions(versions=()), version=version))) in (PROTOCOL_VERSION, HANDSHAKE_FAILURE)
    if version != 0x0200:
        assert outcome(site.web, first(hello(extensions(versions=(version,))))) == PROTOCOL_VERSION


def test_rfc8446_4_2_1_versions_of_the_future_do_no_harm(site):
    """Values that are not known are ignored (RFC 8701)."""
    assert outcome(site.web, first(hello(extensions(versions=(0x7A7A, 0x0305, 0x0304))))) == "server_hello"
    assert outcome(site.web, first(hello(suites=(0x0A0A, *records.SUITES)))) == "server_hello"


@cases("kind", 0, 10, 13, 16, 43, 51)
def test_rfc8446_4_2_an_extension_that_is_there_twice_is_refused(site, kind):
    """There MUST NOT be more than one extension of the same type in a given extension block."""
    pairs = extensions()
    found = outcome(site.web, first(hello(pairs + [pair for pair in pairs if pair[0] == kind])))
    assert found in (ILLEGAL, DECODE_ERROR), found


@cases("kind", 0, 10, 13, 16, 43, 51)
def test_rfc8446_4_2_an_extension_that_is_cut_off_is_refused(site, kind):
    """What cannot be parsed is answered with decode_error."""
    for cut in (lambda octets: octets[:-1], lambda octets: octets + b"\0", lambda octets: b"\xff\xff" + octets[2:], lambda octets: b""):
        pairs = [(name, cut(octets) if name == kind else octets) for name, octets in extensions()]
        found = outcome(site.web, first(hello(pairs)))
        assert found.startswith("alert"), (found, pairs)


@cases("tail", b"\0", b"\0\0\0\0")
def test_rfc8446_4_1_2_octets_behind_the_extensions_are_refused(site, tail):
    """A message with more octets than its fields is not well-formed."""
    assert outcome(site.web, first(hello(tail=tail))).startswith("alert")


@cases("compression", b"", b"\1", b"\1\0")
def test_rfc8446_4_1_2_compression_is_refused(site, compression):
    """legacy_compression_methods MUST be one octet of zero."""
    assert outcome(site.web, first(hello(compression=compression))).startswith("alert")


@cases("suites", (0x002F,), (0xC013,), (0x009C,), (0xC027,), (0x000A,), (0x0000,), (0x00FF,), (0x009E,))
def test_rfc9325_4_2_no_cipher_without_forward_secrecy_and_authentication_in_one(site, suites):
    """No RSA key exchange, no CBC, no finite-field groups, no NULL: what offers these alone fails."""
    assert outcome(site.web, first(hello(extensions(versions=(), share=False), suites=suites))) == HANDSHAKE_FAILURE


# Names and protocols


@cases("name", b"example.test", b"EXAMPLE.Test", b"example.test.", b"a.example.test", b"localhost")
def test_rfc6066_3_the_name_is_taken_as_dns_has_it(site, name):
    """Names are case-insensitive."""
    assert outcome(site.strict, first(hello(extensions(name)))) == "server_hello"


@cases("name", b"other.test", b"127.0.0.1", b"::1", b"a.b.example.test", b".example.test", b"example.test..",
       b"example.test:443", b"example.test/x", b"\xc3\xa4.test", b"a b.test", b"e" * 300)
def test_rfc6066_3_a_name_that_nobody_has_is_refused(site, name):
    """A server that does not recognize the name sends unrecognized_name, if names are strict."""
    assert outcome(site.strict, first(hello(extensions(name)))) in (UNRECOGNIZED_NAME, DECODE_ERROR)
    site.serves()


@cases("content", b"", b"\0\0", b"\0\3\0\0\0", b"\0\4\0\0\1a\0", records.server_name(b"a\0b.test"), records.server_name(b"example.test\0"),
       records.server_name(b"example.test", 1),
       records.vector(2 * (b"\0" + records.vector(b"example.test", 2)), 2))
def test_rfc6066_3_a_list_that_is_not_one_name_is_refused(site, content):
    """Names are not empty, have no NUL, and there is at most one of each type."""
    pairs = [(0, content), *extensions(None)]
    assert outcome(site.strict, first(hello(pairs))).startswith("alert")
    assert outcome(site.web, first(hello(pairs))) in ("server_hello", UNRECOGNIZED_NAME, DECODE_ERROR, ILLEGAL)


def test_rfc6066_3_without_a_name_there_is_the_last_certificate(site):
    """A client need not send a name, unless names are strict."""
    assert outcome(site.web, first(hello(extensions(None)))) == "server_hello"
    assert outcome(site.strict, first(hello(extensions(None)))) == UNRECOGNIZED_NAME


@cases("names", (b"h3",), (b"http/1.0", b"HTTP/1.1"), (b"h2\0",), (b"H2",), (b"acme-tls/1",))
def test_rfc7301_3_2_no_protocol_in_common_is_fatal(site, names):
    """A server that supports none of the client's protocols SHALL send no_application_protocol."""
    assert outcome(site.web, first(hello(extensions(alpn=names)))) == NO_PROTOCOL
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        old = site.certificates.client(protocols=("h3",))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        Peer.connect(site.web, old)


@cases("content", b"", b"\0\0", b"\0\1\0", b"\0\3\2h2\0")
def test_rfc7301_3_1_a_list_of_protocols_is_well_formed(site, content):
    """Empty strings MUST NOT be included."""
    pairs = [(kind, content if kind == 16 else octets) for kind, octets in extensions()]
    assert outcome(site.web, first(hello(pairs))).startswith("alert")


# Handshakes that do not go on


@cases("octets", b"", b"\x16", b"\x16\3\1", first(hello())[:40], first(hello()), first(hello(extensions(groups=(23,), share=False))))
def test_rfc8446_4_a_handshake_has_its_time(site, octets):
    """Whoever stops in the middle is closed at timeouts.handshake, however often it says a little."""
    with Records.dial(site.hurried) as peer:
        peer.send(octets)
        assert peer.ends()


def test_rfc8446_4_a_handshake_that_comes_octet_by_octet_has_no_more_time(site):
    """The time is for all of it."""
    with Records.dial(site.hurried) as peer:
        peer.socket.settimeout(0.05)
        for octet in first(hello()):
            try:
                peer.send(bytes([octet]))
                assert peer.socket.recv(1) == b""
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            raise AssertionError("all of it was taken")


@cases("octets", record(CHANGE_CIPHER_SPEC, b"\1"), record(HANDSHAKE, b""), record(ALERT, b"\1\x5a"), record(CONTENT, b""), record(CONTENT, bytes(40)))
def test_rfc8446_5_records_without_end_in_a_handshake(site, octets):
    """What does not belong there, or does nothing, is not read for ever."""
    with Records.dial(site.web) as peer:
        peer.send(first(hello()))
        assert peer.outcome() == "server_hello"
        try:
            peer.send(octets * 50_000)
        except (ConnectionError, TimeoutError):
            pass
        assert peer.ends()


def test_rfc8446_4_6_3_messages_without_end_in_a_handshake(site):
    """A message of many megabytes, announced or not, is not gathered."""
    with Records.dial(site.web) as peer:
        try:
            peer.send(first(b"\1\2\0\0" + bytes(16380)))
            for _ in range(100):
                peer.send(first(bytes(16384)))
        except ConnectionError:
            pass
        assert peer.ends()


# After the handshake


def answers(peer):
    """Whether the connection still carries a request, which is told by a long record that comes back."""
    peer.send(peer.sealed(CONTENT, request()))
    while (found := peer.read_record()) is not None:
        if found[0] == CONTENT and len(found[1]) > 300:
            return True
    return False


@cases("padding", 0, 1, 255, 10_000)
def test_rfc8446_5_4_padding_is_taken_off(site, padding):
    """Any record may be padded."""
    with site.forger() as peer:
        for octet in request(target="/padded"):
            peer.send(peer.sealed(CONTENT, bytes([octet]), padding if octet == 0x47 else 0))
        assert answers(peer)


def test_rfc8446_5_1_content_may_be_empty(site):
    """Zero-length fragments of application data MAY be sent."""
    with site.forger() as peer:
        peer.send(b"".join(peer.sealed(CONTENT, b"") for _ in range(10)))
        assert answers(peer)


def test_rfc8446_4_6_3_keys_are_updated(site):
    """Either side may send KeyUpdate, and ask for one."""
    with site.forger() as peer:
        for asks in (0, 1, 0, 1):
            peer.send(peer.key_update(asks))
        assert answers(peer)


@cases("octets", (HANDSHAKE, message(24, b"\2")), (HANDSHAKE, message(24, b"\0\0")), (HANDSHAKE, hello()), (HANDSHAKE, message(99, b"")), (HANDSHAKE, b""),
       (CHANGE_CIPHER_SPEC, b"\1"), (ALERT, b""), (ALERT, b"\1\0\1\0"), (99, b"abc"), (0, b""), (ALERT, b"\2\x28"), (HANDSHAKE, message(11, bytes(4))))
def test_rfc8446_5_what_must_not_come_later_ends_the_connection(site, octets):
    """Renegotiation, unknown messages, malformed ones: the connection ends."""
    with site.forger() as peer:
        peer.send(peer.sealed(*octets))
        assert peer.ends()
    site.serves()


def test_rfc8446_5_2_a_record_that_is_forged_ends_the_connection(site):
    """If decryption fails, the connection ends with bad_record_mac."""
    with site.forger() as peer:
        octets = bytearray(peer.sealed(CONTENT, request()))
        octets[-1] ^= 1
        peer.send(bytes(octets))
        assert peer.ends()
    with site.forger() as peer:
        peer.send(b"\x17\3\3\x48\0" + bytes(0x4800))
        assert peer.ends()
    with site.forger() as peer:
        octets = peer.sealed(CONTENT, request())
        peer.send(octets + octets)
        assert peer.ends()


@cases("asks", 0, 1)
def test_rfc8446_4_6_3_key_updates_without_end(site, asks):
    """A peer that does nothing else is not read for ever, and others are served."""
    with site.forger() as peer:
        octets = b"".join(peer.key_update(asks) for _ in range(20_000))
        try:
            peer.send(octets)
        except (ConnectionError, TimeoutError):
            pass
        site.serves()
        assert peer.ends()


@cases("kind", CONTENT, ALERT)
def test_rfc8446_5_1_records_of_nothing_without_end(site, kind):
    """Nor are empty records, or warnings."""
    with site.forger() as peer:
        octets = b"".join(peer.sealed(kind, b"\1\x5a" if kind == ALERT else b"") for _ in range(5_000))
        try:
            peer.send(octets)
        except (ConnectionError, TimeoutError):
            pass
        assert peer.ends()


def test_rfc8446_4_6_3_answers_that_are_not_read_are_not_kept(site):
    """Content between key updates makes them no better: answers that nobody reads are bounded."""
    with site.forger() as peer:
        before = resident(site.node)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.send(peer.sealed(CONTENT, b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10000000\r\n\r\n"))
        ended = False
        for _ in range(200):
            try:
                peer.send(b"".join(peer.key_update(1) for _ in range(1_500)) + peer.sealed(CONTENT, b"a"))
            except ConnectionError:
                ended = True
                break
            site.serves()
        assert ended, f"{resident(site.node) - before} octets of answers were kept"
    site.serves()


def resident(node):
    """Octets of memory that a node has."""
    with open(f"/proc/{node.program.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_rfc5246_7_4_1_1_renegotiation_is_refused(site):
    """A server need not agree: no_renegotiation, and nothing is begun anew."""
    done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % site.web, "-servername", "example.test", "-tls1_2"],
                          input="R\n", capture_output=True, text=True, timeout=15)
    assert "no renegotiation" in done.stderr


# Ends


@cases("version", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
def test_rfc8446_6_1_an_end_that_is_not_told_is_no_end_of_content(site, version):
    """A request whose content is cut off is not taken for whole."""
    context = site.certificates.client()
    context.maximum_version = version
    with Peer.connect(site.web, context) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf")
        peer.end()
        assert b" 200 " not in read_to_end(peer)


def test_rfc8446_6_1_a_client_that_says_its_end_gets_its_answer(site):
    """Either party MAY end its write side; reading goes on."""
    with site.forger() as peer:
        peer.send(peer.sealed(CONTENT, request()) + peer.sealed(ALERT, b"\1\0"))
        lengths = []
        while (found := peer.read_record()) is not None:
            lengths.append(len(found[1]))
        assert max(lengths) > 300, lengths


def read_to_end(peer):
    try:
        return peer.read_to_end()
    except (ConnectionError, ssl.SSLError):
        return b""
