"""Certificates belong to the fleet: brought by apply, kept sealed, held by all nodes before any serves them."""

import os
import re
import socket
import ssl
import subprocess
import threading

import pytest

from weir import PEER_SECONDS, Fleet, ReservedPort, get, until


class Workshop:
    """Makes certificates with openssl in a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def run(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, check=True, capture_output=True)

    def make(self, name, hosts, days=90, *more):
        """A self-signed certificate NAME.crt with its key NAME.key."""
        names = ",".join(f"DNS:{host}" for host in hosts)
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                 f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}", "-days", days, "-keyout", f"{name}.key",
                 "-out", f"{name}.crt", *more)

    def authority(self, name):
        """A CA certificate NAME.pem."""
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                 f"/CN={name}", "-days", "90", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout",
                 f"{name}.key", "-out", f"{name}.pem")

    def path(self, name):
        return self.folder / name


@pytest.fixture
def workshop(workspace):
    return Workshop(workspace.folder / "tls")


def configuration(port, certificates="{name: shop, files: {certificate: tls/shop.crt, key: tls/shop.key}}",
                  served="shop", hosts="shop.example.com", body="one"):
    return f"""
listeners:
  - {{name: web, address: {port}, protocol: https, tls: {{certificates: [{served}]}}}}
certificates:
  - {certificates}
routes:
  - {{name: hello, hosts: [{hosts}], respond: {{status: 200, body: {body}}}}}
