"""A node's process is replaced while it serves TLS with what the fleet gave it: certificates, keys of tickets, authorities."""

import ssl
import threading

from disclosure import Store, open_material
from handover import upgrade
from test_certificates import fetch, use, wait_serving
from weir import Certificates, Fleet, ReservedPort, until

HOST = "shop.example.com"


class Clients:
    """Clients of TLS, each with a request on a connection of its own: some with new sessions, others resume theirs."""

    def __init__(self, files, target, new=2, resuming=2):
        self.files, self.target = files, target
        self.stopping, self.failures = threading.Event(), []
        self.made, self.resumed, self.full = [0] * (new + resuming), 0, 0
        self.threads = [threading.Thread(target=self.client, args=(index, index >= new), daemon=True)
                        for index in range(new + resuming)]

    def context(self):
        context = self.files.client()
        context.load_cert_chain(self.files.folder / "client.crt", self.files.folder / "client.key")
        return context

    def client(self, index, resumes):
        context, session = self.context(), None
        while not self.stopping.is_set():
            try:
                _, _, now, resumed = fetch(context, self.target, HOST, session)
                if session is not None:
                    self.resumed += resumed
                    self.full += not resumed
                session = now if resumes else None
                self.made[index] += 1
            except (OSError, AssertionError) as failure:
                self.failures.append(repr(failure))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more()
        return self

    def more(self, count=10):
        """Waits until each of them has been answered so many times more."""
        goals = [made + count for made in self.made]
        until(lambda: self.failures or all(made >= goal for made, goal in zip(self.made, goals)), "all are answered", 60)

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def configuration(port):
    return f"""
listeners:
  - name: web
    address: {port}
    protocol: https
    tls: {{certificates: [lab, shop], clientCertificate: {{mode: require, authorities: [partners]}}}}
certificates:
  - {{name: shop, files: {{certificate: tls/shop.crt, key: tls/shop.key}}}}
  - {{name: lab, selfSigned: {{hosts: [lab.example.com]}}}}
  - {{name: partners, authority: {{file: tls/authority.pem}}}}
routes: [{{name: hello, respond: {{status: 200, body: one}}}}]
"""


def make(workspace, *arguments):
    fleet = Fleet(workspace, arguments=arguments)
    node = fleet.add("edge", "--drain-timeout", "5s")
    port = workspace.keep(ReservedPort())
    files = Certificates(workspace.folder / "tls")
    files.issue("shop", HOST)
    files.issue("client", usage="clientAuth")
    fleet.apply(configuration(port), "--wait")
    wait_serving(fleet, "shop", ["edge"])
    until((node.folder / "material").exists, "the node has stored its material")
    node.wait_stored(b"one")
    return fleet, node, port, files


def test_no_handshake_fails_and_sessions_are_resumed_over_upgrades(workspace):
    """Keys of tickets rotate and a certificate is renewed meanwhile."""
    fleet, node, port, files = make(workspace, "--ticket-period", "4s", "--self-signed-life", "15s")
    renewed = use(fleet, "lab")["digest"]
    with Clients(files, port.address) as clients:
        for _ in range(4):
            process = upgrade(workspace, node)
            clients.more()
            assert not clients.failures, clients.failures[:5]
        until(lambda: (use(fleet, "lab") or {}).get("digest") != renewed, "the other certificate was renewed", 40)
        process = upgrade(workspace, node)
        clients.more()
    assert not clients.failures, clients.failures[:5]
    # No session is older than a request, so every one is resumed, whichever of the processes answers.
    assert clients.full == 0 and clients.resumed >= 40, (clients.full, clients.resumed)
    for name in ("shop", "lab"):
        wait_serving(fleet, name, ["edge"])
    assert "material.damaged" not in node.program.stderr()

    # The new process is given material as the old one was.
    files.issue("shop", HOST, days=9)
    fleet.apply(configuration(port), "--wait")
    certificate = ssl.PEM_cert_to_DER_cert((files.folder / "shop.crt").read_text())
    assert fetch(clients.context(), port.address, HOST)[1] == certificate
    assert process.stop() == 0


def test_an_upgrade_without_the_control_plane_serves_the_same_material(workspace):
    fleet, node, port, files = make(workspace)
    store = Store(fleet.folder)
    assert fleet.control.stop() == 0
    with Clients(files, port.address) as clients:
        for _ in range(2):
            process = upgrade(workspace, node)
            clients.more()
    assert not clients.failures and clients.full == 0, (clients.failures[:5], clients.full)
    # What the disk has is what both processes can open, and the control plane finds the node as it was.
    content, _ = open_material(node.folder, "edge", store.cluster)
    assert content
    fleet.start_control()
    wait_serving(fleet, "shop", ["edge"])
    assert process.stop() == 0
