"""RFC 7541 at the socket: field blocks that the node must take, and those that it must not."""

import contextlib

import hpack
import pytest
from h2.errors import ErrorCodes as Code

import http2
from http2 import DATA, END_HEADERS, GET, HEADERS, POST, SETTINGS, WHOLE, Wire, block, literal
from weir import Origin, ReservedPort, Workspace, answer_with_request

HEADER_TABLE_SIZE = 1
PLAIN_AGENT = b"\x0auser-agent\x06h2spec"
CODED_AGENT = b"\x87\xb5\x05\xb1\x61\xcc\x5a\x93\x84\x9c\x48\xac\xa4"
PLAIN_TEST = b"\x06x-test\x06h2spec"
CODED_TEST = b"\x85\xf2\xb2\x4a\x84\xff\x84\x9c\x48\xac\xa4"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with contextlib.closing(Workspace(tmp_path_factory.mktemp("hpack"))) as space:
        yield space


@pytest.fixture(scope="module")
def site(workspace):
    origin = workspace.keep(Origin(answer_with_request))
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    yield origin, port.address
    assert node.program.is_running


@pytest.fixture
def wire(site):
    with Wire.open(site[1]) as wire:
        yield wire


def get(wire, site, octets, stream=1):
    """Sends a block and returns the head of the request that the origin got for it."""
    wire.put(HEADERS, WHOLE, stream, octets)
    wire.expect_end_of_stream(stream)
    return site[0].requests[-1]


def test_rfc7541_2_3_2_the_dynamic_table_is_first_in_first_out(wire, site):
    """New entries are inserted at the lowest index, and the oldest has the highest."""
    get(wire, site, block(GET) + b"".join(b"\x40" + literal(f"x-{index}", str(index))[1:] for index in range(3)))
    head = get(wire, site, block(GET) + b"\xc0\xbe\xbf", 3)
    assert [line for line in head.fields if line[0][:2] == "x-"][:3] == [("x-0", "0"), ("x-2", "2"), ("x-1", "1")]


@pytest.mark.parametrize("octets", [b"\xfe", b"\xbe", b"\xff\x80\x01", b"\x7e\x01a", b"\x0f\x6f\x01a"])
def test_rfc7541_2_3_3_an_index_beyond_both_tables(wire, octets):
    """Indices strictly greater than the sum of the lengths of both tables MUST be treated as a decoding error."""
    wire.put(HEADERS, WHOLE, 1, block(GET) + octets)
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


def test_rfc7541_4_2_a_size_update_at_the_end_of_a_block(wire):
    """A dynamic table size update MUST occur at the beginning of a field block."""
    wire.put(HEADERS, WHOLE, 1, block(GET) + b"\x21")
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


@pytest.mark.parametrize("octets", [b"\x20", b"\x3f\xe1\x1f", b"\x20\x3f\xe1\x1f", b"\x21\x22"])
def test_rfc7541_4_2_size_updates_at_the_beginning_of_a_block(wire, site, octets):
    """At most two size updates are at the beginning of a block: the smallest size, and the final one."""
    assert get(wire, site, octets + block(GET)).target == "/"


def test_rfc7541_4_3_a_smaller_table_evicts(wire, site):
    """Whenever the maximum size is reduced, entries are evicted until the table fits."""
    get(wire, site, block(GET) + b"\x40" + PLAIN_TEST)
    get(wire, site, b"\x20\x3f\xe1\x1f" + block(GET), 3)
    wire.put(HEADERS, WHOLE, 5, block(GET) + b"\xbe")
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


def test_rfc7541_4_4_an_entry_above_the_size_empties_the_table(wire, site):
    """It is not an error to add an entry that is larger than the maximum size; the table is empty after it."""
    get(wire, site, block(GET) + b"\x40" + PLAIN_TEST + b"\x40" + literal("x-large", "a" * 4100)[1:])
    wire.put(HEADERS, WHOLE, 3, block(GET) + b"\xbe")
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


@pytest.mark.parametrize("octets", [b"\x00\xff\xff\xff\xff\xff\x0f", b"\x00\x7f" + b"\x80" * 20 + b"\x01", b"\xff\xff\xff\xff\xff\xff\x7f"])
def test_rfc7541_5_1_integers_that_are_too_large(wire, octets):
    """Integer encodings that exceed the implementation's limits, in value or in length, MUST be decoding errors."""
    wire.put(HEADERS, WHOLE, 1, block(GET) + octets)
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


