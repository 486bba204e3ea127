"""Nothing enters ``assets/`` without a row that says what it is, its source and its licence."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ASSETS = ROOT / "assets"
ROWS = json.loads((ASSETS / "manifest.json").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["path"])
def test_asset_is_the_one_that_the_manifest_names(row: dict):
    data = (ASSETS / row["path"]).read_bytes()
    assert len(data) == row["bytes"]
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    assert row["source"] and row["licence"]
    assert "http" not in row["source"], "sources are named by package and version"


def test_every_asset_has_a_row():
    files = {p.relative_to(ASSETS).as_posix() for p in ASSETS.rglob("*") if p.is_file()}
    assert files - {"manifest.json"} == {row["path"] for row in ROWS}


def test_manifest_script_agrees():
    script = ROOT / "scripts" / "update_manifest.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)


def test_face_stays_small():
    assert sum(row["bytes"] for row in ROWS if row["path"].startswith("face/")) < 13_000_000
