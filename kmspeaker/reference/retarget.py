"""From a tracked face to the rig's 52 weights: what the person does, played by our head.

Place in the flow: ``tracking`` -> ``head_alignment`` -> here -> ``Performance``. Each frame is a
bounded least-squares fit of the rig's landmarks to the person's displacement from their own
neutral, scaled to the rig's mouth and eyes; mediapipe's blendshape scores are its prior. How far
lips and lids are open counts far more than where they are, since that is what one sees. All of it
is ours: the paper takes 3D keypoints as given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64
from scipy.interpolate import PchipInterpolator

from kmspeaker.errors import InputError
from kmspeaker.face.landmarks import (
    BROWS,
    CHIN,
    CONTOUR,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
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
from kmspeaker.face.rig import (
    ARKIT_INDEX,
    ARKIT_NAMES,
    PART_NAMES,
    FaceModel,
)
from kmspeaker.reference.head_alignment import (
    CALM_FRAMES,
    AlignedFace,
    align,
    eye_apertures,
    head_angles,
    rig_landmarks,
)
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import BRIDGED, LOST, SEEN, FaceTrack

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

PRIORS: Mapping[str, tuple[float, float]] = {
    "jawOpen": (0.71, 0.02),
    "eyeSquint": (0.65, 0.5),
    "browDown": (0.53, 0.3),
    "browInnerUp": (0.59, 0.3),
    "browOuterUp": (0.7, 0.2),
    "mouthSmile": (0.87, 0.15),
    "mouthPucker": (0.83, 0.15),
    "mouthUpperUp": (0.64, 0.05),
    "mouthShrugLower": (0.6, 0.05),
}
"""What mediapipe's landmarker scores a picture of the rig (``export.render.HeadRenderer``) with the
shape at 1, and how much its score counts, as a share of what the shape's landmarks count. Both
sides alike; ours, as ``scripts/measure_shapes.py`` prints them, but for eyeSquint, whose answer of
.15 would play the narrow eyes that some people have at rest as a squint."""
FUNNEL_GAP = 10.0
"""mm of lip opening at which half of a pucker counts as a funnel."""
LID_TRUST = 1.0
"""The same for eyeBlink and eyeWide, which follow from how far the lids are open."""
DOUBTS: Mapping[str, float] = {
    "mouthRollLower": 0.4,
    "mouthRollUpper": 0.4,
    "mouthShrugUpper": 0.3,
    "cheekPuff": 0.3,
    "jawForward": 0.3,
    "mouthFrownLeft": 0.1,
    "mouthFrownRight": 0.1,
}
"""The same for shapes without a useful score, which are drawn to zero: these change the lips'
outline or the depth, which says little, ..."""
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

QUICK, SLOW = 0.025, 0.05
"""Seconds of smoothing for lips, lids and gaze, and for the rest of the face."""
STILL = 0.5
"""mm; motion of a region within a few frames that counts as noise and is averaged away."""


def retarget(track: FaceTrack, face: FaceModel, *, fps: float = 30.0) -> Performance:
    """The tracked performance on the rig, at a constant rate.

    Nothing lags: smoothing looks as far ahead as back, and leaves quick motion alone. Gaps of up
    to ``tracking.MAX_GAP`` are interpolated and marked ``bridged``, longer ones not ``present``.

    Raises:
        InputError: The face is seen in fewer than ``head_alignment.CALM_FRAMES`` frames.
    """
    count = int(np.count_nonzero(track.status == SEEN))
    if count < CALM_FRAMES:
        raise InputError(
            f"Got a face track with {count} frames of the face; at least {CALM_FRAMES} are needed."
        )
    aligned = align(track, face)
    weights = fit_weights(_denoise(aligned, face), face)
    frames = max(1, round((track.times[-1] + np.median(np.diff(track.times))) * fps))
    times = np.arange(frames) / fps
    nearest = np.searchsorted((track.times[1:] + track.times[:-1]) / 2, times)
    status = track.status[nearest]
    angles = np.unwrap(head_angles(track.pose[track.confidence > 0]), axis=0)
    head = _interpolate(aligned.times, angles - np.median(angles, axis=0), times)
    return Performance(
        weights=_interpolate(aligned.times, weights, times).clip(0, 1).astype(np.float32),
        fps=fps,
        present=status != LOST,
        bridged=status == BRIDGED,
        head=head.astype(np.float32),
        doubtful=np.zeros(frames, bool),
    )


def fit_weights(aligned: AlignedFace, face: FaceModel) -> Float64[np.ndarray, "seen 52"]:
    """Weights for each seen frame, in ``rig.ARKIT_NAMES`` order, within [0, 1]."""
    rig = rig_landmarks(face)
    deltas = face.landmark_deltas().astype(np.float64)
    moved = (aligned.points - aligned.neutral)[:, :468] * _scale_to_rig(aligned.neutral, rig)

    # One row for each coordinate of each landmark, and for each distance of lips and lids.
    axes = np.sqrt(_landmark_weights()[:, None] * (1, 1, DEPTH_WEIGHT))
    rows = (deltas * axes).reshape(len(deltas), -1)
    values = (moved * axes).reshape(len(moved), -1)
    pairs, distances = _openings(aligned, rig)
    openness = np.stack(
        [np.sqrt(weight) * (deltas[:, a, 1] - deltas[:, b, 1]) for a, b, weight in pairs], axis=1
    )
    root = np.sqrt([weight for *_, weight in pairs])
    # Where the lower face as a whole lies up or down depends on guessed depth: mostly let it go.
    shift = (axes * _lower_face(rig)[:, None] * (0, 1, 0)).ravel()
    shift /= np.sqrt(shift @ shift * (1 + SHIFT_STIFFNESS))
    unshifted = rows - np.outer(rows @ shift, shift)
    gram = unshifted @ rows.T + openness @ openness.T
    rhs = values @ unshifted.T + (distances * root) @ openness.T

    prior, trust = _prior(aligned)
    energy = np.diag(gram)
    stiffness = trust * energy + NOISE_ENERGY
    gram = gram + np.diag(stiffness)
    rhs = rhs + prior * stiffness

    # The lids follow the gaze on the rig too, so the gaze is found first and held.
    weights = np.zeros((len(moved), len(ARKIT_NAMES)))
    gaze = _gaze(aligned, face)
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


def _denoise(aligned: AlignedFace, face: FaceModel) -> AlignedFace:
    """Average noise away over a few frames on both sides; quick motion keeps its shape and time."""
    rig = rig_landmarks(face)
    lids = np.isin(np.arange(478), (*RIGHT_EYE, *LEFT_EYE, *range(468, 478)))
    lips = np.isin(np.arange(478), LIPS)
    low = np.append(rig[:, 1] < rig[SUBNASAL, 1], np.zeros(10, bool)) & ~lips
    points = aligned.points.copy()
    for region, seconds in (
        (lips, QUICK),
        (lids, QUICK),
        (low, QUICK),
        (~lips & ~lids & ~low, SLOW),
    ):
        flat = aligned.points[:, region].reshape(len(points), -1)
        smooth = _smooth(flat, aligned.times, seconds, STILL)
        points[:, region] = smooth.reshape(len(points), -1, 3)
    return replace(
        aligned, points=points, scores=_smooth(aligned.scores, aligned.times, QUICK, 0.03)
    )


def _smooth(
    values: Float64[np.ndarray, "frames channels"],
    times: Float64[np.ndarray, " frames"],
    seconds: float,
    still: float,
) -> Float64[np.ndarray, "frames channels"]:
    """Bilateral filter over time: a neighbour counts by its nearness in time and in value.

    ``still`` is a root mean square over the channels; frames further apart than that hardly mix.
    """
    total, weight = values.copy(), np.ones((len(values), 1))
    reach = min(len(values) - 1, int(np.ceil(2.5 * seconds / np.median(np.diff(times)))))
    for step in range(1, reach + 1):
        apart = np.sqrt(np.mean((values[step:] - values[:-step]) ** 2, axis=1))
        mix = np.exp(
            -0.5 * ((times[step:] - times[:-step]) / seconds) ** 2 - 0.5 * (apart / still) ** 2
        )[:, None]
        total[step:] += mix * values[:-step]
        total[:-step] += mix * values[step:]
        weight[step:] += mix
        weight[:-step] += mix
    return total / weight


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
    aligned: AlignedFace, rig: Float64[np.ndarray, "468 3"]
) -> tuple[list[tuple[int, int, float]], Float64[np.ndarray, "seen pairs"]]:
    """Pairs across lips and lids, and by how much their distance on the rig is to change, mm."""
    scale = _scale_to_rig(aligned.neutral, rig)[INNER_LOWER_LIP, 1]
    pairs, changes = [], []
    for (upper, lower), weight in zip(LIP_PAIRS, LIP_PAIR_WEIGHTS, strict=False):
        pairs.append((upper, lower, weight))
        gap = aligned.points[:, upper, 1] - aligned.points[:, lower, 1]
        at_rest = max(aligned.neutral[upper, 1] - aligned.neutral[lower, 1], aligned.closed_lips)
        opened = np.maximum(gap - at_rest, 0)
        changes.append(scale * opened * (1 - np.exp(-((opened / NEARLY_CLOSED) ** 2))))
    for openness, lid_pairs in zip(_eye_openness(aligned).T, LID_PAIRS, strict=True):
        for (upper, lower), weight in zip(lid_pairs, LID_PAIR_WEIGHTS, strict=True):
            pairs.append((upper, lower, weight))
            changes.append((rig[upper, 1] - rig[lower, 1]) * (openness - 1))
    return pairs, np.stack(changes, axis=1)


def _eye_openness(aligned: AlignedFace) -> Float64[np.ndarray, "seen 2"]:
    """0 where the lids touch, 1 as at rest, for the right and the left eye."""
    at_rest = eye_apertures(aligned.neutral[None])[0]
    return np.maximum(eye_apertures(aligned.points) - CLOSED_LIDS, 0) / (at_rest - CLOSED_LIDS)


def _prior(
    aligned: AlignedFace,
) -> tuple[Float64[np.ndarray, "seen 52"], Float64[np.ndarray, " 52"]]:
    """Expected weights, from the scores beyond the person's resting ones, and how they count."""
    prior = np.zeros_like(aligned.scores)
    trust = np.array([DOUBTS.get(name, DOUBT) for name in ARKIT_NAMES])
    for k, name in enumerate(ARKIT_NAMES):
        response_and_trust = PRIORS.get(name.removesuffix("Left").removesuffix("Right"))
        if response_and_trust is not None:
            response, trust[k] = response_and_trust
            prior[:, k] = (aligned.scores[:, k] - aligned.rest_scores[k]) / response
    pucker, funnel = ARKIT_INDEX["mouthPucker"], ARKIT_INDEX["mouthFunnel"]
    gap = aligned.points[:, INNER_UPPER_LIP, 1] - aligned.points[:, INNER_LOWER_LIP, 1]
    part = np.clip((gap - aligned.closed_lips) / FUNNEL_GAP, 0, 1)
    prior[:, funnel] = prior[:, pucker] * part / 2  # mediapipe calls round and open lips puckered
    prior[:, pucker] *= 1 - part / 2
    trust[funnel] = trust[pucker]
    for side, openness in zip(("Right", "Left"), _eye_openness(aligned).T, strict=True):
        blink, wide, squint = (ARKIT_INDEX[f"eye{n}{side}"] for n in ("Blink", "Wide", "Squint"))
        prior[:, blink], prior[:, wide] = 1 - openness, 2 * (openness - 1)
        prior[:, squint] *= openness.clip(0, 1)  # mediapipe calls shut eyes squinted too
        trust[[blink, wide]] = LID_TRUST
    return prior.clip(0, 1), trust


def _gaze(aligned: AlignedFace, face: FaceModel) -> dict[str, Float64[np.ndarray, " seen"]]:
    """Weights of the eight eyeLook shapes: where the irises lie between the corners of the eyes.

    Both eyes look the same way, which halves the noise; straight ahead is where they mostly look.
    """
    offsets = []
    for eye, iris in zip((RIGHT_EYE, LEFT_EYE), IRISES, strict=True):
        corners = (aligned.points[:, eye[0]] + aligned.points[:, eye[8]]) / 2
        offsets.append((aligned.points[:, iris] - corners)[:, :2])
    looking = np.mean(offsets, axis=0)
    visible = np.all(_eye_openness(aligned) > 1 - GAZE_BLINK, axis=1)
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


def _interpolate(
    known: Float64[np.ndarray, " seen"],
    values: Float64[np.ndarray, "seen channels"],
    times: Float64[np.ndarray, " frames"],
) -> Float64[np.ndarray, "frames channels"]:
    """Monotone cubic: peaks and closures keep their height, and nothing overshoots."""
    if len(known) < 2:
        return np.repeat(values[:1], len(times), axis=0)
    return PchipInterpolator(known, values)(np.clip(times, known[0], known[-1]))
