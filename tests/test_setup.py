"""`scripts/setup.sh` with programs that only say what they were asked: no part fails unheard."""

import os
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[1] / "scripts" / "setup.sh"
INSTALLER = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
if [ "$1 $2" = "-m pip" ]; then {pip}; fi
"""
"""A Python that makes environments of itself."""


def run(folder: Path, **others: str) -> subprocess.CompletedProcess[str]:
    """Setting up from nothing, with what each program does: by default it succeeds."""
    does = {"pip": ":", "npm": ":", "dpkg-query": "echo ok installed", "apt-get": ":"} | others
    for name in ("npm", "dpkg-query", "apt-get"):
        (folder / name).write_text(f"#!/bin/sh\n{does[name]}\n")
    (folder / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (folder / "python").write_text(INSTALLER.format(pip=does["pip"]))
    for program in folder.iterdir():
        program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHON": str(folder / "python"),
        "KMSPEAKER_VENV": str(folder / "venv"),
        "KMSPEAKER_CACHE": str(folder / "cache"),
    }
    return subprocess.run(
        [SETUP, "test", "anything"], env=environment, capture_output=True, text=True, timeout=60
    )


def test_all_parts_are_set_up_and_what_is_there_is_not_set_up_again(tmp_path: Path):
    npm, pip = (f'echo "$@" >> {tmp_path}/{name}.said' for name in ("npm", "pip"))
    assert run(tmp_path, npm=npm, pip=pip).returncode == 0
    assert "three@" in (tmp_path / "npm.said").read_text()
    assert "-rrequirements-dev.txt" in (tmp_path / "pip.said").read_text()
    again = run(tmp_path, npm=npm, pip="exit 1")
    assert again.returncode == 0 and "Python" not in again.stdout


@pytest.mark.parametrize("program", ["pip", "npm", "apt-get"])
def test_whatever_fails_ends_it_with_its_own_words_and_nothing_runs_on(
    tmp_path: Path, program: str
):
    fails = {program: "echo the registry is away >&2; exit 7", "dpkg-query": "exit 1"}
    slow = {name: f"sleep 1; touch {tmp_path}/ended" for name in ("pip", "npm") if name != program}
    done = run(tmp_path, **fails, **slow)
    assert done.returncode == 7
    assert "the registry is away" in done.stderr
    assert (tmp_path / "ended").exists(), "what was begun is not cut off"