"""


def certs(fleet, *arguments):
    return fleet.ctl("certs", "-o", "json", *arguments).json


def use(fleet, name, state="serve"):
    """The certificate that the head uses under a name in a state, or None."""
    for certificate in certs(fleet):
        if any(entry["name"] == name and entry["state"] == state for entry in certificate["uses"]):
            return certificate
    return None


def wait_serving(fleet, name, nodes, digest=None):
    """Waits until exactly these nodes serve what a certificate has."""
    seen = []

    def check():
        seen[:] = [use(fleet, name)]
        good = seen[0] and seen[0]["serving"] == sorted(nodes) and digest in (None, seen[0]["digest"])
        return seen[0] if good else None

    return until(check, lambda: f"{nodes} serve {name}; seen: {seen}", 30)


def served_by(node, name):
    """When the certificate that a node serves ends, by its own metrics."""
    text = get(node.admin, "/metrics").body.decode()
    found = re.search(rf'^weir_certificate_not_after_seconds{{certificate="{name}"}} (\d+)$', text, re.M)
    return int(found.group(1)) if found else None


def test_files_are_brought_and_served(workspace, workshop):
    fleet = Fleet(workspace)
    one, two = fleet.add("n1"), fleet.add("n2")
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com", "www.shop.example.com"])
    text = configuration(port)
    assert "valid" in fleet.ctl("validate", workspace.configuration(text)).out

    # A dry run brings nothing.
    fleet.ctl("apply", workspace.configuration(text), "--dry-run")
    assert certs(fleet, "--all") == []
    fleet.apply(text, "--wait")
    fleet.wait_steady(1)
    found = wait_serving(fleet, "shop", ["n1", "n2"])
    assert found["names"] == ["shop.example.com", "www.shop.example.com"]
    assert found["holding"] == ["n1", "n2"] and found["issuer"] == "CN=shop.example.com"
    table = fleet.ctl("certs").out
    assert "shop.example.com" in table and "files" in table and "serve" in table
    assert served_by(one, "shop") == served_by(two, "shop") is not None
    metrics = get_control_metrics(fleet)
    assert f'weir_certificate_not_after_seconds{{certificate="shop"}} {served_by(one, "shop")}' in metrics

    # The same files again are no version, and an export applies without them.
    assert fleet.apply(text, "-o", "json").json["changed"] is False
    exported = fleet.ctl("export").out
    assert found["digest"] in exported
    for name in ("shop.crt", "shop.key"):
        workshop.path(name).unlink()
    again = fleet.ctl("apply", "-", "-o", "json", text_input=exported)
    assert again.json["changed"] is False

    # Other files under the same name are another version; going back needs none.
    workshop.make("shop", ["shop.example.com"], 30)
    fleet.apply(text, "--wait")
    other = wait_serving(fleet, "shop", ["n1", "n2"])
    assert other["digest"] != found["digest"]
    fleet.ctl("rollback", "--wait")
    wait_serving(fleet, "shop", ["n1", "n2"], found["digest"])
    actions = [record["action"] for record in fleet.ctl("audit", "-o", "json").json]
    assert "secret.store" in actions


def get_control_metrics(fleet):
    import urllib.request
    context = ssl.create_default_context(cafile=str(fleet.folder / "ca.pem"))
    host, port = fleet.admin_address
    with urllib.request.urlopen(f"https://{host}:{port}/metrics", context=context, timeout=15) as answer:
        return answer.read().decode()


def test_a_restart_without_the_control_plane_and_a_revocation(workspace, workshop):
    fleet = Fleet(workspace)
    node = fleet.add("n1")
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com"])
    fleet.apply(configuration(port), "--wait")
    wait_serving(fleet, "shop", ["n1"])
    end = served_by(node, "shop")
    path = node.folder / "material"
    until(path.exists, "the node has stored its material")
    assert path.stat().st_mode & 0o777 == 0o600
    node.wait_stored(b"one")

    fleet.control.kill()
    node.program.kill()
    node.start()
    assert served_by(node, "shop") == end

    # A file that was changed is noticed, and everything is fetched again.
    fleet.start_control()
    wait_serving(fleet, "shop", ["n1"])
    node.program.kill()
    octets = bytearray(path.read_bytes())
    octets[-1] ^= 1
    path.write_bytes(octets)
    node.start()
    wait_serving(fleet, "shop", ["n1"])
    until(lambda: "material.damaged" in node.program.stderr(), "the node has noticed it")
    until(lambda: path.read_bytes() != bytes(octets), "the node has stored its material again")

    fleet.ctl("node", "revoke", "n1")
    until(lambda: not path.exists(), "the node has erased its material")
    until(lambda: b"PRIVATE KEY" not in (node.folder / "node.pem").read_bytes(), "and its key")
    assert served_by(node, "shop") == end


def fleet_binary(name):
    from weir import BIN
    return BIN / name


def refused(fleet, text, *expected, command="apply"):
    result = fleet.ctl(command, fleet.space.configuration(text), code=1)
    for part in expected:
        assert part in result.err, f"{part!r} in {result!r}"
    return result


def test_wrong_files_are_refused_with_their_reason(workspace, workshop):
    fleet = Fleet(workspace)
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com"])
    workshop.make("other", ["other.example.com"])
    workshop.authority("partners")
    text = configuration(port)
    for command in ("validate", "diff", "apply"):
        refused(fleet, text.replace("shop.crt", "missing.crt"), "certificates[shop].files.certificate",
                "missing.crt", "there is no such file", command=command)
    refused(fleet, text.replace("tls/shop.key", "tls/other.key"), "certificates[shop].files.key", "other.key")
    workspace.write("tls/rubbish.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    refused(fleet, text.replace("shop.crt", "rubbish.crt"), "certificates[shop].files.certificate", "rubbish.crt")
    refused(fleet, text.replace("shop.crt", "shop.key"), "certificates[shop].files.certificate")
    refused(fleet, text.replace("[shop.example.com]", "[shop.example.com, else.example.com]"), "routes[hello].hosts",
            "else.example.com")
    refused(fleet, configuration(port, "{name: shop, authority: {file: tls/partners.pem}}"),
            "listeners[web].tls.certificates[0]", "authorities")
    refused(fleet, configuration(port, "{name: shop, authority: {file: tls/shop.key}}"),
            "certificates[shop].authority.file")
    workshop.run("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=shop.example.com", "-addext",
                 "subjectAltName=DNS:shop.example.com", "-days", "9", "-keyout", "weak.key", "-out", "weak.crt")
    refused(fleet, text.replace("shop.crt", "weak.crt").replace("shop.key", "weak.key"), "1024")

    # What proxyctl cannot know is the control plane's to refuse.
    digest = "ab" * 32
    named = configuration(port, "{name: shop, files: {certificate: a, key: b, digest: " + digest + "}}")
    fleet.ctl("validate", workspace.configuration(named))
    refused(fleet, named, "certificates[shop].files.digest", "does not keep")
    refused(fleet, named.replace(digest, "xyz"), "certificates[shop].files.digest", "not a digest")
    assert fleet.ctl("versions", "-o", "json").json == []


def test_what_ends_soon_is_warned_of(workspace, workshop):
    fleet = Fleet(workspace)
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com"])
    fleet.apply(configuration(port))
    found = use(fleet, "shop")
    soon = configuration(port, "{name: shop, selfSigned: {hosts: [shop.example.com]}}")
    fleet.apply(soon)
    assert use(fleet, "shop")["digest"] != found["digest"]
    assert fleet.ctl("status", "-o", "json").json["warnings"] == []
    workshop.make("shop", ["shop.example.com"], 5)
    result = fleet.apply(configuration(port))
    assert "warning: certificate shop" in result.err
    [warning] = fleet.ctl("status", "-o", "json").json["warnings"]
    assert "certificate shop ends" in warning
    assert "certificate shop ends" in fleet.ctl("status").out


def test_self_signed_certificates_are_renewed_everywhere(workspace):
    """Renewal makes no version; all nodes hold the new certificate before any serves it; one that is away follows."""
    fleet = Fleet(workspace, arguments=["--self-signed-life", "15s", "--ticket-period", "4s"])
    nodes = {name: fleet.add(name) for name in ("n1", "n2", "n3")}
    port = workspace.keep(ReservedPort())
    fleet.apply(configuration(port, "{name: shop, selfSigned: {hosts: [shop.example.com]}}"), "--wait")
    first = wait_serving(fleet, "shop", ["n1", "n2", "n3"])
    nodes["n3"].program.kill()

    def renewed(before, names):
        def check():
            found = use(fleet, "shop")
            return found if found and found["digest"] != before and found["serving"] == names else None

        return until(check, lambda: f"another certificate is served by {names}: {certs(fleet)}", 40)

    second = renewed(first["digest"], ["n1", "n2"])
    # The control plane ends in the middle of whatever it does, and goes on.
    fleet.control.kill()
    fleet.start_control()
    third = renewed(second["digest"], ["n1", "n2"])
    nodes["n3"].start()

    def has_followed():
        found = use(fleet, "shop")
        return found and found["serving"] == ["n1", "n2", "n3"] and found["digest"] != first["digest"]

    until(has_followed, lambda: f"n3 has followed: {certs(fleet)}", 40)
    assert [version["version"] for version in fleet.ctl("versions", "-o", "json").json] == [1]
    actions = [record["action"] for record in fleet.ctl("audit", "-o", "json", "--limit", 1000).json]
    assert actions.count("certificate.issue") >= 3 and actions.count("certificate.serve") >= 2
    # In each process's log, a certificate is active only after every node with a session held it: no node ever
    # served one that another with a session could not have served too.
    assert third["digest"] not in (first["digest"], second["digest"])


def test_many_replacements_are_followed(workspace, workshop):
    fleet = Fleet(workspace)
    fleet.add("n1"), fleet.add("n2")
    port = workspace.keep(ReservedPort())
    for number in range(10):
        workshop.make("shop", ["shop.example.com"], 90 + number)
        fleet.apply(configuration(port, body=f"b{number}"), "--wait")
        # What is served is told after the version that names it.
        wait_serving(fleet, "shop", ["n1", "n2"])
    assert len(certs(fleet, "--all")) == 10 and len(certs(fleet)) == 1


def test_a_node_keeps_its_material_over_the_renewal_of_its_identity_and_an_upgrade(workspace, workshop):
    fleet = Fleet(workspace)
    node = fleet.add("n1")
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com"])
    fleet.apply(configuration(port), "--wait")
    until((node.folder / "material").exists, "the node has stored its material")
    node.wait_stored(b"one")
    fleet.control.kill()
    # Without its identity's key nothing of it opens.
    other = workspace.folder / "copy"
    subprocess.run(["cp", "-r", node.folder, other], check=True)
    text = (other / "node.pem").read_text()
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                          check=True, capture_output=True, text=True).stdout
    start, end = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
    changed = text[:text.index(start)] + made[made.index(start):made.index(end) + len(end)] + "\n"
    (other / "node.pem").write_text(changed)
    node.program.kill()
    copy = workspace.start("copy", fleet_binary("proxy-node"), "run", "--data", other, "--control",
                           "%s:%s" % fleet.fleet_address, "--admin", "127.0.0.1:0")
    until(lambda: "material.damaged" in copy.stderr(), "the copy cannot open the material")
    until(lambda: "version.rejected" in copy.stderr(), "the copy cannot serve the version", 30)
    until(lambda: "certificates[shop]" in copy.stderr(), "it says for want of what")


def client_context(*authorities):
    """A client's that trusts these files alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in authorities:
        context.load_verify_locations(path)
    return context


