"""Sticky cookies that all nodes of a fleet understand, and endpoints that come and go under balancing."""

import collections
import re

import pytest

from weir import Fleet, Peer, ReservedPort, get, request, until


def naming(peer, origin):
    """Answers with the origin's name."""
    while (head := peer.read_head()) is not None:
        origin.requests.append(head)
        name = origin.name.encode()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))


@pytest.fixture
def fleet(workspace):
    return Fleet(workspace)


def origins_of(workspace, count):
    found = [workspace.origin(naming) for _ in range(count)]
    for index, origin in enumerate(found):
        origin.name = f"o{index}"
    return found


def configuration(port, origins, settings="", weights=()):
    weights = [*weights, *[1] * (len(origins) - len(weights))]
    endpoints = ", ".join(f"{{address: {origin}, weight: {weight}}}" for origin, weight in zip(origins, weights))
    return f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: app, endpoints: [{endpoints}]{settings}}}]
routes: [{{name: all, upstream: app}}]
"""


def sticky_marks(address, count):
    """What a node's endpoints are called in cookies, by the origins' names."""
    marks = {}
    for _ in range(count):
        head = get(address, "/")
        mark = re.match(r"route=([0-9a-f]{32});", head.get("set-cookie"))[1]
        assert marks.setdefault(head.body, mark) == mark
    return marks


def test_every_node_understands_the_cookies_of_every_other(workspace, fleet):
    port, origins = workspace.keep(ReservedPort()), origins_of(workspace, 3)
    text = configuration(port, origins, ", sticky: {cookie: route, ttl: 1h}")
    one = fleet.add("node-1", workers=1)
    fleet.apply(text, "--wait")
    fleet.wait_steady(1)
    # The key has come when a mark is what it is after a restart, which only the fleet's key makes it.
    first = sticky_marks(port.address, 12)
    one.stop()
    one.start()
    until(one.is_connected, "it has a session")
    second = sticky_marks(port.address, 12)
    assert first == second and len(first) == 3
    one.stop()
    two = fleet.add("node-2", workers=1)
    fleet.wait_steady(1, ["node-2"])
    assert sticky_marks(port.address, 12) == first
    # Without a control plane it knows the key from its disk.
    two.wait_stored(b"app")
    two.stop()
    fleet.control.stop()
    two.start()
    assert sticky_marks(port.address, 12) == first
    for name, mark in first.items():
        with Peer.connect(port.address) as peer:
            assert {peer.exchange(request(fields=[f"Cookie: route={mark}"])).body for _ in range(6)} == {name}


def test_a_weight_that_changes_keeps_the_connections_of_all(workspace, fleet):
    port, origins = workspace.keep(ReservedPort()), origins_of(workspace, 3)
    fleet.add("node-1", workers=1)
    fleet.apply(configuration(port, origins, ", balance: leastRequests"), "--wait")
    with Peer.connect(port.address) as peer:
        for _ in range(30):
            assert peer.exchange(request()).status == 200
        opened = [origin.connections for origin in origins]
        assert opened == [1, 1, 1]
        fleet.apply(configuration(port, origins, ", balance: leastRequests", [8]), "--wait")
        counts = collections.Counter(peer.exchange(request()).body for _ in range(100))
        assert counts[b"o0"] >= 78, counts
        # Another way of balancing, and one endpoint less.
        fleet.apply(configuration(port, origins[:2], ", balance: powerOfTwo"), "--wait")
        counts = collections.Counter(peer.exchange(request()).body for _ in range(100))
        assert set(counts) == {b"o0", b"o1"}
    assert [origin.connections for origin in origins] == opened


def test_a_new_endpoint_grows_into_its_share(workspace, fleet):
    port, origins = workspace.keep(ReservedPort()), origins_of(workspace, 3)
    fleet.add("node-1", workers=1)
    settings = ", slowStart: 1h, balance: random"
    fleet.apply(configuration(port, origins[:2], settings), "--wait")
    with Peer.connect(port.address) as peer:
        fresh = collections.Counter(peer.exchange(request()).body for _ in range(100))
        assert min(fresh[b"o0"], fresh[b"o1"]) > 20, "what comes first is not new"
        fleet.apply(configuration(port, origins, settings), "--wait")
        counts = collections.Counter(peer.exchange(request()).body for _ in range(400))
    # One in two hundred is expected; a third without slow start.
    assert counts[b"o2"] < 20, counts
    seen = until(lambda: fleet.ctl("upstreams", "-o", "json").json[0]["endpoints"][2]["reason"] and
                 fleet.ctl("upstreams", "-o", "json").json[0]["endpoints"], "it is told why")
    assert seen[2]["reason"] == "slow start: takes 1 % of its weight" and seen[0]["reason"] is None
    assert [found["weight"] for found in seen] == [1, 1, 1]
