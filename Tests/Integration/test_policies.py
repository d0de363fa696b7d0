"""What a route's policies make of fields and errors, and maintenance: over HTTP/1.1 and HTTP/2 on either side."""

import contextlib
import os
import socket

import h2.events
import pytest

import http2
from test_rewrite import Seen, Site
from weir import Peer, ReservedPort, answering, get, request, run_proxyctl, scheme


@pytest.fixture(params=[("h1", "http1"), ("h1", "h2c"), ("h2", "http1"), ("h2", "h2c")], ids="-".join)
def site(request, workspace):
    return lambda routes, policies="": Site(workspace, *request.param, routes, policies)


def says(*lines, body=b"", status="200 OK"):
    """The octets of a response."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]) + "\r\n\r\n"
    return head.encode() + body


def names(fields):
    return [name for name, _ in fields]


# Fields


EDITS = """
policies:
  - name: tidy
    headers:
      request: {set: {x-env: prod, x-who: "${client} ${route} ${upstream}"}, add: {x-tag: one}, remove: [x-debug, "x-in-*"]}
      response: {set: {x-frame-options: DENY, x-seen: "${host}${path}?${query} ${requestID}"}, add: {x-tag: two},
                 remove: [x-runtime, "x-in-*"]}
"""


def test_request_fields_are_removed_set_and_added(site):
    through = site("  - {name: all, upstream: main, policies: [tidy]}\n", EDITS)
    seen = through.seen("/p?q", fields=["X-Env: mine", "x-env: too", "X-Debug: 1", "x-in-a: 1", "X-IN: kept",
                                        "x_env: alias", "X_In_b: 1", "X-Tag: zero", "x-debugs: kept"])
    fields = dict(seen.fields)
    assert fields["x-env"] == "prod" and fields["x-who"] == "127.0.0.1 all main"
    assert fields["x-in"] == "kept" and fields["x-debugs"] == "kept"
    assert not {"x-debug", "x-in-a", "x_env", "x_in_b"} & fields.keys()
    last = through.origin.requests[-1]
    pairs = [tuple(pair) for pair in (last if isinstance(through.origin, http2.Origin) else last.fields)]
    assert [value for name, value in pairs if name == "x-tag"] == ["zero", "one"]
    assert [value for name, value in pairs if name == "x-env"] == ["prod"]


def test_response_fields_are_removed_set_and_added(workspace):
    origin = workspace.origin(answering(says("X-Runtime: 5", "x-in-a: 1", "x-in: kept", "X-Frame-Options: ALLOW",
                                             "x-frame-options: AGAIN", "X-Tag: one", "Server: nginx", body=b"hi")))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
{EDITS}
routes:
  - {{name: moved, match: {{path: {{prefix: /old}}}}, redirect: {{location: /new}}, policies: [tidy]}}
  - {{name: fixed, match: {{path: {{prefix: /fixed}}}}, policies: [tidy],
     respond: {{headers: {{x-runtime: "1", x-tag: zero}}, body: ok}}}}
  - {{name: dead, match: {{path: {{prefix: /dead}}}}, upstream: gone, policies: [tidy]}}
  - {{name: all, upstream: main, policies: [tidy]}}
""".replace("upstreams: [", "upstreams: [{name: gone, endpoints: [{address: 127.0.0.1:1}]}, "), workers=1)

    def check(answered, tags, path):
        assert answered.all("x-frame-options") == ["DENY"]
        assert answered.all("x-tag") == tags
        assert "x-runtime" not in answered and "x-in-a" not in answered and "server" not in answered
        place, identifier = answered.get("x-seen").split(" ")
        assert place == f"example.test{path}" and len(identifier) == 32

    with http2.Client(port.address) as client:
        for fetch in (lambda path: get(port.address, path), client.get):
            answered = fetch("/a/./b?c=d")
            check(answered, ["one", "two"], "/a/b?c=d")
            assert answered.get("x-in") == "kept" and answered.body == b"hi"
            answered = fetch("/old")
            assert (answered.status, answered.get("location")) == (302, "/new")
            check(answered, ["two"], "/old?")
            check(fetch("/fixed"), ["zero", "two"], "/fixed?")
            answered = fetch("/dead")
            assert answered.status == 502
            check(answered, ["two"], "/dead?")


