"""How far lips open: half from the network, half from a linear reading of the speech (ours).

The network, which shows every shape of the mouth, and a ridge regression on the same features,
which knows natural talk alone and only how far lips open, follow people equally well and err at
other moments: their mean follows better than either (docs/people.md). The reading is fitted when
training begins and travels with the weights.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Float64

from kmspeaker.face.rig import UPPER_SHAPES
from kmspeaker.model.linear_reading import Features, solve_ridge, with_context

STRENGTH = 1e4
"""Penalty of the regression; suits minutes to hours of talk."""
FREE = 3.0
"""mm of the network's opening from which the reading counts in full. Where the network closes the
lips or brings them to the teeth, they stay as it puts them."""
STILL = 0.05
"""mm of deviation below which lips are still and stay so."""


def fit_opening(
    talk: Iterable[tuple[Features, Float[np.ndarray, "frames 52"]]],
    lip_opening: Float[np.ndarray, " 52"],
) -> tuple[Float64[np.ndarray, " inputs"], Float64[np.ndarray, " 52"]] | None:
    """The reading of clips of natural talk; None without any.

    Args:
        talk: Speech features and weights, clip by clip; each is standardised, so that nobody's wide
            mouth counts more.
        lip_opening: Change of the lips' opening by weight, mm.

    Returns:
        Slopes from features with context to the opening in standard deviations, and the weights
        of the lower face that move with one mm of opening.
    """
    normal, moment = np.zeros(()), np.zeros(())
    moved, square = np.zeros(len(lip_opening)), 0.0
    for features, weights in talk:
        inputs = with_context(features)
        # Single precision is twice as fast and summed exactly enough.
        inputs = (inputs - inputs.mean(axis=0)).astype(np.float32)
        motion = (weights - weights.mean(axis=0)).astype(np.float64)
        opening = motion @ lip_opening
        spread = float(opening.std())
        if spread < STILL:
            continue
        normal = normal + (inputs.T @ inputs).astype(np.float64)
        moment = moment + inputs.T @ (opening / spread)
        moved, square = moved + motion.T @ opening, square + float(opening @ opening)
    if not square:
        return None
    return solve_ridge(normal, moment, STRENGTH), np.where(UPPER_SHAPES, 0, moved / square)


def blend_opening(
    weights: Float[np.ndarray, "frames 52"],
    features: Features,
    slope: Float[np.ndarray, " inputs"],
    direction: Float[np.ndarray, " 52"],
    lip_opening: Float[np.ndarray, " 52"],
    share: float,
) -> Float64[np.ndarray, "frames 52"]:
    """Weights whose lips open as the network's and the reading's do on average.

    The mean and the spread of the opening stay the network's, which are the style's.

    Args:
        weights: The network's, of a whole take.
        features: Of the speech.
        slope: From ``fit_opening``.
        direction: The same.
        lip_opening: Change of the lips' opening by weight, mm.
        share: Of the reading, 0 to 1.
    """
    opening = weights.astype(np.float64) @ lip_opening
    reading = with_context(features) @ slope
    spread = opening.std()
    if spread < STILL or reading.std() < 1e-6:
        return weights.astype(np.float64)
    wanted = opening.mean() + spread * (reading - reading.mean()) / reading.std()
    change = share * (wanted - opening) * (opening / FREE).clip(0, 1)
    return weights + change[:, None] * direction
