"""Strengths from pairwise preferences: the Bradley-Terry model.

Place in the flow: ``analysis`` calls it where the protocol is pairwise. A tie is half a win for
each. Fitted by the MM algorithm (D. R. Hunter, Ann. Stat. 32, 2004).
"""

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2

Wins = Float[np.ndarray, "*draws conditions conditions"]
"""How often the row was preferred to the column; ties count half for both."""
_STEPS = 5000
_TOLERANCE = 1e-10
_FURTHEST = 1e-8
"""Of a strength to the mean one: who never wins has none."""


def bradley_terry(wins: Wins) -> Float[np.ndarray, "*draws conditions"]:
    """Log strengths, of mean 0: ``i`` is preferred to ``j`` with odds ``exp(s_i - s_j)``."""
    played = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(axis=-1)
    strengths = np.ones(wins.shape[:-1])
    for _ in range(_STEPS):
        sums = strengths[..., :, None] + strengths[..., None, :]
        expected = (played / sums).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            following = np.where(expected > 0, won / expected, 1.0)
        following = np.maximum(following, _FURTHEST * following.mean(axis=-1, keepdims=True))
        following /= np.exp(np.log(following).mean(axis=-1, keepdims=True))
        moved = np.abs(np.log(following / strengths)).max()
        strengths = following
        if moved < _TOLERANCE:
            break
    return np.asarray(np.log(strengths))


def likelihood_ratio(wins: Float[np.ndarray, "conditions conditions"]) -> tuple[float, float]:
    """Whether strengths differ at all: chi-squared and p.

    Counts every comparison as independent of the others, so it is too sure of itself where a
    participant makes many.
    """
    strengths = np.asarray(bradley_terry(wins))
    gain = np.logaddexp(0.0, strengths[None, :] - strengths[:, None])  # -log P(row over column)
    fitted = -(wins * gain).sum()
    equal = -wins.sum() * np.log(2)
    statistic = max(0.0, float(2 * (fitted - equal)))
    return statistic, float(chi2.sf(statistic, len(wins) - 1))
