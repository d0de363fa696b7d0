"""What is measured: the scenarios, and one measurement of one peer in one of them.

A measurement starts the proxy anew, so that no peer profits from the luck of one start, warms it
up, measures and stops it. Only one proxy runs at a time.
"""

import contextlib
import dataclasses
import json
import time

from bench import (Failure, core_seconds, cpu_seconds, memory_kib, processes, user_and_system_ticks)
from load import (CONCURRENCY, HTTP2_CONNECTIONS, HTTP2_STREAMS, H2Load, PacedLoad, Resuming, Wrk, connections, insecure, probe,
                  request)
from peers import BODIES, ITEMS, PRODUCTS, QueueOrigin, Site

WARM_UP_SECONDS = 1
# How long a proxy at rest, or with idle connections, is left alone before its memory is read.
SETTLE_SECONDS = 1.5
IDLE_CONNECTIONS = 10_000
# The share of requests that may go to the origin on a new connection before the figures are called
# suspect.
NEW_CONNECTIONS_MAX = 0.01
# Memory hardly varies from one start to the next.
MEMORY_ROUNDS_MAX = 3


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A scenario; `measure` of its kinds returns a sample, a dictionary."""

    name: str
    title: str
    # `cpu`, `idle`, `rest`, `overload` or `choices`: which columns the table has.
    kind: str = "cpu"
    # Who takes part; None is everybody.
    only: str | None = None

    def rounds(self, wanted):
        return wanted if self.kind == "cpu" else min(wanted, MEMORY_ROUNDS_MAX)


@dataclasses.dataclass(frozen=True)
class LoadScenario(Scenario):
    """wrk on keep-alive connections, or one per request."""

    path: str = "/"
    headers: tuple = ()
    script: str = "summary.lua"
    connections: int = CONCURRENCY
    site: Site = Site()

    def requests(self):
        """The requests of this scenario as octets."""
        if self.site.hosts:
            return [request(f"{prefix}/item", host) for host, prefix in self.site.routes()]
        return [request(self.path)]

    def length(self):
        """The length of the answers' content."""
        return BODIES.get(self.path, BODIES["/"])

    def measure(self, bench, origin, peer, seconds):
        with running(bench, peer, self.site) as program:
            self.probe(peer)
            with self.load(bench, peer, WARM_UP_SECONDS) as load:
                load.summary()
            pids = processes(program.pid)
            before = Reading(bench, origin, pids)
            with self.load(bench, peer, seconds) as load:
                # While connections and buffers are in use, and late enough for their number to be
                # steady.
                time.sleep(seconds * 0.8)
                resident = memory_kib(pids)
                summary = load.summary()
            return self.sample(before, Reading(bench, origin, pids), summary, resident)

    def probe(self, peer):
        """Checks the answers to the first route and the last: a table cut short would answer one with 404."""
        for octets in (self.requests()[0], self.requests()[-1]):
            probe(peer.port, octets, self.length(), insecure() if self.site.tls else None)

    def load(self, bench, peer, seconds):
        if self.site.hosts:
            return Wrk(bench, peer.port, self.path, seconds, "routes.lua",
                       (self.site.hosts, self.site.prefixes))
        return Wrk(bench, peer.port, self.path, seconds, self.script, headers=self.headers,
                   connections=self.connections, tls=self.site.tls)

    def sample(self, before, after, summary, resident):
        requests = summary["requests"]
        if requests == 0:
            raise Failure(f"no request was answered: {summary['errors']}")
        wall = after.clock - before.clock
        cpu = after.cpu - before.cpu
        user, system = (late - early for late, early in zip(after.ticks, before.ticks))
        busy, stolen = (late - early for late, early in zip(after.core, before.core))
        connected, reached = (late - early for late, early in zip(after.origin, before.origin))
        return {
            "cpuMicroseconds": cpu / requests * 1e6,
            "userShare": user / max(user + system, 1),
            "requestsPerSecond": requests / (summary["microseconds"] / 1e6),
            "p50Milliseconds": summary["p50"] / 1000,
            "p99Milliseconds": summary["p99"] / 1000,
            "residentKiB": resident,
            "coreShare": cpu / wall,
            "otherShare": max(busy - cpu, 0) / wall,
            "stolenShare": stolen / wall,
            "requests": requests,
            "errors": {name: count for name, count in summary["errors"].items() if count},
            "originConnections": connected,
            "originRequests": reached,
        }


@dataclasses.dataclass(frozen=True)
class HTTP2Scenario(LoadScenario):
    """h2load on connections of HTTP/2."""

    site: Site = Site(http2=True)

    def probe(self, peer):
        """Every answer is counted as an error that is not 2xx."""

    def load(self, bench, peer, seconds):
        return H2Load(bench, peer.port, self.path, seconds, tls=self.site.tls)


@dataclasses.dataclass(frozen=True)
class ResumingScenario(LoadScenario):
    """Sessions of TLS that are resumed for one request each."""

    site: Site = Site(tls=True)

    def load(self, bench, peer, seconds):
        return Resuming(peer.port, self.path, seconds)


