"""A second reader of HTTP/1.1, written from RFC 9110 and 9112 and not from the parser that it checks.

It is as strict as the proxy means to be: where the RFCs let a recipient choose between repair and refusal, it
refuses. What it reads is held against what the proxy forwarded, so that two readers have to agree on every message.
"""

import ipaddress
import re

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
METHOD_MAX, TARGET_MAX, LINES_MAX, SECTION_MAX = 32, 16 * 1024, 100, 64 * 1024
# What a proxy adds to a request.
LINES_ADDED = 10
UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
PATH = UNRESERVED + b"!$&'()*+,;=:@/"
CONNECTION_SPECIFIC = {b"connection", b"proxy-connection", b"keep-alive", b"te", b"transfer-encoding", b"upgrade"}

# Where `_` stands for `-` in them, some readers take them for what they are not.
DISGUISED = {b"content-length", b"transfer-encoding"}


class Incomplete(Exception):
    """The octets are the beginning of a message."""


class Refused(Exception):
    """The octets are no message; `status` is the answer that fits."""

    def __init__(self, status, reason):
        super().__init__(f"{status} {reason}")
        self.status = status


class Message:
    """A message: its start line taken apart, its field lines in order, and its content."""

    def __init__(self):
        self.method = self.target = self.version = self.reason = None
        self.status = 0
        self.authority = b""
        self.path = b""
        self.fields = []
        self.trailers = []
        self.content = b""
        self.framing = None

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def get(self, name):
        return next(iter(self.all(name)), None)

    @property
    def options(self):
        """The connection options, in lower case."""
        return [option for value in self.all(b"connection") for option in elements(value) if option]

    @property
    def persists(self):
        """Whether the sender lets the connection carry another message (RFC 9112 §9.3)."""
        return b"close" not in self.options and (self.version == b"1.1" or b"keep-alive" in self.options)

    def end_to_end(self):
        """The field lines that concern more than one connection (RFC 9110 §7.6.1)."""
        ends_here = CONNECTION_SPECIFIC | set(self.options) - {b"host", b"content-length"}
        return [(name, value) for name, value in self.fields if name not in ends_here]

    def __repr__(self):
        start = f"{self.method} {self.target}" if self.method else f"{self.status}"
        return f"<{start} {self.fields} {self.content[:80]}>"


def elements(value):
    return [element.strip(b" \t").lower() for element in value.split(b",")]


def take_line(octets, at):
    """One line without its CRLF, and the index behind it (RFC 9112 §2.2)."""
    end = octets.find(b"\n", at)
    if end < 0:
        raise Incomplete
    line = octets[at:end]
    if not line.endswith(b"\r"):
        raise Refused(400, "bare LF")
    if b"\r" in line[:-1]:
        raise Refused(400, "bare CR")
    return line[:-1], end + 1


def read_fields(octets, at, lines_max=LINES_MAX):
    """The field lines of a section and the index behind its empty line (RFC 9112 §5)."""
    fields, start = [], at
    while True:
        line, at = take_line(octets, at)
        if at - start > SECTION_MAX:
            raise Refused(431, "field section too large")
        if not line:
            return fields, at
        match = re.fullmatch(rb"(%b):([\t\x20-\x7e\x80-\xff]*)" % TOKEN, line, re.DOTALL)
        if not match:
            raise Refused(400, "not a field line")
        if len(fields) == lines_max:
            raise Refused(431, "too many field lines")
        fields.append((match[1].lower(), match[2].strip(b" \t")))


# Requests


def read_request(octets):
    """One request and the index behind it."""
    message, at = read_request_head(octets)
    return message, read_content(message, octets, at)


def read_forwarded_head(octets):
    """The head of a request that a proxy sends, which may have added to it."""
    return read_request_head(octets, LINES_MAX + LINES_ADDED)


