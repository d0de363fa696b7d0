"""A node as a process: its admin address, its log, its start and its end."""

import contextlib
import json
import signal
import socket
import threading
import time

import pytest

from weir import BIN, Origin, Peer, ReservedPort, get, is_listening, request, run_proxyctl, until

LOG_KEYS = {"time", "client", "method", "scheme", "host", "path", "status", "bytes", "seconds", "route", "upstream",
            "endpoint", "version", "request_id", "protocol", "error"}


def serve(workspace, origin, more="", arguments=(), name="node", routes="{name: all, upstream: main}", prefix=()):
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{routes}]
{more}""", name, workers=1, prefix=prefix, arguments=arguments)
    return node, port.address


def test_the_admin_address_tells_how_the_node_is(workspace):
    node, web = serve(workspace, workspace.origin())
    for _ in range(3):
        get(web)
    assert node.get("/healthz").status == 200
    assert node.get("/readyz").status == 200
    assert node.get("/nowhere").status == 404

    def counted():
        text = node.get("/metrics").body.decode()
        samples = [line for line in text.splitlines() if line.startswith("weir_requests_total")]
        return text if sum(float(line.rsplit(" ", 1)[1]) for line in samples) == 3 else None

    metrics = until(counted, "the metrics count the requests")
    for line in metrics.splitlines():
        assert line.startswith(("# HELP weir_", "# TYPE weir_", "weir_")) or line in ("", "# EOF"), line
    configuration = node.get("/config").json
    assert "web" in json.dumps(configuration)


def test_the_access_log_has_one_record_with_all_keys_per_exchange(workspace):
    node, web = serve(workspace, workspace.origin())
    get(web, "/a?secret=1", "shop.test", method="GET")
    get(web, "/b", method="DELETE")
    first, second = node.access_log(2)
    assert set(first) == LOG_KEYS
    assert (first["method"], first["scheme"], first["host"], first["path"]) == ("GET", "http", "shop.test", "/a")
    assert (first["status"], first["route"], first["upstream"]) == (200, "all", "main")
    assert first["protocol"] == "HTTP/1.1" and first["error"] in (None, "")
    assert first["client"].startswith("127.0.0.1") and first["bytes"] > 0 and 0 <= first["seconds"] < 60
    assert "secret" not in json.dumps(first)
    assert first["request_id"] and first["request_id"] != second["request_id"]
    assert second["method"] == "DELETE"


def test_a_hostile_request_cannot_forge_a_log_record(workspace):
    node, web = serve(workspace, workspace.origin())
    get(web, '/%22,%22status%22:500/\u00ff"\\', fields=['User-Agent: "}\\'])
    get(web, "/after")
    assert len(node.access_log(2)) == 2


def test_the_combined_format_and_off(workspace):
    node, web = serve(workspace, workspace.origin(), "logging: {access: {format: combined}}")
    get(web, "/page", fields=["User-Agent: probe", "Referer: http://r.test/"])
    line = until(lambda: node.program.stdout().strip(), "a line in the log")
    assert line.startswith("127.0.0.1 - - [") and '"GET /page HTTP/1.1" 200 ' in line and '"probe"' in line

    node, web = serve(workspace, workspace.origin(), "logging: {access: off}", name="quiet")
    assert get(web).status == 200
    assert node.program.stop() == 0
    assert "GET" not in node.program.stdout()


def test_sigterm_finishes_what_is_under_way_and_takes_nothing_new(workspace):
    release = threading.Event()
    workspace.closing.callback(release.set)

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            if head.target == "/slow":
                release.wait(20)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    origin = workspace.keep(Origin(script))
    node, web = serve(workspace, origin)
    slow = workspace.keep(Peer.connect(web))
    slow.send(request(target="/slow"))
    until(lambda: origin.requests, "the slow request is under way")
    node.program.signal(signal.SIGTERM)
    until(lambda: not is_listening(web), "the listener is closed")
    assert node.program.is_running
    release.set()
    head = slow.read_response()
    assert (head.status, head.body, head.get("connection")) == (200, b"done", "close")
    assert slow.is_closed()
    assert node.program.process.wait(15) == 0


def test_a_drain_is_not_ready_first_and_ends_at_its_deadline(workspace):
    release = threading.Event()
    workspace.closing.callback(release.set)

    def script(peer, origin):
        origin.requests.append(peer.read_head())
        release.wait(30)

    origin = workspace.keep(Origin(script))
    node, web = serve(workspace, origin, arguments=["--drain-timeout", "1s"])
    peer = workspace.keep(Peer.connect(web))
    peer.send(request())
    until(lambda: origin.requests, "the request is under way")
    node.program.signal(signal.SIGTERM)
    assert node.program.process.wait(15) == 0
    release.set()


def test_an_idle_connection_gets_its_answer_during_a_drain_and_is_then_closed(workspace):
    release = threading.Event()
    workspace.closing.callback(release.set)

    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            origin.requests.append(head)
            if head.target == "/slow":
                release.wait(20)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    origin = workspace.keep(Origin(script))
    node, web = serve(workspace, origin)
    slow, idle = workspace.keep(Peer.connect(web)), workspace.keep(Peer.connect(web))
    assert idle.exchange(request()).status == 200
    slow.send(request(target="/slow"))
    until(lambda: len(origin.requests) == 2, "the slow request is under way")
    node.program.signal(signal.SIGTERM)
    until(lambda: not is_listening(web), "the listener is closed")
    head = idle.exchange(request())
    assert (head.status, head.get("connection")) == (200, "close")
    assert idle.is_closed()
    release.set()
    assert slow.read_response().status == 200
    assert node.program.process.wait(15) == 0


def test_sigusr1_reopens_the_log_and_does_not_end_the_node(workspace):
    node, web = serve(workspace, workspace.origin())
    node.program.signal(signal.SIGUSR1)
    assert get(web).status == 200
    assert len(node.access_log(1)) == 1


def test_a_listener_on_a_taken_port_is_one_clear_line_and_no_start(workspace):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        source = workspace.configuration(f"""
listeners: [{{name: web, address: 127.0.0.1:{port}}}]
routes: [{{name: all, respond: {{status: 204}}}}]
""")
        run_proxyctl("compile", source, "--out", workspace.folder / "s")
        program = workspace.start("node", BIN / "proxy-node", "run", "--snapshot", workspace.folder / "s",
                                  "--admin", "127.0.0.1:0")
        assert program.process.wait(15) != 0
        assert str(port) in program.stderr() and "web" in program.stderr()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "other"])
def test_a_damaged_snapshot_is_refused(workspace, damage):
    source = workspace.configuration("routes: [{name: all, respond: {status: 204}}]\n"
                                     "listeners: [{name: web, address: 127.0.0.1:1}]\n")
    path = workspace.folder / "s"
    run_proxyctl("compile", source, "--out", path)
    octets = bytearray(path.read_bytes())
    if damage == "truncated":
        octets = octets[:-10]
    elif damage == "flipped":
        octets[len(octets) // 2] ^= 1
    elif damage == "empty":
        octets = b""
    else:
        octets = b"listeners: []\n" * 20
    path.write_bytes(octets)
    program = workspace.start("node", BIN / "proxy-node", "run", "--snapshot", path, "--admin", "127.0.0.1:0")
    assert program.process.wait(15) != 0
    assert "ready" not in program.stderr() and program.stderr().strip()


def test_two_nodes_share_an_address(workspace):
    origin = workspace.origin()
    port = workspace.keep(ReservedPort())
    text = f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: main}}]
"""
    first = workspace.node(text, "first", workers=1)
    second = workspace.node(text, "second", workers=1)
    for _ in range(60):
        assert get(port.address).status == 200
    assert len(first.access_log(1)) > 0 and len(second.access_log(1)) > 0
    # One of the two goes away while requests come in, and no connection is lost in its queue.
    first.program.signal(signal.SIGTERM)
    for _ in range(200):
        assert get(port.address).status == 200
    assert first.program.process.wait(15) == 0