@dataclasses.dataclass(frozen=True)
class QueueScenario(LoadScenario):
    """Endpoints that serve one request after the other, one of them slowly: it is the p99 that counts."""

    site: Site = Site(queues=True)

    def measure(self, bench, origin, peer, seconds):
        # Each peer finds empty queues.
        with QueueOrigin(bench):
            sample = super().measure(bench, origin, peer, seconds)
        # They are not the origin that counts.
        return {name: value for name, value in sample.items() if not name.startswith("origin")}


@dataclasses.dataclass(frozen=True)
class IdleScenario(Scenario):
    """Memory of idle keep-alive connections, each of which has carried a request."""

    site: Site = Site(capacity=IDLE_CONNECTIONS + 1000)

    def measure(self, bench, origin, peer, seconds):
        with running(bench, peer, self.site) as program:
            octets = request("/")
            context = insecure() if self.site.tls else None
            probe(peer.port, octets, BODIES["/"], context)
            # What 64 busy connections leave behind in pools is no part of what idle ones cost.
            with Wrk(bench, peer.port, "/", WARM_UP_SECONDS, tls=self.site.tls) as load:
                load.summary()
            pids = processes(program.pid)
            time.sleep(SETTLE_SECONDS)
            before = memory_kib(pids)
            with connections(peer.port, IDLE_CONNECTIONS, [octets], context) as opened:
                time.sleep(SETTLE_SECONDS)
                after = memory_kib(pids)
                closed = sum(not connection.is_open() for connection in opened)
            if closed:
                raise Failure(f"the proxy closed {closed} of {IDLE_CONNECTIONS} idle connections")
            return {"connectionKiB": (after - before) / IDLE_CONNECTIONS,
                    "residentKiBBefore": before, "residentKiB": after,
                    "connections": IDLE_CONNECTIONS}


@dataclasses.dataclass(frozen=True)
class ChoicesScenario(Scenario):
    """How long a choice among endpoints takes, without a proxy around it."""

    only: str = "weir"
    endpoints: int = 1000

    def measure(self, bench, origin, peer, seconds):
        program = bench.start("balancer-speed", [peer.program("balancer-speed"), "--endpoints", self.endpoints],
                              bench.proxy_core)
        program.wait(120)
        sample = json.loads(program.output())
        sample["slowest"] = max(value for name, value in sample.items() if name != "hashTable")
        return sample


@dataclasses.dataclass(frozen=True)
class OverloadScenario(Scenario):
    """A proxy that gets a part of its core, and is asked for less than it can, all that it can, and five times that."""

    connections: int = 1000
    site: Site = Site(capacity=20_000)

    def measure(self, bench, origin, peer, seconds):
        with running(bench, peer, self.site) as program, bench.rival(processes(program.pid)):
            probe(peer.port, request("/"), BODIES["/"])
            capacity = self.load(bench, peer, seconds)["answered"]
            found = [self.load(bench, peer, seconds, capacity * share) for share in (0.6, 0.8, 1.0, 1.2)]
            over = self.load(bench, peer, seconds, 5 * capacity)
            peak = max(capacity, *(one["answered"] for one in found))
            return {**over, "peak": peak, "goodputShare": over["answered"] / peak,
                    "residentKiB": memory_kib(processes(program.pid), "VmHWM")}

    def load(self, bench, peer, seconds, rate=None):
        with PacedLoad(bench, peer.port, self.connections, seconds, rate) as load:
            return load.summary()


class RestScenario(Scenario):
    """Memory after the start, before the first request."""

    def measure(self, bench, origin, peer, seconds):
        with running(bench, peer, Site()) as program:
            time.sleep(SETTLE_SECONDS)
            pids = processes(program.pid)
            return {"residentKiB": memory_kib(pids),
                    "proportionalKiB": memory_kib(pids, "Pss", "smaps_rollup"),
                    "processes": len(pids)}


class Reading:
    """What the clocks and counters say at one moment."""

    def __init__(self, bench, origin, pids):
        self.origin = origin.counts()
        self.ticks = user_and_system_ticks(pids)
        self.core = core_seconds(bench.proxy_core)
        self.clock = time.monotonic()
        self.cpu = cpu_seconds(pids)


@contextlib.contextmanager
def running(bench, peer, site, tool=()):
    """The peer as it serves a site; stopped at the end."""
    program = peer.start(bench, site, tool)
    try:
        yield program
        if not program.is_running:
            raise Failure("it was not to end yet")
    except Failure as failure:
        if program.is_running:
            raise
        # Whatever was noticed first, this is why.
        raise Failure(f"{failure}; {peer.name} ended with {program.process.returncode}:\n"
                      f"{program.tail()}") from None
    finally:
        program.stop()


