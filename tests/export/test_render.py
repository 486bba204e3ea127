"""The renderer shows what the weights say, the same each time, and needs no display."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel

SIZE = 160


@pytest.fixture(scope="module")
def renderer(face: FaceModel) -> Iterator[HeadRenderer]:
    with HeadRenderer(face, face.identities[0], SIZE, SIZE, yaw=0.0) as renderer:
        yield renderer


def pose(**weights: float) -> np.ndarray:
    """ARKit weights by name; a name without its side means both."""
    values = np.zeros(52, np.float32)
    for name, value in weights.items():
        for full in (name,) if name in ARKIT_INDEX else (f"{name}Left", f"{name}Right"):
            values[ARKIT_INDEX[full]] = value
    return values


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The largest change of a channel, pixel by pixel."""
    return np.abs(one.astype(int) - other.astype(int)).max(axis=2)


def test_a_picture_is_a_head_before_a_bright_background(renderer: HeadRenderer):
    picture = renderer.frame(pose())
    assert picture.shape == (SIZE, SIZE, 3) and picture.dtype == np.uint8
    corner, cheek = picture[2, 2].astype(int), picture[SIZE // 2, SIZE * 2 // 5].astype(int)
    assert corner.min() > 150 and np.ptp(corner) < 30, "the background is nearly grey"
    assert cheek[0] > cheek[2] + 15, "skin is redder than blue"


def test_the_same_weights_give_the_same_picture(renderer: HeadRenderer):
    first = renderer.frame(pose(jawOpen=0.4))
    renderer.frame(pose(eyeBlink=1))
    np.testing.assert_array_equal(renderer.frame(pose(jawOpen=0.4)), first)


@pytest.mark.parametrize(
    ("weights", "rows"),
    [({"jawOpen": 0.5}, "lower"), ({"eyeBlink": 1.0}, "upper"), ({"browInnerUp": 1.0}, "upper")],
)
def test_a_shape_changes_the_half_of_the_picture_it_moves(
    renderer: HeadRenderer, weights: dict[str, float], rows: str
):
    changed = difference(renderer.frame(pose(**weights)), renderer.frame(pose()))
    upper, lower = (changed[half] > 12 for half in np.split(np.arange(SIZE), 2))
    moved, still = (upper, lower) if rows == "upper" else (lower, upper)
    assert moved.sum() > 40
    assert still.sum() < 0.25 * moved.sum()


def test_skin_folds_where_it_is_pressed_together_and_nowhere_else(
    face: FaceModel, renderer: HeadRenderer
):
    name = face.identities[0]
    smooth = replace(face, people={name: replace(face.people[name], folding=0.0)})
    with HeadRenderer(smooth, name, SIZE, SIZE, yaw=0.0) as unlined:
        np.testing.assert_array_equal(renderer.frame(pose()), unlined.frame(pose()))
        frown = pose(browDown=1.0)
        changed = difference(renderer.frame(frown), unlined.frame(frown))
    assert changed.max() > 25
    rows, columns = np.nonzero(changed > 8)
    assert np.abs(columns - SIZE / 2).max() < 20 and rows.max() < SIZE / 2


def test_hair_covers_the_scalp_and_turns_with_the_head(face: FaceModel, renderer: HeadRenderer):
    name = face.identities[0]
    bald = replace(face, people={name: replace(face.people[name], hair=None)})
    with HeadRenderer(bald, name, SIZE, SIZE, yaw=0.0) as shaved:
        for turned in (0.0, 0.5):
            head = np.array([turned, 0.0, 0.0])
            changed = difference(renderer.frame(pose(), head), shaved.frame(pose(), head)) > 12
            rows, _ = np.nonzero(changed)
            assert changed.sum() > 400 and np.median(rows) < SIZE / 2


def test_a_bare_head_is_the_geometry_alone_and_moves_as_any(face: FaceModel):
    with HeadRenderer(face, face.identities[0], SIZE, SIZE, yaw=0.0, bare=True) as bare:
        picture = bare.frame(pose()).astype(int)
        cheek = picture[SIZE // 2, SIZE * 2 // 5]
        assert np.ptp(cheek) < 25 and cheek[0] > 100, "it is grey"
        assert (difference(bare.frame(pose(jawOpen=0.5)), picture) > 30).sum() > 40


@pytest.mark.parametrize("yaw", [30.0, -30.0])
def test_yaw_turns_the_head_to_the_viewers_right(face: FaceModel, yaw: float):
    with HeadRenderer(face, face.identities[0], SIZE, SIZE, yaw=yaw) as turned:
        changed = difference(turned.frame(pose(jawOpen=0.5)), turned.frame(pose()))
    changed[changed < 30] = 0  # cheeks and neck move too, and little
    mouth = (changed.sum(axis=0) * np.arange(SIZE)).sum() / changed.sum()
    assert np.sign(mouth - SIZE / 2) == np.sign(yaw)
    assert abs(mouth - SIZE / 2) > 4


def test_an_unknown_identity_is_refused(face: FaceModel):
    with pytest.raises(InputError, match="nobody"):
        HeadRenderer(face, "nobody")


def test_without_an_opengl_library_one_sentence_says_what_to_install():
    code = (
        "from kmspeaker.export.render import HeadRenderer\n"
        "from kmspeaker.face.rig import FaceModel\n"
        "face = FaceModel.load()\n"
        "try:\n    HeadRenderer(face, face.identities[0])\n"
        "except ValueError as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent"},
    )
    assert "libegl1" in run.stdout
    assert run.stderr == "", "VTK keeps quiet"
