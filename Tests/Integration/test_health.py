"""Which endpoints take requests: checks, ejections for what endpoints answer, and what happens when few are left."""

import concurrent.futures
import contextlib
import json
import signal
import socket
import ssl
import struct
import threading

import grpc
import h2.events
import pytest

import http2
from weir import Fleet, Load, Origin, Peer, ReservedPort, get, request, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
# Soon enough for a test, and long enough for a loaded machine: a check that is well takes some milliseconds.
QUICK = "interval: 50ms, timeout: 2s, healthyAfter: 2, unhealthyAfter: 2"
# A check that is late must be, and soon.
IMPATIENT = "interval: 50ms, timeout: 200ms, healthyAfter: 2, unhealthyAfter: 2"
SECONDS = 30


class Patient(Origin):
    """An origin whose answers to checks (paths under /healthz) and to requests are set apart, and may change.

    An answer is octets, or a function of the peer after which the connection is closed.
    """

    def __init__(self, name):
        self.checks, self.health = [], OK % (2, b"ok")
        self.answer = OK % (len(name), name.encode())
        self.served = 0
        super().__init__(self.talk, name)

    def talk(self, peer, _):
        while (head := peer.read_head()) is not None:
            peer.read_body(head)
            if head.target.startswith("/healthz"):
                self.checks.append(head)
                answer = self.health
            else:
                self.served += 1
                answer = self.answer
            if callable(answer):
                answer(peer)
                return
            peer.send(answer)


def hang(peer):
    """Says nothing until the peer goes away."""
    while peer.fill():
        pass


def reset(peer):
    """Has the connection end with RST when it is closed."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def truncate(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


def serve(workspace, endpoints, settings, workers=1, more="", **options):
    """A node that balances over endpoints by turn."""
    port = workspace.keep(ReservedPort())
    listed = ", ".join(f"{{address: '{endpoint}'}}" for endpoint in endpoints)
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{listed}], {settings}}}]
routes: [{{name: all, upstream: main}}]
{more}
""", workers=workers, **options)
    node.web = port.address
    return node


def health(probe="http: {path: /healthz}", timing=QUICK):
    return f"health: {{{probe}, {timing}}}"


def events(node, name, *texts):
    """The lines of the log that tell of an event and contain the texts."""
    return [line for line in node.program.stderr().splitlines()
            if f" {name} " in line and all(str(text) in line for text in texts)]


def await_event(node, name, *texts, count=1):
    return until(lambda: len(found := events(node, name, *texts)) >= count and found, f"{name} {texts}", SECONDS)[-1]


def await_state(node, **counts):
    """Waits until so many endpoints are in these states."""
    until(lambda: all(metric(node, f'weir_upstream_endpoints{{state="{state}"}}') == count
                      for state, count in counts.items()), f"{counts}", SECONDS)


def metric(node, name):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split(" ")[1])
    raise AssertionError(f"there is no {name}")


def seen(node, origin):
    """What the node tells of an endpoint."""
    upstreams = json.loads(node.get("/upstreams").body)["upstreams"]
    return next(endpoint for upstream in upstreams for endpoint in upstream["endpoints"]
                if endpoint["address"] == str(origin))


def answers(node, count=6):
    """The contents of answers to so many requests, one after the other."""
    found = []
    for _ in range(count):
        head = get(node.web)
        assert head.status == 200, head
        found.append(head.body.decode())
    return found


# Checks


