"""Shared fixtures: the face, the bundled example as a reference, and real people where they are.

Tests use the bundled examples, so that a clone can run them. Clips of real people lie in a folder
beside the checkout and are never part of the product: a law that they show better is tested on
``speaking_clip``, and only what nothing bundled can show asks for ``shared``.
"""

import os
from pathlib import Path

import pytest

# Before VTK: each brings an LLVM of its own, and only in this order both work.
import torch._dynamo  # noqa: F401
from recordings import write_data

from kmspeaker.examples import load_examples
from kmspeaker.face.rig import FaceModel
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.load import load_reference
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import FaceTrack, track_video

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real people's clips and captures, for what nothing bundled can show."""
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have the test clips, but {SHARED} does not exist.")
        pytest.skip(f"needs real people, whose clips and captures lie in {SHARED}: it is not there")
    return SHARED


@pytest.fixture(scope="session")
def face() -> FaceModel:
    return FaceModel.load()


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    """The bundled model on the processor."""
    return Pipeline.load("small", device="cpu")


@pytest.fixture(scope="session")
def speaking_clip() -> Path:
    """Three seconds of a real man who speaks, or where he is not there the bundled example."""
    real = SHARED / "data/clips/LipNet_id2_vcd_swwp2s.mp4"
    return real if real.is_file() else load_examples()["delighted"].reference


@pytest.fixture(scope="session")
def speech_and_face() -> tuple[Path, tuple[float, float], Path]:
    """A recording, the seconds of it that have no pause, and a video of somebody else.

    Of real people where they are, of the bundled examples elsewhere.
    """
    speech = SHARED / "data/speech/librispeech_3spk/opus/ls_19-198-0001.opus"
    video = SHARED / "data/clips/LipReadingQuiz_how_are_you.mp4"
    if speech.is_file() and video.is_file():
        return speech, (0.6, 3.6), video
    examples = load_examples()
    return examples["delighted"].speech, (0.3, 3.3), examples["suspicious"].reference


@pytest.fixture(scope="session")
def loud_clip() -> tuple[Path, float]:
    """A clip, and how closely its lips follow its loudness at least.

    Of a real man, or where he is not there of an example: a network made those lips, and they
    follow less.
    """
    real = SHARED / "data/clips/LipNet_lrwp9a.mp4"
    return (real, 0.3) if real.is_file() else (load_examples()["suspicious"].reference, 0.2)


@pytest.fixture(scope="session")
def speaking_track(speaking_clip: Path) -> FaceTrack:
    return track_video(speaking_clip)


@pytest.fixture(scope="session")
def example_video() -> Path:
    """Somebody delighted, 4.7 s at 30 frames/s with sound."""
    return load_examples()["delighted"].reference


@pytest.fixture(scope="session")
def example_track(
    example_video: Path, speaking_clip: Path, request: pytest.FixtureRequest
) -> FaceTrack:
    if speaking_clip == example_video:
        return request.getfixturevalue("speaking_track")
    return track_video(example_video)


@pytest.fixture(scope="session")
def example_performance(example_track: FaceTrack, face: FaceModel) -> Performance:
    return retarget(example_track, face)


@pytest.fixture(scope="session")
def other_performance(face: FaceModel) -> Performance:
    """Somebody suspicious, 4.8 s."""
    track = load_examples()["suspicious"].reference.with_suffix(".track.npz")
    return load_reference(track, face).performance


@pytest.fixture(scope="session")
def data(
    example_performance: Performance,
    other_performance: Performance,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A data folder for a corpus: speech with phones, acted speech, captured upper faces."""
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, [example_performance, other_performance])
    return folder
