"""What the integration and fleet tests stand on: the real programs, scripted peers and a proxyctl runner.

WEIR_BIN names the folder of the binaries (default: .build/debug). Everything runs on loopback in a temporary
folder, on ports that the system chose; whatever a test started is stopped by its pid, and when a test fails,
the logs of its programs are part of the report.
"""

import collections
import contextlib
import ctypes
import functools
import json
import os
import pathlib
import signal
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
import yaml

from tls import Certificates, SharedTLS

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("WEIR_BIN") or ROOT / ".build" / "debug")
# Generous, because a loaded CI machine is slow; a passing test waits for none of them.
READY_SECONDS = 30
PEER_SECONDS = 15
# With WEIR_TEST_TLS=1, nodes alone terminate TLS on every listener of HTTP, and the clients of the tests speak it there.
TLS_EVERYWHERE = os.environ.get("WEIR_TEST_TLS") == "1"


def until(condition, what, seconds=15.0):
    """Polls `condition` until it returns something true, which is returned; `what` names it when it never does.

    This is the only place where the tests wait for time to pass.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(0.01)


# Programs


class Program:
    """One process with its output in files. Stopped by pid, never by name."""

    def __init__(self, name, arguments, folder, prefix=(), environment=None):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.offset = err.tell()
            self.process = subprocess.Popen([*prefix, *self.arguments], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, env=environment, cwd=folder)

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process.poll() is None

    def stderr(self):
        """What this process (not one before it of the same name) wrote to stderr."""
        return self.written(self.err, self.offset)

    def stdout(self):
        """What it and those before it of the same name wrote to stdout."""
        return self.written(self.out, 0)

    def written(self, path, offset):
        """A file's text from an offset on, without a line that is being written."""
        has_ended = not self.is_running
        with open(path, "rb") as file:
            file.seek(offset)
            octets = file.read()
        return (octets if has_ended else octets[:octets.rfind(b"\n") + 1]).decode("utf-8", "replace")

    def ready(self, seconds=READY_SECONDS):
        """Waits for the `ready` line and returns its fields: {'admin': ('127.0.0.1', 4711), ...}."""

        def line():
            text = self.stderr()
            for candidate in text.splitlines():
                if candidate.startswith("ready"):
                    return candidate
            if not self.is_running:
                raise AssertionError(f"{self.name} ended with {self.process.returncode} before it was ready:\n{text}")
            return None

        fields = dict(part.split("=", 1) for part in until(line, f"{self.name} is ready", seconds).split()[1:])
        return {key: address(value) for key, value in fields.items() if ":" in value}

    def processor_seconds(self):
        """The time that it was on processors: what it does, whatever else the machine has to do."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        """The numbers of its open descriptors."""
        return os.listdir(f"/proc/{self.pid}/fd")

    def signal(self, number):
        if self.is_running:
            self.process.send_signal(number)

    def kill(self):
        """Ends the process at once, as a crash would."""
        self.signal(signal.SIGKILL)
        return self.process.wait(PEER_SECONDS)

    def stop(self, seconds=PEER_SECONDS):
        """SIGTERM, then the exit code; killed if it does not end in time."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM") from None

    def dispose(self):
        """Ends the process without a word, at the end of a test."""
        if self.is_running:
            self.process.kill()
            self.process.wait(PEER_SECONDS)


def address(text):
    """('127.0.0.1', 80) of '127.0.0.1:80'."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class Result:
    """How a run of proxyctl ended."""

    def __init__(self, completed):
        self.arguments = completed.args
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"{' '.join(map(str, self.arguments))}\nexit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


def run_proxyctl(*arguments, code=0, text_input=None, environment=None, folder=None, seconds=120):
    """Runs proxyctl to its end and checks its exit code, unless `code` is None."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PROXYCTL", "NO_COLOR"))}
    completed = subprocess.run([BIN / "proxyctl", *map(str, arguments)], input=text_input, text=True,
                               stdin=subprocess.DEVNULL if text_input is None else None, capture_output=True,
                               timeout=seconds, env={**clean, "HOME": str(folder or "/nonexistent"),
                                                     **(environment or {})}, cwd=folder)
    result = Result(completed)
    if code is not None:
        assert result.code == code, f"expected exit {code}:\n{result!r}"
    return result


