"""From a tracked face to the rig's 52 weights: what the person does, played by our head.

Place in the flow: ``tracking`` -> ``head_alignment`` -> here -> ``Performance``. Pose, the person's
face at rest and the weights of each frame are found in turns over the whole clip, each given the
others: ``at_rest`` takes the expressions off, ``score_inverse`` says what would make our head be
scored as the person is, ``weight_fit`` brings that and the landmarks together. All of it is ours;
the paper takes 3D keypoints as given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Integer

from kmspeaker.errors import InputError
from kmspeaker.face.identity_modes import IdentityModes
from kmspeaker.face.landmarks import (
    COUNT,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    LEFT_EYE,
    LIPS,
    RIGHT_EYE,
    STABLE,
    SUBNASAL,
)
from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.at_rest import (
    LANDMARKER_GAP,
    FaceAtRest,
    find_at_rest,
    resting_scores,
)
from kmspeaker.reference.doubt import doubtful_frames, frame_jumps
from kmspeaker.reference.head_alignment import (
    AlignedFace,
    align,
    align_neutral,
    head_angles,
    realign,
    rig_landmarks,
)
from kmspeaker.reference.neutral import NeutralFace
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.pieces import pieces
from kmspeaker.reference.score_inverse import ScoreInverse
from kmspeaker.reference.smoothing import interpolate, smooth
from kmspeaker.reference.tracking import BRIDGED, LOST, SEEN, FaceTrack
from kmspeaker.reference.weight_fit import fit_weights

FEWEST_FRAMES = 5
"""Of a face; fewer show no performance."""
ROUNDS = 2
"""In which pose, face at rest and weights are found from each other."""
QUICK, SLOW = 0.025, 0.05
"""Seconds of smoothing for lips, lids and gaze, and for the rest of the face."""
STILL, STILL_SCORE = 0.5, 0.03
"""mm; motion of a region within a few frames that counts as noise and is averaged away. The same
for scores."""


@dataclass(frozen=True)
class ClipFit:
    """What a clip's face does, and whose it is."""

    aligned: AlignedFace
    at_rest: FaceAtRest
    weights: Float64[np.ndarray, "seen 52"]
    """In ``rig.ARKIT_NAMES`` order, within [0, 1]."""
    doubtful: Bool[np.ndarray, " seen"]
    """Where it is not to be trusted."""


def retarget(track: FaceTrack, face: FaceModel, *, fps: float = 30.0) -> Performance:
    """The tracked performance on the rig, at a constant rate.

    Expressions are measured against ``track.neutral`` where the track says what is neutral, else
    against the most likely face at rest. Nothing lags: smoothing looks as far ahead as back, and
    leaves quick motion alone. Gaps of up to ``tracking.MAX_GAP`` are interpolated and marked
    ``bridged``, longer ones not ``present``.

    Raises:
        InputError: The face is seen in fewer than ``FEWEST_FRAMES`` frames.
    """
    fit = fit_clip(track, face)
    frames = max(1, round((track.times[-1] + np.median(np.diff(track.times))) * fps))
    times = np.arange(frames) / fps
    status = track.status[_nearest(track.times, times)]
    angles = np.unwrap(head_angles(track.pose[track.confidence > 0]), axis=0)
    known = fit.aligned.times
    head = interpolate(known, angles - np.median(angles, axis=0), times)
    return Performance(
        weights=interpolate(known, fit.weights, times).clip(0, 1).astype(np.float32),
        fps=fps,
        present=status != LOST,
        bridged=status == BRIDGED,
        head=head.astype(np.float32),
        doubtful=(status != LOST) & fit.doubtful[_nearest(known, times)],
    )


def fit_clip(track: FaceTrack, face: FaceModel) -> ClipFit:
    """Pose, face at rest and weights of the frames in which the face is seen.

    Raises:
        InputError: The face is seen in fewer than ``FEWEST_FRAMES`` frames.
    """
    count = int(np.count_nonzero(track.status == SEEN))
    if count < FEWEST_FRAMES:
        raise InputError(
            f"Got a face track with {count} frames of the face; at least {FEWEST_FRAMES} are "
            "needed."
        )
    modes, inverse = IdentityModes.load(face.folder), ScoreInverse.load()
    deltas = face.landmark_deltas().astype(np.float64)
    aligned = align(track, face)
    jumps = frame_jumps(aligned.points)
    aligned = _denoise(aligned, face)
    given = None if track.neutral is None else _given(track.neutral, face)
    scores = resting_scores(aligned.scores) if given is None else given.scores
    inverted = inverse.weights(aligned.scores - scores)

    def at_rest_but_for(weights: Float64[np.ndarray, "seen 52"]) -> FaceAtRest:
        return given or find_at_rest(aligned, weights, scores, deltas, modes)

    def shapes(
        frames: slice, landmarks: Sequence[int]
    ) -> Float64[np.ndarray, "frames landmarks 3"]:
        some = list(landmarks)
        return at_rest.points[some] + np.tensordot(weights[frames], deltas[:, some], axes=1)

    at_rest = at_rest_but_for(inverted)
    weights = fit_weights(aligned, at_rest, inverted, face)
    for _ in range(ROUNDS - 1):
        aligned = realign(aligned, shapes(slice(None), STABLE))
        at_rest = at_rest_but_for(weights)
        weights = fit_weights(aligned, at_rest, inverted, face)
    off = np.empty_like(jumps)
    for piece in pieces(len(off)):
        apart = aligned.points[piece, :COUNT] - shapes(piece, range(COUNT))
        off[piece] = np.sqrt(np.mean(apart[..., :2] ** 2, axis=(1, 2)))
    seen = track.status == SEEN
    doubtful = doubtful_frames(jumps, off, aligned.times, track.pose[seen], track.confidence[seen])
    return ClipFit(aligned, at_rest, weights, doubtful)


def _nearest(
    known: Float64[np.ndarray, " known"], times: Float64[np.ndarray, " frames"]
) -> Integer[np.ndarray, " frames"]:
    return np.searchsorted((known[1:] + known[:-1]) / 2, times)


def _given(neutral: NeutralFace, face: FaceModel) -> FaceAtRest:
    """The face at rest that the user named."""
    points = align_neutral(neutral, face)
    gap = points[INNER_UPPER_LIP, 1] - points[INNER_LOWER_LIP, 1]
    return FaceAtRest(
        points,
        neutral.scores.astype(np.float64),
        float(np.clip(gap, 0, LANDMARKER_GAP)),
        np.zeros(0),
    )


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
        points[:, region] = smooth(aligned.points, aligned.times, seconds, STILL, region)
    scores = smooth(aligned.scores, aligned.times, QUICK, STILL_SCORE)
    return replace(aligned, points=points, scores=scores)