def suspicions(samples):
    """What makes the samples of a peer doubtful, in words; the worst of each kind."""
    errors = sum(sum(sample.get("errors", {}).values()) for sample in samples)
    if errors:
        yield f"{errors} errors of requests or connections; --verbose and --json tell which"
    samples = [sample for sample in samples if "originRequests" in sample]
    if not samples:
        return
    # The load's requests at one time may each have needed one of their own.
    needed = 2 * max(CONCURRENCY, HTTP2_CONNECTIONS * HTTP2_STREAMS)
    fresh = max((sample["originConnections"] - needed) / sample["requests"]
                for sample in samples)
    if fresh > NEW_CONNECTIONS_MAX:
        yield f"{fresh:.0%} of the requests went to the origin on a new connection"
    reached = min(sample["originRequests"] / sample["requests"] for sample in samples)
    if reached < 0.99:
        yield f"only {reached:.0%} of the requests reached the origin"
    for name, limit, who in (("otherShare", 0.05, "other programs"),
                             ("stolenShare", 0.02, "the hypervisor")):
        share = max(sample[name] for sample in samples)
        if share > limit:
            yield f"noisy: {who} used up to {share:.0%} of the proxy's core"


SCENARIOS = {scenario.name: scenario for scenario in [
    LoadScenario("keepalive-100", "keep-alive, 64 connections, 100-octet body", path="/"),
    LoadScenario("keepalive-10k", "keep-alive, 64 connections, 10 kB body", path="/10k"),
    LoadScenario("keepalive-100k", "keep-alive, 64 connections, 100 kB body", path="/100k"),
    LoadScenario("keepalive-1m", "keep-alive, 64 connections, 1 MB body", path="/1m"),
    LoadScenario("connections", "a connection per request, 64 at a time, 100-octet body",
                 headers=("Connection: close",)),
    LoadScenario("single", "one connection, one request at a time, 100-octet body", connections=1),
    LoadScenario("post-10k", "POST of 10 kB, keep-alive, 64 connections, 100-octet answer",
                 script="post.lua"),
    HTTP2Scenario("h2-100", "HTTP/2 down, HTTP/1.1 up, 16 connections of 32 streams, 100-octet body"),
    HTTP2Scenario("h2-10k", "HTTP/2 down, HTTP/1.1 up, 16 connections of 32 streams, 10 kB body",
                  path="/10k"),
    LoadScenario("routes-10", "10 routes (1 host x 10 prefixes), keep-alive, 100-octet body",
                 site=Site(hosts=1, prefixes=10)),
    LoadScenario("routes-1000", "1,000 routes (100 hosts x 10 prefixes), keep-alive, 100-octet body",
                 site=Site(hosts=100, prefixes=10)),
    LoadScenario("routes-10000",
                 "10,000 routes (1,000 hosts x 10 prefixes), keep-alive, 100-octet body",
                 site=Site(hosts=1000, prefixes=10)),
    LoadScenario("routes-50000",
                 "50,000 routes (5,000 hosts x 10 prefixes), keep-alive, 100-octet body",
                 site=Site(hosts=5000, prefixes=10)),
    LoadScenario("rewrite", "another path, ten fields changed, Location mapped; keep-alive, 100-octet body",
                 path=PRODUCTS + "/8", site=Site(edits=True)),
    LoadScenario("rewrite-none", "the same request and response, passed as they are", path=ITEMS + "/8",
                 site=Site(edits=False)),
    IdleScenario("idle",
                 f"memory of {IDLE_CONNECTIONS:,} idle keep-alive connections, one request each",
                 kind="idle"),
    LoadScenario("tls-100", "TLS 1.3, keep-alive, 64 connections, 100-octet body", site=Site(tls=True)),
    LoadScenario("tls-100k", "TLS 1.3, keep-alive, 64 connections, 100 kB body", path="/100k", site=Site(tls=True)),
    HTTP2Scenario("tls-h2-100", "HTTP/2 over TLS, 16 connections of 32 streams, 100-octet body", site=Site(tls=True)),
    HTTP2Scenario("tls-h2-10k", "HTTP/2 over TLS, 16 connections of 32 streams, 10 kB body", path="/10k",
                  site=Site(tls=True)),
    LoadScenario("tls-handshake", "a full handshake (TLS 1.3, ECDSA P-256) per request, 64 at a time",
                 headers=("Connection: close",), site=Site(tls=True)),
    ResumingScenario("tls-resumed", "a resumed handshake (TLS 1.3) per request, 4 at a time"),
    IdleScenario("tls-idle", f"memory of {IDLE_CONNECTIONS:,} idle connections with TLS, one request each",
                 kind="idle", site=Site(capacity=IDLE_CONNECTIONS + 1000, tls=True)),
    QueueScenario("slow-endpoint", "five endpoints, one ten times slower: powerOfTwo and latency (weir-latency) beside "
                  "least_conn and leastconn; 16 connections", connections=16),
    QueueScenario("slow-endpoint-4", "the same with 4 connections", connections=4),
    ChoicesScenario("choices-1000", "choosing among 1,000 endpoints of many weights, 500 requests in flight",
                    kind="choices"),
    ChoicesScenario("choices-5", "the same among five", kind="choices", endpoints=5),
    OverloadScenario("overload", "a proxy that shares its core, 1,000 connections: asked for 5 times what it can",
                     kind="overload"),
    OverloadScenario("overload-5000", "the same with 5,000 connections", kind="overload", connections=5000),
    RestScenario("rest", "memory at rest, after the start", kind="rest"),
]}
