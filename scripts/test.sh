#!/usr/bin/env bash
# From nothing to all checks and tests: format, lint, types, tests. Options go to pytest.
set -euo pipefail
# Python keeps what it has compiled: otherwise each process compiles all that it imports, half of the app's start.
unset PYTHONDONTWRITEBYTECODE
here=$(cd "$(dirname "$0")" && pwd)
"$here/setup.sh" test chromium postgresql
cd "$here/.."
venv=$(cd "${KMSPEAKER_VENV:-.venv}" && pwd)
export PATH="$venv/bin:$PATH"
ruff format --check .
ruff check .
# The types are read while the tests run; whichever fails, the other is waited for.
pyright &
types=$!
trap wait EXIT
if (($#)); then
  python -m pytest "$@"
  wait "$types"
else
  # Two at a time, each with one thread; then those that watch a browser draw, which need the machine for themselves.
  OMP_NUM_THREADS=1 python -m pytest -n 2 --dist worksteal --durations 25 --ignore tests/browser
  wait "$types"
  python -m pytest --durations 25 tests/browser
fi
