#!/bin/sh
# Writes the two locks again: hashes, no registry address. Needs uv on the PATH.
set -eu
cd "$(dirname "$0")/.."
options="--generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --quiet"
uv pip compile $options pyproject.toml --group build -o requirements/base.txt "$@"
uv pip compile $options pyproject.toml --group dev -o requirements/dev.txt "$@"
