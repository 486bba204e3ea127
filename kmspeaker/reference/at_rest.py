"""A person's face at rest, from a clip in which it may never rest.

Place in the flow: ``head_alignment`` -> here -> ``retarget``. What mediapipe would score, and
where the landmarks would lie, if the person did nothing. A held expression looks like anatomy, and
anatomy like a held expression; the two are told apart by what people look like at rest: a Gaussian
of resting scores, ICT-FaceKit's identity modes for the shape. All of it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from kmspeaker.face.identity_modes import IdentityModes
from kmspeaker.face.landmarks import (
    CONTOUR,
    COUNT,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    LEFT_EYE,
    LIPS,
    RIGHT_EYE,
    SUBNASAL,
)
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, UPPER_SHAPES, without_side
from kmspeaker.reference.head_alignment import AlignedFace, eye_apertures, to_shape
from kmspeaker.reference.pieces import pieces

RESTING: Mapping[str, tuple[float, float]] = {
    "browDown": (0.08, 0.13),
    "browInnerUp": (0.08, 0.12),
    "browOuterUp": (0.11, 0.14),
    "eyeSquint": (0.27, 0.10),
    "eyeWide": (0.01, 0.01),
    "mouthPress": (0.04, 0.04),
    "mouthSmile": (0.02, 0.06),
}
"""Mean and deviation of what mediapipe scores faces at rest, sides alike: what
``scripts/measure_resting.py`` prints of clips of talk, with wider deviations since their people are
few; brows and narrow eyes also as development clips of acted neutral score."""
RESTING_OTHERS = (0.01, 0.02)
RESTING_APERTURE = (0.31, 0.045)
"""The same for how far lids are open, of the eye's width."""
EXPRESSION = 0.25
"""Mean of a score's departure from rest where there is an expression (Laplace): the smaller, the
more a clip may say about its person, and the more of a held expression is taken for anatomy."""

APERTURE_EXPRESSION = 0.025
"""As ``EXPRESSION``, of an aperture."""

LANDMARKER_GAP = 1.0
"""mm; the most that is taken for what mediapipe leaves between lips that touch."""
CALM = 0.3
"""Sum of weights by which a frame's expression may exceed the calmest one's and still say much
about the face at rest."""
SHAPE_NOISE = (3.0, 3.0, 20.0)
"""mm; how far a person's landmarks at rest, as seen, lie off any face of the identity modes: the
camera's perspective, mediapipe's own places and its guess of depth, all of which err for many
neighbouring landmarks at once."""
IDENTITY_ROUNDS = 3
"""In which pose and size of a face at rest, and its modes, are found from each other."""
OWN_SHARE = 0.7
"""How much of that is the person's, as mediapipe sees them, and is kept."""


@dataclass(frozen=True)
class FaceAtRest:
    """What expressions are measured against."""

    points: Float64[np.ndarray, "478 3"]
    """mm, on the rig's head: lips closed, eyes open."""
    scores: Float64[np.ndarray, " 52"]
    """What mediapipe answers to that."""
    closed_lips: float
    """Gap that mediapipe sees between this person's closed lips, mm."""
    identity: Float64[np.ndarray, " modes"]
    """Coefficients of ``IdentityModes``, in standard deviations."""


def resting_scores(scores: Float64[np.ndarray, "seen 52"]) -> Float64[np.ndarray, " 52"]:
    """The most likely scores at rest: Gaussian over people, Laplace over the clip's departures.

    A clip moves them off the population's mean by at most ``deviation² / EXPRESSION``, however
    long it holds an expression.
    """
    mean, deviation = np.array(
        [RESTING.get(without_side(n), RESTING_OTHERS) for n in ARKIT_NAMES]
    ).T
    return np.maximum(_most_likely(scores, mean, deviation, EXPRESSION), 0)


