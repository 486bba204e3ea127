"""`kmspeaker study serve` opens, survives being killed, and ends without a word."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgres import programs, server
from studies import table, write_study

from kmspeaker.cli import main
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import DATABASE, MANIFEST, Study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return write_study(tmp_path_factory.mktemp("study") / "lips", table(systems=1, items=2))


def served(study: Study, *options: str) -> tuple[subprocess.Popen[str], str]:
    """A server of its own, and its address."""
    command = ["-m", "kmspeaker", "study", "serve", str(study.folder), "--port", "0", *options]
    server = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    address = re.search(r"open at (http://127\.0\.0\.1:\d+)/", line)
    assert address, (line, server.stderr and server.stderr.read())
    return server, address[1]


def test_a_killed_server_loses_nothing_that_it_said_was_saved_and_a_told_one_ends_quietly(
    study: Study,
):
    server, address = served(study)
    told: dict[str, Any] = httpx.post(f"{address}/api/join", json={"consent": True}).json()
    own = {"Authorization": f"Bearer {told['code']}"}
    for number in range(5):
        said = {"page": 0, "name": "A", "value": number, "seconds": number, "plays": {"A": 1}}
        answer = httpx.post(f"{address}/api/rate", json={**said, "save": str(number)}, headers=own)
        assert answer.json() == {"revision": number + 1}
    server.send_signal(signal.SIGKILL)
    server.communicate()
    server, address = served(study)
    page = httpx.get(f"{address}/api/session", headers=own).json()["page"]
    assert page["ratings"] == {"A": 4}
    assert page["clips"][0]["plays"] == 1
    server.send_signal(signal.SIGINT)
    server.send_signal(signal.SIGTERM)
    rest, errors = server.communicate(timeout=30)
    assert (server.returncode, rest, errors) == (0, "", "")


def test_two_participants_ratings_land_in_postgresql_and_nowhere_else(study: Study):
    binaries = programs()
    if binaries is None:
        pytest.skip("needs Debian's package postgresql, of which there is no server here")
    (study.folder / DATABASE).unlink(missing_ok=True)
    with server(binaries) as url:
        process, address = served(study, "--database", url)
        with httpx.Client(base_url=address) as client:
            people = []
            for _ in range(2):
                told = client.post("/api/join", json={"consent": True}).json()
                people.append({"Authorization": f"Bearer {told['code']}"})
            for value, name in ((10, "A"), (90, "B"), (40, "A")):  # by turns, A twice
                for number, own in enumerate(people):
                    said = {"page": 0, "name": name, "value": value + number, "seconds": 2.0}
                    said |= {"save": f"save-{value}", "plays": {"A": 1, "B": 1}}
                    assert client.post("/api/rate", json=said, headers=own).status_code == 200
            for own in people:
                assert client.post("/api/next", json={"page": 0}, headers=own).status_code == 200
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=30)
        assert (process.returncode, rest, errors) == (0, "", "")
        store = Store(url, study.design, stimuli_hash=study.stimuli_hash)
        responses = store.responses()
        store.close()
    values = {(row["participant"], row["value"], row["revision"]) for row in responses.ratings}
    assert values == {(0, 40, 2), (1, 41, 2), (0, 90, 1), (1, 91, 1)}
    assert len(responses.history) == 6
    assert all(row["done_at"] is not None for row in responses.pages)
    assert not (study.folder / DATABASE).exists()


def test_what_cannot_be_served_is_told_in_a_sentence(
    study: Study,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def says(*options: str) -> str:
        assert main(["study", "serve", *options]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert "taken by another program" in says(str(study.folder), "--port", port)
    assert "holds no study" in says(str(tmp_path), "--port", "0")
    free = [str(study.folder), "--port", "0"]
    assert "Cannot read the token" in says(*free, "--token-file", str(tmp_path / "none"))
    assert "database" in says(*free, "--database", "mysql://somewhere/x")
    monkeypatch.setenv("KMSPEAKER_STUDY_TOKEN", "short")
    assert "16 or more" in says(*free)
    monkeypatch.delenv("KMSPEAKER_STUDY_TOKEN")
    stimulus = next((study.folder / "stimuli").iterdir())
    before = stimulus.read_bytes()
    stimulus.write_bytes(before + b"x")
    assert "changed since the study was built" in says(*free)
    stimulus.write_bytes(before)
    assert (study.folder / MANIFEST).is_file()
