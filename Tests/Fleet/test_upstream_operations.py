"""Endpoints taken out of use and put back by operators, and upstreams as the whole fleet sees them."""

import json
import signal
import threading

import h2.events
import pytest

import http2
from handover import upgrade
from nameserver import NameServer
from weir import Fleet, Load, NetworkNamespace, Origin, Peer, ReservedPort, answer_with_request, answering, get, request, until


@pytest.fixture
def fleet(workspace):
    """A control plane with two nodes that joined."""
    fleet = Fleet(workspace)
    fleet.add("n1")
    fleet.add("n2")
    return fleet


def configuration(port, *endpoints, more=""):
    listed = ", ".join(f"{{address: {endpoint}}}" if isinstance(endpoint, Origin) else endpoint for endpoint in endpoints)
    return f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{listed}]{more}}}]
routes: [{{name: all, upstream: main}}]
"""


def upstream(fleet, name="main"):
    return fleet.ctl("upstreams", name, "-o", "json").json[0]


def endpoint(fleet, origin):
    return next(found for found in upstream(fleet)["endpoints"] if found["address"] == str(origin))


def wait_state(fleet, origin, state):
    """Waits until all nodes see the endpoint so, and returns what is said of it."""
    seen = []

    def check():
        seen[:] = [endpoint(fleet, origin)]
        nodes = seen[0]["nodes"]
        return seen[0] if nodes and all(node["state"] == state for node in nodes) else None

    return until(check, lambda: f"{origin} is {state}; it is {seen[0]}")


def actions(fleet):
    return [row["action"] for row in fleet.ctl("audit", "-o", "json").json if row["action"].startswith("upstream.")]


def test_a_drained_connection_of_http2_closes_with_its_last_stream(workspace, fleet):
    port, gate = workspace.keep(ReservedPort()), threading.Event()

    def script(_, connection, event):
        if isinstance(event, h2.events.StreamEnded):
            gate.wait(20)
            connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)

    origin = workspace.keep(http2.Origin(script))
    fleet.apply(configuration(port, f"{{address: {origin}}}",
                              more=", protocol: h2c, connections: {maximum: 1}, queue: {timeout: 5s}"), "--wait")
    statuses = []
    client = threading.Thread(target=lambda: statuses.append(get(port.address).status))
    client.start()
    until(lambda: origin.requests, "it is asked")
    fleet.ctl("upstream", "drain", "main", str(origin), "--wait")
    gate.set()
    client.join()
    fleet.ctl("upstream", "drain", "main", str(origin), "--wait", "--idle", "--timeout", "10s")
    until(lambda: not origin.open, "the connection is closed")
    fleet.ctl("upstream", "undrain", "main", str(origin), "--wait")
    assert statuses == [200] and get(port.address).status == 200


def test_a_drain_under_load_fails_nothing_and_leaves_nothing(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    with Load(port.address) as load:
        until(lambda: a.requests and b.requests, "both endpoints were asked")
        fleet.ctl("upstream", "drain", "main", str(a), "--wait", "--idle", "-m", "deploy")
        # Nothing is under way there, what rested is closed, and nothing comes.
        until(lambda: not a.open, "all connections to the endpoint are closed")
        count = len(a.requests)
        load.more(400)
        assert len(a.requests) == count
        assert not load.failures, load.failures[:3]
        seen = wait_state(fleet, a, "drained")
        assert seen["adjustments"][0]["action"] == "drain" and seen["adjustments"][0]["until"] is None
        assert seen["since"] and seen["reason"] and seen["disagreement"] is None
        fleet.ctl("upstream", "undrain", "main", str(a), "--wait")
        until(lambda: len(a.requests) > count, "the endpoint is asked again")
        load.more()
        assert not load.failures, load.failures[:3]
    wait_state(fleet, a, "healthy")
    assert endpoint(fleet, a)["adjustments"] == []
    rows = fleet.ctl("audit", "-o", "json").json
    row = next(row for row in rows if row["action"] == "upstream.drain")
    assert row["target"] == f"main {a}" and row["detail"] == "deploy"
    # The version is what it was.
    assert [version["version"] for version in fleet.ctl("versions", "-o", "json").json] == [1]


def test_a_rolling_restart_of_all_endpoints_fails_nothing(workspace, fleet):
    port, origins = workspace.keep(ReservedPort()), [workspace.origin() for _ in range(3)]
    fleet.apply(configuration(port, *origins), "--wait")
    with Load(port.address) as load:
        for index, origin in enumerate(origins):
            fleet.ctl("upstream", "drain", "main", str(origin), "--idle")
            origin.stop()
            load.more(100)
            origins[index] = workspace.keep(Origin(answer_with_request, port=origin.address[1]))
            fleet.ctl("upstream", "undrain", "main", str(origin), "--wait")
            until(lambda again=origins[index]: again.requests, "the endpoint is asked again")
        load.more(100)
        assert not load.failures, load.failures[:3]


def test_what_is_under_way_at_a_drained_endpoint_ends(workspace, fleet):
    port = workspace.keep(ReservedPort())
    held = []

    def hold(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            held.append(peer)

    a, b = workspace.origin(hold), workspace.origin()
    fleet.apply(configuration(port, a, b), "--wait")
    client = workspace.keep(Peer.connect(port.address))
    # One of two requests in turn is held.
    client.send(request("GET", "/"))
    if not until(lambda: a.requests or b.requests, "a request arrived") or not a.requests:
        client.read_response()
        client.send(request("GET", "/"))
    until(lambda: held, "the endpoint has the request")
    result = fleet.ctl("upstream", "drain", "main", str(a), "--idle", "--timeout", "2s", code=6)
    assert "under way" in result.err
    wait_state(fleet, a, "drained")
    until(lambda: endpoint(fleet, a)["connections"] == 1, "the connection that carries the request is seen")
    held[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
    assert client.read_response().body == b"late"
    fleet.ctl("upstream", "drain", "main", str(a), "--idle")
    assert endpoint(fleet, a)["connections"] == 0


def test_nodes_keep_to_it_over_a_restart_without_the_control_plane(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    for node in fleet.nodes.values():
        node.wait_stored(str(a).encode())
    fleet.ctl("upstream", "disable", "main", str(a), "--wait")
    fleet.control.kill()
    for node in fleet.nodes.values():
        node.stop()
        node.start()
    count = len(a.requests)
    for _ in range(20):
        assert get(port.address).status == 200
    assert len(a.requests) == count
    local = json.loads(fleet.nodes["n1"].get("/upstreams").body)["upstreams"][0]["endpoints"]
    assert {found["address"]: found["state"] for found in local} == {str(a): "disabled", str(b): "healthy"}
    # The control plane remembers it, too.
    fleet.start_control()
    wait_state(fleet, a, "disabled")
    fleet.ctl("upstream", "undrain", "main", str(a), "--wait")
    wait_state(fleet, a, "healthy")


def test_it_ends_by_itself(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    fleet.ctl("upstream", "drain", "main", str(a), "--for", "2s", "--wait")
    assert endpoint(fleet, a)["adjustments"][0]["until"]
    wait_state(fleet, a, "drained")
    until(lambda: endpoint(fleet, a)["adjustments"] == [], "the adjustment is over")
    wait_state(fleet, a, "healthy")
    assert actions(fleet) == ["upstream.adjustment_end", "upstream.drain"]
    # Nodes end it without the control plane.
    fleet.ctl("upstream", "drain", "main", str(a), "--for", "3s", "--wait")
    fleet.control.kill()
    count = len(a.requests)
    until(lambda: get(port.address).status == 200 and len(a.requests) > count, "the endpoint is asked again")
    fleet.start_control()
    until(lambda: endpoint(fleet, a)["adjustments"] == [], "the adjustment is over")


def test_a_version_that_changes_the_endpoint_ends_it(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    fleet.ctl("upstream", "drain", "main", str(a), "--wait")
    # A version that leaves the endpoint as it is leaves it drained, and so does one that says what holds anyway.
    fleet.apply(configuration(port, a, b, more=", timeouts: {firstByte: 9s}"), "--wait")
    fleet.apply(configuration(port, f"{{address: {a}, weight: 1, tier: 0}}", b), "--wait")
    wait_state(fleet, a, "drained")
    count = len(a.requests)
    for _ in range(10):
        get(port.address)
    assert len(a.requests) == count
    # One that changes it ends that.
    fleet.apply(configuration(port, f"{{address: {a}, weight: 3}}", b, more=", timeouts: {firstByte: 9s}"), "--wait")
    wait_state(fleet, a, "healthy")
    assert endpoint(fleet, a)["adjustments"] == [] and endpoint(fleet, a)["weight"] == 3
    until(lambda: get(port.address).status == 200 and len(a.requests) > count, "the endpoint is asked again")
    assert actions(fleet)[0] == "upstream.adjustment_end"
    # What was drained while the version before was served is not drained by a rollback.
    fleet.ctl("rollback", "--wait")
    wait_state(fleet, a, "healthy")


def test_an_endpoint_that_a_version_removes_gets_nothing_meanwhile(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    with Load(port.address) as load:
        fleet.ctl("upstream", "drain", "main", str(a), "--idle")
        a.stop()
        fleet.apply(configuration(port, b), "--wait")
        load.more()
        assert not load.failures, load.failures[:3]
    assert [found["address"] for found in upstream(fleet)["endpoints"]] == [str(b)]


def test_weights_count_and_all_that_is_wanted_can_be_reset(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    fleet.ctl("upstream", "weight", "main", str(a), "0", "--wait")
    count = len(a.requests)
    for _ in range(10):
        assert get(port.address).status == 200
    assert len(a.requests) == count
    until(lambda: endpoint(fleet, a)["weight"] == 0, "the weight is reported")
    assert endpoint(fleet, a)["configuredWeight"] == 1
    result = fleet.ctl("upstream", "disable", "main", str(b), "--wait", "-o", "json")
    assert "503" in result.err and "503" in result.json["warnings"][0]
    until(lambda: get(port.address).status == 503, "no endpoint is left")
    assert {found["action"] for found in result.json["adjustments"]} == {"weight", "disable"}
    for origin in (a, b):
        fleet.ctl("upstream", "reset", "main", str(origin), "--wait")
    for _ in range(10):
        assert get(port.address).status == 200
    assert len(a.requests) > count and endpoint(fleet, b)["adjustments"] == []


def test_who_does_not_keep_to_it_is_named(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    wait_state(fleet, a, "healthy")
    fleet.nodes["n2"].program.signal(signal.SIGSTOP)
    try:
        result = fleet.ctl("upstream", "drain", "main", str(a), "--wait", "--timeout", "1s", code=6)
        assert "n2" in result.err
        until(lambda: endpoint(fleet, a)["disagreement"], "the nodes differ")
        seen = endpoint(fleet, a)
        assert {node["node"]: node["state"] for node in seen["nodes"]} == {"n1": "drained", "n2": "healthy"}
        assert "only" in seen["disagreement"]
        table = fleet.ctl("upstreams").out
        assert "(!)" in table and "on n" in table
        metrics = get_metrics(fleet)
        assert "weir_control_disputed_endpoints 1\n" in metrics and "weir_control_adjustments 1\n" in metrics
    finally:
        fleet.nodes["n2"].program.signal(signal.SIGCONT)
    assert wait_state(fleet, a, "drained")["disagreement"] is None
    # A node that has gone is stale, and contradicts nobody.
    fleet.nodes["n2"].kill()
    until(lambda: [node["stale"] for node in endpoint(fleet, a)["nodes"]] == [False, True], "n2 is stale")
    assert "warning: node n2 is unreachable" in fleet.ctl("upstream", "undrain", "main", str(a), "--wait").err
    assert endpoint(fleet, a)["disagreement"] is None


def get_metrics(fleet):
    """The control plane's own metrics."""
    import ssl  # pylint: disable=import-outside-toplevel
    context = ssl.create_default_context(cafile=fleet.folder / "ca.pem")
    with Peer.connect(fleet.admin_address, tls=context, name="localhost") as peer:
        return peer.exchange(request("GET", "/metrics", "localhost", ["Connection: close"])).body.decode()


