"""Names of endpoints, and endpoints from DNS: what a node makes of a name server's answers, and of none."""

import collections
import contextlib
import re
import socket

import pytest

import http2
from nameserver import NameServer
from weir import BIN, Fleet, Origin, Peer, ReservedPort, answer_with_request, answering, get, is_listening, request, run_proxyctl, until


@pytest.fixture
def names(workspace):
    return workspace.keep(NameServer())


def origins(workspace, count):
    """Origins `127.0.0.1`, `127.0.0.2` … that share one port, and the port."""
    for _ in range(50):
        first = Origin(answer_with_request, "127.0.0.1")
        made = [first]
        try:
            for index in range(2, count + 1):
                made.append(Origin(answer_with_request, f"127.0.0.{index}", f"127.0.0.{index}", first.address[1]))
        except OSError:
            for origin in made:
                origin.stop()
            continue
        for origin in made:
            workspace.keep(origin)
        return made, first.address[1]
    raise AssertionError("no port that is free at so many addresses")


def serve(workspace, names, upstream, workers=1, more="", name="node"):
    """A node that asks `names`, whose one route leads to `upstream` (text); returns it and its address."""
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, {upstream}}}]
routes: [{{name: all, upstream: main}}]
{more}""", name, workers=workers, prefix=["env", f"WEIR_RESOLVER={names.address}"])
    return node, port.address


def answered_by(web, count=8):
    """How often each origin answers one of so many requests; the status code stands for those without one."""
    with Peer.connect(web) as peer:
        answers = [peer.exchange(request()) for _ in range(count)]
    return collections.Counter(head.json["origin"] if head.status == 200 else head.status for head in answers)


def until_answered_by(web, wanted, count=8):
    until(lambda: set(answered_by(web, count)) == set(wanted), f"requests are answered by {wanted}")


def metric(node, name, **labels):
    label = "".join(f'{key}="{value}"' for key, value in labels.items())
    pattern = re.escape(name + (f"{{{label}}}" if label else "")) + r" ([0-9.]+)"
    return float(re.search(pattern, node.get("/metrics").body.decode())[1])


# Names of endpoints


def test_a_name_is_looked_up_again_when_its_answer_holds_no_longer(workspace, names):
    made, port = origins(workspace, 2)
    names.set("api.test", "A", ["127.0.0.1"], ttl=1)
    node, web = serve(workspace, names, f"endpoints: [{{address: 'api.test:{port}'}}]")
    assert set(answered_by(web)) == {"127.0.0.1"}
    names.set("api.test", "A", ["127.0.0.2"], ttl=600)

    def has_moved():
        # A connection that rests is used on: the name says where new ones go.
        for peer in list(made[0].open):
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        head = get(web)
        return head.status == 200 and head.json["origin"] == "127.0.0.2"

    until(has_moved, "the name leads elsewhere")
    assert metric(node, "weir_name_lookups_total", result="answered") >= 2


def test_a_name_of_which_one_address_answers_is_within_reach(workspace, names):
    made, port = origins(workspace, 1)
    other = workspace.keep(Origin(answer_with_request, "other"))
    # Nobody listens at the second address.
    names.set("api.test", "A", ["127.0.0.1", "127.0.0.9"], ttl=600)
    node, web = serve(workspace, names, "retry: {attempts: 4}, connections: {idle: 1ms}, "
                      f"endpoints: [{{address: 'api.test:{port}'}}, {{address: '{other}'}}]")
    assert [get(web).status for _ in range(20)] == [200] * 20
    assert metric(node, "weir_upstream_connect_failures_total") > 0 and made[0].requests
    assert "upstream.endpoint_unreachable" not in node.program.stderr()
    made[0].stop()
    until(lambda: get(web).status == 200 and "upstream.endpoint_unreachable" in node.program.stderr(), "neither does")


def test_both_families_and_aliases_count(workspace, names):
    _, port = origins(workspace, 1)
    names.set("api.test", "CNAME", ["a.test"], ttl=1)
    names.set("a.test", "CNAME", ["b.test"], ttl=60)
    names.set("b.test", "A", ["127.0.0.1"], ttl=60)
    _, web = serve(workspace, names, f"endpoints: [{{address: 'api.test:{port}'}}]")
    assert set(answered_by(web)) == {"127.0.0.1"}
    assert names.asked("api.test", "AAAA") >= 1
    # The alias holds for a second, and so does what it leads to.
    names.wait_for_question("api.test", "A", count=2)


@pytest.mark.parametrize("failure", ["servfail", "refused", "silence", "wrong-id", "other-question", "loop", "garbage", "short",
                                     "nxdomain"])
def test_while_a_name_cannot_be_looked_up_its_last_addresses_are_used(workspace, names, failure):
    _, port = origins(workspace, 1)
    names.set("api.test", "A", ["127.0.0.1"], ttl=1)
    node, web = serve(workspace, names, f"endpoints: [{{address: 'api.test:{port}'}}]")
    if failure == "nxdomain":
        names.remove("api.test")
    else:
        names.misbehave("api.test", failure)
    until(lambda: metric(node, "weir_names_failing") == 1, "the lookup fails")
    assert get(web).status == 200
    until(lambda: "name.lookup_failed name=api.test" in node.program.stderr(), "the log says so")
    names.misbehave("api.test", None)
    names.set("api.test", "A", ["127.0.0.1"], ttl=1)
    until(lambda: metric(node, "weir_names_failing") == 0, "the lookup succeeds again")
    until(lambda: "name.heals name=api.test" in node.program.stderr(), "the log says so")
    assert metric(node, "weir_name_lookups_total", result="failed") >= 1


def test_a_version_is_served_although_its_names_lead_nowhere_and_heals_by_itself(workspace, names):
    _, port = origins(workspace, 1)
    names.misbehave("*", "silence")
    node, web = serve(workspace, names, f"endpoints: [{{address: 'api.test:{port}'}}]")
    head = get(web)
    assert head.status == 502
    assert "error=dns_error" in head.get("proxy-status")
    until(lambda: "name.lookup_failed name=api.test" in node.program.stderr(), "the log says so")
    names.set("api.test", "A", ["127.0.0.1"], ttl=60)
    names.misbehave("*", None)
    until_answered_by(web, ["127.0.0.1"])


def test_an_endpoint_whose_name_leads_nowhere_gets_no_requests_while_others_do(workspace, names):
    _, port = origins(workspace, 1)
    _, web = serve(workspace, names,
                   f"endpoints: [{{address: 'missing.test:{port}'}}, {{address: '127.0.0.1:{port}'}}]")
    assert answered_by(web, 20) == {"127.0.0.1": 20}


def test_localhost_needs_no_name_server(workspace, names):
    _, port = origins(workspace, 1)
    _, web = serve(workspace, names, f"endpoints: [{{address: 'localhost:{port}'}}]")
    assert 200 in {get(web).status for _ in range(4)}
    assert names.asked("localhost", "A") == 0


def test_a_truncated_answer_is_asked_for_over_tcp(workspace, names):
    _, port = origins(workspace, 1)
    names.set("api.test", "A", ["127.0.0.1"], ttl=60)
    names.misbehave("api.test", "truncate")
    _, web = serve(workspace, names, f"endpoints: [{{address: 'api.test:{port}'}}]")
    assert set(answered_by(web)) == {"127.0.0.1"}
    assert names.asked("api.test", "A", "tcp") == 1


def test_many_names_share_few_sockets(workspace, names):
    _, port = origins(workspace, 1)
    endpoints = []
    for index in range(500):
        names.set(f"n{index}.test", "A", ["127.0.0.1"], ttl=1)
        endpoints.append(f"{{address: 'n{index}.test:{port}'}}")
    node, web = serve(workspace, names, f"endpoints: [{', '.join(endpoints)}]")
    assert get(web).status == 200
    before = len(node.program.descriptors())
    mark = names.mark()
    names.wait_for_question("n499.test", "A", after=mark, count=2)
    assert len(node.program.descriptors()) < before + 40
    assert metric(node, "weir_names_failing") == 0


# Discovery


def test_each_address_of_a_name_is_an_endpoint(workspace, names):
    _, port = origins(workspace, 3)
    names.set("api.test", "A", ["127.0.0.1", "127.0.0.2"], ttl=1)
    node, web = serve(workspace, names, f"discovery: {{dns: 'api.test:{port}'}}")
    assert answered_by(web, 10) == {"127.0.0.1": 5, "127.0.0.2": 5}
    names.set("api.test", "A", ["127.0.0.2", "127.0.0.3"], ttl=1)
    until_answered_by(web, ["127.0.0.2", "127.0.0.3"])
    until(lambda: "upstream.endpoints_changed upstream=main endpoints=2 "
                  f"added=127.0.0.3:{port} removed=127.0.0.1:{port}" in node.program.stderr(), "the log says so")


def test_endpoints_that_stay_keep_their_connections_and_those_that_go_end_theirs_in_peace(workspace, names):
    made, port = origins(workspace, 2)
    names.set("api.test", "A", ["127.0.0.1", "127.0.0.2"], ttl=1)
    _, web = serve(workspace, names, f"discovery: {{dns: 'api.test:{port}', type: a, refresh: 1s}}")
    assert set(answered_by(web)) == {"127.0.0.1", "127.0.0.2"}
    assert [origin.connections for origin in made] == [1, 1]
    names.set("api.test", "A", ["127.0.0.2"], ttl=1)
    until(lambda: not made[0].open, "the connection at rest to the endpoint that went is closed")
    assert answered_by(web) == {"127.0.0.2": 8}
    assert [origin.connections for origin in made] == [1, 1]


def test_an_exchange_with_an_endpoint_that_goes_ends_as_it_would_have(workspace, names):
    started, go = [], []

    def slow(peer, origin):
        while (head := peer.read_head()) is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
            started.append(head)
            until(lambda: go, "the test lets it go on", 30)
            peer.send(b"cd")

    origin = workspace.keep(Origin(slow))
    names.set("api.test", "A", ["127.0.0.1"], ttl=1)
    node, web = serve(workspace, names, f"discovery: {{dns: 'api.test:{origin.address[1]}'}}")
    with Peer.connect(web) as peer:
        peer.send(request())
        until(lambda: started, "the response has begun")
        names.set("api.test", "A", ["127.0.0.9"], ttl=1)
        until(lambda: "removed=127.0.0.1:" in node.program.stderr(), "the endpoint goes")
        go.append(True)
        assert peer.read_response().body == b"abcd"


def test_services_say_port_weight_and_tier(workspace, names):
    made = [workspace.keep(Origin(answer_with_request, f"{letter}.test")) for letter in "abc"]
    ports = [origin.address[1] for origin in made]
    names.set("a.test", "A", ["127.0.0.1"], ttl=60)
    names.set("b.test", "A", ["127.0.0.1"], ttl=60)
    names.set("c.test", "A", ["127.0.0.1"], ttl=60)
    services = [(10, 3, ports[0], "a.test"), (10, 1, ports[1], "b.test"), (20, 1, ports[2], "c.test")]
    names.set("_api._tcp.test", "SRV", services, ttl=1)
    _, web = serve(workspace, names, "discovery: {dns: _api._tcp.test, type: srv}")
    assert answered_by(web, 40) == {"a.test": 30, "b.test": 10}
    names.set("_api._tcp.test", "SRV", services[2:], ttl=1)
    until_answered_by(web, ["c.test"])
    names.set("_api._tcp.test", "SRV", [(1, 0, ports[0], "a.test"), (1, 0, ports[1], "b.test")], ttl=1)
    until(lambda: answered_by(web, 20) == {"a.test": 10, "b.test": 10}, "weights of 0 alone are equal")


def test_what_is_found_stands_beside_what_is_configured(workspace, names):
    _, port = origins(workspace, 2)
    names.set("api.test", "A", ["127.0.0.1", "127.0.0.2"], ttl=60)
    _, web = serve(workspace, names,
                   f"endpoints: [{{address: '127.0.0.1:{port}', weight: 3}}], discovery: {{dns: 'api.test:{port}'}}")
    assert answered_by(web, 40) == {"127.0.0.1": 30, "127.0.0.2": 10}


@pytest.mark.parametrize("failure", ["servfail", "silence", "nxdomain", "nodata"])
def test_endpoints_that_were_found_stay_while_nothing_is_found(workspace, names, failure):
    _, port = origins(workspace, 1)
    names.set("api.test", "A", ["127.0.0.1"], ttl=1)
    node, web = serve(workspace, names, f"discovery: {{dns: 'api.test:{port}'}}")
    if failure in ("nxdomain", "nodata"):
        names.remove("api.test")
        if failure == "nodata":
            names.set("api.test", "TXT", [], ttl=1)
    else:
        names.misbehave("api.test", failure)
    mark = names.mark()
    names.wait_for_question("api.test", "A", after=mark, count=3)
    assert metric(node, "weir_names_failing") == 1
    assert answered_by(web) == {"127.0.0.1": 8}


def test_an_upstream_that_finds_nothing_says_so_and_heals(workspace, names):
    _, port = origins(workspace, 1)
    _, web = serve(workspace, names, f"discovery: {{dns: 'api.test:{port}'}}")
    head = get(web)
    assert head.status == 502
    assert "error=dns_error" in head.get("proxy-status")
    names.set("api.test", "A", ["127.0.0.1"], ttl=60)
    until_answered_by(web, ["127.0.0.1"])


def test_a_long_answer_comes_over_tcp_whole_and_is_bounded(workspace, names):
    _, port = origins(workspace, 1)
    names.set("api.test", "A", ["127.0.0.1", *(f"127.1.{index // 250}.{index % 250}" for index in range(1200))], ttl=60)
    node, web = serve(workspace, names, f"discovery: {{dns: 'api.test:{port}'}}")
    until(lambda: "name.answer_too_long name=api.test wanted=addresses left_out=201" in node.program.stderr(),
          "the log says what was left out")
    assert names.asked("api.test", "A", "tcp") == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_refuses_is_no_failure_while_the_name_has_another(workspace, names, method):
    origin = workspace.keep(Origin(answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")))
    names.set("api.test", "A", ["127.0.0.1", "127.0.0.9"], ttl=60)
    node, web = serve(workspace, names, f"endpoints: [{{address: 'api.test:{origin.address[1]}'}}], "
                      "outliers: {consecutiveErrors: 1, maximumEjected: 100%}")
    with Peer.connect(web) as peer:
        assert [peer.exchange(request(method)).status for _ in range(12)] == [200] * 12
    assert len(origin.requests) == 12
    assert '"state": "healthy"' in node.get("/upstreams").body.decode()
    # It is passed over afterwards, and not asked with every other request.
    assert 1 <= metric(node, "weir_upstream_connect_failures_total") <= 3
    origin.stop()
    assert get(web, method=method).status == 502


@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.9"], ["127.0.0.9", "127.0.0.1"]])
def test_shared_connections_and_relays_take_another_address_too(workspace, names, addresses):
    listener, origin = workspace.keep(ReservedPort()), workspace.keep(http2.Origin(http2.echoing))
    plain = workspace.origin()
    names.set("api.test", "A", addresses, ttl=60)
    _, web = serve(workspace, names, f"protocol: h2c, endpoints: [{{address: 'api.test:{origin.address[1]}'}}]")
    workspace.node(f"""
