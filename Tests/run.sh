#!/usr/bin/env bash
# Installs what the tests need and runs all of them: ./Tests/run.sh [SUITE ...]
#
# Suites, in the order in which they run: tidy format unit generated fuzz conformance fleet sanitize release. Without a name, all of them.
set -uo pipefail
cd "$(dirname "$0")/.."

suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(tidy format unit generated fuzz conformance fleet sanitize release)
failed=()

# Runs one suite and remembers whether it failed: run NAME COMMAND...
run() {
    local name=$1
    shift
    echo "== $name"
    if "$@"; then :; else failed+=("$name"); fi
}

format_suite() {
    local files
    mapfile -t files < <(git ls-files --cached --others --exclude-standard 'Package.swift' 'Sources/*.swift' 'Tests/*.swift' | grep -v '^Sources/Model/FleetMessages/')
    if swift format lint --strict --configuration .swift-format "${files[@]}"; then
        echo "1 passed, 0 failed"
    else
        echo "0 passed, 1 failed"
        return 1
    fi
}

unit_suite() {
    swift build --build-tests --explicit-target-dependency-import-check error && WEIR_PEBBLE=$(command -v pebble) swift test --skip-build
}

# Files that are made from the code are as the code would make them.
generated_suite() {
    local passed=0 wrong=0 script
    for script in Tests/Generated/*.sh; do
        [ -e "$script" ] || continue
        if "$script"; then passed=$((passed + 1)); else
            echo "$script: a committed file differs from what the code makes" >&2
            wrong=$((wrong + 1))
        fi
    done
    echo "$passed passed, $wrong failed"
    [ "$wrong" -eq 0 ]
}

fuzz_suite() {
    [ -x Tests/fuzz.sh ] || return 0
    ./Tests/fuzz.sh "${FUZZ_SECONDS:-10}"
}

# Runs black-box tests against the real programs: black_box PYTEST-ARGUMENT...
black_box() {
    WEIR_BIN=${WEIR_BIN:-$(swift build --show-bin-path)} PYTHONPATH=Tests/Support PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@"
}

# Most of these tests wait most of the time, so some files run at a time; those that bound what a node takes run alone.
fleet_suite() {
    local alone=(Tests/Integration/test_http2_attacks.py Tests/Integration/test_floods.py) status=0
    black_box -n 3 --dist loadfile Tests/Integration Tests/Fleet "${alone[@]/#/--ignore=}" || status=1
    black_box "${alone[@]}" || status=1
    return $status
}

./deploy/setup.sh python3 python3-pytest python3-pytest-xdist python3-yaml python3-websockets python3-h2 python3-grpcio pebble nghttp2-client nginx curl openssl iproute2 protobuf-compiler || exit 1

for suite in "${suites[@]}"; do
    case $suite in
        tidy) run tidy python3 Tests/Tidy/tidy.py ;;
        format) run format format_suite ;;
        unit) run unit unit_suite ;;
        generated) run generated generated_suite ;;
        fuzz) run fuzz fuzz_suite ;;
        conformance) run conformance black_box Tests/Conformance ;;
        fleet) run fleet fleet_suite ;;
        sanitize) run sanitize ./Tests/sanitize.sh ;;
        release) run release ./Tests/release.sh ;;
        *) echo "no suite is called '$suite': tidy format unit generated fuzz conformance fleet sanitize release" >&2; exit 2 ;;
    esac
done

if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
echo "all suites passed: ${suites[*]}"