def test_endpoints_that_are_discovered_are_shown_and_drained(workspace):
    names = workspace.keep(NameServer())
    fleet = Fleet(workspace)
    fleet.add("n1", prefix=["env", f"WEIR_RESOLVER={names.address}"])
    a = workspace.origin()
    b = workspace.keep(Origin(answer_with_request, host="127.0.0.2", port=a.address[1]))
    names.set("main.test", "A", ["127.0.0.1", "127.0.0.2"], ttl=1)
    port = workspace.keep(ReservedPort())
    text = configuration(port, more=f", discovery: {{dns: 'main.test:{a.address[1]}', type: a}}")
    fleet.apply(text.replace("endpoints: [], ", ""), "--wait")
    until(lambda: len(upstream(fleet)["endpoints"]) == 2, "both endpoints are reported")
    assert all(found["discovered"] and found["state"] == "healthy" for found in upstream(fleet)["endpoints"])
    fleet.ctl("upstream", "drain", "main", str(b), "--idle")
    count = len(b.requests)
    for _ in range(10):
        assert get(port.address).status == 200
    assert len(b.requests) == count and "(dns)" in fleet.ctl("upstreams").out
    # It goes, and it is drained still when it comes back.
    names.set("main.test", "A", ["127.0.0.1"], ttl=1)
    until(lambda: endpoint(fleet, b)["state"] == "unknown", "the endpoint has gone")
    assert [found["action"] for found in endpoint(fleet, b)["adjustments"]] == ["drain"], "what is in force is listed"
    names.set("main.test", "A", ["127.0.0.1", "127.0.0.2"], ttl=1)
    wait_state(fleet, b, "drained")
    # An endpoint that nobody has found is none.
    fleet.ctl("upstream", "drain", "main", f"127.0.0.3:{a.address[1]}", code=1)


