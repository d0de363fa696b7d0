"""Debian's nginx at either end: as an origin, in HTTP/1.1 and in HTTP/2, and as a proxy in front."""

import concurrent.futures
import os
import shutil
import signal
import socket

import pytest

from weir import Peer, ReservedPort, get, request, until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn; {user}
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests {requests};
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {http}
}}
"""
ORIGIN = """
    server {{
        listen {address} reuseport{http2};
        root {folder}/files; etag on; add_header X-Connection $connection; client_max_body_size 2m;
        location /plain {{ return 200 "plain"; }}
        location /empty {{ return 204; }}
        location /moved {{ return 301 /plain; }}
        location /chunked {{ alias {folder}/files/large; sub_filter_types *; sub_filter "nowhere" ""; add_trailer X-Sum "abc"; }}
        location /small {{ client_max_body_size 1k; dav_methods PUT; }}
        location /put {{ dav_methods PUT; create_full_put_path on; }}
    }}
"""
LARGE = bytes(range(256)) * 8192


def start(workspace, http, address, requests=1000):
    """nginx with a configuration, once it listens."""
    folder = workspace.folder
    path = workspace.write(f"nginx-{address.port}.conf", CONFIGURATION.format(
        folder=folder, requests=requests, http=http, user="user root;" if os.getuid() == 0 else ""))
    program = workspace.start(f"nginx-{address.port}", NGINX, "-e", "stderr", "-c", path)

    def listens():
        with socket.socket() as probe:
            return program.is_running and probe.connect_ex(address.address) == 0

    until(listens, lambda: f"nginx listens\n{program.stderr()}")
    workspace.closing.callback(program.stop)
    return program


@pytest.fixture(params=["http1", "h2c"])
def protocol(request):
    return request.param


def serve(workspace, protocol, requests=1000):
    """nginx as an origin behind a node: (nginx, node, address of the node)."""
    files = workspace.folder / "files"
    files.mkdir()
    workspace.folder.chmod(0o755)
    (files / "large").write_bytes(LARGE)
    address, web = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    nginx = start(workspace, ORIGIN.format(address=address, folder=workspace.folder, http2=" http2" if protocol == "h2c" else ""),
                  address, requests)
    node = workspace.node(f"""
listeners: [{{name: web, address: {web}}}]
upstreams: [{{name: main, protocol: {protocol}, endpoints: [{{address: {address}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    return nginx, node, web


def test_responses_of_every_kind(workspace, protocol):
    _, _, web = serve(workspace, protocol)
    with Peer.connect(web.address) as peer:
        assert peer.exchange(request(target="/plain")).body == b"plain"
        assert peer.exchange(request(target="/empty")).status == 204
        assert peer.exchange(request(target="/nowhere")).status == 404
        moved = peer.exchange(request(target="/moved"))
        assert (moved.status, moved.get("location").rpartition("/")[2]) == (301, "plain")
        whole = peer.exchange(request(target="/large"))
        assert (whole.status, whole.body) == (200, LARGE)
        head = peer.exchange(request("HEAD", "/large"), "HEAD")
        assert (head.status, head.get("content-length")) == (200, str(len(LARGE)))
        part = peer.exchange(request(target="/large", fields=["Range: bytes=1000000-1000099"]))
        assert (part.status, part.body) == (206, LARGE[1_000_000:1_000_100])
        same = peer.exchange(request(target="/large", fields=["If-None-Match: " + whole.get("etag")]))
        assert (same.status, same.body) == (304, b"")
        assert peer.exchange(request(target="/plain")).body == b"plain"


def test_a_connection_carries_many_requests(workspace, protocol):
    _, _, web = serve(workspace, protocol)
    with Peer.connect(web.address) as peer:
        connections = {peer.exchange(request(target="/plain")).get("x-connection") for _ in range(50)}
    assert len(connections) == 1


def test_content_of_unknown_length_and_its_trailers(workspace, protocol):
    _, _, web = serve(workspace, protocol)
    with Peer.connect(web.address) as peer:
        head = peer.exchange(request(target="/chunked"))
        assert (head.status, head.body, head.get("content-length")) == (200, LARGE, None)
        assert head.trailers == [("x-sum", "abc")]
        assert peer.exchange(request(target="/plain")).body == b"plain"


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_uploads(workspace, protocol, coding):
    _, _, web = serve(workspace, protocol)
    content = LARGE[:1_500_000]
    with Peer.connect(web.address) as peer:
        if coding == "length":
            peer.send(request("PUT", "/put/it", body=content))
        else:
            peer.send(b"PUT /put/it HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(content), 70_000):
                piece = content[start:start + 70_000]
                peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            peer.send(b"0\r\n\r\n")
        assert peer.read_response().status == 201
        assert peer.exchange(request(target="/put/it")).body == content


def test_an_upload_that_is_refused_early(workspace, protocol):
    _, _, web = serve(workspace, protocol)
    for _ in range(10):
        with Peer.connect(web.address) as peer:
            peer.send(b"PUT /small/it HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            assert peer.read_response().status == 413
    assert get(web.address, "/plain").body == b"plain"


def test_connections_that_end_after_some_requests(workspace, protocol):
    """nginx closes a connection, or sends GOAWAY, after three requests."""
    _, _, web = serve(workspace, protocol, requests=3)
    with Peer.connect(web.address) as peer:
        heads = [peer.exchange(request(target="/plain")) for _ in range(60)]
    assert [head.status for head in heads] == [200] * 60
    assert len({head.get("x-connection") for head in heads}) >= 20


def test_a_reload_of_the_origin_fails_no_request(workspace, protocol):
    nginx, _, web = serve(workspace, protocol)
    reloads = 10

    def ask(count):
        with Peer.connect(web.address) as peer:
            return [peer.exchange(request(target="/plain")).status for _ in range(count)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(reloads):
            asked = [pool.submit(ask, 100) for _ in range(8)]
            nginx.signal(signal.SIGHUP)
            assert {status for task in asked for status in task.result()} == {200}


PROXY = """
    upstream weir {{ server {web}; keepalive 4; }}
    server {{
        listen {address} reuseport; client_max_body_size 0;
        location / {{ proxy_pass http://weir; proxy_http_version {version}; proxy_set_header Connection ""; proxy_request_buffering {buffering}; }}
    }}
"""


@pytest.mark.parametrize("version, buffering", [("1.0", "on"), ("1.1", "on"), ("1.1", "off")])
def test_nginx_in_front(workspace, version, buffering):
    """HTTP/1.0 is what nginx speaks to upstreams when it is not told otherwise."""
    _, node, web = serve(workspace, "http1")
    front = workspace.keep(ReservedPort())
    start(workspace, PROXY.format(web=web, address=front, version=version, buffering=buffering), front)
    with Peer.connect(front.address) as peer:
        for _ in range(20):
            assert peer.exchange(request(target="/plain")).body == b"plain"
            assert peer.exchange(request(target="/large")).body == LARGE
            assert peer.exchange(request(target="/chunked")).body == LARGE
            assert peer.exchange(request("HEAD", "/large"), "HEAD").status == 200
        assert peer.exchange(request("PUT", "/put/it", body=LARGE[:1_500_000])).status == 201
        assert peer.exchange(request(target="/put/it")).body == LARGE[:1_500_000]
    assert b'weir_requests_total{status_class="5xx"} 0\n' in node.get("/metrics").body