def test_policies_run_in_the_order_of_the_route(workspace):
    site = Site(workspace, "h1", "http1", """
  - {name: ab, match: {path: {exact: /ab}}, upstream: main, policies: [a, b]}
  - {name: ba, match: {path: {exact: /ba}}, upstream: main, policies: [b, a]}
""", """
policies:
  - {name: a, headers: {request: {set: {x-one: a}, add: {x-two: a}}}}
  - {name: b, headers: {request: {remove: [x-one], add: {x-two: b}}}}
""")
    site.seen("/ab", fields=["x-one: client"])
    head = site.origin.requests[-1]
    assert "x-one" not in head and head.all("x-two") == ["a", "b"]
    site.seen("/ba", fields=["x-one: client"])
    head = site.origin.requests[-1]
    assert head.get("x-one") == "a" and head.all("x-two") == ["b", "a"]


def test_removed_fields_do_not_come_back_as_trailers(workspace):
    origin = workspace.origin(answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-runtime\r\n\r\n"
        b"2\r\nhi\r\n0\r\nX-Runtime: 5\r\nx-kept: 1\r\n\r\n"))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
{EDITS}
routes: [{{name: all, upstream: main, policies: [tidy]}}]
""", workers=1)
    with Peer.connect(port.address) as peer:
        answered = peer.exchange(b"POST / HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n"
                                 b"TE: trailers\r\n\r\n1\r\na\r\n0\r\nX-Debug: 1\r\nx-kept: 1\r\n\r\n")
    assert names(answered.trailers) == ["x-kept"]
    assert names(origin.requests[-1].trailers or []) in ([], ["x-kept"])


def test_an_interim_response_loses_fields_and_gains_none(workspace):
    origin = workspace.origin(answering(b"HTTP/1.1 103 Early Hints\r\nX-Runtime: 1\r\nLink: </a>\r\n\r\n" + says()))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
{EDITS}
routes: [{{name: all, upstream: main, policies: [tidy]}}]
""", workers=1)
    answered = get(port.address)
    assert [names(head.fields) for head in answered.interim] == [["link"]]
    assert answered.get("x-frame-options") == "DENY"


def test_strict_transport_security_is_for_tls_alone(workspace):
    certificates = workspace.certificates
    origin = workspace.origin()
    clear, secure = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    workspace.node(f"""
listeners:
  - {{name: clear, address: {clear}}}
  - {{name: secure, address: {secure}, protocol: https, tls: {{certificates: [test]}}}}
certificates: [{{name: test, files: {{certificate: test.crt, key: test.key}}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
policies:
  - {{name: tidy, headers: {{response: {{set: {{strict-transport-security: max-age=31536000, x-kind: "${{scheme}}"}}}}}}}}
routes: [{{name: all, upstream: main, policies: [tidy]}}]
""", workers=1, certificates=certificates.folder)
    answered = get(clear.address)
    assert "strict-transport-security" not in answered and answered.get("x-kind") == "http"
    with Peer.connect(secure.address, certificates.client(), "example.test") as peer:
        answered = peer.exchange(request())
    assert answered.get("strict-transport-security") == "max-age=31536000" and answered.get("x-kind") == "https"


def test_what_the_variables_make_too_long_is_answered_500(workspace):
    long = "${query}" * 10
    site = Site(workspace, "h1", "http1", """
  - {name: a, match: {path: {prefix: /a}}, upstream: main, policies: [in]}
  - {name: b, match: {path: {prefix: /b}}, upstream: main, policies: [out]}
  - {name: c, match: {path: {prefix: /c}}, respond: {body: ok}, policies: [out]}
""", f"""
policies:
  - {{name: in, headers: {{request: {{set: {{x-a: "{long}"}}}}}}}}
  - {{name: out, headers: {{response: {{set: {{x-a: "{long}"}}}}}}}}
""")
    with Peer.connect(site.port.address) as peer:
        for path in "abc":
            assert peer.exchange(request("GET", f"/{path}?{'x' * 8000}")).status == 500, path
            answered = peer.exchange(request("GET", f"/{path}?{'x' * 400}"))
            assert answered.status == 200
    # The origin's connection went on where it could: both responses came on one.
    assert site.origin.connections == 1


@pytest.mark.parametrize("side, name, hint", [
    ("request", "host", "rewrite.host"), ("request", "Connection", "connection"), ("request", "via", "itself"),
    ("request", "x-forwarded-for", "itself"), ("request", "x-request-id", "requestID"), ("request", "te", "connection"),
    ("response", "transfer-encoding", "connection"), ("response", "content-length", "connection"),
    ("response", "server", "hiding.server"), ("response", "date", "itself"),
])
def test_fields_of_others_are_refused_with_their_place(workspace, side, name, hint):
    source = workspace.configuration(f"""
policies:
  - name: p
    headers:
      {side}:
        set: {{{name}: a}}
""")
    result = run_proxyctl("validate", source, code=None)
    assert result.code != 0 and hint in result.err + result.out, result
    assert ":6:" in result.err + result.out or ":3:" in result.err + result.out


