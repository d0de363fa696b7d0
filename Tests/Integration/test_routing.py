"""Which route a request takes through a node, and what the actions answer."""

from weir import ReservedPort, get, request, Peer, run_proxyctl


def serve(workspace, routes, listeners=1, more=""):
    """A node with one origin `main`, and the addresses of its listeners."""
    origin = workspace.origin()
    ports = [workspace.keep(ReservedPort()) for _ in range(listeners)]
    text = "listeners:\n" + "".join(f"  - {{name: l{index}, address: {port}}}\n" for index, port in enumerate(ports))
    text += f"upstreams:\n  - {{name: main, endpoints: [{{address: {origin}}}]}}\n{more}routes:\n{routes}"
    return workspace.node(text, workers=1), *[port.address for port in ports]


def answer(text):
    return f"respond: {{status: 200, body: {text}}}"


def test_the_most_specific_host_and_path_win_whatever_the_order(workspace):
    _, web = serve(workspace, f"""
  - {{name: any, {answer("any")}}}
  - {{name: wild, hosts: ["*.example.com"], {answer("wild")}}}
  - {{name: deep, hosts: ["*.shop.example.com"], {answer("deep")}}}
  - {{name: exact, hosts: [www.example.com], {answer("exact")}}}
  - {{name: items, hosts: [www.example.com], match: {{path: {{prefix: /items}}}}, {answer("items")}}}
  - {{name: new, hosts: [www.example.com], match: {{path: {{prefix: /items/new}}}}, {answer("new")}}}
  - {{name: one, hosts: [www.example.com], match: {{path: {{exact: /items/new/1}}}}, {answer("one")}}}
""")
    expected = [("other.test", "/", "any"), ("example.com", "/", "any"), ("a.example.com", "/", "wild"),
                ("a.b.example.com", "/", "wild"), ("eu.shop.example.com", "/", "deep"),
                ("www.example.com", "/", "exact"), ("WWW.Example.COM", "/", "exact"),
                ("www.example.com:8080", "/", "exact"), ("www.example.com", "/items", "items"),
                ("www.example.com", "/items/", "items"), ("www.example.com", "/itemsx", "exact"),
                ("www.example.com", "/items/7?v=1", "items"), ("www.example.com", "/items/new/2", "new"),
                ("www.example.com", "/items/new/1", "one"), ("www.example.com", "/items/./new/../new/1", "one")]
    for host, path, route in expected:
        assert get(web, path, host).body.decode() == route, (host, path)


def test_a_request_without_a_route_is_answered_404(workspace):
    node, web = serve(workspace, f"  - {{name: only, hosts: [a.test], {answer('a')}}}\n")
    head = get(web, "/", "b.test")
    assert head.status == 404
    assert get(web, "/", "a.test").status == 200
    assert sorted(record["status"] for record in node.access_log(2)) == [200, 404]


def test_a_route_serves_only_the_listeners_that_it_names(workspace):
    _, first, second = serve(workspace, f"""
  - {{name: inner, listeners: [l1], {answer("inner")}}}
  - {{name: all, {answer("all")}}}
""", listeners=2)
    assert get(first).body == b"all"
    assert get(second).body == b"inner"


def test_respond_and_redirect(workspace):
    _, web = serve(workspace, """
  - name: teapot
    match: {path: {exact: /teapot}}
    respond: {status: 418, headers: {content-type: text/plain, x-kind: pot}, body: "short and stout\\n"}
  - name: blog
    match: {path: {prefix: /blog}}
    redirect: {status: 301, location: "https://blog.example.com${path}"}
""")
    head = get(web, "/teapot")
    assert (head.status, head.body, head.get("x-kind")) == (418, b"short and stout\n", "pot")
    assert head.get("content-length") == "16"
    head = get(web, "/teapot", method="HEAD")
    assert (head.status, head.body, head.get("content-length")) == (418, b"", "16")
    head = get(web, "/blog/2026?x=1")
    assert (head.status, head.get("location")) == (301, "https://blog.example.com/blog/2026")


def test_a_redirect_to_the_host_that_was_asked_for_needs_one(workspace):
    _, web = serve(workspace, "  - {name: home, redirect: {location: 'https://${host}${path}'}}\n")
    with Peer.connect(web) as peer:
        assert peer.exchange(b"GET /evil.test/x HTTP/1.0\r\n\r\n").status == 400
    assert get(web, "//evil.test/x").get("location") == "https://example.test//evil.test/x"


def test_a_response_of_our_own_leaves_the_connection_usable_after_a_body(workspace):
    _, web = serve(workspace, f"  - {{name: fixed, {answer('fixed')}}}\n")
    with Peer.connect(web) as peer:
        for body in (b"", b"x" * 100, b"y" * 30000):
            assert peer.exchange(request("POST", "/", body=body)).body == b"fixed"


def test_endpoints_share_requests_by_weight(workspace):
    first, second = workspace.origin(), workspace.origin()
    port = workspace.keep(ReservedPort())
    workspace.node(f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {first}, weight: 2}}, {{address: {second}}}]}}]
routes: [{{name: all, upstream: main}}]
""", workers=1)
    with Peer.connect(port.address) as peer:
        for _ in range(30):
            assert peer.exchange(request()).status == 200
    assert (len(first.requests), len(second.requests)) == (20, 10)


def test_explain_says_what_the_node_does(workspace):
    origin = workspace.origin()
    port = workspace.keep(ReservedPort())
    text = f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
routes:
  - {{name: api, match: {{path: {{prefix: /api}}}}, upstream: main}}
  - {{name: rest, respond: {{status: 204}}}}
"""
    node = workspace.node(text, workers=1)
    source = workspace.configuration(text)
    for path in ("/api/x", "/apix", "/"):
        explained = run_proxyctl("explain", "GET", f"http://{port}{path}", "-f", source, "-o", "json").json
        get(port.address, path)
        assert explained["route"] == ("api" if path == "/api/x" else "rest")
    assert [record["route"] for record in node.access_log(3)] == ["api", "rest", "rest"]
