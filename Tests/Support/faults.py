"""A fault injector: an origin that fails as it is told, a link that is slow, and clients that ask all the time."""

import collections
import contextlib
import socket
import threading
import time

from weir import PEER_SECONDS, Peer, ReservedPort, request, until

# How an origin may answer, beside well.
FAULTS = ("refuses", "resets", "resets-at-once", "breaks-off", "silent", "never-accepts", "500")


class FaultyOrigin:
    """An origin on one port for its whole life, whatever happens to it.

    `behave` sets what happens from then on:

    - `well`: it answers 200 with its name
    - a status code, as text: it answers that
    - `refuses`: nobody listens, and what was open is reset
    - `resets-at-once`: connections are reset when they are accepted, `resets`: when a request has come
    - `breaks-off`: half of a head comes, then the end
    - `silent`: it accepts and reads and does not answer
    - `never-accepts`: connections wait in the queue, and those that are open are silent
    """

    def __init__(self, name="origin", seconds=0.0):
        self.name = name
        self.seconds = seconds
        self.reserved = ReservedPort()
        self.requests = []
        self.peers = set()
        self.lock = threading.Lock()
        self.change = threading.Event()
        self.behaviour = "well"
        self.listener = None
        self.listen()

    def __str__(self):
        return str(self.reserved)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.behave("refuses")
        self.reserved.socket.close()

    def behave(self, behaviour):
        """Goes over to another behaviour at once."""
        self.behaviour = behaviour
        self.change.set()
        self.change = threading.Event()
        if behaviour == "refuses":
            self.stop_listening()
            self.reset_all()
        elif self.listener is None:
            self.listen()

    def listen(self):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(self.reserved.address)
        listener.listen(1024)
        self.listener = listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def stop_listening(self):
        listener, self.listener = self.listener, None
        if listener is not None:
            # A close alone leaves a thread in accept, and the port with it.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def reset_all(self):
        with self.lock:
            peers = list(self.peers)
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RD)
                peer.reset()

    def accept(self, listener):
        while True:
            change = self.change
            if self.behaviour == "never-accepts":
                change.wait()
                continue
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            peer = Peer(connection)
            if self.behaviour == "resets-at-once":
                peer.reset()
                continue
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with self.lock:
            self.peers.add(peer)
        try:
            peer.socket.settimeout(None)
            while (head := peer.read_head()) is not None:
                head.body = peer.read_body(head)
                self.requests.append(head)
                if not self.answer(peer, head):
                    return
        except (OSError, EOFError, ValueError):
            pass  # either side has ended it
        finally:
            with self.lock:
                self.peers.discard(peer)
            peer.close()

    def answer(self, peer, head):
        """Answers one request; whether the connection goes on."""
        change, behaviour = self.change, self.behaviour
        if self.seconds:
            change.wait(self.seconds)
        if behaviour in ("resets", "resets-at-once", "refuses"):
            peer.reset()
            return False
        if behaviour == "breaks-off":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")
            return False
        if behaviour in ("silent", "never-accepts"):
            change.wait(PEER_SECONDS)
            return False
        status = 200 if behaviour == "well" else int(behaviour)
        content = b"" if head.method == "HEAD" else self.name.encode()
        peer.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(self.name)) + content)
        return True


class SlowLink:
    """A way to an origin on which octets go in groups, in either direction, and each takes its time.

    `seconds` may be set to something else at any time; what is under way then comes to its end as it began.
    """

    def __init__(self, origin, seconds=0.0, octets=64):
        self.origin = origin
        self.seconds = seconds
        self.octets = octets
        self.is_over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def __str__(self):
        return f"{self.address[0]}:{self.address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(self.origin.reserved.address, PEER_SECONDS)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                for source, sink in ((near, far), (far, near)):
                    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        """Copies octets group by group until the end, then ends the other direction too."""
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                seconds = self.seconds
                if not seconds:
                    sink.sendall(octets)
                    continue
                for start in range(0, len(octets), self.octets):
                    if self.is_over.wait(seconds):
                        return
                    sink.sendall(octets[start:start + self.octets])
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Clients:
    """Clients that send one request after the other on connections of their own, and count what they get."""

    def __init__(self, target, count=8, make=lambda: request()):
        self.target = target
        self.make = make
        self.statuses = collections.Counter()
        self.is_over = False
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join(PEER_SECONDS)

    def ask(self):
        peer = None
        while not self.is_over:
            try:
                if peer is None:
                    peer = Peer.connect(self.target)
                head = peer.exchange(self.make())
                self.statuses[head.status] += 1
                if "close" in head.get("connection", ""):
                    peer.close()
                    peer = None
            except (OSError, EOFError) as error:
                self.statuses[type(error).__name__] += 1
                peer = None
        if peer is not None:
            peer.close()

    @property
    def total(self):
        return sum(list(self.statuses.values()))

    @property
    def seconds(self):
        """How long they have been asking."""
        return time.monotonic() - self.began

    def more(self, count):
        """Waits until so many more have been answered."""
        wanted = self.total + count
        until(lambda: self.total >= wanted, lambda: f"{count} more answers: {dict(self.statuses)}", 60)