def test_what_holds_for_a_whole_upstream_is_told(workspace, fleet):
    port, a = workspace.keep(ReservedPort()), workspace.origin(answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
    circuit = ", circuit: {errors: 50%, minimumRequests: 2, window: 10s, openFor: 300s, respond: {status: 503}}"
    fleet.apply(configuration(port, a, more=circuit), "--wait")
    with Peer.connect(port.address) as client:
        until(lambda: client.exchange(request()).status == 503, "the circuit is open")
    note = until(lambda: upstream(fleet)["notes"], "the circuit is told")[0]
    assert note["node"] in ("n1", "n2") and "circuit is open" in note["note"]
    assert "circuit is open" in fleet.ctl("upstreams").out


def test_clients_that_stick_to_a_drained_endpoint_move(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b, more=", sticky: {cookie: route, ttl: 1h}"), "--wait")
    with Peer.connect(port.address) as client:
        cookie = client.exchange(request("GET", "/")).get("set-cookie").split(";")[0]
        for _ in range(6):
            client.exchange(request("GET", "/", fields=[f"Cookie: {cookie}"]))
        chosen, other = (a, b) if a.requests else (b, a)
        assert not other.requests
        fleet.ctl("upstream", "drain", "main", str(chosen), "--idle")
        count = len(chosen.requests)
        moved = client.exchange(request("GET", "/", fields=[f"Cookie: {cookie}"])).get("set-cookie").split(";")[0]
        assert moved != cookie and len(chosen.requests) == count and other.requests


