"""Certificates by RFC 8555 from a real test authority: one order however many nodes, and any of them answers."""

import base64
import re
import socket
import ssl
import urllib.request

import pytest

from acme import Gate, Pebble, Suggesting
from weir import Fleet, ReservedPort, get, until

HOST = "shop.example.com"


def configuration(pebble, http, https, challenge="http-01", directory=None, hosts=(HOST,)):
    names = ", ".join(hosts)
    return f"""
listeners:
  - {{name: web, address: "{http}", protocol: http, redirectToHTTPS: {https.port}}}
  - {{name: websecure, address: "{https}", protocol: https, tls: {{certificates: [lab, shop], strictSNI: true}}}}
certificates:
  - {{name: lab, selfSigned: {{hosts: [lab.example.com]}}}}
  - {{name: authority, authority: {{file: authority/cert.pem}}}}
  - name: shop
    hosts: [{names}]
    acme: {{directory: "{directory or pebble.directory}", email: ops@example.com, challenge: {challenge},
           authority: authority}}
routes:
  - {{name: hello, hosts: [{names}], respond: {{status: 200, body: hello}}}}
  - {{name: lab, hosts: [lab.example.com], respond: {{status: 200, body: lab}}}}
"""


def shown(target, name, protocols=("http/1.1",)):
    """The issuer of the certificate that is shown for a name, as text, and the protocol that is chosen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    with socket.create_connection(target, timeout=15) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            return secure.getpeercert(binary_form=True), secure.selected_alpn_protocol()


def use(fleet, name="shop", states=("serve",)):
    for certificate in fleet.ctl("certs", "-o", "json").json:
        for entry in certificate["uses"]:
            if entry["name"] == name and entry["state"] in states:
                return certificate, entry
    return None


def wait_issued(fleet, nodes, other_than=None, seconds=60):
    """Waits until all nodes serve what the authority issued."""
    seen = []

    def check():
        seen[:] = [fleet.ctl("certs", "-o", "json").json]
        found = use(fleet)
        if not found or "Pebble" not in (found[0]["issuer"] or ""):
            return None
        return found[0] if found[0]["serving"] == sorted(nodes) and found[0]["digest"] != other_than else None

    return until(check, lambda: f"{nodes} serve a certificate of the authority; seen: {seen}", seconds)


def control_metrics(fleet):
    context = ssl.create_default_context(cafile=str(fleet.folder / "ca.pem"))
    host, port = fleet.admin_address
    with urllib.request.urlopen(f"https://{host}:{port}/metrics", context=context, timeout=15) as answer:
        return answer.read().decode()


def start(workspace, count, **options):
    fleet = Fleet(workspace, arguments=("--acme-retry", "4s"))
    for number in range(count):
        fleet.add(f"n{number}", workers=1, wait=False)
    for node in fleet.nodes.values():
        node.admin = node.program.ready().get("admin")
    http, https = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    pebble = Pebble(workspace, http.port, https.port, **options)
    return fleet, http, https, pebble


def start_gated(workspace, challenge):
    """Three nodes; the authority's connections wait until the gate is opened."""
    fleet = Fleet(workspace, arguments=("--acme-retry", "4s"))
    for number in range(3):
        fleet.add(f"n{number}", workers=1)
    http, https = workspace.keep(ReservedPort()), workspace.keep(ReservedPort())
    gate = workspace.keep(Gate((http if challenge == "http-01" else https).address))
    return fleet, http, https, Pebble(workspace, gate.port, gate.port), gate


@pytest.mark.parametrize("challenge, count", [("http-01", 1), ("http-01", 3), ("http-01", 8), ("tls-alpn-01", 1),
                                              ("tls-alpn-01", 3), ("tls-alpn-01", 8)])
def test_one_order_for_all_nodes(workspace, challenge, count):
    fleet, http, https, pebble = start(workspace, count)
    text = configuration(pebble, http, https, challenge, hosts=(HOST, "www.example.com"))
    answer = fleet.apply(text, "--wait")
    port = "80" if challenge == "http-01" else "443"
    assert f"the authority asks port {port}" in answer.out + answer.err
    found = wait_issued(fleet, fleet.nodes)
    assert sorted(found["names"]) == [HOST, "www.example.com"]
    assert pebble.orders == 1 and pebble.accounts == 1
    # It came without another version, and everyone who asks for the name is shown it.
    fleet.wait_steady(1)
    certificates = {shown(https.address, HOST)[0] for _ in range(4 * count)}
    assert len(certificates) == 1 and b"Pebble" in certificates.pop()
    # Challenges are over: their paths are requests like others, and nobody speaks the protocol.
    path = "/.well-known/acme-challenge/unknown"
    answer = get(http.address, path, host=HOST)
    assert answer.status == 308
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown(https.address, HOST, ("acme-tls/1",))


