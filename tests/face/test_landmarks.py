"""Landmark numbers are written in one table, and the table fits the bundled face."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.face import landmarks
from kmspeaker.face.landmarks import (
    BROW_TOPS,
    BROWS,
    COUNT,
    COUNT_WITH_IRISES,
    LEFT_EYE,
    LID_PAIRS,
    LIP_PAIRS,
    LIP_PAIRS_ACROSS,
    MOUTH_CORNERS,
    OUTER_EYES,
    RIGHT_EYE,
)
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel

ROOT = Path(__file__).parents[2]
TABLES = {name: value for name, value in vars(landmarks).items() if isinstance(value, tuple)}
LIDS = tuple(pair for side in LID_PAIRS for pair in side)
WITHIN = 3.0
"""mm by which the two sides of the bundled face may differ."""


def numbers(table: tuple) -> list[int]:
    """The landmarks of a table, however it is nested."""
    return [n for item in table for n in (numbers(item) if isinstance(item, tuple) else [item])]


NUMBERS = frozenset(number for table in TABLES.values() for number in numbers(table))
WHOLE = {frozenset(numbers(table)) for table in (*TABLES.values(), *LIP_PAIRS, *LIDS)}


@pytest.fixture(scope="module")
def places(face: FaceModel) -> np.ndarray:
    """(468, 3) where the landmarks lie on the mean neutral face, mm."""
    still = np.zeros((1, len(face.deltas)), np.float32)
    return np.mean([face.landmarks(still, name)[0] for name in face.identities], axis=0)


def written_landmarks(source: str) -> Iterator[tuple[int, list[int]]]:
    """Line and numbers of what reads like landmarks written out.

    A table or a pair of ours, four numbers or more that are all in our tables, or a number above 3
    that indexes something named landmarks.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            values = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            distinct = {value for value in values if type(value) is int}
            if len(values) == len(node.elts) == len(distinct) and (
                distinct in WHOLE or (len(distinct) > 3 and distinct <= NUMBERS)
            ):
                yield node.lineno, sorted(distinct)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("landmarks"):
            index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            values = [item.value for item in index if isinstance(item, ast.Constant)]
            if direct := [value for value in values if isinstance(value, int) and value > 3]:
                yield node.lineno, direct


def test_nobody_else_writes_a_landmarks_number():
    table = ROOT / "kmspeaker/face/landmarks.py"
    modules = [*ROOT.glob("kmspeaker/**/*.py"), *ROOT.glob("scripts/**/*.py")]
    assert table in modules
    copies = [
        f"{path.relative_to(ROOT)}:{line} {found}"
        for path in sorted(set(modules) - {table})
        for line, found in written_landmarks(path.read_text(encoding="utf-8"))
    ]
    assert not copies


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("A, B = (14, 13)", 1),
        ("BROW = [70, 63, 105, 66, 107]", 1),
        ("x = track.landmarks[:, 13, 1]", 1),
        ("x = track.landmarks[:, LOWER, :2]", 0),
        ("colour, size = (46, 160, 67), (5, 7)", 0),
    ],
)
def test_a_copy_is_noticed_and_a_colour_is_none(source: str, count: int):
    assert len(list(written_landmarks(source))) == count


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_landmarks_and_none_twice(name: str):
    own = numbers(TABLES[name])
    assert len(own) == len(set(own))
    assert min(own) >= 0 and max(own) < (COUNT_WITH_IRISES if name == "IRISES" else COUNT)


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"IRISES", "LEFT_EYE", "RIGHT_EYE"}))
def test_a_table_is_its_own_mirror_image(name: str, places: np.ndarray):
    own = places[numbers(TABLES[name])]
    apart = np.linalg.norm(own[:, None] * (-1, 1, 1) - own, axis=2)
    assert apart.min(axis=1).max() < WITHIN


@pytest.mark.parametrize(
    ("right", "left"),
    [
        (RIGHT_EYE, LEFT_EYE),
        LID_PAIRS,
        (BROWS[:10], BROWS[10:]),
        (BROW_TOPS[:3], BROW_TOPS[3:]),
        (MOUTH_CORNERS[:1], MOUTH_CORNERS[1:]),
        (OUTER_EYES[:1], OUTER_EYES[1:]),
    ],
    ids=("eyes", "lids", "brows", "brow tops", "mouth corners", "outer eyes"),
)
def test_right_and_left_come_in_the_same_order(right: tuple, left: tuple, places: np.ndarray):
    ours, theirs = places[numbers(right)], places[numbers(left)]
    assert (ours[:, 0] < 0).all()  # the subject's right; x points to the subject's left
    np.testing.assert_allclose(ours * (-1, 1, 1), theirs, atol=WITHIN)


def test_lids_lie_above_each_other_and_so_do_lips_once_they_part(
    places: np.ndarray, face: FaceModel
):
    jaw = np.zeros((1, len(face.deltas)), np.float32)
    jaw[0, ARKIT_INDEX["jawOpen"]] = 0.5
    parted = face.landmarks(jaw, face.identities[0])[0]
    pairs = [(places, LIDS, 5.0), (parted, LIP_PAIRS, 2.0), (parted, LIP_PAIRS_ACROSS, 2.0)]
    for points, table, least in pairs:
        upper, lower = np.array(table).T
        away = points[upper] - points[lower]
        assert away[:, 1].min() > least
        assert np.abs(away[:, 0]).max() < WITHIN
    upper, lower = np.array(LIP_PAIRS).T
    assert (places[upper, 1] - places[lower, 1]).min() > -0.1  # closed lips touch


def test_five_pairs_of_lips_go_from_the_right_corner_to_the_left(places: np.ndarray):
    across = places[[upper for upper, _ in LIP_PAIRS_ACROSS], 0]
    assert (np.diff(across) > 0).all()
    assert set(LIP_PAIRS_ACROSS) < set(LIP_PAIRS)
