"""``pip install`` gives a working library: everything inside, dependencies declared once."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kmspeaker import __version__

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = {"": "requirements.txt"} | {
    name: f"requirements-{name}.txt"
    for name in ("train", "voices", "evaluation", "peers", "study", "dev")
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what lies in the checkout, in a copy: building leaves folders behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("kmspeaker", "assets", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    for name in EXTRAS.values():
        (source / name).symlink_to(ROOT / name)
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(source)], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(arguments: list[str], installed: Path, folder: Path) -> str:
    """What a program says whose only KM-Speaker is the installed one."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: Path):
    assert wheel.name == f"kmspeaker-{__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    assets = json.loads((ROOT / "assets" / "manifest.json").read_text())
    wanted = {f"kmspeaker/bundled/{row['path']}" for row in assets}
    wanted |= {"kmspeaker/bundled/manifest.json", "kmspeaker/py.typed"}
    wanted |= {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kmspeaker").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert not wanted - names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"kmspeaker"}


def test_dependencies_are_those_of_the_requirements_files(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    stated: dict[str, set[Requirement]] = {extra: set() for extra in EXTRAS}
    for line in re.findall(r"^Requires-Dist: (.*)$", metadata, re.M):
        requirement, _, marker = line.partition("; extra == ")
        stated[marker.strip('"')].add(Requirement(requirement))
    for extra, file in EXTRAS.items():
        lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
        listed = {Requirement(line) for line in lines if line and not line.startswith("#")}
        assert stated[extra] == listed, file


def test_what_is_installed_speaks_from_anywhere(installed: Path, tmp_path: Path):
    assert "woman" in run(["-m", "kmspeaker", "identities"], installed, tmp_path)
    example = installed / "kmspeaker" / "bundled" / "examples"
    program = (
        "import sys, kmspeaker\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from kmspeaker import Pipeline, load_sound, save_animation\n"
        "pipeline = Pipeline.load('small', device='cpu')\n"
        "folder = Path(sys.argv[1])\n"
        "reference = pipeline.reference(folder / 'delighted.track.npz')\n"
        "sound = load_sound(folder / 'delighted.wav')\n"
        "sound = replace(sound, samples=sound.samples[: sound.sample_rate])\n"
        "animation = pipeline.stylize(sound, reference.performance, steps=1)\n"
        "save_animation(animation, pipeline.face, Path('take.glb'))\n"
        "print(kmspeaker.__file__)\n"
    )
    printed = run(["-c", program, str(example)], installed, tmp_path)
    assert printed.strip() == str(installed / "kmspeaker" / "__init__.py")
    assert (tmp_path / "take.glb").stat().st_size > 1e5


def test_the_command_is_the_command_line(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "kmspeaker = kmspeaker.cli:main" in archive.read(name).decode()
