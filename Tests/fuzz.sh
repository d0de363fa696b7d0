#!/usr/bin/env bash
# Feeds every decoder of foreign octets with libFuzzer: ./Tests/fuzz.sh [SECONDS [DECODER ...]]
#
# SECONDS (default 10) is for each decoder. Seeds are in Tests/Fuzz/seeds/DECODER; what a run finds is kept in
# .build-fuzz/corpus. An input that breaks a rule is written to .build-fuzz/crash-* and its stack is printed: move it
# to Tests/Fuzz/seeds once it is mended.
set -uo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
shift || true
decoders=("$@")
[ ${#decoders[@]} -gt 0 ] || decoders=(
    request response chunked path frames material snapshot configuration hpack http2 proxy hello pattern names
    grpc)

scratch=.build-fuzz
WEIR_SCOPE=fuzz-decoders swift build --scratch-path "$scratch" --product fuzz-decoders --sanitize address || exit 1
program=$(WEIR_SCOPE=fuzz-decoders swift build --scratch-path "$scratch" --show-bin-path)/fuzz-decoders

passed=0
failed=0
for decoder in "${decoders[@]}"; do
    mkdir -p "$scratch/corpus/$decoder" "Tests/Fuzz/seeds/$decoder"
    # Leaks are the concern of the address-sanitizer run of the tests: here they would end a run early.
    if WEIR_FUZZ=$decoder ASAN_OPTIONS=detect_leaks=0 "$program" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
        -rss_limit_mb=2048 -artifact_prefix="$scratch/crash-$decoder-" -print_final_stats=0 -verbosity=0 \
        "$scratch/corpus/$decoder" "Tests/Fuzz/seeds/$decoder" >"$scratch/$decoder.log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "fuzz: $decoder failed" >&2
        tail -60 "$scratch/$decoder.log" >&2
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