class Workspace:
    """The temporary folder of one test and everything that the test started in it."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = []
        self.closing = contextlib.ExitStack()
        self.counts = collections.Counter()

    def start(self, name, *arguments, prefix=(), environment=None):
        program = Program(name, arguments, self.folder, prefix, environment)
        self.programs.append(program)
        return program

    def keep(self, context):
        """Enters a context that is left at the end of the test."""
        return self.closing.enter_context(context)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def configuration(self, text):
        """A new file with a configuration."""
        self.counts["configuration"] += 1
        return self.write(f"fleet-{self.counts['configuration']}.yaml", text)

    def close(self):
        for program in self.programs:
            program.dispose()
        self.closing.close()

    def logs(self, characters=6000):
        """(name, tail) of what every program wrote."""
        for path in sorted({path for program in self.programs for path in (program.out, program.err)}):
            text = path.read_text("utf-8", "replace")
            if text:
                yield path.name, text[-characters:]

    # Single node

    def node(self, configuration, name="node", workers=2, prefix=(), arguments=(), certificates=None):
        """A node without a control plane that serves `configuration` (text), with a folder of certificates."""
        if TLS_EVERYWHERE and certificates is None:
            configuration = over_tls(configuration)
            certificates = self.certificates.folder
        if certificates is not None:
            arguments = ["--certificates", certificates, *arguments]
        source = self.configuration(configuration)
        snapshot = source.with_suffix(".snapshot")
        run_proxyctl("compile", source, "--out", snapshot)
        return StandaloneNode(self, name, snapshot, workers, prefix, arguments)

    @functools.cached_property
    def certificates(self):
        """Certificates of this test, with one called `test`."""
        made = Certificates(self.folder / "certificates")
        made.issue("test", "example.test", "*.example.test", "a.test", "localhost", "IP:127.0.0.1")
        return made

    def origin(self, script=None):
        """An origin; without a script it answers what it received, as JSON."""
        return self.keep(Origin(script or answer_with_request))


@pytest.fixture
def workspace(tmp_path):
    """A folder, and the end of everything that was started in it."""
    space = Workspace(tmp_path)
    try:
        yield space
    finally:
        space.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the programs' logs to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    space = getattr(item, "funcargs", {}).get("workspace")
    if report.failed and space is not None:
        for name, text in space.logs():
            report.sections.append((f"log {name}", text))


# TLS


# Addresses at which TLS is spoken because of WEIR_TEST_TLS.
tls_addresses = set()


def speaks_tls(target):
    """Whether TLS is spoken at an address because of WEIR_TEST_TLS."""
    return tuple(target) in tls_addresses


def scheme(target):
    """The scheme of what is served at an address."""
    return "https" if speaks_tls(target) else "http"


def any_server(protocols):
    """What a client needs that believes anybody."""
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(list(protocols))
    return context


def over_tls(configuration):
    """The same configuration with TLS on every listener of HTTP; the text in its own words where there is none."""
    document = yaml.load(configuration, Loader=yaml.BaseLoader)
    listeners = [listener for listener in document.get("listeners") or () if listener.get("protocol", "http") == "http"]
    if not listeners:
        return configuration
    for listener in listeners:
        listener |= {"protocol": "https", "tls": {"certificates": ["test"]}}
        tls_addresses.add(address(listener["address"]))
    document["certificates"] = [{"name": "test", "files": {"certificate": "test.crt", "key": "test.key"}}]
    # Only true and false have a meaning of their own, and only without quotes.
    return re.sub(r"'(true|false)'", r"\1", yaml.safe_dump(document, sort_keys=False))


class StandaloneNode:
    """`proxy-node run --snapshot`."""

    def __init__(self, space, name, snapshot, workers=2, prefix=(), arguments=()):
        self.program = space.start(name, BIN / "proxy-node", "run", "--snapshot", snapshot, "--workers", workers,
                                   "--admin", "127.0.0.1:0", *arguments, prefix=prefix)
        self.admin = self.program.ready()["admin"]

    def get(self, path):
        return get(self.admin, path)

    def access_log(self, count):
        """The access log's records, once there are `count` of them."""

        def records():
            lines = [line for line in self.program.stdout().splitlines() if line.startswith("{")]
            return [json.loads(line) for line in lines] if len(lines) >= count else None

        return until(records, f"{count} records in the access log")