def test_a_process_that_takes_over_keeps_to_it(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b), "--wait")
    for node in fleet.nodes.values():
        node.wait_stored(str(a).encode())
    fleet.ctl("upstream", "disable", "main", str(a), "--wait")
    count = len(a.requests)
    with Load(port.address) as load:
        upgrade(workspace, fleet.nodes["n1"])
        load.more()
        assert not load.failures, load.failures[:3]
    assert len(a.requests) == count
    wait_state(fleet, a, "disabled")


def test_a_name_without_endpoints_says_why(workspace):
    names = workspace.keep(NameServer())
    fleet, port = Fleet(workspace), workspace.keep(ReservedPort())
    fleet.add("n1", prefix=["env", f"WEIR_RESOLVER={names.address}"])
    names.misbehave("pool.test", "servfail")
    fleet.apply(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, discovery: {{dns: "pool.test:80"}}}}]
routes: [{{name: all, upstream: main}}]
""", "--wait")
    note = until(lambda: upstream(fleet)["notes"], "the name is told of")[0]
    assert note["node"] == "n1" and "pool.test does not resolve" in note["note"] and "SERVFAIL" in note["note"]
    shown = fleet.ctl("upstreams").out
    assert "upstream main: no endpoint" in shown and "upstream main on n1: pool.test does not resolve" in shown


def test_what_is_not_there_is_told_with_what_is(workspace, fleet):
    port, a = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, a), "--wait")
    result = fleet.ctl("upstream", "drain", "mian", str(a), code=1)
    assert "mian" in result.err and "did you mean main?" in result.err
    result = fleet.ctl("upstream", "drain", "main", "127.0.0.9:1", code=1)
    assert "127.0.0.9:1" in result.err and str(a) in result.err
    result = fleet.ctl("upstream", "reset", "main", "nonsense", code=1)
    assert "address" in result.err
    assert "did you mean main?" in fleet.ctl("upstreams", "mian", code=1).err
    fleet.ctl("upstream", "weight", "main", str(a), "10001", code=2)
    fleet.ctl("upstream", "weight", "main", str(a), "-1", code=2)
    fleet.ctl("upstream", "drain", "main", str(a), "--for", "0s", code=2)
    assert "at most 366d" in fleet.ctl("upstream", "drain", "main", str(a), "--for", "367d", code=2).err
    fleet.ctl("upstream", "drain", "main", code=2)
    assert fleet.ctl("upstreams").out.count(str(a)) == 1
    assert "upstream" in fleet.ctl("completion", "bash").out


def test_a_node_that_cannot_reach_what_others_can_is_named(workspace):
    fleet = Fleet(workspace)
    fleet.add("n1")
    # In a network of its own there is no such endpoint.
    namespace = workspace.keep(NetworkNamespace())
    fleet.add("n2", prefix=namespace.prefix, control=namespace.relay(fleet.fleet_address))
    port, a = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, a, more=", health: {tcp: {}, interval: 100ms, timeout: 1s}"), "--wait")
    until(lambda: endpoint(fleet, a)["disagreement"] == "unhealthy on n2 only", "the nodes differ")
    seen = {node["node"]: node for node in endpoint(fleet, a)["nodes"]}
    assert (seen["n1"]["state"], seen["n2"]["state"]) == ("healthy", "unhealthy")
    assert "refused" in seen["n2"]["reason"].lower() and seen["n2"]["checkedAt"] and seen["n2"]["since"]
    table = fleet.ctl("upstreams").out
    assert f"main {a} on n2: unhealthy" in table and "(!)" in table
    assert "weir_control_disputed_endpoints 1\n" in get_metrics(fleet)


def test_a_reset_forgets_an_ejection(workspace, fleet):
    port, broken = workspace.keep(ReservedPort()), threading.Event()
    broken.set()

    def answer(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            status = b"500 Internal Server Error" if broken.is_set() else b"200 OK"
            peer.send(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)

    a, b = workspace.origin(answer), workspace.origin()
    fleet.apply(configuration(port, a, b, more=", outliers: {consecutiveErrors: 3, ejectFor: 300s}"), "--wait")

    def is_ejected():
        for _ in range(8):
            get(port.address)
        return all(node["state"] == "ejected" for node in endpoint(fleet, a)["nodes"])

    until(is_ejected, "every node has ejected the endpoint")
    assert endpoint(fleet, a)["reason"]
    broken.clear()
    count = len(a.requests)
    fleet.ctl("upstream", "reset", "main", str(a), "--wait")
    wait_state(fleet, a, "healthy")
    until(lambda: get(port.address).status == 200 and len(a.requests) > count, "the endpoint is asked again")


def test_a_disabled_endpoint_is_not_checked(workspace, fleet):
    port, (a, b) = workspace.keep(ReservedPort()), (workspace.origin(), workspace.origin())
    fleet.apply(configuration(port, a, b, more=", health: {http: {path: /well}, interval: 50ms, timeout: 1s}"), "--wait")
    until(lambda: len(a.requests) > 4, "the endpoint is checked")
    fleet.ctl("upstream", "drain", "main", str(a), "--wait")
    count = len(a.requests)
    until(lambda: len(a.requests) > count + 4, "a drained endpoint is checked")
    fleet.ctl("upstream", "disable", "main", str(a), "--wait")
    until(lambda: not a.open, "the last check has ended")
    count, others = len(a.requests), len(b.requests)
    until(lambda: len(b.requests) > others + 8, "the other one is checked")
    assert len(a.requests) == count
    fleet.ctl("upstream", "undrain", "main", str(a), "--wait")
    until(lambda: len(a.requests) > count, "the endpoint is checked again")
