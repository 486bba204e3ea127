"""Files appear whole or not at all, and only one module knows how."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmspeaker.errors import InputError
from kmspeaker.media.files import check_place, replacing

PACKAGE = Path(__file__).parents[2] / "kmspeaker"
TEMPORARY = ("part", "partial", "temporary", "temp", "tmp", "unfinished")


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, before: str | None, error: type[BaseException]
):
    path = tmp_path / "take.csv"
    if before is not None:
        path.write_text(before)
    with pytest.raises(error), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise error
    assert [file.read_text() for file in tmp_path.iterdir()] == ([before] if before else [])


def test_a_block_that_ends_well_replaces_the_file_and_leaves_no_other(tmp_path: Path):
    path = tmp_path / "take.csv"
    path.write_text("old")
    with replacing(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert unfinished.suffix == path.suffix and unfinished.parent == path.parent
    assert [file.name for file in tmp_path.iterdir()] == ["take.csv"]
    assert path.read_text() == "new"


def test_two_writers_do_not_meet(tmp_path: Path):
    path = tmp_path / "take.csv"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert path.read_text() == "first"  # the outer block ends last
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_and_a_missing_folder_are_told_in_a_sentence(tmp_path: Path):
    path = tmp_path / "take.csv"
    with pytest.raises(InputError, match=r"take\.csv: No space left"), replacing(path) as part:
        part.write_text("half")
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="Cannot write"), replacing(tmp_path / "a/b") as part:
        part.write_text("x")


def test_a_place_that_no_file_can_have_is_refused_before_the_work(tmp_path: Path):
    with pytest.raises(InputError, match="name a file in it"):
        check_place(tmp_path)
    with pytest.raises(InputError, match="make it first"):
        check_place(tmp_path / "absent" / "take.csv")
    check_place(tmp_path / "take.csv")
    assert not list(tmp_path.iterdir())


def own_replacements(source: str) -> Iterator[int]:
    """Lines that put a temporary file in the place of another, or name one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.endswith(tuple(f".{name}" for name in TEMPORARY)):
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target, method = ast.unparse(node.func.value), node.func.attr
            if (target, method) in (("os", "replace"), ("os", "rename"), ("shutil", "move")) or (
                method == "replace" and target.split(".")[-1].strip("_").lower() in TEMPORARY
            ):
                yield node.lineno


def test_nobody_else_replaces_a_file_by_a_temporary_one():
    modules = set(PACKAGE.rglob("*.py"))
    ours = PACKAGE / "media/files.py"
    assert list(own_replacements(ours.read_text(encoding="utf-8")))
    assert not [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(modules - {ours})
        for line in own_replacements(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("partial.replace(path)", 1),
        ("os.replace(a, b)", 1),
        ('path.with_suffix(".part")', 1),
        ('name.replace("a", "b")', 0),
    ],
)
def test_a_replacement_of_ones_own_is_noticed(source: str, count: int):
    assert len(list(own_replacements(source))) == count
