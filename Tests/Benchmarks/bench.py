"""The place where servers are compared: a network namespace, two cores, and programs on them."""

import contextlib
import ctypes
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CLONE_NEWNET = 0x40000000
# What a proxy with 10,000 clients may use, and this process for the other end of them.
DESCRIPTORS = 65536
STOP_SECONDS = 10
# The niceness beside which one of 0 gets four times as much: 1.25 for each step.
RIVALRY = 6
# What differs from the kernel's defaults inside the namespace. BBR's pacing adds several per cent
# of noise on loopback; the ports let a connection per request run for minutes, and stay clear of
# those that servers bind.
SETTINGS = {"net/ipv4/tcp_congestion_control": "reno", "net/ipv4/ip_local_port_range": "10240 65535"}
# Recorded beside the figures, because they move them.
RECORDED = ["net/ipv4/tcp_congestion_control", "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem",
            "net/core/somaxconn"]


class Failure(Exception):
    """Something that the harness cannot do, in words for the person who runs it."""


class Bench:
    """The namespace, the cores, a temporary folder and everything that was started.

    As a context it enters a network namespace of its own, which ends with this process, and stops
    all programs at the end. One core is the proxy's alone; origin, load generator and this process
    share the other.
    """

    def __init__(self, verbose=False):
        self.verbose = verbose
        self.programs = []
        self.load_core, self.proxy_core = choose_cores()
        self.closing = contextlib.ExitStack()
        self.folder = None

    def __enter__(self):
        enter_namespace()
        os.sched_setaffinity(0, {self.load_core})
        raise_descriptors()
        self.folder = pathlib.Path(
            self.closing.enter_context(tempfile.TemporaryDirectory(prefix="weir-benchmark-")))
        return self

    def __exit__(self, *_):
        # A second Ctrl-C must not interrupt the stopping of what was started.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for program in reversed(self.programs):
            program.stop()
        self.closing.close()

    def note(self, text):
        """Says something on stderr that is no result."""
        print(text, file=sys.stderr, flush=True)

    def show(self, command):
        """Shows a command about to be run, with --verbose."""
        if self.verbose:
            self.note("+ " + shlex.join(map(str, command)))

    def start(self, name, command, core):
        """Starts a program in the background, pinned to a core."""
        program = Program(self, name, command, core)
        self.programs.append(program)
        return program

    @contextlib.contextmanager
    def rival(self, pids):
        """Has something else work on the proxy's core, which leaves the proxy about a fifth of it."""
        for pid in pids:
            os.setpriority(os.PRIO_PROCESS, pid, RIVALRY)
            # Where the kernel groups processes by session, it is the group's that counts.
            with contextlib.suppress(OSError):
                pathlib.Path(f"/proc/{pid}/autogroup").write_text(str(RIVALRY))
        program = self.start("rival", [sys.executable, "-c", "while True: pass"], self.proxy_core)
        try:
            yield
        finally:
            program.stop()

    def run(self, command, seconds, check=True):
        """Runs a command to its end and returns what it did; it fails after `seconds`."""
        command = [str(part) for part in command]
        self.show(command)
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=seconds, cwd=self.folder, start_new_session=True,
                                  check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"{command[0]} did not end within {seconds} s") from None
        if check and done.returncode != 0:
            raise Failure(f"{shlex.join(command)} ended with {done.returncode}:\n"
                          f"{done.stdout}{done.stderr}")
        return done


class Program:
    """A program in the background, its output in a file. Stopped by pid, with all its children."""

    def __init__(self, bench, name, command, core):
        self.bench = bench
        self.name = name
        self.log = bench.folder / f"{name}-{len(bench.programs)}.log"
        command = pinned(command, core)
        bench.show(command)
        with open(self.log, "wb") as log:
            # A session of its own, because Ctrl-C is for the harness, which then stops the rest in
            # order.
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, cwd=bench.folder, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process.poll() is None

    def output(self):
        return self.log.read_text("utf-8", "replace")

    def wait_until(self, condition, what, seconds):
        """Polls until `condition` returns something true, which is returned."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if not self.is_running:
                raise Failure(f"{self.name} ended with {self.process.returncode} before {what}:\n"
                              f"{self.tail()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: not within {seconds} s: {what}\n{self.tail()}")
            time.sleep(0.01)

    def wait(self, seconds):
        """Waits for the program's own end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s:\n{self.tail()}") from None

    def tail(self, characters=2000):
        return self.output()[-characters:].strip() or "(it wrote nothing)"

    def stop(self, number=signal.SIGTERM):
        """Ends the program and whatever it started; does nothing when it has ended."""
        family = [(pid, started_at(pid)) for pid in processes(self.pid)] if self.is_running else []
        if self.is_running:
            self.process.send_signal(number)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid, start in family:
            if start is not None and started_at(pid) == start:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self in self.bench.programs:
            self.bench.programs.remove(self)


