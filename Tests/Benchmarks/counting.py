"""System calls and instructions per request, which do not depend on how busy the machine is.

Both are counted over a known number of requests on connections that are already open and warm. The
tools slow the proxy down, and all connections send at once, so that more of them are ready per
wake-up than under real load: the share of epoll_wait is a lower bound.
"""

import re
import shutil
import signal

from bench import Failure, find_program, processes
from load import CONCURRENCY, connections, exchange, insecure, probe
from report import aligned
from scenarios import running

TOOL_SECONDS = 60
FUNCTIONS_SHOWN = 12


def syscalls(bench, peer, scenario, count):
    """System calls per request by name, from strace attached to the running proxy."""
    with running(bench, peer, scenario.site) as program:
        requests = scenario.requests()
        context = insecure() if scenario.site.tls else None
        probe(peer.port, requests[0], scenario.length(), context)
        with connections(peer.port, CONCURRENCY, requests, context) as opened:
            exchange(opened, requests, 2 * CONCURRENCY)
            pids = processes(program.pid)
            report = bench.folder / f"strace-{peer.name}.txt"
            command = ["strace", "-c", "-f", "-o", report]
            for pid in pids:
                command += ["-p", pid]
            tool = bench.start("strace", command, bench.load_core)
            tool.wait_until(lambda: tool.output().count(" attached") >= len(pids),
                            "it is attached", TOOL_SECONDS)
            exchange(opened, requests, count)
            # strace detaches and writes its table when it is interrupted.
            tool.stop(signal.SIGINT)
    calls = {}
    for line in report.read_text().splitlines():
        match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
        if match and match.group(2) != "total":
            calls[match.group(2)] = int(match.group(1)) / count
    if not calls:
        raise Failure(f"strace counted nothing:\n{tool.tail()}")
    return calls


def instructions(bench, peer, scenario, count, save=None):
    """(instructions per request in user space, the functions that cost most), from callgrind."""
    meeting = f"--vgdb-prefix={bench.folder}/vgdb"
    profile = bench.folder / f"callgrind-{peer.name}-{scenario.name}"
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", meeting,
                f"--callgrind-out-file={profile}"]
    with running(bench, peer, scenario.site, valgrind) as program:
        requests = scenario.requests()
        context = insecure() if scenario.site.tls else None
        probe(peer.port, requests[0], scenario.length(), context)
        with connections(peer.port, CONCURRENCY, requests, context) as opened:
            exchange(opened, requests, 2 * CONCURRENCY)
            control = ["vgdb", meeting, f"--pid={program.pid}"]
            # The start is not counted: counting begins here and ends with the dump.
            bench.run([*control, "instrumentation", "on"], TOOL_SECONDS)
            exchange(opened, requests, count)
            bench.run([*control, "dump"], TOOL_SECONDS)
    # callgrind numbers what it writes before the end.
    file = profile.with_name(profile.name + ".1")
    if not file.exists():
        raise Failure(f"callgrind wrote nothing:\n{program.tail()}")
    if save:
        shutil.copy(file, save / profile.name)
    return cost_of(file) / count, functions(bench, file)


def cost_of(file):
    """The sum of instructions in one of callgrind's files."""
    for line in file.read_text("utf-8", "replace").splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise Failure(f"{file.name} has no sum")


def functions(bench, file):
    """The functions with the highest cost of their own."""
    if find_program("callgrind_annotate") is None:
        return ""
    done = bench.run(["callgrind_annotate", "--auto=no", file], TOOL_SECONDS, check=False)
    lines = [line for line in done.stdout.splitlines()
             if re.match(r"\s*[\d,]+ \(\s*[\d.]+%\)\s+\S+", line)]
    # The first is the total.
    return "\n".join(line[:150] for line in lines[1:FUNCTIONS_SHOWN + 1])


def syscall_table(counts):
    """A row per system call, a column per peer; without what is rarer than one in 1,000 requests."""
    names = sorted({name for calls in counts.values() for name in calls},
                   key=lambda name: -max(calls.get(name, 0) for calls in counts.values()))
    rows = [["calls per request", *counts]]
    for name in names:
        cells = [calls.get(name, 0) for calls in counts.values()]
        if max(cells) >= 0.001:
            rows.append([name, *(f"{cell:.3f}" if cell else "-" for cell in cells)])
    rows.append(["all", *(f"{sum(calls.values()):.3f}" for calls in counts.values())])
    return aligned(rows)
