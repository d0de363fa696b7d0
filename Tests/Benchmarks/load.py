"""What is sent to the proxies: load by wrk, and our own requests where a number must be exact."""

import contextlib
import json
import pathlib
import re
import socket

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


class Wrk:
    """One run of wrk, on the load's core. As a context it has ended at the end."""

    def __init__(self, bench, port, path, seconds, script="summary.lua", arguments=(), headers=(),
                 connections=CONCURRENCY):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
                   "--latency", "-s", SCRIPTS / script]
        for header in headers:
            command += ["-H", header]
        self.seconds = seconds
        command += [f"http://{HOST}:{port}{path}", "--", *arguments]
        self.program = bench.start("wrk", command, bench.load_core)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.stop()

    def summary(self):
        """Waits for the end and returns what wrk measured."""
        self.program.wait(self.seconds + SECONDS_BEYOND)
        for line in self.program.output().splitlines():
            if line.startswith("SUMMARY "):
                return json.loads(line.removeprefix("SUMMARY "))
        raise Failure(f"wrk wrote no summary:\n{self.program.tail()}")


class H2Load:
    """One run of h2load on the load's core, as Wrk: connections of HTTP/2 with many streams each."""

    def __init__(self, bench, port, path, seconds):
        self.seconds = seconds
        self.log = bench.folder / "h2load.log"
        self.log.unlink(missing_ok=True)
        command = ["h2load", "-t1", f"-c{HTTP2_CONNECTIONS}", f"-m{HTTP2_STREAMS}", f"-D{seconds}",
                   f"--log-file={self.log}", f"http://{HOST}:{port}{path}"]
        self.program = bench.start("h2load", command, bench.load_core)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.stop()

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


class Connection:
    """One keep-alive connection of HTTP/1.1, to a server that sends Content-Length."""

    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

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
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def connections(port, count, requests):
    """Connections that have carried one request each, opened CONCURRENCY at a time."""
    opened = []
    try:
        while len(opened) < count:
            batch = []
            for _ in range(min(CONCURRENCY, count - len(opened))):
                batch.append(Connection(port))
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


def probe(port, octets, length):
    """Checks that the proxy answers as assumed: figures of something else would be worthless."""
    connection = Connection(port)
    try:
        connection.send(octets)
        status, count = connection.receive()
    except OSError as failure:
        raise Failure(f"no answer to the first request: {failure}") from None
    finally:
        connection.close()
    if (status, count) != (200, length):
        raise Failure(f"the answer is {status} with {count} octets, not 200 with {length}")