listeners: [{{name: raw, address: {listener}, protocol: tcp, upstream: main}}]
upstreams: [{{name: main, endpoints: [{{address: 'api.test:{plain.address[1]}'}}]}}]""", "relay",
                   prefix=["env", f"WEIR_RESOLVER={names.address}"])
    assert [get(web).status for _ in range(4)] == [200] * 4
    for _ in range(4):
        assert get(listener.address).status == 200


def test_a_relay_goes_to_endpoints_that_were_found(workspace, names):
    _, port = origins(workspace, 1)
    names.set("api.test", "A", ["127.0.0.1"], ttl=60)
    listener = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: raw, address: {listener}, protocol: tcp, upstream: main}}]
upstreams: [{{name: main, discovery: {{dns: 'api.test:{port}'}}}}]""", prefix=["env", f"WEIR_RESOLVER={names.address}"])
    with Peer.connect(listener.address) as peer:
        assert peer.exchange(request()).json["origin"] == "127.0.0.1"


def test_responses_do_not_name_what_was_found(workspace, names):
    def telling(peer, origin):
        host, port = origin.address
        while (head := peer.read_head()) is not None:
            place = head.target.lstrip("/").replace("HOST", host).replace("PORT", str(port))
            peer.send(f"HTTP/1.1 302 Found\r\nLocation: http://{place}/next\r\nX-Served-By: {place}\r\n"
                      f"Link: <http://{place}/other>; rel=next\r\nContent-Length: 0\r\n\r\n".encode())

    origin = workspace.keep(Origin(telling))
    port = origin.address[1]
    names.set("backend.internal.test", "A", ["127.0.0.1"], ttl=60)
    names.set("_api._tcp.internal.test", "SRV", [(1, 1, port, "backend.internal.test"), (2, 1, 99, "spare.internal.test")],
              ttl=1)
    node, web = serve(workspace, names, "discovery: {dns: _api._tcp.internal.test, type: srv}")

    def check(places):
        for place in places:
            head = get(web, f"/{place}")
            assert head.status == 302
            assert head.get("location") == "http://example.test/next", place
            assert head.get("link") == "<http://example.test/other>; rel=next", place
            assert "x-served-by" not in head, place

    check(["HOST:PORT", "HOST", "backend.internal.test", "BACKEND.internal.test:PORT", "spare.internal.test:99"])
    # What is found later is hidden too.
    names.set("_api._tcp.internal.test", "SRV", [(1, 1, port, "backend.internal.test"), (2, 1, 99, "late.internal.test")], ttl=1)
    until(lambda: "added=late.internal.test:99" in node.program.stderr(), "another one is found")
    until(lambda: get(web, "/late.internal.test").get("location") == "http://example.test/next", "its name is hidden")
    check(["late.internal.test:99"])