# Ports and sockets


class ReservedPort:
    """A port on loopback that nobody else is given while this lives, and that a node may bind (SO_REUSEPORT).

    The socket is bound and never listens, so it takes no connection from the node's listeners.
    """

    def __init__(self, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind((host, 0))
        self.address = self.socket.getsockname()
        self.host, self.port = self.address

    def __str__(self):
        return f"{self.host}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Peer:
    """One TCP connection, octet for octet, with deadlines on everything."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(PEER_SECONDS)
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    # What a client of this kind offers where TLS is spoken (RFC 7301).
    protocols = ("http/1.1",)

    @classmethod
    def connect(cls, target, tls=None, name="example.test", source=None, before=b""):
        """A connection to `target`; over TLS with a context for it, or where the node has it because of WEIR_TEST_TLS.

        `before` are octets that stand before a handshake: a PROXY header.
        """
        connection = socket.create_connection(target, PEER_SECONDS, source)
        connection.sendall(before)
        if tls is None and speaks_tls(target):
            tls, name = any_server(cls.protocols), None
        if tls is not None:
            tls.sslsocket_class = SharedTLS
            connection = tls.wrap_socket(connection, server_hostname=name)
            connection.share()
        return cls(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def fill(self):
        """Reads once more; False at the end of the stream."""
        octets = self.socket.recv(65536)
        self.buffer += octets
        return bool(octets)

    def take(self, count):
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def gather(self, count=None):
        """Reads on until there are `count` octets, or to the end; whether there are so many.

        What has come is put together once, because on a slow machine doing it each time takes longer than peers wait.
        """
        pieces, length = [self.buffer], len(self.buffer)
        try:
            while count is None or length < count:
                self.buffer = b""
                if not self.fill():
                    return False
                pieces.append(self.buffer)
                length += len(self.buffer)
            return True
        finally:
            self.buffer = b"".join(pieces)

    def read_exactly(self, count):
        if not self.gather(count):
            raise EOFError(f"{count} octets expected, then the end came after {self.buffer!r}")
        return self.take(count)

    def read_until(self, mark):
        """Octets up to and including `mark`."""
        while (index := self.buffer.find(mark)) < 0:
            if not self.fill():
                raise EOFError(f"{mark!r} expected, then the end came after {self.buffer!r}")
        return self.take(index + len(mark))

    def read_to_end(self):
        self.gather()
        return self.take(len(self.buffer))

    def read_head(self):
        """The start line and the fields, names in lower case, of one message; None at a clean end."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                if self.buffer:
                    raise EOFError(f"a head expected, then the end came after {self.buffer!r}")
                return None
        return Head(self.read_until(b"\r\n\r\n"))

    def read_body(self, head):
        """The content of a message with `head`, decoded; of a response to the end if nothing delimits it."""
        if "chunked" in head.get("transfer-encoding", "").lower():
            body = b""
            while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
                body += self.read_exactly(size + 2)[:-2]
            head.trailers = Head(b"\r\n" + self.read_trailers()).fields
            return body
        if (length := head.get("content-length")) is not None:
            return self.read_exactly(int(length))
        return b"" if head.is_request else self.read_to_end()

    def read_trailers(self):
        lines = b""
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            lines += line
        return lines + b"\r\n"

    def read_response(self, method="GET"):
        """The next final response, with its body; interim ones are kept in `interim`."""
        interim = []
        while True:
            head = self.read_head()
            if head is None:
                raise EOFError("a response expected, then the end came")
            if head.status >= 200 or head.status == 101:
                break
            interim.append(head)
        head.interim = interim
        bodiless = method == "HEAD" or head.status in (101, 204, 304)
        head.body = b"" if bodiless else self.read_body(head)
        return head

    def is_closed(self):
        """Whether the other side ends the connection with nothing more to read."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def exchange(self, octets, method="GET"):
        self.send(octets)
        return self.read_response(method)

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def end(self):
        """Says that no more octets come (FIN); reading goes on, over TLS too."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def close(self):
        self.socket.close()


class Head:
    """The head of a message: its start line and the field lines in order."""

    def __init__(self, octets):
        self.octets = octets
        text = octets.decode("latin-1")
        self.start, *lines = text[:-2].split("\r\n")
        self.fields = []
        for line in lines:
            if line:
                name, _, value = line.partition(":")
                self.fields.append((name.lower(), value.strip(" \t")))
        self.body = b""
        self.trailers = []
        self.interim = []

    @property
    def is_request(self):
        return not self.start.startswith("HTTP/")

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def get(self, name, default=None):
        """All values of a field, joined as RFC 9110 §5.3 allows."""
        values = self.all(name)
        return ", ".join(values) if values else default

    def __contains__(self, name):
        return any(key == name for key, _ in self.fields)

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.octets!r} + {self.body[:300]!r}"


