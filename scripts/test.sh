#!/usr/bin/env bash
# From nothing to all checks and tests: format, lint, types, tests. Options go to pytest.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/setup.sh" test chromium
cd "$here/.."
venv=$(cd "${KMSPEAKER_VENV:-.venv}" && pwd)
export PATH="$venv/bin:$PATH"
ruff format --check .
ruff check .
pyright
python -m pytest "$@"
