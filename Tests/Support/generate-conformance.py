#!/usr/bin/env python3
"""Writes docs/conformance.md: which clause of which RFC is tested, where, and with how many cases.

The tests of Tests/Conformance carry the clause in their names and the requirement in their docstrings; unit tests
carry both in their display names. With --check, fails when the committed file is not what this would write.
"""

import collections
import importlib.util
import math
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
UNIT_TESTS = ("HTTP1Tests", "HTTP2Tests", "HTTPSemanticsTests", "ProxyCoreTests")
TITLES = {3986: "URI: Generic Syntax", 6585: "Additional HTTP Status Codes", 7239: "Forwarded HTTP Extension", 7541: "HPACK",
          6265: "HTTP State Management", 8441: "Bootstrapping WebSockets with HTTP/2", 6455: "The WebSocket Protocol",
          8297: "103 Early Hints", 9110: "HTTP Semantics", 9112: "HTTP/1.1", 9113: "HTTP/2", 9218: "Prioritization Scheme",
          5246: "TLS 1.2", 6066: "TLS Extensions", 7301: "Application-Layer Protocol Negotiation", 8446: "TLS 1.3",
          9325: "Recommendations for Secure Use of TLS"}

Entry = collections.namedtuple("Entry", "requirement name path cases")


def load(path):
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(ROOT / "Tests" / "Support")]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python_entries():
    """(RFC, section, entry) of each test of conformance."""
    for path in sorted((ROOT / "Tests" / "Conformance").glob("test_*.py")):
        for name, function in vars(load(path)).items():
            match = re.match(r"test_rfc(\d+)_(\d+(?:_\d+)*)_[a-z]", name)
            if not match:
                if name.startswith("test_"):
                    sys.exit(f"{path.name}: {name} names no clause")
                continue
            if not function.__doc__ or "\n" in function.__doc__.strip():
                sys.exit(f"{path.name}: {name} needs a docstring of one line")
            marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
            cases = math.prod(len(mark.args[1]) for mark in marks)
            yield (int(match[1]), match[2].replace("_", "."), Entry(function.__doc__.strip(), name, path, cases))


def swift_entries():
    """(RFC, section, entry) of each unit test whose display name, or that of its suite, names a clause."""
    pattern = re.compile(r'@(Suite|Test)\(\s*"(?:[^"]*?RFC (\d+) ?)?(?:(?:§([\d.]+)|appendix [A-Z])[^":]*)?(?:: )?([^"]*)"')
    for folder in UNIT_TESTS:
        for path in sorted((ROOT / "Tests" / "Unit" / folder).glob("*.swift")):
            text, suite = path.read_text("utf-8"), (None, None)
            for match in pattern.finditer(text):
                kind, rfc, section, requirement = match.groups()
                if kind == "Suite":
                    suite = (rfc, section)
                    continue
                rfc, section = rfc or suite[0], section or suite[1]
                if rfc and section and requirement:
                    function = re.search(r"func (\w+)", text[match.end():])[1]
                    yield int(rfc), section, Entry(requirement[0].upper() + requirement[1:] + ".", function, path, 0)


def order(section):
    return [int(part) for part in section.split(".")]


def page():
    chapters = collections.defaultdict(lambda: collections.defaultdict(list))
    for rfc, section, entry in [*python_entries(), *swift_entries()]:
        chapters[rfc][section].append(entry)
    lines = ["# Conformance", "", "<!-- Written by Tests/Support/generate-conformance.py; edit the tests. -->", "",
             "What the RFCs require and how it is tested. Black-box tests send octets to a node between a scripted client and a",
             "recording origin ([Tests/Conformance](../Tests/Conformance)); the number behind a test counts its cases. The others are",
             "unit tests. Where we are stricter than a clause, the requirement says so.", ""]
    for rfc, sections in sorted(chapters.items()):
        lines += [f"## RFC {rfc}{': ' + TITLES[rfc] if rfc in TITLES else ''}", "", "| Section | Requirement | Test |", "|---|---|---|"]
        for section, entries in sorted(sections.items(), key=lambda item: order(item[0])):
            for entry in entries:
                count = f" ×{entry.cases}" if entry.cases > 1 else ""
                requirement = entry.requirement.replace("|", "\\|")
                lines.append(f"| §{section} | {requirement} | [{entry.name}](../{entry.path.relative_to(ROOT)}){count} |")
        lines.append("")
    return "\n".join(lines)


def main():
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != text:
        sys.exit("docs/conformance.md differs from what Tests/Support/generate-conformance.py writes")


main()
