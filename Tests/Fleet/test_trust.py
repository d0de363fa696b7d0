"""The fleet link's trust over time: another CA, certificates that end soon, revocation, another master key."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from weir import BIN, PEER_SECONDS, Fleet, Load, ReservedPort, get, run_proxyctl, until


def respond(port, body):
    return f"listeners: [{{name: web, address: {port}}}]\nroutes: [{{name: all, respond: {{status: 200, body: {body}}}}}]\n"


def ca(fleet, *arguments, **options):
    return fleet.ctl("ca", *arguments, "-o", "json", **options).json


def fingerprints(fleet):
    return [authority["fingerprint"] for authority in ca(fleet, "status")["authorities"]]


def wait_confirmed(fleet, names):
    """Waits until exactly these nodes have confirmed the next CA."""
    seen = []

    def check():
        seen[:] = ca(fleet, "status")["nodes"]
        return {node["name"] for node in seen if node["confirmed"]} == set(names)

    until(check, lambda: f"{names} have confirmed; seen: {seen}", 30)


def is_connected(node):
    """Whether the process's newest word on its session is that it has one."""
    words = re.findall(r'"event":"(control\.\w+)"|(control\.\w+)', node.program.stderr())
    last = [word[0] or word[1] for word in words]
    return bool(last) and last[-1] == "control.connected"


def certificates(node):
    """The certificates in a node's identity, in DER."""
    text = (node.folder / "node.pem").read_text()
    return [ssl.PEM_cert_to_DER_cert(pem) for pem in
            re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)]


def handshake(fleet, identity):
    """What a client with the certificate and key of this file hears from the fleet address: its octets, or an error."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["weir/1"])
    context.load_cert_chain(identity)
    with socket.create_connection(fleet.fleet_address, timeout=PEER_SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname="control.weir") as connection:
            return connection.recv(4096)


def identity_file(node, path):
    """A copy of a node's certificates and key, as a client of TLS takes them."""
    text = (node.folder / "node.pem").read_text()
    blocks = re.findall(r"-----BEGIN (?:CERTIFICATE|PRIVATE KEY)-----.*?-----END [A-Z ]+-----\n", text, re.S)
    path.write_text("".join(blocks))
    return path


