"""Which weights put the rig's landmarks where a person's are: a bounded least-squares fit a frame.

Place in the flow: ``at_rest`` and ``score_inverse`` -> here -> ``retarget``. The landmarks'
displacement from the person at rest is scaled to the rig's mouth and eyes; what the score inverse
says is an observation beside it. How far lips and lids are open counts far more than where they
are, since that is what one sees: jaw, lips and gaze keep to the landmarks, and the expressive
shapes to what makes our head be read as the person is. All of it is ours.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from kmspeaker.face.landmarks import (
    BROWS,
    CHIN,
    CONTOUR,
    INNER_LOWER_LIP,
    IRISES,
    JAW,
    LEFT_EYE,
    LID_PAIRS,
    LIP_PAIRS,
    LIPS,
    MOUTH_CORNERS,
    RIGHT_EYE,
    SUBNASAL,
)
from kmspeaker.face.least_squares import bounded_least_squares
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, PART_NAMES, FaceModel, without_side
from kmspeaker.reference.at_rest import FaceAtRest
from kmspeaker.reference.head_alignment import AlignedFace, eye_apertures, rig_landmarks
from kmspeaker.reference.pieces import pieces

LANDMARK_WEIGHTS: tuple[tuple[Sequence[int], float], ...] = (
    (LIPS, 4.0),
    ((*RIGHT_EYE, *LEFT_EYE), 2.0),
    (BROWS, 3.0),
    (JAW, 1.0),
    (CONTOUR, 0.1),  # slides along the silhouette as the head turns
)
OTHER_WEIGHT = 0.4
DEPTH_WEIGHT = 0.1
"""Of z against x and y: mediapipe guesses depth."""

NEARLY_CLOSED = 0.8
"""mm; openings below this are taken towards zero, so that lips that nearly touch do touch."""
SHIFT_STIFFNESS = 0.1
"""How much the fit is held to the height of the lower face; endless would be wholly."""

LIP_PAIR_WEIGHTS = (120.0, 60.0, 60.0, 20.0, 20.0)
"""How much the distance of each of the first ``landmarks.LIP_PAIRS`` counts."""
LID_PAIR_WEIGHTS = (40.0, 80.0, 40.0)
"""The same of each eye's ``landmarks.LID_PAIRS``."""
CLOSED_LIDS = 0.04
"""Aperture that mediapipe sees on closed eyes, of the eye's width."""

TRUST: Mapping[str, float] = {
    **dict.fromkeys(("browDown", "browInnerUp", "browOuterUp", "eyeSquint", "mouthSmile"), 6.0),
    **dict.fromkeys(("cheekSquint", "noseSneer", "mouthFrown"), 3.0),
    **dict.fromkeys(("mouthPress", "mouthDimple"), 1.5),
    **dict.fromkeys(("mouthUpperUp", "mouthStretch", "mouthShrugLower", "mouthShrugUpper"), 1.0),
    **dict.fromkeys(("mouthPucker", "mouthFunnel"), 2.0),
    **dict.fromkeys(("mouthLowerDown", "jawOpen"), 0.3),
}
"""How much the score inverse counts for a shape, as a share of what its landmarks count. Sides
alike."""
LID_TRUST = 1.0
"""The same for eyeBlink and eyeWide, which follow from how far the lids are open."""
DOUBTS: Mapping[str, float] = {
    **dict.fromkeys(("mouthRollLower", "mouthRollUpper"), 0.4),
    **dict.fromkeys(("cheekPuff", "jawForward"), 0.3),
}
"""The same for other shapes, which are drawn to zero: these change the lips' outline or the depth,
which says little, ..."""
DOUBT = 0.05
"""... and all others."""
NOISE_ENERGY = 150.0
"""mm²; weight of a shape that the landmarks show only as much as they show noise."""

OPPOSITES = (
    *(("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")),
    *((f"mouthSmile{side}", f"mouthFrown{side}") for side in ("Left", "Right")),
)
GAZE_BLINK = 0.5
"""Above this much blink the iris is not seen, and the gaze is bridged."""


