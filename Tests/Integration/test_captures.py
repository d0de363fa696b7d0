"""What the groups of a route's regular expression matched, in redirects, answers, fields and queries."""

import json

from weir import Peer, ReservedPort, answer_with_request, request, run_proxyctl

ROUTES = r"""
policies:
  - {name: tell, headers: {request: {set: {x-id: "${capture.id}"}}, response: {set: {x-year: "${capture.1}"}}}}
routes:
  - {name: old, match: {path: {regex: "/blog/(?P<year>[0-9]{4})/(.*)"}},
     redirect: {status: 301, location: "https://blog.example.com/${capture.year}/${capture.2}?from=${host}"}}
  - {name: say, match: {path: {regex: "/say/(.)(x)?"}}, respond: {body: "[${capture.1}|${capture.2}|${capture.0}]"}}
  - {name: up, match: {path: {regex: "/([0-9]+)/(?P<id>[a-z%0-9A-F]+)"}}, upstream: main, policies: [tell],
     rewrite: {path: /item, query: {set: {id: "${capture.id}"}}}}
"""


def site(workspace):
    origin = workspace.origin(answer_with_request)
    port = workspace.keep(ReservedPort())
    configuration = f"""
listeners: [{{name: web, address: {port}}}]
upstreams: [{{name: main, endpoints: [{{address: {origin}}}]}}]
{ROUTES}"""
    workspace.node(configuration)
    return port.address, workspace.configuration(configuration)


def test_groups_stand_where_texts_name_them(workspace):
    web, _ = site(workspace)
    with Peer.connect(web) as peer:
        for _ in range(2):
            head = peer.exchange(request(target="/blog/2024/a/./b?c=d"))
            assert (head.status, head.get("location")) == (301, "https://blog.example.com/2024/a/b?from=example.test")
            assert peer.exchange(request(target="/say/%7e")).body == b"[~||/say/~]"
            assert peer.exchange(request(target="/say/ax")).body == b"[a|x|/say/ax]"
            head = peer.exchange(request(target="/12/ab%C3%A9?x=1&id=0"))
            told = head.json
            assert told["target"] == "/item?x=1&id=ab%25C3%25A9"
            assert dict(told["fields"])["x-id"] == "ab%C3%A9" and head.get("x-year") == "12"


def test_explain_knows_the_groups(workspace):
    _, source = site(workspace)
    done = run_proxyctl("explain", "GET", "http://h/7/ab", "-f", source, "-o", "json")
    told = json.loads(done.out)
    assert (told["path"], told["query"], told["policies"]) == ("/item", "id=ab", ["tell"])
