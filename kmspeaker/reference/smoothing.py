"""Motion without noise and without lag; quick motion keeps its shape and its time."""

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import PchipInterpolator


def smooth(
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


def interpolate(
    known: Float64[np.ndarray, " seen"],
    values: Float64[np.ndarray, "seen channels"],
    times: Float64[np.ndarray, " frames"],
) -> Float64[np.ndarray, "frames channels"]:
    """Monotone cubic: peaks and closures keep their height, and nothing overshoots."""
    if len(known) < 2:
        return np.repeat(values[:1], len(times), axis=0)
    return PchipInterpolator(known, values)(np.clip(times, known[0], known[-1]))