def test_a_version_names_a_certificate_that_is_not_there_yet(workspace):
    fleet, http, https, pebble = start(workspace, 1)
    (missing,) = [ReservedPort()]
    with missing:
        text = configuration(pebble, http, https, directory=f"https://{missing}/dir")
        fleet.apply(text, "--wait")

        def temporary():
            found = use(fleet, states=("temporary",))
            return found[0] if found and found[0]["serving"] == ["n0"] else None

        assert until(temporary, "a temporary certificate is served")["names"] == [HOST]
        assert shown(https.address, HOST)[0] and shown(https.address, "lab.example.com")[0]
        problem = until(lambda: use(fleet, states=("temporary",))[1]["problem"], "the failure is shown")
        assert "no answer" in problem and "again at" in problem
        assert "no answer" in fleet.ctl("certs").out
        status = fleet.ctl("status", "-o", "json").json
        assert any("temporary" in warning for warning in status["warnings"])
    # Another directory, another version: its certificate comes hot.
    fleet.apply(configuration(pebble, http, https), "--wait")
    wait_issued(fleet, ["n0"])


def test_the_authority_refuses(workspace):
    fleet, http, https, pebble = start(workspace, 1, blocked=[HOST])
    fleet.apply(configuration(pebble, http, https), "--wait")
    found = until(lambda: (use(fleet, states=("temporary",)) or (0, {}))[1].get("problem"), "the failure is shown")
    assert "rejectedIdentifier" in found
    record = until(lambda: next((line for line in fleet.control.stderr().splitlines() if "acme.order_failed" in line), None),
                   "the failure is in the log")
    assert "type=urn:ietf:params:acme:error:rejectedIdentifier" in record and "detail=" in record
    until(lambda: 'weir_acme_order_failures{certificate="shop"} ' in control_metrics(fleet), "the failure is counted")


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_control_plane_ends_in_mid_order(workspace, challenge, end):
    fleet, http, https, pebble, gate = start_gated(workspace, challenge)
    fleet.apply(configuration(pebble, http, https, challenge), "--wait")
    until(lambda: gate.waiting, "the authority asks")
    getattr(fleet.control, end)()
    fleet.start_control()
    gate.opened.set()
    wait_issued(fleet, fleet.nodes)
    assert pebble.orders == 1 and pebble.accounts == 1
    until(lambda: "acme.order_resumed" in fleet.control.stderr(), "that is in the log")


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_node_is_killed_in_mid_order(workspace, challenge):
    fleet, http, https, pebble, gate = start_gated(workspace, challenge)
    fleet.apply(configuration(pebble, http, https, challenge), "--wait")
    until(lambda: gate.waiting, "the authority asks")
    fleet.nodes["n1"].kill()
    gate.opened.set()
    wait_issued(fleet, ["n0", "n2"])
    assert pebble.orders == 1
    # It comes back with what it had, and is told what is served now.
    fleet.nodes["n1"].start()
    wait_issued(fleet, ["n0", "n1", "n2"])
    assert pebble.orders == 1


def test_open_challenges_are_answered_and_nothing_else(workspace):
    fleet, http, https, pebble, gate = start_gated(workspace, "http-01")
    fleet.apply(configuration(pebble, http, https), "--wait")
    path = until(lambda: re.search(r"validate w/ HTTP: http://[^/]+(\S+)", pebble.log), "the authority asks").group(1)
    token = path.rpartition("/")[2]
    for _ in range(12):
        answer = get(http.address, path, host=HOST)
        assert answer.status == 200 and answer.body.decode().startswith(f"{token}.")
    assert get(http.address, path.replace("acme", "%61cme"), host=HOST).status == 200
    assert get(http.address, path, host=HOST, method="HEAD").status == 200
    for other in (path + "x", path[:-1], path + "/", "/.well-known/acme-challenge/", "/"):
        assert get(http.address, other, host=HOST).status == 308
    assert get(http.address, path, host=HOST, method="POST").status == 308
    gate.opened.set()
    wait_issued(fleet, fleet.nodes)
    until(lambda: get(http.address, path, host=HOST).status == 308, "the challenge is taken back")
    answered = sum(
        int(re.search(r"^weir_acme_challenges_answered_total (\d+)", get(node.admin, "/metrics").body.decode(),
                      re.M).group(1)) for node in fleet.nodes.values())
    assert answered >= 15