def pinned(command, core):
    """The command on one core, ending even when the harness is killed and can stop nothing."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", core, *command]


def choose_cores():
    """The core of load and origin, and the proxy's: if possible no hardware thread of the same."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Failure("two cores are needed: one for the proxy, one for load and origin")
    others = [core for core in cores[1:] if core not in siblings_of(cores[0])]
    return cores[0], (others or cores[1:])[0]


def siblings_of(core):
    """The hardware threads of a core, of which the kernel makes cores, such as {0, 1, 8}."""
    path = pathlib.Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    numbers = set()
    # It holds ranges: 0-1,8
    for part in path.read_text().strip().split(",") if path.exists() else []:
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def enter_namespace():
    """Moves this process into a network namespace of its own, with a loopback and our settings."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise Failure(f"no network namespace: {reason}. The comparison needs root.")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, value in SETTINGS.items():
        path = pathlib.Path("/proc/sys", name)
        try:
            path.write_text(value)
        except OSError as failure:
            raise Failure(f"{path} cannot be set to '{value}': {failure.strerror}") from None


def raise_descriptors():
    """Raises RLIMIT_NOFILE, as far as it goes, for this process and all that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (DESCRIPTORS, min(hard, DESCRIPTORS)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            break


def machine(bench):
    """What the figures were measured on."""
    model = ""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    read = lambda name: " ".join(pathlib.Path("/proc/sys", name).read_text().split())
    shared = bench.proxy_core in siblings_of(bench.load_core)
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release,
            "proxyCore": bench.proxy_core, "loadCore": bench.load_core,
            "coresAreHardwareThreadsOfOne": shared,
            "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "settings": {name.replace("/", "."): read(name) for name in RECORDED}}


def find_program(name):
    """The path of a system program, also where only root's PATH looks; None when it is missing."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")


# What the kernel says about processes and cores


def status_fields(pid):
    """(parent, start, user, system) of a process, times in ticks; None when there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), int(fields[19]), int(fields[11]), int(fields[12])


def started_at(pid):
    """When a process started, in ticks since boot: with the pid it names one for good."""
    fields = status_fields(pid)
    return fields[1] if fields else None


def processes(pid):
    """The pid and those of all its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = status_fields(entry)
            if fields:
                parents.setdefault(fields[0], []).append(int(entry))
    family = [pid]
    for member in family:
        family.extend(parents.get(member, []))
    return family


def cpu_seconds(pids):
    """User and system time of processes, all their threads, ended ones too, to the nanosecond.

    The kernel keeps a CPU clock of every process (clock_getcpuclockid(3)); /proc/PID/stat has the
    same in steps of 10 ms. Work in interrupts on loopback is done by whoever sends, and so is part
    of it.
    """
    try:
        return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids) / 1e9
    except OSError:
        raise Failure("a process of the proxy ended during the measurement") from None


def user_and_system_ticks(pids):
    """(user, system) time of processes in ticks: too coarse for a figure, not for their ratio."""
    fields = [found for found in map(status_fields, pids) if found]
    return sum(found[2] for found in fields), sum(found[3] for found in fields)


def memory_kib(pids, name="VmRSS", file="status"):
    """Memory of processes in KiB, summed; pages that they share count once for each, but for Pss."""
    try:
        text = "".join(pathlib.Path(f"/proc/{pid}/{file}").read_text() for pid in pids)
    except OSError:
        raise Failure("a process of the proxy ended during the measurement") from None
    return sum(int(kib) for kib in re.findall(rf"^{name}:\s+(\d+) kB$", text, re.M))


def core_seconds(core):
    """(busy, stolen) seconds of a core since boot; stolen is what the hypervisor gave to others."""
    tick = os.sysconf("SC_CLK_TCK")
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, interrupt, soft, steal = map(int, values[:8])
            return (user + nice + system + interrupt + soft) / tick, steal / tick
    raise Failure(f"/proc/stat has no cpu{core}")
