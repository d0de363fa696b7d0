"""Long content, which goes from socket to socket through a pipe: whole, in order, and cut where it was cut."""

import os
import threading

import pytest

from weir import Origin, Peer, ReservedPort, request, until


def content(length):
    """Octets that tell where they are."""
    block = b"".join(index.to_bytes(4, "big") for index in range(1 << 16))
    return (block * (length // len(block) + 1))[:length]


def serve(workspace, script, upstream=""):
    port = workspace.keep(ReservedPort())
    origin = workspace.keep(Origin(script))
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    return node, port.address, origin


def sized(peer, origin):
    """Answers /LENGTH with so many octets, and /LENGTH/CUT with as many as are left when CUT are missing."""
    while (head := peer.read_head()) is not None:
        length, cut = (int(part) for part in (head.target + "/0").split("/")[1:3])
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + content(length)[:length - cut])
        if cut:
            return


def descriptors(node):
    return len(os.listdir(f"/proc/{node.program.pid}/fd"))


@pytest.mark.parametrize("length", [65_535, 65_536, 82_000, 100_000, 262_144, 1_000_000, 30_000_000])
def test_content_arrives_whole_on_connections_that_go_on(workspace, length):
    _, web, origin = serve(workspace, sized)
    expected = content(length)
    with Peer.connect(web) as peer:
        for _ in range(3):
            assert peer.exchange(request(target=f"/{length}")).body == expected
        assert peer.exchange(request(target="/5")).body == content(5)
    assert origin.connections == 1


def test_responses_of_a_pipeline_come_in_order(workspace):
    _, web, _ = serve(workspace, sized)
    lengths = [1_000_000, 3, 200_000, 0, 65_536, 100]
    with Peer.connect(web) as peer:
        peer.send(b"".join(request(target=f"/{length}") for length in lengths))
        for length in lengths:
            assert peer.read_response().body == content(length)


def test_a_head_request_has_no_content(workspace):
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")

    _, web, _ = serve(workspace, script)
    with Peer.connect(web) as peer:
        for _ in range(3):
            head = peer.exchange(request("HEAD"), "HEAD")
            assert (head.get("content-length"), head.body) == ("1000000", b"")


def test_content_that_the_endpoint_cuts_is_cut_at_the_client(workspace):
    _, web, _ = serve(workspace, sized)
    with Peer.connect(web) as peer:
        peer.send(request(target="/1000000/1"))
        head = peer.read_head()
        assert head.status == 200
        rest = peer.read_to_end()
        assert rest == content(1_000_000)[:999_999]


def test_slow_readers_get_all_and_those_who_leave_leave_nothing_behind(workspace):
    node, web, _ = serve(workspace, sized)
    before = descriptors(node)
    expected = content(20_000_000)

    def read(results, index):
        with Peer.connect(web) as peer:
            peer.send(request(target="/20000000"))
            peer.read_head()
            received = 0
            while received < len(expected):
                received += len(peer.take(len(peer.buffer)) or peer.socket.recv(4096 * (index + 1)))
            results[index] = received

    results = {}
    readers = [threading.Thread(target=read, args=(results, index)) for index in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        peer = Peer.connect(web)
        peer.send(request(target="/20000000"))
        peer.read_head()
        peer.reset()
    for reader in readers:
        reader.join()
    assert results == {index: len(expected) for index in range(4)}
    # Pipes that are not needed for a second are closed; connections to the endpoint rest.
    until(lambda: descriptors(node) <= before + 4 + 1, lambda: f"{descriptors(node)} descriptors, {before} before")
