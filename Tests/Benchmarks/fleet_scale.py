#!/usr/bin/env python3
"""Measures one control plane with a large fleet: sessions, one changed route, memory, and a restart.

The control plane is the real program, the nodes are those of fleet-simulator: real sessions without a data plane
that activate at once what they are sent. Both share the machine. Everything is on loopback in a temporary
directory, bounded in time, and ended by its pid.

A change is one route among many, applied with proxyctl. Its delay is, per node, from the version's commit to the
moment at which the node serves it. The commit is the version's own time (`proxyctl versions`), which is taken as
the transaction begins, so that the delays have the transaction, too, and are too long rather than too short.
Octets are what a node's connection received for the change, TLS included.
"""

import argparse
import bisect
import concurrent.futures
import contextlib
import datetime
import http.client
import json
import math
import os
import pathlib
import resource
import signal
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = "WEIR_SCOPE=fleet-simulator swift build -c release --product fleet-simulator"
# What has to be kept; docs/performance.md says where they come from.
TARGETS = {"active p99": (1.0, "s"), "sent": (16 * 1024, "octets"), "memory": (500.0, "MB"), "reconnect": (15.0, "s"),
           "full syncs": (0, "nodes")}
READY_SECONDS = 30
JOIN_SECONDS = 600
CHANGE_SECONDS = 60
RECONNECT_SECONDS = 120
STOP_SECONDS = 20
TOKEN_CONNECTIONS = 4


class Failure(Exception):
    """The measurement cannot go on."""


# Programs


class Program:
    """One process with its output in files, ended by its pid."""

    def __init__(self, name, arguments, folder):
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.offset = err.tell()
            self.process = subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err, cwd=folder)

    def stderr(self):
        """What this process wrote to standard error, not one before it of the same name."""
        with open(self.err, "rb") as file:
            file.seek(self.offset)
            return file.read().decode("utf-8", "replace")

    def check(self):
        """Fails if the process has ended."""
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.stderr()[-2000:]}")

    def ready(self):
        """The fields of the `ready` line: {'admin': 'HOST:PORT', ...}."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            text = self.stderr()
            for line in text[:text.rfind("\n") + 1].splitlines():
                if line.startswith("ready "):
                    return dict(part.split("=", 1) for part in line.split()[1:])
            self.check()
            time.sleep(0.005)
        raise Failure(f"{self.name} was not ready within {READY_SECONDS} s")

    def memory(self, key):
        """VmRSS or VmHWM in MB."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise Failure(f"{self.name} has no {key}")

    def cpu_seconds(self):
        """User and system time so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        """Ends the process as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self):
        """Ends the process in order, or else at once."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        self.kill()


class Events:
    """What the simulator says, read as it comes."""

    def __init__(self, program):
        self.program = program
        self.lines = []
        self.file = open(program.out, "rb")
        self.rest = b""

    def read(self):
        """Takes what is new; returns whether there was anything."""
        octets = self.file.read()
        if not octets:
            return False
        *lines, self.rest = (self.rest + octets).split(b"\n")
        self.lines += map(json.loads, lines)
        return True

    def wait(self, condition, seconds, what):
        """Reads until `condition()` is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.read():
                self.program.check()
                if time.monotonic() > deadline:
                    raise Failure(f"not within {seconds} s: {what()}\n{self.program.stderr()[-2000:]}")
                time.sleep(0.02)


class Tally:
    """Counts the nodes that an event of one kind was seen of, from a place in the events on."""

    def __init__(self, events, kinds, version=None, start=None):
        self.events, self.kinds, self.version = events, kinds, version
        self.next = len(events.lines) if start is None else start
        self.seen = {}

    def count(self):
        """How many nodes; the first event of each is kept."""
        for event in self.events.lines[self.next:]:
            if event["event"] in self.kinds and (self.version is None or event["version"] == self.version):
                self.seen.setdefault(event["node"], event)
        self.next = len(self.events.lines)
        return len(self.seen)


# The control plane


