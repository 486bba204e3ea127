"""Figures with their 95 % bootstrap intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import wilcoxon

RESAMPLES = 2000
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A figure of some items, and where it would lie for other such items."""

    value: float
    low: float
    high: float
    items: int
    """How many were drawn from."""


def median(values: Sequence[float] | Float[np.ndarray, " items"]) -> Estimate:
    """The median of one number an item."""
    items = np.asarray(values, np.float64)[:, None]
    return bootstrap(items, lambda drawn: np.median(drawn[..., 0], axis=-1))


def ratio(
    above: Sequence[float] | Float[np.ndarray, " items"],
    below: Sequence[float] | Float[np.ndarray, " items"],
) -> Estimate:
    """The sum of one number over the sum of another; a share where both are counts."""
    items = np.stack([np.asarray(above, np.float64), np.asarray(below, np.float64)], axis=1)

    def of_sums(drawn: np.ndarray) -> np.ndarray:
        total = drawn.sum(axis=-2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return total[..., 0] / total[..., 1]

    return bootstrap(items, of_sums)


def bootstrap(
    items: Float[np.ndarray, "items numbers"], statistic: Callable[[np.ndarray], np.ndarray]
) -> Estimate:
    """Any statistic of items, each resampled whole; the same at every call.

    Args:
        items: What belongs together, clips or pairs; without any, the figure is not a number.
        statistic: Takes ``(samples, items, numbers)`` and answers ``(samples,)``.
    """
    if not len(items):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(0)
    drawn = items[rng.integers(len(items), size=(RESAMPLES, len(items)))]
    found = statistic(drawn)
    found = found[np.isfinite(found)]  # a resample of rare phones may hold none of them
    low, high = np.quantile(found, QUANTILES) if len(found) else (np.nan, np.nan)
    return Estimate(float(statistic(items[None])[0]), float(low), float(high), len(items))


def significance(
    one: Sequence[float] | Float[np.ndarray, " items"],
    other: Sequence[float] | Float[np.ndarray, " items"],
) -> str:
    """The Wilcoxon signed rank test of two numbers an item, in words (paper Tables 1 and 2)."""
    if len(one) < 2 or np.array_equal(one, other):
        return "no difference"
    return f"Wilcoxon signed rank p = {float(wilcoxon(one, other).pvalue):.1g}"  # pyright: ignore[reportAttributeAccessIssue]
