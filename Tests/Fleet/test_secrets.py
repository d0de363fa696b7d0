"""No secret of the fleet is anywhere but where it has to be: not in files, not in what programs say, not in any answer."""

import base64
import http.client
import json
import os
import pathlib
import re
import ssl
import stat
import subprocess

from acme import Gate, Pebble
from disclosure import Secrets, Store, key_in, open_material, spellings
from weir import BIN, Certificates, Fleet, Peer, ReservedPort, any_server, get, request, until

HOST = "shop.example.com"
# Keys that the test does not know begin like this: PEM, and PKCS #8 of P-256.
SOME_KEY = re.compile(rb"PRIVATE KEY-----|" + re.escape(bytes.fromhex("308187020100301306072a8648ce3d020106082a8648ce3d030107")))


class Site:
    """A fleet of two nodes that has a secret of every kind."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.fleet = Fleet(workspace, arguments=["--ticket-period", "4s", "--acme-retry", "4s", "--log-level", "debug"])
        self.secrets = Secrets()
        self.said = {}
        self.tokens = [self.fleet.token() for _ in range(4)]
        # Of a named secret, the value and the one before.
        self.values = [base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=") for _ in range(2)]
        for value in self.values:
            self.fleet.ctl("secrets", "set", "acme-key", text_input=value + "\n")
        for name, token in zip(("n1", "n2"), self.tokens):
            self.fleet.add(name, "--debug", token=token, workers=1)
        self.http, self.https = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
        self.gate = workspace.keep(Gate(self.http.address))
        self.pebble = Pebble(workspace, self.gate.port, self.https.port, bindings={"kid-1": self.values[-1]})
        self.files = Certificates(workspace.folder / "tls")
        for kind in ("ec", "rsa", "ed25519"):
            self.files.issue(kind, f"{kind}.example.com", key=kind)
        self.text = self.configuration("one")

    def configuration(self, body):
        files = "\n".join(f"  - {{name: {kind}, files: {{certificate: tls/{kind}.crt, key: tls/{kind}.key}}}}"
                          for kind in ("ec", "rsa", "ed25519"))
        return f"""
listeners:
  - {{name: web, address: "{self.http}", protocol: http}}
  - {{name: websecure, address: "{self.https}", protocol: https, tls: {{certificates: [ec, rsa, ed25519, lab, shop]}}}}
certificates:
{files}
  - {{name: lab, selfSigned: {{hosts: [lab.example.com]}}}}
  - {{name: authority, authority: {{file: authority/cert.pem}}}}
  - name: shop
    hosts: [{HOST}]
    acme: {{directory: "{self.pebble.directory}", email: ops@example.com, authority: authority,
           eab: {{keyID: kid-1, secret: acme-key}}}}
upstreams: [{{name: app, endpoints: [{{address: "127.0.0.1:9"}}], sticky: {{cookie: seat}}}}]
routes:
  - {{name: hello, respond: {{status: 200, body: {body}}}}}