def test_a_proving_certificate_is_shown_to_who_asks_for_it_alone(workspace):
    fleet, http, https, pebble, gate = start_gated(workspace, "tls-alpn-01")
    fleet.apply(configuration(pebble, http, https, "tls-alpn-01"), "--wait")
    until(lambda: gate.waiting, "the authority asks")
    identifier = bytes.fromhex("06082b0601050507011f0101ff0422")  # acmeIdentifier, critical, 34 octets
    for _ in range(12):
        certificate, chosen = shown(https.address, HOST, ("acme-tls/1",))
        assert chosen == "acme-tls/1" and identifier in certificate
    # Others of the name, and who speaks other protocols too, have what is served.
    certificate, chosen = shown(https.address, HOST, ("acme-tls/1", "http/1.1"))
    assert chosen == "http/1.1" and identifier not in certificate
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown(https.address, "lab.example.com", ("acme-tls/1",))
    # No request is read on such a connection.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["acme-tls/1"])
    with socket.create_connection(https.address, timeout=15) as plain:
        with context.wrap_socket(plain, server_hostname=HOST, suppress_ragged_eofs=True) as secure:
            try:
                secure.sendall(f"GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode())
                assert secure.recv(1000) == b""
            except OSError:
                pass
    gate.opened.set()
    wait_issued(fleet, fleet.nodes)


def test_many_certificates_have_one_account(workspace):
    fleet, http, https, pebble = start(workspace, 2)
    names = [f"s{number}.example.com" for number in range(12)]
    certificates = "\n".join(
        f"  - {{name: s{number}, hosts: [{name}], acme: {{directory: '{pebble.directory}', authority: authority}}}}"
        for number, name in enumerate(names))
    used = ", ".join(f"s{number}" for number in range(12))
    fleet.apply(f"""
listeners:
  - {{name: web, address: "{http}", protocol: http}}
  - {{name: websecure, address: "{https}", protocol: https, tls: {{certificates: [{used}]}}}}
certificates:
  - {{name: authority, authority: {{file: authority/cert.pem}}}}
{certificates}
""", "--wait")

    def issued():
        found = [entry for entry in fleet.ctl("certs", "-o", "json").json if "Pebble" in (entry["issuer"] or "")]
        return len(found) == 12 and all(entry["serving"] == ["n0", "n1"] for entry in found)

    until(issued, "all are issued and served", 60)
    assert pebble.orders == 12 and pebble.accounts == 1
    until(lambda: 'weir_acme_orders_total{result="issued"} 12' in control_metrics(fleet), "the orders are counted")


def test_renewal_at_two_thirds_of_life(workspace):
    fleet, http, https, pebble = start(workspace, 3, validity=45)
    fleet.apply(configuration(pebble, http, https), "--wait")
    first = wait_issued(fleet, fleet.nodes)
    served = []

    def renewed():
        served.append(shown(https.address, HOST)[0])
        found = use(fleet)
        return found and found[0]["digest"] != first["digest"] and len(found[0]["serving"]) == 3

    until(renewed, "the certificate is renewed", 90)
    assert pebble.orders == 2 and pebble.accounts == 1
    # Whatever was shown meanwhile was one of both.
    assert len(set(served)) <= 2


def test_renewal_as_the_authority_suggests(workspace):
    fleet, http, https, pebble = start(workspace, 1)
    with Suggesting(pebble) as double:
        fleet.apply(configuration(pebble, http, https, directory=double.directory), "--wait")
        until(lambda: len(double.asked) == 2, "the renewed certificate's window is asked for", 60)
        wait_issued(fleet, ["n0"])
        assert pebble.orders == 2


def test_wrong_input_is_refused_with_place_and_remedy(workspace):
    fleet, http, https, pebble = start(workspace, 0)
    good = configuration(pebble, http, https)
    cases = [
        (good.replace(f"hosts: [{HOST}]\n    acme", "hosts: ['*.example.com']\n    acme"), "is a wildcard"),
        (good.replace(f"hosts: [{HOST}]\n    acme", "hosts: [192.0.2.1]\n    acme"), "is an address"),
        (good.replace(f"    hosts: [{HOST}]\n    acme", "    acme"), "hosts is missing"),
        (good.replace("https://127", "http://127"), "begins with https://"),
        (good.replace("ops@example.com", "nobody"), "name@host"),
        (good.replace("authority: authority}", "authority: lab}"), "not authorities to trust"),
        (re.sub(r"  - \{name: web,.*\n", "", good), "http-01 is answered on http listeners"),
        (good.replace("selfSigned: {hosts: [lab.example.com]}", "selfSigned: {hosts: [lab.example.com]}, "
                      "hosts: [lab.example.com]"), "does nothing without acme"),
    ]
    for text, message in cases:
        for command in ("validate", "apply"):
            result = fleet.ctl(command, workspace.configuration(text), code=None)
            assert result.code != 0, (message, result)
            assert message in result.out + result.err, (message, result)


def test_an_account_is_bound_to_one_that_the_authority_knows(workspace):
    """RFC 8555 §7.3.4: the key is a named secret; a wrong one is told, and another one is tried at once."""
    right, wrong = (base64.urlsafe_b64encode(bytes(range(start, start + 32))).decode().rstrip("=") for start in (0, 7))
    fleet, http, https, pebble = start(workspace, 1, bindings={"kid-1": right})
    plain = configuration(pebble, http, https)
    text = plain.replace("authority: authority}", "authority: authority, eab: {keyID: kid-1, secret: acme-key}}")
    refused = fleet.apply(text, code=1)
    assert "certificates[shop].acme.eab.secret" in refused.err and "proxyctl secrets set acme-key" in refused.err
    assert "valid" in fleet.ctl("validate", workspace.configuration(text)).out

    def problem(part):
        def check():
            found = use(fleet, states=("temporary",))
            return found if found and part in (found[1]["problem"] or "") else None

        return until(check, lambda: f"certs says {part!r}: {fleet.ctl('certs', '-o', 'json').json}", 40)

    fleet.ctl("secrets", "set", "acme-key", text_input="no key!\n")
    fleet.apply(text, "--wait")
    problem("the secret acme-key is not the key of acme.eab")
    assert "acme-key is not the key" in fleet.ctl("certs").out
    fleet.ctl("secrets", "set", "acme-key", text_input=wrong + "\n")
    problem("acme.eab")
    file = workspace.write("eab.key", right + "\n")
    fleet.ctl("secrets", "set", "acme-key", "--file", file)
    found = wait_issued(fleet, fleet.nodes)
    assert found["names"] == [HOST] and pebble.accounts == 1

    in_use = fleet.ctl("secrets", "remove", "acme-key", code=1)
    assert "certificates[shop].acme.eab.secret" in in_use.err
    [secret] = fleet.ctl("secrets", "list", "-o", "json").json
    assert secret["name"] == "acme-key" and secret["uses"] == ["certificates[shop].acme.eab.secret"]
    assert "acme-key" in fleet.ctl("secrets", "list").out
    # The account that is there is used on: the key is for its registration alone.
    fleet.apply(plain.replace(f"hosts: [{HOST}]", f"hosts: [{HOST}, www.example.com]").replace(
        "authority: authority}", "authority: authority, eab: {keyID: kid-1, secret: acme-key}}"), "--wait")
    assert sorted(wait_issued(fleet, fleet.nodes, found["digest"])["names"]) == [HOST, "www.example.com"]
    assert pebble.accounts == 1
    fleet.apply(plain, "--wait")
    fleet.ctl("secrets", "remove", "acme-key")
    assert fleet.ctl("secrets", "list", "-o", "json").json == []
    actions = [entry["action"] for entry in fleet.ctl("audit", "-o", "json", "--limit", 1000).json]
    assert actions.count("secret.set") == 3 and actions.count("secret.remove") == 1
    everything = fleet.ctl("audit", "-o", "json", "--limit", 1000).out + fleet.control.stderr()
    assert right not in everything and wrong not in everything
