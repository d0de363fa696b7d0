"""Clients and endpoints of HTTP/2 that do anything at any moment: the node stays up, and nothing of them stays behind.

WEIR_CHAOS_SECONDS sets how long it goes on (default 3), WEIR_CHAOS_SEED repeats a run as far as threads allow.
"""

import contextlib
import os
import random
import re
import select
import threading
import time

import http2
from http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITISED, PRIORITY,
                   RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, Wire, block, code_of, frame, number)
from weir import Origin, Peer, ReservedPort, request, until

SECONDS = float(os.environ.get("WEIR_CHAOS_SECONDS", "3"))
SEED = int(os.environ.get("WEIR_CHAOS_SEED") or random.randrange(2**32))
THREADS = 8
PATHS = ["/one", "/one/large", "/two", "/two/large", "/two", "/none", "/fixed", "/redirect"]


def chance(dice, share):
    return dice.random() < share


class ChaoticClient:
    """A connection whose frames are valid for the most part, and come in any order."""

    def __init__(self, dice, web):
        self.dice = dice
        self.wire = Wire.connect(web)
        self.next_stream = 1
        self.streams = []

    def run(self):
        pairs = [(4, self.dice.choice([0, 1, 10, 65535, 2**31 - 1]))] if chance(self.dice, 0.5) else []
        octets = PREFACE + frame(SETTINGS, 0, 0, http2.settings(*pairs))
        if chance(self.dice, 0.02):
            octets = octets[:self.dice.randrange(len(octets))]
        if chance(self.dice, 0.8):
            octets += frame(SETTINGS, 1)
        for _ in range(self.dice.randrange(1, 40)):
            octets += self.frame()
            if chance(self.dice, 0.6):
                self.send(octets)
                octets = b""
            if chance(self.dice, 0.3):
                self.read(self.dice.choice([0, 0, 0.001, 0.02]))
        self.send(octets)
        if chance(self.dice, 0.3):
            with contextlib.suppress(OSError):
                self.wire.end()
        if chance(self.dice, 0.5):
            self.read(0.1)
        if chance(self.dice, 0.3):
            self.wire.reset()
        self.wire.close()

    def send(self, octets):
        while octets:
            cut = len(octets) if chance(self.dice, 0.7) else self.dice.randrange(1, len(octets) + 1)
            self.wire.send(octets[:cut])
            octets = octets[cut:]

    def read(self, seconds):
        while select.select([self.wire.socket], [], [], seconds)[0]:
            if not self.wire.socket.recv(65536):
                raise EOFError
            if chance(self.dice, 0.3):
                break

    def stream(self):
        return self.dice.choice(self.streams) if self.streams and chance(self.dice, 0.98) else self.dice.randrange(6)

    def frame(self):
        dice = self.dice
        kind = dice.choices(["open", "data", "trailers", "reset", "window", "settings", "ping", "priority", "goaway", "unknown", "odd"],
                            [30, 30, 4, 8, 12, 4, 3, 3, 0.5, 1, 0.7])[0]
        return getattr(self, kind)()

    def open(self):
        dice, stream = self.dice, self.next_stream
        self.next_stream += dice.choice([2, 2, 2, 4])
        self.streams = self.streams[-8:] + [stream]
        method = dice.choice(["GET", "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"])
        lines = [(":method", method), *GET[1:3], (":path", dice.choice(PATHS))]
        if method == "CONNECT":
            lines.append((":protocol", dice.choice(["websocket", "other"])))
        if chance(dice, 0.1):
            lines.append(("content-length", str(dice.choice([0, 1, 10, 1000]))))
        if chance(dice, 0.1):
            lines.append(("expect", "100-continue"))
        if chance(dice, 0.1):
            lines.append(("priority", f"u={dice.randrange(8)}" + dice.choice(["", ", i"])))
        if chance(dice, 0.03):
            lines.append(dice.choice([("te", "gzip"), ("X", "a"), ("host", "other"), (":path", "/"), ("x", "a" * 70_000)]))
        octets = block(lines)
        flags = END_STREAM if chance(dice, 0.5) else 0
        if len(octets) > 16384 or chance(dice, 0.1):
            pieces = [octets[start:start + 16000] for start in range(0, len(octets), 16000)]
            middle = b"".join(frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:])
            return frame(HEADERS, flags, stream, pieces[0]) + middle + frame(CONTINUATION, END_HEADERS, stream)
        if chance(dice, 0.1):
            return frame(HEADERS, flags | END_HEADERS | PRIORITISED | PADDED, stream, b"\3" + bytes(5) + octets + bytes(3))
        return frame(HEADERS, flags | END_HEADERS, stream, octets)

    def data(self):
        flags = END_STREAM if chance(self.dice, 0.2) else 0
        content = bytes(self.dice.choice([0, 1, 5, 1000, 16000, 16384]))
        if chance(self.dice, 0.2):
            padding = self.dice.randrange(256)
            return frame(DATA, flags | PADDED, self.stream(), bytes([padding]) + content[:16000] + bytes(padding))
        return frame(DATA, flags, self.stream(), content)

    def trailers(self):
        return frame(HEADERS, WHOLE if chance(self.dice, 0.9) else END_HEADERS, self.stream(), block([("x-sum", "1")]))

    def reset(self):
        return frame(RST_STREAM, 0, self.stream(), number(self.dice.choice([0, 1, 5, 7, 8, 99])))

    def window(self):
        stream = 0 if chance(self.dice, 0.3) else self.stream()
        return frame(WINDOW_UPDATE, 0, stream, number(self.dice.choice([1, 1, 2, 100, 65535, 1_000_000] + [0, 2**31 - 1] * chance(self.dice, 0.05))))

    def settings(self):
        name, value = self.dice.choice([(1, 0), (1, 4096), (1, 100), (3, 0), (4, 0), (4, 1), (4, 65535), (4, 1_000_000), (5, 16384), (5, 65535), (6, 1)])
        return frame(SETTINGS, 0, 0, http2.settings((name, value)))

    def ping(self):
        return frame(PING, 0, 0, bytes(8))

    def priority(self):
        if chance(self.dice, 0.5):
            return frame(PRIORITY, 0, max(1, self.stream()), number(101) + b"\0")
        return frame(0x10, 0, 0, number(max(1, self.stream() | 1)) + b"u=%d, i" % self.dice.randrange(8))

    def goaway(self):
        return frame(GOAWAY, 0, 0, number(0) + number(self.dice.choice([0, 0, 1])))

    def unknown(self):
        return frame(self.dice.randrange(0x20, 256), self.dice.randrange(256), self.dice.randrange(4), bytes(self.dice.randrange(100)))

    def odd(self):
        return frame(self.dice.randrange(12), self.dice.randrange(256), self.stream(), self.dice.randbytes(self.dice.randrange(40)))


