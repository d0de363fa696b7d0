"""`proxy-node upgrade`: a process takes the place of another one, and nobody who connects notices.

The new process is a child of the test, as it is one of the service manager otherwise: the old one starts it as its
sibling.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from handover import Upgrade, upgrade
from weir import (BIN, PEER_SECONDS, Fleet, Load, Origin, Peer, ReservedPort, get, is_listening, request, until)


class NewConnections:
    """Clients that connect all the time, each for one request on a connection of its own.

    What comes before a connection is established is `refused`, what comes afterwards a failure: any answer other
    than 200, a reset, an end without an answer.
    """

    def __init__(self, target, clients=8):
        self.target = target
        self.octets = request("GET", "/hello", fields=["Connection: close"])
        self.stopping = threading.Event()
        self.failures, self.refused = [], []
        self.counts = [0] * clients
        self.threads = [threading.Thread(target=self.client, args=(index,), daemon=True) for index in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more(len(self.threads))
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(PEER_SECONDS)

    @property
    def count(self):
        return sum(self.counts)

    def more(self, count=200, seconds=30):
        goal = self.count + count
        until(lambda: self.failures or self.refused or self.count >= goal, f"{count} more connections", seconds)

    def client(self, index):
        source = (f"127.0.1.{index + 1}", 0)  # An address of its own has ports of its own.
        while not self.stopping.is_set():
            try:
                peer = Peer(socket.create_connection(self.target, PEER_SECONDS, source))
            except OSError as failure:
                self.refused.append(repr(failure))
                continue
            try:
                with peer:
                    head = peer.exchange(self.octets)
                if head.status != 200:
                    self.failures.append(repr(head))
                self.counts[index] += 1
            except (OSError, EOFError) as failure:
                self.failures.append(repr(failure))

    def check(self):
        """Nobody was refused, and nobody failed."""
        assert not self.failures and not self.refused, (self.failures[:5], self.refused[:5])


def configuration(address, origin, more=""):
    return f"""
listeners:
  - {{name: web, address: {address}}}
{more}
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes:
  - {{name: hello, match: {{path: {{exact: /hello}}}}, respond: {{status: 200, body: hello}}}}
  - {{name: rest, upstream: main}}
"""


class Site:
    """A fleet of one node that serves a port."""

    def __init__(self, workspace, *arguments, origin=None, workers=2, more=""):
        self.workspace = workspace
        self.fleet = Fleet(workspace)
        self.node = self.fleet.add("edge", *arguments, workers=workers)
        self.port = workspace.keep(ReservedPort())
        self.origin = origin or workspace.origin()
        self.fleet.apply(configuration(self.port, self.origin, more), "--wait")
        self.web = self.port.address

    def upgrade(self, *arguments):
        return upgrade(self.workspace, self.node, *arguments)

    def options(self, workers):
        """After `--`: the node's options with another number of workers."""
        host, port = self.fleet.fleet_address
        return ["--", "--control", f"{host}:{port}", "--admin", "127.0.0.1:0", "--workers", str(workers)]

    def stopped_program(self):
        """A program that stops itself before it becomes the node."""
        path = self.workspace.write("stopped", f'#!/bin/sh\nkill -STOP $$\nexec {BIN / "proxy-node"} "$@"\n')
        path.chmod(0o755)
        return path


def is_stopped(process):
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


# What clients see