class ControlPlane:
    """proxy-control in a directory of its own; it keeps its ports when it is started again."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries, folder
        self.data = folder / "control"
        self.addresses = {"admin": "127.0.0.1:0", "fleet": "127.0.0.1:0"}
        self.program = None

    def start(self):
        """Starts it and waits until it is ready."""
        self.program = Program("proxy-control", [
            self.binaries / "proxy-control", "serve", "--data", self.data, "--admin", self.addresses["admin"], "--fleet",
            self.addresses["fleet"], "--log-level", "warning"], self.folder)
        self.addresses = self.program.ready()

    def proxyctl(self, *arguments):
        """Runs proxyctl and returns its standard output."""
        command = [self.binaries / "proxyctl", "--config", self.data / "proxyctl.yaml", *arguments]
        completed = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True,
                                   text=True, timeout=120)
        if completed.returncode != 0:
            raise Failure(f"proxyctl {arguments[0]} ended with {completed.returncode}: {completed.stderr[:2000]}")
        return completed.stdout

    def tokens(self, count):
        """Makes join tokens through the admin API, on a few connections at once."""
        context = ssl.create_default_context(cafile=self.data / "ca.pem")
        host, _, port = self.addresses["admin"].rpartition(":")
        headers = {"Authorization": f"Bearer {(self.data / 'admin.token').read_text().strip()}",
                   "Content-Type": "application/json"}

        def make(share):
            connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
            with contextlib.closing(connection):
                made = []
                for _ in range(share):
                    connection.request("POST", "/v1/tokens", '{"ttlSeconds": 3600}', headers)
                    answer = connection.getresponse()
                    body = answer.read()
                    if answer.status != 201:
                        raise Failure(f"a token was answered with {answer.status}: {body[:300]!r}")
                    made.append(json.loads(body)["token"])
                return made

        shares = [count // TOKEN_CONNECTIONS + (index < count % TOKEN_CONNECTIONS)
                  for index in range(TOKEN_CONNECTIONS)]
        with concurrent.futures.ThreadPoolExecutor(TOKEN_CONNECTIONS) as pool:
            return [token for made in pool.map(make, shares) for token in made]

    def head(self):
        """(number, nanoseconds since 1970) of the newest version."""
        newest = max(json.loads(self.proxyctl("versions", "-o", "json")), key=lambda version: version["version"])
        moment = datetime.datetime.fromisoformat(newest["time"].replace("Z", "+00:00"))
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return newest["version"], (moment - epoch) // datetime.timedelta(microseconds=1) * 1000


def configuration(routes, changed):
    """YAML with so many routes, of which the `changed`th differs each time."""
    lines = ["listeners:", "  - {name: web, address: 127.0.0.1:8080}", "routes:"]
    for index in range(routes):
        lines += [f"  - name: product-{index:05d}", f"    hosts: [shop-{index % 100}.example.com]",
                  f"    match: {{path: {{prefix: /products/{index:05d}}}}}",
                  f"    respond: {{status: 200, body: product {index} state {changed.get(index, 0)}}}"]
    return "\n".join(lines) + "\n"


# Measuring


def percentile(values, share):
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Measurement:
    """One run, step by step."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.control = ControlPlane(options.bin, folder)
        self.simulator = None
        self.events = None
        self.changed = {}
        self.rows = []
        self.missed = []

    def row(self, what, value, unit, target=None, note=""):
        """Notes a figure, and whether it misses its target."""
        limit = TARGETS.get(target)
        if limit and value > limit[0]:
            self.missed.append(what)
        digits = 0 if unit in ("octets", "nodes", "MB") else 3
        bound = "" if limit is None else f"<= {limit[0]:g}"
        verdict = "" if limit is None else ("missed" if value > limit[0] else "kept")
        self.rows.append((what, f"{value:.{digits}f}", unit, bound, verdict, note))

    def say(self, text):
        """Progress, on standard error."""
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", file=sys.stderr, flush=True)

    def run(self):
        """All steps; whatever was started is ended."""
        self.began = time.monotonic()
        try:
            self.apply_first()
            self.join()
            self.change_routes()
            self.restart()
        finally:
            for program in (self.simulator, self.control.program):
                if program is not None:
                    program.stop()

    def apply(self):
        path = self.folder / "fleet.yaml"
        path.write_text(configuration(self.options.routes, self.changed), "utf-8")
        began = time.monotonic()
        self.control.proxyctl("apply", path)
        return time.monotonic() - began

    def apply_first(self):
        self.control.start()
        self.say(f"proxy-control runs as {self.control.program.process.pid}, {self.control.addresses}")
        seconds = self.apply()
        self.row("first apply, as proxyctl sees it", seconds, "s", note=f"{self.options.routes} routes")
        self.say(f"applied {self.options.routes} routes in {seconds:.2f} s")
        self.note_memory("after the first apply", "VmHWM")

    def join(self):
        count = self.options.nodes
        began = time.monotonic()
        tokens = self.folder / "tokens"
        tokens.write_text("\n".join(self.control.tokens(count)) + "\n")
        self.say(f"made {count} tokens in {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        cpu = self.control.program.cpu_seconds()
        self.simulator = Program("fleet-simulator", [
            self.options.simulator, "--control", self.control.addresses["fleet"], "--tokens", tokens, "--rate",
            self.options.rate, "--seconds", JOIN_SECONDS + self.options.changes * CHANGE_SECONDS + 600,
            *(["--quick-start"] if self.options.quick_start else [])], self.folder)
        self.events = Events(self.simulator)
        version, _ = self.control.head()
        for kinds, what in [({"joined"}, "joined"), ({"active"}, "served the head")]:
            tally = Tally(self.events, kinds, start=0)
            self.events.wait(lambda: tally.count() == count, JOIN_SECONDS,
                             lambda: f"{tally.count()} of {count} nodes {what}")
            self.row(f"all nodes {what}", time.monotonic() - began, "s")
            self.say(f"{count} nodes {what} after {time.monotonic() - began:.1f} s")
        cpu = self.control.program.cpu_seconds() - cpu
        self.row("control plane, CPU for joins and full syncs", cpu, "s")
        self.note_memory("after joins and full syncs", "VmHWM")
        self.steady(version)

    def note_memory(self, what, key="VmRSS"):
        megabytes = self.control.program.memory(key)
        self.row(f"control plane, {key} {what}", megabytes, "MB", "memory")

    def steady(self, version):
        """Checks that the control plane sees what the simulator says."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            nodes = json.loads(self.control.proxyctl("nodes", "-o", "json"))
            good = [node for node in nodes if node["state"] == "steady" and node["version"] == version]
            if len(good) == self.options.nodes:
                return
            time.sleep(0.5)
        raise Failure(f"{len(good)} of {self.options.nodes} nodes are steady at version {version}")

    def change_routes(self):
        delays, firsts, octets, applies, wanted = [], [], [], [], 0
        cpu = self.control.program.cpu_seconds()
        for change in range(self.options.changes):
            index = change * 7919 % self.options.routes
            self.changed[index] = self.changed.get(index, 0) + 1
            tally = Tally(self.events, {"active"})
            applies.append(self.apply())
            version, committed = self.control.head()
            tally.version = version
            self.events.wait(lambda: tally.count() == self.options.nodes, CHANGE_SECONDS,
                             lambda: f"{tally.count()} of {self.options.nodes} nodes serve version {version}")
            seen = [(event["realtime"] - committed) / 1e9 for event in tally.seen.values()]
            delays += seen
            firsts.append(min(seen))
            octets += [event["octets"] for event in tally.seen.values()]
            wanted = max(wanted, max(event["wanted"] for event in tally.seen.values()))
            self.say(f"version {version}: apply {applies[-1]:.2f} s, active first {min(seen):.3f} s, p50 {percentile(seen, 0.5):.3f} s, "
                     f"p99 {percentile(seen, 0.99):.3f} s, max {max(seen):.3f} s")
            time.sleep(self.options.pause)
        if not delays:
            return
        cpu = (self.control.program.cpu_seconds() - cpu) / self.options.changes
        self.row("apply, as proxyctl sees it, p50", percentile(applies, 0.5), "s")
        self.row("commit to the first node's active, p50", percentile(firsts, 0.5), "s")
        self.row("commit to active, p50", percentile(delays, 0.5), "s")
        self.row("commit to active, p99", percentile(delays, 0.99), "s", "active p99",
                 f"{self.options.changes} changes x {self.options.nodes} nodes")
        self.row("commit to active, max", max(delays), "s")
        self.row("sent per node and change, p50", percentile(octets, 0.5), "octets")
        self.row("sent per node and change, max", max(octets), "octets", "sent", f"contents wanted: {wanted} at most")
        self.row("control plane, CPU per change", cpu, "s")
        self.note_memory("after the changes")
        self.note_memory("since the start", "VmHWM")

    def restart(self):
        count = self.options.nodes
        version, _ = self.control.head()
        lost = Tally(self.events, {"disconnected"})
        back = Tally(self.events, {"welcomed"})
        settled = Tally(self.events, {"settled"})
        synced = Tally(self.events, {"active"})
        attempts = len(self.events.lines)
        self.control.program.kill()
        killed = time.time_ns()
        self.control.start()
        ready = time.time_ns()
        self.say(f"killed, and ready again after {(ready - killed) / 1e9:.2f} s")
        self.events.wait(lambda: back.count() == count and settled.count() + synced.count() >= count,
                         RECONNECT_SECONDS,
                         lambda: f"{back.count()} of {count} nodes have a session, {settled.count()} are settled")
        self.events.read()
        moments = sorted(event["realtime"] for event in back.seen.values())
        failed = sum(event["event"] == "disconnected" for event in self.events.lines[attempts:]) - lost.count()
        within = bisect.bisect_left(moments, ready + 1_000_000_000)
        self.row("restart: killed to ready", (ready - killed) / 1e9, "s")
        self.row("restart: killed to all sessions", (moments[-1] - killed) / 1e9, "s", "reconnect",
                 f"{within} within 1 s of ready, {failed} attempts in vain")
        self.row("restart: nodes synchronised in full", sum(event["wanted"] > 1 for event in synced.seen.values()),
                 "nodes", "full syncs", f"{settled.count()} answered with NotModified")
        cpu = self.control.program.cpu_seconds()
        self.row("restart: control plane, CPU until all sessions", cpu, "s")
        self.note_memory("after the restart", "VmHWM")
        self.steady(version)
        self.say("all nodes are back")

    def table(self):
        """The figures as text."""
        head = ("figure", "value", "unit", "target", "", "")
        rows = [head, *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = []
        for row in rows:
            cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), *(
                row[column].ljust(widths[column]) for column in range(2, 6))]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


def raise_descriptor_limit():
    """Two ends of a thousand connections are more than the usual limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog=f"The simulator is built with:\n  {BUILD}")
    add = parser.add_argument
    add("--nodes", type=int, default=1000)
    add("--routes", type=int, default=10_000)
    add("--changes", type=int, default=20)
    add("--rate", type=int, default=100, help="first connections of nodes per second")
    add("--pause", type=float, default=0.5, help="seconds between changes")
    add("--quick-start", action="store_true", help="send all contents to one node only, to get to the changes sooner")
    add("--bin", type=pathlib.Path, help="where proxy-control and proxyctl are (default: .build/release or debug)")
    add("--simulator", type=pathlib.Path, help="the simulator (default: that of .build/release)")
    add("--assert", dest="asserts", action="store_true", help="exit 1 when a target is missed")
    add("--keep", action="store_true", help="keep the temporary directory")
    options = parser.parse_args()
    if min(options.nodes, options.routes) < 1 or options.changes < 0:
        parser.error("--nodes and --routes are at least 1")
    builds = [ROOT / ".build" / name for name in ("release", "debug")]
    options.bin = options.bin or next((path for path in builds if (path / "proxy-control").exists()), builds[0])
    simulators = [path / "fleet-simulator" for path in (options.bin, *builds)]
    options.simulator = options.simulator or next(filter(pathlib.Path.exists, simulators), simulators[1])
    options.bin, options.simulator = options.bin.resolve(), options.simulator.resolve()
    for path, remedy in [(options.bin / "proxy-control", "swift build -c release"), (options.simulator, BUILD)]:
        if not path.exists():
            parser.error(f"{path} is missing; build it with: {remedy}")
    return options


def main():
    options = arguments()
    # So that what was started is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if raise_descriptor_limit() < 2 * options.nodes + 64:
        print("the limit of open files is too low for so many nodes", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        if options.keep:
            folder = pathlib.Path(tempfile.mkdtemp(prefix="fleet-scale-"))
            print(f"logs: {folder}", file=sys.stderr)
        else:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-scale-")))
        measurement = Measurement(options, folder)
        try:
            measurement.run()
        except (Failure, subprocess.TimeoutExpired, OSError) as failure:
            print(measurement.table(), flush=True)
            print(f"error: {failure}", file=sys.stderr)
            return 1
    print(f"{options.nodes} nodes, {options.routes} routes, {os.cpu_count()} CPUs, control plane from {options.bin.name}")
    print(measurement.table())
    return 1 if options.asserts and measurement.missed else 0


if __name__ == "__main__":
    sys.exit(main())
