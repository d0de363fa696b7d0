"""A fleet of two nodes from join to rollback, through proxyctl."""

import json

import pytest

from weir import Fleet, Load, Peer, ReservedPort, get, is_listening, request, until


@pytest.fixture
def fleet(workspace):
    """A control plane with two nodes that joined."""
    fleet = Fleet(workspace)
    fleet.add("n1", "--label", "zone=a")
    fleet.add("n2", "--label", "zone=b")
    return fleet


def configuration(port, origin, body="one", more=""):
    return f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes:
  - {{name: hello, match: {{path: {{exact: /hello}}}}, respond: {{status: 200, body: {body}}}}}
  - {{name: rest, upstream: main}}
{more}"""


def test_from_the_first_apply_to_the_rollback(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, origin), "-m", "the first", "--wait")
    fleet.wait_steady(1)
    for _ in range(20):
        assert get(port.address, "/hello").body == b"one"
        assert get(port.address, "/else").status == 200

    # The same again is no version.
    again = fleet.apply(configuration(port, origin), "--wait", "-o", "json")
    assert again.json["version"] == 1 and again.json["changed"] is False

    # diff says what would change, by field, and exits 3.
    second = workspace.configuration(configuration(port, origin, "two"))
    result = fleet.ctl("diff", second, code=3)
    assert "hello" in result.out and "respond.body" in result.out and "one" in result.out and "two" in result.out
    fleet.ctl("apply", second, "--dry-run")
    assert [version["version"] for version in fleet.ctl("versions", "-o", "json").json] == [1]

    fleet.ctl("apply", second, "-m", "the second", "--wait")
    fleet.ctl("diff", second)
    for _ in range(20):
        assert get(port.address, "/hello").body == b"two"
    versions = fleet.ctl("versions", "-o", "json").json
    assert [version["version"] for version in versions] == [2, 1]
    assert [version["message"] for version in versions] == ["the second", "the first"]
    assert set(versions[0]) == {"version", "digest", "author", "time", "message", "parent"}
    assert versions[0]["parent"] == 1 and versions[0]["digest"] != versions[1]["digest"]
    assert "the second" in fleet.ctl("show", "2").out

    # A rollback is a new version with the old content.
    fleet.ctl("rollback", "--wait")
    versions = fleet.ctl("versions", "-o", "json").json
    assert versions[0]["version"] == 3 and versions[0]["digest"] == versions[2]["digest"]
    for _ in range(20):
        assert get(port.address, "/hello").body == b"one"
    fleet.ctl("rollback", "2", "--wait")
    assert get(port.address, "/hello").body == b"two"

    nodes = fleet.ctl("nodes", "-o", "json").json
    for node in nodes:
        assert {"name", "state", "version", "digest", "desired", "error", "labels", "build", "seenAt"} <= set(node)
        assert (node["state"], node["version"]) == ("steady", 4)
    assert [node["labels"] for node in nodes] == [{"zone": "a"}, {"zone": "b"}]
    actions = [record["action"] for record in fleet.ctl("audit", "-o", "json").json]
    assert len(actions) >= 5
    status = fleet.ctl("status")
    assert "n1" in status.out or "2" in status.out
    assert len(status.out.splitlines()) <= 24
    assert isinstance(fleet.ctl("status", "-o", "json").json, dict)


def test_export_then_apply_changes_nothing(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, origin, more="hiding: {via: edge}\n"), "--wait")
    before = fleet.ctl("versions", "-o", "json").json[0]["digest"]
    for arguments in ([], ["-o", "json"], ["-o", "yaml"]):
        exported = fleet.ctl("export", *arguments).out
        result = fleet.ctl("apply", "-", "-o", "json", text_input=exported).json
        assert result["changed"] is False and result["version"] == 1
    fleet.apply(configuration(port, origin, "two"), "--wait")
    exported = fleet.ctl("export", "1").out
    assert fleet.ctl("apply", "-", "-o", "json", text_input=exported).json["version"] == 3
    assert fleet.ctl("versions", "-o", "json").json[0]["digest"] == before


def test_two_writers_at_once_cannot_overwrite_each_other(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, origin))
    fleet.apply(configuration(port, origin, "two"), "--expect", "1")
    result = fleet.apply(configuration(port, origin, "three"), "--expect", "1", code=4)
    assert "2" in result.err
    assert [version["version"] for version in fleet.ctl("versions", "-o", "json").json] == [2, 1]


def test_a_wrong_configuration_makes_no_version(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, origin), "--wait")
    result = fleet.apply(configuration(port, origin).replace("upstream: main", "upstream: mian"), code=1)
    assert "main" in result.err and ".yaml:" in result.err
    assert len(fleet.ctl("versions", "-o", "json").json) == 1


def test_explain_against_the_head_and_a_file_agree(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    text = configuration(port, origin)
    fleet.apply(text)
    url = f"http://{port}/hello"
    head = fleet.ctl("explain", "GET", url, "-o", "json").json
    assert head == fleet.ctl("explain", "GET", url, "-f", workspace.configuration(text), "-o", "json").json
    assert head["route"] == "hello"


def test_listeners_come_and_go_while_the_fleet_serves(workspace, fleet):
    port, other, origin = workspace.keep(ReservedPort()), workspace.keep(ReservedPort()), workspace.origin()
    one = configuration(port, origin)
    both = one.replace("listeners: [", f"listeners: [{{name: extra, address: {other}}}, ")
    fleet.apply(one, "--wait")
    assert not is_listening(other.address)
    fleet.apply(both, "--wait")
    assert get(other.address, "/hello").status == 200
    fleet.apply(one, "--wait")
    until(lambda: not is_listening(other.address), "the listener is gone")
    assert get(port.address, "/hello").status == 200


def test_connections_of_a_removed_listener_are_served_what_it_served(workspace, fleet):
    port, other, origin = workspace.keep(ReservedPort()), workspace.keep(ReservedPort()), workspace.origin()
    after = f"""
