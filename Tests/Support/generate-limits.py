#!/usr/bin/env python3
"""Writes docs/limits.md: every limit with its value and its reason, from the files where the targets declare them.

With --check, fails when the committed file is not what this would write.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "limits.md"
LAYERS = ("Platform", "Base", "Protocol", "Model", "DataPlane", "ControlPlane", "Operator")
DECLARATION = re.compile(r"(?:package )?(static let|var) (\w+)(?:: \w+)?(?: = (.+)| \{ (.+) \}|)$")
INTRODUCTION = """<!-- Made by Tests/Support/generate-limits.py from the files named Limits.swift: change those. -->
# Limits

Every queue, table, buffer, wait and retry has a bound. What operators set is in
[config-reference.md](config-reference.md); where a row below says that its default is fleet.yaml's, the listener's
setting counts. The rest is fixed, and declared with its reason in the target's `Limits.swift`, of which this table is
made. What becomes of a peer that goes beyond a bound is told with the bound, or in
[threat-model.md](threat-model.md).

| Target | Limit | Value | What it bounds, and why so |
|---|---|---|---|
"""


def number(value, known):
    """What an expression of numbers and limits above comes to; None for others."""
    text = re.sub(r"(?:\b[A-Z]\w+\.)?\b([a-z]\w+)", lambda match: str(known.get(match.group(1), "?")), value.replace("_", ""))
    return eval(text, {"__builtins__": {}}) if re.fullmatch(r"[\d\s.*<()+-]+", text) else None


def shown(name, value, known):
    """A value as people read it: octets in KiB and MiB, times in their unit."""
    count = number(value, known)
    if count is None:
        duration = re.fullmatch(r"(?:Duration|TimeAmount)\.(seconds|milliseconds)\((\d+)\)", value)
        return f"{duration.group(2)} {'s' if duration.group(1) == 'seconds' else 'ms'}" if duration else f"`{value}`"
    known.setdefault(name, count)
    for unit, per in (("Nanoseconds", 1e9), ("Milliseconds", 1e3), ("Seconds", 1)):
        if re.search(rf"{unit}(Min|Max|Default)?$", name):
            seconds = count / per
            return f"{seconds:,.10g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
    if re.search(r"[bB]ytes|[oO]ctets|headroom", name) and count >= 1024:
        return f"{count >> 20:,} MiB" if count % (1 << 20) == 0 else f"{count / 1024:g} KiB"
    return f"{count:,.0f}"


def described(lines):
    """The text of a documentation comment, without its lists of parameters."""
    kept = []
    for line in lines:
        if re.match(r"- (Parameter|Returns|Throws)", line):
            break
        kept.append(line)
    return re.sub(r"\s+", " ", " ".join(kept)).replace("|", "\\|").strip()


def floods(text):
    """(name, value, reason) of each kind of frame that may come often, but not without end."""
    rates = {part: dict(re.findall(r"case \.(\w+): (\d+)", body)) for part, body in re.findall(r"var (burst|perSecond): UInt64 \{(.*?)\n    \}", text, re.S)}
    for comment, name in re.findall(r"((?:    /// .*\n)+)    case (\w+)\n", text):
        reason = described([line.strip()[4:] for line in comment.splitlines()])
        yield name, f"{rates['burst'][name]}, and {rates['perSecond'][name]} a second", reason


def limits(path, known):
    text = path.read_text()
    defaults = dict(re.findall(r"^\s+(\w+): \w+ = ([^,\n]+?),?$", text, re.M))
    comment, fresh = [], True
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("///"):
            comment = [line[4:]] if fresh else comment + [line[4:]]
            fresh = False
            continue
        match = DECLARATION.fullmatch(line)
        if match and comment:
            kind, name, value, computed = match.groups()
            value = value or computed or defaults.get(name)
            if value and value not in ("true", "false") and not value.endswith("("):
                yield name, shown(name, value, known), described(comment)
        fresh = True
        if line.startswith(("package init", "init", "}", "package enum", "enum")):
            comment = []
    yield from floods(text)


def page():
    known = {"frameBytesMaxDefault": 16384}
    rows = []
    for layer in LAYERS:
        for path in sorted((ROOT / "Sources" / layer).glob("*/*Limits.swift")):
            link = f"[{path.parent.name}](../{path.relative_to(ROOT)})"
            rows += [f"| {link} | `{name}` | {value} | {reason} |" for name, value, reason in limits(path, known)]
    return INTRODUCTION + "\n".join(rows) + "\n"


def main():
    wanted = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted)
    elif not PAGE.exists() or PAGE.read_text() != wanted:
        sys.exit("docs/limits.md is not what Tests/Support/generate-limits.py makes of the sources: run it")


main()
