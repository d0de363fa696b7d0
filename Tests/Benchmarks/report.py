"""The tables."""

import statistics

# The figure of each kind of scenario, which the ratio is of.
FIGURES = {"cpu": "cpuMicroseconds", "idle": "connectionKiB", "rest": "residentKiB",
           "choices": "slowest", "overload": "goodputShare"}

LEGEND = """\
CPU: user and system time of all of the proxy's processes per answered request, median of the rounds.
ratio: this peer's figure by the smaller one of nginx's and HAProxy's; below 1.00 is less than both.
user: the share of that time in user space. RSS: of all its processes, while the load runs.
core: how busy the proxy kept its core; where it is not full, load and origin set the pace.
share, of overload: what is answered when asked for five times what it can, of the most that is answered at any rate.
"""


def median(samples, name):
    return statistics.median(sample[name] for sample in samples)


def summarise(kind, samples):
    """The medians of all figures of a peer's samples, and the range of the main one."""
    figure = FIGURES[kind]
    names = [name for name, value in samples[0].items() if isinstance(value, (int, float))]
    return {"median": {name: median(samples, name) for name in names},
            "minimum": min(sample[figure] for sample in samples),
            "maximum": max(sample[figure] for sample in samples)}


def bar(kind, summaries, bars):
    """The better figure of nginx and HAProxy, or None when neither was measured."""
    return min((summary["median"][FIGURES[kind]]
                for name, summary in summaries.items() if name in bars), default=None)


def table(scenario, summaries, bars):
    """The table of a scenario, a row per peer."""
    best = bar(scenario.kind, summaries, bars)
    rows = [HEADS[scenario.kind]]
    for name, summary in summaries.items():
        figure = summary["median"][FIGURES[scenario.kind]]
        ratio = f"{figure / best:.2f}" if best and best > 0 else "-"
        rows.append([name, *CELLS[scenario.kind](summary, ratio)])
    return aligned(rows)


def mib(kib):
    return f"{kib / 1024:.1f}"


def cpu_cells(summary, ratio):
    middle = summary["median"]
    return [f"{middle['cpuMicroseconds']:.2f}",
            f"{summary['minimum']:.2f}-{summary['maximum']:.2f}", ratio,
            f"{middle['requestsPerSecond']:,.0f}",
            f"{middle['p50Milliseconds']:.2f}", f"{middle['p99Milliseconds']:.2f}",
            mib(middle["residentKiB"]), f"{middle['userShare']:.0%}", f"{middle['coreShare']:.0%}"]


def idle_cells(summary, ratio):
    middle = summary["median"]
    return [f"{middle['connectionKiB']:.2f}",
            f"{summary['minimum']:.2f}-{summary['maximum']:.2f}", ratio,
            mib(middle["residentKiBBefore"]), mib(middle["residentKiB"])]


def rest_cells(summary, ratio):
    middle = summary["median"]
    return [mib(middle["residentKiB"]),
            f"{mib(summary['minimum'])}-{mib(summary['maximum'])}", ratio,
            mib(middle["proportionalKiB"]), f"{middle['processes']:.0f}"]


def choices_cells(summary, _):
    middle = summary["median"]
    return [f"{middle[name]:.0f}" for name in WAYS] + [f"{middle['hashTable'] / 1e6:.0f}"]


def overload_cells(summary, _):
    middle = summary["median"]
    return [f"{middle['peak']:,.0f}", f"{middle['answered']:,.0f}", f"{middle['goodputShare']:.0%}",
            f"{summary['minimum']:.0%}-{summary['maximum']:.0%}", f"{middle['answeredP99']:.0f}",
            f"{middle['refused']:,.0f}", f"{middle['refusedP99']:.0f}", mib(middle["residentKiB"])]


# Nanoseconds of a choice by each way of balancing, as balancer-speed writes them.
WAYS = ["roundRobin", "leastRequests", "powerOfTwo", "latency", "hash", "random"]
HEADS = {
    "choices": ["ns per choice", *WAYS, "hash table ms"],
    "cpu": ["peer", "CPU us/request", "min-max", "ratio", "requests/s", "p50 ms", "p99 ms",
            "RSS MiB", "user", "core"],
    "idle": ["peer", "KiB/connection", "min-max", "ratio", "RSS MiB before", "RSS MiB after"],
    "overload": ["peer", "peak/s", "answered/s", "share", "min-max", "p99 ms", "refused/s", "p99 ms", "most RSS MiB"],
    "rest": ["peer", "RSS MiB", "min-max", "ratio", "PSS MiB", "processes"],
}
CELLS = {"choices": choices_cells, "cpu": cpu_cells, "idle": idle_cells, "rest": rest_cells,
         "overload": overload_cells}


def growth(results):
    """What 10,000 routes cost over 10, when both were measured; else nothing."""
    few, many = (results.get(name, {}) for name in ("routes-10", "routes-10000"))
    rows = [["peer", "10 routes", "10,000 routes", "difference us", "factor"]]
    for name in few:
        if name in many:
            low, high = (found[name]["median"]["cpuMicroseconds"] for found in (few, many))
            rows.append([name, f"{low:.2f}", f"{high:.2f}", f"{high - low:+.2f}",
                         f"{high / low:.2f}"])
    return aligned(rows) if len(rows) > 1 else ""


def aligned(rows):
    """Rows of cells as text: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
