"""What the documents say is so: their programs run, and what they name is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pygltflib
import pytest

from kmspeaker.examples import FOLDER
from kmspeaker.pipeline import Pipeline
from kmspeaker.web import serve

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "http://127.0.0.1:7860"
"""What the documents call the app."""


def blocks(document: str, language: str, heading: str) -> list[str]:
    """The code of a language under a heading."""
    text = (ROOT / document).read_text()
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.S | re.M)


DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(path: Path):
    text = path.read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    assert not [name for name in linked if not (path.parent / name).exists()]
    for file, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text):
        assert (ROOT / file).is_file(), file
        assert f"def {test}(" in (ROOT / file).read_text() or not test, f"{file}::{test}"


def test_the_tree_of_the_readme_is_the_tree_there_is():
    (tree,) = blocks("README.md", "", "What is where")
    named = [
        name for line in tree.splitlines() for name in re.split(r" {2,}", line.strip())[0].split()
    ]
    package = [path for path in (ROOT / "kmspeaker").iterdir() if path.name[0] not in "_."]
    modules = {path.stem for path in package if path.suffix == ".py"}
    folders = {f"{path.name}/" for path in package if path.is_dir()}
    around = {name for name in named if (ROOT / name).exists()}
    assert sorted(named) == sorted(modules | folders | around)


def test_every_feature_is_shown_by_a_test():
    rows = re.findall(r"^\| (?!Feature|---)(.*) \|$", (ROOT / "docs/features.md").read_text(), re.M)
    assert len(rows) > 30
    assert not [row for row in rows if "`tests/" not in row and "the same, and [" not in row]


@pytest.fixture(scope="module")
def address():
    demo = serve(Pipeline.load(), port=0, block=False)
    yield demo.local_url.rstrip("/")
    demo.close()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder where the files lie that the documents speak of."""
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    (tmp_path / "speech.wav").symlink_to(FOLDER / "delighted.wav")
    (tmp_path / "smiling.mp4").symlink_to(FOLDER / "delighted.mp4")
    return tmp_path


def run(command: list[str], desk: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_client_of_the_document_makes_a_take(address: str, desk: Path):
    (code,) = blocks("docs/api.md", "python", "Python")
    assert ADDRESS in code
    printed = run([sys.executable, "-c", code.replace(ADDRESS, address)], desk)
    assert ".glb" in printed and "take-1 5.2" in printed and "small@" in printed


def test_the_shell_of_the_document_makes_a_take(address: str, desk: Path):
    (code,) = blocks("docs/api.md", "bash", "curl")
    assert ADDRESS in code
    run(["bash", "-euo", "pipefail", "-c", code.replace(ADDRESS, address)], desk)
    head = pygltflib.GLTF2().load(desk / "take.glb")
    assert head is not None and head.animations


def test_the_library_s_example_makes_a_take(desk: Path):
    (code,) = blocks("README.md", "python", "From Python")
    run([sys.executable, "-c", code], desk)
    assert (desk / "take.glb").stat().st_size > 1e5
