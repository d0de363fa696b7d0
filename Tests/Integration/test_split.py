"""Requests that are divided between upstreams, and clients that stay on their side."""

import re

from weir import Peer, ReservedPort, get, request


def sites(workspace, cohort="", weights=(1, 1)):
    """A node whose requests are divided between two origins that say which they are."""
    def script(name):
        def run(peer, origin):
            while (head := peer.read_head()) is not None:
                origin.requests.append(head)
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)
        return run

    origins = [workspace.origin(script(name)) for name in (b"a", b"b")]
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: a, endpoints: [{{address: {origins[0]}}}]}}
  - {{name: b, endpoints: [{{address: {origins[1]}}}]}}
routes: [{{name: all, split: [{{upstream: a, weight: {weights[0]}}}, {{upstream: b, weight: {weights[1]}}}]{cohort}}}]
""", workers=2)
    return port.address


def test_requests_are_divided_by_weight(workspace):
    web = sites(workspace, weights=(3, 1))
    with Peer.connect(web) as peer:
        bodies = [peer.exchange(request()).body for _ in range(400)]
    # 300 are expected; 5.8 standard deviations are passed once in 10^8 runs.
    assert 250 < bodies.count(b"a") < 350, bodies.count(b"a")


def test_a_side_of_weight_0_gets_nothing(workspace):
    web = sites(workspace, weights=(0, 1))
    with Peer.connect(web) as peer:
        assert {peer.exchange(request()).body for _ in range(50)} == {b"b"}


def test_a_cookie_keeps_a_client_on_its_side(workspace):
    web = sites(workspace, ", cohort: {cookie: side}")
    seen = set()
    for _ in range(40):
        first = get(web, "/")
        cookie = first.get("set-cookie")
        found = re.fullmatch(r"side=([0-9a-f]{16}); Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", cookie)
        assert found, cookie
        seen.add(first.body)
        with Peer.connect(web) as peer:
            for _ in range(5):
                again = peer.exchange(request(fields=[f"Cookie: other=1; side={found[1]}"]))
                assert again.body == first.body and again.get("set-cookie") is None
    assert seen == {b"a", b"b"}


def test_a_field_keeps_a_client_on_its_side(workspace):
    web = sites(workspace, ", cohort: {header: X-User}")
    sides = {}
    for user in range(40):
        with Peer.connect(web) as peer:
            bodies = {peer.exchange(request(fields=[f"x-user: {user}"])).body for _ in range(3)}
        assert len(bodies) == 1
        sides[user] = bodies.pop()
    assert set(sides.values()) == {b"a", b"b"}


def test_an_address_keeps_a_client_on_its_side(workspace):
    web = sites(workspace, ", cohort: {clientIP: true}")
    assert len({get(web, "/").body for _ in range(20)}) == 1
