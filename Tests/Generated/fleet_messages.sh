#!/usr/bin/env bash
# Regenerates Sources/Model/FleetMessages/fleet.pb.swift from proto/fleet.proto and compares: with --write, replaces it.
#
# Needs protoc (Debian: protobuf-compiler, which Tests/run.sh installs) and the sources of swift-protobuf that
# `swift build` fetched.
set -euo pipefail
cd "$(dirname "$0")/../.."

sources=.build/checkouts/swift-protobuf
if ! command -v protoc >/dev/null; then
    echo "fleet_messages: protoc is not installed (Debian: protobuf-compiler)" >&2
    exit 1
fi
if [ ! -d "$sources" ]; then
    echo "fleet_messages: $sources is missing: run 'swift build' first" >&2
    exit 1
fi

# The plugin is kept beside the other build products; it alone of the package is built.
build="$PWD/.build/protoc-gen-swift"
plugin="$build/debug/protoc-gen-swift"
if [ ! -x "$plugin" ]; then
    swift build --package-path "$sources" --scratch-path "$build" --product protoc-gen-swift >&2
fi

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
protoc --plugin=protoc-gen-swift="$plugin" --proto_path=proto --swift_out="$made" --swift_opt=Visibility=Package \
    proto/fleet.proto
if [ "${1-}" = --write ]; then
    cp "$made/fleet.pb.swift" Sources/Model/FleetMessages/fleet.pb.swift
else
    diff -u Sources/Model/FleetMessages/fleet.pb.swift "$made/fleet.pb.swift" | head -40
    cmp "$made/fleet.pb.swift" Sources/Model/FleetMessages/fleet.pb.swift
fi