def fill_up(workspace, web):
    """Connects and asks until the node has no descriptor left: the last connections wait in the queue."""
    peers = [workspace.keep(Peer.connect(web)) for _ in range(80)]
    for peer in peers:
        peer.send(request())
    return peers


def holding(begin):
    """An origin that answers nobody before `begin`."""
    def script(peer, origin):
        while peer.read_head() is not None:
            begin.wait(20)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return script


def test_a_node_that_ran_out_of_descriptors_accepts_again(workspace):
    begin = threading.Event()
    node, web = serve(workspace, workspace.keep(Origin(holding(begin))), prefix=["prlimit", "--nofile=64:64"])
    peers = fill_up(workspace, web)
    until(lambda: len(node.program.descriptors()) >= 63, "no descriptor is left")
    for peer in peers:
        peer.close()
    begin.set()

    def is_served():
        with contextlib.suppress(OSError, EOFError):
            return get(web).status == 200
        return False

    until(is_served, "a client is served again")
    until(lambda: len(node.program.descriptors()) < 40, "the descriptors are free again")
    for _ in range(5):
        assert get(web).status == 200


def test_a_response_that_is_cut_off_at_the_deadline_does_not_pass_for_whole(workspace):
    """Only the end of the connection marks where it ends, so that must not be like any other."""
    release = threading.Event()
    workspace.closing.callback(release.set)

    def script(peer, origin):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf")
        release.wait(30)

    node, web = serve(workspace, workspace.keep(Origin(script)), arguments=["--drain-timeout", "500ms"])
    with Peer.connect(web) as peer:
        peer.send(b"GET / HTTP/1.0\r\nHost: example.test\r\n\r\n")
        peer.read_until(b"half")
        node.program.signal(signal.SIGTERM)
        with pytest.raises(ConnectionResetError):
            peer.read_to_end()
    assert node.program.process.wait(15) == 0


