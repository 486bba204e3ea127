"""Laws of doubt: calm where all is seen, and there where hands, blur and profiles are."""

from dataclasses import replace

import numpy as np
import pytest

from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.doubt import MOST_OFF, doubtful_frames
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import FaceTrack
from tests.reference.filmed import acted, filmed

FRAMES = 90


@pytest.fixture(scope="module")
def track(face: FaceModel) -> FaceTrack:
    jaw = 0.3 * np.clip(np.sin(np.arange(FRAMES) / 2.5), 0, 1)
    return filmed(face, acted(jawOpen=jaw), face.identities[3])


def test_talk_that_is_seen_is_not_doubted(face: FaceModel, track: FaceTrack) -> None:
    assert not retarget(track, face).doubtful.any()


def test_points_that_jump_about_are_doubted(face: FaceModel, track: FaceTrack) -> None:
    """As those of a mouth behind a hand do."""
    landmarks = track.landmarks.copy()
    low = landmarks[0, :468, 1] > np.median(landmarks[0, :468, 1])
    noise = np.random.default_rng(0).normal(0, 9, (30, int(low.sum()), 3))
    landmarks[30:60, :468][:, low] += noise.astype(np.float32)
    found = retarget(replace(track, landmarks=landmarks), face)
    assert found.doubtful[35:55].all()
    assert not found.doubtful[:20].any()
    assert not found.doubtful[70:].any()
    assert found.present.all()


def test_a_profile_is_doubted(face: FaceModel, track: FaceTrack) -> None:
    pose = track.pose.copy()
    turn = np.radians(60)
    side = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    pose[40:, :3, :3] = side
    found = retarget(replace(track, pose=pose), face)
    assert found.doubtful[41:].all()
    assert not found.doubtful[:39].any()


def test_a_face_half_outside_the_picture_is_doubted(face: FaceModel, track: FaceTrack) -> None:
    confidence = track.confidence.copy()
    confidence[:10] = 0.7
    assert np.flatnonzero(
        retarget(replace(track, confidence=confidence), face).doubtful
    ).tolist() == (list(range(10)))


def test_a_face_that_is_no_face_of_ours_is_doubted() -> None:
    """However still it stands, as a blurred one does."""
    jumps = np.zeros(30)
    pose = np.tile(np.eye(4, dtype=np.float32), (30, 1, 1))
    seen = np.ones(30, np.float32)
    times = np.arange(30) / 30
    for off, doubted in ((0.5 * MOST_OFF, False), (1.1 * MOST_OFF, True)):
        found = doubtful_frames(jumps, np.full(30, off), times, pose, seen)
        assert (found == doubted).all()
