"""What git tracks stays small: it clones in a moment and fits the machines it is tried on."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 60 * 2**20


def test_what_git_tracks_stays_under_60_mib():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this copy of the program is no git checkout, so nothing says what is tracked")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    total = sum(path.stat().st_size for path in files if path.is_file())
    assert 2**20 < total < LIMIT, f"{total / 2**20:.1f} MiB are tracked"
