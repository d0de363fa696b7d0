#!/usr/bin/env bash
# Compares the node with Debian's nginx and HAProxy, side by side:
#
#   ./Tests/benchmark.sh [SCENARIO ...] [OPTION ...]
#
# Installs what the comparison needs and runs Tests/Benchmarks/benchmark.py; `--help` tells the rest.
#
#   ./Tests/benchmark.sh tables [OPTION ...]
#
# times what becomes of 50,000 routes of several shapes, without a node (Tests/Benchmarks/route-tables).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" = tables ]; then
    shift
    cd "$root"
    export WEIR_SCOPE=route-tables
    build=(swift build -c release --static-swift-stdlib --scratch-path .build-release)
    "${build[@]}" --product route-tables >&2
    exec "$("${build[@]}" --show-bin-path)/route-tables" "$@"
fi
program=(/usr/bin/python3 -B "$root/Tests/Benchmarks/benchmark.py")

# nginx is the origin of every comparison.
packages=(python3 iproute2 wrk nghttp2-client nginx openssl)
peers=weir,nginx,haproxy
previous=
for argument in "$@"; do
    case $argument in
        -h | --help) exec "${program[@]}" --help ;;
        --strace) packages+=(strace) ;;
        --callgrind) packages+=(valgrind binutils) ;;
        --peers=*) peers=${argument#*=} ;;
    esac
    [ "$previous" != --peers ] || peers=$argument
    previous=$argument
done
case $peers in *haproxy*) packages+=(haproxy) ;; esac
if [ "$(id -u)" -ne 0 ]; then
    echo "benchmark: needs root, for a network namespace of its own" >&2
    exit 1
fi

# The packages of nginx and HAProxy start a service when they are installed, and at every boot.
# Neither is wanted: policy-rc.d is Debian's way to say so during the installation, and what is new
# here is disabled afterwards.
policy=/usr/sbin/policy-rc.d
new=()
for package in nginx haproxy; do
    [[ " ${packages[*]} " == *" $package "* ]] || continue
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || new+=("$package")
done
if [ ${#new[@]} -gt 0 ] && [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
"$root/deploy/setup.sh" "${packages[@]}"
if [ ${#new[@]} -gt 0 ] && [ -d /run/systemd/system ]; then
    systemctl --quiet disable --now "${new[@]}"
fi
if [ -n "$(trap -p EXIT)" ]; then
    rm -f "$policy"
    trap - EXIT
fi

exec "${program[@]}" "$@"
