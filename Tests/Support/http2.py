"""HTTP/2 ends for the tests, on Python's h2: a client that says what it wants, and an origin driven by a script."""

import contextlib
import socket
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from weir import PEER_SECONDS

# RFC 9113 §6.8: streams below the last one of a GOAWAY go on; this version of h2 takes the connection for closed.
_machine = h2.connection.H2ConnectionStateMachine
_machine._transitions[(h2.connection.ConnectionState.CLIENT_OPEN, h2.connection.ConnectionInputs.RECV_GOAWAY)] = (
    None, h2.connection.ConnectionState.CLIENT_OPEN)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b""):
    """The octets of one frame (RFC 9113 §4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


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
    """An HTTP/2 connection in clear text with prior knowledge."""

    def __init__(self, target, settings=None, acknowledges=True):
        self.socket = socket.create_connection(target, timeout=PEER_SECONDS)
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