def test_another_ca_under_load_with_a_node_that_was_away(workspace):
    fleet = Fleet(workspace)
    port = workspace.keep(ReservedPort())
    for name in ("n1", "n2", "n3"):
        fleet.add(name)
    fleet.apply(respond(port, "one"), "--wait")
    old = fingerprints(fleet)
    assert len(old) == 1
    shutil.copytree(fleet.folder, workspace.folder / "operator")
    token_before = fleet.token()

    with Load(port.address, connections=8) as load:
        fleet.nodes["n3"].stop()
        status = ca(fleet, "rotate")
        assert status["rotating"] and [a["role"] for a in status["authorities"]] == ["current", "next"]
        both = fingerprints(fleet)
        assert both[0] == old[0]
        assert (fleet.folder / "ca.pem").read_text().count("BEGIN CERTIFICATE") == 2
        wait_confirmed(fleet, ["n1", "n2"])

        # A copy of the context that knows the first CA alone works on, and learns of the second one.
        copied = workspace.folder / "operator" / "proxyctl.yaml"
        text = copied.read_text().replace(str(fleet.folder), str(workspace.folder / "operator"))
        copied.write_text(text)
        pem = workspace.folder / "operator" / "ca.pem"
        assert pem.read_text().count("BEGIN CERTIFICATE") == 1
        run_proxyctl("--config", copied, "nodes")
        run_proxyctl("--config", copied, "ca", "status")
        assert pem.read_text().count("BEGIN CERTIFICATE") == 2

        # Killed in this stage, everything goes on from where it was.
        fleet.control.kill()
        fleet.nodes["n2"].stop()
        fleet.start_control()
        fleet.nodes["n2"].start()
        assert fingerprints(fleet) == both
        wait_confirmed(fleet, ["n1", "n2"])

        # Nobody is cut off unseen.
        refused = fleet.ctl("ca", "retire", code=1)
        assert "n3" in refused.err and "n1" not in refused.err, refused

        # The one that was away comes back with what it has, and joins work with old tokens and new ones.
        fleet.nodes["n3"].start()
        fleet.add("n4", token=token_before)
        fleet.add("n5")
        unused = fleet.token()
        wait_confirmed(fleet, ["n1", "n2", "n3", "n4", "n5"])
        load.more(200)

        retired = ca(fleet, "retire")
        assert retired["rotating"] is False and retired["tokensRevoked"] == 1
        assert fingerprints(fleet) == both[1:]
        assert (fleet.folder / "ca.pem").read_text().count("BEGIN CERTIFICATE") == 1
        fleet.control.kill()
        fleet.start_control()
        assert fingerprints(fleet) == both[1:]
        run_proxyctl("--config", copied, "nodes")

        # All come back on the new CA alone, also after restarts of their own.
        fleet.apply(respond(port, "two"))
        fleet.wait_steady(2)
        fleet.nodes["n3"].stop()
        fleet.nodes["n3"].start()
        fleet.apply(respond(port, "three"))
        fleet.wait_steady(3)
        load.more(200)
    assert not load.failures, load.failures[:5]
    for name in ("n1", "n2", "n3", "n4", "n5"):
        until(lambda node=fleet.nodes[name]: "WEIR AUTHORITIES" not in (node.folder / "node.pem").read_text(),
              f"{name} has forgotten the old CA")

    # A token from before names a CA that is gone, and the node says what to do.
    late = fleet.add("n6", token=unused, wait=False)
    until(lambda: not late.program.is_running, "the node with the old token gave up")
    assert "proxyctl token create" in late.program.stderr()
    fleet.nodes.pop("n6")
    fleet.add("n7")
    fleet.wait_steady(3)


def test_a_forced_retirement_cuts_off_who_has_not_confirmed(workspace):
    fleet = Fleet(workspace)
    port = workspace.keep(ReservedPort())
    fleet.add("n1")
    away = fleet.add("n2")
    fleet.apply(respond(port, "one"), "--wait")
    assert fleet.ctl("ca", "retire", code=1).err.count("proxyctl ca rotate") == 1
    away.stop()
    stale = identity_file(away, workspace.folder / "stale.pem")
    ca(fleet, "rotate")
    wait_confirmed(fleet, ["n1"])
    ca(fleet, "retire", "--force")
    detail = fleet.ctl("audit", "-o", "json").json[0]
    assert detail["action"] == "authority.retire" and "n2" in detail["detail"]
    away.start()
    until(lambda: get(port.address).body == b"one", "it serves what it has")
    until(lambda: "control.unreachable" in away.program.stderr(), "it does not believe the control plane")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert handshake(fleet, stale) != b""
        raise ConnectionError
    fleet.wait_steady(1, ["n1"])
    # Removed and with a new token it is a member again.
    away.stop()
    fleet.ctl("node", "remove", "n2")
    (away.folder / "node.pem").unlink()
    fleet.add("n2")
    fleet.apply(respond(port, "two"), "--wait")
    fleet.wait_steady(2)


def test_certificates_are_renewed_at_half_of_their_life(workspace):
    fleet = Fleet(workspace, arguments=["--node-life", "12s"])
    port = workspace.keep(ReservedPort())
    node, away = fleet.add("n1"), fleet.add("n2")
    fleet.apply(respond(port, "one"), "--wait")
    first = certificates(node)[0]
    until(lambda: certificates(node)[0] != first, "the certificate was renewed", 30)
    second = certificates(node)[0]
    until(lambda: certificates(node)[0] != second, "and again", 30)
    # One session all the time: renewing does not end it.
    assert node.program.stderr().count("control.connected") == 1

    # Away for longer than its certificate lives: it serves on, and says what is to be done.
    away.stop()
    expired = certificates(away)[0]
    fleet.control.kill()
    until(lambda: expired_now(away), "the certificate has ended", 30)
    fleet.start_control()
    away.start()
    until(lambda: "node.certificate_expired" in away.program.stderr(), "it says that its certificate has ended")
    assert get(port.address).body == b"one"
    assert certificates(away)[0] == expired