def test_nobody_notices_an_upgrade_under_load(workspace):
    release, octets = threading.Event(), os.urandom(1 << 20)
    workspace.closing.callback(release.set)

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            if head.target == "/long":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(octets)) + octets)
                origin.requests.append(head)
                release.wait(30)
                peer.send(octets)
            elif head.target == "/socket":
                peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                while peer.buffer or peer.fill():
                    peer.send(peer.take(len(peer.buffer)))
            else:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nrest")

    site = Site(workspace, origin=workspace.keep(Origin(script)))
    long, tunnel = workspace.keep(Peer.connect(site.web)), workspace.keep(Peer.connect(site.web))
    long.send(request(target="/long"))
    until(lambda: site.origin.requests, "the download is under way")
    tunnel.send(request(target="/socket", fields=["Connection: Upgrade", "Upgrade: websocket"]))
    assert tunnel.read_response().status == 101

    with NewConnections(site.web) as new, Load(site.web, path="/hello") as local, Load(site.web) as forwarded:
        process = site.upgrade()
        new.more()
        local.more()
        forwarded.more()
    new.check()
    assert not local.failures and not forwarded.failures

    # What the old process has goes on there.
    assert site.node.program.is_running
    tunnel.send(b"still here")
    assert tunnel.read_exactly(10) == b"still here"
    release.set()
    head = long.read_response()
    assert (head.status, head.body) == (200, octets * 2)
    long.close()  # Its response began before the drain, and did not say that it is the last one.
    tunnel.end()
    assert tunnel.is_closed()
    assert site.node.program.process.wait(PEER_SECONDS) == 0
    assert get(site.web, "/hello").status == 200
    assert process.stop() == 0


def test_twenty_upgrades_in_a_row_lose_no_connection(workspace):
    site = Site(workspace)
    processes = []
    with NewConnections(site.web) as new:
        for _ in range(20):
            processes.append(site.upgrade())
            new.more(50)
    new.check()
    for process in processes[:-1]:
        assert process.wait() == 0
    assert site.node.program.process.wait(PEER_SECONDS) == 0
    assert get(site.node.admin, "/readyz").status == 200
    site.fleet.wait_state("edge", "steady")
    assert processes[-1].stop() == 0


@pytest.mark.parametrize("kind", ["answers", "stuck", "closes"])
def test_nobody_notices_an_upgrade_while_requests_are_mirrored(workspace, kind):
    stopped = threading.Event()
    workspace.closing.callback(stopped.set)

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            peer.read_body(head)
            origin.requests.append(head)
            if kind == "stuck":
                stopped.wait(60)
            elif kind == "closes":
                return
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    site, mirror = Site(workspace), workspace.keep(Origin(script))
    site.fleet.apply(f"""
listeners: [{{name: web, address: {site.port}}}]
upstreams:
  - {{name: main, endpoints: [{{address: {site.origin}}}]}}
  - {{name: mirror, endpoints: [{{address: {mirror}}}]}}
routes: [{{name: all, upstream: main, mirror: {{upstream: mirror}}}}]
""", "--wait")
    with NewConnections(site.web) as new, Load(site.web, path="/load") as load:
        until(lambda: len(mirror.requests) > 20, "copies are with the mirror")
        process = site.upgrade()
        new.more()
        load.more()
    new.check()
    assert not load.failures, load.failures[:5]
    # No copy keeps the old process: what the mirror has not answered is given up.
    assert site.node.program.process.wait(PEER_SECONDS) == 0
    stopped.set()

    def is_copied():
        return get(site.web, "/after").status == 200 and any(head.target == "/after" for head in mirror.requests)

    until(is_copied, "the new process makes copies as well")
    assert process.stop() == 0


def test_the_number_of_workers_may_change_both_ways(workspace):
    site = Site(workspace)
    with NewConnections(site.web) as new:
        for workers in (5, 1, 3):
            process = site.upgrade(*site.options(workers))
            new.more(100)
            until(lambda: sum(name.startswith("worker-") for name in process.threads()) == workers, "the workers run")
    new.check()
    assert process.stop() == 0
    until(lambda: not is_listening(site.web), "every socket is closed")


