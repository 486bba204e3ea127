"""Motion without noise and without lag; quick motion keeps its shape and its time."""

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.interpolate import PchipInterpolator

from kmspeaker.reference.pieces import pieces

_ALL = slice(None)


def smooth(
    values: Float[np.ndarray, "frames ..."],
    times: Float64[np.ndarray, " frames"],
    seconds: float,
    still: float,
    region: Bool[np.ndarray, " channels"] | slice = _ALL,
) -> Float[np.ndarray, "frames ..."]:
    """Bilateral filter over time: a neighbour counts by its nearness in time and in value.

    Args:
        values: Of each frame.
        times: Seconds.
        seconds: Width of the filter.
        still: Root mean square over the region; frames further apart than that hardly mix.
        region: What moves together, and is returned: a part of ``values``' second axis.
    """
    reach = min(len(values) - 1, int(np.ceil(2.5 * seconds / np.median(np.diff(times)))))
    smoothed = np.empty((len(values), *values[0, region].shape), values.dtype)
    for piece in pieces(len(values)):
        first = max(piece.start - reach, 0)
        near = slice(first, piece.stop + reach)
        part = values[near, region].astype(np.float64)
        around = _smooth(part.reshape(len(part), -1), times[near], reach, seconds, still)
        smoothed[piece] = around[piece.start - first : piece.stop - first].reshape(
            smoothed[piece].shape
        )
    return smoothed


def _smooth(
    values: Float64[np.ndarray, "frames channels"],
    times: Float64[np.ndarray, " frames"],
    reach: int,
    seconds: float,
    still: float,
) -> Float64[np.ndarray, "frames channels"]:
    """Each frame with up to ``reach`` neighbours on both sides."""
    total, weight = values.copy(), np.ones((len(values), 1))
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


def interpolate(
    known: Float64[np.ndarray, " seen"],
    values: Float64[np.ndarray, "seen channels"],
    times: Float64[np.ndarray, " frames"],
) -> Float64[np.ndarray, "frames channels"]:
    """Monotone cubic: peaks and closures keep their height, and nothing overshoots."""
    if len(known) < 2:
        return np.repeat(values[:1], len(times), axis=0)
    return PchipInterpolator(known, values)(np.clip(times, known[0], known[-1]))
