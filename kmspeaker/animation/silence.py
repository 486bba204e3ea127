"""Lips that stay closed longer than any consonant are at rest, and rest is still.

Place in the flow: ``Pipeline.animate`` applies it to what the network gives, as does ``corpus`` to
captured lips. It is post-processing of ours, not the paper's: a small network never falls quite
silent, its lips tremble in pauses (``python -m kmspeaker.evaluation --only phonetic_contacts``
prints how fast, with and without this). Speech is left alone, and so is the upper face, which never
rests.
"""

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import binary_opening, gaussian_filter1d

from kmspeaker.face.lip_contact import CLOSED
from kmspeaker.face.rig import UPPER_SHAPES, FaceModel, Weights

MAY_REST = 3 * CLOSED
"""mm of opening above the neutral's under which lips may be at rest."""
LONGEST_CONSONANT = 0.3
"""Seconds; lips that stay closed for less are saying p, b or m."""
EVEN = 0.3
"""Seconds, standard deviation of the evening of resting lips: slow changes of the style stay."""
EASE = 0.1
"""Seconds over which rest comes and goes."""


def settle_lips(weights: Weights, face: FaceModel, fps: float) -> Weights:
    """The same take with still lips where they rest; see ``still_lips``."""
    return still_lips(weights, weights @ face.lip_opening < MAY_REST, fps)


def still_lips(weights: Weights, quiet: Bool[np.ndarray, " frames"], fps: float) -> Weights:
    """The lower face evened where ``quiet`` lasts longer than any consonant.

    Each new frame of a rest is a mean of frames of that rest, so weights stay within their bounds
    and ``mouthClose`` below ``jawOpen``; all other frames come back as they were.
    """
    resting = binary_opening(quiet, np.ones(max(1, round(LONGEST_CONSONANT * fps)), bool))
    calm = np.array(weights, np.float64)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], resting.astype(int), [0]])))
    for first, last in edges.reshape(-1, 2):
        even = gaussian_filter1d(calm[first:last], EVEN * fps, axis=0, mode="nearest")
        inside = np.minimum(np.arange(last - first), np.arange(last - first)[::-1])
        share = (inside[:, None] / (EASE * fps)).clip(0, 1)
        calm[first:last] += share * (even - calm[first:last])
    return np.where(UPPER_SHAPES, weights, calm).astype(np.float32)
