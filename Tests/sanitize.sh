#!/usr/bin/env bash
# Runs the integration tests against a node that watches itself: ./Tests/sanitize.sh [address|thread ...]
#
# `address` finds memory that is used when it is not ours, `thread` what two threads touch at a time. Only the node and
# what it needs is built so; the other two programs are those of WEIR_BIN, or of the debug build. Without a name,
# `address`: to `thread`, Synchronization.Mutex is no lock, so that now and then it reports what a mutex guards
# (Tests/Support/thread-sanitizer.txt), and each of its reports has to be read.
set -uo pipefail
cd "$(dirname "$0")/.."

sanitizers=("$@")
[ ${#sanitizers[@]} -gt 0 ] || sanitizers=(address)
others=${WEIR_BIN:-$(swift build --show-bin-path)}

passed=0
failed=0
for sanitizer in "${sanitizers[@]}"; do
    scratch=.build-$sanitizer
    WEIR_SCOPE=proxy-node swift build --scratch-path "$scratch" --product proxy-node --sanitize "$sanitizer" 2>&1 |
        grep -v "Cannot export local symbol"
    [ "${PIPESTATUS[0]}" -eq 0 ] || exit 1
    bin=$PWD/$scratch/bin
    rm -rf "$bin" "$scratch"/report.*
    mkdir -p "$bin"
    ln -s "$(WEIR_SCOPE=proxy-node swift build --scratch-path "$scratch" --show-bin-path)/proxy-node" "$bin/proxy-node"
    ln -s "$others/proxy-control" "$others/proxyctl" "$bin/"
    case $sanitizer in
        # The attacks bound memory, of which the sanitizer keeps what was freed. Some files run at a time: most tests wait.
        address) folders=(-n 3 --dist loadfile Tests/Integration --ignore Tests/Integration/test_http2_attacks.py) ;;
        # What threads share shows wherever versions change hands and connections come and go.
        thread) folders=(Tests/Integration/test_node.py Tests/Integration/test_control.py
            Tests/Integration/test_floods.py Tests/Fleet/test_rollout.py) ;;
        *) echo "no sanitizer is called '$sanitizer': address thread" >&2; exit 2 ;;
    esac
    # Leaks are looked for by tests that count; at the end of a process Swift's own globals would be reported.
    ASAN_OPTIONS=detect_leaks=0:log_path=$PWD/$scratch/report \
        TSAN_OPTIONS=suppressions=$PWD/Tests/Support/thread-sanitizer.txt:log_path=$PWD/$scratch/report \
        WEIR_BIN=$bin PYTHONPATH=Tests/Support PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest -q -p no:cacheprovider "${folders[@]}"
    status=$?
    reports=$(grep -lE "ERROR: AddressSanitizer|WARNING: ThreadSanitizer" "$scratch"/report.* 2>/dev/null)
    if [ -n "$reports" ]; then
        cat $reports >&2
        status=1
    fi
    if [ "$status" -eq 0 ]; then passed=$((passed + 1)); else
        echo "sanitize: $sanitizer failed" >&2
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
