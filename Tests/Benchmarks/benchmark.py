"""Compares Weir's node with Debian's nginx and HAProxy on one machine, in one run.

One worker of each proxy on one core, load (wrk) and origin (nginx) on another, all in a network
namespace of their own, the peers one after the other in every round, the median over the rounds.
The figure is the proxy's CPU time per request, which the noise of a machine moves least; ratios
mean more than absolute numbers.
"""

import argparse
import json
import math
import pathlib
import signal
import subprocess
import sys
import time

import counting
import report
from bench import Bench, Failure, machine
from peers import Origin, all_peers
from scenarios import SCENARIOS, WARM_UP_SECONDS, LoadScenario, suspicions

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT_PEERS = ["weir", "nginx", "haproxy"]
# What a measurement takes besides the load: start, warm-up and end.
OTHER_SECONDS = 2.5
BUILD = ["swift", "build", "-c", "release", "--static-swift-stdlib"]


def arguments():
    """The command line."""
    peers = all_peers(None)
    listing = "\n".join(f"  {name:16}{scenario.title}" for name, scenario in SCENARIOS.items())
    variants = ", ".join(name for name in peers if name not in DEFAULT_PEERS)
    parser = argparse.ArgumentParser(
        prog="./Tests/benchmark.sh", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"scenarios (without a name: all of them):\n{listing}\n\n{report.LEGEND}")
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="what to measure; see below")
    add("--rounds", type=positive, default=5, metavar="N", help="measurements per peer (5)")
    add("--seconds", type=positive, default=4, metavar="S", help="length of a measurement (4)")
    add("--peers", type=lambda text: text.split(","), default=DEFAULT_PEERS, metavar="A,B,...",
        help=f"who takes part ({','.join(DEFAULT_PEERS)}); also {variants}")
    add("--bin", type=pathlib.Path, metavar="DIR",
        help="folder of proxy-node and proxyctl; without it they are built for release")
    add("--json", type=pathlib.Path, metavar="FILE", help="write every sample to a file")
    add("--verbose", action="store_true", help="show commands and every sample")
    modes = parser.add_argument_group("counting instead of timing (scenarios with keep-alive only)")
    mode = modes.add_mutually_exclusive_group()
    mode.add_argument("--strace", action="store_true", help="count system calls per request")
    mode.add_argument("--callgrind", action="store_true",
                      help="count instructions per request in user space")
    modes.add_argument("--requests", type=positive, default=2000, metavar="N",
                       help="requests to count over (2000)")
    modes.add_argument("--save", type=pathlib.Path, metavar="DIR",
                       help="keep callgrind's profiles in a folder")
    options = parser.parse_args()
    for kind, names, known in (("scenario", options.scenarios, SCENARIOS),
                               ("peer", options.peers, peers)):
        unknown = [name for name in names if name not in known]
        if unknown:
            parser.error(f"no {kind} is called {', '.join(map(repr, unknown))}: {', '.join(known)}")
    return options


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def build():
    """Builds the programs for release and returns their folder."""
    for product in ("proxy-node", "proxyctl", "balancer-speed"):
        command = [*BUILD, "--product", product]
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
            raise Failure(f"{product} does not build; --peers nginx,haproxy leaves Weir out")
    shown = subprocess.run([*BUILD, "--show-bin-path"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                           check=True)
    return pathlib.Path(shown.stdout.strip())


def present(bench, options, binaries):
    """The wanted peers that can take part, by name; says which cannot."""
    peers = {}
    for name, peer in all_peers(binaries).items():
        if name not in options.peers:
            continue
        reason = peer.missing()
        if reason:
            bench.note(f"{name} is left out: {reason}")
        else:
            peers[name] = peer
    if not peers:
        raise Failure("no peer is left")
    return peers


class Comparison:
    """The scenarios, measured round by round, with what came out."""

    def __init__(self, bench, options, peers):
        self.bench = bench
        self.options = options
        self.peers = peers
        self.bars = {name for name, peer in peers.items() if peer.is_bar}
        self.origin = Origin(bench)
        self.summaries = {}
        self.failures = []
        self.record = {
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(bench),
            "method": {"rounds": options.rounds, "seconds": options.seconds,
                       "warmUpSeconds": WARM_UP_SECONDS},
            "versions": {name: peer.version(bench) for name, peer in peers.items()},
            "scenarios": {}}

    def run(self, scenario):
        """Measures one scenario and prints its table."""
        rounds = scenario.rounds(self.options.rounds)
        names = [name for name in self.peers if scenario.only in (None, name)]
        if not names:
            return
        samples = {name: [] for name in names}
        broken = {}
        for turn in range(rounds):
            # Every peer is first as often as the others.
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                if name not in broken:
                    self.measure(scenario, name, f"round {turn + 1} of {rounds}", samples, broken)
        summaries = {name: report.summarise(scenario.kind, found) for name, found in samples.items()
                     if found and name not in broken}
        self.summaries[scenario.name] = summaries
        self.record["scenarios"][scenario.name] = {
            "title": scenario.title, "failures": broken,
            "peers": {name: {**summary, "samples": samples[name]}
                      for name, summary in summaries.items()}}
        self.write()
        print(f"\n{scenario.name}: {scenario.title}; {rounds} rounds")
        if summaries:
            print(report.table(scenario, summaries, self.bars))
        for name, found in samples.items():
            for text in suspicions(found):
                print(f"  {name}: {text}")
        for name, reason in broken.items():
            print(f"  {name}: no figure: {reason}")
        sys.stdout.flush()

    def measure(self, scenario, name, where, samples, broken):
        """Takes one sample; a peer that fails is out of this scenario."""
        if sys.stderr.isatty() or self.options.verbose:
            self.bench.note(f"{scenario.name}: {where}: {name}")
        try:
            sample = scenario.measure(self.bench, self.origin, self.peers[name],
                                      self.options.seconds)
        except Failure as failure:
            broken[name] = str(failure)
            self.failures.append(f"{scenario.name}: {name}")
            return
        samples[name].append(sample)
        if self.options.verbose:
            self.bench.note(json.dumps(sample))

    def write(self):
        """Writes what is known so far, so that an interrupted run has not been for nothing."""
        if self.options.json:
            self.options.json.write_text(json.dumps(self.record, indent=2) + "\n")


def compare(bench, options, peers, chosen):
    """The comparison by time; returns the exit code."""
    comparison = Comparison(bench, options, peers)
    record = comparison.record
    print(", ".join(f"{name} {version}".strip() for name, version in record["versions"].items()))
    where = record["machine"]
    print(f"{where['cpu']}, kernel {where['kernel']}; proxy on core {where['proxyCore']}, "
          f"load and origin on core {where['loadCore']}; {options.seconds} s per measurement")
    if where["coresAreHardwareThreadsOfOne"]:
        print("the two cores are hardware threads of one core: load and proxy slow each other down")
    measurements = len(peers) * sum(scenario.rounds(options.rounds) for scenario in chosen)
    minutes = math.ceil(measurements * (options.seconds + OTHER_SECONDS) / 60)
    bench.note(f"{measurements} measurements, about {minutes} min")
    for scenario in chosen:
        comparison.run(scenario)
    growth = report.growth(comparison.summaries)
    if growth:
        print(f"\nCPU us/request by number of routes\n{growth}")
    print(f"\n{report.LEGEND}", end="")
    if comparison.failures:
        bench.note(f"without a figure: {'; '.join(comparison.failures)}")
    return 1 if comparison.failures else 0


def count(bench, options, peers, chosen):
    """Counts system calls or instructions; returns the exit code."""
    Origin(bench)
    record = {}
    failed = False
    for scenario in chosen:
        found = record.setdefault(scenario.name, {})
        listings = {}
        for name, peer in peers.items():
            try:
                if options.strace:
                    found[name] = counting.syscalls(bench, peer, scenario, options.requests)
                else:
                    found[name], listings[name] = counting.instructions(
                        bench, peer, scenario, options.requests, options.save)
            except Failure as failure:
                bench.note(f"{scenario.name}: {name}: {failure}")
                failed = True
        print(f"\n{scenario.name}: {scenario.title}; {options.requests} requests")
        if options.strace and found:
            print(counting.syscall_table(found))
        elif found:
            rows = [[name, f"{number:,.0f}"] for name, number in found.items()]
            print(report.aligned([["peer", "instructions/request"], *rows]))
            for name, listing in listings.items():
                print(f"\n{name}, instructions of each function over all requests\n{listing}")
        sys.stdout.flush()
    if options.json:
        counts = {"requests": options.requests, "scenarios": record}
        options.json.write_text(json.dumps(counts, indent=2) + "\n")
    return 1 if failed else 0


def scenarios_of(options):
    """The scenarios that were asked for."""
    counted = options.strace or options.callgrind
    names = options.scenarios or (["keepalive-100"] if counted else list(SCENARIOS))
    chosen = [SCENARIOS[name] for name in names]
    if counted:
        for scenario in chosen:
            if not isinstance(scenario, LoadScenario) or scenario.headers:
                raise Failure(f"{scenario.name} cannot be counted, only load on keep-alive can")
    return chosen


def interrupt(number, _):
    """Ends the run in order, on Ctrl-C and on the signals that ask for the same."""
    raise KeyboardInterrupt(number)


def main():
    options = arguments()
    # SIGINT too: a shell that starts this in the background has it ignored otherwise.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        chosen = scenarios_of(options)
        for path in (options.json, options.save):
            if path and not path.parent.is_dir():
                raise Failure(f"{path.parent} is no folder")
        if options.save:
            options.save.mkdir(exist_ok=True)
        binaries = options.bin
        if binaries is None and any(name.startswith("weir") for name in options.peers):
            binaries = build()
        with Bench(options.verbose) as bench:
            peers = present(bench, options, binaries)
            act = count if options.strace or options.callgrind else compare
            return act(bench, options, peers, chosen)
    except Failure as failure:
        print(f"benchmark: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark: interrupted; all that was started has been stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