# Error pages


def pages(workspace, answers, more="", pages="", upstream="", client="h1"):
    """A node before an origin that answers by path, with pages for some errors."""
    def script(peer, origin):
        while (head := peer.read_head()) is not None:
            head.body = peer.read_body(head)
            origin.requests.append(head)
            peer.send(answers[head.target])

    origin = workspace.origin(script)
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams:
  - {{name: main, endpoints: [{{address: {origin}}}]{upstream}}}
  - {{name: gone, endpoints: [{{address: 127.0.0.1:1}}]}}
policies:
  - name: pages
    errorPages:
      "502-504": {{body: "<p>${{path}} ${{query}} ${{requestID}}</p>"}}
      "500-599": {{contentType: text/plain, body: "any"}}
      "404": {{contentType: application/json, body: '{{"path": "${{path}}", "query": "${{query}}"}}'}}
{pages}
routes:
{more}
  - {{name: dead, match: {{path: {{prefix: /dead}}}}, upstream: gone, policies: [pages]}}
  - {{name: all, upstream: main, policies: [pages]}}
""", workers=1)
    return origin, port.address, node


def test_pages_take_the_place_of_our_own_errors(workspace):
    _, web, _ = pages(workspace, {})
    answered = get(web, "/dead/%3Cb%3E?<i>&'\"")
    assert answered.status == 502 and answered.get("content-type") == "text/html; charset=utf-8"
    text = answered.body.decode()
    assert text.startswith("<p>/dead/%3Cb%3E &lt;i&gt;&amp;&#39;&quot; ") and len(text.split(" ")[2]) == 32 + 4
    assert int(answered.get("content-length")) == len(answered.body)
    head = get(web, "/dead", method="HEAD")
    assert head.status == 502 and int(head.get("content-length")) > 30 and head.body == b""
    with http2.Client(web) as client:
        assert client.get("/dead/x").body.startswith(b"<p>/dead/x  ")


def test_pages_take_the_place_of_the_upstreams_errors(workspace):
    origin, web, _ = pages(workspace, {
        "/ok": says(body=b"fine"),
        "/503": says("Retry-After: 5", "ETag: \"a\"", "Content-Encoding: gzip", "Last-Modified: x", "Set-Cookie: a=b",
                     "Content-Security-Policy: none", "Date: then", "X-Trace: 1", body=b"secret", status="503 No"),
        "/500": b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-a: b\r\n\r\n",
        "/404": says("Content-Type: text/html", body=b"<b>none</b>", status="404 Not Found"),
        "/403": says("Content-Type: application/json", body=b"{}", status="403 Forbidden"),
    })
    with Peer.connect(web) as peer:
        for _ in range(2):
            answered = peer.exchange(request("GET", "/503"))
            assert answered.status == 503 and answered.body.startswith(b"<p>/503 ")
            assert answered.get("retry-after") == "5" and answered.get("set-cookie") == "a=b"
            assert answered.get("x-trace") == "1" and answered.get("date") != "then"
            for name in ("etag", "content-encoding", "last-modified", "content-security-policy"):
                assert name not in answered, name
            assert answered.get("content-type") == "text/html; charset=utf-8"
            assert peer.exchange(request("GET", "/500")).body == b"any"
            answered = peer.exchange(request("GET", "/404"))
            assert answered.json == {"path": "/404", "query": ""}
            # What no page is for passes as it is.
            assert peer.exchange(request("GET", "/403")).body == b"{}"
            assert peer.exchange(request("GET", "/ok")).body == b"fine"
    # What came with the heads was drained: the connection goes on.
    assert origin.connections == 1


def test_an_upstreams_content_that_has_not_come_ends_its_connection(workspace):
    answers = {"/long": b"HTTP/1.1 503 x\r\nContent-Length: 1000\r\n\r\nabc", "/ok": says(body=b"fine"),
               "/close": b"HTTP/1.1 503 x\r\n\r\nabc"}
    origin, web, _ = pages(workspace, answers)
    with Peer.connect(web) as peer:
        for path in ("/long", "/ok", "/close", "/ok"):
            answered = peer.exchange(request("GET", path))
            assert answered.body == b"fine" if path == "/ok" else answered.body.startswith(b"<p>"), path
    assert origin.connections == 3


def test_an_error_before_the_end_of_a_request(workspace):
    origin = workspace.origin(lambda peer, origin: (peer.read_head(), peer.send(says(status="503 x")), peer.fill()))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
policies: [{{name: pages, errorPages: {{"503": {{body: sorry}}}}}}]
routes: [{{name: all, upstream: main, policies: [pages]}}]
""", workers=1)
    with Peer.connect(port.address) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
        answered = peer.read_response()
        assert answered.status == 503 and answered.body == b"sorry"


