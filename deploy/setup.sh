#!/usr/bin/env bash
# Installs the system packages that Weir is built with, when any is missing. `setup.sh PACKAGE...` adds more.
set -euo pipefail

# Libraries that the programs link: OpenSSL (TLS, cryptography), SQLite (the control plane's store), zlib, brotli,
# RE2 (regular expressions), c-ares (names, proxy-node alone), and libidn2 (hosts in any script, proxyctl alone).
packages=(
    libssl-dev libsqlite3-dev zlib1g-dev libbrotli-dev libre2-dev libc-ares-dev libidn2-dev "$@"
)
missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}" >&2
    root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "needs root: apt-get install ${missing[*]}" >&2; exit 1; }
        root=(sudo)
    fi
    # RUNLEVEL=1 keeps packages such as nginx from starting their service.
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
command -v swift >/dev/null || {
    echo "Swift 6.3 or newer is needed and 'swift' is not on PATH: see https://www.swift.org/install/linux/" >&2
    exit 1
}
