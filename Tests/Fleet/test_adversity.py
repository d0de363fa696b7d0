"""What the fleet does when things break: crashes, taken ports, bad tokens, damaged files."""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import ssl
import subprocess
import threading
import time

import pytest

from weir import BIN, Fleet, Load, NetworkNamespace, ReservedPort, get, run_proxyctl, until


def respond(port, body):
    return f"listeners: [{{name: web, address: {port}}}]\nroutes: [{{name: all, respond: {{status: 200, body: {body}}}}}]\n"


@pytest.fixture
def fleet(workspace):
    return Fleet(workspace)


def test_traffic_does_not_notice_that_the_control_plane_is_killed(workspace, fleet):
    port = workspace.keep(ReservedPort())
    fleet.add("n1")
    fleet.add("n2")
    fleet.apply(respond(port, "one"), "--wait")
    fleet.nodes["n1"].wait_stored(b"one")
    with Load(port.address, connections=8) as load:
        fleet.control.kill()
        load.more(200)
        # A node restarted meanwhile serves its last-good version after a second of work.
        fleet.nodes["n1"].stop()
        fleet.nodes["n1"].start()
        until(lambda: fleet.nodes["n1"].get("/readyz").status == 200, "the node serves")
        assert fleet.nodes["n1"].program.processor_seconds() < 1.0
        load.more(200)
        fleet.start_control()
        fleet.wait_steady(1)
        load.more(100)
    assert not load.failures, load.failures[:5]
    # And the fleet works on.
    fleet.apply(respond(port, "two"), "--wait")
    assert get(port.address).body == b"two"


def test_acknowledged_versions_survive_kill_9(workspace, fleet):
    port = workspace.keep(ReservedPort())
    acknowledged = 0
    for round_number in range(5):
        for step in range(3):
            result = fleet.apply(respond(port, f"r{round_number}s{step}"), "-o", "json")
            acknowledged = result.json["version"]
        fleet.control.kill()
        fleet.start_control()
        assert fleet.ctl("versions", "-o", "json").json[0]["version"] == acknowledged
    assert acknowledged == 15