def fit_weights(
    aligned: AlignedFace,
    at_rest: FaceAtRest,
    inverted: Float64[np.ndarray, "seen 52"],
    face: FaceModel,
) -> Float64[np.ndarray, "seen 52"]:
    """Weights for each seen frame, in ``rig.ARKIT_NAMES`` order, within [0, 1].

    Args:
        aligned: The clip.
        at_rest: The person.
        inverted: What ``ScoreInverse`` makes of the clip's scores.
        face: The rig.
    """
    rig = rig_landmarks(face)
    deltas = face.landmark_deltas().astype(np.float64)

    # One row for each coordinate of each landmark, and for each distance of lips and lids.
    axes = np.sqrt(_landmark_weights()[:, None] * (1, 1, DEPTH_WEIGHT))
    rows = (deltas * axes).reshape(len(deltas), -1)
    pairs, distances = _openings(aligned, at_rest, rig)
    openness = np.stack(
        [np.sqrt(weight) * (deltas[:, a, 1] - deltas[:, b, 1]) for a, b, weight in pairs], axis=1
    )
    root = np.sqrt([weight for *_, weight in pairs])
    # Where the lower face as a whole lies up or down depends on guessed depth: mostly let it go.
    shift = (axes * _lower_face(rig)[:, None] * (0, 1, 0)).ravel()
    shift /= np.sqrt(shift @ shift * (1 + SHIFT_STIFFNESS))
    unshifted = rows - np.outer(rows @ shift, shift)
    gram = unshifted @ rows.T + openness @ openness.T
    rhs = (distances * root) @ openness.T
    to_rows = _scale_to_rig(at_rest.points, rig) * axes
    for piece in pieces(len(rhs)):
        moved = (aligned.points[piece] - at_rest.points)[:, :468] * to_rows
        rhs[piece] += moved.reshape(len(moved), -1) @ unshifted.T

    prior, trust = _observed(aligned, at_rest, inverted)
    energy = np.diag(gram)
    stiffness = trust * energy + NOISE_ENERGY
    gram = gram + np.diag(stiffness)
    rhs = rhs + prior * stiffness

    # The lids follow the gaze on the rig too, so the gaze is found first and held.
    weights = np.zeros_like(rhs)
    gaze = _gaze(aligned, at_rest, face)
    for name, value in gaze.items():
        weights[:, ARKIT_INDEX[name]] = value
    held = np.array([name in gaze or name == "tongueOut" for name in ARKIT_NAMES])
    return _cancel_opposites(_solve(gram, rhs, weights, held))


def _solve(
    gram: Float64[np.ndarray, "52 52"],
    rhs: Float64[np.ndarray, "frames 52"],
    weights: Float64[np.ndarray, "frames 52"],
    held: Bool[np.ndarray, " 52"],
) -> Float64[np.ndarray, "frames 52"]:
    """The free weights within [0, 1] and ``mouthClose <= jawOpen``; the held ones stay.

    ARKit's mouthClose counters an open jaw. With the jaw that it counters as one unknown,
    ``mouthClose + jawOpen``, and the rest of the jaw as another, the condition is a bound.
    """
    jaw, close = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    join = np.eye(len(gram))
    join[close, jaw] = 1  # weights = unknowns @ join
    rhs = (rhs - weights @ gram) @ join.T
    gram = join @ gram @ join.T
    free = np.flatnonzero(~held)
    # Shapes differ a hundredfold in energy: solve for weights times their own energy's root.
    scale = 1 / np.sqrt(np.diag(gram)[free])
    solved = bounded_least_squares(
        gram[np.ix_(free, free)] * np.outer(scale, scale),
        rhs[:, free] * scale,
        upper=1 / scale,
        iterations=400,
    )
    unknowns = weights.copy()
    unknowns[:, free] = solved * scale
    return (unknowns @ join).clip(0, 1)


def _landmark_weights() -> Float64[np.ndarray, " 468"]:
    weights = np.full(468, OTHER_WEIGHT)
    for landmarks, weight in LANDMARK_WEIGHTS:
        weights[list(landmarks)] = weight
    return weights


def _scale_to_rig(
    neutral: Float64[np.ndarray, "478 3"], rig: Float64[np.ndarray, "468 3"]
) -> Float64[np.ndarray, "468 3"]:
    """By how much the person's motion is scaled to be the rig's: mouth width and lower face."""
    width, height = (
        [float(np.linalg.norm(shape[a] - shape[b])) for shape in (rig, neutral)]
        for a, b in (MOUTH_CORNERS, (SUBNASAL, CHIN))
    )
    across = np.clip(width[0] / width[1], 0.8, 1.25)
    along = np.clip(height[0] / height[1], 0.8, 1.25)
    return 1 + _lower_face(rig)[:, None] * (np.array([across, along, 1.0]) - 1)


def _lower_face(rig: Float64[np.ndarray, "468 3"]) -> Float64[np.ndarray, " 468"]:
    """1 below the nose, 0 above, with a soft edge of 3 mm."""
    return 1 / (1 + np.exp((rig[:, 1] - rig[SUBNASAL, 1]) / 3))