def test_an_endpoint_that_fails_its_checks_gets_no_requests_until_it_is_well(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    node = serve(workspace, [a, b], health())
    until(lambda: a.checks and b.checks, "both are checked")
    assert set(answers(node)) == {"a", "b"}
    b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    line = await_event(node, "upstream.endpoint_down", f"endpoint={b}", "upstream=main")
    assert "state=unhealthy" in line and 'reason="2 checks in a row failed: status 503"' in line
    await_state(node, available=1, unhealthy=1)
    assert set(answers(node)) == {"a"}
    told = seen(node, b)
    assert (told["state"], told["check"]) == ("unhealthy", "status 503")
    assert told["reason"] == "2 checks in a row failed: status 503"
    assert seen(node, a)["check"].startswith("passed in ")
    assert metric(node, 'weir_health_checks_total{result="failed"}') >= 2
    b.health = OK % (0, b"")
    await_event(node, "upstream.endpoint_up", f"endpoint={b}", "upstream=main")
    await_state(node, available=2, unhealthy=0)
    assert set(answers(node)) == {"a", "b"}
    # One line for each change.
    assert len(events(node, "upstream.endpoint_down")) == len(events(node, "upstream.endpoint_up")) == 1


@pytest.mark.parametrize("how, reason", [
    (b"HTTP/1.1 302 Found\r\nLocation: /up\r\nContent-Length: 0\r\n\r\n", "status 302"),
    (OK % (5, b"sorry"), "the content lacks"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsor", "no answer in time"),
    (hang, "no answer in time"),
    (reset, "the connection broke"),
    (lambda peer: None, "the connection ended before there was an answer"),
    (b"220 mail.example.test ESMTP\r\n", "the answer is no HTTP/1.1"),
], ids=["redirect", "content", "half", "silence", "reset", "close", "garbage"])
def test_a_check_says_why_it_failed(workspace, how, reason):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    a.health, b.health = OK % (8, b"is ready"), how
    node = serve(workspace, [a, b], health("http: {path: /healthz, body: ready}", IMPATIENT))
    # A first check that fails is enough.
    line = await_event(node, "upstream.endpoint_down", f"endpoint={b}", f"check failed: {reason}")
    assert "in a row" not in line
    await_state(node, available=1, unhealthy=1)
    assert set(answers(node)) == {"a"}


def test_a_check_is_a_request_that_says_who_asks(workspace):
    a = workspace.keep(Patient("a"))
    node = serve(workspace, [a], health("http: {path: '/healthz?full=1', host: a.internal, expect: '200,503'}"))
    until(lambda: len(a.checks) > 2, "checks")
    for head in a.checks:
        assert (head.method, head.target) == ("GET", "/healthz?full=1")
        assert head.fields == [("host", "a.internal"), ("user-agent", "weir-health-check"), ("connection", "close")]
    a.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    count = len(a.checks)
    until(lambda: len(a.checks) > count + 3, "more checks")
    assert answers(node, 1) == ["a"] and not events(node, "upstream.endpoint_down")


@pytest.mark.parametrize("version, header", [
    ("v1", b"PROXY UNKNOWN\r\n"), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
])
def test_a_check_speaks_for_the_node_itself_in_a_proxy_header(workspace, version, header):
    seen = []

    def script(peer, _):
        seen.append(peer.read_exactly(len(header)))
        while peer.read_head() is not None:
            peer.send(OK % (0, b""))

    origin = workspace.origin(script)
    serve(workspace, [origin], health() + f", proxyProtocol: {version}")
    until(lambda: len(seen) > 1, "checks")
    assert set(seen) == {header}


def test_without_an_available_endpoint_the_answer_is_503_at_once(workspace):
    a = workspace.keep(Patient("a"))
    a.health = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    node = serve(workspace, [a], health())
    await_event(node, "upstream.endpoint_down", f"endpoint={a}")
    await_state(node, unhealthy=1)
    head = get(node.web)
    assert (head.status, head.get("proxy-status")) == (503, "weir; error=destination_unavailable")
    assert a.served == 0


def test_an_endpoint_that_is_gone_is_found_by_a_connection_alone(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    node = serve(workspace, [a, b], health("tcp: {}"))
    until(lambda: a.connections > 1 and b.connections > 1, "both are checked")
    assert set(answers(node)) == {"a", "b"} and not a.checks
    b.stop()
    await_event(node, "upstream.endpoint_down", f"endpoint={b}", "cannot connect: Connection refused")
    await_state(node, available=1, unhealthy=1)
    assert set(answers(node)) == {"a"}


def test_checks_go_over_tls_and_believe_nobody_else_than_requests_do(workspace):
    workspace.certificates.issue("origin", "origin.test")
    workspace.certificates.issue("other", "other.test")

    class Secure(Patient):
        identity = "origin"

        def serve(self, peer):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            folder = workspace.certificates.folder
            context.load_cert_chain(folder / f"{self.identity}.crt", folder / f"{self.identity}.key")
            try:
                peer = Peer(context.wrap_socket(peer.socket, server_side=True))
            except (ssl.SSLError, OSError):
                return peer.close()
            return super().serve(peer)

    a, b = workspace.keep(Secure("a")), workspace.keep(Secure("b"))
    node = serve(workspace, [a, b], health() + ", tls: {authority: authority, serverName: origin.test}",
                 more="certificates: [{name: authority, authority: {file: authority.pem}}]",
                 certificates=workspace.certificates.folder)
    until(lambda: a.checks and b.checks, "both are checked")
    assert set(answers(node)) == {"a", "b"}
    b.identity = "other"
    await_event(node, "upstream.endpoint_down", f"endpoint={b}", "TLS: its certificate is refused: it is for another name")
    await_state(node, available=1, unhealthy=1)
    assert set(answers(node)) == {"a"}
    b.identity = "origin"
    await_event(node, "upstream.endpoint_up", f"endpoint={b}")


def test_checks_speak_http2_where_requests_do(workspace):
    status = {"a": "200", "b": "200"}

    def origin(name):
        def script(origin, connection, event):
            if isinstance(event, h2.events.RequestReceived):
                path = dict(event.headers)[":path"]
                code = status[name] if path == "/healthz" else "200"
                connection.send_headers(event.stream_id, [(":status", code)])
                connection.send_data(event.stream_id, name.encode(), end_stream=True)

        return workspace.keep(http2.Origin(script))

    a, b = origin("a"), origin("b")
    node = serve(workspace, [a, b], health("http: {path: /healthz, body: a, expect: 200-299}") + ", protocol: h2c")
    await_event(node, "upstream.endpoint_down", f"endpoint={b}", "the content lacks")
    await_state(node, available=1, unhealthy=1)
    assert set(answers(node)) == {"a"}
    checks = [dict(headers) for headers in a.requests if dict(headers)[":path"] == "/healthz"]
    assert checks[0][":authority"] == str(a) and checks[0]["user-agent"] == "weir-health-check"
    status["a"] = "500"
    await_event(node, "upstream.endpoint_down", f"endpoint={a}", "status 500")


class HealthService(grpc.GenericRpcHandler):
    """`grpc.health.v1.Health` with messages as octets."""

    def __init__(self):
        self.status, self.asked = {"": 1}, []

    def service(self, call_details):
        if call_details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self.check)

    def check(self, question, context):
        service = question[2:].decode()
        self.asked.append(service)
        if service not in self.status:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([8, self.status[service]])


@contextlib.contextmanager
def grpc_server(service, credentials=None):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[service] if service else [])
    if credentials:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_servers_of_grpc_are_asked_for_a_service(workspace):
    first, second = HealthService(), HealthService()
    first.status["shop.Cart"] = second.status["shop.Cart"] = 1
    a, b = workspace.keep(grpc_server(first)), workspace.keep(grpc_server(second))
    silent = workspace.keep(grpc_server(None))
    node = serve(workspace, [a, b, silent], health("grpc: {service: shop.Cart}") + ", protocol: h2c")
    await_event(node, "upstream.endpoint_down", f"endpoint={silent}", "gRPC status 12")
    await_state(node, available=2, unhealthy=1)
    until(lambda: first.asked and second.asked, "both are asked")
    assert set(first.asked) == {"shop.Cart"}
    second.status["shop.Cart"] = 2
    await_event(node, "upstream.endpoint_down", f"endpoint={b}", "NOT_SERVING")
    second.status["shop.Cart"] = 1
    await_event(node, "upstream.endpoint_up", f"endpoint={b}")
    del first.status["shop.Cart"]
    await_event(node, "upstream.endpoint_down", f"endpoint={a}", "does not know the service")


def test_servers_of_grpc_are_asked_over_tls(workspace):
    workspace.certificates.issue("origin", "origin.test")
    folder = workspace.certificates.folder
    credentials = grpc.ssl_server_credentials([((folder / "origin.key").read_bytes(),
                                                (folder / "origin.crt").read_bytes())])
    service = HealthService()
    a = workspace.keep(grpc_server(service, credentials))
    # Only HTTP/1.1 is spoken here, and the check asks in HTTP/2 all the same.
    b = workspace.keep(Patient("b"))
    node = serve(workspace, [a, b], health("grpc: {}") + ", tls: {authority: authority, serverName: origin.test}",
                 more="certificates: [{name: authority, authority: {file: authority.pem}}]", certificates=folder)
    until(lambda: len(service.asked) > 1, "it is asked")
    await_event(node, "upstream.endpoint_down", f"endpoint={b}", "TLS")
    assert not events(node, "upstream.endpoint_down", f"endpoint={a}")


def test_an_endpoint_of_several_addresses_is_well_where_one_answers(workspace):
    a = workspace.keep(Patient("a"))
    node = serve(workspace, [f"localhost:{a.address[1]}"], health())
    until(lambda: len(a.checks) > 3, "checks")
    assert not events(node, "upstream.endpoint_down")


def test_endpoints_of_tcp_listeners_are_checked_too(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: raw, address: {port}, protocol: tcp, upstream: main}}]
upstreams: [{{name: main, endpoints: [{{address: {a}}}, {{address: {b}}}], {health()}}}]
""", workers=1)
    node.web = port.address
    until(lambda: a.checks and b.checks, "both are checked")
    assert set(answers(node)) == {"a", "b"}
    b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    await_event(node, "upstream.endpoint_down", f"endpoint={b}")
    await_state(node, available=1, unhealthy=1)
    assert set(answers(node)) == {"a"}


def test_a_thousand_endpoints_are_checked(workspace):
    """All of them are one origin's, at addresses of their own."""
    origin = Patient("a")
    origin.listener.close()
    origin.listener = socket.create_server(("0.0.0.0", 0), backlog=4096)
    origin.thread = threading.Thread(target=origin.accept, daemon=True)
    origin.thread.start()
    workspace.keep(origin)
    port = origin.listener.getsockname()[1]
    names = [f"127.0.{index // 200 + 1}.{index % 200 + 1}:{port}" for index in range(1000)]
    node = serve(workspace, names, health("http: {path: /healthz}", "interval: 1s, timeout: 10s, unhealthyAfter: 1"))
    checked = lambda: {head.get("host") for head in origin.checks}
    until(lambda: len(checked()) == 1000, lambda: f"all are checked: {len(checked())}", 60)
    origin.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    await_state(node, unhealthy=1000)
    origin.health = OK % (0, b"")
    await_state(node, available=1000)


