"""What lies below HTTP: endpoints on unix sockets."""

import socket
import threading

import pytest

from weir import Origin, Peer, ReservedPort, answer_with_request, get, request


def content(length):
    """Octets that tell where they are."""
    block = b"".join(index.to_bytes(4, "big") for index in range(1 << 16))
    return (block * (length // len(block) + 1))[:length]


class UnixOrigin(Origin):
    """An origin on a unix socket."""

    def __init__(self, script, path, backlog=512):
        self.path = path
        self.script = script
        self.name = "origin"
        self.requests = []
        self.failures = []
        self.connections = 0
        self.open = set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(backlog)
        self.address = str(path)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __str__(self):
        return f"unix:{self.path}"


def http(workspace, listener, origin=None, upstream=""):
    origin = origin or workspace.origin()
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}, {listener}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]{upstream}}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    return node, port.address


def told(head, name):
    return dict(head.json["fields"]).get(name)


# unix sockets


def test_requests_reach_a_unix_socket(workspace):
    origin = workspace.keep(UnixOrigin(answer_with_request, workspace.folder / "app.sock"))
    node, web = http(workspace, "limits: {connections: 100}", origin)
    with Peer.connect(web) as peer:
        for _ in range(3):
            head = peer.exchange(request(body=b"content"))
            assert head.json["body"] == "content"
            assert told(head, "x-forwarded-for") == "127.0.0.1" and told(head, "host") == "example.test"
    assert origin.connections == 1, "connections rest and are used again"
    assert node.access_log(3)[0]["endpoint"] == str(origin)


def test_long_content_comes_from_a_unix_socket(workspace):
    def script(peer, origin):
        while peer.read_head() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + content(10_000_000))

    _, web = http(workspace, "limits: {connections: 100}",
                  workspace.keep(UnixOrigin(script, workspace.folder / "app.sock")))
    assert get(web).body == content(10_000_000)


def test_a_socket_that_is_not_there_is_502_and_not_named(workspace):
    path = workspace.folder / "nobody.sock"
    node, web = http(workspace, "limits: {connections: 100}", f"unix:{path}")
    head = get(web)
    assert head.status == 502 and head.get("proxy-status") == "weir; error=connection_refused"
    assert b"nobody" not in head.octets + head.body
    assert node.access_log(1)[0]["error"] == "connection_refused"
    listener = workspace.keep(UnixOrigin(answer_with_request, path))
    assert get(web).status == 200 and listener.connections == 1


def test_a_path_may_have_107_octets(workspace):
    folder = workspace.folder / ("d" * 10)
    folder.mkdir()
    name = "s" * (107 - len(str(folder)) - 1)
    if not name:
        pytest.skip("the temporary folder's name is too long")
    origin = workspace.keep(UnixOrigin(answer_with_request, folder / name))
    assert len(origin.address) == 107
    _, web = http(workspace, "limits: {connections: 100}", origin)
    assert get(web).status == 200
