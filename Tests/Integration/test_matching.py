"""Random configurations and requests: the node, `explain` and a matcher that reads the contract plainly agree."""

import json
import random
import re

import pytest

from weir import Peer, ReservedPort, request, run_proxyctl

HOSTS = ["a.test", "b.test", "x.a.test", "*.test", "*.a.test", "*.x.a.test", "10.0.0.1"]
PARTS = ["a", "b", "ab", "longer-than-eight", "%C3%A9"]
PATTERNS = ["/a.*", "/(a|b)+/?", "/.*b", "/[ab]/.*", ".*", "/[^/]+"]
NAMES = ["n", "m"]
VALUES = ["1", "12", "2", "a b", ""]


def some_path(rng):
    path = "".join("/" + rng.choice(PARTS) for _ in range(rng.randrange(4)))
    return path + "/" if not path or rng.random() < 0.3 else path


def some_value_test(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return {"exact": rng.choice(VALUES[:4])}
    if kind == 1:
        return {"prefix": rng.choice(["1", "a"])}
    return {"regex": "[12]+"} if kind == 2 else {"present": rng.random() < 0.6}


def some_conditions(rng, share):
    conditions = {}
    if rng.random() < share:
        conditions["methods"] = rng.sample(["GET", "POST", "PUT"], rng.randrange(1, 3))
    for field in ("headers", "query", "cookies"):
        if rng.random() < share:
            conditions[field] = [{"name": rng.choice(NAMES), **some_value_test(rng)}]
    if rng.random() < share:
        conditions["clients"] = [rng.choice(["127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "::/0"])]
    return conditions


def some_path_match(rng):
    kind = rng.randrange(8)
    if kind < 3:
        return {"prefix": some_path(rng)}
    return {"exact": some_path(rng)} if kind < 6 else {"regex": rng.choice(PATTERNS)}


def some_route(rng, number):
    route = {"name": f"r{number}", "respond": {"body": "${route}"}}
    if rng.random() < 0.8:
        route["hosts"] = rng.sample(HOSTS, rng.randrange(1, 3))
    match = some_conditions(rng, 0.15)
    if rng.random() < 0.9:
        match["path"] = some_path_match(rng)
    if rng.random() < 0.2:
        match["not"] = some_conditions(rng, 0.4)
        if rng.random() < 0.3:
            match["not"]["path"] = some_path_match(rng)
    route["match"] = match
    return route


def some_request(rng):
    fields = []
    if rng.random() < 0.5:
        fields.append("Cookie: " + "; ".join(f"{rng.choice(NAMES)}={rng.choice(VALUES)}" for _ in range(rng.randrange(1, 4))))
    fields += [f"{rng.choice(NAMES).upper()}: {rng.choice(VALUES)}" for _ in range(rng.randrange(3))]
    query = "&".join(f"{rng.choice(NAMES)}={rng.choice(VALUES).replace(' ', rng.choice(['+', '%20']))}"
                     for _ in range(rng.randrange(3)))
    host = rng.choice(["a.test", "A.Test", "b.test:80", "x.a.test", "y.x.a.test", "c.test.", "10.0.0.1", "other"])
    return rng.choice(["GET", "POST", "PUT", "PATCH"]), host, some_path(rng), query, fields


# The contract, read plainly


def rank_of_host(patterns, host):
    host = re.sub(r":\d+$", "", host.lower()).rstrip(".")
    ranks = [(2, 0) if pattern == host else (1, len(pattern)) if pattern[0] == "*" and host.endswith(pattern[1:]) else None
             for pattern in patterns] if patterns else [(0, 0)]
    return max((rank for rank in ranks if rank), default=None)


def rank_of_path(match, path):
    if match is None:
        return 0, 0
    if "exact" in match:
        return (3, 0) if match["exact"] == path else None
    if "regex" in match:
        return (1, 0) if re.fullmatch(match["regex"], path) else None
    prefix = match["prefix"].rstrip("/")
    return (2, prefix.count("/")) if path == prefix or path.startswith(prefix + "/") else None


def fits(condition, values):
    if "present" in condition:
        return bool(values) == condition["present"]
    return any(value == condition["exact"] if "exact" in condition else
               value.startswith(condition["prefix"]) if "prefix" in condition else
               re.fullmatch(condition["regex"], value) for value in values)


def holding(conditions, asked):
    """Every single condition, the path aside, and whether it holds."""
    method, _, _, query, fields = asked
    lines = [line.split(": ", 1) for line in fields]
    pairs = {
        "headers": [(name.lower(), value.strip(" ")) for name, value in lines],
        "query": [tuple(pair.replace("+", " ").replace("%20", " ").split("=")) for pair in query.split("&") if pair],
        "cookies": [tuple(pair.strip(" ").split("=")) for name, value in lines if name == "Cookie"
                    for pair in value.split(";")],
    }
    if "methods" in conditions:
        yield method in conditions["methods"]
    for kind, found in pairs.items():
        for condition in conditions.get(kind, ()):
            yield bool(fits(condition, [value for name, value in found if name == condition["name"]]))
    if "clients" in conditions:
        yield conditions["clients"][0].startswith("127.")


def plain_match(routes, asked):
    _, host, path, _, _ = asked
    best = None
    for number, route in enumerate(routes):
        match = route["match"]
        excluded = match.get("not", {})
        ranks = rank_of_host(route.get("hosts"), host), rank_of_path(match.get("path"), path)
        if None in ranks or not all(holding(match, asked)) or any(holding(excluded, asked)):
            continue
        if "path" in excluded and rank_of_path(excluded["path"], path):
            continue
        count = sum(len(part[kind]) if kind in ("headers", "query", "cookies") else 1
                    for part in (match, excluded) for kind in part if kind not in ("path", "not"))
        rank = (*ranks, count + ("path" in excluded), -number)
        best = max(best or (rank, route["name"]), (rank, route["name"]))
    return best and best[1]


@pytest.mark.parametrize("seed,count", [(1, 30), (2, 200), (3, 1000)])
def test_node_explain_and_a_plain_matcher_agree(workspace, seed, count):
    rng = random.Random(seed)
    port = workspace.keep(ReservedPort())
    listeners = [{"name": "web", "address": str(port)}]
    routes = [some_route(rng, number) for number in range(count)]
    while True:
        source = workspace.configuration(json.dumps({"listeners": listeners, "routes": routes}))
        done = run_proxyctl("validate", source, "-o", "json", code=None)
        if done.json["valid"]:
            break
        # What can never match is refused, and is no route.
        impossible = {problem["name"] for problem in done.json["problems"]}
        assert impossible, done.out
        routes = [route for route in routes if route["name"] not in impossible]
    workspace.node(json.dumps({"listeners": listeners, "routes": routes}))
    asked = [some_request(rng) for _ in range(1500)]
    with Peer.connect(port.address) as peer:
        for number, (method, host, path, query, fields) in enumerate(asked):
            target = path + ("?" + query if query else "")
            head = peer.exchange(request(method, target, host, fields))
            found = head.body.decode() if head.status == 200 else None
            wanted = plain_match(routes, asked[number])
            assert found == wanted, (seed, asked[number])
            if number < 15:
                extra = [part for line in fields for part in ("-H", line)]
                told = run_proxyctl("explain", method, f"http://{host}{target}", *extra, "-f", source, "-o", "json").json
                assert told["route"] == wanted, told
