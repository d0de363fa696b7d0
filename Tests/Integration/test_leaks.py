"""`proxyctl leaks` finds what responses tell of the inside, and nothing where they tell nothing."""

import pytest

from nameserver import NameServer
from weir import TLS_EVERYWHERE, Fleet, Origin, ReservedPort, run_proxyctl, until

# What is said of http differs over TLS, which has tests of its own here.
pytestmark = pytest.mark.skipif(TLS_EVERYWHERE, reason="has listeners with and without TLS")

PAGE = b"<a href='/deep/page'>x</a> <a href=//elsewhere.test/>y</a> <img src=\"mailto:z\">"


def site(peer, origin):
    """An origin with a clean front, and leaks behind it."""
    while (head := peer.read_head()) is not None:
        origin.requests.append(head)
        status, fields, body = b"200 OK", b"Content-Type: text/html\r\n", PAGE
        if head.target == "/deep/page":
            body = b"see <http://%s/admin>" % str(origin).encode()
        elif "no-such-page" in head.target:
            status, body = b"404 Not Found", b"<hr><center>nginx/1.18.0</center>"
        elif head.method == "NOSUCHMETHOD":
            status, body = b"500 Oops", b"Traceback (most recent call last):\n  File \"a.py\", line 3"
        elif "range" in head:
            status, fields = b"416 No", b"X-Powered-By: PHP/8\r\nServer: Apache/2\r\nLocation: http://%s/\r\n" % str(origin).encode()
        peer.send(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, fields, len(body))
                  + (b"" if head.method == "HEAD" else body))


def clean(peer, origin):
    while (head := peer.read_head()) is not None:
        peer.send(b"HTTP/1.1 200 OK\r\nServer: Apache/2\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n" % str(origin).encode())


def serve(workspace, script, more="", secure=False):
    origin = workspace.keep(Origin(script))
    port = workspace.keep(ReservedPort())
    tls = ", protocol: https, tls: {certificates: [test]}" if secure else ""
    certificates = "certificates: [{name: test, files: {certificate: test.crt, key: test.key}}]" if secure else ""
    text = f"""
listeners: [{{name: web, address: {port}{tls}}}]
{certificates}
upstreams: [{{name: pool, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: shop, hosts: [shop.test], match: {{path: {{prefix: /}}}}, upstream: pool}}]
{more}"""
    workspace.node(text, workers=1, certificates=workspace.certificates.folder if secure else None)
    folder = workspace.certificates.folder if secure else workspace.folder
    source = folder / "leaks.yaml"
    source.write_text(text)
    return origin, port, source


@pytest.mark.parametrize("secure", [False, True])
def test_a_fleet_that_tells_nothing(workspace, secure):
    _, _, source = serve(workspace, clean, secure=secure)
    result = run_proxyctl("leaks", "-f", source)
    assert "nothing leaks" in result.out


def test_what_the_origin_tells_in_content_and_pages_is_found(workspace):
    origin, port, source = serve(workspace, site)
    found = run_proxyctl("leaks", "-f", source, "-o", "json", code=3).json
    leaks = {(leak["where"], leak["kind"], leak["what"]) for leak in found["leaks"]}
    assert ("content", "name", str(origin)) in leaks
    assert ("content", "product", "nginx/1.18.0") in leaks
    assert any(where == "content" and kind == "trace" for where, kind, _ in leaks)
    assert not any(where.startswith("field") for where, _, _ in leaks), "the node hides these"
    deep = next(leak for leak in found["leaks"] if leak["what"] == str(origin))
    assert (deep["url"], deep["method"]) == (f"http://shop.test:{port.address[1]}/deep/page", "GET")
    assert "errorPages" in next(leak["cure"] for leak in found["leaks"] if leak["kind"] == "product")
    assert "/deep/page" in {seen.target for seen in origin.requests}
    table = run_proxyctl("leaks", "-f", source, "--depth", "0", code=3).out
    assert "CURE" in table and "nginx/1.18.0" in table and str(origin) not in table, "links are not followed"


