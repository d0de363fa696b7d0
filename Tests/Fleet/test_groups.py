"""Groups: nodes take the listeners that their labels give them, and no key of another's is sent to them."""

import json

from disclosure import Secrets, Store, key_in, open_material
from test_certificates import client_context, fetch, wait_serving
from weir import Certificates, Fleet, ReservedPort, get, is_listening, until


class Regions:
    """A fleet of a node in each of two regions and one in neither, with a listener and a certificate for each region."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.fleet = Fleet(workspace)
        self.ports = {name: workspace.keep(ReservedPort()) for name in ("all", "east", "west")}
        self.files = Certificates(workspace.folder / "tls")
        for name in ("east", "west", "client"):
            self.files.issue(name, f"{name}.example.com")
        self.origin = workspace.origin()

    def text(self, body="one", groups=None):
        groups = groups if groups is not None else """
  - {name: east, nodes: {region: east}, listeners: [east]}
  - {name: west, nodes: {region: west}, listeners: [west]}"""
        return f"""
listeners:
  - {{name: all, address: "{self.ports['all']}"}}
  - {{name: east, address: "{self.ports['east']}", protocol: https, tls: {{certificates: [east]}}}}
  - {{name: west, address: "{self.ports['west']}", protocol: https, tls: {{certificates: [west, made]}}}}
certificates:
  - {{name: east, files: {{certificate: tls/east.crt, key: tls/east.key}}}}
  - {{name: west, files: {{certificate: tls/west.crt, key: tls/west.key}}}}
  - {{name: made, selfSigned: {{hosts: [made.example.com]}}}}
  - {{name: client, files: {{certificate: tls/client.crt, key: tls/client.key}}}}
upstreams:
  - {{name: inner, endpoints: [{{address: "{self.origin}"}}], tls: {{verify: false, clientCertificate: client}}}}
routes:
  - {{name: deep, listeners: [west], hosts: [west.example.com], match: {{path: {{prefix: /deep}}}}, upstream: inner}}
  - {{name: hello, respond: {{status: 200, body: {body}}}}}
