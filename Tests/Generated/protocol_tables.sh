#!/usr/bin/env bash
# Compares the tables of HTTPSemantics and HTTP2 that are generated with what their generators write.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 Tests/Support/generate-field-names.py --check
python3 Tests/Support/generate-hpack-tables.py --check
