"""A name server whose answers a test scripts, over UDP and TCP on one port of loopback.

    with NameServer() as server:
        server.set("api.test", "A", ["127.0.0.1"], ttl=1)
        server.set("_api._tcp.test", "SRV", [(10, 5, 9001, "one.test")], ttl=1)
        server.misbehave("slow.test", "silence")
        ... environment WEIR_RESOLVER=server.address ...
        server.wait_for_question("api.test", "A", after=server.mark())
"""

import contextlib
import socket
import struct
import threading

from weir import until

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def encoded_name(text):
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in text.split(".") if label) + b"\0"


def content(kind, value):
    """The octets of a record's content."""
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "SRV":
        priority, weight, port, target = value
        return struct.pack(">HHH", priority, weight, port) + encoded_name(target)
    if kind == "CNAME":
        return encoded_name(value)
    raise ValueError(kind)


def record(owner, kind, ttl, octets):
    return owner + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(octets)) + octets


class NameServer:
    """Answers by name and type; a name that nobody has set does not exist."""

    def __init__(self):
        self.lock = threading.Lock()
        self.records = {}      # (name, type): (values, ttl)
        self.behaviours = {}   # name: what is wrong with its answers
        self.questions = []    # (name, type, transport), in the order in which they came
        self.negative_ttl = 1
        self.ending = False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            # TCP's port may be somebody's on UDP; then another one is tried.
            self.udp.bind(("127.0.0.1", 0))
            try:
                self.tcp.bind(self.udp.getsockname())
                break
            except OSError:
                self.udp.close()
                self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp.listen()
        self.port = self.udp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.threads = [threading.Thread(target=self.serve_udp), threading.Thread(target=self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.ending:
            return
        self.ending = True
        with contextlib.suppress(OSError):
            self.tcp.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()

    # What is answered

    def set(self, name, kind, values, ttl=1):
        with self.lock:
            self.records[name.lower(), kind] = (list(values), ttl)

    def remove(self, name):
        """The name does not exist any more."""
        with self.lock:
            self.records = {key: value for key, value in self.records.items() if key[0] != name.lower()}

    def misbehave(self, name, behaviour):
        """What is wrong with answers for a name (`*`: any): silence, servfail, refused, truncate (over UDP alone), wrong-id,
        other-question, loop (a pointer to itself), garbage, short; None is nothing."""
        with self.lock:
            self.behaviours[name.lower()] = behaviour

    # What was asked

    def mark(self):
        with self.lock:
            return len(self.questions)

    def asked(self, name, kind, transport=None, after=0):
        with self.lock:
            return sum(1 for question in self.questions[after:]
                       if question[:2] == (name.lower(), kind) and transport in (None, question[2]))

    def wait_for_question(self, name, kind, transport=None, after=0, count=1, seconds=15.0):
        until(lambda: self.asked(name, kind, transport, after) >= count,
              lambda: f"{count} questions for {name} {kind}: {self.questions[after:]}", seconds)

    # How

    def serve_udp(self):
        while True:
            octets, peer = self.udp.recvfrom(4096)
            if self.ending:
                return
            for answer in self.answers(octets, "udp"):
                self.udp.sendto(answer, peer)

    def serve_tcp(self):
        while not self.ending:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, EOFError):
                connection.settimeout(5)
                while True:
                    (length,) = struct.unpack(">H", self.exactly(connection, 2))
                    for answer in self.answers(self.exactly(connection, length), "tcp"):
                        connection.sendall(struct.pack(">H", len(answer)) + answer)

    @staticmethod
    def exactly(connection, count):
        octets = b""
        while len(octets) < count:
            more = connection.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def answers(self, octets, transport):
        """The messages that answer a question; none for one that nobody can read."""
        if len(octets) < 12:
            return
        identifier, _, count = struct.unpack(">HHH", octets[:6])
        labels, place = [], 12
        while place < len(octets) and octets[place]:
            labels.append(octets[place + 1:place + 1 + octets[place]].decode("latin-1"))
            place += 1 + octets[place]
        if count != 1 or place + 5 > len(octets):
            return
        name = ".".join(labels).lower()
        (number,) = struct.unpack(">H", octets[place + 1:place + 3])
        question = octets[12:place + 5]
        kind = NAMES.get(number, str(number))
        with self.lock:
            self.questions.append((name, kind, transport))
            behaviour = self.behaviours.get(name, self.behaviours.get("*"))
            code, records, authorities = self.look_up(name, kind)
        if behaviour == "silence":
            return
        if behaviour in ("servfail", "refused"):
            code, records, authorities = (SERVFAIL if behaviour == "servfail" else REFUSED), [], []
        flags = 0x8180 | code
        if behaviour == "truncate" and transport == "udp":
            flags, records, authorities = flags | 0x0200, [], []
        if behaviour == "other-question":
            question = encoded_name("other.test") + question[-4:]
        if behaviour == "loop":
            place = 12 + len(question)
            records = [record(struct.pack(">H", 0xC000 | place), "A", 1, b"\x7f\0\0\1")]
        if behaviour == "short":
            records = [record(b"\xc0\x0c", "A", 1, b"\x7f\0\0")]
        message = struct.pack(">HHHHHH", identifier, flags, 1, len(records), len(authorities), 0) + question
        message += b"".join(records) + b"".join(authorities)
        if behaviour == "wrong-id":
            yield struct.pack(">H", identifier ^ 0x5555) + message[2:]
            return
        if behaviour == "garbage":
            yield message[:12] + b"\xff" * 40
            return
        if transport == "udp" and len(message) > 1232:
            yield struct.pack(">HHHHHH", identifier, flags | 0x0200, 1, 0, 0, 0) + question
            return
        yield message

    def look_up(self, name, kind):
        """The code, the answers and the authorities for a question."""
        records, owner = [], b"\xc0\x0c"
        for _ in range(8):
            alias = self.records.get((name, "CNAME"))
            if not alias or kind == "CNAME":
                break
            (name,), ttl = alias
            records.append(record(owner, "CNAME", ttl, encoded_name(name)))
            owner = encoded_name(name)
        values, ttl = self.records.get((name, kind), ([], 0))
        records += [record(owner, kind, ttl, content(kind, value)) for value in values]
        if values:
            return NOERROR, records, []
        zone = encoded_name("ns.test") + encoded_name("root.test") + struct.pack(">IIIII", 1, 1, 1, 1, self.negative_ttl)
        authorities = [record(encoded_name("test"), "SOA", self.negative_ttl, zone)]
        exists = any(key[0] == name for key in self.records)
        return (NOERROR if exists else NXDOMAIN), records, authorities