def expired_now(node):
    text = subprocess.run(["openssl", "x509", "-noout", "-checkend", "0"], input=(node.folder / "node.pem").read_text(),
                          text=True, capture_output=True)
    return text.returncode == 1


def test_a_revoked_certificate_is_refused_while_it_is_valid(workspace):
    fleet = Fleet(workspace)
    port = workspace.keep(ReservedPort())
    node = fleet.add("n1")
    fleet.apply(respond(port, "one"), "--wait")
    identity = identity_file(node, workspace.folder / "stolen.pem")
    fleet.ctl("node", "revoke", "n1")
    until(lambda: "node.revoked" in node.program.stderr(), "the session was ended", 8)
    # Goodbye (type 112) is all that the thief hears.
    heard = handshake(fleet, identity)
    assert heard[4:6] == b"\x00\x70", heard
    assert get(port.address).body == b"one"


def test_another_master_key(workspace):
    fleet = Fleet(workspace)
    port = workspace.keep(ReservedPort())
    fleet.add("n1")
    fleet.apply(respond(port, "one"), "--wait")
    command = [BIN / "proxy-control", "master-key", "rotate", "--data", fleet.folder]
    running = subprocess.run(command, capture_output=True, text=True)
    assert running.returncode == 1 and "in use" in running.stderr
    before = (fleet.folder / "master.key").read_bytes()
    backup = workspace.folder / "before.db"
    subprocess.run([BIN / "proxy-control", "backup", "--data", fleet.folder, backup], check=True, capture_output=True)
    fleet.control.stop()
    with Load(port.address, connections=4) as load:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert (fleet.folder / "master.key.old").read_bytes() == before != (fleet.folder / "master.key").read_bytes()
        assert all((fleet.folder / name).stat().st_mode & 0o777 == 0o600 for name in ("master.key", "master.key.old"))
        again = subprocess.run(command, capture_output=True, text=True)
        assert again.returncode == 1 and "master.key.old" in again.stderr
        fleet.start_control()
        fleet.apply(respond(port, "two"), "--wait")
        fleet.wait_steady(2)
        load.more(100)
    assert not load.failures, load.failures[:5]
    # A backup from before is taken as long as the key before is there.
    fleet.control.stop()
    subprocess.run([BIN / "proxy-control", "restore", "--data", fleet.folder, backup], check=True, capture_output=True)
    (fleet.folder / "master.key.old").unlink()
    fleet.start_control()
    fleet.wait_steady(1)


def test_a_killed_rotation_of_the_master_key_leaves_a_store_that_opens(workspace):
    fleet = Fleet(workspace)
    fleet.add("n1")
    command = [BIN / "proxy-control", "master-key", "rotate", "--data", fleet.folder]
    fleet.control.stop()
    # What is on the disk when it is killed: nothing new, the next key, the one before, and all that there will be.
    moments = (lambda _: True, lambda _: (fleet.folder / "master.key.next").exists(),
               lambda _: (fleet.folder / "master.key.old").exists(), lambda process: process.poll() is not None)
    for moment in moments * 3:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not moment(process) and process.poll() is None:
            pass
        process.kill()
        process.wait(PEER_SECONDS)
        fleet.start_control()
        assert len(fingerprints(fleet)) == 1
        fleet.control.stop()
        assert not (fleet.folder / "master.key.next").exists()
        (fleet.folder / "master.key.old").unlink(missing_ok=True)
    fleet.start_control()
    fleet.wait_state("n1", "steady")
