#!/usr/bin/env bash
# From nothing to all checks and tests: format, lint, types, tests. Options go to pytest.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/setup.sh" test chromium postgresql
cd "$here/.."
venv=$(cd "${KMSPEAKER_VENV:-.venv}" && pwd)
export PATH="$venv/bin:$PATH"
ruff format --check .
ruff check .
pyright
if (($#)); then
  python -m pytest "$@"
else
  # Two at a time, each with one thread; then those that watch a browser draw, which need the machine for themselves.
  OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --ignore tests/browser
  python -m pytest tests/browser
fi
