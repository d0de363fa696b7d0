"""Certificate authorities for tests: Debian's pebble, and a double in front of it that suggests renewals (RFC 9773)."""

import contextlib
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

from weir import until


def held_port(space):
    """A port of loopback for a program of Go, which cannot choose one, held until the end of the test.

    Go sets SO_REUSEADDR, so it may bind what is bound and does not listen; nobody else is given it meanwhile.
    """
    held = space.keep(contextlib.closing(socket.socket()))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1]


class Pebble:
    """An authority that really looks at challenges; every name resolves to loopback."""

    def __init__(self, space, http_port, tls_port, validity=None, blocked=(), bindings=None):
        self.space = space
        folder = self.folder = space.folder / "authority"
        folder.mkdir()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem",
             "-out", "cert.pem"], cwd=folder, check=True, capture_output=True)
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        listen, management, dns, dns_management = [held_port(space) for _ in range(4)]
        settings = {
            "listenAddress": f"127.0.0.1:{listen}", "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(self.certificate), "privateKey": str(self.key), "httpPort": http_port,
            "tlsPort": tls_port, "domainBlocklist": list(blocked),
        }
        if bindings:
            # Accounts have to be bound to one of these keys, in base64url, by their identifiers (RFC 8555 §7.3.4).
            settings |= {"externalAccountBindingRequired": True, "externalAccountMACKeys": bindings}
        if validity:
            settings["certificateValidityPeriod"] = validity
        file = folder / "pebble.json"
        file.write_text(json.dumps({"pebble": settings}))
        self.names = space.start("names", "/usr/bin/pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01",
                                 "", "-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{dns_management}",
                                 "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
        environment = {"PEBBLE_WFE_NONCEREJECT": "15", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_VA_NOSLEEP": "1"}
        self.program = space.start("pebble", "/usr/bin/pebble", "-config", file, "-dnsserver", f"127.0.0.1:{dns}",
                                   environment=environment)
        self.directory = f"https://127.0.0.1:{listen}/dir"
        until(lambda: "ACME directory available" in self.log, lambda: f"pebble listens: {self.log}")

    @property
    def log(self):
        return self.program.stdout() + self.program.stderr()

    @property
    def orders(self):
        """How many orders were ever placed."""
        return len(re.findall(r"Added order ", self.log))

    @property
    def accounts(self):
        numbers = re.findall(r"There are now (\d+) accounts in memory", self.log)
        return int(numbers[-1]) if numbers else 0


class Gate:
    """A port that leads to another one, and whose connections wait until it is opened."""

    def __init__(self, target):
        self.target = target
        self.waiting = 0
        self.opened = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.waiting += 1
            thread = threading.Thread(target=self.relay, args=(near,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def relay(self, near):
        self.opened.wait()
        with near, socket.create_connection(self.target, timeout=15) as far:
            back = threading.Thread(target=pump, args=(far, near), daemon=True)
            back.start()
            pump(near, far)
            back.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.opened.set()
        # Closing alone does not wake who waits in accept().
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(15)


def pump(source, sink):
    """Moves octets until the source ends."""
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Suggesting:
    """A directory in front of another one that says when certificates are to be renewed (RFC 9773).

    The first certificate that is asked for is to be renewed at once, others in a year.
    """

    def __init__(self, pebble):
        self.asked = []
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/dir":
                    context = ssl.create_default_context(cafile=str(pebble.certificate))
                    with urllib.request.urlopen(pebble.directory, context=context, timeout=15) as answer:
                        body = json.loads(answer.read())
                    body["renewalInfo"] = f"{double.url}/renewal-info"
                else:
                    identifier = self.path.rpartition("/")[2]
                    if identifier not in double.asked:
                        double.asked.append(identifier)
                    offset = -3600 if identifier == double.asked[0] else 365 * 86400
                    moment = time.time() + offset
                    style = "%Y-%m-%dT%H:%M:%SZ"
                    body = {"suggestedWindow": {"start": time.strftime(style, time.gmtime(moment)),
                                                "end": time.strftime(style, time.gmtime(moment + 60))}}
                octets = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(octets)))
                self.send_header("retry-after", "3600")
                self.end_headers()
                self.wfile.write(octets)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pebble.certificate, pebble.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.directory = f"{self.url}/dir"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