# Versions and files


def test_a_new_version_keeps_what_was_found(workspace, names):
    made, port = origins(workspace, 1)
    names.set("api.test", "A", ["127.0.0.1"], ttl=1)
    fleet = Fleet(workspace)
    fleet.add("node-1", prefix=["env", f"WEIR_RESOLVER={names.address}"], workers=1)
    listener = workspace.keep(ReservedPort())

    def text(refresh):
        return f"""
listeners: [{{name: web, address: {listener}}}]
upstreams: [{{name: main, discovery: {{dns: 'api.test:{port}', refresh: {refresh}}}}}]
routes: [{{name: all, upstream: main}}]"""

    fleet.apply(text("ttl"), "--wait")
    assert get(listener.address).status == 200
    assert made[0].connections == 1
    names.misbehave("*", "silence")
    fleet.apply(text("2s"), "--wait")
    fleet.apply(text("3s") + "\nhiding: {server: keep}", "--wait")
    with Peer.connect(listener.address) as peer:
        assert peer.exchange(request()).status == 200
    assert made[0].connections == 1, "the connection at rest was kept"


def test_a_node_starts_with_what_names_led_to_while_no_server_answers(workspace, names):
    _, port = origins(workspace, 1)
    names.set("api.test", "A", ["127.0.0.1"], ttl=1)
    names.set("_api._tcp.test", "SRV", [(1, 1, port, "api.test")], ttl=1)
    fleet = Fleet(workspace)
    node = fleet.add("node-1", prefix=["env", f"WEIR_RESOLVER={names.address}"], workers=1)
    listeners = [workspace.keep(ReservedPort()) for _ in range(3)]
    upstreams = [f"endpoints: [{{address: 'api.test:{port}'}}]", f"discovery: {{dns: 'api.test:{port}'}}",
                 "discovery: {dns: _api._tcp.test, type: srv}"]
    text = "".join(["listeners:\n", *(f"  - {{name: l{i}, address: {each}}}\n" for i, each in enumerate(listeners)),
                    "upstreams:\n", *(f"  - {{name: u{i}, {each}}}\n" for i, each in enumerate(upstreams)),
                    "routes:\n", *(f"  - {{name: r{i}, listeners: [l{i}], upstream: u{i}}}\n" for i in range(3))])
    fleet.apply(text, "--wait")
    assert [get(each.address).status for each in listeners] == [200] * 3
    node.wait_stored(b"_api._tcp.test")
    stored = node.folder / "names"
    until(lambda: stored.exists() and b"services _api._tcp.test search api.test:" in stored.read_bytes(), "names are stored")
    names.misbehave("*", "silence")
    node.kill()
    fleet.control.kill()
    node.start()
    assert [get(each.address).status for each in listeners] == [200] * 3
    # A file that is damaged is none.
    node.kill()
    stored.write_bytes(b"addresses api.test search 127.0.0.1\n")
    node.start()
    assert [get(each.address).status for each in listeners] == [502] * 3