def chaotic_http1(peer, origin):
    """Answers early, late, in part, with interim responses, with another protocol, or not at all."""
    dice = random.Random(origin.dice.random())
    while (head := peer.read_head()) is not None:
        is_read = chance(dice, 0.6)
        if is_read:
            peer.read_body(head)
        size = 300_000 if "large" in head.target else dice.choice([0, 1, 5000])
        if head.get("upgrade") and chance(dice, 0.7):
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n" + bytes(dice.randrange(100)))
            while chance(dice, 0.8) and peer.fill():
                peer.send(peer.take(len(peer.buffer)))
            return
        for _ in range(dice.choice([0, 0, 0, 1, 3, 20])):
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        kind = dice.randrange(8)
        if kind == 0:
            return
        if kind == 1:
            peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(size))
            return
        if kind == 2:
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(b"5\r\nabcde\r\n" for _ in range(dice.randrange(50)))
                      + dice.choice([b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n", b"zz", b""]))
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(dice.choice([size, size, size // 2])))
        if not is_read or chance(dice, 0.2):
            return peer.reset() if chance(dice, 0.5) else None


class ChaoticOrigin:
    """A connection of an endpoint that speaks HTTP/2, after a fashion."""

    def __init__(self, dice, peer):
        self.dice = dice
        pairs = [dice.choice([(3, 1), (3, 3), (3, 100), (4, 0), (4, 1), (4, 65535), (8, 1), (5, 65535), (1, 0)]) for _ in range(3)]
        self.wire = Wire.accept(peer, *pairs)
        self.answered = set()

    def run(self):
        while came := self.wire.read_frame():
            if came.kind == SETTINGS and not came.flags & 1:
                self.wire.put(SETTINGS, 1)
            if came.kind == PING and not came.flags & 1:
                self.wire.put(PING, 1, 0, came.payload)
            if came.kind == DATA and came.payload and chance(self.dice, 0.9):
                self.wire.put(WINDOW_UPDATE, 0, 0, number(len(came.payload)))
                self.wire.put(WINDOW_UPDATE, 0, came.stream, number(len(came.payload)))
            if came.kind in (HEADERS, DATA) and came.stream not in self.answered and (came.flags & END_STREAM or chance(self.dice, 0.3)):
                self.answered.add(came.stream)
                self.wire.send(b"".join(self.answer(came.stream)))
            if chance(self.dice, 0.02):
                self.wire.send(self.whim(came.stream))
            if chance(self.dice, 0.01):
                return

    def answer(self, stream):
        dice = self.dice
        for _ in range(dice.choice([0, 0, 0, 1, 3, 20])):
            yield frame(HEADERS, END_HEADERS, stream, block([(":status", "103"), ("link", "</a>")]))
        kind = dice.randrange(9)
        if kind == 0:
            yield frame(RST_STREAM, 0, stream, number(dice.choice([0, 1, 2, 7, 8])))
        elif kind == 1:
            yield frame(HEADERS, WHOLE, stream, block([(":status", dice.choice(["200", "204", "304", "404"]))]))
        elif kind == 2:
            yield frame(HEADERS, END_HEADERS, stream, block([(":status", "200"), ("content-length", "10")]))
            yield frame(DATA, dice.choice([0, 1]), stream, bytes(dice.choice([10, 5, 20])))
        else:
            yield frame(HEADERS, END_HEADERS, stream, block([(":status", "200")]))
            for _ in range(dice.choice([0, 1, 5])):
                yield frame(DATA, 0, stream, bytes(dice.choice([0, 1, 1000, 10000])))
            if kind < 7:
                yield frame(DATA, END_STREAM, stream)
            elif kind == 7:
                yield frame(HEADERS, WHOLE, stream, block([("x-sum", "1")]))
        if chance(dice, 0.3):
            yield frame(RST_STREAM, 0, stream, number(dice.choice([0, 8])))

    def whim(self, stream):
        dice = self.dice
        return dice.choice([
            frame(GOAWAY, 0, 0, number(dice.choice([0, max(0, stream - 2), stream, 2**31 - 1])) + number(dice.choice([0, 0, 2]))),
            frame(SETTINGS, 0, 0, http2.settings((3, dice.choice([0, 1, 100])), (4, dice.choice([0, 65535])))),
            frame(WINDOW_UPDATE, 0, stream, number(dice.choice([1, 2**31 - 1]))), frame(WINDOW_UPDATE, 0, 0, number(1)),
            frame(RST_STREAM, 0, stream, number(8)), frame(0xEE, 0, stream, b"?"), frame(DATA, 0, stream, b"late"),
            frame(dice.randrange(12), dice.randrange(256), stream, dice.randbytes(dice.randrange(30)))])


def chaotic_http2(peer, origin):
    with contextlib.suppress(AssertionError):  # the node may go before it has said what it must
        ChaoticOrigin(random.Random(origin.dice.random()), peer).run()


def metric(node, name):
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", node.get("/metrics").body.decode(), re.MULTILINE))


def clients(number_, web, deadline, failures):
    dice = random.Random(SEED + number_)
    while time.monotonic() < deadline:
        try:
            if chance(dice, 0.2):
                with Peer.connect(web) as peer:
                    upgrade = ["Connection: Upgrade", "Upgrade: websocket"] if chance(dice, 0.3) else []
                    peer.send(request(dice.choice(["GET", "POST"]), dice.choice(PATHS), fields=upgrade, body=bytes(dice.choice([0, 10, 100_000]))))
                    peer.socket.settimeout(dice.choice([0.001, 0.05]))
                    peer.fill()
            else:
                ChaoticClient(dice, web).run()
        except ConnectionRefusedError as failure:
            failures.append(failure)
            return
        except (OSError, EOFError):
            pass  # the node had enough of it


def test_nothing_stays_behind_after_chaos(workspace):
    one, two = workspace.keep(Origin(chaotic_http1)), workspace.keep(Origin(chaotic_http2))
    one.dice, two.dice = random.Random(SEED), random.Random(SEED + 1)
    port, none = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}, timeouts: {{header: 1s, idle: 1s}}}}]
upstreams:
- {{name: one, endpoints: [{{address: {one}}}], timeouts: {{idle: 1s, firstByte: 1s}}}}
- {{name: two, endpoints: [{{address: {two}}}], protocol: h2c, timeouts: {{idle: 1s, firstByte: 1s}}}}
- {{name: none, endpoints: [{{address: {none}}}], protocol: h2c, timeouts: {{idle: 1s, firstByte: 1s}}}}
routes:
- {{name: one, match: {{path: {{prefix: /one}}}}, upstream: one}}
- {{name: two, match: {{path: {{prefix: /two}}}}, upstream: two}}
- {{name: none, match: {{path: {{prefix: /none}}}}, upstream: none}}
- {{name: rest, respond: {{status: 200, body: here}}}}
""", workers=2)
    descriptors = lambda: len(os.listdir(f"/proc/{node.program.pid}/fd"))
    before, failures = descriptors(), []
    deadline = time.monotonic() + SECONDS
    threads = [threading.Thread(target=clients, args=(index, port.address, deadline, failures)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert node.program.is_running and not failures, f"seed {SEED}: {node.program.stderr()[:3000]}"
    for name in ("weir_connections", "weir_tunnels"):
        until(lambda: metric(node, name) == 0, lambda: f"{name} is 0, not {metric(node, name)}; seed {SEED}", 20)
    one.stop()
    two.stop()
    until(lambda: metric(node, "weir_upstream_connections") == 0, f"no connection to an endpoint is left; seed {SEED}", 20)
    until(lambda: descriptors() <= before, lambda: f"{descriptors()} descriptors, {before} before; seed {SEED}")
