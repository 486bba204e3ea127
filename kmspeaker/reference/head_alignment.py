"""Take head pose, face size and camera out of tracked landmarks, and find the person's own neutral.

Place in the flow: ``tracking`` -> here -> ``retarget``. mediapipe's landmarks are an image with a
rough relative depth; after a similarity fit on points that expressions hardly move they are
millimetres on the rig's head, and their displacement from the person's neutral is expression.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.face.landmarks import INNER_LOWER_LIP, INNER_UPPER_LIP, LEFT_EYE, RIGHT_EYE, STABLE
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.reference.tracking import SEEN, FaceTrack

LANDMARKER_GAP = 1.0
"""mm; the most that is taken for what mediapipe leaves between lips that touch (ours)."""
CALM_SHARE = 0.15
"""The calmest share of a clip's frames is taken for its neutral."""
CALM_FRAMES = 5
NOISE = 0.3
"""mm; what a stable landmark moves at least."""

Points = Float64[np.ndarray, "seen 478 3"]

PERSISTENT: dict[str, float] = {
    "mouthSmileLeft": 0.15,
    "mouthSmileRight": 0.15,
    "browInnerUp": 0.4,
    "browOuterUpLeft": 0.45,
    "browOuterUpRight": 0.45,
    "browDownLeft": 0.1,
    "browDownRight": 0.1,
    "eyeSquintLeft": 0.55,
    "eyeSquintRight": 0.55,
}
"""Scores up to which a resting face is anatomy; what lies above is an expression that is held
throughout. Ours: most people score less at rest."""


@dataclass(frozen=True)
class AlignedFace:
    """The frames in which the face is seen, without head pose, in millimetres on the rig's head."""

    points: Points
    """x to the subject's left, y up, z out of the face; the last ten are the irises."""
    scores: Float64[np.ndarray, "seen 52"]
    times: Float64[np.ndarray, " seen"]
    neutral: Float64[np.ndarray, "478 3"]
    """The person at rest: lips closed, eyes open."""
    rest_scores: Float64[np.ndarray, " 52"]
    """What mediapipe answers to that."""
    closed_lips: float
    """Gap that mediapipe sees between this person's closed lips, mm."""


def rig_landmarks(face: FaceModel) -> Float64[np.ndarray, "468 3"]:
    """The neutral landmarks, averaged over the identities."""
    rest = np.zeros((1, len(ARKIT_INDEX)), np.float32)
    return np.mean([face.landmarks(rest, name)[0] for name in face.identities], axis=0).astype(
        np.float64
    )


def align(track: FaceTrack, face: FaceModel) -> AlignedFace:
    """Remove the head's motion and estimate the neutral face."""
    seen = track.status == SEEN
    points = _remove_head_motion(
        track.landmarks[seen].astype(np.float64) * (1, -1, -1), rig_landmarks(face)
    )
    scores = track.scores[seen].astype(np.float64)
    neutral, rest_scores, closed_lips = _estimate_neutral(points, scores, face)
    return AlignedFace(points, scores, track.times[seen], neutral, rest_scores, closed_lips)


def head_angles(pose: Float32[np.ndarray, "frames 4 4"]) -> Float64[np.ndarray, "frames 3"]:
    """Yaw (to the subject's left), pitch (down) and roll (head's top to the subject's right), rad.

    The rotation is taken as ``Ry(yaw) Rx(pitch) Rz(roll)``.
    """
    rotation = pose[:, :3, :3].astype(np.float64)
    yaw = np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2])
    pitch = np.arcsin(np.clip(-rotation[:, 1, 2], -1, 1))
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return np.stack([yaw, pitch, roll], axis=1)


def _remove_head_motion(points: Points, rig: Float64[np.ndarray, "468 3"]) -> Points:
    """Similarity fit of each frame to the person's own stable shape, which is found on the way.

    The shape starts as the rig's; points that keep moving in spite of the fit lose weight, so that
    raised brows do not tilt the head.
    """
    stable = np.array(STABLE)
    shape, weight = rig[stable], np.ones(len(stable))
    for _ in range(4):
        aligned = _apply_similarity(points[:, stable], shape, weight, points[:, stable])
        own = np.median(aligned, axis=0)
        moving = np.mean(np.sum((aligned - own) ** 2, axis=2), axis=0)
        shape = _apply_similarity(own[None], rig[stable], np.ones(len(stable)), own[None])[0]
        weight = 1 / (NOISE**2 + moving)
    return _apply_similarity(points[:, stable], shape, weight, points)