def _openings(
    aligned: AlignedFace, at_rest: FaceAtRest, rig: Float64[np.ndarray, "468 3"]
) -> tuple[list[tuple[int, int, float]], Float64[np.ndarray, "seen pairs"]]:
    """Pairs across lips and lids, and by how much their distance on the rig is to change, mm."""
    scale = _scale_to_rig(at_rest.points, rig)[INNER_LOWER_LIP, 1]
    pairs, changes = [], []
    for (upper, lower), weight in zip(LIP_PAIRS, LIP_PAIR_WEIGHTS, strict=False):
        pairs.append((upper, lower, weight))
        gap = np.subtract(aligned.points[:, upper, 1], aligned.points[:, lower, 1], dtype=float)
        closed = max(at_rest.points[upper, 1] - at_rest.points[lower, 1], at_rest.closed_lips)
        opened = np.maximum(gap - closed, 0)
        changes.append(scale * opened * (1 - np.exp(-((opened / NEARLY_CLOSED) ** 2))))
    for openness, lid_pairs in zip(_eye_openness(aligned, at_rest).T, LID_PAIRS, strict=True):
        for (upper, lower), weight in zip(lid_pairs, LID_PAIR_WEIGHTS, strict=True):
            pairs.append((upper, lower, weight))
            changes.append((rig[upper, 1] - rig[lower, 1]) * (openness - 1))
    return pairs, np.stack(changes, axis=1)


def _eye_openness(aligned: AlignedFace, at_rest: FaceAtRest) -> Float64[np.ndarray, "seen 2"]:
    """0 where the lids touch, 1 as at rest, for the right and the left eye."""
    resting = eye_apertures(at_rest.points[None])[0]
    return np.maximum(eye_apertures(aligned.points) - CLOSED_LIDS, 0) / (resting - CLOSED_LIDS)


def _observed(
    aligned: AlignedFace,
    at_rest: FaceAtRest,
    inverted: Float64[np.ndarray, "seen 52"],
) -> tuple[Float64[np.ndarray, "seen 52"], Float64[np.ndarray, " 52"]]:
    """Weights beside the landmarks', and how they count."""
    prior, trust = np.zeros_like(inverted), np.empty(len(ARKIT_NAMES))
    for k, name in enumerate(ARKIT_NAMES):
        shape = without_side(name)
        trust[k] = TRUST.get(shape, DOUBTS.get(shape, DOUBT))
        if shape in TRUST:
            prior[:, k] = inverted[:, k]
    for side, openness in zip(("Right", "Left"), _eye_openness(aligned, at_rest).T, strict=True):
        blink, wide, squint = (ARKIT_INDEX[f"eye{n}{side}"] for n in ("Blink", "Wide", "Squint"))
        prior[:, blink], prior[:, wide] = 1 - openness, 2 * (openness - 1)
        prior[:, squint] *= openness.clip(0, 1)  # mediapipe calls shut eyes squinted too
        trust[[blink, wide]] = LID_TRUST
    return prior.clip(0, 1), trust


def _gaze(
    aligned: AlignedFace, at_rest: FaceAtRest, face: FaceModel
) -> dict[str, Float64[np.ndarray, " seen"]]:
    """Weights of the eight eyeLook shapes: where the irises lie between the corners of the eyes.

    Both eyes look the same way, which halves the noise; straight ahead is where they mostly look.
    """
    offsets = []
    for eye, iris in zip((RIGHT_EYE, LEFT_EYE), IRISES, strict=True):
        corners = (aligned.points[:, eye[0]] + aligned.points[:, eye[8]]) / 2
        offsets.append((aligned.points[:, iris] - corners)[:, :2])
    looking = np.mean(offsets, axis=0)
    visible = np.all(_eye_openness(aligned, at_rest) > 1 - GAZE_BLINK, axis=1)
    if not visible.any():
        visible[:] = True
    looking = looking - np.median(looking[visible], axis=0)
    x, y = (np.interp(aligned.times, aligned.times[visible], axis[visible]) for axis in looking.T)
    gaze = {}
    for side, outwards in (("Left", x), ("Right", -x)):
        for direction, travel in (("Out", outwards), ("In", -outwards), ("Up", y), ("Down", -y)):
            name = f"eyeLook{direction}{side}"
            gaze[name] = np.clip(travel / _iris_travel(face, name), 0, 1)
    return gaze


def _iris_travel(face: FaceModel, name: str) -> float:
    """How far the front of the eyeball moves across the face at weight 1, mm."""
    ball = face.part == PART_NAMES.index("eye_left" if name.endswith("Left") else "eye_right")
    front = np.flatnonzero(ball)[face.neutral(face.identities[0])[ball, 2].argmax()]
    return float(np.linalg.norm(face.deltas[ARKIT_INDEX[name], front, :2]))


def _cancel_opposites(
    weights: Float64[np.ndarray, "frames 52"],
) -> Float64[np.ndarray, "frames 52"]:
    """Take off what two opposite shapes have in common: it moves next to nothing."""
    weights = weights.copy()
    for one, other in OPPOSITES:
        pair = [ARKIT_INDEX[one], ARKIT_INDEX[other]]
        weights[:, pair] -= weights[:, pair].min(axis=1, keepdims=True)
    return weights
