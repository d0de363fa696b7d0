"""Which endpoint a request goes to: algorithms, affinity, tiers and zones."""

import collections
import re
import threading

from weir import Peer, ReservedPort, get, request, until


def naming(peer, origin):
    """Answers with the origin's name, and records the request."""
    while (head := peer.read_head()) is not None:
        head.body = peer.read_body(head)
        origin.requests.append(head)
        name = origin.name.encode()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))


class Gate:
    """A script that holds requests for /held until it is opened, and answers others at once."""

    def __init__(self):
        self.opened = threading.Event()

    def __call__(self, peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            if head.target == "/held":
                self.opened.wait(30)
            name = origin.name.encode()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))


def origins_of(workspace, count, script=naming):
    found = [workspace.origin(script) for _ in range(count)]
    for index, origin in enumerate(found):
        origin.name = f"o{index}"
    return found


def site(workspace, origins, settings="", endpoints=None, arguments=(), workers=2):
    """A node before the origins; the address of its listener."""
    port = workspace.keep(ReservedPort())
    shown = endpoints or ", ".join(f"{{address: {origin}}}" for origin in origins)
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: app, endpoints: [{shown}]{settings}}}]
routes: [{{name: all, upstream: app}}]
""", workers=workers, arguments=arguments)
    return port.address


def ask(web, count, path="/", fields=()):
    """How often each origin answers requests one after the other."""
    with Peer.connect(web) as peer:
        return collections.Counter(peer.exchange(request("GET", path, fields=fields)).body.decode()
                                   for _ in range(count))


class Held:
    """Requests that are under way until the end, one after the other to whoever is chosen."""

    def __init__(self, workspace, web, origins, gate):
        self.workspace, self.web, self.origins, self.gate = workspace, web, origins, gate
        self.peers = []

    def add(self):
        """Begins another one and tells which origin has it."""
        before = [len(origin.requests) for origin in self.origins]
        peer = self.workspace.keep(Peer.connect(self.web))
        peer.send(request("GET", "/held"))
        self.peers.append(peer)
        until(lambda: sum(len(origin.requests) for origin in self.origins) > sum(before), "an origin has the request")
        return next(index for index, origin in enumerate(self.origins) if len(origin.requests) > before[index])

    def counts(self, count):
        return collections.Counter(self.add() for _ in range(count))

    def release(self):
        self.gate.opened.set()
        for peer in self.peers:
            assert peer.read_response().status == 200


def test_random_is_by_weight(workspace):
    origins = origins_of(workspace, 2)
    web = site(workspace, origins, ", balance: random",
               f"{{address: {origins[0]}, weight: 3}}, {{address: {origins[1]}}}")
    counts = ask(web, 400)
    # 300 are expected; 5.8 standard deviations are passed once in 10^8 runs.
    assert 250 < counts["o0"] < 350, counts


def test_turns_by_weights_without_a_short_turn_are_exact(workspace):
    origins = origins_of(workspace, 2)
    web = site(workspace, origins, "", f"{{address: {origins[0]}, weight: 9999}}, {{address: {origins[1]}, weight: 3333}}",
               workers=1)
    counts = ask(web, 400)
    assert abs(counts["o0"] - 300) <= 2, counts


def test_least_requests_counts_what_is_in_flight_over_all_workers(workspace):
    gate = Gate()
    origins = origins_of(workspace, 3, gate)
    web = site(workspace, origins, ", balance: leastRequests",
               f"{{address: {origins[0]}, weight: 2}}, {{address: {origins[1]}}}, {{address: {origins[2]}}}", workers=4)
    held = Held(workspace, web, origins, gate)
    for _ in range(3):
        assert held.counts(4) == {0: 2, 1: 1, 2: 1}
    held.release()
    # Nothing is in flight: weighted turns.
    until(lambda: ask(web, 40)["o0"] >= 18, "idle endpoints are used in turn")


def test_power_of_two_avoids_the_busier_one(workspace):
    gate = Gate()
    origins = origins_of(workspace, 5, gate)
    web = site(workspace, origins, ", balance: powerOfTwo")
    held = Held(workspace, web, origins, gate)
    busy = held.add()
    # Of two different ones the busy one is never the better.
    assert ask(web, 100)[f"o{busy}"] == 0
    # Four each on average; on a slow machine one may seem slow, and be left to others.
    counts = held.counts(19) + collections.Counter([busy])
    assert max(counts.values()) <= 8, counts
    held.release()


def test_latency_avoids_the_slower_one(workspace):
    def slow(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            threading.Event().wait(0.5)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origins = origins_of(workspace, 3) + [workspace.origin(slow)]
    web = site(workspace, origins, ", balance: latency")
    counts = ask(web, 200)
    assert set(counts) == {"o0", "o1", "o2", "ok"}, "each is asked once at least"
    assert counts["ok"] <= 3, counts


def test_power_of_two_leaves_a_slow_one_alone_while_others_are_as_free(workspace):
    def slow(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            threading.Event().wait(0.5)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origins = origins_of(workspace, 3) + [workspace.origin(slow)]
    web = site(workspace, origins, ", balance: powerOfTwo")
    with Peer.connect(web) as peer:
        while peer.exchange(request()).body != b"ok":
            pass
    # A quarter, were it like the others; on a slow machine now and then one of them seems slow too.
    assert ask(web, 100)["ok"] <= 8


def test_a_failing_endpoint_does_not_draw_requests_by_being_quick(workspace):
    def broken(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")

    def slower(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            threading.Event().wait(0.005)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    bad, good = workspace.origin(broken), workspace.origin(slower)
    web = site(workspace, [bad, good], ", balance: latency")
    with Peer.connect(web) as peer:
        statuses = [peer.exchange(request()).status for _ in range(20)]
    assert statuses.count(503) <= 2, statuses


KEYS = {"header, name: X-User": lambda key: ("/", [f"x-user: {key}"]),
        "cookie, name: sid": lambda key: ("/", [f"cookie: a=1; sid={key}; b=2"]),
        "query, name: id": lambda key: (f"/?x=1&id={key}", []),
        "path": lambda key: (f"/items/{key}", [])}


def test_a_key_belongs_to_one_endpoint_whatever_it_is_taken_from(workspace):
    origins = origins_of(workspace, 5)
    for source, make in KEYS.items():
        web = site(workspace, origins, f", balance: hash, hash: {{on: {source}}}")
        owners = {}
        for key in range(100):
            path, fields = make(key)
            for _ in range(2):
                with Peer.connect(web) as peer:
                    owner = peer.exchange(request("GET", path, fields=fields)).body
                assert owners.setdefault(key, owner) == owner, (source, key)
        assert len(set(owners.values())) == 5, (source, owners)
        # Without the part that counts it is the client's address that does.
        if source != "path":
            assert len(ask(web, 10)) == 1
            assert len({get(web, "/").body for _ in range(10)}) == 1


def test_the_path_that_is_hashed_is_the_normalised_one(workspace):
    origins = origins_of(workspace, 5)
    web = site(workspace, origins, ", balance: hash, hash: {on: path}")
    for key in range(10):
        assert get(web, f"/a/{key}").body == get(web, f"/b/../a/%3{key}").body


def test_only_the_keys_of_an_endpoint_that_goes_move(workspace):
    origins = origins_of(workspace, 5)
    owners = []
    for some in (origins, origins[1:]):
        web = site(workspace, some, ", balance: hash, hash: {on: path}")
        with Peer.connect(web) as peer:
            owners.append([peer.exchange(request("GET", f"/{key}")).body for key in range(500)])
    moved = [old for old, new in zip(*owners) if old != new]
    assert set(moved) == {b"o0"}
    # 100 are expected; five standard deviations.
    assert 55 < len(moved) < 145


def test_no_endpoint_has_more_than_its_bound_in_flight(workspace):
    gate = Gate()
    origins = origins_of(workspace, 5, gate)
    web = site(workspace, origins, ", balance: hash, hash: {on: path}", workers=3)
    held = Held(workspace, web, origins, gate)
    counts = collections.Counter()
    for total in range(1, 41):
        counts[held.add()] += 1
        assert max(counts.values()) <= max(3, -(-total * 5 // 20)), counts
    held.release()


STICKY = re.compile(r"route=([0-9a-f]{32}); Path=/; HttpOnly; SameSite=Lax; Max-Age=3600")


def test_a_sticky_cookie_keeps_a_client_at_its_endpoint(workspace):
    origins = origins_of(workspace, 3)
    web = site(workspace, origins, ", sticky: {cookie: route, ttl: 1h}")
    marks = {}
    for _ in range(12):
        first = get(web, "/")
        found = STICKY.fullmatch(first.get("set-cookie"))
        assert found, first.get("set-cookie")
        assert marks.setdefault(first.body, found[1]) == found[1]
        for _ in range(4):
            again = get(web, "/", fields=[f"Cookie: a=1; route={found[1]}; b=2"])
            assert again.body == first.body and again.get("set-cookie") is None
    assert len(marks) == 3 and len(set(marks.values())) == 3
    # The endpoints never see the cookie, and see all others.
    cookies = {head.get("cookie") for origin in origins for head in origin.requests}
    assert cookies == {None, "a=1; b=2"}


def test_a_sticky_cookie_that_names_nobody_is_replaced(workspace):
    origins = origins_of(workspace, 2)
    web = site(workspace, origins, ", sticky: {cookie: route}")
    for value in ("0" * 32, "x", "", "127.0.0.1:80", "F" * 32):
        head = get(web, "/", fields=[f"Cookie: route={value}"])
        assert re.fullmatch(r"route=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax", head.get("set-cookie"))
    assert {head.get("cookie") for origin in origins for head in origin.requests} == {None}


def test_a_sticky_cookie_goes_with_any_balancing(workspace):
    origins = origins_of(workspace, 4)
    for balance in ("leastRequests", "powerOfTwo", "latency", "hash", "random"):
        web = site(workspace, origins, f", balance: {balance}, sticky: {{cookie: route, ttl: 1h}}")
        first = get(web, "/")
        cookie = STICKY.fullmatch(first.get("set-cookie"))[1]
        assert {get(web, "/", fields=[f"Cookie: route={cookie}"]).body for _ in range(20)} == {first.body}


def test_backups_wait_for_their_turn_and_a_zone_is_preferred(workspace):
    origins = origins_of(workspace, 3)
    web = site(workspace, origins, "", f"{{address: {origins[0]}, tier: 1}}, {{address: {origins[1]}}}, "
               f"{{address: {origins[2]}, tier: 2}}")
    assert ask(web, 20) == {"o1": 20}
    zones = ", ".join(f"{{address: {origin}, zone: {zone}}}" for origin, zone in zip(origins, "aab"))
    assert set(ask(site(workspace, origins, "", zones), 20)) == {"o0", "o1", "o2"}
    assert set(ask(site(workspace, origins, "", zones, ["--label", "zone=a"]), 20)) == {"o0", "o1"}
    assert set(ask(site(workspace, origins, "", zones, ["--label", "zone=b"]), 20)) == {"o2"}
    assert set(ask(site(workspace, origins, "", zones, ["--label", "zone=c"]), 20)) == {"o0", "o1", "o2"}


def test_octets_are_relayed_by_the_clients_address(workspace):
    origins = origins_of(workspace, 4)
    port = workspace.keep(ReservedPort())
    shown = ", ".join(f"{{address: {origin}}}" for origin in origins)
    workspace.node(f"""
