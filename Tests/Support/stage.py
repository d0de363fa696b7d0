"""One node between a scripted client and an origin that records, for the tests of conformance.

The origin reads what is forwarded with the reader of strict.py and keeps it. A test sets what is answered, by target:
octets that go out as they are, or a function that has the connection for itself and returns
whether that goes on.
"""

import contextlib
import itertools
import socket
import ssl

import pytest

import strict
import weir
from weir import Origin, Peer, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RecordingOrigin(Origin):
    """Keeps every whole request that it gets; what is not to the letter of the RFC is a fault."""

    def __init__(self):
        self.records = []
        self.faults = []
        self.unfinished = 0
        self.replies = {}
        super().__init__(self.converse)

    def converse(self, peer, _):
        while (head := self.read(peer, strict.read_forwarded_head)) is not None:
            reply = self.replies.get(head.target)
            if callable(reply):
                if not reply(peer, head):
                    return None
                continue
            if self.read(peer, lambda octets: (True, strict.read_content(head, octets, 0))) is None:
                return None
            self.records.append(head)
            octets, closes = reply or (OK[:-2] if head.method == b"HEAD" else OK, False)
            peer.send(octets)
            if closes:
                return None
        return None

    def read(self, peer, reader):
        """What `reader` finds at the front of the connection, or None at its end."""
        while True:
            try:
                found, end = reader(peer.buffer)
            except strict.Incomplete:
                if not peer.fill():
                    self.unfinished += 1 if peer.buffer else 0
                    return None
                continue
            except strict.Refused as refusal:
                self.faults.append(f"{refusal}: {peer.buffer!r}")
                return None
            peer.take(end)
            return found


class Stage:
    """The node, and both sides of it."""

    def __init__(self, space, listener="", limits="bodyBytes: 64MiB"):
        self.origin = space.keep(RecordingOrigin())
        port = space.keep(weir.ReservedPort())
        self.node = space.node(f"""
listeners: [{{name: web, address: {port}, limits: {{{limits}}}{listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {self.origin}}}]}}]
routes: [{{name: all, upstream: main}}]
hiding: {{rewriteCookies: false}}  # over TLS they gain an attribute
""", workers=1)
        self.web = port.address
        self.numbers = itertools.count()

    def connect(self):
        return Peer.connect(self.web)

    def target(self, reply=None, closes=False):
        """A target of its own, for which the origin answers `reply`: octets, or a function."""
        target = b"/reply-%d" % next(self.numbers)
        if reply is not None:
            self.origin.replies[target] = reply if callable(reply) else (reply, closes)
        return target

    def take_records(self):
        """The requests that reached the origin since they were last taken; none may have a fault."""
        faults, self.origin.faults = self.origin.faults, []
        assert not faults, faults
        records, self.origin.records = self.origin.records, []
        return records

    # Requests

    def refuses(self, octets, *statuses):
        """Sends what has to be refused: one answer of these statuses, the end, and nothing for the origin."""
        self.take_records()
        with self.connect() as peer:
            peer.send(octets)
            message = read_response(peer, octets.partition(b" ")[0])
            assert message.status in statuses, (message, octets)
            assert b"close" in message.options, message
            assert peer.is_closed(), f"the connection goes on after {octets!r}"
        assert self.take_records() == []
        return message

    def forwards(self, octets, reply=None):
        """Sends one request that has to pass, and returns it as the origin got it, and the response."""
        self.take_records()
        with self.connect() as peer:
            peer.send(octets)
            message = read_response(peer, octets.lstrip(b"\r\n").partition(b" ")[0])
            assert message.status == 200, (message, octets)
        records = self.take_records()
        assert len(records) == 1, (records, octets)
        return records[0], message

    # Responses

    def answers(self, reply, method=b"GET", closes=False, version=b"1.1", fields=b""):
        """What a client gets for a request that the origin answers with these octets: all responses, and the end.

        The client asks for one thing more on the same connection, which tells whether that was kept clean. Returns
        the final response; `interim` and `goes_on` say what came before and after it.
        """
        target = self.target(reply, closes)
        with self.connect() as peer:
            peer.send(b"%b %b HTTP/%b\r\nHost: a.test\r\n%b\r\n" % (method, target, version, fields))
            interim = []
            while (message := read_response(peer, method)).status < 200:
                interim.append(message)
            message.interim = interim
            message.goes_on = message.persists and not (peer.buffer == b"" and ends_soon(peer))
            if message.goes_on:
                peer.send(b"GET /after HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
                after = read_response(peer)
                assert (after.status, after.content) == (200, b"ok"), (after, reply)
                assert peer.is_closed()
            else:
                with contextlib.suppress(ConnectionResetError):
                    assert peer.read_to_end() == b"", reply
        assert not self.origin.faults, self.origin.faults
        return message


def ends_soon(peer):
    """Whether the end of the connection is there already."""
    peer.socket.settimeout(0)
    try:
        if isinstance(peer.socket, ssl.SSLSocket):
            return not peer.fill()
        return peer.socket.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    finally:
        peer.socket.settimeout(weir.PEER_SECONDS)


def read_response(peer, method=b"GET"):
    """The next response on a client's connection, read strictly; an interim one too."""
    ended = False
    while True:
        try:
            message, end = strict.read_response(peer.buffer, method, ended)
        except strict.Incomplete:
            if ended:
                raise EOFError(f"a response expected, then the end came after {peer.buffer!r}") from None
            ended = not peer.fill()
            continue
        peer.take(end)
        return message


def cases(name, *values):
    """Runs a test once for each value, under a name that shows it."""
    return pytest.mark.parametrize(name, values, ids=[ascii(value)[:60] for value in values])
