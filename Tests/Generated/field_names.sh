#!/usr/bin/env bash
# Compares Sources/Protocol/HTTPSemantics/FieldName.swift with what its generator writes.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 Tests/Support/generate-field-names.py --check
