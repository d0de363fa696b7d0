"""The origin and the proxies that are compared: how each is configured and started.

The proxies get what their manuals recommend for the job and nothing that one has and another has
not: one worker, no access log, keep-alive to the origin without a limit of requests. Everything
else is Debian's build with the program's own defaults. Variants with larger buffers or splicing are
peers of their own, used only when named.
"""

import dataclasses
import pathlib
import re
import socket

from bench import Failure, find_program

HOST = "127.0.0.1"
ORIGIN_PORT = 9000
ORIGIN_STATUS_PORT = 9001
# A number of requests that no connection reaches.
FOREVER = 1_000_000_000
# More connections to the origin than any load has in use at the same time; the idle ones are kept.
ORIGIN_CONNECTIONS = 1024
READY_SECONDS = 60

# Endpoints that each serve one request at a time: their ports, and the seconds that one takes. The last is ten times slower.
QUEUES = {9101: 0.004, 9102: 0.004, 9103: 0.004, 9104: 0.004, 9105: 0.04}
# Path and length of the bodies. The shortest answers every path that is not of another.
# Where the origin has what clients know by another path, and names itself in Location.
ITEMS, PRODUCTS = "/api/v1/items", "/products"
BODIES = {"/": 100, "/10k": 10_000, "/100k": 100_000, "/1m": 1_000_000}


@dataclasses.dataclass(frozen=True)
class Site:
    """What a proxy has to serve.

    `hosts` x `prefixes` routes that all lead to the origin, or one for everything when there are no
    hosts. `capacity` is the number of client connections that the proxy must be able to hold.
    `http2`: clients speak HTTP/2, in clear text with prior knowledge. `tls`: clients speak TLS, to a
    certificate with a P-256 key, and what they offer says which version of HTTP. `edits`: paths are
    rewritten, ten fields are changed, and Location is mapped back; without, all that passes as it is.
    `queues`: there are five endpoints, one of them slow, and requests go where the fewest are in flight.
    """

    hosts: int = 0
    prefixes: int = 0
    capacity: int = 1000
    http2: bool = False
    tls: bool = False
    edits: bool | None = None
    queues: bool = False

    def routes(self):
        """(host, prefix) of every route."""
        for host in range(self.hosts):
            for prefix in range(self.prefixes):
                yield f"host-{host}.example.test", f"/p{prefix}"


NGINX_FOLDERS = """\
    client_body_temp_path {folder}/temp;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp;
    scgi_temp_path {folder}/temp;
"""

ORIGIN = """\
# Workers run as the user who started this, because the temporary folder is theirs.
user root;
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 16384; }}
http {{
{folders}
    access_log off;
    default_type text/plain;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=1h;
    open_file_cache_valid 1h;
    keepalive_timeout 1h;
    keepalive_requests {forever};
    server {{
        listen {host}:{port} backlog=4096;
        root {folder}/bodies;
        location / {{ return 200 "{short}"; }}
        location {items}/ {{
            add_header Location http://{host}:{port}{items}/7;
            add_header X-Runtime 5;
            return 200 "{short}";
        }}
{locations}
    }}
    server {{
        listen {host}:{status_port};
        location / {{ stub_status; }}
    }}
}}
"""