def test_without_descriptors_connections_to_the_admin_address_wait_without_work(workspace):
    begin = threading.Event()
    origin = workspace.keep(Origin(holding(begin)))
    node, web = serve(workspace, origin, prefix=["prlimit", "--nofile=64:64"])
    workspace.closing.callback(begin.set)
    peers = []
    while len(node.program.descriptors()) < 61:
        peers.append(workspace.keep(Peer.connect(web)))
        peers[-1].send(request())
        until(lambda: origin.connections == len(peers), "the request is under way")
    waiting = [workspace.keep(Peer.connect(node.admin)) for _ in range(6)]
    until(lambda: len(node.program.descriptors()) == 64, "no descriptor is left")
    before, start = processor_seconds(node), time.monotonic()
    until(lambda: time.monotonic() > start + 1, "a second has passed")
    assert processor_seconds(node) - before < 0.5
    begin.set()
    for peer in peers:
        peer.close()
    for peer in waiting:
        assert peer.exchange(request(target="/healthz")).status == 200


def processor_seconds(node):
    """The time that a node's first thread, which has the admin address, was on a processor."""
    with open(f"/proc/{node.program.pid}/task/{node.program.pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def test_connections_that_wait_for_a_descriptor_are_answered_during_a_drain(workspace):
    begin = threading.Event()
    node, web = serve(workspace, workspace.keep(Origin(holding(begin))), prefix=["prlimit", "--nofile=64:64"])
    peers = fill_up(workspace, web)
    until(lambda: len(node.program.descriptors()) >= 63, "no descriptor is left")
    node.program.signal(signal.SIGTERM)
    until(lambda: "node.draining" in node.program.stderr(), "the node drains")
    begin.set()
    # Whoever was accepted last was accepted because others have left; the endpoint may be out of reach meanwhile.
    for peer in peers:
        assert peer.read_response().status in (200, 503)
        peer.close()
    assert node.program.process.wait(15) == 0
