"""Videos of heads beside each other: labels, rates, sound, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from takes import moving_take, turning

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export import save_comparison
from kmspeaker.export.mp4 import at_rate
from kmspeaker.face.rig import FaceModel


@pytest.fixture(scope="module")
def animation(face: FaceModel) -> FaceAnimation:
    return moving_take(face, frames=4)


def test_two_heads_stand_beside_each_other_with_labels_and_sound(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    other = replace(animation, identity="karim", weights=animation.weights[:2] * 0)
    told: list[float] = []
    path = save_comparison(
        (animation, other),
        ("Take 1", "A label that is far too long for so small a picture"),
        face,
        tmp_path / "both.mp4",
        width=320,
        height=180,
        progress=told.append,
    )
    with av.open(str(path)) as video:
        heads = json.loads(video.metadata["comment"])["heads"]
        assert [head["identity"] for head in heads] == [animation.identity, "karim"]
        assert heads[0]["label"] == "Take 1" and video.streams.audio
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(video=0)]
    assert len(pictures) == 4 and pictures[0].shape == (180, 320, 3)
    left, right = np.split(pictures[0], 2, axis=1)
    assert left[60:120, 50:110].mean() != pytest.approx(right[60:120, 50:110].mean(), abs=1)
    moved = np.abs(pictures[3] - pictures[1]).mean(axis=(0, 2))
    assert moved[:160].mean() > 3 * moved[160:].mean(), "only the first one speaks"
    for half in (left, right):
        assert half[155:175, 60:100].min() < 110 < 230 < half[155:175, 60:100].max(), "a label"
    assert told == sorted(told) and told[-1] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_many_heads_stand_in_rows_and_an_empty_place_stays_white(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    short = replace(animation, weights=animation.weights[:1])
    others = [replace(short, weights=short.weights * 0)] * 6
    path = save_comparison(
        [short, *others], [""] * 7, face, tmp_path / "all.mp4", width=320, height=200
    )
    with av.open(str(path)) as video:
        picture = next(video.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    tiles = picture.reshape(2, 100, 4, 80, 3).swapaxes(1, 2).reshape(8, 100, 80, 3)
    assert tiles[7].min() > 240 > 150 > tiles[6].min()
    mouths = tiles[:, 55:70, 30:55]
    moving, alike = (np.abs(mouths[k] - mouths[1]).mean() for k in (0, 2))
    assert moving > 2 * alike, "only the first one moves"


def test_a_nameless_video_tells_no_system_in_its_own_facts_either(face: FaceModel, tmp_path: Path):
    animation = moving_take(face)
    labels = ["Head A", "Head B"]
    path = save_comparison(
        [animation, animation],
        labels,
        face,
        tmp_path / "blind.mp4",
        width=160,
        height=80,
        nameless=True,
    )
    with av.open(str(path)) as video:
        comment = video.metadata["comment"]
    assert [head["label"] for head in json.loads(comment)["heads"]] == labels
    assert animation.model not in comment and "seed" not in comment and "synthetic" in comment


def test_another_rate_goes_through_every_frame_and_never_beyond(face: FaceModel):
    animation = turning(moving_take(face))
    double = at_rate(animation, 60.0)
    assert len(double) == 2 * len(animation) and double.head is not None
    np.testing.assert_allclose(double.weights[::2], animation.weights, atol=1e-6)
    before, after = animation.weights[:-1], animation.weights[1:]
    between = double.weights[1:-1:2]
    assert (between >= np.minimum(before, after) - 1e-6).all()
    assert (between <= np.maximum(before, after) + 1e-6).all()
    assert at_rate(animation, 25.0).seconds == pytest.approx(animation.seconds)
    assert at_rate(animation, animation.fps) is animation


@pytest.mark.parametrize(
    ("heads", "labels", "options", "says"),
    [
        (0, 0, {}, "heads"),
        (13, 13, {}, "heads"),
        (2, 1, {}, "label"),
        (1, 1, {"width": 3840}, "3840"),
        (1, 1, {"height": 10}, "10"),
        (1, 1, {"fps": 120.0}, "120"),
        (1, 1, {"fps": 0.0}, "0 pictures"),
        (1, 1, {"fps": float("nan")}, "nan"),
    ],
)
def test_beyond_the_limits_is_refused_before_any_work(
    animation: FaceAnimation,
    face: FaceModel,
    tmp_path: Path,
    heads: int,
    labels: int,
    options: dict,
    says: str,
):
    with pytest.raises(InputError, match=says):
        save_comparison([animation] * heads, [""] * labels, face, tmp_path / "a.mp4", **options)
    with pytest.raises(InputError, match=r"\.mp4"):
        save_comparison([animation], [""], face, tmp_path / "a.avi")
    assert not list(tmp_path.iterdir())


def test_a_stop_in_the_middle_leaves_nothing(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    def stop(fraction: float) -> None:
        if fraction > 0.2:
            raise InterruptedError

    with pytest.raises((InterruptedError, InputError)):
        save_comparison(
            [animation], [""], face, tmp_path / "a.mp4", width=64, height=64, progress=stop
        )
    assert not list(tmp_path.iterdir())
