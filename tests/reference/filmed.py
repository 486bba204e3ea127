"""What a tracker would see of our heads: landmarks and scores of known weights."""

import numpy as np
from scipy.spatial.transform import Rotation

from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, PART_NAMES, FaceModel, without_side
from kmspeaker.reference.at_rest import RESTING, RESTING_OTHERS
from kmspeaker.reference.score_inverse import ScoreInverse
from kmspeaker.reference.tracking import FaceTrack

FPS = 30.0
AT_REST = np.array([RESTING.get(without_side(n), RESTING_OTHERS)[0] for n in ARKIT_NAMES])
"""What mediapipe scores most people at rest."""


def both_sides(name: str) -> list[int]:
    return [ARKIT_INDEX[n] for n in (name, f"{name}Left", f"{name}Right") if n in ARKIT_INDEX]


def acted(**curves: np.ndarray) -> np.ndarray:
    weights = np.zeros((len(next(iter(curves.values()))), len(ARKIT_NAMES)), np.float32)
    for name, curve in curves.items():
        weights[:, both_sides(name)] = curve[:, None]
    return weights


def filmed(
    face: FaceModel,
    weights: np.ndarray,
    identity: str,
    *,
    noise: float = 0.3,
    times: np.ndarray | None = None,
    distance: float = 600.0,
) -> FaceTrack:
    """What a tracker would see: perspective camera, moving head, noise in pixels."""
    times = np.arange(len(weights)) / FPS if times is None else times
    points = face.landmarks(weights, identity).astype(np.float64)
    for eye in ("eye_right", "eye_left"):
        ball = np.flatnonzero(face.part == PART_NAMES.index(eye))
        pupil = ball[face.neutral(identity)[ball, 2].argmax()]
        iris = (weights @ face.deltas[:, pupil] + face.neutral(identity)[pupil])[:, None]
        points = np.concatenate([points, np.repeat(iris, 5, axis=1)], axis=1)
    angles = np.stack([np.sin(1.7 * times), np.sin(2.3 * times + 1), np.sin(times)], axis=1)
    turn = Rotation.from_euler("YXZ", angles * (0.15, 0.1, 0.05)).as_matrix()
    points = np.einsum("fij,flj->fli", turn, points)
    points[..., 0] += 8 * np.sin(times)[:, None]
    scale = 2.2 * distance / (distance - points[..., 2:])  # mm from the camera
    pixels = points * (1, -1, -1) * np.concatenate([scale, scale, np.full_like(scale, 2.2)], axis=2)
    pixels += np.random.default_rng(0).normal(0, noise, pixels.shape) + np.array((320, 240, 0))
    answered = ScoreInverse.load().answer(weights.astype(np.float64))
    scores = (AT_REST + answered).clip(0, 1).astype(np.float32)
    pose = np.tile(np.eye(4, dtype=np.float32), (len(times), 1, 1))
    pose[:, :3, :3] = turn
    return FaceTrack(
        landmarks=pixels.astype(np.float32),
        scores=scores,
        pose=pose,
        confidence=np.ones(len(times), np.float32),
        times=times,
        width=640,
        height=480,
    )
