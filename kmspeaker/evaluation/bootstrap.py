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
    """A figure of some items, and the 95 % bootstrap interval over such items (ours)."""

    value: float
    low: float
    high: float
    items: int
    """How many there are; 0 if nothing could be measured."""


def median(values: Sequence[float] | Float[np.ndarray, " items"]) -> Estimate:
    """The median of one number an item."""
    items = np.asarray(values, np.float64)[:, None]
    return bootstrap(items, lambda samples: np.median(samples[..., 0], axis=-1))


def mean(values: Sequence[float] | Float[np.ndarray, " items"]) -> Estimate:
    """The mean of one number an item."""
    items = np.asarray(values, np.float64).reshape(-1, 1)
    return bootstrap(items, lambda samples: samples[..., 0].mean(axis=-1))


def ratio(
    above: Sequence[float] | Float[np.ndarray, " items"],
    below: Sequence[float] | Float[np.ndarray, " items"],
) -> Estimate:
    """The sum of one number over the sum of another; a share where both are counts."""
    items = np.stack([np.asarray(above, np.float64), np.asarray(below, np.float64)], axis=1)

    def of_sums(samples: np.ndarray) -> np.ndarray:
        total = samples.sum(axis=-2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return total[..., 0] / total[..., 1]

    return bootstrap(items, of_sums)


def bootstrap(
    items: Float[np.ndarray, "items numbers"], statistic: Callable[[np.ndarray], np.ndarray]
) -> Estimate:
    """A statistic of items and its interval, items resampled whole; the same at every call.

    Args:
        items: One row for each clip or pair; without any, the figure is not a number.
        statistic: Takes ``(samples, items, numbers)`` and answers ``(samples,)``.
    """
    if not len(items):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(0)
    samples = items[rng.integers(len(items), size=(RESAMPLES, len(items)))]
    values = statistic(samples)
    values = values[np.isfinite(values)]  # a resample of rare phones may hold none of them
    low, high = np.quantile(values, QUANTILES) if len(values) else (np.nan, np.nan)
    return Estimate(float(statistic(items[None])[0]), float(low), float(high), len(items))


def clustered_mean(
    values: Sequence[float] | Float[np.ndarray, " items"], people: Sequence[str]
) -> Estimate:
    """The mean over items, whose interval resamples people, then each one's items.

    Items of one person are alike, so that resampling items alone would make the interval too
    narrow. An item of which nothing is known (NaN) is left out.

    Args:
        values: One number an item.
        people: Whose each is.
    """
    known = np.isfinite(np.asarray(values, np.float64))
    numbers = np.asarray(values, np.float64)[known]
    names, whose = np.unique(np.asarray(people)[known], return_inverse=True)
    if not len(numbers):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    total, count = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for person in range(len(names)):
        own = numbers[whose == person]
        times = rng.multinomial(drawn[:, person] * len(own), np.full(len(own), 1 / len(own)))
        total += times @ own
        count += times.sum(axis=1)
    low, high = np.quantile(total / count, QUANTILES)
    return Estimate(float(numbers.mean()), float(low), float(high), len(numbers))


def significance(
    one: Sequence[float] | Float[np.ndarray, " items"],
    other: Sequence[float] | Float[np.ndarray, " items"],
) -> str:
    """The Wilcoxon signed rank test of two numbers an item, in words (paper Tables 1 and 2)."""
    if len(one) < 2 or np.array_equal(one, other):
        return "no difference"
    return f"Wilcoxon signed rank p = {float(wilcoxon(one, other).pvalue):.1g}"  # pyright: ignore[reportAttributeAccessIssue]