def test_a_node_that_is_undrained_while_a_version_waits_for_names_goes_on_with_that_version(workspace, names):
    fleet = Fleet(workspace)
    fleet.add("node-1", prefix=["env", f"WEIR_RESOLVER={names.address}"], workers=1)
    listener = workspace.keep(ReservedPort())

    def text(body, endpoint):
        return f"""
listeners: [{{name: web, address: {listener}}}]
upstreams: [{{name: main, endpoints: [{{address: '{endpoint}:80'}}]}}]
routes: [{{name: all, respond: {{status: 200, body: {body}}}}}]"""

    fleet.apply(text("old", "127.0.0.1"), "--wait")
    names.misbehave("*", "silence")
    mark = names.mark()
    fleet.apply(text("new", "api.test"))
    names.wait_for_question("api.test", "A", after=mark)
    fleet.ctl("node", "drain", "node-1")
    fleet.ctl("node", "undrain", "node-1")
    fleet.wait_steady(2)
    until(lambda: is_listening(listener.address), "the listener is open again")
    assert get(listener.address).body == b"new"


@pytest.mark.parametrize("upstream, message", [
    ("discovery: {dns: api.test}", "has no port"),
    ("discovery: {dns: 'api.test:0'}", "the port is not a number from 1 to 65535"),
    ("discovery: {dns: 'api.test:70000'}", "the port is not a number from 1 to 65535"),
    ("discovery: {dns: '127.0.0.1:80'}", "an address stands under endpoints"),
    ("discovery: {dns: 'a b:80'}", "is not a host name"),
    ("discovery: {dns: 'http://api.test:80'}", "is not"),
    ("discovery: {type: srv}", "dns is missing"),
    ("discovery: {dns: 'api.test:80', type: mx}", "type"),
    ("discovery: {dns: 'api.test:80', refresh: 10ms}", "refresh"),
    ("discovery: {dns: 'api.test:80', refresh: sometimes}", "refresh"),
    ("protocol: http1", "endpoints is missing"),
    ("endpoints: []", "endpoints"),
    ("discovery: {dns: _api._tcp.test, type: srv}, tls: {}", "tls.serverName is missing"),
])
def test_what_cannot_be_found_is_refused_with_its_place(workspace, upstream, message):
    source = workspace.configuration(f"upstreams:\n  - {{name: main, {upstream}}}\n")
    result = run_proxyctl("validate", source, code=1)
    assert message in result.err + result.out
    assert re.search(r"fleet-\d+\.yaml:2:\d+", result.err + result.out)