groups:{groups}
"""

    @staticmethod
    def bound(node):
        """The listeners that a node says it has."""
        return json.loads(node.get("/config").body)["listeners"]


def test_nodes_take_the_listeners_of_their_labels_and_no_other_keys(workspace):
    regions = Regions(workspace)
    fleet = regions.fleet
    bound = fleet.token("--label", "region=west")
    nodes = {"east": fleet.add("n-east", "--label", "region=east", workers=1),
             "west": fleet.add("n-west", "--label", "region=west", "--label", "size=2", token=bound, workers=1),
             "none": fleet.add("n-none", workers=1)}
    version = fleet.apply(regions.text(), "--wait", "-o", "json").json["version"]
    fleet.wait_steady(version)
    assert {name: regions.bound(node) for name, node in nodes.items()} == {
        "east": ["all", "east"], "west": ["all", "west"], "none": ["all"]}
    assert len({node["digest"] for node in fleet.ctl("nodes", "-o", "json").json}) == 1
    assert wait_serving(fleet, "east", ["n-east"])["holding"] == ["n-east"]
    for name in ("west", "made", "client"):
        assert wait_serving(fleet, name, ["n-west"])["holding"] == ["n-west"], name
    context = client_context(regions.files.bundle)
    for name in ("east", "west"):
        assert fetch(context, regions.ports[name].address, f"{name}.example.com")[0] == b"one"
    assert get(regions.ports["all"].address).body == b"one"
    explained = fleet.ctl("explain", "GET", f"https://west.example.com:{regions.ports['west'].port}/deep", "-o", "json").json
    assert (explained["listener"], explained["route"]) == ("west", "deep")

    # Renewal waits for those who need it, and the keys of each are on its own disk alone.
    keys = {name: Secrets() for name in ("east", "west", "client")}
    for name, secrets in keys.items():
        secrets.add(name, key_in(regions.files.folder / f"{name}.key"))
    store = Store(fleet.folder)
    tickets = Secrets()
    for kind, octets in store.vault:
        if kind == "ticketKey":
            tickets.add(kind, octets)

    def held(node):
        content, _ = open_material(node.folder, node.name, store.cluster)
        return sorted(name for name, secrets in keys.items() if secrets.found(content)), bool(tickets.found(content))

    for node in nodes.values():
        until((node.folder / "material").exists, f"{node.name} has stored its material")
    assert held(nodes["east"]) == (["east"], True)
    assert held(nodes["west"]) == (["client", "west"], True)
    assert held(nodes["none"]) == ([], False)

    # Whoever leaves a group forgets the keys, and whoever joins one is given them.
    moved = regions.text("two", """
  - {name: east, nodes: {region: west}, listeners: [east]}
  - {name: west, nodes: {size: "3"}, listeners: [west]}""")
    applied = fleet.apply(moved, "--wait", "-o", "json")
    assert any("listener west: no node takes it" in text and "size=3" in text for text in applied.json["warnings"])
    wait_serving(fleet, "east", ["n-west"])
    until(lambda: held(nodes["east"]) == ([], False), lambda: f"n-east has forgotten its keys: {held(nodes['east'])}")
    until(lambda: held(nodes["west"]) == (["east"], True), lambda: f"n-west has others: {held(nodes['west'])}")
    assert regions.bound(nodes["east"]) == ["all"] and regions.bound(nodes["west"]) == ["all", "east"]
    assert not is_listening(regions.ports["west"].address)
    assert any("listener west" in text for text in fleet.ctl("status", "-o", "json").json["warnings"])

    # A node keeps the labels of its token, with and without the control plane, whatever it is started with.
    nodes["west"].wait_stored(b"two")
    nodes["west"].stop()
    until(lambda: "WEIR LABELS" in (nodes["west"].folder / "node.pem").read_text(), "the labels are kept")
    fleet.control.kill()
    nodes["west"].extra = ["--label", "region=east"]
    nodes["west"].start()
    assert regions.bound(nodes["west"]) == ["all", "east"]


def test_groups_are_checked_before_they_are_applied(workspace):
    regions = Regions(workspace)
    fleet = regions.fleet
    for groups, expected in (
            ("\n  - {name: g, nodes: {region: east}, listeners: [eest]}", 'there is no listener "eest"; did you mean east?'),
            ("\n  - {name: g, nodes: {}, listeners: [east]}", "names no label"),
            ("\n  - {name: g, nodes: {region: ''}, listeners: [east]}", "has no value"),
            ("\n  - {name: g, nodes: {region: east}, listeners: []}", "must not be empty")):
        for command in ("validate", "apply"):
            result = fleet.ctl(command, workspace.configuration(regions.text(groups=groups)), code=1)
            assert "groups[g]" in result.err and expected in result.err, result
    # Nothing is warned of while there is no node to be meant.
    assert "warning" not in fleet.apply(regions.text()).err


def test_a_node_alone_has_labels_too(workspace):
    port, other = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    files = Certificates(workspace.folder / "tls")
    files.issue("other", "other.example.com")
    text = f"""
listeners:
  - {{name: web, address: "{port}"}}
  - {{name: other, address: "{other}", protocol: https, tls: {{certificates: [absent]}}}}
certificates: [{{name: absent, files: {{certificate: absent.crt, key: absent.key}}}}]
routes: [{{name: hello, respond: {{status: 200, body: hello}}}}]
groups: [{{name: g, nodes: {{role: edge}}, listeners: [web]}}, {{name: h, nodes: {{role: core}}, listeners: [other]}}]
"""
    edge = workspace.node(text, arguments=["--label", "role=edge"], certificates=files.folder)
    assert get(port.address).body == b"hello"
    edge.program.stop()
    bare = workspace.node(text, name="bare", certificates=files.folder)
    assert not is_listening(port.address) and not is_listening(other.address)
    assert bare.get("/readyz").status == 200
