#!/usr/bin/env bash
# Builds the node as it is installed, and has it pass the conformance tests, in clear text and over TLS, the attacks and
# the floods: ./Tests/release.sh
#
# The optimiser refuses code that the debug build takes, and leaves out checks that the debug build makes. The other two
# programs are those of WEIR_BIN, or of the debug build.
set -uo pipefail
cd "$(dirname "$0")/.."

others=${WEIR_BIN:-$(swift build --show-bin-path)}
build=(swift build -c release --static-swift-stdlib --scratch-path .build-release)
WEIR_SCOPE=proxy-node "${build[@]}" --product proxy-node || exit 1
bin=$PWD/.build-release/bin
rm -rf "$bin"
mkdir -p "$bin"
ln -s "$(WEIR_SCOPE=proxy-node "${build[@]}" --show-bin-path)/proxy-node" "$bin/proxy-node"
ln -s "$others/proxy-control" "$others/proxyctl" "$bin/"
export WEIR_BIN=$bin PYTHONPATH=Tests/Support PYTHONDONTWRITEBYTECODE=1
status=0
/usr/bin/python3 -m pytest -q -p no:cacheprovider \
    Tests/Conformance Tests/Integration/test_http2_attacks.py Tests/Integration/test_floods.py || status=1
echo "== over TLS"
WEIR_TEST_TLS=1 /usr/bin/python3 -m pytest -q -p no:cacheprovider Tests/Conformance || status=1
exit $status
