"""The head turns the way the angles say, as a rigid body, about the base of the skull."""

import numpy as np
from scipy.spatial.transform import Rotation

from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.head_pose import HEAD_PIVOT, head_quaternions, head_rotations, turn_head
from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.head_alignment import head_angles

NOSE = np.array([[0.0, -30.0, 45.0]], np.float32)
"""Roughly its tip, mm."""


def angles(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    return np.array([yaw, pitch, roll], np.float32)


def test_the_angles_of_a_rotation_are_those_that_tracking_reads():
    given = np.random.default_rng(0).uniform(-0.8, 0.8, (50, 3))
    pose = np.tile(np.eye(4, dtype=np.float32), (50, 1, 1))
    pose[:, :3, :3] = head_rotations(given)
    np.testing.assert_allclose(head_angles(pose), given, atol=1e-5)
    quaternions = head_quaternions(given)
    np.testing.assert_allclose(
        Rotation.from_quat(quaternions).as_matrix(), head_rotations(given), atol=1e-5
    )
    assert (quaternions[:, 3] >= 0).all()


def test_yaw_is_to_the_subjects_left_pitch_down_and_roll_to_the_right():
    assert turn_head(NOSE, angles(yaw=0.3))[0, 0] > 20
    assert turn_head(NOSE, angles(pitch=0.3))[0, 1] < NOSE[0, 1] - 20
    top = np.array([[0.0, 110.0, -60.0]], np.float32)
    assert turn_head(top, angles(roll=0.3))[0, 0] < -20


def test_turning_moves_nothing_within_the_head(face: FaceModel):
    vertices = face.neutral(face.identities[0])[::50]
    moved = turn_head(vertices, angles(0.3, -0.2, 0.1))
    apart, still_apart = (
        np.linalg.norm(points[:, None] - points, axis=2) for points in (vertices, moved)
    )
    np.testing.assert_allclose(still_apart, apart, atol=1e-2)
    pivot = np.array([HEAD_PIVOT], np.float32)
    np.testing.assert_allclose(turn_head(pivot, angles(0.3, -0.2, 0.1)), pivot, atol=1e-4)
    np.testing.assert_allclose(turn_head(vertices, angles()), vertices, atol=1e-4)


def test_pictures_show_the_turn(face: FaceModel):
    """Turned left and seen in a mirror is about the same as turned right."""
    still = np.zeros(52, np.float32)
    with HeadRenderer(face, face.identities[0], 160, 160, yaw=0.0) as renderer:
        ahead = renderer.frame(still).astype(int)
        left, right = (renderer.frame(still, angles(turn)).astype(int) for turn in (0.4, -0.4))
        assert np.abs(renderer.frame(still, angles()) - ahead).max() <= 2
    apart = np.abs(left - right).mean()
    assert np.abs(left[:, ::-1] - right).mean() < 0.5 * apart
    assert np.abs(left - ahead).mean() > 0.2 * apart
