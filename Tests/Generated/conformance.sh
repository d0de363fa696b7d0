#!/usr/bin/env bash
# Compares docs/conformance.md with what its generator makes of the tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
/usr/bin/python3 Tests/Support/generate-conformance.py --check
