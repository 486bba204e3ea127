#!/usr/bin/env bash
# From nothing to the app in a browser. Options are those of `python -m kmspeaker app`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/setup.sh" app
cd "$here/.."
exec "${KMSPEAKER_VENV:-.venv}/bin/python" -m kmspeaker app "$@"
