"""Laws of references: a video, its saved track and a CSV, told apart by what is in them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.video_reader import read_frames
from kmspeaker.media.video_writer import write_video
from kmspeaker.reference.live_link import write_live_link
from kmspeaker.reference.load import Reference, load_reference


@pytest.fixture(scope="module")
def video(example_video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "clip.mp4"
    frames = [frame for _, frame in read_frames(example_video)]
    write_video(path, frames[:30], 25.0)
    return path


@pytest.fixture(scope="module")
def of_video(video: Path, face: FaceModel) -> Reference:
    return load_reference(video, face)


def test_a_saved_track_stands_in_for_its_video(
    of_video: Reference, video: Path, face: FaceModel, tmp_path: Path
) -> None:
    assert of_video.track is not None
    assert of_video.source == video
    assert of_video.performance.fps == 30
    assert len(of_video.performance) == 36  # 1.2 s
    of_video.track.save(tmp_path / "track.npz")
    shutil.move(tmp_path / "track.npz", tmp_path / "holiday.mp4")
    again = load_reference(tmp_path / "holiday.mp4", face)
    assert np.array_equal(again.performance.weights, of_video.performance.weights)
    assert again.track is not None


def test_a_csv_is_a_reference_without_a_picture(
    of_video: Reference, face: FaceModel, tmp_path: Path
) -> None:
    path = tmp_path / "take.mov"
    write_live_link(path, of_video.performance.weights, 30.0)
    reference = load_reference(path, face, fps=15.0)
    assert reference.track is None
    assert len(reference.performance) == 18
    half = of_video.performance.weights[::2]
    assert np.allclose(reference.performance.weights, half, atol=1e-5)


def test_the_rate_is_the_one_asked_for(
    of_video: Reference, face: FaceModel, tmp_path: Path
) -> None:
    assert of_video.track is not None
    of_video.track.save(tmp_path / "track.npz")
    assert len(load_reference(tmp_path / "track.npz", face, fps=60.0).performance) == 72


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"some words\n" * 20, "not a video"),
        (b"PK\x03\x04" + bytes(100), "no face track"),
        (b"Timecode,BlendShapeCount\n", "without the columns"),
        (None, "No such file"),
    ],
)
def test_anything_else_is_refused(
    face: FaceModel, tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "reference.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        load_reference(path, face)


def test_a_long_reference_is_refused(
    of_video: Reference, video: Path, face: FaceModel, tmp_path: Path
) -> None:
    assert of_video.track is not None
    of_video.track.save(tmp_path / "track.npz")
    write_live_link(tmp_path / "take.csv", of_video.performance.weights, 30.0)
    for path in (video, tmp_path / "track.npz", tmp_path / "take.csv"):
        with pytest.raises(InputError, match="limit"):
            load_reference(path, face, max_seconds=1.0)


def test_a_track_of_more_frames_a_second_than_tracks_have_is_refused(
    of_video: Reference, face: FaceModel, tmp_path: Path
) -> None:
    """Smoothing would look from each frame to all others."""
    assert of_video.track is not None
    replace(of_video.track, times=of_video.track.times / 1e6).save(tmp_path / "track.npz")
    with pytest.raises(InputError, match="more than 120 frames/s"):
        load_reference(tmp_path / "track.npz", face)