def test_explain_says_where_endpoints_come_from(workspace):
    source = workspace.configuration("""
listeners: [{name: web, address: 127.0.0.1:8080}]
upstreams:
  - {name: main, discovery: {dns: _api._tcp.test, type: srv}}
  - {name: both, endpoints: [{address: 127.0.0.1:9001}], discovery: {dns: 'api.test:80'}}
routes:
  - {name: all, upstream: main}
  - {name: other, match: {path: {prefix: /both}}, upstream: both}""")
    found = run_proxyctl("explain", "GET", "http://a.test/", "-f", source, "-o", "json").json
    assert found["upstream"] == "main" and found.get("endpoint") is None
    assert "endpoints are the services of _api._tcp.test, which each node looks up" in found["why"]
    both = run_proxyctl("explain", "GET", "http://a.test/both", "-f", source, "-o", "json").json
    assert both["endpoints"] == ["127.0.0.1:9001"] and both.get("endpoint") is None
    assert "further endpoints are the addresses of api.test" in both["why"]


def test_a_name_server_that_is_no_address_is_an_error_of_the_start(workspace):
    source = workspace.configuration("upstreams: []")
    snapshot = source.with_suffix(".snapshot")
    run_proxyctl("compile", source, "--out", snapshot)
    program = workspace.start("node", BIN / "proxy-node", "run", "--snapshot", snapshot, "--admin", "127.0.0.1:0",
                              prefix=["env", "WEIR_RESOLVER=nowhere"])
    assert program.process.wait(30) == 1
    assert "WEIR_RESOLVER: 'nowhere' is no address of a name server" in program.stderr()