"""

    # What is secret

    def note_store(self, store):
        """Notes what a control plane's database has."""
        for what, octets in store.small:
            if what not in ("authority.certificate", "authority.next.certificate"):
                self.secrets.add(what, octets)
        for what, octets in store.data_keys + [found for found in store.vault if found[0] != "authority"]:
            # Of a named secret, the authority has the other copy, in its own file.
            self.secrets.add(what, octets, *[self.pebble.folder / "pebble.json"] * (what == "named"))
            if what == "ticketKey":
                self.secrets.add(what, octets[:32])
                self.secrets.add(what, octets[32:])
        self.secrets.add("the master key", store.master, *(self.fleet.folder / name for name in ("master.key", "master.key.old")))

    def note_others(self):
        """Notes what is in the clear: the token of the admin API, those of joins, and keys of nodes and of files."""
        token = (self.fleet.folder / "admin.token").read_text().strip()
        self.secrets.add("the admin token", token.encode(), self.fleet.folder / "admin.token")
        for token in self.tokens:
            self.secrets.add("a join token", base64.urlsafe_b64decode(token.split(".")[1] + "="))
        for value in self.values:
            self.secrets.add("a named secret", value.encode(), self.pebble.folder / "pebble.json")
            self.secrets.add("a named secret's key", base64.urlsafe_b64decode(value + "="), self.pebble.folder / "pebble.json")
        for kind in ("ec", "rsa", "ed25519"):
            assert self.secrets.add(f"the {kind} key", key_in(self.files.folder / f"{kind}.key")), kind
        self.note_identities()

    def note_identities(self):
        for node in self.fleet.nodes.values():
            path = node.folder / "node.pem"
            self.secrets.add(f"the identity of {node.name}", key_in(path), path)

    def note_material(self, store):
        """Notes the keys that nodes' files are sealed with; what those have is known from the control plane."""
        for node in self.fleet.nodes.values():
            content, keys = open_material(node.folder, node.name, store.cluster)
            for what, octets in keys:
                self.secrets.add(what, octets)
            assert self.secrets.found(content), "keys are found where they are"

    # What is done

    def is_issued(self):
        served = [entry for entry in self.fleet.ctl("certs", "-o", "json").json
                  if any((use["name"], use["state"]) == ("shop", "serve") for use in entry["uses"])]
        return served and all("Pebble" in (entry["issuer"] or "") and entry["serving"] == ["n1", "n2"] for entry in served)

    def provoke(self):
        """What brings secrets close to messages: wrong files, wrong tokens, requests in the clear and of a stranger."""
        folder = self.files.folder
        (folder / "cut.key").write_bytes((folder / "ec.key").read_bytes()[:150])
        (folder / "both.crt").write_bytes((folder / "ec.key").read_bytes() + (folder / "ec.crt").read_bytes())
        for old, new in (("tls/ec.key", "tls/rsa.key"), ("tls/ec.key", "tls/cut.key"), ("tls/ec.crt", "tls/ec.key"),
                         ("tls/ec.crt", "tls/both.crt")):
            for command in ("validate", "diff", "apply"):
                self.note(f"{command} of {new}", self.fleet.ctl(
                    command, self.workspace.configuration(self.text.replace(old, new)), code=None))
        for token in (self.tokens[0], self.tokens[2] + "x", self.tokens[3]):
            self.call("GET", "/v1/status", token=token)
            self.call("GET", f"/?token={token}", token=token)
            for method in ("GET", "DELETE"):
                self.call(method, f"/v1/tokens/{token}")
        self.call("POST", "/v1/certificates", json.dumps({"name": "x", "certificate": (folder / "ec.crt").read_text(),
                                                          "key": (folder / "rsa.key").read_text()}))
        for body in ({"valu": self.values[-1]}, {"value": [self.values[-1]]}, [self.values[-1]], self.values[-1]):
            self.call("PUT", "/v1/secrets/acme-key", json.dumps(body))
            self.call("PUT", "/v1/secrets/acme-key", json.dumps(body)[:-1])
        self.note("secrets remove", self.fleet.ctl("secrets", "remove", "acme-key", code=1))
        self.call("PUT", "/v1/configuration", json.dumps({"configuration": {"key": (folder / "ec.key").read_text()}}))
        pasted = json.dumps((folder / "ec.key").read_text())
        careless = self.workspace.configuration(self.text.replace("tls/ec.key", pasted))
        self.note("validate of a pasted key", self.fleet.ctl("validate", careless, code=1))
        careless.unlink()
        for name in ("n1", "n2"):
            get(self.fleet.nodes[name].admin, "/nowhere")

    def call(self, method, path, body=None, token=None):
        context = ssl.create_default_context(cafile=self.fleet.folder / "ca.pem")
        connection = http.client.HTTPSConnection(*self.fleet.admin_address, context=context, timeout=15)
        token = token or (self.fleet.folder / "admin.token").read_text().strip()
        connection.request(method, path, body, {"authorization": f"Bearer {token}", "content-type": "application/json"})
        answer = connection.getresponse()
        octets = answer.read()
        connection.close()
        self.said[f"{method} {path}"] = str(answer.getheaders()).encode() + octets
        return octets

    def note(self, what, result):
        self.said[what] = (result.out + result.err).encode()

    def ask_all(self):
        """Every answer of the admin API that changes nothing, every command that shows something, and what nodes tell."""
        digest = self.fleet.ctl("certs", "-o", "json").json[0]["digest"]
        token = self.fleet.ctl("token", "list", "-o", "json").json[0]["id"]
        document = json.loads(self.call("GET", "/openapi.json"))
        values = {"version": "1", "name": "n1", "digest": digest, "id": token}
        for path, methods in document["paths"].items():
            if "get" in methods:
                self.call("GET", re.sub(r"\{(\w+)\}", lambda match: values[match[1]], path))
        self.call("GET", "/metrics")
        other = self.workspace.configuration(self.configuration("three"))
        for command in (["certs"], ["certs", "--all"], ["export"], ["export", "1"], ["show", "1"], ["show", "2"], ["diff", other],
                        ["audit", "--limit", 1000], ["status"], ["nodes"], ["node", "show", "n1"], ["versions"], ["version"],
                        ["token", "list"], ["secrets", "list"], ["ca", "status"], ["explain", "GET", f"https://{HOST}/"], ["context", "list"]):
            for options in ([], ["-o", "json"]):
                self.note(" ".join(map(str, command + options)), self.fleet.ctl(*command, *options, code=None))
        for node in self.fleet.nodes.values():
            for path in ("/config", "/metrics", "/healthz", "/readyz"):
                self.said[f"{node.name} {path}"] = node.get(path).body
        for program in self.workspace.programs:
            if program.is_running:
                for name in ("cmdline", "environ"):
                    self.said[f"{name} of {program.name}"] = pathlib.Path(f"/proc/{program.pid}/{name}").read_bytes()

    # What comes of it

    def disclosed(self):
        """Where a secret is that may not be there."""
        found = [(place, what) for place, octets in self.said.items() for what in self.secrets.found(octets)]
        found += [(place, "some private key") for place, octets in self.said.items() if SOME_KEY.search(octets)]
        count = 0
        for path in self.workspace.folder.rglob("*"):
            if path.is_file():
                count += 1
                octets = path.read_bytes()
                found += [(path, what) for what in self.secrets.found(octets, path)]
                if path.name != "node.pem" and path != self.pebble.key and SOME_KEY.search(octets):
                    found.append((path, "some private key"))
        assert count > 20 and len(self.said) > 60
        return found


