"""Take head pose, face size and camera out of tracked landmarks.

Place in the flow: ``tracking`` -> here -> ``at_rest`` and ``retarget``. mediapipe's landmarks are
an image with a rough relative depth; after a similarity fit on points that expressions hardly move
they are millimetres on the rig's head, and their displacement from the person at rest is
expression. Once that is known, the fit is refined with it (``realign``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.face.landmarks import LEFT_EYE, RIGHT_EYE, STABLE
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.reference.neutral import NeutralFace
from kmspeaker.reference.pieces import pieces
from kmspeaker.reference.tracking import SEEN, FaceTrack

NOISE = 0.3
"""mm; what a stable landmark moves at least."""

Points = Float32[np.ndarray, "seen 478 3"]


@dataclass(frozen=True)
class AlignedFace:
    """The frames in which the face is seen, without head pose, in millimetres on the rig's head."""

    points: Points
    """x to the subject's left, y up, z out of the face; the last ten are the irises."""
    scores: Float64[np.ndarray, "seen 52"]
    times: Float64[np.ndarray, " seen"]


def rig_landmarks(face: FaceModel) -> Float64[np.ndarray, "468 3"]:
    """The neutral landmarks, averaged over the identities."""
    rest = np.zeros((1, len(ARKIT_INDEX)), np.float32)
    return np.mean([face.landmarks(rest, name)[0] for name in face.identities], axis=0).astype(
        np.float64
    )


def align(track: FaceTrack, face: FaceModel) -> AlignedFace:
    """Remove the head's motion, on the points that move least."""
    seen = track.status == SEEN
    points = _remove_head_motion(track.landmarks[seen], rig_landmarks(face))
    return AlignedFace(points, track.scores[seen].astype(np.float64), track.times[seen])


def align_neutral(neutral: NeutralFace, face: FaceModel) -> Float64[np.ndarray, "478 3"]:
    """One face, on the rig's head."""
    points = _remove_head_motion(neutral.landmarks[None], rig_landmarks(face))
    return points[0].astype(np.float64)


def realign(aligned: AlignedFace, shapes: Float64[np.ndarray, "seen stable 3"]) -> AlignedFace:
    """Remove what is left of the head's motion, given where a fit has ``STABLE`` in each frame.

    Landmarks that the fit explains badly count less, frame by frame: a face half hidden by a hand
    is held by its other half.
    """
    points = aligned.points[:, STABLE].astype(np.float64)
    off = np.linalg.norm((points - shapes)[..., :2], axis=2)
    typical = np.median(off, axis=0)
    weight = 1 / (NOISE**2 + typical**2) / (1 + (off / (NOISE + 2 * typical)) ** 2)
    return replace(aligned, points=_move(aligned.points, *_similarity(points, shapes, weight)))


def to_shape(
    points: Float64[np.ndarray, "points 3"], shape: Float64[np.ndarray, "468 3"]
) -> Float64[np.ndarray, "468 3"]:
    """A shape, moved, turned and scaled to where the stable ones of some points are."""
    stable = np.array(STABLE)
    turn, shift = _similarity(shape[None, stable], points[None, stable], np.ones((1, len(stable))))
    return shape @ turn[0] + shift[0]


def head_angles(pose: Float32[np.ndarray, "frames 4 4"]) -> Float64[np.ndarray, "frames 3"]:
    """Yaw (to the subject's left), pitch (down) and roll (head's top to the subject's right), rad.

    The rotation is taken as ``Ry(yaw) Rx(pitch) Rz(roll)``.
    """
    rotation = pose[:, :3, :3].astype(np.float64)
    yaw = np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2])
    pitch = np.arcsin(np.clip(-rotation[:, 1, 2], -1, 1))
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return np.stack([yaw, pitch, roll], axis=1)


def eye_apertures(
    points: Float[np.ndarray, "frames landmarks 3"],
) -> Float64[np.ndarray, "frames 2"]:
    """Distance of the lids over the width of the eye, for the right and the left eye."""
    return np.stack([_aperture(points, eye) for eye in (RIGHT_EYE, LEFT_EYE)], axis=1)


def _aperture(
    points: Float[np.ndarray, "frames landmarks 3"], eye: Sequence[int]
) -> Float64[np.ndarray, " frames"]:
    contour = points[:, list(eye)].astype(np.float64)
    width = np.linalg.norm(contour[:, 0] - contour[:, 8], axis=1)
    return (contour[:, 3:6, 1] - contour[:, 13:10:-1, 1]).mean(axis=1) / width


def _remove_head_motion(landmarks: Points, rig: Float64[np.ndarray, "468 3"]) -> Points:
    """Similarity fit of each frame to the person's own stable shape, which is found on the way.

    The shape starts as the rig's; points that keep moving in spite of the fit lose weight, so that
    raised brows do not tilt the head.
    """
    points, stable = landmarks[:, STABLE].astype(np.float64), rig[None, STABLE]
    shape, weight = stable, np.ones((1, len(STABLE)))
    for _ in range(4):
        turn, shift = _similarity(points, shape, weight)
        aligned = points @ turn + shift
        own = np.median(aligned, axis=0, keepdims=True)
        moving = np.mean(np.sum((aligned - own) ** 2, axis=2), axis=0, keepdims=True)
        turn, shift = _similarity(own, stable, np.ones_like(weight))
        shape, weight = own @ turn + shift, 1 / (NOISE**2 + moving)
    return _move(landmarks, *_similarity(points, shape, weight))


def _move(
    points: Points,
    turn: Float64[np.ndarray, "seen 3 3"],
    shift: Float64[np.ndarray, "seen 1 3"],
) -> Points:
    moved = np.empty_like(points)
    for piece in pieces(len(points)):
        moved[piece] = points[piece] @ turn[piece] + shift[piece]
    return moved


def _similarity(
    points: Float64[np.ndarray, "frames stable 3"],
    target: Float64[np.ndarray, "#frames stable 3"],
    weight: Float64[np.ndarray, "#frames stable"],
) -> tuple[Float64[np.ndarray, "frames 3 3"], Float64[np.ndarray, "frames 1 3"]]:
    """``points @ turn + shift`` comes nearest to ``target`` (Umeyama 1991)."""
    weight = (weight / weight.sum(axis=1, keepdims=True))[..., None]
    centre = (weight * points).sum(axis=1, keepdims=True)
    goal = (weight * target).sum(axis=1, keepdims=True)
    x, y = points - centre, target - goal
    u, stretch, vt = np.linalg.svd(np.swapaxes(weight * x, 1, 2) @ y)
    proper = np.ones_like(stretch)
    proper[:, 2] = np.sign(np.linalg.det(u @ vt))
    scale = np.sum(stretch * proper, axis=1) / np.sum(weight * x**2, axis=(1, 2))
    rotation = (u * proper[:, None]) @ vt
    turn = scale[:, None, None] * rotation
    return turn, goal - centre @ turn