listeners: [{{name: web, address: {port}}}]
routes: [{{name: last, match: {{path: {{exact: /three}}}}, respond: {{status: 200, body: other}}}}]
"""
    before = f"""
listeners: [{{name: web, address: {port}}}, {{name: extra, address: {other}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes:
  - {{name: one, match: {{path: {{exact: /one}}}}, respond: {{status: 200, body: one}}}}
  - {{name: two, match: {{path: {{exact: /two}}}}, respond: {{status: 200, body: two}}}}
  - {{name: three, match: {{path: {{exact: /three}}}}, respond: {{status: 200, body: three}}}}
  - {{name: rest, upstream: main}}
"""
    fleet.apply(before, "--wait")
    for path, body in (("/three", b"three"), ("/one", b"one"), ("/else", None)):
        with Peer.connect(other.address) as peer:
            assert peer.exchange(request(target="/two")).body == b"two"
            fleet.apply(after, "--wait")
            head = peer.exchange(request(target=path))
            assert head.status == 200 and head.body == (body or head.body)
            assert head.get("connection") == "close"
        fleet.apply(before, "--wait")
    assert all(node.program.is_running for node in fleet.nodes.values())


def test_a_new_version_loses_no_record_of_the_access_log(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    first, second = configuration(port, origin), configuration(port, origin, "two")
    count = 0
    for index in range(6):
        fleet.apply([first, second][index % 2], "--wait")
        for _ in range(5):
            assert get(port.address, f"/{count}").status == 200
            count += 1

    def seen():
        lines = "".join(node.program.stdout() for node in fleet.nodes.values()).splitlines()
        paths = {json.loads(line)["path"] for line in lines if line.endswith("}")}
        return len(paths) == count

    until(seen, f"{count} requests are in the access logs")


def test_alternating_versions_lose_no_request(workspace, fleet):
    port, other, origin = workspace.keep(ReservedPort()), workspace.keep(ReservedPort()), workspace.origin()
    one = workspace.configuration(configuration(port, origin))
    two = workspace.configuration(configuration(port, origin, "two").replace(
        "listeners: [", f"listeners: [{{name: extra, address: {other}}}, "))
    fleet.ctl("apply", one, "--wait")
    with Load(port.address, connections=16, path="/x") as load:
        for index in range(20):
            if index % 5 == 4:
                fleet.ctl("rollback", "--wait")
            else:
                fleet.ctl("apply", [two, one][index % 2], "--wait")
            load.more(20)
        assert not load.failures, load.failures[:5]
    assert not load.failures, load.failures[:5]


def test_a_drained_node_loses_no_request_and_returns(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, origin), "--wait")
    with Load(port.address, connections=16, path="/x") as load:
        fleet.ctl("node", "drain", "n1")
        fleet.wait_state("n1", "draining")
        until(lambda: fleet.nodes["n1"].get("/readyz").status == 503, "a draining node is not ready")
        load.more(100)
        assert fleet.nodes["n1"].program.is_running
        # A draining node is listed and not waited for.
        result = fleet.apply(configuration(port, origin, "two"), "--wait")
        assert "n1" in result.err + result.out
        fleet.ctl("node", "undrain", "n1")
        fleet.wait_steady(2)
        until(lambda: fleet.nodes["n1"].get("/readyz").status == 200, "the node is ready again")
        load.more(100)
    assert not load.failures, load.failures[:5]


def test_a_drain_survives_restarts_of_both_sides(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, origin), "--wait")
    fleet.ctl("node", "drain", "n1")
    fleet.wait_state("n1", "draining")
    fleet.nodes["n1"].kill()
    fleet.nodes["n1"].start()
    fleet.wait_state("n1", "draining")
    fleet.control.kill()
    fleet.start_control()
    fleet.wait_state("n1", "draining")
    fleet.ctl("node", "undrain", "n1")
    fleet.wait_state("n1", "steady")


def test_apply_without_nodes_says_so_and_does_not_wait(workspace):
    fleet = Fleet(workspace)
    with ReservedPort() as port:
        result = fleet.apply(f"listeners: [{{name: web, address: {port}}}]\nroutes: [{{name: a, respond: {{status: 204}}}}]\n",
                             "--wait", "--timeout", "90s", seconds=60)
        assert "no node" in (result.err + result.out).lower()
        # A node that joins later gets the version that is there.
        fleet.add("late")
        fleet.wait_steady(1)
        assert get(port.address).status == 204


def test_a_node_that_went_away_is_listed_and_not_waited_for(workspace, fleet):
    port, origin = workspace.keep(ReservedPort()), workspace.origin()
    fleet.apply(configuration(port, origin), "--wait")
    fleet.nodes["n2"].kill()
    fleet.wait_state("n2", "unreachable")
    result = fleet.apply(configuration(port, origin, "two"), "--wait")
    assert "n2" in result.err + result.out
    fleet.nodes["n2"].start()
    fleet.wait_steady(2)


def test_nodes_and_tokens_are_shown_and_removed(workspace, fleet):
    assert fleet.ctl("node", "show", "n1", "-o", "json").json["name"] == "n1"
    assert "n1" in fleet.ctl("node", "show", "n1").out
    token = fleet.ctl("token", "create", "--ttl", "5m", "--label", "zone=a")
    assert token.out.count("\n") == 1 and token.out.startswith("weir1.")
    tokens = fleet.ctl("token", "list", "-o", "json").json
    assert token.out.strip() not in str(tokens)
    identifier = tokens[0]["id"] if len(tokens) == 1 else next(t["id"] for t in tokens if t.get("labels") == {"zone": "a"})
    fleet.ctl("token", "revoke", identifier)
    fleet.nodes["n2"].stop()
    fleet.wait_state("n2", "unreachable")
    fleet.ctl("node", "remove", "n2")
    assert fleet.node_json("n2") is None
