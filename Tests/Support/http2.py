"""HTTP/2 ends for the tests: on Python's h2, a client that says what it wants and an origin driven by a script; and
`Wire`, a connection whose frames are sent and read as they are, right or wrong."""

import collections
import contextlib
import select
import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import hpack

from weir import PEER_SECONDS, Peer

# RFC 9113 §6.8: streams below the last one of a GOAWAY go on; this version of h2 takes the connection for closed.
_machine = h2.connection.H2ConnectionStateMachine
_machine._transitions[(h2.connection.ConnectionState.CLIENT_OPEN, h2.connection.ConnectionInputs.RECV_GOAWAY)] = (
    None, h2.connection.ConnectionState.CLIENT_OPEN)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ACK, END_STREAM, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20
WHOLE = END_STREAM | END_HEADERS
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "example.test"), (":path", "/")]
POST = [(":method", "POST"), *GET[1:]]

Frame = collections.namedtuple("Frame", "kind flags stream payload")


def frame(kind, flags=0, stream=0, payload=b""):
    """The octets of one frame (RFC 9113 §4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def number(value, octets=4):
    """The octets of a number in network order."""
    return value.to_bytes(octets, "big")


def settings(*pairs):
    """The payload of SETTINGS (RFC 9113 §6.5.1)."""
    return b"".join(number(name, 2) + number(value) for name, value in pairs)


def literal(name, value, first=b"\0"):
    """A field line spelled out octet for octet, without Huffman's code and not indexed (RFC 7541 §6.2.2)."""

    def string(text):
        octets = text if isinstance(text, bytes) else text.encode("latin-1")
        length = len(octets)
        if length < 127:
            return bytes([length]) + octets
        head, length = b"\x7f", length - 127
        while length >= 128:
            head, length = head + bytes([length & 127 | 128]), length >> 7
        return head + bytes([length]) + octets

    return first + string(name) + string(value)


def block(lines):
    """A field block of literals."""
    return b"".join(literal(name, value) for name, value in lines)


class Wire(Peer):
    """One HTTP/2 connection frame for frame; nothing is checked, answered or given back but by the test."""

    protocols = ("h2",)

    def __init__(self, connection):
        super().__init__(connection)
        self.decoder = hpack.Decoder()
        self.peer_settings = {}

    @classmethod
    def open(cls, target, *pairs):
        """A connection on which both sides have acknowledged the other's SETTINGS."""
        wire = cls.connect(target)
        wire.send(PREFACE + frame(SETTINGS, 0, 0, settings(*pairs)))
        wire.shake_hands()
        assert wire.expect(SETTINGS).flags == ACK
        return wire

    @classmethod
    def accept(cls, peer, *pairs):
        """The server's side of a connection that was accepted; requests may come before the acknowledgement."""
        wire = cls(peer.socket)
        assert wire.read_exactly(len(PREFACE)) == PREFACE
        wire.send(frame(SETTINGS, 0, 0, settings(*pairs)))
        wire.shake_hands()
        return wire

    def shake_hands(self):
        """Takes the other side's SETTINGS."""
        came = self.expect(SETTINGS)
        for place in range(0, len(came.payload), 6):
            name = int.from_bytes(came.payload[place:place + 2], "big")
            self.peer_settings[name] = int.from_bytes(came.payload[place + 2:place + 6], "big")
        self.send(frame(SETTINGS, ACK))

    def put(self, kind, flags=0, stream=0, payload=b""):
        """Sends one frame; that the other side has closed is seen by who reads."""
        with contextlib.suppress(ConnectionError):
            self.send(frame(kind, flags, stream, payload))

    def headers(self, stream, lines=GET, flags=WHOLE, tail=b""):
        """Sends HEADERS of literals, and octets of a field block behind them."""
        self.put(HEADERS, flags, stream, block(lines) + tail)

    def reset_stream(self, stream, code=h2.errors.ErrorCodes.CANCEL):
        self.put(RST_STREAM, 0, stream, number(code))

    def window_update(self, stream, increment):
        self.put(WINDOW_UPDATE, 0, stream, number(increment))

    def ping(self, payload=b"are you?"):
        """Sends PING and waits for its answer."""
        self.put(PING, 0, 0, payload)
        while True:
            came = self.expect(PING)
            if came.payload == payload:
                assert came.flags == ACK
                return

    def read_frame(self):
        """The next frame, or `None` at the end of the connection."""
        try:
            head = self.read_exactly(9)
            payload = self.read_exactly(int.from_bytes(head[:3], "big"))
        except (EOFError, ConnectionError):
            return None
        return Frame(head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, payload)

    def expect(self, kind, stream=None):
        """The next frame of a kind, of a stream if that is given; others are passed over, but for the end."""
        seen = []
        while came := self.read_frame():
            if came.kind == kind and stream in (None, came.stream):
                return came
            assert came.kind != GOAWAY, f"GOAWAY with {code_of(came)!r} before {kind}; seen: {seen}"
            seen.append(came[:3])
        raise AssertionError(f"the connection ends before {kind}; seen: {seen}")

    def fields(self, stream):
        """The field lines of the next HEADERS of a stream."""
        return self.decoder.decode(self.expect(HEADERS, stream).payload, raw=False)

    def expect_connection_error(self, *codes):
        """GOAWAY with one of `codes`, and then the end (RFC 9113 §5.4.1)."""
        seen = []
        while (came := self.read_frame()) and came.kind != GOAWAY:
            seen.append(came[:3])
        assert came, f"the connection ends without GOAWAY; seen: {seen}"
        assert code_of(came) in codes, f"GOAWAY with {code_of(came)!r}"
        while self.read_frame():
            pass

    def expect_stream_error(self, stream, *codes):
        """RST_STREAM with one of `codes` (RFC 9113 §5.4.2), or GOAWAY and the end; whether it was RST_STREAM."""
        seen = []
        while came := self.read_frame():
            if came.kind in (RST_STREAM, GOAWAY):
                assert code_of(came) in codes, f"{came.kind} with {code_of(came)!r}; seen: {seen}"
                assert came.kind == GOAWAY or came.stream == stream
                return came.kind == RST_STREAM
            seen.append(came[:3])
        raise AssertionError(f"the connection ends without an error; seen: {seen}")

    def expect_end_of_stream(self, stream):
        """Reads to the end of the response on a stream; its content."""
        content = b""
        while came := self.read_frame():
            if came.stream == stream and came.kind == DATA:
                content += came.payload
            assert came.stream != stream or came.kind != RST_STREAM, f"reset with {code_of(came)!r}"
            if came.stream == stream and came.kind in (DATA, HEADERS) and came.flags & END_STREAM:
                return content
        raise AssertionError("the connection ends before the response")