def test_what_the_configuration_lets_out_is_found(workspace):
    origin, port, source = serve(workspace, site, "hiding: {server: keep, responseHeaders: [], productHeaders: [], rewriteLocation: false}")
    found = run_proxyctl("leaks", f"http://shop.test:{port.address[1]}/", "--address", port, "-f", source, "-o", "json", code=3).json
    cures = {(leak["where"], leak["kind"]): leak["cure"] for leak in found["leaks"]}
    assert cures["field server", "product"] == "hiding.server: remove"
    assert cures["field location", "name"] == "hiding.rewriteLocation: true"
    assert "responseHeaders" in cures["field x-powered-by", "product"]


def test_the_search_is_bounded_and_says_what_it_missed(workspace):
    origin, _, source = serve(workspace, clean)
    result = run_proxyctl("leaks", "-f", source, "--max", "3", "-o", "json")
    assert result.json["requests"] == 3 and result.json["skipped"] > 0 and "--max" in result.err


def test_nobody_there(workspace):
    port = workspace.keep(ReservedPort())
    source = workspace.configuration(f"""
listeners: [{{name: web, address: {port}}}]
routes: [{{name: all, respond: {{status: 204}}}}]
""")
    assert "nothing was answered" in run_proxyctl("leaks", "-f", source, code=8).err
    assert run_proxyctl("leaks", "ftp://a/", "-f", source, code=2).err


def test_more_paths_from_a_file(workspace):
    origin, _, source = serve(workspace, site)
    paths = workspace.write("paths.txt", "# more\n/special\n\n/deep/page\n")
    run_proxyctl("leaks", "-f", source, "--paths", paths, "--depth", "0", code=3)
    assert "/special" in {seen.target for seen in origin.requests}
    assert "not a path" in run_proxyctl("leaks", "-f", source, "--paths", workspace.write("bad.txt", "x y"), code=1).err


def test_the_head_of_a_fleet_is_what_is_inside(workspace):
    fleet = Fleet(workspace)
    port = fleet.space.keep(ReservedPort())
    origin = fleet.space.keep(Origin(clean))
    fleet.add("n1")
    fleet.apply(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: pool, endpoints: [{{address: {origin}}}]}}]
routes: [{{name: all, upstream: pool}}]
""", "--wait")
    assert "nothing leaks" in fleet.ctl("leaks").out


def test_endpoints_that_nodes_have_found_are_inside_too(workspace):
    names = workspace.keep(NameServer())
    fleet = Fleet(workspace)
    told = {}

    def telling(peer, origin):
        while (head := peer.read_head()) is not None:
            body = told.get(head.target, b"nothing")
            peer.send(b"HTTP/1.1 200 OK\r\nX-At: http://%s/\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
                      % (str(origin).encode(), len(body)) + (b"" if head.method == "HEAD" else body))

    origin = fleet.space.keep(Origin(telling, host="127.0.0.2"))
    port = fleet.space.keep(ReservedPort())
    names.set("pool.test", "A", ["127.0.0.2"], ttl=1)
    names.set("_http.services.test", "SRV", [(1, 1, origin.address[1], "pod-1.pool.test")], ttl=1)
    names.set("pod-1.pool.test", "A", ["127.0.0.2"], ttl=1)
    fleet.add("n1", prefix=["env", f"WEIR_RESOLVER={names.address}"])
    text = f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: pool, discovery: {{dns: 'pool.test:{origin.address[1]}', type: a}}}}
  - {{name: services, discovery: {{dns: '_http.services.test:1', type: srv}}}}
routes:
  - {{name: srv, match: {{path: {{prefix: /srv}}}}, upstream: services}}
  - {{name: all, upstream: pool}}
"""
    fleet.apply(text, "--wait")
    until(lambda: all(len(pool["endpoints"]) == 1 for pool in fleet.ctl("upstreams", "-o", "json").json), "the endpoints are reported")
    assert "nothing leaks" in fleet.ctl("leaks").out, "fields are hidden by nodes, which know what they have found"
    told |= {"/": f"at {origin}".encode(), "/srv": f"at pod-1.pool.test:{origin.address[1]}".encode()}
    found = fleet.ctl("leaks", "-o", "json", code=3).json["leaks"]
    assert {leak["what"] for leak in found if leak["where"] == "content"} == {str(origin), f"pod-1.pool.test:{origin.address[1]}"}
    blind = run_proxyctl("leaks", "-f", workspace.configuration(text), "-o", "json", code=None)
    assert "only the fleet knows" in blind.err