def find_at_rest(
    aligned: AlignedFace,
    weights: Float64[np.ndarray, "seen 52"],
    scores: Float64[np.ndarray, " 52"],
    deltas: Float64[np.ndarray, "52 468 3"],
    modes: IdentityModes,
) -> FaceAtRest:
    """The face that is left when each frame's expression is taken off.

    Args:
        aligned: The clip.
        weights: What its face does.
        scores: At rest.
        deltas: Of the rig's landmarks.
        modes: How faces at rest differ.
    """
    points = aligned.points
    gap = np.subtract(points[:, INNER_UPPER_LIP, 1], points[:, INNER_LOWER_LIP, 1], dtype=float)
    apertures = eye_apertures(points)
    open_wide = np.percentile(apertures, 75, axis=0)
    shut = (1 - apertures / open_wide).max(axis=1).clip(0)
    high = UPPER_SHAPES & ~np.array([name.startswith("eye") for name in ARKIT_NAMES])
    restless_below = gap / 10 + weights[:, ~UPPER_SHAPES].sum(axis=1)
    restless_above = weights[:, high].sum(axis=1) + 3 * shut
    lower = np.append(modes.average[:, 1] < modes.average[SUBNASAL, 1], np.zeros(10, bool))
    own, shown_apertures = np.zeros(points.shape[1:]), np.empty_like(apertures)
    calm_below, calm_above = (
        np.exp(-(restless - restless.min()) / CALM) for restless in (restless_below, restless_above)
    )
    for piece in pieces(len(points)):
        shown = points[piece].astype(np.float64)
        shown[:, :COUNT] -= np.tensordot(weights[piece], deltas, axes=1)
        shown_apertures[piece] = eye_apertures(shown)
        for calm, region in ((calm_below, lower), (calm_above, ~lower)):
            own[region] += np.tensordot(calm[piece] / calm.sum(), shown[:, region], axes=1)

    noise = np.tile(SHAPE_NOISE, (COUNT, 1))
    noise[list(CONTOUR)] = 20.0  # slides along the silhouette
    noise[list(LIPS)] *= 2  # still hold something of speech
    identity, likely = np.zeros(len(modes.modes)), modes.average
    for _ in range(IDENTITY_ROUNDS):
        identity, likely = modes.most_likely(to_shape(likely, own[:COUNT]), noise)
    likely = to_shape(own, likely)
    own[:COUNT] = likely + OWN_SHARE * (own[:COUNT] - likely)

    closed = float(np.clip(np.percentile(gap, 3), 0, LANDMARKER_GAP))
    _open_eyes(own, shown_apertures, shut)
    _close_lips(own, closed, deltas)
    return FaceAtRest(own, scores, closed, identity)


def _most_likely(
    values: Float64[np.ndarray, "frames channels"],
    mean: Float64[np.ndarray, " channels"],
    deviation: Float64[np.ndarray, " channels"],
    scale: float,
) -> Float64[np.ndarray, " channels"]:
    """argmin_o (o - mean)² / 2 deviation² + mean_t |value_t - o| / scale, by bisection."""
    reach = deviation**2 / scale
    low, high = mean - reach, mean + reach
    for _ in range(30):
        middle = (low + high) / 2
        slope = (middle - mean) / deviation**2 - np.sign(values - middle).mean(axis=0) / scale
        low, high = np.where(slope > 0, low, middle), np.where(slope > 0, middle, high)
    return (low + high) / 2


def _open_eyes(
    own: Float64[np.ndarray, "478 3"],
    apertures: Float64[np.ndarray, "seen 2"],
    shut: Float64[np.ndarray, " seen"],
) -> None:
    """Lids as far apart as they most likely are at rest; they say little where they blink."""
    mean, deviation = np.array([RESTING_APERTURE, RESTING_APERTURE]).T
    seen = shut <= max(0.3, float(shut.min()))  # somebody may never have both eyes open
    wanted = _most_likely(apertures[seen], mean, deviation, APERTURE_EXPRESSION)
    found = eye_apertures(own[None])[0]
    for eye, share in zip((RIGHT_EYE, LEFT_EYE), wanted / np.maximum(found, 0.05), strict=True):
        middle = own[[eye[0], eye[8]], 1].mean()
        lids = [*eye[1:8], *eye[9:]]
        own[lids, 1] = middle + share * (own[lids, 1] - middle)


def _close_lips(
    own: Float64[np.ndarray, "478 3"], closed: float, deltas: Float64[np.ndarray, "52 468 3"]
) -> None:
    """Take off the jaw by which the lips are further apart than closed ones."""
    jaw = deltas[ARKIT_INDEX["jawOpen"]]
    apart = own[INNER_UPPER_LIP, 1] - own[INNER_LOWER_LIP, 1] - closed
    opened = jaw[INNER_UPPER_LIP, 1] - jaw[INNER_LOWER_LIP, 1]
    own[:COUNT] -= max(apart, 0.0) / opened * jaw
