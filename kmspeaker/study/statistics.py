"""Means, ranks and tests of ratings that every participant gave to every condition.

Place in the flow: ``analysis`` calls these on ``Responses.matrix``; ``simulation`` on many made-up
panels at once. Ratings of one participant, and of one item, are alike, so intervals resample
participants and items both (the pigeonhole bootstrap: A. B. Owen, Ann. Appl. Stat. 1, 2007), and
tests compare participants' means over their items, one number a participant and condition.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import chi2, rankdata

from kmspeaker.evaluation.paired_tests import holm, rank_biserial, signed_rank
from kmspeaker.study.responses import Ratings

DRAWS = 2000
LEVEL = 0.95
_AT_ONCE = 2_000_000
"""Weights held in memory at a time."""

Blocks = Float[np.ndarray, "participants conditions"]
"""A participant's means over items; none is missing."""
Panels = Float[np.ndarray, "*runs participants conditions"]
"""Blocks of one study, or of many."""


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval over participants and items."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Friedman:
    """Whether any condition differs from the others."""

    statistic: float
    """Chi-squared, corrected for ties."""
    degrees: int
    p: float
    kendalls_w: float
    """The effect's size: 0 no agreement on the order, 1 the same order by everybody."""
    blocks: int


@dataclass(frozen=True)
class Comparison:
    """Two conditions, one participant one number."""

    one: str
    other: str
    difference: Interval
    """Mean of ``one`` less that of ``other``, on the scale."""
    statistic: float
    """Wilcoxon's W: the smaller sum of signed ranks."""
    p: float
    """Two-sided."""
    p_holm: float
    """Corrected for all comparisons of the table (S. Holm, Scand. J. Stat. 6, 1979)."""
    rank_biserial: float
    """-1 to 1: share of the rank sum for ``one`` less that for ``other``."""
    d_z: float
    """Mean difference over the standard deviation of differences."""
    participants: int


@dataclass(frozen=True)
class Draws:
    """How often each participant and each item is in each resample."""

    participants: Float[np.ndarray, "draws participants"]
    items: Float[np.ndarray, "draws items"]


def resamples(participants: int, items: int, *, draws: int = DRAWS, seed: int = 0) -> Draws:
    """Resamples with replacement of participants and of items, the same at every call."""
    generator = np.random.default_rng(seed)

    def counts(number: int) -> np.ndarray:
        return generator.multinomial(number, np.full(number, 1 / number), size=draws).astype(float)

    return Draws(counts(participants), counts(items))


def means(ratings: Ratings, draws: Draws) -> list[Interval]:
    """The mean of each condition."""
    return _intervals(ratings, draws, _weighted_means)


def medians(ratings: Ratings, draws: Draws) -> list[Interval]:
    """The median of each condition."""
    return _intervals(ratings, draws, _weighted_medians)


def mean_ranks(ratings: Ratings, draws: Draws) -> list[Interval]:
    """The mean rank of each condition among those of its page; 1 is the best, ties share."""
    return _intervals(page_ranks(ratings), draws, _weighted_means)


def page_ranks(ratings: Ratings) -> Ratings:
    """Ranks within each page that was rated in full, 1 for the highest rating."""
    ranks = np.full_like(ratings, np.nan)
    whole = ~np.isnan(ratings).any(axis=2)
    if whole.any():
        ranks[whole] = rankdata(-ratings[whole], axis=1)
    return ranks


def blocks_of(ratings: Ratings) -> tuple[Blocks, Bool[np.ndarray, " participants"]]:
    """Each participant's means over the items that he rated in full, and who has any."""
    whole = ~np.isnan(ratings).any(axis=2, keepdims=True)
    counts = whole.sum(axis=1)
    who = counts[:, 0] > 0
    sums = np.where(whole, ratings, 0.0).sum(axis=1)
    return sums[who] / counts[who], who


