"""Laws of tracking: one face, the same one throughout, at true times, or one clear sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.video_reader import Frame, read_frames
from kmspeaker.media.video_writer import write_video
from kmspeaker.reference.face_graph import Detection
from kmspeaker.reference.linking import follow_largest
from kmspeaker.reference.overlay import (
    LOWER_COLOUR,
    STATUS_COLOURS,
    UPPER_COLOUR,
    draw_track,
    keypoint_pixels,
    write_overlay,
)
from kmspeaker.reference.tracking import BRIDGED, LOST, SEEN, FaceTrack, track_video

FPS = 25.0


@pytest.fixture(scope="module")
def frames(speaking_clip: Path) -> list[np.ndarray]:
    return [frame for _, frame in read_frames(speaking_clip)]


@pytest.fixture(scope="module")
def track(speaking_track: FaceTrack) -> FaceTrack:
    return speaking_track


def test_the_track_lies_on_the_face(
    track: FaceTrack, frames: list[np.ndarray], speaking_clip: Path
) -> None:
    assert len(track) == len(frames)
    assert (track.height, track.width) == frames[0].shape[:2]
    times = [time for time, _ in read_frames(speaking_clip)]
    assert np.allclose(track.times, times, atol=1e-3)
    assert (track.confidence == 1).all()
    nose, chin, left_eye, right_eye = (track.landmarks[:, k] for k in (1, 152, 263, 33))
    assert (chin[:, 1] > nose[:, 1] + 20).all()
    assert (left_eye[:, 0] > right_eye[:, 0] + 40).all()  # the subject's left is on the right


def test_scores_are_in_our_order(track: FaceTrack) -> None:
    assert ((track.scores >= 0) & (track.scores <= 1)).all()
    gap = track.landmarks[:, 14, 1] - track.landmarks[:, 13, 1]
    assert np.corrcoef(gap, track.scores[:, ARKIT_INDEX["jawOpen"]])[0, 1] > 0.7
    assert track.scores[:, ARKIT_INDEX["eyeBlinkLeft"]].max() > 0.5  # he blinks once
    assert not track.scores[:, ARKIT_INDEX["tongueOut"]].any()


@pytest.fixture(scope="module")
def short(
    frames: list[np.ndarray], track: FaceTrack, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The clip's first fifteen frames, at its own rate."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    write_video(path, frames[:15], 1 / float(np.median(np.diff(track.times))))
    return path


def test_progress_rises_to_one_and_nothing_else_is_said(
    short: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[float] = []
    track_video(short, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_saved_track_is_the_same_track(track: FaceTrack, tmp_path: Path) -> None:
    track.save(tmp_path / "track.npz")
    again = FaceTrack.load(tmp_path / "track.npz")
    for name in ("landmarks", "scores", "pose", "confidence", "times", "width", "height"):
        assert np.array_equal(getattr(again, name), getattr(track, name)), name
    assert [path.name for path in tmp_path.iterdir()] == ["track.npz"]


def test_a_damaged_track_is_refused(track: FaceTrack, tmp_path: Path) -> None:
    path = tmp_path / "track.npz"
    track.save(path)
    whole = path.read_bytes()
    arrays = dict(np.load(path))
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-100] + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no face track or is damaged"):
            FaceTrack.load(path)
    broken = {
        "format": np.asarray("kmspeaker-track-9"),
        "landmarks": np.full_like(track.landmarks, np.nan),
        "scores": track.scores[1:],
        "times": track.times[::-1],
        "confidence": np.zeros_like(track.confidence),
        "pose": np.array([object()]),
    }
    for name, value in broken.items():
        np.savez(path, **{**arrays, name: value})
        with pytest.raises(InputError):
            FaceTrack.load(path)
    with pytest.raises(InputError, match="no such file"):
        FaceTrack.load(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="Cannot write"):
        track.save(tmp_path / "absent" / "track.npz")


def _hidden(frames: Iterable[Frame], hidden: range) -> list[Frame]:
    return [np.zeros_like(f) if k in hidden else f for k, f in enumerate(frames)]


def test_gaps_up_to_half_a_second_are_bridged(frames: list[np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "gaps.mp4"
    write_video(path, _hidden(_hidden(frames[:45], range(5, 15)), range(25, 40)), FPS)
    track = track_video(path)
    assert (track.status[5:15] == BRIDGED).all()
    assert (track.status[25:40] == LOST).all()
    assert (np.delete(track.status, [*range(5, 15), *range(25, 40)]) == SEEN).all()
    assert (track.confidence[5:15] == 0).all()


@pytest.mark.parametrize(
    ("hidden", "says"),
    [(range(30), "no face in any of the 30 frames"), (range(10, 30), "only 10 of the 30 frames")],
)
def test_a_video_without_the_face_is_refused(
    frames: list[np.ndarray], tmp_path: Path, hidden: range, says: str
) -> None:
    write_video(tmp_path / "hidden.mp4", _hidden(frames[:30], hidden), FPS)
    with pytest.raises(InputError, match=says):
        track_video(tmp_path / "hidden.mp4")


def test_a_glimpse_is_refused(frames: list[np.ndarray], tmp_path: Path) -> None:
    write_video(tmp_path / "short.mp4", frames[:6], FPS)
    with pytest.raises(InputError, match=r"at least 0\.4 s"):
        track_video(tmp_path / "short.mp4")


def test_the_largest_face_that_persists_is_followed(tmp_path: Path) -> None:
    """The larger face is away at first, and the smaller one stands on its other side."""
    videos = (load_examples()[name].reference for name in ("delighted", "suspicious"))
    larger, smaller = ([frame for _, frame in read_frames(video)][:20] for video in videos)
    height, width = larger[0].shape[:2]
    scene = []
    for k, (large, small) in enumerate(zip(larger, smaller, strict=True)):
        picture = np.zeros((height, width // 2 + width, 3), np.uint8)
        picture[:, width // 2 :] = 0 if k < 5 else large
        picture[: height // 2, : width // 2] = small[::2, ::2]
        scene.append(picture)
    write_video(tmp_path / "two.mp4", scene, FPS)
    track = track_video(tmp_path / "two.mp4")
    assert (track.confidence[:5] == 0).all()
    assert (track.landmarks[6:, 1, 0] > width // 2).all()


def _face(x: float, y: float = 0.0, size: float = 100.0) -> Detection:
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, 0] = np.linspace(x - size / 2, x + size / 2, 478)
    landmarks[:, 1] = y
    return Detection(landmarks, np.zeros(52, np.float32), np.eye(4, dtype=np.float32))


def same(some: Sequence[Detection | None], others: Sequence[Detection | None]) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


def test_the_order_of_detections_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    left = [_face(100 + 3 * k, size=110) for k in range(40)]
    right = [_face(400 - 3 * k, size=100) for k in range(40)]
    found = [
        list(rng.permutation(np.array([a, b], object))) for a, b in zip(left, right, strict=True)
    ]
    assert same(follow_largest(found), left)


def test_a_face_is_found_again_after_a_gap() -> None:
    face, passer = [_face(100 + k) for k in range(60)], [_face(600, size=55) for _ in range(60)]
    found = [
        [p] if 20 <= k < 45 else [p, f] for k, (f, p) in enumerate(zip(face, passer, strict=True))
    ]
    chosen = follow_largest(found)
    assert same(chosen, [*face[:20], *[None] * 25, *face[45:]])


def test_keypoints_lie_on_the_face_and_are_bridged(track: FaceTrack, face: FaceModel) -> None:
    hidden = track.confidence.copy()
    hidden[10:15] = 0
    hidden[40:60] = 0
    pixels = keypoint_pixels(replace(track, confidence=hidden), face)
    whole = keypoint_pixels(track, face)
    assert whole.shape == (len(track), len(face.keypoints["ours"]), 2)
    box = track.landmarks[..., :2]
    assert (
        (whole >= box.min(axis=1, keepdims=True)) & (whole <= box.max(axis=1, keepdims=True))
    ).all()
    assert np.isnan(pixels[40:60]).all()
    assert np.isfinite(np.delete(pixels, range(40, 60), axis=0)).all()
    assert np.abs(pixels[10:15] - whole[10:15]).max() < 8
    upper = face.keypoints["ours"].upper
    assert whole[:, upper, 1].mean() < whole[:, ~upper, 1].mean()


def test_the_overlay_shows_both_sets_and_where_the_face_was_away(
    short: Path, track: FaceTrack, face: FaceModel, tmp_path: Path
) -> None:
    confidence = np.ones(15, np.float32)
    confidence[6:] = 0
    names = ("landmarks", "scores", "pose", "times")
    away = replace(track, confidence=confidence, **{n: getattr(track, n)[:15] for n in names})
    out, seen = tmp_path / "overlay.mp4", []
    write_overlay(away, short, out, progress=seen.append)
    drawn = [frame.astype(int) for _, frame in read_frames(out)]
    assert len(drawn) == 15
    assert seen[-1] == 1
    places = np.round(2 * keypoint_pixels(away, face)[2]).astype(int)  # the picture is doubled
    colours = np.where(face.keypoints["ours"].upper[:, None], UPPER_COLOUR, LOWER_COLOUR)
    dots = drawn[2][places[:, 1], places[:, 0]]
    assert np.median(np.abs(dots - colours).max(axis=1)) < 40
    bridged = np.array(STATUS_COLOURS[BRIDGED])
    assert np.abs(drawn[8][:, 1] - bridged).max() < 40
    assert np.abs(drawn[2][:, 1] - bridged).max() > 100


def test_a_lost_frame_has_a_red_border_and_no_dots(face: FaceModel) -> None:
    upper = face.keypoints["ours"].upper
    nowhere = np.full((len(upper), 2), np.nan, np.float32)
    drawn = draw_track(np.zeros((480, 640, 3), np.uint8), nowhere, upper, LOST)
    assert (drawn[-1] == STATUS_COLOURS[LOST]).all()
    assert not drawn[100:-20, 20:-20].any()