def read_request_head(octets, lines_max=LINES_MAX):
    """The head of a request, and the index behind it."""
    if octets[:1] == b"\r" and len(octets) < 2:
        raise Incomplete
    message = Message()
    line, at = take_line(octets, 2 if octets[:2] == b"\r\n" else 0)
    read_request_line(message, line)
    message.fields, at = read_fields(octets, at, lines_max)
    if any(name != (plain := re.sub(rb"[^a-z0-9]", b"-", name)) and plain in DISGUISED for name, _ in message.fields):
        raise Refused(400, "a framing field in disguise")
    settle_host(message)
    settle_framing(message)
    for value in message.all(b"expect"):
        if value.lower() != b"100-continue":
            raise Refused(417, "unknown expectation")
    return message, at


def read_request_line(message, line):
    """`method SP request-target SP HTTP-version` (RFC 9112 §3)."""
    match = re.fullmatch(rb"(%b) ([\x21-\x7e]+) HTTP/(\d\.\d)" % TOKEN, line)
    if not match:
        raise Refused(400, "not a request line")
    message.method, message.target, message.version = match.groups()
    if len(message.method) > METHOD_MAX:
        raise Refused(501, "method too long")
    if len(message.target) > TARGET_MAX:
        raise Refused(414, "target too long")
    if message.version[:1] != b"1":
        raise Refused(505, "another major version")
    if message.version != b"1.0":
        message.version = b"1.1"
    if b"#" in message.target:
        raise Refused(400, "a fragment")
    settle_target(message)


def settle_target(message):
    """The four forms of a request target (RFC 9112 §3.2)."""
    target = message.target
    if message.method == b"CONNECT":
        check_authority(target)
        if not re.search(rb":0*[1-9]\d*\Z", target):
            raise Refused(400, "CONNECT without a port")
        message.path = target
    elif target.startswith(b"/"):
        message.path = normalise(target)
    elif target == b"*":
        if message.method != b"OPTIONS":
            raise Refused(400, "an asterisk")
        message.path = target
    else:
        match = re.fullmatch(rb"(?i:(https?)://)([^/?]*)(.*)", target)
        if not match:
            raise Refused(400, "not a target")
        check_authority(match[2])
        message.authority = match[2]
        message.path = normalise(match[3] if match[3].startswith(b"/") else b"/" + match[3])


def normalise(target):
    """The one spelling of a path, with its query as it came (RFC 3986 §6.2.2)."""
    path, mark, query = target.partition(b"?")

    def respell(match):
        octet = int(match[1], 16)
        if octet < 0x20 or octet in (0x2f, 0x5c, 0x7f):
            raise Refused(400, "an encoded control or separator")
        return bytes([octet]) if octet in UNRESERVED else b"%%%02X" % octet

    if re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        raise Refused(400, "broken percent-encoding")
    if b"\\" in path:
        raise Refused(400, "a separator to some")
    path = re.sub(rb"%(..)", respell, path)
    path = b"".join(bytes([octet]) if octet in PATH + b"%" else b"%%%02X" % octet for octet in path)
    kept = []
    segments = path.split(b"/")[1:]
    if any(re.match(rb"\.\.?(?:;|%3B)", segment) for segment in segments):
        raise Refused(400, "a dot segment with a parameter")
    if re.search(rb"%C[01]%[89AB]|%E0%[89]|%F0%8|%F8%8[0-7]|%FC%8[0-3]", path):
        raise Refused(400, "overlong UTF-8")
    for number, segment in enumerate(segments):
        if segment == b"..":
            if not kept:
                raise Refused(400, "above the root")
            kept.pop()
        elif segment != b".":
            kept.append(segment)
        if segment in (b".", b"..") and number == len(segments) - 1:
            kept.append(b"")
    return b"/" + b"/".join(kept) + mark + query


def check_authority(authority):
    """`uri-host [ ":" port ]`, without userinfo and without what readers of names split differently."""
    match = re.fullmatch(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]{1,254})(?::(\d{0,5}))?", authority)
    if not match:
        raise Refused(400, "not an authority")
    host, port = match.groups()
    if port and not 0 < int(port) < 65536:
        raise Refused(400, "not a port")
    if host.startswith(b"["):
        check_ipv6(host[1:-1].decode())
    elif b".." in host or host.startswith(b"."):
        raise Refused(400, "an empty label")