def test_a_verdict_outlives_a_version(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    fleet, port = Fleet(workspace), workspace.keep(ReservedPort())
    node = fleet.add("edge", workers=1)
    node.web = port.address

    def apply(path, settings="", endpoints=(a, b)):
        fleet.apply(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - name: main
    endpoints: [{", ".join(f"{{address: {endpoint}}}" for endpoint in endpoints)}]
    health: {{http: {{path: {path}}}, interval: 1h, timeout: 5s{settings}}}
routes: [{{name: all, upstream: main}}]
""", "--wait")

    apply("/healthz")
    await_event(node, "upstream.endpoint_down", f"endpoint={b}")
    await_state(node, available=1, unhealthy=1)
    until(lambda: a.checks, "a is checked")
    counts = len(a.checks), len(b.checks)
    fleet.apply(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - name: main
    endpoints: [{{address: {a}, weight: 2}}, {{address: {b}}}]
    health: {{http: {{path: /healthz}}, interval: 1h, timeout: 5s}}
routes: [{{name: all, upstream: main}}]
""", "--wait")
    assert set(answers(node)) == {"a"} and counts == (len(a.checks), len(b.checks))
    # Other checks begin at once, and until they say otherwise the verdict stays.
    apply("/healthz?again", ", healthyAfter: 1")
    until(lambda: len(b.checks) == counts[1] + 1, "it is checked otherwise")
    assert set(answers(node)) == {"a"}
    # What comes back begins anew: it is available until a first check has failed.
    apply("/healthz?again", ", healthyAfter: 1", [a])
    b.health = hang
    apply("/healthz?again", ", healthyAfter: 1")
    until(lambda: len(b.checks) == counts[1] + 2, "it is checked")
    assert set(answers(node)) == {"a", "b"}


# Ejection


FAILURES = {
    "status": (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", 502, "status 502"),
    "close": (lambda peer: None, 502, "connection_terminated"),
    "reset": (reset, 502, "connection_terminated"),
    "silence": (hang, 504, "http_response_timeout"),
    "half": (truncate, None, "http_response_incomplete"),
    "garbage": (b"nonsense\r\n\r\n", 502, "http_protocol_error"),
}


def failing(node):
    """One request, whatever comes of it; its status, or `None`."""
    try:
        return get(node.web).status
    except (OSError, EOFError):
        return None


@pytest.mark.parametrize("kind", FAILURES)
def test_an_endpoint_that_fails_again_and_again_is_ejected(workspace, kind):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    b.answer, status, reason = FAILURES[kind]
    node = serve(workspace, [a, b], "outliers: {consecutiveErrors: 3, ejectFor: 1h}, timeouts: {firstByte: 200ms}")
    found = [failing(node) for _ in range(6)]
    assert sorted(found, key=str) == sorted([200] * 3 + [status] * 3, key=str)
    line = await_event(node, "upstream.endpoint_down", f"endpoint={b}", "state=ejected", "3 failures in a row")
    assert reason in line
    await_state(node, available=1, ejected=1)
    assert set(answers(node)) == {"a"} and b.served == 3
    assert metric(node, "weir_upstream_ejections_total") == 1


def test_an_endpoint_that_is_gone_is_ejected_and_comes_back_later_each_time(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(ReservedPort())
    node = serve(workspace, [a, b], "outliers: {consecutiveErrors: 2, ejectFor: 100ms}")
    for times in range(1, 4):
        until(lambda: failing(node) and len(events(node, "upstream.endpoint_down", f"endpoint={b}")) == times,
              f"ejection {times}", SECONDS)
        # So many seconds as there were ejections in a row, and it comes back by itself.
        line = events(node, "upstream.endpoint_down", f"endpoint={b}")[-1]
        assert "Connection refused" in line
        await_event(node, "upstream.endpoint_up", f"endpoint={b}", count=times)
    lines = events(node, "upstream.endpoint_down", f"endpoint={b}")
    assert "out for 100 ms" in lines[0]


def test_slow_failures_after_a_return_are_no_time_of_being_well(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    b.answer = hang
    node = serve(workspace, [a, b],
                 "outliers: {consecutiveErrors: 1, ejectFor: 100ms}, timeouts: {firstByte: 300ms}")
    for times in range(1, 4):
        until(lambda: failing(node) and len(events(node, "upstream.endpoint_down", f"endpoint={b}")) == times,
              f"ejection {times}", SECONDS)
        await_event(node, "upstream.endpoint_up", f"endpoint={b}", count=times)
    lines = events(node, "upstream.endpoint_down", f"endpoint={b}")
    assert ["100 ms" in lines[0], "200 ms" in lines[1], "300 ms" in lines[2]] == [True] * 3, lines


def test_an_endpoint_that_comes_back_is_not_judged_by_its_old_times(workspace):
    def late(peer):
        threading.Event().wait(1.5)
        peer.send(OK % (1, b"b"))

    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    b.answer = late
    node = serve(workspace, [a, b], health() + ", balance: latency, slowStart: 1h")
    until(lambda: "b" in answers(node, 2), "it has been slow", SECONDS)
    b.health = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    await_event(node, "upstream.endpoint_down", f"endpoint={b}")
    b.answer, b.health = OK % (1, b"b"), OK % (2, b"ok")
    await_event(node, "upstream.endpoint_up", f"endpoint={b}")
    # A second and a half over a hundredth of the weight would take a minute to fade.
    until(lambda: "b" in answers(node, 3), "it is asked", SECONDS)


def test_successes_between_failures_keep_an_endpoint(workspace):
    a = workspace.keep(Patient("a"))
    b = workspace.keep(Patient("b"))
    node = serve(workspace, [a, b], "outliers: {consecutiveErrors: 2, ejectFor: 1h}")
    well, bad = b.answer, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    for answer in (bad, well, bad, well, bad):
        b.answer = answer
        failing(node), failing(node)
    assert b.served == 5 and not events(node, "upstream.endpoint_down")
    b.answer = bad
    failing(node), failing(node)
    await_event(node, "upstream.endpoint_down", f"endpoint={b}")


def test_clients_that_go_away_are_not_the_endpoints_failures(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    node = serve(workspace, [a, b], "outliers: {consecutiveErrors: 1, ejectFor: 1h}")
    a.answer = hang
    for count in range(1, 5):
        with Peer.connect(node.web) as peer:
            peer.send(request())
            until(lambda: a.served + b.served == count, "somebody has the request")
            reset(peer)
    assert a.served == 2
    node.access_log(4)
    assert not events(node, "upstream.endpoint_down")


def test_no_more_than_the_share_is_ejected(workspace):
    origins = [workspace.keep(Patient(name)) for name in "abcde"]
    for origin in origins[:3]:
        origin.answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    node = serve(workspace, origins, "outliers: {consecutiveErrors: 2, ejectFor: 1h, maximumEjected: 50%}")
    until(lambda: failing(node) and events(node, "upstream.ejection_withheld"), "a third one is not", SECONDS)
    await_state(node, available=3, ejected=2)
    assert metric(node, "weir_upstreams_in_panic") == 0
    count = [origin.served for origin in origins]
    for _ in range(9):
        failing(node)
    grown = [origin.served - before for origin, before in zip(origins, count)]
    assert sorted(grown) == [0, 0, 3, 3, 3] and grown[3:] == [3, 3]


def test_all_are_used_when_too_few_are_left(workspace):
    origins = [workspace.keep(Patient(name)) for name in "abc"]
    node = serve(workspace, origins, health() + ", outliers: {consecutiveErrors: 0, maximumEjected: 50%}")
    until(lambda: all(origin.checks for origin in origins), "all are checked")
    for origin in origins[1:]:
        origin.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    line = await_event(node, "upstream.panic_began", "upstream=main")
    assert "available=1 endpoints=3" in line
    until(lambda: set(answers(node, 3)) == {"a", "b", "c"}, "all are used")
    assert metric(node, "weir_upstreams_in_panic") == 1
    origins[1].health = OK % (0, b"")
    await_event(node, "upstream.panic_ended", "upstream=main")
    until(lambda: set(answers(node, 4)) == {"a", "b"}, "those that are well are used")


def test_an_endpoint_whose_checks_pass_again_comes_back_before_its_time(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    node = serve(workspace, [a, b], health() + ", outliers: {consecutiveErrors: 2, ejectFor: 1h}")
    until(lambda: a.checks and b.checks, "both are checked")
    b.answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    for _ in range(4):
        failing(node)
    await_event(node, "upstream.endpoint_down", f"endpoint={b}", "state=ejected")
    # Its checks pass all the while, which says nothing.
    count = len(b.checks)
    until(lambda: len(b.checks) > count + 4, "checks")
    assert set(answers(node)) == {"a"}
    b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    await_event(node, "upstream.endpoint_down", f"endpoint={b}", "state=unhealthy")
    b.health, b.answer = OK % (0, b""), OK % (1, b"b")
    await_event(node, "upstream.endpoint_up", f"endpoint={b}")
    until(lambda: set(answers(node, 4)) == {"a", "b"}, "both are used")


def test_an_endpoint_with_too_few_successes_is_ejected(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(Patient("b"))
    node = serve(workspace, [a, b],
                 "outliers: {consecutiveErrors: 0, successRate: 80%, ejectFor: 1s}", workers=2)
    well, bad, turn = b.answer, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", iter(range(10**9))

    class Alternating:
        """Every other answer fails."""

        def __call__(self, peer):
            peer.send(bad if next(turn) % 2 else well)

    b.answer = Alternating()
    downs = lambda: events(node, "upstream.endpoint_down", f"endpoint={b}")
    for times in range(1, 3):
        until(lambda: failing(node) and len(downs()) == times, f"ejection {times}", SECONDS)
        await_event(node, "upstream.endpoint_up", f"endpoint={b}", count=times)
    # The seconds until that shows are no time of being well.
    for line, time in zip(downs(), ("1 s", "2 s"), strict=True):
        assert "of its requests went well, less than 80%" in line and f"out for {time}" in line, line


def test_relays_that_find_nobody_eject(workspace):
    a, b = workspace.keep(Patient("a")), workspace.keep(ReservedPort())
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: raw, address: {port}, protocol: tcp, upstream: main}}]
upstreams: [{{name: main, endpoints: [{{address: {a}}}, {{address: {b}}}], outliers: {{consecutiveErrors: 2, ejectFor: 1h}}}}]
""", workers=1)
    node.web = port.address
    until(lambda: answers(node, 1) and events(node, "upstream.endpoint_down", f"endpoint={b}"), "it is ejected")
    assert set(answers(node)) == {"a"}


SERVER = """
import http.server, socketserver, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "1")
        self.end_headers()
        self.wfile.write(b"b")
    def log_message(self, *_): pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print("ready", file=sys.stderr, flush=True)
server.serve_forever()
"""


def start_server(workspace, port, name="origin"):
    """An origin that is a process of its own."""
    program = workspace.start(name, "/usr/bin/python3", workspace.write("origin.py", SERVER), port.port)
    program.ready()
    return program


def test_a_process_that_is_killed_paused_and_well_again(workspace):
    """A paused process uses all of the time that requests and checks have."""
    port = workspace.keep(ReservedPort())
    a = workspace.keep(Patient("a"))
    b = start_server(workspace, port)
    node = serve(workspace, [a, port], health("http: {path: /healthz}", IMPATIENT)
                 + ", outliers: {consecutiveErrors: 2, ejectFor: 200ms}, timeouts: {firstByte: 1s}")
    until(lambda: set(answers(node, 2)) == {"a", "b"}, "both are used")
    downs = 0
    for number in (signal.SIGSTOP, signal.SIGKILL):
        b.process.send_signal(number)
        downs += 1
        until(lambda: failing(node) and len(events(node, "upstream.endpoint_down", f"endpoint={port}")) >= downs,
              "it is out", SECONDS)
        until(lambda: metric(node, 'weir_upstream_endpoints{state="unhealthy"}') == 1, "its checks fail", SECONDS)
        assert set(answers(node)) == {"a"}
        if number == signal.SIGKILL:
            b.process.wait(SECONDS)
            b = start_server(workspace, port)
        else:
            b.process.send_signal(signal.SIGCONT)
        until(lambda: set(answers(node, 2)) == {"a", "b"}, "both are used again", SECONDS)
        downs = len(events(node, "upstream.endpoint_down", f"endpoint={port}"))


def test_no_request_fails_under_load_while_endpoints_come_and_go(workspace):
    """With tries at other endpoints, what dies, stands still or starts again costs no client anything."""
    ports = [workspace.keep(ReservedPort()) for _ in range(3)]
    servers = [start_server(workspace, port, f"origin-{index}") for index, port in enumerate(ports)]
    node = serve(workspace, ports, health("http: {path: /}", "interval: 100ms, timeout: 1s, unhealthyAfter: 2")
                 + ", outliers: {consecutiveErrors: 3, ejectFor: 500ms}, timeouts: {firstByte: 3s}"
                 + ", retry: {attempts: 2, on: [connect, reset, timeout], budget: 100%}", workers=2)
    await_state(node, available=3)
    with Load(node.web) as load:
        for index, number in enumerate((signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL)):
            load.more(100)
            downs = len(events(node, "upstream.endpoint_down"))
            servers[index].process.send_signal(number)
            until(lambda: len(events(node, "upstream.endpoint_down", f"endpoint={ports[index]}")) > 0
                  and len(events(node, "upstream.endpoint_down")) > downs, "it is out", SECONDS)
            load.more(100)
            if number == signal.SIGSTOP:
                servers[index].process.send_signal(signal.SIGCONT)
            else:
                servers[index].process.wait(SECONDS)
                servers[index] = start_server(workspace, ports[index], f"origin-{index}-again")
            await_state(node, available=3)
        load.more(200)
    assert load.failures == []