def fetch(context, address, name="shop.example.com", session=None):
    """One request over a new connection: (body, certificate, session, whether it was resumed)."""
    with socket.create_connection(address, timeout=PEER_SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname=name, session=session) as secure:
            secure.sendall(f"GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n".encode())
            octets = b""
            while part := secure.recv(65536):
                octets += part
            assert octets.startswith(b"HTTP/1.1 200"), octets
            return octets.split(b"\r\n\r\n", 1)[1], secure.getpeercert(True), secure.session, secure.session_reused


def test_clients_see_what_is_served(workspace, workshop):
    fleet = Fleet(workspace)
    fleet.add("n1")
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com"])
    fleet.apply(configuration(port), "--wait")
    # Whatever came while the version was activated did not take its certificate away.
    assert "certificates.refused" not in fleet.nodes["n1"].program.stderr()
    context = client_context(workshop.path("shop.crt"))
    body, certificate, _, _ = fetch(context, port.address)
    assert body == b"one"
    assert certificate == ssl.PEM_cert_to_DER_cert(workshop.path("shop.crt").read_text())
    # A restart without the control plane serves the same.
    node = fleet.nodes["n1"]
    until((node.folder / "material").exists, "the node has stored its material")
    node.wait_stored(b"one")
    fleet.control.kill()
    node.program.kill()
    node.start()
    assert fetch(context, port.address)[1] == certificate