def check_ipv6(text):
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise Refused(400, "not an IPv6 address") from None


def settle_host(message):
    """RFC 9112 §3.2: exactly one Host, which an absolute-form replaces."""
    hosts = message.all(b"host")
    if len(hosts) > 1 or not hosts and message.version == b"1.1":
        raise Refused(400, "Host")
    for host in hosts:
        check_authority(host)
        message.authority = message.authority or host


def settle_framing(message):
    """RFC 9112 §6.3: a length, or chunked, or nothing."""
    lengths, codings = message.all(b"content-length"), message.all(b"transfer-encoding")
    for value in message.all(b"connection"):
        if any(option and not re.fullmatch(TOKEN, option) for option in elements(value)):
            raise Refused(400, "Connection")
    if lengths and codings or len(lengths) > 1 or len(codings) > 1:
        raise Refused(400, "framing said twice")
    if codings:
        if codings[0].lower() != b"chunked":
            raise Refused(501 if codings[0].lower().endswith(b"chunked") else 400, "transfer coding")
        if message.version == b"1.0":
            raise Refused(400, "transfer coding in HTTP/1.0")
        message.framing = "chunked"
    elif lengths:
        if not re.fullmatch(rb"0|[1-9]\d*", lengths[0]) or int(lengths[0]) >= 1 << 63:
            raise Refused(400, "Content-Length")
        message.framing = int(lengths[0])


def read_content(message, octets, at):
    """Reads the content that the framing announces; the index behind it."""
    if message.framing == "chunked":
        return read_chunks(message, octets, at)
    length = message.framing or 0
    if len(octets) < at + length:
        raise Incomplete
    message.content = octets[at:at + length]
    return at + length


QUOTED = rb'"(?:[\t\x20-\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
BWS = rb"[ \t]*"
CHUNK_HEADER = re.compile(rb"([0-9A-Fa-f]{1,15})(?:%b;%b%b(?:%b=%b(?:%b|%b))?)*" % (BWS, BWS, TOKEN, BWS, BWS, TOKEN, QUOTED),
                          re.DOTALL)


def read_chunks(message, octets, at):
    """The chunked coding (RFC 9112 §7.1)."""
    parts = []
    while True:
        line, at = take_line(octets, at)
        match = CHUNK_HEADER.fullmatch(line)
        if not match or len(line) > 254:
            raise Refused(400, "chunk header")
        size = int(match[1], 16)
        if size == 0:
            break
        parts.append(octets[at:at + size])
        end = octets[at + size:at + size + 2]
        if not b"\r\n".startswith(end):
            raise Refused(400, "chunk end")
        if len(end) < 2:
            raise Incomplete
        at += size + 2
    message.trailers, at = read_fields(octets, at)
    message.content = b"".join(parts)
    return at


# Responses


def read_response(octets, method=b"GET", ended=False):
    """One response to `method` and the index behind it; interim ones too. `ended` says that no more octets come."""
    message = Message()
    line, at = take_line(octets, 0)
    match = re.fullmatch(rb"HTTP/(\d\.\d) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]{0,512}))?", line, re.DOTALL)
    if not match or match[1][:1] != b"1":
        raise Refused(502, "not a status line")
    message.version, message.status, message.reason = match[1], int(match[2]), match[3]
    message.version = b"1.0" if message.version == b"1.0" else b"1.1"
    message.fields, at = read_fields(octets, at)
    settle_framing(message)
    if message.status < 200 or message.status in (204, 304) or method == b"HEAD":
        return message, at
    if message.framing is not None:
        return message, read_content(message, octets, at)
    if not ended:
        raise Incomplete
    message.content = octets[at:]
    return message, len(octets)
