"""The rooms of the program import one way, and importing does nothing heavy."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "kmspeaker"
MODULES = sorted(PACKAGE.rglob("*.py"))

FLOORS = (
    ("errors", "assets", "limits", "progress"),
    ("media", "parallel", "examples"),
    ("face", "hub"),
    ("reference", "speech"),
    ("animation", "model", "heads"),
    ("baselines",),
    ("pipeline", "export", "corpus"),
    ("batch", "training", "benchmark"),
    ("evaluation", "study"),
    ("web",),
    ("cli",),
    ("__main__",),
)
"""From the ground up: a room imports its own floor and those below (``__init__`` is everyone's)."""
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
FORBIDDEN = {("export", "corpus"), ("pipeline", "corpus")}
"""Of one floor, and still not to be."""


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
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def rooms_imported_by(path: Path) -> set[str]:
    ours = {name.split(".")[1] for name in imported_by(path) if name.startswith("kmspeaker.")}
    assert ours <= {*FLOOR, "__version__"}, f"{path}: import a name from the room it lives in"
    return ours - {room(path), "__version__"}


def test_every_room_has_its_floor():
    assert {room(path) for path in MODULES} - {"__init__"} == set(FLOOR)


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path != PACKAGE / "__init__.py"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_imports_point_one_way(path: Path):
    own = room(path)
    up = {other for other in rooms_imported_by(path) if FLOOR[other] > FLOOR[own]}
    assert not up, f"{own} lies below {up}"
    assert not {other for other in rooms_imported_by(path) if (own, other) in FORBIDDEN}
    outside = {name.split(".")[0] for name in imported_by(path)}
    assert own == "web" or "gradio" not in outside, "gradio stays inside web/"
    if path.relative_to(PACKAGE).as_posix() in ("model/flow.py", "model/layers.py"):
        assert outside <= {"torch", "jaxtyping", "math", "collections"}, "the maths is torch alone"


def test_no_two_rooms_import_each_other():
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        if path != PACKAGE / "__init__.py":
            graph.setdefault(room(path), set()).update(rooms_imported_by(path))
    left = dict(graph)
    while left:
        free = [name for name, needed in left.items() if not needed & set(left)]
        assert free, f"these import each other in a circle: {sorted(left)}"
        for name in free:
            del left[name]


def test_the_package_and_its_command_line_import_nothing_but_python_itself():
    code = (
        "import sys; before = set(sys.modules);"
        "import kmspeaker, kmspeaker.cli; kmspeaker.cli.build_parser();"
        "packages = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(packages - set(sys.stdlib_module_names)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert loaded.stdout.split() == ["kmspeaker"]


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [(["-c", "import kmspeaker"], 0.2), (["-m", "kmspeaker", "--help"], 0.5)],
    ids=["import", "help"],
)
def test_starting_is_quick(arguments: list[str], seconds: float):
    """Python's own start included; the best of several, as other programs may be at work here."""
    times = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments], check=True, capture_output=True, cwd=PACKAGE.parent
        )
        times.append(time.perf_counter() - started)
        if times[-1] < seconds:
            break
    assert min(times) < seconds


def test_every_name_of_the_package_is_there():
    import kmspeaker

    for name in kmspeaker.__all__:
        assert getattr(kmspeaker, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        kmspeaker.Nobody  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


def test_the_top_of_the_package_is_short_and_no_room_is_called_odds_and_ends():
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 12
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "common", "misc", "types"}


def test_no_module_has_outgrown_its_room():
    written = [*MODULES, *PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.css")]
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in written
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
