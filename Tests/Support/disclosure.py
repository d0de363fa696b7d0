"""Every secret that a fleet has, in the clear, and a search for any of them in octets.

What is sealed is opened as docs/threat-model.md and the code describe it: Envelope.swift on the control plane, MaterialFile.swift
on a node. Who has `master.key` or a node's identity could do the same; nothing of the product helps here.
"""

import base64
import ctypes
import hashlib
import hmac
import re
import sqlite3
import subprocess

from records import crypto

crypto.EVP_DecryptInit_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
crypto.EVP_DecryptUpdate.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
crypto.EVP_DecryptFinal_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]


def unseal(sealed, key, context):
    """Opens AES-256-GCM as AESGCM.swift lays it out: nonce (12), ciphertext, tag (16)."""
    nonce, octets, tag = sealed[:12], sealed[12:-16], sealed[-16:]
    cipher = crypto.EVP_CIPHER_CTX_new()
    out, length = ctypes.create_string_buffer(len(octets) + 16), ctypes.c_int()
    try:
        assert crypto.EVP_DecryptInit_ex(cipher, crypto.EVP_aes_256_gcm(), None, key, nonce) == 1
        assert crypto.EVP_DecryptUpdate(cipher, None, ctypes.byref(length), context, len(context)) == 1
        assert crypto.EVP_DecryptUpdate(cipher, out, ctypes.byref(length), octets, len(octets)) == 1
        assert crypto.EVP_CIPHER_CTX_ctrl(cipher, 0x11, 16, ctypes.create_string_buffer(tag, 16)) == 1  # EVP_CTRL_AEAD_SET_TAG
        assert crypto.EVP_DecryptFinal_ex(cipher, out, ctypes.byref(length)) == 1, "it does not open"
        return out.raw[:len(octets)]
    finally:
        crypto.EVP_CIPHER_CTX_free(cipher)


class Store:
    """What a control plane's database keeps sealed, opened with the master key."""

    def __init__(self, folder, database="weir.db", key="master.key"):
        self.master = (folder / key).read_bytes()
        self.id = hashlib.sha256(b"weir master key 1\0" + self.master).digest()[:8]
        connection = sqlite3.connect(f"file:{folder / database}?mode=ro", uri=True)
        try:
            self.cluster, = connection.execute("SELECT cluster_id FROM cluster").fetchone()
            small = connection.execute("SELECT name, sealed FROM secrets").fetchall()
            rows = connection.execute("SELECT kind, digest, wrapped_key, sealed FROM vault").fetchall()
        finally:
            connection.close()
        # (what it is, octets), of small secrets, of the vault's, and of the keys that those are sealed with.
        self.small = [(name, unseal(sealed, self.master, b"weir secret 1\0" + name.encode())) for name, sealed in small]
        self.vault, self.data_keys = [], []
        for kind, digest, wrapped, sealed in rows:
            identity = kind.encode() + b"\0" + digest
            assert wrapped[:9] == b"\1" + self.id and sealed[:1] == b"\1"
            key = unseal(wrapped[9:], self.master, b"weir data key 1\0" + self.id + identity)
            self.data_keys.append((f"data key of {kind} {digest.hex()[:8]}", key))
            self.vault.append((kind, unseal(sealed[1:], key, b"weir content 1\0" + identity)))

    def kinds(self):
        """How many secrets of each kind the vault has."""
        return {kind: sum(kind == other for other, _ in self.vault) for kind, _ in self.vault}


def key_in(path):
    """The private key in a file of PEM, in DER."""
    found = re.search(r"-----BEGIN PRIVATE KEY-----\n(.*?)-----END PRIVATE KEY-----\n", path.read_text(), re.S)
    return base64.b64decode(found[1].replace("\n", ""))


def open_material(folder, name, cluster):
    """A node's stored material in the clear, and the keys on the way to it: [(what it is, octets)]."""
    file, identity = (folder / "material").read_bytes(), key_in(folder / "node.pem")
    assert file[:8] == b"WEIRMAT1"
    extracted = hmac.new(b"weir node material 1", identity, "sha256").digest()
    wrapping = hmac.new(extracted, cluster + name.encode() + b"\1", "sha256").digest()
    own = hashlib.sha256(b"weir node material key 1\0" + wrapping).digest()[:8]
    wraps = [file[9 + 68 * index:9 + 68 * (index + 1)] for index in range(file[8])]
    wrap = next(wrap for wrap in wraps if wrap[:8] == own)
    key = unseal(wrap[8:], wrapping, b"WEIRMAT1" + own)
    content = unseal(file[9 + 68 * file[8]:], key, b"WEIRMAT1")
    return content, [(f"wrapping key of {name}", wrapping), (f"data key of {name}", key)]


def private_numbers(der):
    """The numbers of a private key in DER that make it private; none of what is no key."""
    told = subprocess.run(["openssl", "pkey", "-inform", "DER", "-noout", "-text"], input=der, capture_output=True, check=False)
    found = re.findall(rb"^(?:priv|privateExponent|prime1|prime2):\n((?:\s+[0-9a-f:]+\n)+)", told.stdout, re.M)
    return [bytes.fromhex(re.sub(rb"[\s:]", b"", digits).decode()).lstrip(b"\0") for digits in found]


def spellings(octets):
    """Octets as they are and as text: hexadecimal, base64 and base64url at whatever place of a longer text."""
    marks = {octets, octets.hex().encode(), octets.hex().upper().encode(), octets.hex(":").encode(),
             ", ".join(map(str, octets)).encode(), ",".join(map(str, octets)).encode()}
    for offset in range(3):
        # Of the first and the last group only those characters that nothing else has a part in.
        whole = base64.b64encode(bytes(offset) + octets)
        inner = whole[(0, 2, 3)[offset]:len(whole) - (4 if (offset + len(octets)) % 3 else 0)]
        marks |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return marks


class Secrets:
    """Secrets, and where each of them may be."""

    def __init__(self):
        self.marks = {}

    def add(self, what, octets, *places):
        """A secret of octets, and its parts if it is a private key; it may be in these files."""
        numbers = private_numbers(octets) if octets[:1] == b"\x30" else []
        for part in [octets, *numbers]:
            assert len(part) >= 16, what
            for mark in spellings(part):
                self.marks[mark] = (what, {str(place) for place in places})
        return numbers

    def found(self, content, place=""):
        """What of the secrets is in some octets that come from a place where it may not be."""
        # Of texts, with and without the ends of lines, as PEM and JSON have them.
        forms = [content, content.replace(b"\r", b"").replace(b"\n", b"").replace(b"\\n", b"").replace(b"\\/", b"/")]
        return sorted({what for mark, (what, places) in self.marks.items()
                       if str(place) not in places and any(mark in form for form in forms)})
