#!/usr/bin/env bash
# Everything KM-Speaker needs on a fresh machine; `app.sh` and `test.sh` call it. Quick when nothing is missing.
#   setup.sh app|test [APT_PACKAGE ...]
# KMSPEAKER_VENV: the Python environment (default .venv); KMSPEAKER_CACHE: viewer files (default ~/.cache/kmspeaker).
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=$1
shift
requirements=(requirements.txt)
if [ "$purpose" = test ]; then requirements+=(requirements-train.txt requirements-study.txt requirements-dev.txt); fi

# Debian packages: the tracker and the renderer need EGL, the viewer's files come by npm.
debian_packages() {
  wanted=$(tr '\n' ' ' < packages.txt)
  if ! command -v npm > /dev/null; then wanted+=" npm"; fi
  wanted+=" $*"
  if command -v apt-get > /dev/null; then
    missing=()
    for package in $wanted; do
      dpkg-query -W -f='${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if ((${#missing[@]})); then
      echo "Installing Debian packages: ${missing[*]}"
      as_root=""
      if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
      $as_root apt-get update -qq
      $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
    fi
  fi
}

# Viewer files: three.js for the page; the Khronos validator and axe for the tests.
viewer_files() {
  cache=${KMSPEAKER_CACHE:-$HOME/.cache/kmspeaker}
  node_packages=(three@0.187.0 gltf-validator@2.0.0-dev.3.10)
  if [ "$purpose" = test ]; then node_packages+=(axe-core@4.14.1); fi
  if command -v npm > /dev/null; then
    for package in "${node_packages[@]}"; do
      if [ ! -f "$cache/node/node_modules/${package%%@*}/package.json" ]; then
        echo "Fetching the viewer's files into $cache/node"
        mkdir -p "$cache/node"
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$cache/node" "${node_packages[@]}"
        break
      fi
    done
  fi
}

# Python 3.11 or 3.12 and what the requirements files name, again whenever one of these has changed.
python_packages() {
  venv=${KMSPEAKER_VENV:-.venv}
  if [ ! -x "$venv/bin/python" ]; then
    python=""
    for candidate in ${PYTHON:-} python3 python3.12 python3.11; do
      if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2> /dev/null; then
        python=$candidate
        break
      fi
    done
    if [ -z "$python" ]; then
      echo "KM-Speaker needs Python 3.11 or 3.12 and found neither; install one, or set PYTHON to it." >&2
      exit 2
    fi
    "$python" -m venv "$venv"
  fi
  # What is installed: the hashes of the requirements files, as of the last installation that ended well.
  installed=$venv/.installed
  if [ ! -f "$installed" ] || sha256sum "${requirements[@]}" | grep -vxFf "$installed" > /dev/null; then
    echo "Installing Python packages into $venv (a few minutes the first time)"
    rm -f "$installed"
    # Python compiles what is imported; compiling the rest beforehand takes a minute.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "${requirements[@]/#/-r}"
    sha256sum "${requirements[@]}" > "$installed"
  fi
}

# The machine's part comes while pip works. Whichever fails ends the script, but not before the other has ended:
# a package manager that is cut off leaves its work half done.
(
  debian_packages "$@"
  viewer_files
) &
machine=$!
trap wait EXIT
python_packages
wait "$machine"
