"""The layers of the program import one way, and importing does nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "kmspeaker"
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported_by(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; use the full name"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: Path) -> str:
    """The sub-package a module lives in, or its own name at the top level."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path):
    names = imported_by(path)
    if room(path) not in ("web", "cli", "__main__"):
        assert not {n for n in names if n.startswith("kmspeaker.web")}, (
            "only the skin knows the web"
        )
    if room(path) != "web":
        assert not {n for n in names if n.split(".")[0] == "gradio"}, "gradio stays inside web/"
    if room(path) in ("flow", "layers"):
        ours = {n for n in names if n.startswith("kmspeaker")}
        assert not ours, f"the maths imports torch alone, found {ours}"
    if room(path) not in ("training", "corpus", "evaluation", "cli", "__main__"):
        back = {"kmspeaker.training", "kmspeaker.corpus", "kmspeaker.evaluation"}
        assert not {n for n in names if ".".join(n.split(".")[:2]) in back}


def test_the_package_and_its_command_line_import_nothing_heavy():
    code = (
        "import sys, kmspeaker, kmspeaker.cli; kmspeaker.cli.build_parser();"
        "heavy = {'torch', 'gradio', 'mediapipe', 'vtk', 'transformers', 'scipy'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert loaded.stdout.split() == []


def test_no_module_has_outgrown_its_room():
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in MODULES
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