@pytest.mark.parametrize("octets", [
    b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff",       # eight bits of padding more
    b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90",           # padding of zeros
    b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\xff\xff\xff\xfd\x25\x42\x7f"])  # EOS
def test_rfc7541_5_2_huffmans_code_gone_wrong(wire, octets):
    """Padding longer than 7 bits, padding that is not of EOS, and EOS itself MUST be decoding errors."""
    wire.put(HEADERS, WHOLE, 1, block(GET) + octets)
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


@pytest.mark.parametrize("octets", [b"\x00\x0aabc", b"\x00", b"\x00\x01a", b"\x00\x01a\x02b", b"\x40", b"\x7f", b"\x0f\x80"])
def test_rfc7541_5_2_blocks_that_are_cut_off(wire, octets):
    """A representation that does not end within its block is a decoding error."""
    wire.put(HEADERS, WHOLE, 1, block(GET) + octets)
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


def test_rfc7541_6_1_an_indexed_field(wire, site):
    """An indexed field identifies an entry in either table."""
    assert get(wire, site, block(GET) + b"\xba").get("user-agent") == ""


def test_rfc7541_6_1_the_index_of_nothing(wire):
    """The index value of 0 MUST be treated as a decoding error."""
    wire.put(HEADERS, WHOLE, 1, block(GET) + b"\x80")
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


@pytest.mark.parametrize("first", [b"\x40", b"\x00", b"\x10"])
@pytest.mark.parametrize("name, octets", [("user-agent", PLAIN_AGENT), ("user-agent", CODED_AGENT), ("x-test", PLAIN_TEST),
                                          ("x-test", CODED_TEST)])
def test_rfc7541_6_2_a_literal_with_a_new_name(wire, site, first, name, octets):
    """Literal fields are taken: with incremental indexing, without indexing, and never indexed, coded or not."""
    assert get(wire, site, block(GET) + first + octets).get(name) == "h2spec"


@pytest.mark.parametrize("octets", [b"\x7a\x06h2spec", b"\x0f\x2b\x06h2spec", b"\x1f\x2b\x84\x9c\x48\xac\xa4"])
def test_rfc7541_6_2_a_literal_with_an_indexed_name(wire, site, octets):
    """The name of a literal can be that of an entry in either table."""
    assert get(wire, site, block(GET) + octets).get("user-agent") == "h2spec"


@pytest.mark.parametrize("is_acknowledged", [False, True])
def test_rfc7541_6_3_a_table_larger_than_was_allowed(wire, is_acknowledged):
    """A size update above SETTINGS_HEADER_TABLE_SIZE MUST be treated as a decoding error, whatever the peer's own is."""
    if is_acknowledged:
        wire.put(SETTINGS, 0, 0, http2.settings((HEADER_TABLE_SIZE, 65536)))
        wire.ping()
    wire.put(HEADERS, WHOLE, 1, b"\x3f\xe2\x1f" + block(GET))
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


def test_rfc7541_6_3_three_size_updates(wire):
    """Stricter than the RFC, which allows an encoder two: a third one is a decoding error."""
    wire.put(HEADERS, WHOLE, 1, b"\x20\x21\x22" + block(GET))
    wire.expect_connection_error(Code.COMPRESSION_ERROR)


@pytest.mark.parametrize("sizes", [[0], [0, 4096], [64], [65536], [2**32 - 1], [100, 0, 50]])
def test_rfc7541_4_2_the_encoder_follows_the_peers_table(wire, site, sizes):
    """An encoder signals a change of the table's size, and never uses more than the decoder allows."""
    for size in sizes:
        wire.put(SETTINGS, 0, 0, http2.settings((HEADER_TABLE_SIZE, size)))
    wire.ping()
    wire.decoder.max_allowed_table_size = max(sizes)
    for stream in (1, 3, 5):
        wire.headers(stream)
        assert dict(wire.fields(stream))[":status"] == "200"
        wire.expect_end_of_stream(stream)
        assert wire.decoder.header_table_size <= sizes[-1]


SECRETS = ("x-secret", "authorization", "cookie", "location", "user-agent", "etag")


def test_rfc7541_7_1_3_what_is_never_indexed_stays_so(workspace, site):
    """Intermediaries MUST use the same representation for encoding a field that came never indexed, whatever its name."""
    secrets = b"".join(literal(name, "hush" * 20, b"\x10") for name in SECRETS)
    trailer = literal("x-tail", "hush", b"\x10")
    blocks = []

    def script(peer, origin):
        wire = Wire.accept(peer)
        blocks.extend(wire.expect(HEADERS).payload for _ in range(2))
        wire.put(HEADERS, END_HEADERS, 1, b"\x88" + secrets)
        wire.put(DATA, 0, 1, b"x")
        wire.put(HEADERS, WHOLE, 1, trailer)
        wire.read_to_end()

    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, protocol: h2c, endpoints: [{{address: {workspace.keep(Origin(script))}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1, name="second")
    with Wire.open(port.address) as wire:
        wire.put(HEADERS, END_HEADERS, 1, block(POST + [("te", "trailers")]) + secrets)
        wire.put(HEADERS, WHOLE, 1, trailer)
        responses = [wire.expect(HEADERS, 1).payload for _ in range(2)]
    for head, tail in (blocks, responses):
        decoder = hpack.Decoder()
        never = [line[0].decode() for line in decoder.decode(head, raw=True) if not line.indexable]
        assert set(SECRETS) <= set(never), never
        assert [(line[0], line.indexable) for line in decoder.decode(tail, raw=True)] == [(b"x-tail", False)]


def test_rfc7541_7_1_3_what_is_not_secret_is_indexed_beside_what_always_is(workspace, site):
    """A field that is never indexed anyway, such as Authorization, says nothing of those beside it."""
    blocks = []

    def script(peer, origin):
        wire = Wire.accept(peer)
        blocks.append(wire.expect(HEADERS).payload)
        wire.put(HEADERS, WHOLE, 1, b"\x88")
        wire.read_to_end()

    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, protocol: h2c, endpoints: [{{address: {workspace.keep(Origin(script))}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1, name="third")
    with Wire.open(port.address) as wire:
        wire.put(HEADERS, WHOLE, 1, block(GET + [("user-agent", "me")]) + literal("authorization", "hush", b"\x10"))
        wire.expect(HEADERS, 1)
    never = [line[0] for line in hpack.Decoder().decode(blocks[0], raw=True) if not line.indexable]
    assert never == [b"authorization"]