listeners: [{{name: raw, address: {port}, protocol: tcp, upstream: app}}]
upstreams: [{{name: app, balance: hash, hash: {{on: clientIP}}, endpoints: [{shown}]}}]
""", workers=2)
    owners = {}
    for source in range(1, 31):
        for _ in range(2):
            with Peer.connect(port.address, source=(f"127.0.0.{source}", 0)) as peer:
                owner = peer.exchange(request()).body
                # Connections that overlap could reach the bound of their endpoint.
                peer.end()
                assert peer.read_to_end() == b""
            assert owners.setdefault(source, owner) == owner
    assert len(set(owners.values())) > 2


def test_relayed_connections_are_counted_until_they_end(workspace):
    origins = origins_of(workspace, 2)
    port = workspace.keep(ReservedPort())
    shown = ", ".join(f"{{address: {origin}}}" for origin in origins)
    workspace.node(f"""
listeners: [{{name: raw, address: {port}, protocol: tcp, upstream: app}}]
upstreams: [{{name: app, balance: leastRequests, endpoints: [{shown}]}}]
""", workers=2)

    def opened():
        peer = workspace.keep(Peer.connect(port.address))
        return peer, peer.exchange(request()).body

    first, name = opened()
    second, other = opened()
    assert {name, other} == {b"o0", b"o1"}
    third, again = opened()
    # With two at one of them the next goes to the other; once those have ended, to this one.
    for peer, owner in ((first, name), (second, other), (third, again)):
        if owner == again:
            peer.close()
    until(lambda: opened()[1] == again, "the endpoint that was left is chosen")


def test_metrics_tell_of_each_endpoint_where_that_is_asked_for(workspace):
    port, origins = workspace.keep(ReservedPort()), origins_of(workspace, 1)
    text = f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: app, retry: {{attempts: 1, budget: 100%}}, endpoints: [{{address: {origins[0]}}}, {{address: "127.0.0.9:1"}}]}}]
routes: [{{name: all, upstream: app}}]
"""
    plain = workspace.node(text)
    assert ask(port.address, 4) == {"o0": 4}
    assert b"weir_endpoint" not in plain.get("/metrics").body
    plain.program.stop()
    node = workspace.node(text + "metrics: {perEndpoint: true}", "counting")
    assert ask(port.address, 8) == {"o0": 8}
    shown = node.get("/metrics").body.decode()
    for name, address, more, value in (("available", origins[0], "", 1), ("connections", origins[0], "", 1),
                                       ("requests", origins[0], "", 0), ("tries_total", origins[0], ',result="success"', 8)):
        assert f'weir_endpoint_{name}{{upstream="app",endpoint="{address}"{more}}} {value}\n' in shown
    # It is left alone as soon as it is known that nobody is there.
    failures = re.search(r'weir_endpoint_tries_total{upstream="app",endpoint="127.0.0.9:1",result="failure"} (\d+)\n', shown)
    assert 1 <= int(failures.group(1)) < 8
    assert "weir_endpoints_omitted 0\n" in shown


def test_a_backup_says_that_it_waits(workspace):
    port, origins = workspace.keep(ReservedPort()), origins_of(workspace, 2)
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: app, health: {{tcp: {{}}, interval: 100ms, unhealthyAfter: 1}},
             endpoints: [{{address: {origins[0]}}}, {{address: {origins[1]}, tier: 3}}]}}]
routes: [{{name: all, upstream: app}}]
""")
    reasons = lambda: [found["reason"] for found in node.get("/upstreams").json["upstreams"][0]["endpoints"]]
    assert reasons() == ["", "a backup: tier 0 takes the requests"]
    origins[0].stop()
    until(lambda: reasons()[1] == "", "the backup takes the requests")
    assert ask(port.address, 4) == {"o1": 4}
