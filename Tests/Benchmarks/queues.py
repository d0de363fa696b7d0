"""Endpoints that serve one request after the other: queues.py HOST PORT:SECONDS ...

Each answers with 100 octets when its requests before that one are done and the time of one has passed.
"""

import collections
import heapq
import selectors
import socket
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100


class Queue:
    """One endpoint."""

    def __init__(self, host, port, seconds):
        self.seconds = seconds
        self.free_at = 0.0
        self.listener = socket.create_server((host, port), backlog=1024)
        self.listener.setblocking(False)

    def take(self, now):
        """When a request that comes now is answered."""
        self.free_at = max(self.free_at, now) + self.seconds
        return self.free_at


def serve(queues):
    """Runs until it is stopped."""
    selector = selectors.DefaultSelector()
    for queue in queues:
        selector.register(queue.listener, selectors.EVENT_READ, (queue, None))
    due, received, order = [], collections.defaultdict(bytes), 0
    while True:
        rest = due[0][0] - time.monotonic() if due else None
        events = selector.select(None if rest is None else max(rest, 0))
        now = time.monotonic()
        for key, _ in events:
            queue, connection = key.data
            if connection is None:
                connection, _ = queue.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ, (queue, connection))
                continue
            try:
                octets = connection.recv(65536)
            except OSError:
                octets = b""
            if not octets:
                received.pop(connection, None)
                selector.unregister(connection)
                connection.close()
                continue
            received[connection] += octets
            while b"\r\n\r\n" in received[connection]:
                received[connection] = received[connection].partition(b"\r\n\r\n")[2]
                order += 1
                heapq.heappush(due, (queue.take(now), order, connection))
        while due and due[0][0] <= time.monotonic():
            connection = heapq.heappop(due)[2]
            try:
                connection.send(ANSWER)
            except OSError:
                pass  # it was closed meanwhile


if __name__ == "__main__":
    serve([Queue(sys.argv[1], int(port), float(seconds))
           for port, _, seconds in (argument.partition(":") for argument in sys.argv[2:])])
