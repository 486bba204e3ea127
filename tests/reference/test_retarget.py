"""Laws of retargeting: what the rig did before a camera it does again, and lips follow lips."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, FaceModel
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.score_inverse import ScoreInverse
from kmspeaker.reference.tracking import FaceTrack, track_video
from kmspeaker.reference.weight_fit import OPPOSITES
from tests.reference.filmed import FPS, acted, filmed


def wavy(frames: int, seed: int, low: float, high: float, every: int) -> np.ndarray:
    """A smooth curve that rests at zero in the first half second."""
    knots = np.random.default_rng(seed).uniform(low, high, frames // every + 3)
    curve = CubicSpline(np.arange(len(knots)) * every, knots)(np.arange(frames)).clip(0, high)
    return np.where(np.arange(frames) < 15, 0, curve)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Talk with smiles, brows, blinks and glances; the face is at rest at first."""
    blinks = np.clip(1.2 - np.abs(np.arange(150) % 40 - 20) / 2, 0, 1)
    weights = acted(
        jawOpen=wavy(150, 1, -0.2, 0.5, 6),
        mouthSmile=wavy(150, 2, -0.3, 0.5, 20),
        mouthPucker=wavy(150, 3, -0.6, 0.8, 6),
        browInnerUp=wavy(150, 4, -0.2, 0.8, 15),
        browDown=wavy(150, 5, -0.8, 0.7, 15),
        mouthLowerDown=wavy(150, 6, -0.3, 0.4, 6),
        eyeBlink=np.where(np.arange(150) < 15, 0, blinks),
    )
    weights[:, ARKIT_INDEX["jawLeft"]] = wavy(150, 9, -0.6, 0.5, 20)
    glance = wavy(150, 10, -0.5, 0.6, 20)
    weights[:, [ARKIT_INDEX["eyeLookOutLeft"], ARKIT_INDEX["eyeLookInRight"]]] = glance[:, None]
    return weights


@pytest.fixture(scope="module", params=[0, 3, 6, 9])
def identity(face: FaceModel, request: pytest.FixtureRequest) -> str:
    return face.identities[request.param]


@pytest.fixture(scope="module")
def recovered(face: FaceModel, speech: np.ndarray, identity: str) -> Performance:
    return retarget(filmed(face, speech, identity), face)


def test_the_rig_does_again_what_it_did(
    face: FaceModel, speech: np.ndarray, recovered: Performance, identity: str
) -> None:
    assert len(recovered) == len(speech)
    wanted, found = (face.vertices(w, identity) for w in (speech, recovered.weights))
    error = np.sqrt(np.mean(np.sum((found - wanted) ** 2, axis=-1)))
    motion = np.sqrt(np.mean(np.sum((wanted - face.neutral(identity)) ** 2, axis=-1)))
    assert error < 0.3 * motion


@pytest.mark.parametrize("name", ["jawOpen", "eyeBlinkLeft", "eyeLookOutLeft"])
def test_what_keeps_to_the_landmarks_is_found_again(
    speech: np.ndarray, recovered: Performance, name: str
) -> None:
    wanted, found = (w[:, ARKIT_INDEX[name]] for w in (speech, recovered.weights))
    assert np.corrcoef(wanted, found)[0, 1] > 0.95
    assert np.sqrt(np.mean((wanted - found) ** 2)) < 0.12


@pytest.mark.parametrize("name", ["mouthSmileLeft", "mouthPucker", "browInnerUp", "browDownRight"])
def test_expressions_are_played_until_they_are_seen_as_they_were(
    speech: np.ndarray, recovered: Performance, name: str
) -> None:
    """Not the weights but mediapipe's answer to them comes back, a little larger (AMPLITUDE)."""
    wanted, found = (
        ScoreInverse.load().answer(w.astype(np.float64))[:, ARKIT_INDEX[name]].clip(0)
        for w in (speech, recovered.weights)
    )
    assert np.corrcoef(wanted, found)[0, 1] > 0.9
    assert 0.55 < np.polyfit(wanted, found, 1)[0] < 1.35


def test_lips_open_as_far_and_at_the_same_time(
    face: FaceModel, speech: np.ndarray, recovered: Performance, identity: str
) -> None:
    wanted, found = (w @ face.lip_opening for w in (speech, recovered.weights))
    assert np.corrcoef(wanted, found)[0, 1] > 0.99
    assert 0.9 < np.polyfit(wanted, found, 1)[0] < 1.1
    lags = [
        np.corrcoef(wanted[5:-5], found[5 + k : len(found) - 5 + k])[0, 1] for k in range(-5, 6)
    ]
    assert np.argmax(lags) == 5


def test_the_head_turns_about_its_median(recovered: Performance) -> None:
    times = np.arange(150) / FPS
    yaw, pitch, roll = (
        0.15 * np.sin(1.7 * times),
        0.1 * np.sin(2.3 * times + 1),
        0.05 * np.sin(times),
    )
    angles = np.stack([yaw, pitch, roll], axis=1)
    assert np.allclose(recovered.head, angles - np.median(angles, axis=0), atol=0.005)