def test_ports_that_the_system_chose_stay(workspace):
    site = Site(workspace, "--drain-timeout", "1s", more="  - {name: any, address: 127.0.0.1:0}")
    said = []
    for _ in range(2):
        run = Upgrade(workspace, site.node)
        process = run.done()
        said.append(re.search(r"any=127\.0\.0\.1:(\d+)", run.program.stdout())[1])
        assert get(("127.0.0.1", int(said[-1])), "/hello").status == 200
    assert said[0] == said[1]
    assert get(site.node.admin, "/readyz").status == 200
    assert process.stop() == 0


# What the fleet sees


def test_the_fleet_keeps_the_node_and_its_version(workspace):
    site = Site(workspace, "--drain-timeout", "1s")
    states, stopping = [], threading.Event()

    def watch():
        while not stopping.is_set():
            states.append(site.fleet.node_json("edge")["state"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        process = site.upgrade()
        goal = len(states) + 3
        until(lambda: len(states) >= goal, "the state was looked at")
    stopping.set()
    watcher.join()
    assert set(states) <= {"steady", "syncing"}, states
    assert "node.replaced" not in site.node.program.stderr()

    # The new process takes versions as the old one did.
    site.fleet.apply(configuration(site.port, site.origin).replace("body: hello", "body: new"), "--wait")
    assert get(site.web, "/hello").body == b"new"
    assert process.stop() == 0


def test_a_drained_node_stays_drained(workspace):
    site = Site(workspace)
    site.fleet.ctl("node", "drain", "edge")
    until(lambda: not is_listening(site.web), "the listener is closed")
    run = Upgrade(workspace, site.node)
    process = run.done()
    assert "none" in run.program.stdout()
    assert site.node.program.process.wait(PEER_SECONDS) == 0
    assert not is_listening(site.web)
    site.fleet.wait_state("edge", "draining")
    site.fleet.ctl("node", "undrain", "edge")
    until(lambda: is_listening(site.web), "the listener is open again")
    assert get(site.web, "/hello").status == 200
    assert process.stop() == 0


def test_the_service_manager_learns_the_new_process(workspace):
    fleet = Fleet(workspace)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(workspace.folder / "notify"))
        manager.settimeout(PEER_SECONDS)
        token = workspace.write("token", fleet.token() + "\n")
        host, port = fleet.fleet_address
        program = workspace.start("edge", BIN / "proxy-node", "run", "--data", workspace.folder / "edge", "--control",
                                  f"{host}:{port}", "--token-file", token, "--admin", "127.0.0.1:0", "--name", "edge",
                                  environment={**os.environ, "NOTIFY_SOCKET": str(workspace.folder / "notify")})
        program.ready()
        assert manager.recv(100) == b"READY=1"

        class Edge:
            folder = workspace.folder / "edge"

        process = upgrade(workspace, Edge)
        said = {manager.recv(100), manager.recv(100)}
        assert said == {b"READY=1", f"MAINPID={process.pid}".encode()}
        assert program.process.wait(PEER_SECONDS) == 0
        assert process.stop() == 0
        assert manager.recv(100) == b"STOPPING=1"


# What goes wrong


@pytest.mark.parametrize("program", ["missing", "unexecutable", "no program", "ends", "hangs", "crashes", "stranger"])
def test_a_new_program_that_does_not_serve_changes_nothing(workspace, program):
    site = Site(workspace)
    path = workspace.write("program", {
        "no program": "nothing that runs\n" * 10, "hangs": "#!/bin/sh\nexec sleep 1000\n",
        "ends": "#!/bin/sh\nexit 0\n", "crashes": "#!/bin/sh\nkill -SEGV $$\n",
        # Its child asks for the sockets, which it was not started for.
        "stranger": f'#!/bin/sh\n{BIN / "proxy-node"} "$@" &\nwait\n',
    }.get(program, ""))
    path.chmod(0o644 if program == "unexecutable" else 0o755)
    if program == "missing":
        path.unlink()
    with NewConnections(site.web) as new, Load(site.web) as load:
        run = Upgrade(workspace, site.node, "--program", path, "--timeout", "2s" if program == "hangs" else "30s")
        said = run.ended(1)
        new.more()
        load.more()
    new.check()
    assert not load.failures
    assert "was not replaced" in said or program == "missing" and "No such file" in said
    assert site.node.program.stderr().count("control.connected") == 1
    if program in ("ends", "hangs", "crashes", "stranger"):
        run.started().wait()
    process = site.upgrade()
    assert process.stop() == 0


def test_a_new_process_that_hangs_as_it_is_to_take_over_holds_connections_up_for_seconds(workspace):
    """It has the sockets and says that it would serve: the old one steps back, and nobody accepts."""
    site = Site(workspace)
    program = workspace.write("successor", f"""#!{sys.executable}
import socket
old = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
old.connect({str(site.node.folder / "upgrade.socket")!r})
old.send(b"take-over\\0001\\0000.1.0\\0")
while not old.recv(1 << 17).startswith(b"end\\0"):
    old.send(b"next\\0")
old.send(b"ready\\0000.1.0\\0")
while True:
    old.recv(100)
    open("gone", "w").close()
    socket.socketpair()[0].recv(1)
""")
    program.chmod(0o755)
    run = Upgrade(workspace, site.node, "--program", program)
    process = run.started()
    until(lambda: (workspace.folder / "gone").exists(), "nobody accepts")
    assert get(site.web, "/hello").status == 200
    assert "too long" in run.ended(1)
    assert process.wait() == -signal.SIGKILL
    process = site.upgrade()
    assert process.stop() == 0


def test_a_version_that_the_new_process_cannot_serve_changes_nothing(workspace):
    site = Site(workspace)
    taken = workspace.keep(socket.create_server(("127.0.0.1", 0)))
    run = Upgrade(workspace, site.node, *site.options(2)[:-2], "--drain-timeout", "1s", "--admin",
                  f"127.0.0.1:{taken.getsockname()[1]}")
    assert "admin address" in run.ended(1)
    (site.node.folder / "last-good").write_bytes(b"damaged")
    with contextlib.suppress(FileNotFoundError):
        (site.node.folder / "last-good.1").unlink()
    run = Upgrade(workspace, site.node)
    assert "another version" in run.ended(1)
    assert get(site.web, "/hello").status == 200
    site.fleet.wait_state("edge", "steady")


def test_wrong_use_is_told_before_anything_is_started(workspace):
    site = Site(workspace)
    assert "--workers" in Upgrade(workspace, site.node, "--", "--control", "h:1", "--workers", "0").ended(2)
    assert "--bogus" in Upgrade(workspace, site.node, "--bogus").ended(2)
    assert "upgrade.begun" not in site.node.program.stderr()


def test_without_a_running_node_the_code_is_3(workspace):
    site = Site(workspace)

    class Nowhere:
        folder = workspace.folder / "nowhere"

    assert "no node runs" in Upgrade(workspace, Nowhere).ended(3)
    site.node.kill()
    assert "no node runs" in Upgrade(workspace, site.node).ended(3)
    # What the crash left there is in nobody's way.
    site.node.start()
    process = site.upgrade()
    assert process.stop() == 0
    assert "no node runs" in Upgrade(workspace, site.node).ended(3)


def test_of_two_upgrades_at_once_the_second_gets_4(workspace):
    site = Site(workspace)
    first = Upgrade(workspace, site.node, "--program", site.stopped_program())
    process = first.started()
    until(lambda: is_stopped(process), "the new process waits")
    assert "another upgrade" in Upgrade(workspace, site.node).ended(4)
    process.signal(signal.SIGCONT)
    assert first.done().pid == process.pid
    assert process.stop() == 0


def test_what_changes_during_an_upgrade_waits_for_its_end(workspace):
    site = Site(workspace)
    run = Upgrade(workspace, site.node, "--program", site.stopped_program())
    process = run.started()
    until(lambda: is_stopped(process), "the new process waits")
    text = configuration(site.port, site.origin).replace("body: hello", "body: new")
    site.fleet.apply(text)
    site.fleet.ctl("node", "drain", "edge")
    site.fleet.ctl("node", "undrain", "edge")
    assert get(site.web, "/hello").body == b"hello"
    process.kill()
    run.ended(1)
    site.fleet.wait_steady(2)
    until(lambda: is_listening(site.web), "the listener is open again")
    assert get(site.web, "/hello").body == b"new"


# Signals and crashes


def test_the_old_process_drains_through_a_first_sigterm(workspace):
    release = threading.Event()
    workspace.closing.callback(release.set)

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            release.wait(30)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

    site = Site(workspace, origin=workspace.keep(Origin(script)))
    slow = workspace.keep(Peer.connect(site.web))
    slow.send(request())
    until(lambda: site.origin.requests, "the request is under way")
    process = site.upgrade()
    site.node.program.signal(signal.SIGTERM)
    assert get(site.web, "/hello").status == 200
    release.set()
    assert slow.read_response().body == b"slow"
    # It may have been answered before its worker had heard of the drain, and would then rest until the deadline.
    slow.close()
    assert site.node.program.process.wait(PEER_SECONDS) == 0
    assert process.stop() == 0


def test_a_second_sigterm_ends_the_old_process_at_once(workspace):
    site = Site(workspace)
    idle = workspace.keep(Peer.connect(site.web))
    assert idle.exchange(request(target="/hello")).status == 200
    process = site.upgrade()
    site.node.program.signal(signal.SIGTERM)
    site.node.program.signal(signal.SIGUSR1)  # Another signal, so that the two of one kind do not become one.
    until(lambda: not signal_pending(site.node.program.pid), "the first signal was taken")
    assert site.node.program.stop() == 0
    assert get(site.web, "/hello").status == 200
    assert process.stop() == 0


def signal_pending(pid):
    """Whether a signal waits to be read by a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return any(int(value, 16) for value in re.findall(r"^(?:SigPnd|ShdPnd):\s*(\w+)", status, re.M))


def test_sigterm_in_the_middle_ends_the_node_as_ever(workspace):
    site = Site(workspace)
    run = Upgrade(workspace, site.node, "--program", site.stopped_program())
    process = run.started()
    until(lambda: is_stopped(process), "the new process waits")
    assert site.node.stop() == 0
    assert "told to end" in run.ended(1)
    assert process.wait() == -signal.SIGKILL
    assert not is_listening(site.web)


def test_the_new_process_is_killed_in_the_middle(workspace):
    site = Site(workspace)
    with NewConnections(site.web) as new:
        for moment in ("started", "has the sockets"):
            run = Upgrade(workspace, site.node, "--program", site.stopped_program())
            process = run.started()
            until(lambda: is_stopped(process), "the new process waits")
            if moment == "has the sockets":
                process.signal(signal.SIGCONT)
                until(lambda: "workbench" in process.threads() or not process.is_running, "it has the sockets")
            process.kill()
            until(lambda: not run.program.is_running, "the upgrade has ended")
            if moment == "started":
                new.more()
                new.check()
    if run.program.process.returncode == 0:
        # Killed after it had taken over, it takes its connections along, and nobody is left.
        assert site.node.program.process.wait(PEER_SECONDS) == 0
    else:
        # What it had accepted before it could say so is lost; the old process accepts again.
        assert not new.refused and site.node.program.is_running
        assert get(site.web, "/hello").status == 200


def test_the_old_process_is_killed_before_it_has_handed_over(workspace):
    site = Site(workspace)
    run = Upgrade(workspace, site.node, "--program", site.stopped_program())
    process = run.started()
    until(lambda: is_stopped(process), "the new process waits")
    site.node.kill()
    assert "ended during the upgrade" in run.ended(1)
    process.signal(signal.SIGCONT)
    assert process.wait() == 1
    # Nothing is left in the way of the next start.
    site.node.start()
    until(lambda: is_listening(site.web), "the listener is open again")
    assert get(site.web, "/hello").status == 200


def test_the_new_process_takes_over_from_a_dead_one(workspace):
    site = Site(workspace)
    run = Upgrade(workspace, site.node, "--program", site.stopped_program())
    process = run.started()
    until(lambda: is_stopped(process), "the new process waits")
    process.signal(signal.SIGCONT)
    until(lambda: "workbench" in process.threads(), "it has the sockets")
    site.node.kill()
    until(lambda: not run.program.is_running, "the upgrade has ended")
    until(lambda: get(site.node.admin, "/readyz").status == 200, "the new process serves")
    assert get(site.web, "/hello").status == 200
    site.fleet.wait_state("edge", "steady")
    assert process.stop() == 0


def test_the_old_process_is_killed_while_it_drains(workspace):
    site = Site(workspace)
    idle = workspace.keep(Peer.connect(site.web))
    assert idle.exchange(request(target="/hello")).status == 200
    process = site.upgrade()
    with NewConnections(site.web) as new:
        site.node.kill()
        new.more()
    new.check()
    # The directory is the new process's alone.
    assert "another proxy-node" in second_node(workspace, site)
    process.kill()
    site.node.start()
    until(lambda: is_listening(site.web), "the listener is open again")
    assert get(site.web, "/hello").status == 200


def second_node(workspace, site):
    """What a second process for the same directory says."""
    host, port = site.fleet.fleet_address
    ended = subprocess.run([BIN / "proxy-node", "run", "--data", site.node.folder, "--control", f"{host}:{port}",
                            "--admin", "127.0.0.1:0"], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    return ended.stderr


# Draining, under a flood


def test_what_waits_in_the_queues_is_answered_when_the_node_ends(workspace):
    site = Site(workspace)
    site.node.program.signal(signal.SIGSTOP)
    until(lambda: is_stopped(site.node.program), "the node stands still")
    peers = [workspace.keep(Peer.connect(site.web)) for _ in range(300)]
    for peer in peers:
        peer.send(request(target="/hello"))
    site.node.program.signal(signal.SIGTERM)
    site.node.program.signal(signal.SIGCONT)
    for peer in peers:
        assert peer.read_response().status == 200
        peer.close()
    assert site.node.program.process.wait(PEER_SECONDS) == 0


def test_a_flood_is_answered_or_refused_when_the_node_ends(workspace):
    site = Site(workspace)
    with NewConnections(site.web, clients=24) as flood:
        flood.more(500)
        site.node.program.signal(signal.SIGTERM)
        until(lambda: flood.refused, "the listener is closed")
    assert not flood.failures, flood.failures[:5]
    assert site.node.program.process.wait(PEER_SECONDS) == 0


def test_a_flood_is_answered_or_refused_when_the_node_drains_and_returns(workspace):
    site = Site(workspace)
    for _ in range(3):
        with NewConnections(site.web, clients=24) as flood:
            flood.more(300)
            site.fleet.ctl("node", "drain", "edge")
            until(lambda: flood.refused, "the listener is closed")
        assert not flood.failures, flood.failures[:5]
        site.fleet.ctl("node", "undrain", "edge")
        until(lambda: is_listening(site.web), "the listener is open again")


def test_a_flood_is_answered_or_refused_when_a_listener_goes(workspace):
    site = Site(workspace, "--drain-timeout", "5s")
    other = workspace.keep(ReservedPort())
    for _ in range(3):
        with NewConnections(site.web, clients=24) as flood:
            flood.more(300)
            site.fleet.apply(configuration(other, site.origin), "--wait")
            until(lambda: flood.refused, "the listener is closed")
        assert not flood.failures, flood.failures[:5]
        site.fleet.apply(configuration(site.port, site.origin), "--wait")
        until(lambda: is_listening(site.web), "the listener is open again")