def _apply_similarity(
    points: Float64[np.ndarray, "frames stable 3"],
    target: Float64[np.ndarray, "stable 3"],
    weight: Float64[np.ndarray, " stable"],
    moved: Float64[np.ndarray, "frames any 3"],
) -> Float64[np.ndarray, "frames any 3"]:
    """Move ``moved`` by the similarity that brings ``points`` to ``target`` (Umeyama 1991)."""
    weight = weight / weight.sum()
    centre = np.einsum("fsx,s->fx", points, weight)[:, None]
    goal = weight @ target
    x, y = points - centre, target - goal
    u, stretch, vt = np.linalg.svd(np.einsum("fsi,sj,s->fij", x, y, weight))
    proper = np.ones_like(stretch)
    proper[:, 2] = np.sign(np.linalg.det(u @ vt))
    scale = np.sum(stretch * proper, axis=1) / np.einsum("fsx,fsx,s->f", x, x, weight)
    rotation = (u * proper[:, None]) @ vt
    return scale[:, None, None] * ((moved - centre) @ rotation) + goal


def _estimate_neutral(
    points: Points, scores: Float64[np.ndarray, "seen 52"], face: FaceModel
) -> tuple[Float64[np.ndarray, "478 3"], Float64[np.ndarray, " 52"], float]:
    """Median of the calm frames, mouth, eyes and brows each from their own; see ``AlignedFace``.

    An expression held throughout the clip (a smile, raised brows) is no neutral: what the scores
    show of it beyond ``PERSISTENT`` is taken off with the rig's shapes.
    """

    def score(*names: str) -> Float64[np.ndarray, " seen"]:
        return scores[:, [ARKIT_INDEX[name] for name in names]].sum(axis=1)

    gap = points[:, INNER_UPPER_LIP, 1] - points[:, INNER_LOWER_LIP, 1]
    apertures = eye_apertures(points)
    blink = np.max(-apertures / np.percentile(apertures, 75, axis=0), axis=1)
    brow = score("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
    mouth = gap / 10 + score(
        *("mouthPucker", "mouthFunnel", "mouthSmileLeft", "mouthSmileRight", "jawOpen"),
        *("mouthUpperUpLeft", "mouthUpperUpRight", "mouthPressLeft", "mouthPressRight"),
    )
    neutral = np.empty(points.shape[1:])
    rest_scores = np.empty(scores.shape[1])
    rig = rig_landmarks(face)
    eyes = np.isin(np.arange(478), (*RIGHT_EYE, *LEFT_EYE, *range(468, 478)))
    low = np.append(rig[:, 1] < rig[list(RIGHT_EYE), 1].min() - 5, np.zeros(10, bool))
    of_eyes = np.array([name.startswith("eye") for name in ARKIT_INDEX])
    of_brows = np.array([name.startswith("brow") for name in ARKIT_INDEX])
    for restless, landmarks, shapes in (
        (mouth, low, ~of_eyes & ~of_brows),
        (brow + np.maximum(blink + 0.6, 0), ~low & ~eyes, of_brows),
        (np.abs(blink + 1), eyes, of_eyes),
    ):
        calm = np.argsort(restless)[: max(CALM_FRAMES, round(CALM_SHARE * len(points)))]
        neutral[landmarks] = np.median(points[calm], axis=0)[landmarks]
        rest_scores[shapes] = np.median(scores[calm], axis=0)[shapes]
    held = np.zeros(len(rest_scores))
    for name, anatomy in PERSISTENT.items():
        held[ARKIT_INDEX[name]] = np.clip(rest_scores[ARKIT_INDEX[name]] - anatomy, 0, 0.6)
    closed = float(np.clip(np.percentile(gap, 3), 0, LANDMARKER_GAP))
    deltas = face.landmark_deltas().astype(np.float64)
    jaw = deltas[ARKIT_INDEX["jawOpen"]]
    apart = neutral[INNER_UPPER_LIP, 1] - neutral[INNER_LOWER_LIP, 1] - closed
    held[ARKIT_INDEX["jawOpen"]] = max(apart, 0) / (
        jaw[INNER_UPPER_LIP, 1] - jaw[INNER_LOWER_LIP, 1]
    )
    neutral[:468] -= np.einsum("w,wlx->lx", held, deltas)
    return neutral, np.where(held > 0, rest_scores - held, rest_scores), closed


def eye_apertures(points: Float[np.ndarray, "frames landmarks 3"]) -> Float[np.ndarray, "frames 2"]:
    """Distance of the lids over the width of the eye, for the right and the left eye."""
    return np.stack([_aperture(points, eye) for eye in (RIGHT_EYE, LEFT_EYE)], axis=1)


def _aperture(
    points: Float[np.ndarray, "frames landmarks 3"], eye: Sequence[int]
) -> Float[np.ndarray, " frames"]:
    outer, inner = eye[0], eye[8]
    width = np.linalg.norm(points[:, outer] - points[:, inner], axis=1)
    upper, lower = eye[3:6], eye[13:10:-1]
    return (points[:, upper, 1] - points[:, lower, 1]).mean(axis=1) / width