def test_pages_over_http2_to_the_upstream(workspace):
    def script(origin, connection, event):
        if isinstance(event, h2.events.RequestReceived):
            path = dict(event.headers)[":path"]
            connection.send_headers(event.stream_id, [(":status", "503"), ("etag", "a"), ("x-kept", "1")])
            if path == "/whole":
                connection.send_data(event.stream_id, b"secret", end_stream=True)

    origin = workspace.keep(http2.Origin(script))
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}], protocol: h2c}}]
policies: [{{name: pages, errorPages: {{"503": {{body: sorry}}}}}}]
routes: [{{name: all, upstream: main, policies: [pages]}}]
""", workers=1)
    with http2.Client(port.address) as client:
        for path in ("/whole", "/half", "/whole"):
            answered = client.get(path)
            assert (answered.status, answered.body, answered.get("x-kept")) == (503, b"sorry", "1")
            assert "etag" not in answered
    assert origin.connections == 1


def test_a_page_comes_from_a_file_beside_the_configuration(workspace):
    (workspace.folder / "pages").mkdir()
    workspace.write("pages/sorry.html", "<h1>${host} $${kept}</h1>\n")
    _, web, _ = pages(workspace, {}, pages="""  - {name: filed, errorPages: {"502": {file: pages/sorry.html}}}""",
                      more="  - {name: f, match: {path: {prefix: /f}}, upstream: gone, policies: [filed, pages]}")
    answered = get(web, "/f")
    assert answered.body == b"<h1>example.test ${kept}</h1>\n"
    assert answered.get("content-type") == "text/html; charset=utf-8"


@pytest.mark.parametrize("content, hint", [
    (None, "there is no such file"), (b"a" * (256 * 1024 + 1), "longer than 256 KiB"), (b"\xff\xfe", "not UTF-8"),
    (b"${nonsense}", "unknown variable"),
], ids=["missing", "long", "binary", "variable"])
def test_a_page_that_cannot_be_read_is_refused_with_its_place(workspace, content, hint):
    if content is not None:
        (workspace.folder / "page.html").write_bytes(content)
    source = workspace.configuration("""policies:
  - name: pages
    errorPages:
      "502-504": {file: page.html}
