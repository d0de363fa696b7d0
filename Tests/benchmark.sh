#!/usr/bin/env bash
# Compares the node with Debian's nginx and HAProxy, side by side: ./Tests/benchmark.sh [SCENARIO ...] [OPTION ...]
#
# Installs what the comparison needs and runs Tests/Benchmarks/benchmark.py; `--help` tells the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
program=(/usr/bin/python3 -B Tests/Benchmarks/benchmark.py)

packages=(python3 iproute2 wrk)
peers=weir,nginx,haproxy
previous=
for argument in "$@"; do
    case $argument in
        -h | --help) exec "${program[@]}" --help ;;
        --strace) packages+=(strace) ;;
        --callgrind) packages+=(valgrind) ;;
        --peers=*) peers=${argument#*=} ;;
    esac
    [ "$previous" != --peers ] || peers=$argument
    previous=$argument
done
# nginx is the origin of every comparison.
packages+=(nginx)
case $peers in *haproxy*) packages+=(haproxy) ;; esac

# The peers' packages start a service of their own when they are installed, and at every boot. Neither is wanted:
# policy-rc.d is Debian's way to say so during the installation, and what is new here is disabled afterwards.
installed() { [ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = "install ok installed" ]; }
new=()
for package in nginx haproxy; do
    [[ " ${packages[*]} " != *" $package "* ]] || installed "$package" || new+=("$package")
done
policy=/usr/sbin/policy-rc.d
if [ ${#new[@]} -gt 0 ] && [ "$(id -u)" -eq 0 ] && [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
./deploy/setup.sh "${packages[@]}"
if [ ${#new[@]} -gt 0 ] && [ -d /run/systemd/system ] && [ "$(id -u)" -eq 0 ]; then
    systemctl --quiet disable --now "${new[@]}"
fi
if [ -n "$(trap -p EXIT)" ]; then
    rm -f "$policy"
    trap - EXIT
fi

exec "${program[@]}" "$@"