def request(method="GET", target="/", host="example.test", fields=(), body=b""):
    """The octets of a request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def get(target, path="/", host="example.test", fields=(), method="GET"):
    """One request on a connection of its own."""
    with Peer.connect(target) as peer:
        return peer.exchange(request(method, path, host, ["Connection: close", *fields]), method)


def is_listening(target):
    """Whether something accepts connections at an address."""
    try:
        socket.create_connection(target, timeout=PEER_SECONDS).close()
        return True
    except OSError:
        return False


# Origins


def answer_with_request(peer, origin):
    """Answers each request with what it was, as JSON, and keeps the connection."""
    while (head := peer.read_head()) is not None:
        head.body = peer.read_body(head)
        origin.requests.append(head)
        answer = json.dumps({"origin": origin.name, "method": head.method, "target": head.target,
                             "fields": head.fields, "body": head.body.decode("latin-1")}).encode()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
                  + (b"" if head.method == "HEAD" else answer))


def answering(octets):
    """A script that answers every request of a connection with the same octets."""

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            head.body = peer.read_body(head)
            origin.requests.append(head)
            peer.send(octets)

    return script


class Origin:
    """An origin server whose every connection is driven by `script(peer, origin)` on a thread of its own.

    `requests` are the heads that scripts recorded, `connections` counts what was accepted, and an exception of a
    script, other than that its peer went away, is raised at the end of the test.
    """

    def __init__(self, script, name="origin", host="127.0.0.1", port=0):
        self.script = script
        self.name = name
        self.requests = []
        self.failures = []
        self.connections = 0
        self.open = set()
        self.listener = socket.create_server((host, port), backlog=512)
        self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __str__(self):
        return f"{self.address[0]}:{self.address[1]}"

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(Peer(connection),), daemon=True).start()

    def serve(self, peer):
        self.open.add(peer)
        try:
            self.script(peer, self)
        except (OSError, EOFError):
            pass  # the proxy closed the connection, which it may
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(failure)
        finally:
            self.open.discard(peer)
            peer.close()

    def stop(self):
        """Refuses connections from now on and ends those that are open."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PEER_SECONDS)
        for peer in list(self.open):
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None and self.failures:
            raise self.failures[0]


# Load