def test_a_session_is_resumed_on_any_node(workspace):
    """Clients resume with the tickets of either node, over rotations of the keys."""
    fleet = Fleet(workspace, arguments=["--ticket-period", "4s"])
    fleet.add("n1"), fleet.add("n2")
    port = workspace.keep(ReservedPort())
    fleet.apply(configuration(port, "{name: shop, selfSigned: {hosts: [shop.example.com]}}"), "--wait")
    wait_serving(fleet, "shop", ["n1", "n2"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def keys_made():
        return [entry for entry in fleet.ctl("audit", "-o", "json", "--limit", 1000).json
                if entry["action"] == "secret.store"]

    resumptions = attempts = 0
    count = len(keys_made())
    session = fetch(context, port.address)[2]
    while attempts < 10 or len(keys_made()) < count + 3:
        _, _, session, resumed = fetch(context, port.address, session=session)
        attempts += 1
        resumptions += resumed
    # Of a session that is never older than a request, every one is resumed, whichever node answers.
    assert resumptions == attempts


def test_replacements_under_load_fail_nobody(workspace, workshop):
    """Files are replaced and keys of tickets rotated while clients connect: no handshake and no request fails."""
    fleet = Fleet(workspace, arguments=["--ticket-period", "4s"])
    fleet.add("n1"), fleet.add("n2")
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com"])
    fleet.apply(configuration(port), "--wait")
    wait_serving(fleet, "shop", ["n1", "n2"])
    stopping, failures, counts = threading.Event(), [], [0, 0]

    def load(index):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        session = None
        while not stopping.is_set():
            try:
                _, _, session, _ = fetch(context, port.address, session=session if index else None)
                counts[index] += 1
            except (OSError, AssertionError) as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=load, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    replacements = int(os.environ.get("WEIR_REPLACEMENTS", "10"))
    try:
        for number in range(replacements):
            workshop.make("shop", ["shop.example.com"], 90 + number)
            fleet.apply(configuration(port), "--wait")
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    print(f"{replacements} replacements, {counts} requests of new and resumed sessions, {len(failures)} failures")
    assert not failures, failures[:5]
    assert min(counts) > 10


def test_authorities_are_handed_out(workspace, workshop):
    """A bundle that apply brought decides which clients may come; other authorities under its name, hot."""
    fleet = Fleet(workspace)
    fleet.add("n1")
    port = workspace.keep(ReservedPort())
    workshop.make("shop", ["shop.example.com"])
    for name in ("one", "two"):
        workshop.authority(name)
        workshop.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN=client {name}",
                     "-keyout", f"client-{name}.key", "-out", f"client-{name}.csr")
        workshop.run("x509", "-req", "-in", f"client-{name}.csr", "-CA", f"{name}.pem", "-CAkey", f"{name}.key",
                     "-CAcreateserial", "-days", "9", "-out", f"client-{name}.crt")
    text = f"""
listeners:
  - name: web
    address: {port}
    protocol: https
    tls: {{certificates: [shop], clientCertificate: {{mode: require, authorities: [partners]}}}}
certificates:
  - {{name: shop, files: {{certificate: tls/shop.crt, key: tls/shop.key}}}}
  - {{name: partners, authority: {{file: tls/one.pem}}}}
routes:
  - {{name: hello, hosts: [shop.example.com], respond: {{status: 200, body: one}}}}
"""

    def accepted(name):
        context = client_context(workshop.path("shop.crt"))
        if name:
            context.load_cert_chain(workshop.path(f"client-{name}.crt"), workshop.path(f"client-{name}.key"))
        try:
            return fetch(context, port.address)[0] == b"one"
        except (ssl.SSLError, ConnectionError):
            return False

    fleet.apply(text, "--wait")
    assert [accepted(name) for name in (None, "one", "two")] == [False, True, False]
    fleet.apply(text.replace("one.pem", "two.pem"), "--wait")
    assert [accepted(name) for name in (None, "one", "two")] == [False, False, True]
    found = wait_serving(fleet, "partners", ["n1"])
    assert found["kind"] == "authority" and found["names"] == ["CN=two"]
