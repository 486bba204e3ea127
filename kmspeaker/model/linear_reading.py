"""What a frame of speech and its neighbours say linearly, which some seconds of training can fit.

Place in the flow: ``opening`` reads from it how far lips open, ``contact_reading`` when they touch.
"""

import numpy as np
from jaxtyping import Float, Float64

CONTEXT = 2
"""Frames of speech on either side of a frame; five in all."""

Features = Float[np.ndarray, "frames dim"]


def with_context(features: Features) -> Float64[np.ndarray, "frames inputs"]:
    """Each frame's features joined to its neighbours', the first and last frame repeated."""
    padded = np.pad(features, ((CONTEXT, CONTEXT), (0, 0)), mode="edge").astype(np.float64)
    width = 2 * CONTEXT + 1
    return np.concatenate([padded[i : i + len(features)] for i in range(width)], axis=1)


def solve_ridge(
    normal: Float64[np.ndarray, "inputs inputs"],
    moment: Float64[np.ndarray, "inputs ..."],
    strength: float,
) -> Float64[np.ndarray, "inputs ..."]:
    """Slopes of a ridge regression from its normal equations."""
    return np.linalg.solve(normal + strength * np.eye(len(normal)), moment)
