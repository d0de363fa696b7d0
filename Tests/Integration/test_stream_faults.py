"""Endpoints of HTTP/2 that fail: streams are not connections, and a connection of many streams may lead nowhere."""

import collections
import json
import threading

import h2.errors
import h2.events
import pytest

import http2
from weir import ReservedPort, get


def serve(workspace, endpoints, upstream):
    port = workspace.keep(ReservedPort())
    listed = ", ".join(f"{{address: {endpoint}}}" for endpoint in endpoints)
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{listed}], protocol: h2c, {upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    return node, port.address


def answers(origin, connection, event):
    if isinstance(event, h2.events.StreamEnded):
        connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)


class Faulty:
    """An origin that answers well until `fault` is set, a script in its place."""

    def __init__(self):
        self.fault = None
        self.origin = http2.Origin(lambda *arguments: (self.fault or answers)(*arguments))

    def __str__(self):
        return str(self.origin)

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        self.origin.__exit__(*arguments)


def resets(code):
    def script(_, connection, event):
        if isinstance(event, h2.events.StreamEnded):
            connection.reset_stream(event.stream_id, code)
    return script


def breaks_off(_, connection, event):
    """The head, half of the content and the reset come at once."""
    if isinstance(event, h2.events.StreamEnded):
        connection.send_headers(event.stream_id, [(":status", "200"), ("content-length", "6")])
        connection.send_data(event.stream_id, b"abc")
        connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)


def closes(_, connection, event):
    """The connection ends within a response."""
    if isinstance(event, h2.events.StreamEnded):
        connection.send_headers(event.stream_id, [(":status", "200"), ("content-length", "6")])
        connection.send_data(event.stream_id, b"abc")
        return "close"
    return None


def goes_away(_, connection, event):
    """The connection ends, and the request was not looked at."""
    if isinstance(event, h2.events.StreamEnded):
        connection.close_connection(h2.errors.ErrorCodes.NO_ERROR, last_stream_id=0)
        return "close"
    return None


def ask(web, count, method):
    """What so many requests came to."""
    found = collections.Counter()
    for _ in range(count):
        try:
            found[get(web, method=method, fields=["Content-Length: 0"]).status] += 1
        except EOFError:
            found["cut"] += 1
    return found


def states(node):
    return [endpoint["state"] for endpoint in json.loads(node.get("/upstreams").body)["upstreams"][0]["endpoints"]]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", [resets(h2.errors.ErrorCodes.INTERNAL_ERROR), breaks_off, closes],
                         ids=["resets", "breaks off", "closes"])
def test_a_stream_that_fails_counts_and_is_not_repeated(workspace, fault, method):
    bad, well = (workspace.keep(Faulty()) for _ in range(2))
    node, web = serve(workspace, [bad, well], "outliers: {consecutiveErrors: 3}")
    assert ask(web, 4, method) == {200: 4}
    before = len(bad.origin.requests)
    bad.fault = fault
    found = ask(web, 40, method)
    assert found[200] == 37, found
    assert len(bad.origin.requests) == before + 3 and states(node) == ["ejected", "healthy"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", [resets(h2.errors.ErrorCodes.REFUSED_STREAM), goes_away], ids=["refuses", "goes away"])
def test_what_was_not_looked_at_goes_elsewhere(workspace, fault, method):
    """RFC 9113 §8.7: a refused request may be sent again, whatever its method; who refuses all has failed."""
    bad, well = (workspace.keep(Faulty()) for _ in range(2))
    node, web = serve(workspace, [bad, well], "retry: {attempts: 1, budget: 100%}, outliers: {consecutiveErrors: 3}")
    bad.fault = fault
    assert ask(web, 40, method) == {200: 40}
    # Three times each, as the connection alone may have been at its end.
    assert len(bad.origin.requests) == 9 and states(node) == ["ejected", "healthy"]


def test_a_connection_that_leads_nowhere_is_left(workspace):
    """Nothing comes of its streams, while new connections are well."""
    connections, is_silent = [], threading.Event()

    def script(origin, connection, event):
        if connection not in connections:
            connections.append(connection)
        if connection is not connections[0] or not is_silent.is_set():
            answers(origin, connection, event)

    origin = workspace.keep(http2.Origin(script))
    _, web = serve(workspace, [origin], "timeouts: {firstByte: 200ms}")
    assert get(web).status == 200
    is_silent.set()
    assert [get(web).status for _ in range(5)] == [504, 200, 200, 200, 200]
    assert origin.connections == 2