class Origin:
    """Debian's nginx with bodies of fixed length, on the load's core."""

    def __init__(self, bench):
        folder = bench.folder / "origin"
        (folder / "bodies").mkdir(parents=True)
        (folder / "temp").mkdir()
        for path, length in BODIES.items():
            if path != "/":
                (folder / "bodies" / path[1:]).write_bytes(body(length))
        locations = "\n".join(f"        location = {path} {{ }}" for path in BODIES if path != "/")
        configuration = folder / "nginx.conf"
        configuration.write_text(ORIGIN.format(
            folder=folder, folders=NGINX_FOLDERS.format(folder=folder), forever=FOREVER, host=HOST,
            port=ORIGIN_PORT, status_port=ORIGIN_STATUS_PORT, items=ITEMS, short=body(BODIES["/"]).decode(),
            locations=locations))
        nginx = find_program("nginx")
        if nginx is None:
            raise Failure("the origin is nginx, which is not installed")
        self.asked = 0
        self.program = bench.start("origin", [nginx, "-e", "stderr", "-c", configuration],
                                   bench.load_core)
        wait_for_port(self.program, ORIGIN_PORT)

    def counts(self):
        """(connections, requests) that the origin has taken, without those that ask for them."""
        with socket.create_connection((HOST, ORIGIN_STATUS_PORT), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        accepted, _, requests = map(int, text.split("requests\n")[1].split("\n")[0].split())
        self.asked += 1
        return accepted - self.asked, requests - self.asked


class QueueOrigin:
    """Endpoints that serve one request after the other, each in the time of QUEUES: queues.py."""

    def __init__(self, bench):
        command = ["/usr/bin/python3", "-B", pathlib.Path(__file__).with_name("queues.py"), HOST]
        command += [f"{port}:{seconds}" for port, seconds in QUEUES.items()]
        self.program = bench.start("queues", command, bench.load_core)
        for port in QUEUES:
            wait_for_port(self.program, port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.stop()


def body(length):
    """A text body of exactly so many octets."""
    line = b"The quick brown fox jumps over the lazy dog, and the proxy passes it on. "
    return (line * (length // len(line) + 1))[:length]


def wait_for_port(program, port, seconds=READY_SECONDS):
    """Waits until a program accepts connections."""

    def connects():
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            return False
        return True

    program.wait_until(connects, f"it accepts connections on port {port}", seconds)


def certificate(bench):
    """(chain, key) as paths: a certificate of the bench's own with a P-256 key, made once."""
    folder = bench.folder / "certificates"
    chain, key = folder / "site.crt", folder / "site.key"
    if not chain.exists():
        folder.mkdir()
        bench.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-keyout", key, "-out", chain, "-days", "30", "-subj", "/CN=localhost",
                   "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"], 20)
        key.chmod(0o600)
    return chain, key


class Peer:
    """A proxy that takes part. Subclasses say how it is configured and started."""

    name = ""
    port = 0
    # Whether it belongs to the bar that a ratio is taken against.
    is_bar = False

    def missing(self):
        """Why this peer cannot take part, or None."""
        raise NotImplementedError

    def version(self, bench):
        """The version in one line."""
        raise NotImplementedError

    def command(self, bench, folder, site):
        """Writes the configuration for a site and returns the command that serves it."""
        raise NotImplementedError

    def under_tool(self, bench, folder, command):
        """The command changed so that valgrind can run it."""
        return command

    def start(self, bench, site, tool=()):
        """Starts the proxy on its core and waits until it accepts connections.

        `tool` is a command that runs it, such as valgrind.
        """
        folder = bench.folder / self.name
        folder.mkdir(exist_ok=True)
        command = self.command(bench, folder, site)
        if tool:
            command = [*tool, *self.under_tool(bench, folder, command)]
        program = bench.start(self.name, command, bench.proxy_core)
        try:
            self.wait(program)
        except BaseException:
            program.stop()
            raise
        return program

    def wait(self, program):
        wait_for_port(program, self.port)


NGINX = """\
user root;
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
# Debian's level. At `warn` nginx logs every response that it spools to a file.
error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
{folders}
    access_log off;
    default_type text/plain;
    server_names_hash_max_size 8192;
    server_names_hash_bucket_size 128;
    keepalive_requests {forever};
    upstream origin {{
{endpoints}
        keepalive {kept};
        keepalive_requests {forever};
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
{extra}
{servers}
}}
"""


# Five changes of the request, five of the response, the path, and Location.
NGINX_EDITS = f"""\
        location {PRODUCTS}/ {{
            proxy_pass http://origin{ITEMS}/;
            proxy_redirect http://{HOST}:{ORIGIN_PORT}{ITEMS}/ {PRODUCTS}/;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Env prod;
            proxy_set_header X-Region eu;
            proxy_set_header X-Route catalogue;
            proxy_set_header X-Debug "";
            proxy_set_header Accept-Encoding "";
            add_header X-Frame-Options DENY;
            add_header X-Content-Type-Options nosniff;
            add_header Referrer-Policy no-referrer;
            proxy_hide_header X-Runtime;
            proxy_hide_header X-Version;
        }}
"""


class Nginx(Peer):
    """Debian's nginx with its default buffers."""

    name = "nginx"
    port = 8002
    is_bar = True
    extra = ""

    def missing(self):
        return None if find_program("nginx") else "nginx is not installed"

    def version(self, bench):
        return bench.run([find_program("nginx"), "-v"], 10).stderr.strip().rpartition("/")[2]

    def command(self, bench, folder, site):
        (folder / "temp").mkdir(exist_ok=True)
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX.format(
            folder=folder, folders=NGINX_FOLDERS.format(folder=folder), forever=FOREVER, host=HOST,
            kept=ORIGIN_CONNECTIONS, connections=site.capacity + ORIGIN_CONNECTIONS,
            endpoints=self.endpoints(site), extra=self.extra, servers=self.servers(bench, site)))
        return [find_program("nginx"), "-e", "stderr", "-c", configuration]

    def under_tool(self, bench, folder, command):
        # Its commands do not reach a process that was forked.
        return [*command, "-g", "master_process off;"]

    def endpoints(self, site):
        if not site.queues:
            return f"        server {HOST}:{ORIGIN_PORT};"
        return "        least_conn;\n" + "\n".join(f"        server {HOST}:{port};" for port in QUEUES)

    def servers(self, bench, site):
        options = " http2" if site.http2 or site.tls else ""
        listen = f"listen {HOST}:{self.port} backlog=4096{' ssl' if site.tls else ''}{options};"
        if site.tls:
            chain, key = certificate(bench)
            listen += f" ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;"
        if site.edits:
            return f"    server {{ {listen}\n{NGINX_EDITS}    }}"
        if site.edits is False:
            return f"    server {{ {listen} location / {{ proxy_pass http://origin; proxy_redirect off; }} }}"
        if not site.hosts:
            return f"    server {{ {listen} location / {{ proxy_pass http://origin; }} }}"
        locations = {}
        for host, prefix in site.routes():
            location = f"location {prefix}/ {{ proxy_pass http://origin; }}"
            locations.setdefault(host, []).append(location)
        # The options of a listening socket may stand only once.
        servers = []
        for host, found in locations.items():
            servers.append(f"    server {{ {listen} server_name {host}; {' '.join(found)} }}")
            listen = f"listen {HOST}:{self.port};"
        return "\n".join(servers)


class NginxLargeBuffers(Nginx):
    """nginx tuned for large bodies."""

    name = "nginx-large"
    port = 8004
    is_bar = False
    extra = """\
    proxy_buffer_size 64k;
    proxy_buffers 8 128k;
    proxy_busy_buffers_size 256k;
    proxy_max_temp_file_size 0;"""


HAPROXY = """\
global
    nbthread 1
    maxconn {capacity}
    # It wants two descriptors for each of them, which idle ones do not use: less is no reason not
    # to start.
    no strict-limits
defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 60s
    http-reuse always
{extra}
frontend web
    bind {host}:{port} backlog 4096{proto}
{routes}
backend origin
{endpoints}
"""


HAPROXY_EDITS = f"""\
    http-request replace-path {PRODUCTS}/(.*) {ITEMS}/\\1
    http-request set-header X-Env prod
    http-request set-header X-Region eu
    http-request set-header X-Route catalogue
    http-request del-header X-Debug
    http-request del-header Accept-Encoding
    http-response replace-header Location http://{HOST}:{ORIGIN_PORT}{ITEMS}/(.*) {PRODUCTS}/\\1
    http-response set-header X-Frame-Options DENY
    http-response set-header X-Content-Type-Options nosniff
    http-response set-header Referrer-Policy no-referrer
    http-response del-header X-Runtime
    http-response del-header X-Version
"""


class HAProxy(Peer):
    """Debian's HAProxy with its default buffers. It logs nothing unless told where to."""

    name = "haproxy"
    port = 8003
    is_bar = True
    extra = ""

    def missing(self):
        return None if find_program("haproxy") else "haproxy is not installed"

    def version(self, bench):
        return bench.run([find_program("haproxy"), "-v"], 10).stdout.split()[2]

    def command(self, bench, folder, site):
        routes = "    default_backend origin"
        if site.hosts:
            # Host and path in one lookup by longest prefix, in a tree: HAProxy's way to serve many
            # routes.
            table = folder / "routes.map"
            table.write_text("".join(f"{host}{prefix}/ origin\n" for host, prefix in site.routes()))
            routes = f"    use_backend %[base,map_beg({table})]"
        if site.edits:
            routes = HAPROXY_EDITS + routes
        configuration = folder / "haproxy.cfg"
        configuration.write_text(HAPROXY.format(
            host=HOST, port=self.port, capacity=site.capacity, endpoints=self.endpoints(site),
            extra=self.extra, routes=routes, proto=self.protocol(bench, folder, site)))
        return [find_program("haproxy"), "-db", "-f", configuration]

    def endpoints(self, site):
        if not site.queues:
            return f"    server origin {HOST}:{ORIGIN_PORT}"
        return "    balance leastconn\n" + "\n".join(f"    server q{port} {HOST}:{port}" for port in QUEUES)

    def protocol(self, bench, folder, site):
        if not site.tls:
            return " proto h2" if site.http2 else ""
        joined = folder / "site.pem"
        joined.write_text("".join(part.read_text() for part in certificate(bench)))
        joined.chmod(0o600)
        return f" ssl crt {joined} alpn h2,http/1.1"


class HAProxySplicing(HAProxy):
    """HAProxy that passes bodies on in the kernel."""

    name = "haproxy-splice"
    port = 8005
    is_bar = False
    extra = "    option splice-response"


class Weir(Peer):
    """The node of this repository, without a control plane."""

    name = "weir"
    port = 8001
    # Where there are several endpoints.
    balance = "powerOfTwo"

    def __init__(self, binaries):
        self.binaries = pathlib.Path(binaries).resolve() if binaries else None

    def program(self, name):
        return self.binaries / name

    def missing(self):
        if self.binaries is None:
            return "it was not built"
        lacking = [name for name in ("proxy-node", "proxyctl") if not self.program(name).is_file()]
        return f"no {' and no '.join(lacking)} in {self.binaries}" if lacking else None

    def version(self, bench):
        done = bench.run([self.program("proxyctl"), "version"], 10, check=False)
        match = re.search(r"\d+\.\d+\S*", done.stdout)
        return match.group(0) if match else ""

    def command(self, bench, folder, site):
        files = []
        if site.tls:
            files = ["--certificates", certificate(bench)[0].parent]
        # A YAML file has 4 MiB at most; routes stand last, and go on in further files.
        texts = re.split(r"(?m)^(?=  - name: route-[1-9]\d*0000$)", self.configuration(site))
        configuration = []
        for index, text in enumerate(texts):
            configuration.append(folder / f"fleet-{index}.yaml")
            configuration[-1].write_text(("routes:\n" if index else "") + text)
        snapshot = folder / "snapshot"
        bench.run([self.program("proxyctl"), "compile", *configuration, "--out", snapshot], 300)
        return [self.program("proxy-node"), "run", "--snapshot", snapshot, "--workers", "1",
                "--admin", f"{HOST}:0", *files]

    def under_tool(self, bench, folder, command):
        # It ends at debug information newer than itself; the symbols are enough.
        bare = folder / "proxy-node"
        bench.run(["strip", "--strip-debug", "-o", bare, command[0]], 60)
        return [bare, *command[1:]]

    def configuration(self, site):
        lines = ["listeners:", "  - name: web", f"    address: {HOST}:{self.port}"]
        if site.tls:
            lines += ["    protocol: https", "    tls: {certificates: [site]}", "certificates:", "  - name: site",
                      "    files: {certificate: ../certificates/site.crt, key: ../certificates/site.key}"]
        lines += ["upstreams:", "  - name: origin"]
        if site.queues:
            lines += [f"    balance: {self.balance}"]
        lines += ["    endpoints:"]
        lines += [f"      - {{address: {HOST}:{port}}}" for port in (QUEUES if site.queues else [ORIGIN_PORT])]
        lines += ["logging: {access: off}", "routes:"]
        if site.edits:
            lines += [f"  - {{name: catalogue, match: {{path: {{prefix: {PRODUCTS}}}}}, rewrite: {{prefix: {ITEMS}}},",
                      "     upstream: origin, policies: [edits]}", "policies:", "  - name: edits", "    headers:",
                      "      request: {set: {x-env: prod, x-region: eu, x-route: catalogue},"
                      " remove: [x-debug, accept-encoding]}",
                      "      response: {set: {x-frame-options: DENY, x-content-type-options: nosniff,"
                      " referrer-policy: no-referrer}, remove: [x-runtime, x-version]}"]
        elif not site.hosts:
            lines += ["  - name: everything", "    upstream: origin"]
        if site.edits is False:
            lines += ["hiding: {rewriteLocation: false, rewriteCookies: false}"]
        for index, (host, prefix) in enumerate(site.routes()):
            lines += [f"  - name: route-{index}", f"    hosts: [{host}]",
                      f"    match: {{path: {{prefix: {prefix}}}}}", "    upstream: origin"]
        return "\n".join(lines) + "\n"

    def wait(self, program):
        program.wait_until(lambda: "\nready " in "\n" + program.output(),
                           "it wrote its `ready` line", READY_SECONDS)
        wait_for_port(program, self.port)


class WeirByLatency(Weir):
    """The same, which sends requests where they are expected to be answered first."""

    name = "weir-latency"
    port = 8006
    balance = "latency"


def all_peers(binaries):
    """Every peer by name, in the order of the tables."""
    peers = [Weir(binaries), WeirByLatency(binaries), Nginx(), HAProxy(), NginxLargeBuffers(), HAProxySplicing()]
    return {peer.name: peer for peer in peers}
