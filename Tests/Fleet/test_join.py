"""Joins that are cut off: a token is for one node, and that node gets in, whenever it dies."""

import contextlib
import socket
import threading

from weir import PEER_SECONDS, Fleet, until


class Silence:
    """A relay to the control plane that lets a node's request through and holds the answer back.

    Of TLS 1.3, the first record of application data that a client sends has its Finished: from then on nothing goes back.
    """

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.sockets = [self.listener]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target, timeout=PEER_SECONDS)
                self.sockets += [near, far]
                silenced = threading.Event()
                threading.Thread(target=self.forward, args=(near, far, silenced), daemon=True).start()
                threading.Thread(target=self.back, args=(far, near, silenced), daemon=True).start()

    @staticmethod
    def forward(near, far, silenced):
        octets = b""
        with contextlib.suppress(OSError):
            while part := near.recv(65536):
                octets += part
                while len(octets) >= 5 and len(octets) >= 5 + int.from_bytes(octets[3:5], "big"):
                    length = 5 + int.from_bytes(octets[3:5], "big")
                    record, octets = octets[:length], octets[length:]
                    if record[0] == 23:
                        silenced.set()
                    far.sendall(record)

    @staticmethod
    def back(far, near, silenced):
        with contextlib.suppress(OSError):
            while part := far.recv(65536):
                if not silenced.is_set():
                    near.sendall(part)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for held in self.sockets:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()
        self.thread.join(PEER_SECONDS)


def test_a_node_that_dies_before_it_has_its_identity_joins_with_the_same_token(workspace):
    fleet = Fleet(workspace)
    silence = workspace.keep(Silence(fleet.fleet_address))
    token = fleet.token()
    node = fleet.add("edge", token=token, control=silence.address, wait=False)
    until(lambda: fleet.node_json("edge"), "the control plane has accepted the join")
    [used] = fleet.ctl("token", "list", "-o", "json").json
    assert used["state"] == "used" and used["usedBy"] == "edge"
    assert node.kill() != 0
    assert not (node.folder / "node.pem").exists()
    assert (node.folder / "join.key").stat().st_mode & 0o777 == 0o600

    # Another node cannot use the token, under its own name or under this one.
    for name, folder in (("other", "other"), ("edge", "thief")):
        other = fleet.add(name, token=token, wait=False) if name != "edge" else None
        if other is None:
            other = workspace.start("thief", *node.program.arguments[:3], workspace.folder / folder,
                                    *node.program.arguments[4:5], "%s:%s" % fleet.fleet_address,
                                    *node.program.arguments[6:])
        program = getattr(other, "program", other)
        until(lambda: not program.is_running, f"{folder} has ended")
        assert "the token was used already" in program.stderr(), program.stderr()
        assert not fleet.node_json("other")
    del fleet.nodes["other"]

    node.control = None
    node.start()
    until(node.is_connected, "the node has a session")
    until((node.folder / "node.pem").exists, "it has its identity")
    until(lambda: not (node.folder / "join.key").exists(), "the key of the join is forgotten")
    fleet.apply("routes: []\n", "--wait")
    fleet.wait_steady(1, ["edge"])
    joins = [entry for entry in fleet.ctl("audit", "-o", "json").json if entry["action"] == "node.join"]
    assert [entry["target"] for entry in joins] == ["edge", "edge"]


def test_without_room_for_its_key_a_node_does_not_try_the_token(workspace):
    fleet = Fleet(workspace)
    folder = workspace.folder / "edge"
    folder.mkdir()
    # What cannot be replaced by a file.
    (folder / "join.key").mkdir()
    node = fleet.add("edge", wait=False)
    until(lambda: "node.identity_unwritten" in node.program.stderr(), "the node has said what it lacks")
    [token] = fleet.ctl("token", "list", "-o", "json").json
    assert token["state"] == "usable"
    (folder / "join.key").rmdir()
    until(lambda: fleet.node_json("edge"), "the node has joined", 40)
