"""TLS for tests: certificates and who issues them, and connections that two threads may use."""

import os
import select
import ssl
import subprocess
import threading
import time


class Certificates:
    """A folder as `--certificates` takes it, with an authority that issues what is in it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.authority = self.sign("authority", ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign,cRLSign"])

    @property
    def bundle(self):
        """The file of the authority's certificate."""
        return self.folder / "authority.pem"

    @staticmethod
    def openssl(*arguments):
        return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout

    def sign(self, name, extensions, key="ec", subject=None, days=30, issuer=None):
        """A new key and its certificate, in place of those of that name."""
        kind = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"], "rsa4096": ["rsa:4096"],
                "ed25519": ["ed25519"]}[key]
        suffix = ".crt" if issuer else ".pem"
        options = ["-CA", f"{self.folder}/{issuer}.pem", "-CAkey", f"{self.folder}/{issuer}.key"] if issuer else []
        temporary = self.folder / f"new-{name}"
        self.openssl("req", "-x509", "-utf8", "-newkey", *kind, "-nodes", "-keyout", f"{temporary}.key", "-out",
                     f"{temporary}.crt", "-days", days, "-subj", subject or f"/CN={name}", *options,
                     *[part for extension in extensions for part in ("-addext", extension)])
        os.chmod(f"{temporary}.key", 0o600)
        os.replace(f"{temporary}.key", self.folder / f"{name}.key")
        os.replace(f"{temporary}.crt", self.folder / f"{name}{suffix}")
        return self.folder / f"{name}{suffix}"

    def issue(self, name, *hosts, key="ec", subject=None, usage="serverAuth", days=30, issuer="authority"):
        """A certificate of the authority for these hosts: NAME.crt and NAME.key."""
        names = ",".join(host if ":" in host else f"DNS:{host}" for host in hosts)
        extensions = [f"extendedKeyUsage={usage}", "basicConstraints=critical,CA:FALSE"]
        return self.sign(name, extensions + ([f"subjectAltName={names}"] if names else []), key, subject, days, issuer)

    def revoke(self, authority, *names, extensions=""):
        """Puts a CRL of an authority, with these certificates on it, behind its certificate."""
        database = self.folder / "database"
        database.write_text("")
        (self.folder / "number").write_text("01\n")
        configuration = self.folder / "ca.cnf"
        configuration.write_text(f"[ca]\ndefault_ca=a\n[a]\ndatabase={database}\ncrlnumber={self.folder}/number\n"
                                 "default_md=sha256\ndefault_crl_days=7\n"
                                 f"[extensions]\n{extensions}")
        options = ["ca", "-config", configuration, "-cert", self.folder / f"{authority}.pem", "-keyfile",
                   self.folder / f"{authority}.key"]
        for name in names:
            self.openssl(*options, "-revoke", self.folder / f"{name}.crt")
        chosen = ["-crlexts", "extensions"] if extensions else []
        bundle = self.folder / f"{authority}.pem"
        bundle.write_bytes(bundle.read_bytes() + self.openssl(*options, "-gencrl", *chosen))

    def shorten(self, name, seconds, authority="authority"):
        """Issues a client's certificate anew, for so many seconds from now on."""
        configuration = self.folder / "short.cnf"
        (self.folder / "short").write_text("")
        configuration.write_text(f"[ca]\ndefault_ca=a\n[a]\ndatabase={self.folder}/short\nnew_certs_dir={self.folder}\n"
                                 "rand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n"
                                 "[x]\nextendedKeyUsage=clientAuth\n")
        request = self.folder / "short.csr"
        self.openssl("req", "-new", "-key", self.folder / f"{name}.key", "-subj", f"/CN={name}", "-out", request)
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
        self.openssl("ca", "-batch", "-notext", "-config", configuration, "-cert", self.folder / f"{authority}.pem",
                     "-keyfile", self.folder / f"{authority}.key", "-in", request, "-out", self.folder / f"{name}.crt",
                     "-startdate", "20200101000000Z", "-enddate", end, "-extensions", "x")

    def client(self, protocols=("http/1.1",), identity=None, verify=True):
        """What a client needs that believes the authority, and may show a certificate."""
        context = ssl.create_default_context(cafile=self.bundle) if verify else ssl._create_unverified_context()
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if identity:
            context.load_cert_chain(self.folder / f"{identity}.crt", self.folder / f"{identity}.key")
        return context


class SharedTLS(ssl.SSLSocket):
    """A connection over TLS that one thread may read while another one writes, for which OpenSSL's are not made."""

    lock = None

    def share(self):
        """From now on, nobody waits within OpenSSL."""
        self.patience, self.lock = self.gettimeout(), threading.Lock()
        super().settimeout(0)

    def settimeout(self, value):
        if self.lock is None:
            super().settimeout(value)
        else:
            self.patience = value

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def recv(self, buflen=1024, flags=0):
        return self.turn(super().recv, buflen, flags)

    def send(self, data, flags=0):
        return self.turn(super().send, data, flags)

    def sendall(self, data, flags=0):
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest, flags):]

    def turn(self, operation, *arguments):
        """Does something when nobody else does, as soon as it can be done."""
        if self.lock is None:
            return operation(*arguments)
        while True:
            try:
                with self.lock:
                    return operation(*arguments)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                if self.patience == 0:
                    raise
                events = select.POLLIN if isinstance(wanted, ssl.SSLWantReadError) else select.POLLOUT
            waiting = select.poll()
            waiting.register(self, events)
            if not waiting.poll(None if self.patience is None else self.patience * 1000):
                raise TimeoutError("timed out")
