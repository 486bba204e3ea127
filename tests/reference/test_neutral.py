"""Laws of what is neutral: a picture and a moment say the same, a track keeps it, doubt is said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from speaker import made_up_track

from kmspeaker.errors import InputError
from kmspeaker.media.video_reader import read_frames
from kmspeaker.reference.neutral import NeutralFace, neutral_of_picture
from kmspeaker.reference.tracking import FaceTrack


@pytest.fixture(scope="module")
def photograph(speaking_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Image.Image:
    """The clip at half a second."""
    return Image.fromarray(next(f for s, f in read_frames(speaking_clip) if s >= 0.5))


def relative(neutral: NeutralFace) -> np.ndarray:
    """The landmarks, wherever and however large the face is."""
    places = neutral.landmarks[:, :2] - neutral.landmarks[:, :2].mean(axis=0)
    return places / np.linalg.norm(places, axis=1).mean()


def test_a_picture_of_a_moment_says_what_the_moment_says(
    photograph: Image.Image, speaking_track: FaceTrack, tmp_path: Path
):
    photograph.save(tmp_path / "face.png")
    pictured = neutral_of_picture(tmp_path / "face.png")
    moment = speaking_track.with_neutral_at(0.5).neutral
    assert moment is not None
    assert np.abs(relative(pictured) - relative(moment)).max() < 0.1
    assert np.abs(pictured.scores - moment.scores).max() < 0.25


def test_a_picture_taken_sideways_stands_upright(photograph: Image.Image, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    photograph.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    photograph.save(tmp_path / "face.png")
    turned, upright = (neutral_of_picture(tmp_path / n) for n in ("turned.png", "face.png"))
    assert np.abs(turned.landmarks - upright.landmarks).max() < 1


def _two_people(face: Image.Image, path: Path) -> None:
    both = Image.new("RGB", (2 * face.width, face.height))
    both.paste(face, (0, 0))
    both.paste(face, (face.width, 0))
    both.save(path)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda face, path: face.crop((0, 0, 60, 60)).save(path), "no face in neutral.png"),
        (_two_people, "more than one face in neutral.png"),
        (lambda face, path: face.resize((20, 20)).save(path), "20x20 pixels"),
        (lambda face, path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40)), "no picture"),
        (lambda face, path: path.write_text("<svg/>"), "no picture"),
        (lambda face, path: path.mkdir(), "Cannot read"),
        (lambda face, path: None, "Cannot read"),
    ],
)
def test_a_picture_that_cannot_say_it_is_refused(
    write: Callable[[Image.Image, Path], None], says: str, photograph: Image.Image, tmp_path: Path
):
    path = tmp_path / "neutral.png"
    write(photograph, path)
    with pytest.raises(InputError, match=says):
        neutral_of_picture(path)


def test_a_picture_too_large_is_refused_before_it_is_decoded(tmp_path: Path):
    path = tmp_path / "bomb.png"
    Image.new("1", (9000, 9000)).save(path)
    with pytest.raises(InputError, match="9000x9000"):
        neutral_of_picture(path)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(-1.0, "of a clip of"), (60.0, "inside it"), (float("nan"), "inside it"), (1.5, "no face")],
)
def test_a_moment_that_cannot_say_it_is_refused(seconds: float, says: str):
    with pytest.raises(InputError, match=says):
        made_up_track().with_neutral_at(seconds)


def test_a_profile_is_no_neutral_face():
    track = made_up_track()
    pose = track.pose.copy()
    pose[:, :3, :3] = [[0.5, 0, 0.87], [0, 1, 0], [-0.87, 0, 0.5]]
    with pytest.raises(InputError, match="turned 60° from the camera"):
        replace(track, pose=pose).with_neutral_at(0.5)


def test_one_odd_frame_changes_nothing():
    track = made_up_track()
    odd = track.landmarks.copy()
    odd[15] += 30
    one, other = (t.with_neutral_at(0.5).neutral for t in (track, replace(track, landmarks=odd)))
    assert one is not None and other is not None
    assert np.array_equal(one.landmarks, other.landmarks)


def test_a_saved_track_keeps_it_and_older_ones_have_none(tmp_path: Path):
    track, path = made_up_track(), tmp_path / "track.npz"
    track.save(path)
    assert FaceTrack.load(path).neutral is None
    told = track.with_neutral_at(0.2)
    told.save(path)
    kept = FaceTrack.load(path).neutral
    assert kept is not None and told.neutral is not None
    assert np.array_equal(kept.landmarks, told.neutral.landmarks)
    assert np.array_equal(kept.scores, told.neutral.scores)


@pytest.mark.parametrize(
    "damage",
    [
        {"neutral_landmarks": np.full((478, 3), np.nan, np.float32)},
        {"neutral_landmarks": np.zeros((478, 3), np.float32)},
        {"neutral_landmarks": np.ones((3, 3), np.float32)},
        {"neutral_scores": np.ones(51, np.float32)},
        {"neutral_scores": np.array(["a"] * 52)},
    ],
)
def test_a_damaged_neutral_face_is_refused(damage: dict[str, np.ndarray], tmp_path: Path):
    path = tmp_path / "track.npz"
    made_up_track().with_neutral_at(0.2).save(path)
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, **damage})
    with pytest.raises(InputError):
        FaceTrack.load(path)
