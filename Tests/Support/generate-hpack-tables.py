#!/usr/bin/env python3
"""Writes HTTP2/HPACKTables.swift: the static table and the Huffman code of RFC 7541, appendices A and B.

The code is canonical: codes of one length follow each other in the order of their symbols, and a longer code starts
where the shorter ones end. So the lengths say everything. Codes of up to SHORT bits are read with one look-up, longer
ones by the bounds of their lengths.
"""
import pathlib
import sys
import textwrap

SHORT = 10
# The bits of each symbol's code, 0 to 255 and EOS.
LENGTHS = [int(bits) for bits in """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
30""".split()]

STATIC = """
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
""".strip().split("\n")


def case(name):
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def codes():
    """Symbol to code, and the symbols in the order of their codes."""
    order = sorted(range(257), key=lambda symbol: (LENGTHS[symbol], symbol))
    code, length, found = 0, LENGTHS[order[0]], {}
    for symbol in order:
        code <<= LENGTHS[symbol] - length
        length = LENGTHS[symbol]
        found[symbol] = code
        code += 1
    assert code == 1 << 30 and order[-1] == 256
    return found, order


def array(name, summary, kind, values):
    rows = textwrap.fill(", ".join(values), 100, initial_indent="        ", subsequent_indent="        ")
    return f"    /// {summary}\n    static let {name}: [{kind}] = [\n{rows},\n    ]\n"


def huffman():
    found, order = codes()
    short = [0] * (1 << SHORT)
    for symbol in range(256):
        spare = SHORT - LENGTHS[symbol]
        if spare >= 0:
            for low in range(1 << spare):
                short[found[symbol] << spare | low] = LENGTHS[symbol] << 8 | symbol
    long = [symbol for symbol in order if LENGTHS[symbol] > SHORT and symbol != 256]
    groups = []
    for length in sorted({LENGTHS[symbol] for symbol in long}):
        members = [symbol for symbol in long if LENGTHS[symbol] == length]
        start = found[members[0]] << 32 - length
        end = found[members[-1]] + 1 << 32 - length
        groups.append(f"Group(start: 0x{start:08x}, end: 0x{end:08x}, bitCount: {length}, "
                      f"firstSymbol: {long.index(members[0])})")
    return "\n".join([
        "/// The Huffman code of RFC 7541 appendix B.",
        "enum HuffmanTable {",
        "    /// Codes of one length beyond those of `short`.",
        "    struct Group {",
        "        /// The first code, at the top of 32 bits.",
        "        let start: UInt32",
        "        /// What follows the last code.",
        "        let end: UInt32",
        "        /// Number of bits.",
        "        let bitCount: UInt8",
        "        /// Place of the first symbol in `longSymbols`.",
        "        let firstSymbol: UInt8",
        "    }",
        "",
        array("codes", "Of each octet the code, above eight bits with its number of bits.", "UInt64",
              [f"0x{found[symbol] << 8 | LENGTHS[symbol]:x}" for symbol in range(256)]),
        array("short", "By the next bits the number of bits and the symbol; 0 where the code is longer.", "UInt16",
              [str(entry) for entry in short]),
        "    /// The longer codes, shortest first; what is not below the last end is EOS.",
        "    static let groups: [Group] = [",
        *[f"        {group}," for group in groups],
        "    ]",
        "",
        array("longSymbols", "The symbols of the longer codes in the order of the codes.", "UInt8",
              [str(symbol) for symbol in long]).rstrip("\n"),
        "}",
        "",
    ])


def static_table():
    octets, rows, first = "", [], {}
    for number, line in enumerate(STATIC, 1):
        name, _, value = line.partition(" ")
        if name.startswith(":"):
            kind = f"pseudo: .{name[1:]}"
        else:
            kind = f"name: .{case(name)}"
            first.setdefault(name, number)
        fault = ", nameFault: .connectionSpecificField, fault: .connectionSpecificField" if name == "transfer-encoding" else ""
        rows.append(f"        TableEntry(offset: {len(octets)}, nameCount: {len(name)}, valueCount: {len(value)}, "
                    f"{kind}{fault}),")
        octets += f"{name}: {value}\r\n"
    assert len(rows) == 61
    return "\n".join([
        "/// The static table of RFC 7541 appendix A.",
        "enum StaticTable {",
        "    /// Number of entries; the dynamic table's follow.",
        "    static let count = 61",
        "",
        "    /// The entries; index 1 is the first.",
        "    static let entries: [TableEntry] = [",
        *rows,
        "    ]",
        "",
        array("octets", "The entries as lines of HTTP/1.1.", "UInt8", [str(ord(octet)) for octet in octets]),
        "    /// The first index with a name, or 0.",
        "    ///",
        "    /// - Parameter name: A known name.",
        "    /// - Returns: An index of the static table.",
        "    static func index(of name: FieldName) -> Int {",
        "        switch name {",
        *[f"        case .{case(name)}: {number}" for name, number in first.items()],
        "        default: 0",
        "        }",
        "    }",
        "}",
        "",
    ])


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    text = "\n".join([
        "// Generated by Tests/Support/generate-hpack-tables.py; change it there.",
        "// swift-format-ignore-file",
        "import HTTPSemantics",
        "",
        huffman(),
        static_table(),
    ])
    text = text.rstrip("\n") + "\n"
    target = root / "Sources/Protocol/HTTP2/HPACKTables.swift"
    if "--check" in sys.argv:
        sys.exit(0 if target.read_text("ascii") == text else f"{target} is not what its generator writes")
    target.write_text(text, encoding="ascii")


main()