def code_of(came):
    """The error code of RST_STREAM or GOAWAY."""
    start = 4 if came.kind == GOAWAY else 0
    return h2.errors._error_code_from_int(int.from_bytes(came.payload[start:start + 4], "big"))


class Message:
    """What came on one stream."""

    def __init__(self):
        self.interim = []
        self.fields = None
        self.body = b""
        self.trailers = None
        self.is_ended = False
        self.reset = None

    @property
    def status(self):
        return int(self.get(":status"))

    def get(self, name, default=None):
        return next((value for key, value in self.fields or () if key == name), default)

    def all(self, name):
        return [value for key, value in self.fields or () if key == name]

    def __contains__(self, name):
        return self.get(name) is not None


class Client:
    """An HTTP/2 connection in clear text with prior knowledge, or over TLS where that is spoken."""

    def __init__(self, target, settings=None, acknowledges=True, connection=None):
        self.socket = connection or Wire.connect(target).socket
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False, validate_inbound_headers=True))
        if settings:
            self.http2.local_settings = h2.settings.Settings(client=True, initial_values=settings)
        self.http2.initiate_connection()
        self.acknowledges = acknowledges
        self.streams = {}
        self.order = []
        self.is_closed = False
        self.goaway = None
        self.flush()

    @classmethod
    def over(cls, connection, **options):
        """The same on a connection that stands already."""
        return cls(None, connection=connection, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        octets = self.http2.data_to_send()
        if octets:
            self.socket.sendall(octets)

    def request(self, path="/", method="GET", fields=(), body=None, ends=True, authority="example.test", **pseudo):
        """Sends a head, with content unless `body` is None; the number of its stream."""
        stream = self.http2.get_next_available_stream_id()
        lines = [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path)]
        lines += [(f":{name}", value) for name, value in pseudo.items()]
        self.streams[stream] = Message()
        self.http2.send_headers(stream, lines + list(fields), end_stream=ends and body is None)
        if body is None:
            self.flush()
        else:  # a head and short content leave in one write
            self.send(stream, body, ends)
        return stream

    def send(self, stream, octets, ends=False):
        """Sends content as far as the windows allow, reading on while they do not."""
        deadline = time.monotonic() + PEER_SECONDS
        while octets or ends:
            room = min(self.http2.local_flow_control_window(stream), self.http2.max_outbound_frame_size)
            piece, octets = octets[:room], octets[room:]
            if piece or (ends and not octets):
                self.http2.send_data(stream, piece, end_stream=ends and not octets)
                self.flush()
                if not octets:
                    return
                deadline = time.monotonic() + PEER_SECONDS
            else:
                assert time.monotonic() < deadline, "the window does not open"
                self.read()

    def read(self):
        """Reads once and takes what came."""
        octets = self.socket.recv(65536)
        if not octets:
            self.is_closed = True
            return
        for event in self.http2.receive_data(octets):
            self.take(event)
        self.flush()

    def take(self, event):
        kind = type(event)
        message = self.streams.get(getattr(event, "stream_id", None))
        if kind is h2.events.ConnectionTerminated:
            self.goaway = event
        if message is None:
            return
        if kind is h2.events.InformationalResponseReceived:
            message.interim.append(event.headers)
        elif kind is h2.events.ResponseReceived:
            message.fields = event.headers
        elif kind is h2.events.DataReceived:
            message.body += event.data
            self.order.append(event.stream_id)
            if self.acknowledges:
                self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif kind is h2.events.TrailersReceived:
            message.trailers = event.headers
        elif kind is h2.events.StreamEnded:
            message.is_ended = True
        elif kind is h2.events.StreamReset:
            message.reset = event.error_code

    def wait(self, condition, what="the awaited"):
        """Reads on until `condition()`; its value."""
        deadline = time.monotonic() + PEER_SECONDS
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} does not come"
            assert not self.is_closed, f"the connection closed before {what}"
            self.read()
        return value

    def response(self, stream):
        """The whole response on a stream."""
        message = self.streams[stream]
        self.wait(lambda: message.is_ended or message.reset is not None, f"the response on stream {stream}")
        return message

    def get(self, path="/", **options):
        return self.response(self.request(path, **options))

    def wait_closed(self):
        """Reads to the end of the connection; the code of the GOAWAY that came, if any."""
        deadline = time.monotonic() + PEER_SECONDS
        with contextlib.suppress(ConnectionError):
            while not self.is_closed:
                assert time.monotonic() < deadline, "the connection is not closed"
                self.read()
        return self.goaway.error_code if self.goaway else None