class Writer:
    """Applies one configuration after the other through the admin API, until the server is gone."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.context = ssl.create_default_context(cafile=fleet.folder / "ca.pem")
        self.headers = {"Authorization": f"Bearer {(fleet.folder / 'admin.token').read_text().strip()}"}
        # The number of the newest version that was acknowledged, and the content that was sent after it.
        self.acknowledged = self.sent = 0

    def connect(self):
        return http.client.HTTPSConnection(*self.fleet.admin_address, context=self.context, timeout=20)

    def run(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = self.connect()
            while True:
                self.sent = self.acknowledged + 1
                route = {"name": "all", "respond": {"status": 200, "body": f"content {self.sent}"}}
                connection.request("PUT", "/v1/configuration", json.dumps({"configuration": {"routes": [route]}}),
                                   self.headers)
                answer = connection.getresponse()
                body = json.loads(answer.read())
                assert answer.status == 201, body
                self.acknowledged = body["version"]

    def head(self):
        """The number and the content of the head."""
        connection = self.connect()
        connection.request("GET", "/v1/configuration", headers=self.headers)
        body = json.loads(connection.getresponse().read())
        return body["version"], body["configuration"]["routes"][0]["respond"]["body"]


def test_the_store_survives_kill_9_within_commits(workspace, fleet):
    """WEIR_KILLS sets how often."""
    rounds = int(os.environ.get("WEIR_KILLS", "50"))
    writer = Writer(fleet)
    chance = random.Random(9112)
    for _ in range(rounds):
        before = writer.acknowledged
        thread = threading.Thread(target=writer.run)
        thread.start()
        until(lambda: writer.acknowledged > before, "a version was acknowledged")
        # Not synchronisation: the moment is what differs from round to round.
        time.sleep(chance.uniform(0, 0.03))
        fleet.control.kill()
        thread.join()
        fleet.start_control()
        number, content = writer.head()
        assert number in (writer.acknowledged, writer.sent), (number, writer.acknowledged, writer.sent)
        assert content == f"content {number}"
        writer.acknowledged = number
    assert writer.acknowledged >= rounds


def test_a_taken_port_is_rejected_by_name_and_recovers_by_itself(workspace, fleet):
    namespace = workspace.keep(NetworkNamespace())
    port, other = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    fleet.add("n1")
    inner = fleet.add("n2", control=namespace.relay(fleet.fleet_address), prefix=namespace.prefix)
    fleet.apply(respond(port, "one"), "--wait")
    assert namespace.get(port.address).body == b"one"

    taken = namespace.take_port(other.address)
    text = respond(port, "two").replace("listeners: [", f"listeners: [{{name: extra, address: {other}}}, ")
    result = fleet.apply(text, "--wait", "--timeout", "20s", code=5)
    assert "n2" in result.err and "extra" in result.err
    until(lambda: get(port.address).body == b"two", "the other node follows")
    assert get(other.address).body == b"two"
    assert namespace.get(port.address).body == b"one", "the node keeps what it served"
    node = fleet.node_json("n2")
    assert (node["state"], node["version"]) == ("stale", 1)
    assert {"kind", "name", "field", "message"} <= set(node["error"][0])
    assert (node["error"][0]["kind"], node["error"][0]["name"]) == ("listener", "extra")

    taken.close()
    fleet.wait_steady(2, seconds=40)
    assert namespace.get(port.address).body == b"two"
    assert inner.program.is_running
    assert fleet.node_json("n2")["error"] in (None, [])


def test_a_revoked_node_is_cut_off_within_a_second_and_keeps_serving(workspace, fleet):
    port = workspace.keep(ReservedPort())
    node = fleet.add("n1")
    fleet.apply(respond(port, "one"), "--wait")
    fleet.ctl("node", "revoke", "n1")
    # It is told at once, and not at the next heartbeat, which is 10 s away.
    until(lambda: node.get("/readyz").status == 503, "the revoked node is not ready", 8)
    assert fleet.wait_state("n1", "revoked")
    assert get(port.address).body == b"one"
    fleet.apply(respond(port, "two"), "--wait")
    assert get(port.address).body == b"one"
    # It stays out after a restart.
    node.kill()
    node.start(wait=False)
    with pytest.raises(AssertionError):
        fleet.wait_state("n1", "steady", 3)


def fails_to_join(fleet, name, token, seconds=20):
    """Starts a node that must not come in; it says why, and the fleet does not know it."""
    node = fleet.add(name, token=token, wait=False)
    until(lambda: "token" in node.program.stderr().lower() or "join" in node.program.stderr().lower()
          or "fingerprint" in node.program.stderr().lower() or not node.program.is_running,
          "the node says why it cannot join", seconds)
    assert fleet.node_json(name) is None
    text = node.program.stderr()
    node.program.dispose()
    return text


def test_tokens_are_for_one_node_one_fleet_and_a_time(workspace, fleet):
    token = fleet.token()
    fleet.add("n1", token=token)
    fails_to_join(fleet, "reuser", token)

    short = fleet.token("--ttl", "1s")
    listed = fleet.ctl("token", "list", "-o", "json").json
    assert short not in str(listed)
    time_over = time.monotonic() + 1.2
    until(lambda: time.monotonic() > time_over, "the token's time is over")
    fails_to_join(fleet, "late", short)

    other = Fleet(workspace, "elsewhere")
    fails_to_join(fleet, "stranger", other.token())

    good = fleet.token()
    head, secret, fingerprint = good.split(".")
    wrong = ("B" if fingerprint[0] == "A" else "A") + fingerprint[1:]
    fails_to_join(fleet, "misled", f"{head}.{secret}.{wrong}")
    fleet.add("n2", token=good)  # which the failed attempt did not use up

    fails_to_join(fleet, "gibberish", "weir1.nonsense")
    revoked = fleet.token("--label", "kind=revoked")
    identifier = next(token["id"] for token in fleet.ctl("token", "list", "-o", "json").json
                      if token["labels"] == {"kind": "revoked"})
    fleet.ctl("token", "revoke", identifier)
    fails_to_join(fleet, "barred", revoked)


def test_a_taken_name_and_missing_labels_are_refused(workspace, fleet):
    fleet.add("n1")
    impostor = fleet.space.folder / "n1-impostor"
    token = fleet.space.write("impostor.token", fleet.token() + "\n")
    program = workspace.start("impostor", BIN / "proxy-node", "run", "--data", impostor, "--control",
                              f"{fleet.fleet_address[0]}:{fleet.fleet_address[1]}", "--name", "n1", "--token-file",
                              token, "--admin", "127.0.0.1:0")
    until(lambda: "n1" in program.stderr() and "name" in program.stderr() or not program.is_running,
          "the second node of the name is refused")
    assert len(fleet.ctl("nodes", "-o", "json").json) == 1

    labelled = fleet.token("--label", "zone=a")
    fails_to_join(fleet, "unlabelled", labelled)
    fleet.add("labelled", "--label", "zone=a", token=fleet.token("--label", "zone=a"))


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_last_good_file_falls_back(workspace, fleet, damage):
    port = workspace.keep(ReservedPort())
    node = fleet.add("n1")
    for body in ("one", "two"):
        fleet.apply(respond(port, body), "--wait")
        node.wait_stored(body.encode())
    fleet.control.kill()
    node.stop()
    snapshots = sorted((path for path in node.folder.rglob("*") if path.is_file()
                        and path.read_bytes().startswith(b"WEIRSNP1")), key=lambda path: path.stat().st_mtime_ns)
    assert len(snapshots) == 2, "two generations"

    def spoil(path):
        octets = bytearray(path.read_bytes())
        if damage == "truncate":
            octets = octets[:len(octets) // 2]
        elif damage == "flip":
            octets[len(octets) // 2] ^= 0x40
        else:
            octets = b""
        path.write_bytes(octets)

    newest = max(snapshots, key=lambda path: b"two" in path.read_bytes())
    spoil(newest)
    node.start()
    until(lambda: get(port.address).body == b"one", "the generation before serves")
    node.stop()
    for path in snapshots:
        spoil(path)
    node.start(wait=False)
    fleet.start_control()
    fleet.wait_steady(2)
    assert get(port.address).body == b"two"


def test_a_node_with_a_full_disk_serves_and_says_so(workspace, fleet):
    port = workspace.keep(ReservedPort())
    folder = workspace.folder / "n1"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    workspace.closing.callback(lambda: subprocess.run(["umount", "-l", folder], check=True))
    node = fleet.add("n1")
    fleet.apply(respond(port, "one"), "--wait")
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    fleet.apply(respond(port, "two"), "--wait")
    assert get(port.address).body == b"two", "what cannot be stored is served all the same"
    until(lambda: "version.unstored" in node.program.stderr(), "the node says that it could not store it")
    until(lambda: "space" in json.dumps(fleet.ctl("node", "show", "n1", "-o", "json").json).lower(), "the fleet knows")
    filler.unlink()
    until(lambda: b"two" in (folder / "last-good").read_bytes(), "it is stored once there is room", 30)
    until(lambda: "space" not in json.dumps(fleet.ctl("node", "show", "n1", "-o", "json").json).lower(),
          "and the fleet knows")


def test_a_restore_starts_a_new_epoch_that_nodes_follow(workspace, fleet):
    port = workspace.keep(ReservedPort())
    fleet.add("n1")
    fleet.apply(respond(port, "one"), "--wait")
    backup = workspace.folder / "backup"
    run = workspace.start("backup", BIN / "proxy-control", "backup", "--data", fleet.folder, backup)
    assert run.process.wait(30) == 0
    assert "master.key" in run.stderr() + run.stdout()
    fleet.apply(respond(port, "two"), "--wait")
    before = fleet.ctl("version", "-o", "json").json
    fleet.control.stop()
    run = workspace.start("restore", BIN / "proxy-control", "restore", "--data", fleet.folder, backup)
    assert run.process.wait(30) == 0, run.stderr()
    fleet.start_control()
    # The version is lower than what the node serves, but the epoch is higher: the node follows.
    fleet.wait_steady(1)
    until(lambda: get(port.address).body == b"one", "the node serves the restored version")
    after = fleet.ctl("version", "-o", "json").json
    assert after["server"]["epoch"] > before["server"]["epoch"]
    fleet.apply(respond(port, "three"), "--wait")
    assert get(port.address).body == b"three"


def test_one_node_that_stops_reading_does_not_delay_the_others(workspace, fleet):
    port = workspace.keep(ReservedPort())
    fleet.add("n1")
    stuck = fleet.add("n2")
    fleet.apply(respond(port, "one"), "--wait")
    stuck.program.signal(signal.SIGSTOP)
    try:
        for index in range(5):
            version = fleet.apply(respond(port, f"v{index}"), "-o", "json").json["version"]
            fleet.wait_steady(version, ["n1"])
    finally:
        stuck.program.signal(signal.SIGCONT)
    fleet.wait_steady(6)


def test_the_admin_api_wants_its_token_and_its_authority(workspace, fleet):
    token = (fleet.folder / "admin.token").read_text().strip()
    for path in ("weir.db", "master.key", "ca.pem", "admin.token", "proxyctl.yaml"):
        assert (fleet.folder / path).stat().st_mode & 0o777 == 0o600, path
    server = f"https://{fleet.admin_address[0]}:{fleet.admin_address[1]}"
    options = ["--config", workspace.folder / "mine.yaml"]
    run_proxyctl(*options, "context", "add", "good", "--server", server, "--ca", fleet.folder / "ca.pem", "--token", token)
    run_proxyctl(*options, "context", "add", "bad", "--server", server, "--ca", fleet.folder / "ca.pem", "--token", "no")
    run_proxyctl(*options, "status")
    run_proxyctl(*options, "--context", "bad", "status", code=7)
    other = Fleet(workspace, "elsewhere")
    run_proxyctl(*options, "context", "add", "wrong", "--server", server, "--ca", other.folder / "ca.pem", "--token", token)
    result = run_proxyctl(*options, "--context", "wrong", "status", code=8)
    assert "certificate" in result.err
    fleet.control.stop()
    run_proxyctl(*options, "status", code=8)


def test_a_second_control_plane_on_the_same_data_is_refused(workspace, fleet):
    second = workspace.start("second", BIN / "proxy-control", "serve", "--data", fleet.folder, "--admin", "127.0.0.1:0",
                             "--fleet", "127.0.0.1:0")
    assert second.process.wait(15) != 0
    assert "ready" not in second.stderr()
    fleet.ctl("status")


def test_data_is_found_again_when_its_folder_moves(workspace, fleet):
    port = workspace.keep(ReservedPort())
    fleet.apply(respond(port, "one"))
    assert fleet.control.stop() == 0
    moved = fleet.folder.with_name("moved")
    shutil.move(fleet.folder, moved)
    fleet.folder = moved
    fleet.start_control()
    assert [version["version"] for version in fleet.ctl("versions", "-o", "json").json] == [1]
