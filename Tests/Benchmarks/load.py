"""What is sent to the proxies: load by wrk, and our own requests where a number must be exact."""

import contextlib
import json
import multiprocessing
import pathlib
import re
import socket
import ssl
import threading
import time

from bench import Failure
from peers import HOST

SCRIPTS = pathlib.Path(__file__).resolve().parent
SECONDS_BEYOND = 20
# Connections that are busy at the same time, in the load and where connections are opened one after
# the other.
CONCURRENCY = 64
# Under HTTP/2.
HTTP2_CONNECTIONS = 16
HTTP2_STREAMS = 32
# More at one time bring no more: the interpreter runs one of them.
RESUMING_THREADS = 4


class Load:
    """One run of a program on the load's core. As a context it has ended at the end."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.stop()


class Wrk(Load):
    """One run of wrk."""

    def __init__(self, bench, port, path, seconds, script="summary.lua", arguments=(), headers=(),
                 connections=CONCURRENCY, tls=False):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
                   "--latency", "-s", SCRIPTS / script]
        for header in headers:
            command += ["-H", header]
        self.seconds = seconds
        command += [f"http{'s' if tls else ''}://{HOST}:{port}{path}", "--", *arguments]
        self.program = bench.start("wrk", command, bench.load_core)

    def summary(self):
        """Waits for the end and returns what wrk measured."""
        self.program.wait(self.seconds + SECONDS_BEYOND)
        for line in self.program.output().splitlines():
            if line.startswith("SUMMARY "):
                return json.loads(line.removeprefix("SUMMARY "))
        raise Failure(f"wrk wrote no summary:\n{self.program.tail()}")


class H2Load(Load):
    """One run of h2load: connections of HTTP/2 with many streams each."""

    def __init__(self, bench, port, path, seconds, tls=False):
        self.seconds = seconds
        self.log = bench.folder / "h2load.log"
        self.log.unlink(missing_ok=True)
        command = ["h2load", "-t1", f"-c{HTTP2_CONNECTIONS}", f"-m{HTTP2_STREAMS}", f"-D{seconds}",
                   f"--log-file={self.log}", f"http{'s' if tls else ''}://{HOST}:{port}{path}"]
        self.program = bench.start("h2load", command, bench.load_core)

    def summary(self):
        """Waits for the end and returns what h2load measured, under wrk's names."""
        self.program.wait(self.seconds + SECONDS_BEYOND)
        text = self.program.output()
        done = re.search(r"requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
        if done is None:
            raise Failure(f"h2load wrote no summary:\n{self.program.tail()}")
        count, succeeded, failed, errored, late = map(int, done.groups())
        times = sorted(int(line.split("\t")[2]) for line in self.log.read_text().splitlines())
        at = lambda share: times[min(int(len(times) * share), len(times) - 1)] if times else 0
        # Requests that were under way when the time was over are called failed.
        under_way = HTTP2_CONNECTIONS * HTTP2_STREAMS
        return {"requests": succeeded, "microseconds": self.seconds * 1e6, "p50": at(0.5), "p99": at(0.99),
                "errors": {"failed": max(failed - under_way, 0), "timeout": late,
                           "status": count - succeeded if count - succeeded > under_way else 0,
                           "errored": max(errored - under_way, 0)}}


class PacedLoad(Load):
    """One run of h2load with HTTP/1.1 at a rate of requests per second in all; without a rate as many as are answered."""

    def __init__(self, bench, port, connections, seconds, rate=None):
        self.seconds = seconds
        self.log = bench.folder / "paced.log"
        self.log.unlink(missing_ok=True)
        command = ["h2load", "--h1", "-t1", f"-c{connections}", f"-D{seconds}", "--warm-up-time=1",
                   f"--log-file={self.log}"]
        if rate:
            command.append(f"--rps={rate / connections}")
        self.program = bench.start("h2load", [*command, f"http://{HOST}:{port}/"], bench.load_core)

    def summary(self):
        """Waits for the end and returns what was answered with 200 and with anything else: so many, and their times."""
        self.program.wait(self.seconds + SECONDS_BEYOND)
        times = {True: [], False: []}
        for line in self.log.read_text().splitlines():
            _, status, microseconds = line.split("\t")
            times[status == "200"].append(int(microseconds))
        found = {}
        for name, some in (("answered", sorted(times[True])), ("refused", sorted(times[False]))):
            found[name] = len(some) / self.seconds
            found[f"{name}P99"] = some[min(int(len(some) * 0.99), len(some) - 1)] / 1000 if some else 0.0
        return found


class Resuming:
    """Connections that resume a session of TLS and carry one request each, as Wrk, from a process of its own."""

    def __init__(self, port, path, seconds):
        self.seconds = seconds
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.run, args=(theirs, port, path), daemon=True)
        self.process.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def run(self, pipe, port, path):
        end = time.monotonic() + self.seconds
        results = []
        threads = [threading.Thread(target=self.resume, args=(port, request(path), end, results))
                   for _ in range(RESUMING_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipe.send([sum(part, []) for part in zip(*results)])

    def resume(self, port, octets, end, results):
        context, session, times, failures = insecure(), None, [], []
        while time.monotonic() < end:
            start = time.monotonic()
            try:
                with contextlib.closing(Connection(port, context, session)) as connection:
                    connection.send(octets)
                    connection.receive()
                    if session and not connection.socket.session_reused:
                        failures.append("not resumed")
                    # That of a TLS 1.3 connection comes behind the handshake; each is used as often as servers take it.
                    session = session or connection.socket.session
            except (OSError, Failure) as failure:
                failures.append(str(failure))
            times.append((time.monotonic() - start) * 1e6)
        results.append((times, failures))

    def summary(self):
        """Waits for the end and returns what was measured, under wrk's names."""
        if not self.ours.poll(self.seconds + SECONDS_BEYOND):
            raise Failure("the load did not end")
        times, failures = self.ours.recv()
        times.sort()
        return {"requests": len(times) - len(failures), "microseconds": self.seconds * 1e6,
                "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100],
                "errors": {"failed": len(failures)}}


def insecure():
    """What clients have in common that believe every server; they are told nothing that matters."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Connection:
    """One keep-alive connection of HTTP/1.1, to a server that sends Content-Length; with TLS where there is a context."""

    def __init__(self, port, context=None, session=None):
        self.socket = socket.create_connection((HOST, port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost", session=session)

    def send(self, request):
        self.socket.sendall(request)

    def receive(self):
        """Reads one response to its end and returns (status, length of the content)."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.read()
        head, _, rest = received.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: *(\d+)(\r\n|$)", head,
                         re.IGNORECASE | re.DOTALL)
        if match is None:
            raise Failure(f"no response of HTTP/1.1 with Content-Length: {head!r}")
        length = int(match.group(2))
        count = len(rest)
        while count < length:
            count += len(self.read())
        return int(match.group(1)), count

    def read(self):
        octets = self.socket.recv(262144)
        if not octets:
            raise Failure("the proxy closed a connection that should stay open")
        return octets

    def is_open(self):
        """Whether the peer has neither closed the connection nor sent anything unasked."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1) is None
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def connections(port, count, requests, context=None):
    """Connections that have carried one request each, opened CONCURRENCY at a time."""
    opened = []
    try:
        while len(opened) < count:
            batch = []
            for _ in range(min(CONCURRENCY, count - len(opened))):
                batch.append(Connection(port, context))
                opened.append(batch[-1])
            exchange(batch, requests, len(batch))
        yield opened
    except OSError as failure:
        raise Failure(f"after {len(opened)} connections: {failure}") from None
    finally:
        for connection in opened:
            connection.close()


def exchange(opened, requests, count):
    """Sends exactly `count` requests, one per connection at a time, and waits for all answers."""
    position = 0
    while position < count:
        batch = opened[:count - position]
        for index, connection in enumerate(batch):
            connection.send(requests[(position + index) % len(requests)])
        for connection in batch:
            status, _ = connection.receive()
            if status != 200:
                raise Failure(f"the proxy answered {status}")
        position += len(batch)


def request(path, host=HOST):
    """The octets of a GET request, with the field lines that wrk sends."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def probe(port, octets, length, context=None):
    """Checks that the proxy answers as assumed: figures of something else would be worthless."""
    connection = Connection(port, context)
    try:
        connection.send(octets)
        status, count = connection.receive()
    except OSError as failure:
        raise Failure(f"no answer to the first request: {failure}") from None
    finally:
        connection.close()
    if (status, count) != (200, length):
        raise Failure(f"the answer is {status} with {count} octets, not 200 with {length}")