def control(*arguments):
    subprocess.run([BIN / "proxy-control", *map(str, arguments)], check=True, capture_output=True)


def use_sessions(site):
    """Clients of both versions of TLS, with new sessions and with those before."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = any_server(["http/1.1"])
        context.maximum_version = version
        for name in ("ec.example.com", "rsa.example.com", "lab.example.com", HOST):
            with Peer.connect(site.https.address, context, name) as peer:
                assert peer.exchange(request(host=name)).status == 200


def test_no_secret_is_anywhere_but_where_it_has_to_be(workspace):
    site = Site(workspace)
    fleet = site.fleet
    fleet.ctl("token", "revoke", fleet.ctl("token", "list", "-o", "json").json[-1]["id"])
    fleet.apply(site.text, "--wait")
    # The key of an order is kept for as long as that is under way, and is then the certificate's.
    until(lambda: site.gate.waiting, "the authority asks")
    under_way = Store(fleet.folder)
    site.gate.opened.set()
    site.note_store(under_way)
    until(site.is_issued, "the ordered certificate is served", 60)
    use_sessions(site)
    site.note_others()
    until(lambda: Store(fleet.folder).kinds().get("ticketKey", 0) > 3, "keys of tickets have changed", 60)
    site.provoke()
    store = Store(fleet.folder)
    assert {*under_way.kinds(), *store.kinds()} == {"certificate", "authority", "ticketKey", "acmeAccount", "acmeRequest",
                                                    "named", "affinityKey"}
    site.note_store(store)

    # Another CA, and with it other identities of nodes.
    fleet.ctl("ca", "rotate")
    site.note_store(Store(fleet.folder))
    until(lambda: all(node["confirmed"] for node in fleet.ctl("ca", "status", "-o", "json").json["nodes"]), "all have confirmed", 60)
    fleet.ctl("ca", "retire")
    site.note_identities()
    version = fleet.apply(site.configuration("two"), "--wait", "-o", "json").json["version"]

    # A node that begins with what it has, a backup, and another master key.
    fleet.nodes["n2"].stop()
    fleet.nodes["n2"].start()
    control("backup", "--data", fleet.folder, workspace.folder / "backup")
    assert fleet.control.stop() == 0
    control("master-key", "rotate", "--data", fleet.folder)
    fleet.start_control()
    fleet.wait_steady(version)
    until(site.is_issued, "all is served as before", 60)
    store = Store(fleet.folder)
    site.note_store(store)
    site.note_store(Store(fleet.folder, workspace.folder / "backup", "master.key.old"))
    site.note_identities()
    site.note_material(store)
    site.ask_all()

    # What the test itself has made.
    for path in [*site.files.folder.glob("*.key"), site.files.folder / "both.crt", *workspace.folder.glob("*.token")]:
        path.unlink()
    disclosed = site.disclosed()
    assert not disclosed, "\n".join(f"{what} is in {place}" for place, what in disclosed)
    for folder in (fleet.folder, *(node.folder for node in fleet.nodes.values())):
        for path in (folder, *folder.rglob("*")):
            mode = path.stat().st_mode
            assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), (path, oct(mode))


def test_the_search_finds_a_key_however_it_is_written(workspace):
    """What finds nothing may look for nothing."""
    files = Certificates(workspace.folder / "tls")
    for kind in ("ec", "rsa", "ed25519"):
        files.issue(kind, f"{kind}.example.com", key=kind)
        path = files.folder / f"{kind}.key"
        der, secrets = key_in(path), Secrets()
        numbers = secrets.add(kind, der, "home")
        assert len(numbers) == (3 if kind == "rsa" else 1)
        pem = path.read_text()
        texts = [path.read_bytes(), json.dumps(pem).encode(), pem.replace("\n", "\r\n").encode(), der, b"x" + der + b"x"]
        texts += [b"before " + mark + b" after" for number in numbers for mark in spellings(number)]
        texts += [base64.b64encode(os.urandom(offset) + number + os.urandom(5)) for number in numbers for offset in range(9)]
        for text in texts:
            assert secrets.found(text) == [kind], text
            assert secrets.found(text, "home") == []
        assert secrets.found((files.folder / f"{kind}.crt").read_bytes()) == []
