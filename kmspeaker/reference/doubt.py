"""Where a fit is not to be trusted: hands, profiles, blur, a face that leaves the picture.

Place in the flow: ``retarget`` asks, ``Performance.doubtful`` carries it to the page's strip. The
landmarker always answers, and never says that it guesses; but points on a hand jitter, and those of
a blurred face make no face of ours. Limits are ours, seen on covered and blurred real clips.
"""

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy.ndimage import median_filter

from kmspeaker.face.landmarks import COUNT
from kmspeaker.reference.neutral import MOST_TURNED
from kmspeaker.reference.pieces import pieces

MOST_OFF = 3.4
"""mm, root mean square, by which the landmarks may lie off the fit's, ..."""
MOST_JITTER = 2.9
"""... and jump from where their neighbours in time have them; half of each is as bad."""
WHILE = 0.4
"""Seconds over which the two are looked at: a single odd frame is no doubt."""
LEAST_INSIDE = 0.95
"""Share of the landmarks that lie inside the picture."""


def frame_jumps(points: Float32[np.ndarray, "seen 478 3"]) -> Float64[np.ndarray, " seen"]:
    """How far a frame's landmarks lie from where its neighbours have them, root mean square, mm."""
    jumps = np.zeros(len(points))
    for piece in pieces(len(points) - 2):
        flat = points[piece.start : piece.stop + 2, :COUNT, :2].astype(np.float64)
        bends = flat[1:-1] - (flat[2:] + flat[:-2]) / 2
        jumps[piece.start + 1 : piece.stop + 1] = 2 * np.sqrt(
            np.mean(np.sum(bends**2, axis=2), axis=1)
        )
    return jumps


def doubtful_frames(
    jumps: Float64[np.ndarray, " seen"],
    off: Float64[np.ndarray, " seen"],
    times: Float64[np.ndarray, " seen"],
    pose: Float32[np.ndarray, "seen 4 4"],
    confidence: Float32[np.ndarray, " seen"],
) -> Bool[np.ndarray, " seen"]:
    """True where the fit of a seen frame is in doubt.

    Args:
        jumps: ``frame_jumps`` of the aligned landmarks, before any smoothing.
        off: Root mean square by which they lie off the fit's, mm.
        times: Seconds.
        pose: From the face to the camera, as in ``FaceTrack``.
        confidence: As in ``FaceTrack``.
    """
    window = 1 + 2 * round(WHILE / 2 / float(np.median(np.diff(times))))
    restless = median_filter(jumps, window, mode="nearest") / MOST_JITTER
    strange = median_filter(off, window, mode="nearest") / MOST_OFF
    towards = pose[:, 2, 2] / np.maximum(np.linalg.norm(pose[:, :3, 2], axis=1), 1e-9)
    turned = towards < np.cos(np.radians(MOST_TURNED))
    return (restless + strange > 1) | turned | (confidence < LEAST_INSIDE)
