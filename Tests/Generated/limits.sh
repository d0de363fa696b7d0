#!/usr/bin/env bash
# Compares docs/limits.md with what its generator makes of the sources.
set -euo pipefail
cd "$(dirname "$0")/../.."
/usr/bin/python3 Tests/Support/generate-limits.py --check
