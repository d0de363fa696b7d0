#!/usr/bin/env python3
"""Checks of the source tree that the compiler does not make.

Each check is a function that yields complaints (path:line: text). `tidy.py` runs all of them and prints what it
found, then `N passed, N failed`, where a check with any complaint has failed. `tidy.py NAME ...` runs some.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The layers of Sources, lowest first: a target imports targets of its own folder and of folders before it.
LAYERS = ["Platform", "Base", "Protocol", "Model", "DataPlane", "ControlPlane", "Operator", "Commands"]
# Layers of equal height that must not see each other.
SEPARATE = {"DataPlane": {"ControlPlane", "Operator"}, "ControlPlane": {"DataPlane", "Operator"},
            "Operator": {"DataPlane", "ControlPlane"}}
# Modules that only some targets may import.
ONLY = {
    "Glibc": {"SystemCalls"},
    "CLinux": {"SystemCalls"},
    "COpenSSL": {"Cryptography", "TLSLibrary"},
    "CRE2": {"RegularExpressions"},
    "CIDN2": {"InternationalNames"},
    "CAres": {"NameResolution"},
    "GRDB": {"ControlStore"},
    "Yams": {"ConfigurationFile"},
    "SwiftProtobuf": {"FleetMessages", "FleetProtocol", "FleetServer"},
}
NO_FOUNDATION = {"Platform", "Base", "Protocol", "Model", "DataPlane"}
MAY_BE_UNSAFE = {"Bytes", "Structures", "EventLoop", "Transport", "ControlStore"}
GENERATED = {"FleetMessages"}
FUNCTION_LINES_MAX = 70
FILE_LINES_EXPLAINED = 600
FILE_LINES_MAX = 1000


def tracked(*patterns):
    """Files that git tracks or would add, relative to the root."""
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
                         cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [pathlib.Path(line) for line in out.splitlines() if (ROOT / line).is_file()]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def swift_sources():
    """(path, layer, target) of every hand-written Swift file below Sources."""
    for path in tracked("Sources/*.swift"):
        layer, target = path.parts[1], path.parts[2]
        if target not in GENERATED:
            yield path, layer, target


def targets():
    """Target name to layer, from the folders."""
    return {path.parts[2]: path.parts[1] for path in tracked("Sources/*") if len(path.parts) > 3}


def without_comments_and_strings(text):
    """The text with comments and the insides of string literals blanked, line by line the same."""
    pattern = re.compile(r'"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.S)

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    return pattern.sub(blank, text)


IMPORT = re.compile(
    r"^\s*(?:@[\w()]+\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+(?:struct\s+|class\s+|enum\s+|func\s+)?(\w+)")


def imports(path):
    for number, line in enumerate(read(path).splitlines(), 1):
        match = IMPORT.match(line)
        if match:
            yield number, match.group(1)


def layering():
    """A target imports only its own layer and those below it."""
    layer_of = targets()
    for path, layer, target in swift_sources():
        for number, module in imports(path):
            other = layer_of.get(module)
            if other is None:
                continue
            if LAYERS.index(other) > LAYERS.index(layer) or other in SEPARATE.get(layer, set()):
                yield f"{path}:{number}: {target} ({layer}) imports {module} ({other}), a layer that it must not see"


def restricted_imports():
    """System and package modules are imported only where style.md says."""
    for path, layer, target in swift_sources():
        for number, module in imports(path):
            if module in ONLY and target not in ONLY[module]:
                yield f"{path}:{number}: only {', '.join(sorted(ONLY[module]))} may import {module}"
            if module in ("Foundation", "FoundationEssentials", "Dispatch") and layer in NO_FOUNDATION:
                yield f"{path}:{number}: {layer} does without {module}"


def unsafe_code():
    """`unsafe` stands only in the targets allowed, each with a SAFETY comment near it."""
    for path, layer, target in swift_sources():
        text = read(path)
        lines = text.splitlines()
        code = without_comments_and_strings(text).splitlines()
        last_safety = -100
        for number, line in enumerate(code):
            if "SAFETY:" in lines[number]:
                last_safety = number
            if line.strip() == "@unsafe" or not re.search(r"\bunsafe\b|@safe\b", line):
                # A new declaration ends what the comment above covers.
                if re.match(r"\s*(?:@\w+\s+)*(?:package|private|fileprivate|internal)?\s*(?:static\s+|mutating\s+)?(?:func|init|deinit)\b", line):
                    last_safety = -100 if number - last_safety > 3 else last_safety
                continue
            if layer != "Platform" and target not in MAY_BE_UNSAFE:
                yield f"{path}:{number + 1}: `unsafe` is not for {target}"
            elif number - last_safety > 25:
                yield f"{path}:{number + 1}: `unsafe` without a SAFETY comment above it"


def traps():
    """No forced unwrap, cast or try, and no unfinished marks, in Sources."""
    rules = [(re.compile(r"\btry!"), "try!"), (re.compile(r"\bas!"), "as!"),
             (re.compile(r"[\w\)\]]!(?=[.,;)\]\s]|$)(?!=)"), "a forced unwrap"), (re.compile(r"\bfatalError\("), "fatalError")]
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path, layer, target in swift_sources():
        text = read(path)
        for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
            for rule, name in rules:
                if rule.search(line):
                    yield f"{path}:{number}: {name}"
        for number, line in enumerate(text.splitlines(), 1):
            if marks.search(line):
                yield f"{path}:{number}: an unfinished mark"


def lengths():
    """Files and functions stay readable in one go."""
    start = re.compile(r"^(\s*)(?:@[\w(), :.\"]+\s+)*(?:(?:package|public|private|fileprivate|internal|override|static|final|mutating|consuming|borrowing|nonisolated|convenience|required|isolated)\s+)*(func\b|init\b|init\?|deinit\b)")
    for path in tracked("Sources/*.swift", "Tests/*.swift"):
        if set(path.parts) & GENERATED:
            continue
        lines = read(path).splitlines()
        if lines and lines[0].startswith("// Generated by "):
            continue
        if len(lines) > FILE_LINES_MAX:
            yield f"{path}:1: {len(lines)} lines; {FILE_LINES_MAX} is the limit"
        elif len(lines) > FILE_LINES_EXPLAINED and not any("lines" in l and l.startswith("//") for l in lines[:12]):
            yield f"{path}:1: {len(lines)} lines, and the header does not say why this is one file of so many lines"
        index = 0
        while index < len(lines):
            match = start.match(lines[index])
            if not match:
                index += 1
                continue
            closing = match.group(1) + "}"
            end = index
            while end < len(lines) and lines[end].rstrip() != closing:
                end += 1
                if end - index > 400:
                    break
            length = end - index + 1
            # Only an exhaustive `switch` over states may be longer.
            body = "\n".join(lines[index:end])
            if end < len(lines) and FUNCTION_LINES_MAX < length <= 400 and body.count("case ") < length // 8:
                yield f"{path}:{index + 1}: a function of {length} lines; {FUNCTION_LINES_MAX} is the limit"
            index += 1


def shared_state():
    """Unchecked sharing and locks have a row in the shared-state table of docs/architecture.md."""
    table = read("docs/architecture.md") if (ROOT / "docs/architecture.md").exists() else ""
    pattern = re.compile(r"@unchecked Sendable|nonisolated\(unsafe\)|\bMutex<|\bMutex\(|NIOLock")
    for path, layer, target in swift_sources():
        text = without_comments_and_strings(read(path))
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line) and path.name not in table:
                yield f"{path}:{number}: {path.name} has no row in the shared-state table of docs/architecture.md"
                break


def no_sleeps():
    """Tests wait for events, never for time."""
    for path in tracked("Tests/Unit/*.swift", "Tests/Conformance/*.swift"):
        for number, line in enumerate(without_comments_and_strings(read(path)).splitlines(), 1):
            if re.search(r"\b(?:Task\.sleep|usleep|nanosleep|sleep)\(", line):
                yield f"{path}:{number}: a sleep in a unit test"


def links():
    """Relative links in Markdown lead somewhere."""
    for path in tracked("*.md"):
        for number, line in enumerate(read(path).splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                if not (ROOT / path.parent / target).exists():
                    yield f"{path}:{number}: the link to {target} leads nowhere"


def metrics():
    """docs/metrics.md has a row for every metric that the programs show, and documents name no other."""
    declared = {}
    for path in tracked("Sources/*.swift"):
        for number, line in enumerate(read(path).splitlines(), 1):
            for name in re.findall(r'"(weir_(?:[a-z0-9_]|\\\(\w+\))+)"', line):
                declared.setdefault(re.sub(r"\\\(\w+\)", "[a-z]+", name), f"{path}:{number}")
    rows = re.findall(r"^\| `(weir_[a-z0-9_]+)`", read(pathlib.Path("docs/metrics.md")), re.M)
    for name, place in declared.items():
        if not any(re.fullmatch(name, row) for row in rows):
            yield f"{place}: docs/metrics.md has no row for {name}"
    for path in tracked("docs/*.md"):
        for number, line in enumerate(read(path).splitlines(), 1):
            for name in re.findall(r"\bweir_[a-z0-9_]+[a-z0-9]\b", line):
                plain = re.sub(r"_(?:bucket|sum|count)$", "", name)
                if not any(re.fullmatch(known, some) for known in declared for some in (name, plain)):
                    yield f"{path}:{number}: no program shows {name}"


def decisions():
    """docs/decisions are numbered without gaps, each with the four parts."""
    found = sorted(path for path in tracked("docs/decisions/*.md"))
    for index, path in enumerate(found, 1):
        if not path.name.startswith(f"{index:04d}-"):
            yield f"{path}:1: number {index:04d} expected"
        text = read(path)
        for part in ("## Context", "## Options", "## Choice", "## Consequences"):
            if part not in text:
                yield f"{path}:1: has no part '{part}'"


def top_level():
    """The top level holds what the house rules name."""
    allowed = {"Package.swift", "Sources", "Tests", "proto", "deploy", "docs", "README.md", "CHANGELOG.md", "LICENSE",
               ".ci", ".swift-format", ".gitignore"}
    for name in sorted({path.parts[0] for path in tracked()}):
        if name not in allowed:
            yield f"{name}: not a name of the top level"


def own_words():
    """The tree names no path of one machine and no trace of a workplace."""
    pattern = re.compile(r"/work/|/tmp/plan|/opt/swift-packages|/root/")
    for path in tracked():
        if path.suffix in {".swift", ".py", ".sh", ".md", ".yaml", ".yml", ".proto", ".service", ".txt", ".json"} and path.name != "tidy.py":
            for number, line in enumerate(read(path).splitlines(), 1):
                if pattern.search(line):
                    yield f"{path}:{number}: a path of one machine"


CHECKS = [layering, restricted_imports, unsafe_code, traps, lengths, shared_state, no_sleeps, links, metrics, decisions,
          top_level, own_words]


def main():
    wanted = sys.argv[1:]
    passed = failed = 0
    for check in CHECKS:
        if wanted and check.__name__ not in wanted:
            continue
        complaints = list(check())
        for complaint in complaints:
            print(f"{check.__name__}: {complaint}")
        if complaints:
            failed += 1
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