class Load:
    """Clients that send requests one after the other on keep-alive connections, until they are stopped.

    A failure is any answer other than 200, and any connection that ends or fails while a request is under way. A
    connection that announced its end with `Connection: close` is replaced.
    """

    def __init__(self, target, connections=8, path="/", host="example.test"):
        self.target = target
        self.octets = request("GET", path, host)
        self.stopping = threading.Event()
        self.failures = []
        self.counts = [0] * connections
        self.threads = [threading.Thread(target=self.client, args=(index,), daemon=True)
                        for index in range(connections)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until(lambda: self.failures or all(self.counts), "every client of the load got an answer")
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
        """Waits until `count` more requests were answered."""
        goal = self.count + count
        until(lambda: self.failures or self.count >= goal, f"{count} more requests were answered", seconds)

    def client(self, index):
        peer = None
        while not self.stopping.is_set():
            try:
                if peer is None:
                    peer = Peer.connect(self.target)
                head = peer.exchange(self.octets)
                if head.status != 200:
                    self.failures.append(repr(head))
                self.counts[index] += 1
                if "close" in head.get("connection", "").lower():
                    peer.close()
                    peer = None
            except (OSError, EOFError) as failure:
                self.failures.append(repr(failure))
                if peer is not None:
                    peer.close()
                peer = None
        if peer is not None:
            peer.close()


# Network namespaces


class NetworkNamespace:
    """A network namespace of its own, with nothing but loopback. Needs root; the test is skipped without."""

    def __init__(self):
        if os.geteuid() != 0:
            pytest.skip("a network namespace needs root")
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.holder.stdout.readline() != b"up\n":
            reason = self.holder.stderr.read().decode().strip()
            self.holder.kill()
            self.holder.wait()
            pytest.skip(f"no network namespace here: {reason}")
        self.path = f"/proc/{self.holder.pid}/ns/net"
        self.prefix = ["nsenter", f"--net={self.path}"]
        self.closing = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.close()
        self.holder.stdin.close()
        self.holder.wait(PEER_SECONDS)

    def inside(self, function):
        """What `function` returns when it runs on a thread in the namespace; sockets made there stay there."""
        results = []

        def enter():
            library = ctypes.CDLL(None, use_errno=True)
            with open(self.path, "rb") as file:
                if library.setns(file.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
                    results.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                results.append(function())
            except OSError as failure:
                results.append(failure)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(PEER_SECONDS)
        if not results or isinstance(results[0], OSError):
            raise results[0] if results else AssertionError("the thread in the namespace did not end")
        return results[0]

    def connect(self, target):
        return Peer(self.inside(lambda: socket.create_connection(target, timeout=PEER_SECONDS)))

    def get(self, target, path="/", host="example.test"):
        with self.connect(target) as peer:
            return peer.exchange(request("GET", path, host, ["Connection: close"]))

    def take_port(self, target):
        """A socket that listens in the namespace, as another program would; close it to free the port."""
        return self.inside(lambda: socket.create_server(target))

    def relay(self, target):
        """An address inside the namespace whose connections reach `target` outside of it."""
        # At another address than the node's, whose ports were chosen outside of the namespace.
        listener = self.inside(lambda: socket.create_server(("127.0.0.2", 0), backlog=64))
        self.closing.callback(listener.close)
        threading.Thread(target=self.relay_connections, args=(listener, target), daemon=True).start()
        return listener.getsockname()

    def relay_connections(self, listener, target):
        while True:
            try:
                inner, _ = listener.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(target, timeout=PEER_SECONDS)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            for source, sink in ((inner, outer), (outer, inner)):
                threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source, sink):
    """Copies octets until the end, then ends the other direction too."""
    with contextlib.suppress(OSError):
        while octets := source.recv(65536):
            sink.sendall(octets)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


# The fleet


class Fleet:
    """A control plane and its nodes, of real programs."""

    def __init__(self, space, name="control", arguments=()):
        self.space = space
        self.name = name
        self.arguments = arguments
        self.folder = space.folder / name
        self.admin_address = self.fleet_address = None
        self.nodes = {}
        self.control = None
        self.start_control()

    def start_control(self):
        """Starts the control plane; again on the addresses that it had."""
        pair = lambda target: "127.0.0.1:0" if target is None else f"{target[0]}:{target[1]}"
        self.control = self.space.start(self.name, BIN / "proxy-control", "serve", "--data", self.folder, "--admin",
                                        pair(self.admin_address), "--fleet", pair(self.fleet_address),
                                        *self.arguments)
        ready = self.control.ready()
        self.admin_address, self.fleet_address = ready["admin"], ready["fleet"]

    @property
    def context(self):
        return self.folder / "proxyctl.yaml"

    def ctl(self, *arguments, **options):
        return run_proxyctl("--config", self.context, *arguments, folder=self.space.folder, **options)

    def token(self, *arguments):
        return self.ctl("token", "create", *arguments).out.strip()

    def add(self, name, *arguments, token=None, control=None, prefix=(), workers=2, wait=True):
        """Starts a node that joins the fleet; a node that was there before comes back with what it has."""
        token_file = self.space.write(f"{name}.token", (token or self.token()) + "\n")
        node = Node(self, name, [*arguments], token_file, control, prefix, workers)
        self.nodes[name] = node
        node.start(wait)
        if wait:
            # It is ready after a while without a session too, and versions would not be waited for then.
            # In another network namespace its admin address is out of reach.
            until(lambda: self.node_json(name) if prefix else node.is_connected(), f"{name} has a session", READY_SECONDS)
            until((node.folder / "node.pem").exists, f"{name} has stored its identity", READY_SECONDS)
        return node

    def apply(self, text, *arguments, **options):
        """Applies a configuration given as text."""
        return self.ctl("apply", self.space.configuration(text), *arguments, **options)

    def node_json(self, name):
        """The entry of one node in `proxyctl nodes -o json`."""
        return next((node for node in self.ctl("nodes", "-o", "json").json if node["name"] == name), None)

    def wait_state(self, name, state, seconds=20):
        """Waits until a node is in `state`, and returns its entry."""
        seen = []

        def check():
            seen[:] = [self.node_json(name)]
            return seen[0] if seen[0] and seen[0]["state"] == state else None

        return until(check, lambda: f"{name} is {state}; it is {seen[0]}", seconds)

    def wait_steady(self, version, names=None, seconds=20):
        """Waits until nodes are steady on a version."""
        wanted = set(names or self.nodes)
        seen = []

        def check():
            seen[:] = self.ctl("nodes", "-o", "json").json
            good = {node["name"] for node in seen if node["state"] == "steady" and node["version"] == version}
            return wanted <= good

        until(check, lambda: f"{sorted(wanted)} are steady on {version}; seen: {seen}", seconds)


class Node:
    """A node of a fleet, over its restarts."""

    def __init__(self, fleet, name, arguments, token_file, control, prefix, workers):
        self.fleet = fleet
        self.name = name
        self.folder = fleet.space.folder / name
        self.extra = arguments
        self.token_file = token_file
        self.control = control
        self.prefix = prefix
        self.workers = workers
        self.admin = None
        self.program = None

    def start(self, wait=True):
        host, port = self.control or self.fleet.fleet_address
        self.program = self.fleet.space.start(
            self.name, BIN / "proxy-node", "run", "--data", self.folder, "--control", f"{host}:{port}", "--name",
            self.name, "--token-file", self.token_file, "--admin", "127.0.0.1:0", "--workers", self.workers,
            *self.extra, prefix=self.prefix)
        if wait:
            self.admin = self.program.ready().get("admin")
        return self

    def get(self, path):
        return get(self.admin, path)

    def is_connected(self):
        """Whether it has a session with the control plane."""
        return b"weir_control_connected 1\n" in self.get("/metrics").body

    def wait_stored(self, octets):
        """Waits until what it serves after a start without the control plane has these octets.

        A version is steady when it is served, which is before it is stored.
        """
        def stored():
            with contextlib.suppress(FileNotFoundError):
                return octets in (self.folder / "last-good").read_bytes()
            return False

        until(stored, f"{self.name} has stored {octets!r}")

    def kill(self):
        return self.program.kill()

    def stop(self):
        return self.program.stop()