def friedman(panels: Panels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Friedman's test with its correction for ties (M. Friedman, JASA 32, 1937).

    Returns:
        Chi-squared, p and Kendall's W, each ``(*runs,)``; without any difference 0, 1 and 0.
    """
    blocks, conditions = panels.shape[-2:]
    ranks = rankdata(panels, axis=-1)
    sums = ranks.sum(axis=-2)
    spread = (ranks**2).sum(axis=(-2, -1)) - blocks * conditions * (conditions + 1) ** 2 / 4
    between = ((sums - blocks * (conditions + 1) / 2) ** 2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(spread > 0, (conditions - 1) * between / spread, 0.0)
    p = np.asarray(chi2.sf(statistic, conditions - 1))
    return statistic, p, np.asarray(statistic / (blocks * (conditions - 1)))


def friedman_test(blocks: Blocks) -> Friedman:
    """``friedman`` of one study."""
    statistic, p, kendalls_w = friedman(blocks)
    return Friedman(float(statistic), blocks.shape[1] - 1, float(p), float(kendalls_w), len(blocks))


def compare_all(ratings: Ratings, names: Sequence[str], draws: Draws) -> list[Comparison]:
    """Every two conditions."""
    pairs = list(combinations(range(len(names)), 2))
    differences = np.stack([ratings[..., a] - ratings[..., b] for a, b in pairs], axis=-1)
    words = [(names[a], names[b]) for a, b in pairs]
    return compare_with_zero(differences, words, draws)


def compare_with_zero(
    differences: Ratings, words: Sequence[tuple[str, str]], draws: Draws
) -> list[Comparison]:
    """Whether differences, or preferences, lie to one side of zero; one column a comparison."""
    blocks, _ = blocks_of(differences)
    statistics, ps = signed_rank(blocks.T)
    intervals = means(differences, draws)
    deviations = blocks.std(axis=0, ddof=1) if len(blocks) > 1 else np.zeros(blocks.shape[1])
    return [
        Comparison(
            one=one,
            other=other,
            difference=intervals[k],
            statistic=float(statistics[k]),
            p=float(ps[k]),
            p_holm=float(holm(ps)[k]),
            rank_biserial=rank_biserial(blocks[:, k]),
            d_z=float(blocks[:, k].mean() / deviations[k]) if deviations[k] > 0 else 0.0,
            participants=len(blocks),
        )
        for k, (one, other) in enumerate(words)
    ]


def interval_of(value: float, resampled: Float[np.ndarray, " draws"]) -> Interval:
    """The middle 95 % of what resamples gave."""
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(low), float(high))


Weighted = Callable[[Ratings, np.ndarray, np.ndarray], np.ndarray]


def _intervals(ratings: Ratings, draws: Draws, figure: Weighted) -> list[Interval]:
    """The figure of each condition, and of each resample."""
    people, items, _ = ratings.shape
    value = figure(ratings, np.ones((1, people)), np.ones((1, items)))[0]
    step = max(1, _AT_ONCE // max(1, people * items))
    parts = [
        figure(ratings, draws.participants[k : k + step], draws.items[k : k + step])
        for k in range(0, len(draws.items), step)
    ]
    resampled = np.concatenate(parts)
    return [interval_of(one, resampled[:, k]) for k, one in enumerate(value)]


def _weighted_means(ratings: Ratings, people: np.ndarray, items: np.ndarray) -> np.ndarray:
    given = ~np.isnan(ratings)
    shape = (len(people), *ratings.shape[1:])

    def total(values: np.ndarray) -> np.ndarray:
        over_people = (people @ values.reshape(len(values), -1)).reshape(shape)
        return np.einsum("di,dic->dc", items, over_people)

    with np.errstate(invalid="ignore", divide="ignore"):
        return total(np.where(given, ratings, 0.0)) / total(given.astype(float))


def _weighted_medians(ratings: Ratings, people: np.ndarray, items: np.ndarray) -> np.ndarray:
    weights = (people[:, :, None] * items[:, None, :]).reshape(len(people), -1)
    result = np.full((len(people), ratings.shape[2]), np.nan)
    for condition in range(ratings.shape[2]):
        values = ratings[..., condition].ravel()
        order = np.argsort(values)[: np.isfinite(values).sum()]  # what is not a number comes last
        if not len(order):
            continue
        heaped = np.cumsum(weights[:, order], axis=1)
        half = heaped[:, -1:] / 2
        # As of a list that has each value as often as it weighs: between two where they halve it.
        low = np.minimum((heaped < half).sum(axis=1), len(order) - 1)
        high = np.minimum((heaped <= half).sum(axis=1), len(order) - 1)
        found = (values[order][low] + values[order][high]) / 2
        result[:, condition] = np.where(heaped[:, -1] > 0, found, np.nan)
    return result