""")
    result = run_proxyctl("validate", source, code=None)
    assert result.code != 0 and hint in result.err + result.out, result
    assert "fleet-1.yaml:4:25" in result.err + result.out, result


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "socket"])
@pytest.mark.parametrize("text, field", [
    ("policies: [{name: pages, errorPages: {'502': {file: odd}}}]", "policies[pages].errorPages[502].file"),
    ("certificates: [{name: ca, authority: {file: odd}}]", "certificates[ca].authority.file"),
    ("certificates: [{name: own, files: {certificate: odd, key: odd}}]", "certificates[own].files.certificate"),
], ids=["page", "authority", "certificate"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(workspace, kind, text, field):
    odd = workspace.folder / "odd"
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind == "device":
        odd.symlink_to("/dev/zero")
    elif kind == "directory":
        odd.mkdir()
    else:
        listening = workspace.keep(contextlib.closing(socket.socket(socket.AF_UNIX)))
        listening.bind(str(odd))
    result = run_proxyctl("validate", workspace.configuration(text), code=1)
    assert field in result.err and f"it is {'a directory' if kind == 'directory' else 'not a regular file'}" in result.err


def test_a_link_to_a_regular_file_is_one(workspace):
    workspace.write("page.html", "sorry")
    (workspace.folder / "link").symlink_to("page.html")
    run_proxyctl("validate", workspace.configuration("policies: [{name: pages, errorPages: {'502': {file: link}}}]"))


# What the type that goes out asks for


@pytest.mark.parametrize("response, type, shown", [
    ("set: {content-type: text/html}", "text/html", b"&lt;b&gt;&quot;"),
    ("set: {content-type: application/json}", "application/json", b'<b>\\"'),
    ("set: {content-type: text/css}", "text/css", b'<b>"'),
    ("set: {content-type: '${query}'}", None, b"&lt;b&gt;&quot;"),
    ("remove: [content-type]", None, b"&lt;b&gt;&quot;"),
    ("remove: [content-*]", None, b"&lt;b&gt;&quot;"),
    ("add: {content-type: text/html}", None, b"&lt;b&gt;&quot;"),
    ("set: {x-a: b}", "text/plain; charset=utf-8", b'<b>"'),
])
def test_values_are_escaped_as_the_type_that_goes_out_asks(workspace, response, type, shown):
    port = workspace.keep(ReservedPort())
    plain = "text/plain; charset=utf-8"
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: gone, endpoints: [{{address: 127.0.0.1:1}}]}}]
policies:
  - {{name: typed, headers: {{response: {{{response}}}}}}}
  - {{name: pages, errorPages: {{"502-503": {{body: "page ${{query}}", contentType: {plain}}}}}}}
routes:
  - {{name: fixed, match: {{path: {{prefix: /fixed}}}}, policies: [typed], respond: {{body: "page ${{query}}"}}}}
  - {{name: empty, match: {{path: {{prefix: /empty}}}}, policies: [typed, pages], respond: {{status: 502}}}}
  - {{name: down, match: {{path: {{prefix: /down}}}}, policies: [pages, typed], upstream: gone}}
  - {{name: shut, match: {{path: {{prefix: /shut}}}}, policies: [typed], upstream: gone,
     maintenance: {{enabled: true, body: "page ${{query}}"}}}}
""", workers=1)
    for path in ("/fixed", "/empty", "/down", "/shut"):
        answered = get(port.address, path + '?<b>"')
        assert answered.body == b"page " + shown, path
        if type is not None:
            assert answered.all("content-type") == [type], path


# Maintenance


def test_maintenance_answers_in_place_of_the_action(site):
    through = site("""
  - {name: a, match: {path: {prefix: /a}}, upstream: main, maintenance: {enabled: true, retryAfter: 5m}}
  - {name: b, match: {path: {prefix: /b}}, upstream: main, maintenance: {enabled: false}}
  - {name: c, match: {path: {prefix: /c}}, redirect: {location: /}, policies: [tidy],
     maintenance: {enabled: true, status: 500, body: "<p>${path}</p>"}}
  - {name: d, match: {path: {prefix: /d}}, upstream: main, policies: [page],
     maintenance: {enabled: true, retryAfter: 1500ms}}
""", EDITS + """
  - {name: page, errorPages: {"503": {body: "<h1>${path}</h1>"}}}
""")
    answered = through.get("/a/x")
    assert (answered.status, answered.get("retry-after"), answered.body) == (503, "300", b"503 Service Unavailable\n")
    assert answered.get("content-type") == "text/plain; charset=utf-8"
    assert through.get("/b").status == 200
    answered = through.get("/c/x")
    assert (answered.status, answered.body, answered.get("x-frame-options")) == (500, b"<p>/c/x</p>", "DENY")
    assert answered.get("content-type") == "text/html; charset=utf-8" and "retry-after" not in answered
    answered = through.get("/d/x")
    assert (answered.status, answered.body, answered.get("retry-after")) == (503, b"<h1>/d/x</h1>", "2")
    assert answered.get("content-type") == "text/html; charset=utf-8"
    assert len(through.origin.requests) == 1


# Answers of the configuration


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_with_variables(workspace, status):
    site = Site(workspace, "h1", "http1", f"""
  - name: a
    redirect: {{status: {status}, location: "${{scheme}}://${{host}}/moved${{path}}?${{query}}"}}
""")
    answered = site.get("/a//b/../c?x=%0d%0aset-cookie:%20a=b")
    assert answered.status == status and "set-cookie" not in answered
    assert answered.get("location") == (
        f"{scheme(site.port.address)}://example.test/moved/a//c?x=%0d%0aset-cookie:%20a=b")


@pytest.mark.parametrize("location", [
    "https://shop.example.com${query}", "https://${query}", "//${query}/a", "${scheme}${query}",
    "https://a.${capture.1}/b", "${path}", "/${path}",
])
def test_a_location_in_which_a_client_could_name_a_host_is_refused(workspace, location):
    source = workspace.configuration(f"""
routes: [{{name: a, redirect: {{location: "{location}"}}}}]
""")
    result = run_proxyctl("validate", source, code=None)
    assert result.code != 0 and ("before the path" in result.err + result.out or "must start" in result.err + result.out)
