"""TLS record for record: a client that says what it wants (RFC 8446 §4, §5), and one that goes on by hand after a handshake."""

import ctypes
import hashlib
import hmac
import os
import socket
import ssl
import struct

from weir import PEER_SECONDS, Peer

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, CONTENT = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO, KEY_UPDATE = 1, 2, 24
SUITES = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030)


def vector(octets, width):
    """Octets with their length in front (RFC 8446 §3.4)."""
    return len(octets).to_bytes(width, "big") + octets


def record(kind, octets, version=0x0303):
    """One record, however long."""
    return struct.pack("!BHH", kind, version, len(octets)) + octets


def message(kind, octets):
    """One handshake message."""
    return bytes([kind]) + vector(octets, 3)


def server_name(name, kind=0):
    """The content of server_name (RFC 6066 §3) with one name of octets."""
    return vector(bytes([kind]) + vector(name, 2), 2)


def protocols(*names):
    """The content of application_layer_protocol_negotiation (RFC 7301 §3.1)."""
    return vector(b"".join(vector(name, 1) for name in names), 2)


def extensions(name=b"example.test", alpn=(b"http/1.1",), versions=(0x0304, 0x0303), groups=(29, 23), share=True):
    """Extensions of a usual hello, as pairs of type and content."""
    pairs = [] if name is None else [(0, server_name(name))]
    pairs += [
        (10, vector(b"".join(group.to_bytes(2, "big") for group in groups), 2)),
        (11, b"\1\0"),
        (13, vector(bytes.fromhex("0403080408050806040105010601"), 2)),
        (23, b""),
    ]
    if alpn:
        pairs.append((16, protocols(*alpn)))
    if versions:
        pairs.append((43, vector(b"".join(version.to_bytes(2, "big") for version in versions), 1)))
    if share:
        pairs.append((51, vector(b"\0\x1d" + vector(os.urandom(32), 2), 2)))
    return pairs


def hello(pairs=None, version=0x0303, suites=SUITES, compression=b"\0", session=bytes(32), tail=b""):
    """A ClientHello message."""
    pairs = extensions() if pairs is None else pairs
    body = version.to_bytes(2, "big") + os.urandom(32) + vector(session, 1)
    body += vector(b"".join(suite.to_bytes(2, "big") for suite in suites), 2) + vector(compression, 1)
    body += vector(b"".join(kind.to_bytes(2, "big") + vector(octets, 2) for kind, octets in pairs), 2)
    return message(CLIENT_HELLO, body + tail)


class Records(Peer):
    """A connection read record by record; nothing is encrypted or decrypted."""

    @classmethod
    def dial(cls, target):
        """A connection on which nothing has been said."""
        return cls(socket.create_connection(target, PEER_SECONDS))

    def read_record(self):
        """Kind and octets of the next record, or None at the end."""
        try:
            head = self.read_exactly(5)
            return head[0], self.read_exactly(int.from_bytes(head[3:], "big"))
        except (EOFError, ConnectionResetError):
            return None

    def outcome(self):
        """`server_hello` and the version that it settles, an alert (`alert 112`), `end`, or what else comes first."""
        found = self.read_record()
        if found is None:
            return "end"
        kind, octets = found
        if kind == ALERT and len(octets) == 2:
            return f"alert {octets[1]}"
        if kind == HANDSHAKE and octets[0] == SERVER_HELLO:
            return "server_hello"
        return f"record {kind}"

    def ends(self):
        """Whether the end comes, whatever is before it."""
        while self.read_record() is not None:
            pass
        return True


def outcome(target, octets, finish=False):
    """What a server answers to octets of a client; with `finish` nothing more follows them."""
    with Records.dial(target) as peer:
        try:
            peer.send(octets)
            if finish:
                peer.end()
        except ConnectionError:
            pass
        return peer.outcome()


# After a handshake


crypto = ctypes.CDLL("libcrypto.so.3")
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm", "EVP_aes_256_gcm"):
    getattr(crypto, name).restype = ctypes.c_void_p
crypto.EVP_CIPHER_CTX_free.argtypes = [ctypes.c_void_p]
crypto.EVP_EncryptInit_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
crypto.EVP_EncryptUpdate.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
crypto.EVP_EncryptFinal_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
crypto.EVP_CIPHER_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p]


def seal(key, nonce, octets, associated):
    """AES-128-GCM: ciphertext and tag."""
    context = crypto.EVP_CIPHER_CTX_new()
    out = ctypes.create_string_buffer(len(octets) + 16)
    tag = ctypes.create_string_buffer(16)
    length = ctypes.c_int()
    assert crypto.EVP_EncryptInit_ex(context, crypto.EVP_aes_128_gcm(), None, key, nonce) == 1
    assert crypto.EVP_EncryptUpdate(context, None, ctypes.byref(length), associated, len(associated)) == 1
    assert crypto.EVP_EncryptUpdate(context, out, ctypes.byref(length), octets, len(octets)) == 1
    assert crypto.EVP_EncryptFinal_ex(context, out, ctypes.byref(length)) == 1
    assert crypto.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag) == 1  # EVP_CTRL_AEAD_GET_TAG
    crypto.EVP_CIPHER_CTX_free(context)
    return out.raw[:len(octets)] + tag.raw


def expand(secret, label, length):
    """HKDF-Expand-Label of SHA-256 without a context (RFC 8446 §7.1), of one block."""
    octets = length.to_bytes(2, "big") + vector(b"tls13 " + label, 1) + b"\0"
    return hmac.new(secret, octets + b"\1", hashlib.sha256).digest()[:length]


class Forger(Records):
    """A client of TLS 1.3 that has shaken hands and writes records by itself from then on."""

    @classmethod
    def shake_hands(cls, target, folder, name="example.test"):
        """A handshake; the keys come by way of a file in `folder`."""
        log = folder / f"keys-{os.urandom(4).hex()}"
        context = ssl._create_unverified_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["http/1.1"])
        context.keylog_filename = str(log)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_hostname=name)
        peer = cls.dial(target)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.send(outgoing.read())
                incoming.write(peer.socket.recv(65536))
        peer.send(outgoing.read())
        assert session.cipher()[0] == "TLS_AES_128_GCM_SHA256"
        lines = (line.split() for line in log.read_text().splitlines() if not line.startswith("#"))
        peer.secret = next(bytes.fromhex(line[2]) for line in lines if line[0] == "CLIENT_TRAFFIC_SECRET_0")
        peer.use_keys()
        return peer

    def use_keys(self):
        self.key, self.vector = expand(self.secret, b"key", 16), expand(self.secret, b"iv", 12)
        self.number = 0

    def sealed(self, kind, octets, padding=0):
        """One record of a kind, encrypted (RFC 8446 §5.2)."""
        inner = octets + bytes([kind]) + bytes(padding)
        head = struct.pack("!BHH", CONTENT, 0x0303, len(inner) + 16)
        nonce = (int.from_bytes(self.vector, "big") ^ self.number).to_bytes(12, "big")
        self.number += 1
        return head + seal(self.key, nonce, inner, head)

    def key_update(self, asks):
        """KeyUpdate, under the old keys; those after it are under the new ones (RFC 8446 §4.6.3)."""
        octets = self.sealed(HANDSHAKE, message(KEY_UPDATE, bytes([asks])))
        self.secret = expand(self.secret, b"traffic upd", 32)
        self.use_keys()
        return octets