class Origin:
    """An origin that speaks HTTP/2 in clear text; `script(origin, connection, event)` is called with each event.

    `connection` is an h2 connection; what the script writes to it is sent when it returns. One that returns "close"
    has the connection closed then.
    """

    def __init__(self, script, settings=None):
        self.script = script
        self.settings = settings
        self.requests = []
        self.failures = []
        self.connections = 0
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __str__(self):
        return f"{self.address[0]}:{self.address[1]}"

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        if self.settings:
            connection.local_settings = h2.settings.Settings(client=False, initial_values=self.settings)
        connection.initiate_connection()
        try:
            peer.sendall(connection.data_to_send())
            while octets := peer.recv(65536):
                for event in connection.receive_data(octets):
                    if isinstance(event, h2.events.RequestReceived):
                        self.requests.append(event.headers)
                    if isinstance(event, h2.events.DataReceived):
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if self.script(self, connection, event) == "close":
                        peer.sendall(connection.data_to_send())
                        return
                peer.sendall(connection.data_to_send())
        except OSError:
            pass  # the proxy closed the connection, which it may
        except h2.exceptions.ProtocolError as failure:
            if connection.state_machine.state is not h2.connection.ConnectionState.CLOSED:
                self.failures.append(failure)
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(failure)
        finally:
            self.open.discard(peer)
            peer.close()

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PEER_SECONDS)
        for peer in list(self.open):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None and self.failures:
            raise self.failures[0]


def echoing(origin, connection, event):
    """Answers each request with its content, once that has ended, and its trailers."""
    bodies = connection.__dict__.setdefault("bodies", {})
    trailers = connection.__dict__.setdefault("trailers", {})
    if isinstance(event, h2.events.DataReceived):
        bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
    if isinstance(event, h2.events.TrailersReceived):
        trailers[event.stream_id] = event.headers
    if isinstance(event, h2.events.StreamEnded):
        body = bodies.pop(event.stream_id, b"")
        tail = trailers.pop(event.stream_id, None)
        connection.send_headers(event.stream_id, [(":status", "200"), ("x-origin", "h2")],
                                end_stream=not body and not tail)
        if body:
            connection.send_data(event.stream_id, body, end_stream=not tail)
        if tail:
            connection.send_headers(event.stream_id, tail, end_stream=True)


def flood(wire, octets, reads=True, bytes_max=64_000_000, seconds=30, enough=None):
    """Sends octets, from an iterator, as fast as they are taken until the other side closes or there are no more.

    When all are sent, it reads on until `enough(kinds)`, or without that until nothing comes for a second. Returns how often each kind of frame came, the code of GOAWAY or `None`, and how many octets were sent.
    """
    kinds, code, sent, came = collections.Counter(), None, 0, b""
    waiting, deadline, is_open = b"", time.monotonic() + seconds, True
    wire.socket.setblocking(False)
    while is_open and sent < bytes_max and time.monotonic() < deadline:
        while len(waiting) < 65536 and (more := next(octets, None)):
            waiting += more
        if not waiting and (not reads or enough and enough(kinds)):
            break
        readable, writable, _ = select.select([wire.socket] if reads else [], [wire.socket] if waiting else [], [], 1)
        # Octets of TLS may have been taken off the socket already.
        readable = readable or reads and getattr(wire.socket, "pending", int)()
        if not waiting and not readable and not enough:
            break
        try:
            if writable:
                count = wire.socket.send(waiting)
                sent, waiting = sent + count, waiting[count:]
            if readable:
                is_open = bool(piece := wire.socket.recv(65536))
                came += piece
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            continue
        except (ConnectionError, ssl.SSLError):  # what had come before the reset can still be read
            if not waiting:
                break
            waiting, octets, reads = b"", iter(()), True
            continue
        while len(came) >= 9 and len(came) >= 9 + (length := int.from_bytes(came[:3], "big")):
            kinds[came[3]] += 1
            if came[3] == GOAWAY:
                code = code_of(Frame(GOAWAY, 0, 0, came[9:9 + length]))
            came = came[9 + length:]
    wire.socket.settimeout(PEER_SECONDS)
    return kinds, code, sent