def test_nonsense_does_not_appear(recovered: Performance) -> None:
    weights = recovered.weights
    assert ((weights >= 0) & (weights <= 1)).all()
    jaw, close = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    assert (weights[:, close] <= weights[:, jaw] + 1e-6).all()
    for one, other in OPPOSITES:
        assert not np.minimum(weights[:, ARKIT_INDEX[one]], weights[:, ARKIT_INDEX[other]]).any()
    silent = [k for k, name in enumerate(ARKIT_NAMES) if name in ("cheekPuff", "tongueOut")]
    assert weights[:, silent].max() < 0.15


def test_a_still_face_stays_still(face: FaceModel) -> None:
    still = np.zeros((60, 52), np.float32)
    weights = retarget(filmed(face, still, face.identities[1]), face).weights
    assert np.percentile(weights, 99) < 0.08
    assert np.abs(np.diff(weights, axis=0)).max() < 0.1


def test_closures_of_two_frames_survive(face: FaceModel) -> None:
    """An m between two open vowels: shut for two frames of thirty a second."""
    identity = face.identities[2]
    jaw = np.where(np.arange(90) < 15, 0, 0.3)
    closed = np.array([k for k in range(15, 90) if k % 15 in (7, 8)])
    jaw[closed] = 0
    weights = acted(jawOpen=jaw)
    found = retarget(filmed(face, weights, identity), face).weights @ face.lip_opening
    wanted = weights @ face.lip_opening
    assert found[closed].max() < 0.6
    assert np.abs(found[20:] - wanted[20:])[jaw[20:] > 0].max() < 1.3


def test_the_rate_of_the_video_does_not_matter(face: FaceModel, speech: np.ndarray) -> None:
    """A variable frame rate gives the same performance at the constant one."""
    identity = face.identities[4]
    times = np.cumsum(np.random.default_rng(3).uniform(0.02, 0.05, 140))
    times = (times - times[0])[times - times[0] < 149 / FPS]
    at_times = CubicSpline(np.arange(150) / FPS, speech)(times).clip(0, 1).astype(np.float32)
    found = retarget(filmed(face, at_times, identity, times=times), face)
    frames = len(found)
    assert frames == round((times[-1] + np.median(np.diff(times))) * FPS)
    gap, wanted = (w @ face.lip_opening for w in (found.weights, speech[:frames]))
    assert np.corrcoef(gap, wanted)[0, 1] > 0.98


def test_short_gaps_are_bridged_and_long_ones_are_not_present(
    face: FaceModel, speech: np.ndarray
) -> None:
    track = filmed(face, speech, face.identities[5], noise=0.1)
    confidence = track.confidence.copy()
    confidence[40:52] = 0
    confidence[80:110] = 0
    landmarks = np.where(confidence[:, None, None] > 0, track.landmarks, 0)
    found = retarget(replace(track, confidence=confidence, landmarks=landmarks), face)
    assert np.flatnonzero(found.bridged).tolist() == list(range(40, 52))
    assert np.flatnonzero(~found.present).tolist() == list(range(80, 110))
    jumps = np.abs(np.diff(found.weights[38:54], axis=0)).max()
    assert jumps < 0.35  # a blink is as fast


def test_hardly_a_face_is_refused(face: FaceModel, speech: np.ndarray) -> None:
    track = filmed(face, speech[:10], face.identities[0])
    confidence = np.zeros(10, np.float32)
    confidence[:3] = 1
    with pytest.raises(InputError, match="3 frames of the face"):
        retarget(replace(track, confidence=confidence), face)


def test_tracked_lips_are_followed_and_close(face: FaceModel) -> None:
    video = load_examples()["suspicious"].reference
    check_lips(FaceTrack.load(video.with_suffix(".track.npz")), face)


@pytest.mark.parametrize(
    "clip", ["LipNet_id2_vcd_swwp2s", "LipNet_test_video", "LipReadingQuiz_nicole_budget"]
)
def test_the_lips_of_real_people_are_followed(shared: Path, face: FaceModel, clip: str) -> None:
    check_lips(track_video(shared / "data/clips" / f"{clip}.mp4"), face)


def check_lips(track: FaceTrack, face: FaceModel) -> None:
    """Lips of a tracked person, on our head: as far apart, and closed where they are closed."""
    fps = 1 / float(np.median(np.diff(track.times)))
    found = retarget(track, face, fps=fps)
    gap = (found.weights @ face.lip_opening)[: len(track)]
    lips = np.linalg.norm(track.landmarks[:, 13, :2] - track.landmarks[:, 14, :2], axis=1)
    height = np.linalg.norm(track.landmarks[:, 168, :2] - track.landmarks[:, 2, :2], axis=1)
    lips = (
        lips
        / np.median(height)
        * np.linalg.norm(
            np.subtract(*face.landmarks(np.zeros((1, 52), np.float32), "clara")[0, [168, 2]])
        )
    )  # mm
    assert np.corrcoef(lips, gap)[0, 1] > 0.97
    assert 0.7 < np.polyfit(lips, gap, 1)[0] < 1.3
    closed = lips < 1
    assert closed.any()
    assert np.median(gap[closed]) < 0.7


def test_a_longer_clip_takes_little_more_memory(
    face: FaceModel, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes at 30 frames/s and their track, 6 kB a frame, stay below 500 MB."""
    monkeypatch.setattr("kmspeaker.reference.pieces.PIECE", 8)
    peaks = []
    for frames in (50, 150):
        track = filmed(face, speech[:frames], face.identities[0])
        tracemalloc.start()
        retarget(track, face)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 100 < 20_000
